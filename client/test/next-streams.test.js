// What a stream shows, and whom it asks for that. The clock is set.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {createRouteHandler, upstash} from 'ai-worker-client/next';

import {answering, json, refusal, silent, broken, stream as sse, event} from './answers.js';
import {settle, useClock} from './clock.js';
import {id, storing, whole} from './jobs.js';
import {call, events} from './route.js';

const end = (more = {}) => whole({status: 'succeeded', version: 9, queue_position: null, ...more});

const clocks = new WeakSet();

// open returns a route over a store and a service of answers. The tenant is known.
function open(t, answers, options = {}) {
  if (!clocks.has(t)) {
    clocks.add(t);
    useClock(t);
  }
  const store = storing();
  const {fetch, requests} = answering(...answers);
  const errors = [];
  const route = createRouteHandler({
    client: {baseUrl: 'http://service.test', apiKey: 'secret-key', fetch, maxRetries: 0}, snapshots: store, tenant: 'web',
    authorize: () => ({user: 'ann'}), onError: (error) => errors.push(error.message), ...options,
  });
  const asked = () => requests.map(({method, url}) => `${method} ${url.slice('http://service.test/api/jobs/'.length).replace(id, 'ID')}`);
  return {store, errors, asked, ask: (path, more) => call(route, 'GET', path, more)};
}

// follow collects the events of a stream, and tells whether it is open.
async function follow(answer) {
  const seen = {jobs: [], isOpen: true};
  const reading = (async () => {
    for await (const job of events(answer)) {
      seen.jobs.push(job);
    }
  })();
  reading.finally(() => {
    seen.isOpen = false;
  });
  await settle();
  return seen;
}

// pass lets time go by.
async function pass(ms, stepMs = 500) {
  await settle();
  for (let passed = 0; passed < ms; passed += stepMs) {
    mock.timers.tick(stepMs);
    await settle();
  }
}

test('a stream begins with padding for Safari and the whole job, and has each change that Redis has', async (t) => {
  const {store, ask, asked} = open(t, [broken]);
  store.put(whole());
  const answer = await ask(`/${id}/events`);
  assert.deepEqual(Object.fromEntries(answer.headers), {
    'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no',
  });
  const [raw, copy] = answer.body.tee();
  const seen = await follow({body: copy});
  store.put(whole({version: 2, status: 'processing'}));
  await pass(1000);
  store.put(whole({version: 2, status: 'processing', queue_position: 2})); // the place alone
  await pass(1000);
  store.put(whole({version: 2, status: 'processing', queue_position: 2, url_expires_at: '2026-11-30T00:00:00Z'}));
  await pass(1000);
  store.put(whole({version: 1})); // a replica that is behind
  await pass(1000);
  store.put(end());
  await pass(1000);
  assert.deepEqual(seen.jobs.map((j) => [j.version, j.queue_position]), [[1, 3], [2, 3], [2, 2], [2, 2], [9, null]]);
  assert.ok(!seen.isOpen);
  assert.deepEqual(asked(), []);
  const text = await new Response(raw).text();
  assert.match(text, /^retry: 2000\n: {2048}\n\nevent: job\nid: 1\ndata: \{[^\n]*\}\n\n/);
});

test('a browser that comes again is told the whole job, and to stop only after the end', async (t) => {
  const {store, ask} = open(t, [broken]);
  store.put(whole());
  const headers = {'Last-Event-ID': '1'};
  assert.equal((await follow(await ask(`/${id}/events`, {headers}))).jobs.length, 1);
  store.put(end({version: 2}));
  assert.equal((await follow(await ask(`/${id}/events`, {headers}))).jobs.length, 1);
  assert.equal((await ask(`/${id}/events`, {headers: {'Last-Event-ID': '2'}})).status, 204);
});

test('a user sees of a job what is named, and its cost only if the app shows it', async (t) => {
  const {store, ask} = open(t, [broken]);
  store.put(end());
  const [job] = (await follow(await ask(`/${id}/events`))).jobs;
  assert.doesNotMatch(JSON.stringify(job), /tenant|metadata|urls|webhook|cost_usd|secret/);
  const shown = open(t, [broken], {exposeCost: true});
  shown.store.put(end());
  const all = await (await shown.ask(`/${id}`)).json();
  assert.equal(all.cost_usd, 0.1);
  assert.ok(!('cost_usd' in all.images[0]));
});

test('the snapshot of an unfinished job is believed for maxAgeMs, and then the service is asked once', async (t) => {
  const {store, ask, asked} = open(t, [() => {
    const renewed = whole({version: 2});
    store.put(renewed);
    return Response.json(renewed);
  }]);
  store.put(whole());
  const seen = await follow(await ask(`/${id}/events`));
  await pass(15_000);
  assert.deepEqual(asked(), []);
  await pass(1000);
  assert.deepEqual(asked(), ['GET ID']);
  await pass(15_000);
  assert.deepEqual([asked(), seen.jobs.map((j) => j.version)], [['GET ID'], [1, 2]]);
});

test('a Redis that missed the end for ever hides it no longer than maxAgeMs', async (t) => {
  const {store, ask, asked} = open(t, [json(whole({version: 2})), sse([event(whole({version: 3}))])]);
  store.put(whole());
  const seen = await follow(await ask(`/${id}/events`));
  await pass(17_000); // no renewal arrives
  assert.deepEqual([asked(), seen.jobs.at(-1).version], [['GET ID', 'GET ID/events'], 3]);
  const later = open(t, [json(end())]);
  later.store.put(whole());
  await pass(16_000);
  assert.equal((await (await later.ask(`/${id}`)).json()).status, 'succeeded');
});

test('a job past its deadline, and one whose snapshot has no age, are asked for', async (t) => {
  const {store, ask, asked} = open(t, [json(end())]);
  store.put(whole({expires_at: '2026-11-24T11:59:59Z'}));
  assert.equal((await (await ask(`/${id}`)).json()).status, 'succeeded');
  for (const ttlMs of [-1, -2, 86_400_001, NaN]) {
    store.read = async () => ({value: whole(), ttlMs});
    assert.equal((await (await ask(`/${id}`)).json()).status, 'succeeded');
  }
  assert.equal(asked().length, 5);
  store.read = async () => ({value: end(), ttlMs: -1});
  assert.equal((await (await ask(`/${id}`)).json()).status, 'succeeded');
  assert.equal(asked().length, 5, 'an end is final, whatever its age');
});

for (const [name, value] of Object.entries({
  'text that is no JSON': '{"id', 'null': 'null', 'a number': 7, 'another job': JSON.stringify(end({id: 'other'})),
  'a job without input': JSON.stringify(end({input: null})),
  'a job without metadata': JSON.stringify(end({metadata: null})), 'another tenant\'s job': JSON.stringify(end({tenant: 'other'})),
})) {
  test(`what Redis has is not believed if it is ${name}`, async (t) => {
    const {store, ask, asked} = open(t, [refusal(404)]);
    store.read = async () => ({value, ttlMs: 86_400_000});
    assert.equal((await ask(`/${id}`)).status, 404);
    assert.deepEqual(asked(), ['GET ID']);
  });
}

test('a Redis that hangs is waited for one second, left alone for two, and told of once', async (t) => {
  const {store, ask, asked, errors} = open(t, [json(whole())]);
  const signals = [];
  store.read = (_, signal) => {
    signals.push(signal);
    return new Promise(() => undefined);
  };
  const first = ask(`/${id}`);
  await pass(1000);
  assert.equal((await first).status, 200);
  assert.ok(signals[0].aborted);
  assert.equal((await ask(`/${id}`)).status, 200);
  assert.equal(signals.length, 1);
  await pass(2000);
  const later = ask(`/${id}`);
  await pass(1000);
  assert.equal((await later).status, 200);
  assert.deepEqual([signals.length, asked().length, errors.length], [2, 3, 1]);
});

test('an error of Redis is told without the command, which may hold a password', async (t) => {
  const told = [];
  const {store, ask} = open(t, [json(whole())], {onError: (error) => told.push(error)});
  store.read = async () => {
    throw Object.assign(new Error('WRONGPASS'), {command: {name: 'auth', args: ['hunter2']}});
  };
  await ask(`/${id}`);
  assert.match(told[0].message, /WRONGPASS/);
  assert.doesNotMatch(JSON.stringify(told[0], Object.getOwnPropertyNames(told[0])), /hunter2/);
});

test('an error of Upstash is told without its token', async (t) => {
  const fetch = async (url, {headers}) => {
    throw new TypeError('fetch failed', {cause: new Error(`headers: ${JSON.stringify(headers)}`)});
  };
  const {ask, errors} = open(t, [json(whole())], {snapshots: upstash({url: 'http://redis.test', token: 'hunter2', fetch})});
  await ask(`/${id}`);
  assert.match(errors[0], /fetch failed: headers: .*\*\*\*/);
  assert.doesNotMatch(errors[0], /hunter2/);
});

test('Upstash that answers without results is as one that fails', async (t) => {
  for (const answer of [
    json({error: 'WRONGPASS'}, 401), json([{error: 'NOPERM'}, {result: null}]), json([{result: 1}]), json([]), json(null), json({}),
    json([{result: '7'}, {result: null}]), () => new Response('<html>', {status: 200}), () => new Response(null, {status: 302}),
  ]) {
    const {fetch} = answering(answer);
    const {ask, errors, asked} = open(t, [json(whole())], {snapshots: upstash({url: 'http://redis.test', token: 'hunter2', fetch})});
    assert.equal((await ask(`/${id}`)).status, 200);
    assert.deepEqual([errors.length, asked()], [1, ['GET ID']]);
  }
  assert.throws(() => upstash({url: 'redis://redis.test', token: 'hunter2'}), /UPSTASH_REDIS_REST_URL/);
});

test('all streams of a job share one loop, and a closed one leaves it to the others', async (t) => {
  const {store, ask} = open(t, [broken], {maxStreams: 100});
  store.put(whole());
  const answers = await Promise.all(Array.from({length: 100}, () => ask(`/${id}/events`)));
  await settle();
  const opened = store.reads;
  await pass(3000);
  assert.equal(store.reads - opened, 3);
  await Promise.all(answers.slice(1).map(({body}) => body.cancel()));
  await pass(2000);
  assert.equal(store.reads - opened, 5);
  await answers[0].body.cancel();
  await pass(10_000);
  assert.equal(store.reads - opened, 5);
});

test('a page that comes with a newer job than the loop has shows it once, and has the others show it', async (t) => {
  const {store, ask} = open(t, [broken]);
  store.put(whole());
  const first = await follow(await ask(`/${id}/events`));
  store.put(whole({version: 2}));
  const second = await follow(await ask(`/${id}/events`));
  assert.deepEqual([first.jobs.map((j) => j.version), second.jobs.map((j) => j.version)], [[1, 2], [2]]);
  await pass(1000);
  assert.deepEqual([first.jobs.length, second.jobs.length], [2, 1]);
});

test('a closed tab ends its stream and its loop at once, by the signal of its request', async (t) => {
  const {store, ask} = open(t, [broken]);
  store.put(whole());
  const tab = new AbortController();
  const seen = await follow(await ask(`/${id}/events`, {signal: tab.signal}));
  tab.abort();
  await settle();
  assert.ok(!seen.isOpen);
  const {reads} = store;
  await pass(10_000);
  assert.equal(store.reads, reads);
});

test('a stream of whose tab nothing is heard ends after streamMs, with comments meanwhile', async (t) => {
  const {store, ask} = open(t, [broken], {maxAgeMs: 3_600_000});
  store.put(whole());
  const text = (await ask(`/${id}/events`)).text();
  await pass(54_500);
  const {reads} = store;
  await pass(1000);
  assert.equal((await text).match(/^: still here$/gm).length, 3);
  await pass(10_000);
  assert.ok(store.reads <= reads + 1);
});

test('a page that does not read gets the latest change only, and the end', async (t) => {
  const {store, ask} = open(t, [broken], {streamMs: 600_000, maxAgeMs: 3_600_000});
  store.put(whole());
  const answer = await ask(`/${id}/events`);
  await pass(1000);
  for (let version = 2; version < 50; version++) {
    store.put(whole({version}));
    await pass(1000);
  }
  store.put(end({version: 50}));
  await pass(1000);
  const {jobs, isOpen} = await follow(answer);
  assert.ok(jobs.length <= 4, `${jobs.length} events were kept`);
  assert.deepEqual([jobs.at(-1).version, isOpen], [50, false]);
});

test('a job that is removed ends its stream', async (t) => {
  const {store, ask, asked, errors} = open(t, [refusal(404)]);
  store.put(whole());
  const seen = await follow(await ask(`/${id}/events`));
  store.remove(whole());
  await pass(1000);
  assert.deepEqual([seen.isOpen, asked(), errors], [false, ['GET ID'], []]);
});

test('a stream outlasts Redis and a service that does not answer', async (t) => {
  const {store, ask, errors} = open(t, [broken, broken, broken, sse([event(end())])]);
  store.put(whole());
  const seen = await follow(await ask(`/${id}/events`));
  store.read = async () => {
    throw new Error('gone');
  };
  await pass(30_000);
  assert.deepEqual([seen.isOpen, seen.jobs.at(-1).status], [false, 'succeeded']);
  assert.deepEqual(errors.map((e) => e.replace(/:.*/, '')), ['the snapshots in Redis cannot be read, so the service is asked', `GET /api/jobs/${id}`]);
});

test('without Redis a stream follows the service, as one watch for all', async (t) => {
  const stream = sse([event(whole({version: 2})), event(end())]);
  let begin;
  const both = new Promise((resolve) => {
    begin = resolve;
  });
  const {ask, asked} = open(t, [(init) => (init.headers.Accept ? both.then(() => stream(init)) : Response.json(whole()))], {snapshots: null});
  const [one, two] = await Promise.all([follow(await ask(`/${id}/events`)), follow(await ask(`/${id}/events`))]);
  begin();
  await pass(1000);
  assert.deepEqual([one.jobs.map((j) => j.version), two.jobs.at(-1).version, one.isOpen, two.isOpen], [[1, 2, 9], 9, false, false]);
  assert.deepEqual(asked().sort(), ['GET ID', 'GET ID', 'GET ID/events']);
});

test('many who ask for one job at once make one request of the service', async (t) => {
  const {ask, asked} = open(t, [json(end())]);
  const answers = await Promise.all(Array.from({length: 20}, () => ask(`/${id}`)));
  assert.ok(answers.every(({status}) => status === 200));
  assert.deepEqual(asked(), ['GET ID']);
});

test('no snapshot is believed before the tenant of the API key is known', async (t) => {
  const {store, ask, asked} = open(t, [refusal(404), json(end())], {tenant: undefined});
  store.put(end({tenant: 'other'}));
  assert.equal((await ask(`/${id}`)).status, 404);
  store.put(end());
  assert.equal((await ask(`/${id}`)).status, 200);
  assert.equal((await ask(`/${id}`)).status, 200);
  assert.deepEqual(asked(), ['GET ID', 'GET ID']);
});

test('a service that is silent is given up, and may be asked again', async (t) => {
  const {ask} = open(t, [silent]);
  const answer = ask(`/${id}`);
  await pass(30_000);
  const {status, headers} = await answer;
  assert.deepEqual([status, headers.get('retry-after')], [503, '2']);
});

// openMany opens streams of a job for a user, and returns the answers.
const openMany = (ask, n, user = 'ann') => Promise.all(Array.from({length: n}, () => ask(`/${id}/events`, {headers: {user}})));

// byHeader grants what it says to the user that a request names.
const byHeader = {authorize: (request) => ({user: request.headers.get('user')})};

test('a user has so many streams at once, also while they open, and may have others in their place', async (t) => {
  const {store, ask, asked, errors} = open(t, [broken], {...byHeader, maxStreams: 3, maxAgeMs: 3_600_000});
  store.put(whole());
  const answers = await openMany(ask, 100);
  const [refused] = answers.filter(({status}) => status !== 200);
  assert.deepEqual([answers.filter(({status}) => status === 200).length, refused.status, refused.headers.get('retry-after')], [3, 429, '15']);
  assert.equal((await refused.json()).code, 'too_many_streams');
  assert.equal(store.reads, 3, 'a refusal reads nothing');
  assert.deepEqual([asked(), errors], [[], []]);
  assert.equal((await ask(`/${id}`, {headers: {user: 'ann'}})).status, 200, 'a page that polls is answered');
  const tab = new AbortController();
  await answers[0].body.cancel();
  const next = await ask(`/${id}/events`, {headers: {user: 'ann'}, signal: tab.signal});
  assert.deepEqual([next.status, (await ask(`/${id}/events`, {headers: {user: 'ann'}})).status], [200, 429]);
  tab.abort();
  assert.deepEqual((await openMany(ask, 2)).map(({status}) => status), [200, 429]);
  await pass(55_000);
  assert.deepEqual((await openMany(ask, 4)).map(({status}) => status), [200, 200, 200, 429]);
});

test('what has no stream in the end takes no place of one, and neither does another user', async (t) => {
  const {store, ask} = open(t, [refusal(404)], {...byHeader, maxStreams: 1});
  assert.equal((await openMany(ask, 1))[0].status, 404);
  store.put(whole());
  assert.equal((await openMany(ask, 1, 'bob'))[0].status, 404);
  store.put(end());
  assert.equal((await ask(`/${id}/events`, {headers: {user: 'ann', 'Last-Event-ID': '9'}})).status, 204);
  await follow((await openMany(ask, 1))[0]);
  store.put(whole());
  assert.deepEqual((await openMany(ask, 2)).map(({status}) => status), [200, 429]);
  store.put(whole({metadata: {user: 'bob'}}));
  assert.deepEqual((await openMany(ask, 2, 'bob')).map(({status}) => status), [200, 429]);
});

test('a HEAD of a stream takes no place of one', async (t) => {
  const store = storing();
  useClock(t);
  store.put(whole());
  const route = createRouteHandler({
    client: {baseUrl: 'http://service.test', apiKey: 'secret-key'}, snapshots: store, tenant: 'web', maxStreams: 1, ...byHeader,
  });
  const headers = {user: 'ann'};
  assert.equal((await call(route, 'HEAD', `/${id}/events`, {headers})).status, 200);
  const answer = await call(route, 'GET', `/${id}/events`, {headers});
  assert.equal(answer.status, 200);
  await answer.body.cancel();
});

test('a user has 16 streams at once unless the app says otherwise', async (t) => {
  const {store, ask} = open(t, [broken], byHeader);
  store.put(whole());
  assert.equal((await openMany(ask, 20)).filter(({status}) => status === 200).length, 16);
});
