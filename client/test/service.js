// The real service, as `make dev` runs it, with a Gemini of this test.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {startGemini} from './gemini.js';

export const apiKey = 'client-test-key-0123456789';
export const otherKey = 'other-test-key-0123456789'; // of another tenant
const program = fileURLToPath(new URL('../../bin/dev', import.meta.url));

// startService returns the service once it is ready. Its jobs are in a folder
// of their own, which close removes. env has further settings of it, and options
// those of its Gemini; options.prepare fills the folder before the service starts.
export async function startService(env = {}, options = {}) {
  const gemini = await startGemini(options);
  const folder = await mkdtemp(join(tmpdir(), 'ai-worker-client-'));
  await options.prepare?.(folder);
  const child = spawn(program, {
    cwd: folder, stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH, HOME: folder, PORT: '0', API_KEYS: `client:${apiKey},other:${otherKey}`, LOG_LEVEL: 'error',
      GEMINI_API_KEY: 'stand-in', GEMINI_BASE_URL: gemini.url, GEMINI_RPM: '30000', WORKER_CONCURRENCY: '100', ...env,
    },
  });
  await once(child, 'spawn'); // fails if there is no program
  const ended = once(child, 'exit');
  return {
    url: await readAddress(child), gemini,
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      await gemini.close();
      await rm(folder, {recursive: true});
    },
  };
}

// readAddress returns the address that the service prints when it is ready.
async function readAddress(child) {
  let said = '';
  for await (const piece of child.stdout.iterator({destroyOnReturn: false})) {
    said += piece;
    const found = /ready at (\S+)/.exec(said);
    if (found) {
      child.stdout.resume();
      return found[1];
    }
  }
  throw new Error(`the service ended before it was ready:\n${said}`);
}
