// The example app, as it is deployed: built, and served by `next start`.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createServer} from 'node:net';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('../../examples/nextjs', import.meta.url));

// startApp serves the app that was built, against a service.
export async function startApp({url, apiKey, ...environment}) {
  const port = await freePort();
  const child = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-p', String(port), '-H', '127.0.0.1'], {
    cwd: folder, stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1',
      AI_WORKER_URL: url, AI_WORKER_KEY: apiKey, ...environment,
    },
  });
  const ended = once(child, 'exit');
  const ready = (async () => {
    for await (const piece of child.stdout.iterator({destroyOnReturn: false})) {
      if (String(piece).includes('Ready')) {
        child.stdout.resume();
        return;
      }
    }
    throw new Error('the app ended before it was ready');
  })();
  await ready;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
