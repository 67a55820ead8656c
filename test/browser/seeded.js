// The service with a month of work in it: 5,000 jobs of every state (see seed/).

import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

import {apiKey, startService} from '../../client/test/service.js';

const seed = fileURLToPath(new URL('../../bin/seed', import.meta.url));

const lanes = [
  {name: 'nano', model: 'gemini-nano-banana-2.1', rpm: 60, concurrency: 30},
  {name: 'pro', model: 'gemini-3-pro-image', rpm: 20, concurrency: 20},
  {name: 'flash', model: 'gemini-3.1-flash-image', rpm: 30, concurrency: 20},
].map((lane) => ({...lane, api_key: `stand-in-${lane.name}`}));

// startSeeded returns the service, on the work that the program seed made. env has
// further settings.
export function startSeeded(env = {}, options = {}) {
  return startService({
    LANES: JSON.stringify(lanes), API_KEYS: `client:${apiKey},press:press-test-key-0123456789`,
    TENANTS: JSON.stringify({press: {budget: {usd: 0.01, per: 'month'}}}), // as in seed/open.go
    ...env,
  }, {...options, prepare: (folder) => promisify(execFile)(seed, [folder])});
}
