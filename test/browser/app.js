// The example app, as it is deployed: built, and served by `next start`.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';

const folder = fileURLToPath(new URL('../../examples/nextjs', import.meta.url));

// startApp serves the app that was built, against a service.
export async function startApp({url, apiKey, ...environment}) {
  const child = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-p', '0', '-H', '127.0.0.1'], {
    cwd: folder, stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1',
      AI_WORKER_URL: url, AI_WORKER_KEY: apiKey, ...environment,
    },
  });
  const ended = once(child, 'exit');
  return {
    url: await readAddress(child),
    close: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

// readAddress returns the address that the app prints before it says that it is ready.
async function readAddress(child) {
  let said = '';
  for await (const piece of child.stdout.iterator({destroyOnReturn: false})) {
    said += piece;
    const found = /(http:\S+)[^]*Ready/.exec(said);
    if (found) {
      child.stdout.resume();
      return found[1];
    }
  }
  throw new Error(`the app ended before it was ready:\n${said}`);
}
