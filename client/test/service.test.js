// The client against the real service.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {ConflictError, createClient, createJobToken, InvalidRequestError, NotFoundError, AuthenticationError} from 'ai-worker-client';

import {apiKey, startService} from './service.js';

let service, client;
before(async () => {
  service = await startService();
  client = createClient({baseUrl: service.url, apiKey});
});
after(() => service.close());

test('pictures are asked for, waited for, and found by a list', async () => {
  const seen = [];
  const job = await client.generateImages({prompt: 'two lights', count: 2, metadata: {user: 7}}, {wait: true, onUpdate: (j) => seen.push(j)});
  assert.deepEqual([job.status, job.output.length, job.metadata], ['succeeded', 2, {user: 7}]);
  assert.equal((await fetch(job.output[0])).headers.get('content-type'), 'image/png');
  assert.equal(seen[0].status, 'queued');
  assert.deepEqual(seen.at(-1), job);
  assert.deepEqual((await client.jobs.get(job.id)).version, job.version);
  const found = [];
  for await (const {id} of client.jobs.list({status: ['succeeded', 'failed'], metadata: {user: 7}, q: 'LIGHTS'})) {
    found.push(id);
  }
  assert.deepEqual(found, [job.id]);
});

test('the same key is the same job, and is drawn once', async () => {
  const ask = () => client.generateImages({prompt: 'once'}, {idempotencyKey: 'order-1', wait: true});
  assert.equal((await ask()).id, (await ask()).id);
  assert.equal(service.gemini.drawn.get('once'), 1);
  await assert.rejects(client.generateImages({prompt: 'another'}, {idempotencyKey: 'order-1'}), InvalidRequestError);
});

test('lists go over their pages', async () => {
  for (let i = 0; i < 5; i++) {
    await client.generateImages({prompt: `page ${i}`, metadata: {list: 'pages'}});
  }
  const ids = [];
  for await (const {id} of client.jobs.list({limit: 2, metadata: {list: 'pages'}})) {
    ids.push(id);
  }
  const first = (await client.jobs.list({limit: 2, metadata: {list: 'pages'}}).pages().next()).value;
  const rest = [];
  for await (const {id} of client.jobs.list({limit: 2, metadata: {list: 'pages'}, cursor: first.next_cursor})) {
    rest.push(id);
  }
  assert.equal(new Set(ids).size, 5);
  assert.deepEqual([...first.jobs.map((j) => j.id), ...rest], ids);
});

test('what failed is retried, and what has ended is removed', async () => {
  service.gemini.refused.add('refused at first');
  const failed = await client.generateImages({prompt: 'refused at first'}, {wait: true});
  assert.deepEqual([failed.status, failed.images[0].status], ['failed', 'failed']);
  service.gemini.refused.clear();
  const again = await client.jobs.retry(failed.id);
  assert.equal(again.retry_of, failed.id);
  assert.equal((await client.jobs.wait(again.id)).status, 'succeeded');
  await client.jobs.delete(failed.id);
  await assert.rejects(client.jobs.get(failed.id), NotFoundError);
  await assert.rejects(client.jobs.retry(again.id), ConflictError);
});

test('a job is followed by a page with a token, and canceled by its server', async () => {
  let release;
  service.gemini.held.set('held', new Promise((resolve) => {
    release = resolve;
  }));
  const {id} = await client.generateImages({prompt: 'held'});
  const page = createClient({baseUrl: service.url, token: await createJobToken(apiKey, id)});
  const statuses = [];
  for await (const job of page.jobs.watch(id)) {
    statuses.push(job.status);
    if (job.status === 'processing' && !statuses.includes('canceled')) {
      await client.jobs.cancel(id);
    }
  }
  release();
  assert.equal(statuses.at(-1), 'canceled');
  await assert.rejects(page.jobs.cancel(id), AuthenticationError);
  await assert.rejects(page.jobs.wait((await client.generateImages({prompt: 'p'})).id), AuthenticationError);
  const last = await page.jobs.wait(id, {after: await page.jobs.get(id)});
  assert.equal(last.status, 'canceled', 'a wait for a job that has ended, by who has its last version');
});

test('a picture is uploaded and drawn from', async () => {
  const drawn = await client.generateImages({prompt: 'first'}, {wait: true});
  const bytes = new Uint8Array(await (await fetch(drawn.output[0])).arrayBuffer());
  for (const upload of [
    await client.uploads.put(bytes, {contentType: 'image/png'}), await client.uploads.put(new Blob([bytes], {type: 'image/png'})),
  ]) {
    const job = await client.generateImages({prompt: `from ${upload.id}`, input_images: [upload.id]}, {wait: true});
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
  }
});

test('refusals name their fields', async () => {
  const error = await client.generateImages({prompt: 'p', count: 17}).catch((e) => e);
  assert.ok(error instanceof InvalidRequestError);
  assert.deepEqual(error.fields.map((f) => f.location), ['body.count']);
  await assert.rejects(createClient({baseUrl: service.url, apiKey: 'wrong-key-0123456789'}).jobs.get('j'), AuthenticationError);
});
