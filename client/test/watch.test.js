// A watch gives the versions of a job, by whatever way gets through.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {AbortError, ConnectionError, createClient, hasEnded} from 'ai-worker-client';

import {answering, broken, event, job, json, refusal, silent, stream} from './answers.js';
import {run, settle, start, useClock} from './clock.js';

const watchOf = (fetch, options) => createClient({baseUrl: 'https://api.test', fetch, maxRetries: 1}).jobs.watch('j1', options);
const versions = [1, 2, 3].map((version) => job({version, status: version === 3 ? 'succeeded' : 'processing'}));

// collect returns the versions that a watch gives.
async function collect(watch) {
  const got = [];
  for await (const {version} of watch) {
    got.push(version);
  }
  return got;
}

const isStream = (request) => request.url.endsWith('/events');

test('it gives each version once, and ends with the job', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(stream([event(versions[0]) + event(versions[0]), event(versions[1]), event(versions[0]), event(versions[2])]));
  assert.deepEqual(await run(collect(watchOf(fetch))), [1, 2, 3]);
  assert.equal(requests.length, 1);
  assert.equal(requests[0].headers['Last-Event-ID'], '0');
});

test('a stream that ends or breaks goes on behind the last event, after the time that the service names', async (t) => {
  useClock(t);
  mock.method(Math, 'random', () => 0.5);
  const {fetch, requests} = answering(
    stream([`retry: 3000\n\n${event(versions[0])}`], {end: true}), broken, stream([event(versions[1]).slice(0, -2)], {end: true}),
    stream([event(versions[1]), event(versions[2])]));
  assert.deepEqual(await run(collect(watchOf(fetch)), 100), [1, 2, 3]);
  assert.deepEqual(requests.map((r) => r.headers['Last-Event-ID']).slice(0, 3), ['0', '1', '1']);
  assert.equal(requests[1].at - requests[0].at, 3000);
});

test('pauses double from 100 ms to 5 s, half of it more or less', async (t) => {
  for (const [random, want] of [[0, [50, 100]], [1, [150, 300]]]) {
    useClock(t);
    mock.method(Math, 'random', () => random);
    const {fetch, requests} = answering(broken, broken, stream([event(versions[2])]));
    await run(collect(watchOf(fetch)), 10);
    assert.deepEqual(requests.slice(1).map((r, i) => r.at - requests[i].at), want);
    mock.timers.reset();
  }
});

for (const status of [400, 401, 403, 404, 409, 410, 422]) {
  test(`${status} ends it, and its error has the job`, async (t) => {
    useClock(t);
    const {fetch, requests} = answering(stream([event(versions[0])], {end: true}), refusal(status));
    const error = await run(collect(watchOf(fetch))).catch((e) => e);
    assert.deepEqual([error.status, error.jobId, requests.length], [status, 'j1', 2]);
  });
}

test('204 says that there is nothing more: the job is read once', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(() => new Response(null, {status: 204}), json(versions[2]));
  const got = await run(createClient({baseUrl: 'https://api.test', fetch}).jobs.wait('j1', {after: versions[2]}));
  assert.deepEqual([got.version, requests.length, requests[0].headers['Last-Event-ID']], [3, 2, '3']);
});

for (const [name, answers] of Object.entries({
  'is no stream': [stream(['{}'], {type: 'application/json'})],
  'is refused by what is in between': [refusal(405)],
  'is collected by what is in between': [stream([])],
  'never comes': [silent],
  'breaks off three times': [broken, broken, stream([': only this\n'], {end: true})],
})) {
  test(`where the stream ${name}, the job is polled`, async (t) => {
    useClock(t);
    const etag = (version) => ({ETag: `W/"${version}"`});
    const {fetch, requests} = answering(
      ...answers, json(versions[0], 200, etag(1)), () => new Response(null, {status: 304, headers: etag(1)}), refusal(503),
      json(versions[2], 200, etag(3)));
    assert.deepEqual(await run(collect(watchOf(fetch))), [1, 3]);
    const polls = requests.slice(answers.length);
    assert.ok(requests.slice(0, answers.length).every(isStream) && !polls.some(isStream));
    assert.deepEqual(polls.map((r) => r.headers.Prefer), Array(4).fill('wait=25'));
    assert.deepEqual(polls.map((r) => r.headers['If-None-Match']), [undefined, 'W/"1"', 'W/"1"', 'W/"1"']);
    assert.equal(polls[1].at - polls[0].at, 2000, 'an answer that comes at once is not asked for at once');
  });
}

test('a stream that was heard and falls silent for 45 s is opened again', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(stream([event(versions[0])]), stream([event(versions[2])]));
  assert.deepEqual(await run(collect(watchOf(fetch))), [1, 3]);
  assert.ok(requests[1].at - requests[0].at >= 45_000 && isStream(requests[1]));
});

test('a stream stays open for as long as there are comments', async (t) => {
  useClock(t);
  const encode = (text) => new TextEncoder().encode(text);
  const {fetch, requests} = answering(() => new Response(new ReadableStream({
    start(controller) {
      for (let seconds = 30; seconds < 300; seconds += 30) {
        setTimeout(() => controller.enqueue(encode(': still here\n\n')), seconds * 1000);
      }
      setTimeout(() => controller.enqueue(encode(event(versions[2]))), 300_000);
    },
  }), {headers: {'Content-Type': 'text/event-stream'}}));
  assert.deepEqual(await run(collect(watchOf(fetch))), [3]);
  assert.equal(requests.length, 1);
});

test('Retry-After is honoured', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(refusal(503, {}, {'Retry-After': '20'}), stream([event(versions[2])]));
  await run(collect(watchOf(fetch)));
  assert.equal(requests[1].at - requests[0].at, 20_000);
});

test('a service that is gone for minutes ends it', async (t) => {
  useClock(t);
  const {fetch} = answering(broken);
  await assert.rejects(run(collect(watchOf(fetch))), ConnectionError);
  assert.ok(Date.now() - start > 120_000, `${Date.now() - start}`);
});

test('failures count from the last answer, even one without news', async (t) => {
  useClock(t);
  const unchanged = () => new Response(null, {status: 304});
  const {fetch} = answering(refusal(405), ...Array(40).fill([broken, broken, unchanged]).flat(), json(versions[2]));
  assert.deepEqual(await run(collect(watchOf(fetch))), [3]);
});

test('a job whose versions went back still ends', async (t) => {
  useClock(t);
  const {fetch} = answering(stream([event(job({version: 9, status: 'processing'})), event(versions[2])]));
  assert.deepEqual(await run(collect(watchOf(fetch))), [9, 3]);
});

for (const status of ['succeeded', 'partial', 'failed', 'canceled', 'a-status-of-next-year']) {
  test(`a wait ends with ${status}`, async (t) => {
    useClock(t);
    const {fetch} = answering(stream([event(versions[0]), event(job({version: 2, status}))]));
    const seen = [];
    const got = await run(createClient({baseUrl: 'https://api.test', fetch}).jobs.wait('j1', {onUpdate: (j) => seen.push(j.version)}));
    assert.deepEqual([got.status, hasEnded(got), seen], [status, true, [1, 2]]);
  });
}

test('an abort ends it at once, and closes the connection', async () => {
  const caller = new AbortController();
  const {fetch, requests} = answering(stream([event(versions[0])]));
  const got = collect(watchOf(fetch, {signal: caller.signal})).catch((e) => e);
  await settle();
  caller.abort();
  const error = await got;
  assert.ok(error instanceof AbortError);
  assert.deepEqual([error.jobId, requests[0].signal.aborted], ['j1', true]);
});

test('who leaves the loop closes the connection, and leaves no timer', async (t) => {
  useClock(t);
  let isClosed = false;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(event(versions[0]))),
    cancel: () => {
      isClosed = true;
    },
  });
  const fetch = async () => new Response(body, {headers: {'Content-Type': 'text/event-stream'}});
  for await (const _ of watchOf(fetch)) {
    break;
  }
  assert.ok(isClosed);
});
