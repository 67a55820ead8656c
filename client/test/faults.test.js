// The client through a connection that loses, repeats and cuts: each logical
// call is one job, which is drawn once.
//
// CALLS=500 makes as many calls, SEED=7 has other faults.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {createClient} from 'ai-worker-client';

import {startFaultProxy} from './faultproxy.js';
import {apiKey, startService} from './service.js';

const calls = Number(process.env.CALLS ?? 60);
const seed = Number(process.env.SEED ?? 1);
const atOnce = 60;

let service, proxy;
before(async () => {
  service = await startService();
  proxy = await startFaultProxy(service.url, seed);
});
after(async () => {
  await proxy.close();
  await service.close();
});

test(`${calls} calls through faults (seed ${seed}) are ${calls} jobs, and no picture is drawn twice`, async (t) => {
  const client = createClient({baseUrl: proxy.url, apiKey, maxRetries: 8});
  const prompts = Array.from({length: calls}, (_, i) => `picture ${i}`);
  const jobs = new Map();
  const left = prompts.values();
  await Promise.all(Array.from({length: atOnce}, async () => {
    for (const prompt of left) {
      const versions = [];
      const job = await client.generateImages({prompt}, {wait: true, onUpdate: (j) => versions.push(j.version)});
      assert.equal(job.status, 'succeeded');
      assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b), 'versions rise');
      jobs.set(prompt, job.id);
    }
  }));

  const recorded = [];
  for await (const job of createClient({baseUrl: service.url, apiKey}).jobs.list({limit: 100})) {
    recorded.push(job);
  }
  assert.equal(recorded.length, calls);
  assert.deepEqual(recorded.map((job) => [job.input.prompt, job.id]).sort(), [...jobs].sort());
  assert.deepEqual([...service.gemini.drawn.entries()].sort(), prompts.map((prompt) => [prompt, 1]).sort());
  t.diagnostic(JSON.stringify(proxy.done));
  assert.equal(Object.keys(proxy.done).length, 8, 'all kinds happened');
});
