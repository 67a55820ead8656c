// The route of a Next.js app against the real service and the Redis that it
// writes its snapshots to.

import assert from 'node:assert/strict';
import {after, afterEach, before, test} from 'node:test';

import {createClient} from 'ai-worker-client';
import {createRouteHandler, redisStore, upstash} from 'ai-worker-client/next';

import {startRedis, startUpstash, upstashToken} from './redis.js';
import {call, events} from './route.js';
import {apiKey, otherKey, startService} from './service.js';

const errors = []; // what the apps are told
afterEach(() => assert.deepEqual(errors.splice(0), []));

let redis, rest, service, client;
before(async () => {
  redis = await startRedis();
  rest = await startUpstash(redis.client);
  service = await startService({REDIS_URL: redis.url});
  client = createClient({baseUrl: service.url, apiKey});
});
after(() => Promise.all([service?.close(), rest?.close(), redis?.close()]));

// open returns the route of an app, in which the header user says who asks. asked
// has what the service is asked.
function open(options = {}) {
  const asked = [];
  const fetch = (url, init) => {
    asked.push(`${init.method} ${url.slice(service.url.length)}`);
    return globalThis.fetch(url, init);
  };
  const route = createRouteHandler({
    client: {baseUrl: service.url, apiKey, fetch, timeoutMs: 600_000}, snapshots: upstash({url: rest.url, token: upstashToken}), pollMs: 10, maxAgeMs: 3_600_000,
    streamMs: 600_000, storeMs: 600_000, onError: (error) => errors.push(error.message), authorize: (request) => ({user: request.headers.get('user'), inputImages: true}), ...options,
  });
  const as = (user) => (method, path, {headers, ...more} = {}) => call(route, method, path, {...more, headers: {user, ...headers}});
  return {as, ann: as('ann'), bob: as('bob'), asked, getJob: route.getJob};
}

// ended returns a job of a user's once it has ended, as the last event of its stream.
async function ended(ask, id) {
  let last;
  for await (const job of events(await ask('GET', `/${id}/events`))) {
    last = job;
  }
  return last;
}

// hold has the model hold a prompt back until the function that is returned is called.
function hold(prompt) {
  let release;
  service.gemini.held.set(prompt, new Promise((resolve) => {
    release = resolve;
  }));
  return release;
}

const submit = async (ask, body, headers) => (await ask('POST', '', {body, headers})).json();

test('pictures are asked for, followed to their end, listed, and read again by their tag', async () => {
  const {ann} = open();
  const answer = await ann('POST', '', {body: {prompt: 'a route', count: 2}, headers: {'Idempotency-Key': 'k1'}});
  const job = await answer.json();
  assert.deepEqual([answer.status, answer.headers.get('cache-control')], [202, 'private, no-cache']);
  const last = await ended(ann, job.id);
  assert.deepEqual([last.status, last.output.length, last.input.prompt], ['succeeded', 2, 'a route']);
  for (const hidden of ['tenant', 'metadata', 'urls', 'cost_usd']) {
    assert.ok(!(hidden in last), hidden);
  }
  const got = await ann('GET', `/${job.id}`);
  assert.deepEqual(await got.json(), last);
  const same = await ann('GET', `/${job.id}`, {headers: {'If-None-Match': `"x", ${got.headers.get('etag')}`}});
  assert.deepEqual([same.status, await same.text(), same.headers.get('etag')], [304, '', got.headers.get('etag')]);
  const stopped = await ann('GET', `/${job.id}/events`, {headers: {'Last-Event-ID': String(last.version)}});
  assert.equal(stopped.status, 204);
  const {jobs, next_cursor: cursor} = await (await ann('GET', '?limit=1&q=ROUTE&status=succeeded,failed')).json();
  assert.deepEqual([jobs.map((j) => j.id), cursor], [[job.id], null]);
  assert.ok(!('tenant' in jobs[0]));
});

test('a page of the server reads a job of its user, and no other', async () => {
  const {ann, getJob} = open();
  const {id} = await submit(ann, {prompt: 'rendered by the server'});
  const last = await ended(ann, id);
  assert.deepEqual(await getJob('ann', id), last);
  assert.deepEqual([await getJob('bob', id), await getJob('ann', crypto.randomUUID()), await getJob('ann', '../jobs')], [null, null, null]);
  const {getJob: closed} = createRouteHandler({authorize: () => null, client: {baseUrl: service.url, apiKey: 'another-key-0123456789'}, snapshots: null});
  await assert.rejects(closed('ann', id), /the service refuses the API key; set apiKey, or AI_WORKER_KEY/);
});

test('what is sent again is the same job for one user, and another for another user', async () => {
  const {ann, bob} = open();
  const key = {'Idempotency-Key': 'the same key'};
  const [first, again, other] = [
    await submit(ann, {prompt: 'twice'}, key), await submit(ann, {prompt: 'twice'}, key), await submit(bob, {prompt: 'twice'}, key),
  ];
  assert.equal(first.id, again.id);
  assert.notEqual(first.id, other.id);
  const changed = await ann('POST', '', {body: {prompt: 'changed'}, headers: key});
  assert.deepEqual([changed.status, (await changed.json()).detail],
    [422, 'The Idempotency-Key was used for another request. Send the same body again, or use a new key.']);
});

test('jobs are canceled, drawn again and removed, by their user alone', async () => {
  const {ann, bob} = open();
  const release = hold('held for long');
  const {id} = await submit(ann, {prompt: 'held for long'});
  const routes = [
    ['GET', ''], ['GET', '/events'], ['POST', '/cancel'], ['POST', '/retry'], ['DELETE', ''], ['HEAD', ''],
  ];
  for (const [method, path] of routes) {
    const refused = await bob(method, `/${id}${path}`);
    assert.equal(refused.status, 404, `${method} ${path}`);
    assert.ok(method === 'HEAD' || (await refused.json()).code === 'not_found');
  }
  assert.deepEqual((await (await bob('GET', '?q=held for long')).json()).jobs, []);
  const early = await ann('DELETE', `/${id}`);
  assert.deepEqual([early.status, (await early.json()).code], [409, 'conflict']);
  assert.equal((await (await ann('POST', `/${id}/cancel`)).json()).status, 'canceled');
  release();
  const again = await ann('POST', `/${id}/retry`, {headers: {'Idempotency-Key': 'retry'}});
  const retried = await again.json();
  assert.deepEqual([again.status, retried.retry_of], [202, id]);
  assert.equal((await ended(ann, retried.id)).status, 'succeeded');
  const removed = await ann('DELETE', `/${id}`);
  assert.deepEqual([removed.status, await removed.text()], [204, '']);
  assert.deepEqual([await redis.client.get(`job:${id}`), await redis.client.get(`job:${id}:version`)], [null, String(2 ** 53 - 1)]);
  for (const path of [`/${id}`, `/${id}/events`]) {
    assert.equal((await ann('GET', path)).status, 404);
  }
});

test('another tenant\'s job in the same Redis is no job of a user with the same name', async () => {
  const {ann, asked} = open();
  await submit(ann, {prompt: 'the tenant is learnt'});
  const foreign = await createClient({baseUrl: service.url, apiKey: otherKey}).generateImages({prompt: 'of another', metadata: {user: 'ann'}});
  assert.match(await redis.client.get(`job:${foreign.id}`), /"tenant":"other"/);
  for (const [method, path] of [['GET', ''], ['GET', '/events'], ['POST', '/cancel'], ['POST', '/retry'], ['DELETE', '']]) {
    assert.equal((await ann(method, `/${foreign.id}${path}`)).status, 404, `${method} ${path}`);
  }
  assert.deepEqual(asked.filter((a) => a.endsWith('cancel') || a.startsWith('DELETE')), []);
});

test('a picture is uploaded and drawn from, and an URL is not', async () => {
  const {ann} = open();
  const drawn = await client.generateImages({prompt: 'to upload'}, {wait: true});
  const bytes = await (await fetch(drawn.output[0])).arrayBuffer();
  const answer = await ann('POST', '/uploads', {body: {content_type: 'image/png', bytes: bytes.byteLength}});
  const upload = await answer.json();
  assert.deepEqual([answer.status, upload.method], [201, 'PUT']);
  assert.ok((await fetch(upload.url, {method: 'PUT', headers: upload.headers, body: bytes})).ok);
  const {id} = await submit(ann, {prompt: 'from an upload', input_images: [upload.id]});
  assert.equal((await ended(ann, id)).status, 'succeeded');
  const refused = await ann('POST', '', {body: {prompt: 'from an URL', input_images: [drawn.output[0], upload.id]}});
  assert.deepEqual([refused.status, (await refused.json()).errors.map((e) => e.location)], [422, ['body.input_images[0]']]);
});

test('a quote has its prices only if users may see them', async () => {
  const quote = async (options) => (await open(options).ann('POST', '/quote', {body: {prompt: 'p', count: 3}})).json();
  const {price_usd: price, cost_usd: cost, count} = await quote({exposeCost: true});
  assert.ok(price > 0 && cost > price && count === 3);
  assert.deepEqual(Object.keys(await quote()).filter((name) => name.endsWith('usd')), []);
});

test('what the service refuses is told by its fields, and its prices are not', async () => {
  const {ann} = open({authorize: () => ({user: 'ann', maxCount: 16, maxCostUsd: 0.001})});
  const wrong = await ann('POST', '', {body: {prompt: ' ', seed: 'x', aspect_ratio: '7:9'}});
  const problem = await wrong.json();
  assert.equal(wrong.headers.get('content-type'), 'application/problem+json');
  assert.deepEqual([wrong.status, problem.errors.map((e) => e.location).sort()], [422, ['body.aspect_ratio', 'body.seed']]);
  assert.doesNotMatch(JSON.stringify(problem), /POST|api\/generate/);
  const costly = await ann('POST', '', {body: {prompt: 'p', count: 16}});
  const {code, detail, errors} = await costly.json();
  assert.deepEqual([costly.status, code, errors], [402, 'max_cost_exceeded', undefined]);
  assert.doesNotMatch(detail, /\d/);
});

for (const [name, store] of Object.entries({
  'Upstash': () => upstash({url: rest.url, token: upstashToken}),
  'ioredis': () => redisStore(redis.client),
  'a client that parses': () => redisStore({
    get: async (key) => JSON.parse(await redis.client.get(key)), pTTL: (key) => redis.client.pttl(key),
  }),
})) {
  test(`a watched job asks the service nothing while Redis has it: by ${name}`, async () => {
    const {ann, asked} = open({snapshots: store()});
    const release = hold(`watched by ${name}`);
    const {id} = await submit(ann, {prompt: `watched by ${name}`, count: 2});
    const before = asked.length;
    const statuses = new Set();
    const streams = await Promise.all([1, 2, 3].map(() => ann('GET', `/${id}/events`)));
    await Promise.all(streams.map(async (answer) => {
      for await (const job of events(answer)) {
        statuses.add(job.status);
        if (job.status === 'processing') {
          release();
        }
      }
    }));
    assert.ok(statuses.has('processing') && statuses.has('succeeded'), [...statuses].join());
    assert.equal((await (await ann('GET', `/${id}`)).json()).status, 'succeeded');
    assert.deepEqual(asked.slice(before), []);
  });
}

test('a stream goes on from the service when Redis stops, and the app is told once', async () => {
  const {ann, asked} = open();
  const release = hold('outlasts Redis');
  const {id} = await submit(ann, {prompt: 'outlasts Redis'});
  const statuses = [];
  for await (const {status} of events(await ann('GET', `/${id}/events`))) {
    statuses.push(status);
    if (status === 'processing') {
      await redis.stop();
      assert.equal((await ann('GET', `/${id}`)).status, 200);
      release();
    }
  }
  assert.equal(statuses.at(-1), 'succeeded');
  assert.ok(asked.includes(`GET /api/jobs/${id}/events`), asked.join());
  const [told, ...more] = errors.splice(0);
  assert.match(told, /^the snapshots in Redis cannot be read, so the service is asked: /);
  assert.ok(more.length === 0 && !told.includes(upstashToken), told);
});
