// A proxy that stands between the client and the service, and breaks things. A
// seed decides what, so that a run can be repeated.

import {createServer, request as send} from 'node:http';
import {buffer} from 'node:stream/consumers';

import {closeServer} from './gemini.js';

// mostInARow bounds how many faults in a row the same request meets: a client
// that tries more often gets through.
const mostInARow = 4;

// startFaultProxy returns a proxy to the service at url, and what it has done.
export async function startFaultProxy(url, seed) {
  const random = randomOf(seed);
  const inARow = new Map();
  const done = {};
  const choose = (request) => {
    const name = [request.method, request.url, request.headers['idempotency-key']].join(' ');
    const kinds = ['none', 'none', 'none', 'delay', 'duplicate', 'dropRequest', 'dropAnswer', 'badGateway', 'badGatewayAfter', 'cut'];
    let kind = kinds[Math.floor(random() * kinds.length)];
    if (harmless.has(kind) || (inARow.get(name) ?? 0) >= mostInARow) {
      kind = harmless.has(kind) ? kind : 'none';
      inARow.delete(name);
    } else {
      inARow.set(name, (inARow.get(name) ?? 0) + 1);
    }
    done[kind] = (done[kind] ?? 0) + 1;
    return kind;
  };
  const server = createServer(async (request, response) => {
    const kind = choose(request);
    const body = await buffer(request);
    const forward = () => forwardTo(url, request, body);
    try {
      await faults[kind]({forward, response, random});
    } catch {
      response.destroy(); // the service, or the client, is gone
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}`, done, close: () => closeServer(server)};
}

const harmless = new Set(['none', 'delay', 'duplicate']);

const faults = {
  none: async ({forward, response}) => relay(await forward(), response),
  delay: async ({forward, response, random}) => {
    await new Promise((resolve) => setTimeout(resolve, random() * 50));
    await relay(await forward(), response);
  },
  duplicate: async ({forward, response}) => {
    const [first, second] = await Promise.all([forward(), forward()]);
    first.destroy();
    await relay(second, response);
  },
  dropRequest: async ({response}) => response.destroy(),
  dropAnswer: async ({forward, response}) => {
    (await forward()).destroy();
    response.destroy();
  },
  badGateway: async ({response}) => response.writeHead(502).end('<html>Bad Gateway</html>'),
  badGatewayAfter: async ({forward, response}) => {
    (await forward()).destroy();
    response.writeHead(502).end('<html>Bad Gateway</html>');
  },
  cut: async ({forward, response, random}) => {
    const answer = await forward();
    response.writeHead(answer.statusCode, answer.headers);
    let left = Math.floor(random() * 3000);
    for await (const piece of answer) {
      response.write(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) {
        break;
      }
    }
    response.destroy();
  },
};

// forwardTo sends the request to the service, and returns the answer.
function forwardTo(url, {method, url: path, headers}, body) {
  return new Promise((resolve, reject) => {
    const {host, ...others} = headers;
    send(new URL(path, url), {method, headers: others, agent: false}, resolve).on('error', reject).end(body);
  });
}

// relay hands an answer on, piece by piece, and ends it if the client is gone.
async function relay(answer, response) {
  response.on('close', () => answer.destroy());
  response.writeHead(answer.statusCode, answer.headers);
  response.flushHeaders();
  for await (const piece of answer) {
    response.write(piece);
  }
  response.end();
}

// randomOf returns numbers from 0 to 1 that the seed determines (mulberry32).
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
