// A request is sent again while that may help, as the same request.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {
  AbortError, AiWorkerError, AuthenticationError, ConflictError, ConnectionError, createClient, InvalidRequestError, NotFoundError,
  RateLimitError, ServiceError, TimeoutError, UsageError,
} from 'ai-worker-client';

import {answering, broken, cut, job, json, refusal, silent} from './answers.js';
import {run, settle, start, useClock} from './clock.js';

const apiKey = 'a-key-that-must-not-be-seen';
const accepted = json(job(), 202);
const client = (fetch, more) => createClient({baseUrl: 'https://api.test/', apiKey, fetch, ...more});

for (const [name, answer] of Object.entries({
  'no connection': broken, 'a body that breaks off': cut, 'an answer that is no JSON': () => new Response('<html>'),
  ...Object.fromEntries([408, 429, 500, 502, 503, 504].map((status) => [status, refusal(status)])),
})) {
  test(`after ${name} the same request is sent again`, async (t) => {
    useClock(t);
    const {fetch, requests} = answering(answer, answer, accepted);
    assert.equal((await run(client(fetch).generateImages({prompt: 'p', count: 2}))).id, 'j1');
    assert.equal(requests.length, 3);
    const keys = new Set(requests.map((r) => r.headers['Idempotency-Key']));
    assert.equal(keys.size, 1);
    assert.match([...keys][0], /^[0-9a-f-]{36}$/);
    assert.deepEqual(new Set(requests.map((r) => r.body)), new Set(['{"prompt":"p","count":2}']));
  });
}

test('the body is frozen when the call begins', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(broken, accepted);
  const input = {prompt: 'before'};
  const call = client(fetch).generateImages(input);
  input.prompt = 'after';
  await run(call);
  assert.deepEqual(requests.map((r) => JSON.parse(r.body).prompt), ['before', 'before']);
});

for (const [status, Class] of [
  [400, InvalidRequestError], [401, AuthenticationError], [403, AuthenticationError], [404, NotFoundError], [409, ConflictError],
  [410, NotFoundError], [413, InvalidRequestError], [422, InvalidRequestError], [302, ServiceError], [501, ServiceError],
]) {
  test(`${status} is final`, async (t) => {
    useClock(t);
    const {fetch, requests} = answering(refusal(status));
    await assert.rejects(run(client(fetch).generateImages({prompt: 'p'})), Class);
    assert.equal(requests.length, 1);
  });
}

test('pauses double up to 8 s, any part of them, and there is a last try', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(broken);
  await assert.rejects(run(client(fetch, {maxRetries: 6}).jobs.get('j1'), 100), ConnectionError);
  const pauses = requests.slice(1).map((r, i) => r.at - requests[i].at);
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 8000]);
  mock.method(Math, 'random', () => 0);
  const second = answering(broken, accepted);
  await run(client(second.fetch).jobs.get('j1'), 1);
  assert.ok(second.requests[1].at - second.requests[0].at <= 1);
});

for (const [name, headers] of Object.entries({
  seconds: {'Retry-After': '7'},
  'a date': {'Retry-After': new Date(start + 7000).toUTCString()},
  'a date of a clock that is an hour fast': {'Retry-After': new Date(start + 3_607_000).toUTCString(), Date: new Date(start + 3_600_000).toUTCString()},
})) {
  test(`Retry-After in ${name} is honoured`, async (t) => {
    useClock(t);
    mock.method(Math, 'random', () => 0);
    const {fetch, requests} = answering(refusal(429, {}, headers), accepted);
    await run(client(fetch).generateImages({prompt: 'p'}), 100);
    assert.equal(requests[1].at - requests[0].at, 7000);
  });
}

test('a Retry-After beyond the time of the call ends it at once, and is told', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(refusal(429, {}, {'Retry-After': '600'}));
  const error = await run(client(fetch).generateImages({prompt: 'p'})).catch((e) => e);
  assert.ok(error instanceof RateLimitError);
  assert.deepEqual([error.retryAfter, error.code, error.status, Date.now() - start, requests.length], [600, 'too_many_requests', 429, 0, 1]);
  assert.equal(error.idempotencyKey, requests[0].headers['Idempotency-Key']);
});

test('an answer that does not come in a minute is asked for again', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(silent, accepted);
  await run(client(fetch).generateImages({prompt: 'p'}));
  assert.equal(requests.length, 2);
});

for (const [name, call, Class] of [
  ['timeoutMs of the call', (c) => c.generateImages({prompt: 'p'}, {timeoutMs: 5000}), TimeoutError],
  ['timeoutMs of the client', (c) => c.generateImages({prompt: 'p'}), TimeoutError],
]) {
  test(`${name} is not tried again, and its error has the key`, async (t) => {
    useClock(t);
    const {fetch, requests} = answering(silent);
    const error = await run(call(client(fetch, {timeoutMs: 5000}))).catch((e) => e);
    assert.ok(error instanceof Class, String(error));
    assert.equal(error.idempotencyKey, requests[0].headers['Idempotency-Key']);
    assert.deepEqual([requests.length, Date.now() - start], [1, 5000]);
  });
}

test("the caller's signal is not tried again", async () => {
  for (const [reason, Class] of [[undefined, AbortError], [new DOMException('late', 'TimeoutError'), TimeoutError]]) {
    const {fetch, requests} = answering(silent);
    const caller = new AbortController();
    const call = client(fetch).generateImages({prompt: 'p'}, {signal: caller.signal}).catch((e) => e);
    await settle();
    caller.abort(reason);
    const error = await call;
    assert.ok(error instanceof Class, String(error));
    assert.equal(error.cause, caller.signal.reason);
    assert.deepEqual([requests.length, error.idempotencyKey], [1, requests[0].headers['Idempotency-Key']]);
  }
  const {fetch, requests} = answering(accepted);
  await assert.rejects(client(fetch).jobs.get('j1', {signal: AbortSignal.abort()}), AbortError);
  assert.equal(requests.length, 0);
});

test('a wait that takes too long has the job, and the wait resumes', async (t) => {
  useClock(t);
  const {fetch} = answering(accepted, silent);
  const error = await run(client(fetch).generateImages({prompt: 'p'}, {wait: true, timeoutMs: 20_000, idempotencyKey: 'k1'})).catch((e) => e);
  assert.ok(error instanceof TimeoutError, String(error));
  assert.deepEqual([error.jobId, error.idempotencyKey, error.code], ['j1', 'k1', 'timeout']);
  assert.equal(Date.now() - start, 20_000);
});

test('a retry has one key, and a cancel is repeated as it is', async (t) => {
  useClock(t);
  const {fetch, requests} = answering(broken, accepted);
  await run(client(fetch).jobs.retry('j1'));
  assert.equal(new Set(requests.map((r) => r.headers['Idempotency-Key'])).size, 1);
  assert.ok(requests[0].headers['Idempotency-Key']);
  const second = answering(refusal(503), json(job({status: 'canceled'})));
  assert.equal((await run(client(second.fetch).jobs.cancel('j1'))).status, 'canceled');
});

test('a delete whose answer was lost finds nothing left; one that was not sent before does not', async (t) => {
  useClock(t);
  const done = answering(broken, refusal(404));
  assert.equal(await run(client(done.fetch).jobs.delete('j1')), undefined);
  await assert.rejects(run(client(answering(refusal(404)).fetch).jobs.delete('j1')), NotFoundError);
  assert.equal(await run(client(answering(() => new Response(null, {status: 204})).fetch).jobs.delete('j1')), undefined);
});

test('an error tells what the service said', async () => {
  const errors = [{location: 'body.prompt', message: 'must not be blank', value: ' '}];
  const {fetch} = answering(refusal(422, {detail: 'validation failed', errors}, {'X-Request-Id': 'r1'}));
  const error = await client(fetch).generateImages({prompt: ' '}).catch((e) => e);
  assert.deepEqual(
    {...error},
    {
      name: 'InvalidRequestError', code: 'invalid_request', status: 422, requestId: 'r1', fields: errors, retryAfter: undefined,
      idempotencyKey: error.idempotencyKey,
    },
  );
  assert.equal(error.message, 'POST /api/generate-images: 422 validation failed; body.prompt: must not be blank');
  const expired = await client(answering(refusal(401, {code: 'token_expired'})).fetch).jobs.get('j1').catch((e) => e);
  assert.equal(expired.code, 'token_expired');
});

test('no error shows the API key', async (t) => {
  useClock(t);
  const {inspect} = await import('node:util');
  const shows = (value) => inspect(value, {depth: 9, showHidden: true}).includes(apiKey);
  const telling = answering(refusal(422, {detail: `bad ${apiKey}`, errors: [{location: 'x', message: apiKey, value: apiKey}]}));
  const throwing = answering(() => {
    throw Object.assign(new TypeError(`bad header ${apiKey}`), {headers: {Authorization: apiKey}});
  });
  for (const {fetch} of [telling, throwing, answering(broken)]) {
    const error = await run(client(fetch).jobs.get('j1')).catch((e) => e);
    assert.ok(error instanceof AiWorkerError);
    assert.equal(shows(error), false, inspect(error));
  }
  assert.equal(shows(client(telling.fetch)), false);
  assert.throws(() => createClient({baseUrl: 'https://api.test', apiKey: `${apiKey}\n`}), (error) => error instanceof UsageError && !shows(error));
});

test('a page gets no API key, and may have a token', (t) => {
  globalThis.window = {};
  t.after(() => delete globalThis.window);
  assert.throws(() => createClient({baseUrl: 'https://api.test', apiKey}), /must not reach a browser/);
  createClient({baseUrl: 'https://api.test', apiKey, dangerouslyAllowBrowser: true});
  createClient({baseUrl: 'https://api.test', token: 'a.b.c'});
});

test('what cannot work is said before anything is sent', async () => {
  const {fetch, requests} = answering(accepted);
  assert.throws(() => createClient({baseUrl: 'localhost:8080'}), UsageError);
  assert.throws(() => createClient({baseUrl: 'https://api.test', apiKey: ''}), UsageError);
  for (const call of [(j) => j.get(''), (j) => j.delete(''), (j) => j.wait('')]) {
    await assert.rejects(call(client(fetch).jobs), UsageError);
  }
  for (const idempotencyKey of ['', ' ', 'Münster\u{1f5bc}', 'a\nb', 'k'.repeat(256)]) {
    await assert.rejects(client(fetch).generateImages({prompt: 'p'}, {idempotencyKey}), UsageError);
    await assert.rejects(client(fetch).jobs.retry('j1', {idempotencyKey}), UsageError);
  }
  await assert.rejects(client(fetch).uploads.put(new Uint8Array(1)), UsageError);
  assert.equal(requests.length, 0);
});

test('an upload sends the same bytes again, to the bucket alone, without the key', async (t) => {
  useClock(t);
  const url = 'https://bucket.test/x?signature=secret';
  const ticket = json({id: 'u1', method: 'PUT', url, headers: {'Content-Type': 'image/png'}}, 201);
  const {fetch, requests} = answering(ticket, broken, () => new Response(null));
  const bytes = new Uint8Array([1, 2, 3]);
  const upload = client(fetch).uploads.put(bytes, {contentType: 'image/png'});
  bytes.fill(9);
  assert.equal((await run(upload)).id, 'u1');
  assert.deepEqual(requests.map((r) => [r.method, r.url, r.headers.Authorization]), [
    ['POST', 'https://api.test/api/uploads', `Bearer ${apiKey}`], ['PUT', url, undefined], ['PUT', url, undefined],
  ]);
  assert.deepEqual(JSON.parse(requests[0].body), {content_type: 'image/png', bytes: 3});
  for (const {body, headers} of requests.slice(1)) {
    assert.deepEqual([[...new Uint8Array(await body.arrayBuffer())], headers['Content-Type']], [[1, 2, 3], 'image/png']);
  }
  const expired = await run(client(answering(ticket, refusal(403)).fetch).uploads.put(bytes, {contentType: 'image/png'})).catch((e) => e);
  assert.equal(expired.message, 'PUT of the picture: 403 D', 'the address is a secret');
});

test('a list asks for its pages as it needs them', async () => {
  const page = (id, next_cursor) => json({jobs: [job({id})], next_cursor});
  const {fetch, requests} = answering(page('a', 'c1'), json({jobs: [], next_cursor: 'c2'}), page('b', null));
  const ids = [];
  const list = client(fetch).jobs.list({status: ['failed', 'partial'], q: 'a & b', metadata: {user: 7}, limit: 2});
  for await (const {id} of list) {
    ids.push(id);
  }
  assert.deepEqual(ids, ['a', 'b']);
  const query = 'q=a+%26+b&limit=2';
  assert.deepEqual(requests.map((r) => r.url.slice('https://api.test/api/jobs?'.length)), [
    `${query}&status=failed%2Cpartial&metadata.user=7`,
    `${query}&cursor=c1&status=failed%2Cpartial&metadata.user=7`,
    `${query}&cursor=c2&status=failed%2Cpartial&metadata.user=7`,
  ]);
  for await (const {jobs, next_cursor} of client(answering(page('a', 'c1')).fetch).jobs.list().pages()) {
    assert.deepEqual([jobs.length, next_cursor], [1, 'c1']);
    break; // what is not needed is not asked for
  }
});
