// A real Redis of one test, and a stand-in of Upstash's REST API in front of it.

import {spawn} from 'node:child_process';
import {randomInt} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {createServer} from 'node:http';
import {createServer as createPort} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';

import {Redis} from 'ioredis';

import {closeServer} from './gemini.js';

// startRedis returns a redis-server once it takes connections, and a client of it.
export async function startRedis() {
  const folder = await mkdtemp(join(tmpdir(), 'ai-worker-redis-'));
  const port = await freePort();
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    cwd: folder, stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child, 'spawn'); // fails if there is no program
  const ended = once(child, 'exit');
  await ready(child);
  const client = new Redis({port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null, enableOfflineQueue: false});
  client.on('error', () => undefined); // each command that fails says so
  await client.connect();
  const stop = async () => {
    client.disconnect();
    child.kill('SIGKILL');
    await ended;
  };
  return {url: `redis://127.0.0.1:${port}`, client, stop, close: async () => {
    await stop();
    await rm(folder, {recursive: true});
  }};
}

// freePort returns a port below those that the kernel gives to connections, which
// may have one of these before the server is there. It fails after ten that are taken.
async function freePort(tries = 10) {
  const port = 20_000 + randomInt(10_000);
  const server = createPort().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    return tries > 1 ? freePort(tries - 1) : Promise.reject(error);
  }
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ready(child) {
  let said = '';
  for await (const piece of child.stdout.iterator({destroyOnReturn: false})) {
    said += piece;
    if (said.includes('Ready to accept connections')) {
      child.stdout.resume();
      return;
    }
  }
  throw new Error(`redis-server ended before it was ready:\n${said}`);
}

export const upstashToken = 'upstash-test-token';

// startUpstash answers as https://upstash.com/docs/redis/features/restapi says, by
// a Redis. A command that fails has an error in its place.
export async function startUpstash(redis) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const answer = (status, body) => response.writeHead(status, {'Content-Type': 'application/json'}).end(JSON.stringify(body));
    const body = await text(request);
    requests.push(body);
    if (request.headers.authorization !== `Bearer ${upstashToken}`) {
      return answer(401, {error: 'WRONGPASS invalid or missing auth token'});
    }
    if (request.method !== 'POST' || request.url !== '/pipeline') {
      return answer(400, {error: 'ERR failed to parse command'});
    }
    return answer(200, await Promise.all(JSON.parse(body).map(([name, ...args]) => redis.call(name, ...args).then(
      (result) => ({result}), (error) => ({error: error.message})))));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {url: `http://127.0.0.1:${server.address().port}`, requests, close: () => closeServer(server)};
}
