// What a route lets nobody do, and what it says then. What is sent to the
// service is looked at, and no real service is asked.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {createRouteHandler} from 'ai-worker-client/next';

import {answering, broken, cut, json, refusal} from './answers.js';
import {run, settle, useClock} from './clock.js';
import {id, whole} from './jobs.js';
import {call, request} from './route.js';

const secrets = /secret-key|service\.test|hunter2/;

// open returns a route over a service of answers, and what is asked of it.
function open(grant = {user: 'ann'}, answers = [json(whole())], options = {}) {
  const {fetch, requests} = answering(...answers);
  const errors = [];
  const route = createRouteHandler({
    client: {baseUrl: 'http://service.test', apiKey: 'secret-key', fetch, maxRetries: 0}, snapshots: null,
    authorize: () => grant, onError: (error) => errors.push(error), ...options,
  });
  const ask = (method, path, more) => call(route, method, path, more);
  return {route, ask, errors, requests, post: (body, more) => ask('POST', '', {body, ...more})};
}

// problem returns what a refusal says, and checks its form.
async function problem(answer) {
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const said = await answer.json();
  assert.equal(said.status, answer.status);
  assert.ok(said.title && said.detail && said.code, JSON.stringify(said));
  assert.doesNotMatch(JSON.stringify(said), secrets);
  return {...said, at: said.errors?.map((e) => e.location)};
}

test('options that cannot work are refused when the module is loaded', () => {
  const authorize = () => null;
  for (const [options, message] of [
    [undefined, /authorize/], [{}, /authorize/], [{authorize: true}, /authorize/], [{authorize, pollMs: 0}, /pollMs/],
    [{authorize, maxAgeMs: Infinity}, /maxAgeMs/], [{authorize, streamMs: '5'.repeat(400)}, /streamMs/], [{authorize, maxStreams: 0}, /maxStreams/],
    [{authorize, allowedOrigins: ['www.example.com']}, /www\.example\.com/], [{authorize, allowedOrigins: ['null']}, /null/],
  ]) {
    assert.throws(() => createRouteHandler(options), message);
  }
});

test('a body that is nested deeper than any that means something is refused, and asks the service nothing', async () => {
  for (const path of ['', '/quote', '/uploads']) {
    const {ask, errors, requests} = open({user: 'ann', inputImages: true});
    const answer = await ask('POST', path, {body: `{"prompt":${'['.repeat(30_000)}${']'.repeat(30_000)}}`});
    const {status, at} = await problem(answer);
    assert.deepEqual([status, at, errors, requests.length], [422, ['body'], [], 0]);
  }
});

test('who is granted nothing gets 401, or the app\'s own answer', async () => {
  for (const nothing of [null, undefined]) {
    const {ask, requests} = open(nothing === undefined ? undefined : nothing, undefined, {authorize: () => nothing});
    for (const [method, path] of [['GET', ''], ['POST', ''], ['GET', `/${id}`], ['DELETE', `/${id}`], ['GET', `/${id}/events`], ['POST', '/quote'], ['POST', '/uploads']]) {
      assert.equal((await problem(await ask(method, path))).code, 'unauthorized');
    }
    assert.equal(requests.length, 0);
  }
  const own = await open(new Response('sign in', {status: 402})).ask('GET', '');
  assert.deepEqual([own.status, await own.text()], [402, 'sign in']);
});

test('an authorize that fails, hangs or reads the body refuses, and the app is told', async (t) => {
  useClock(t);
  const failing = open(null, [], {authorize: async () => {
    throw new Error('hunter2 is the password of the database');
  }});
  assert.equal((await problem(await failing.ask('GET', ''))).status, 500);
  assert.match(failing.errors[0].message, /hunter2/);
  const hanging = open(null, [], {authorize: () => new Promise(() => undefined)});
  assert.equal((await problem(await run(hanging.ask('GET', '')))).status, 500);
  assert.match(hanging.errors[0].message, /authorize did not answer within 10000 ms/);
  const reading = open(null, [], {authorize: async (asked) => ({user: (await asked.json()).prompt})});
  assert.equal((await problem(await reading.post({prompt: 'p'}))).code, 'service_misconfigured');
  assert.match(reading.errors[0].message, /request\.clone\(\)/);
  const deaf = open(null, [], {authorize: () => 1 / undefined.x, onError: () => {
    throw new Error('the log is full');
  }});
  assert.equal((await problem(await deaf.ask('GET', ''))).status, 500);
});

test('what Next.js throws through handlers goes through', async () => {
  const redirect = Object.assign(new Error('NEXT_REDIRECT'), {digest: 'NEXT_REDIRECT;replace;/login;307;'});
  await assert.rejects(open(null, [], {authorize: () => {
    throw redirect;
  }}).ask('GET', ''), redirect);
});

test('a grant for nobody in particular is refused', async () => {
  for (const user of [undefined, '', 7, 'é'.repeat(129), 'a\0', '\ud800', 'x\udc00y']) {
    const {ask, errors, requests} = open({user});
    assert.equal((await problem(await ask('GET', ''))).code, 'service_misconfigured');
    assert.match(errors[0].message, /a user whose id/);
    assert.equal(requests.length, 0);
  }
  const crowded = open({user: 'ann', metadata: Object.fromEntries(Array.from({length: 20}, (_, i) => [i, i]))});
  assert.equal((await problem(await crowded.post({prompt: 'p'}))).status, 500);
});

test('the settings of the environment that are missing are named in the log, and nowhere else', async (t) => {
  const names = ['AI_WORKER_URL', 'AI_WORKER_KEY', 'KV_REST_API_URL', 'KV_REST_API_TOKEN'];
  const kept = {...process.env};
  t.after(() => names.forEach((name) => (kept[name] === undefined ? delete process.env[name] : (process.env[name] = kept[name]))));
  names.forEach((name) => delete process.env[name]);
  const log = t.mock.method(console, 'error', () => undefined);
  const route = createRouteHandler({authorize: () => ({user: 'ann'})});
  for (const [name, value] of [['AI_WORKER_URL', 'http://service.test'], ['AI_WORKER_KEY', 'secret-key']]) {
    assert.doesNotMatch((await problem(await call(route, 'GET', `/${id}`))).detail, /AI_WORKER/);
    assert.match(String(log.mock.calls.at(-1).arguments), new RegExp(`GET /api/images/${id}:.*${name} is not set`));
    process.env[name] = value;
  }
  process.env.KV_REST_API_URL = 'http://redis.test/';
  process.env.KV_REST_API_TOKEN = 'hunter2';
  const {fetch, requests} = answering(json(whole()), json([{result: 86_400_000}, {result: JSON.stringify(whole({status: 'succeeded'}))}]));
  t.mock.method(globalThis, 'fetch', fetch);
  assert.equal((await call(route, 'GET', `/${id}`)).status, 200);
  assert.equal((await call(route, 'GET', `/${id}`)).status, 200);
  assert.deepEqual(requests.map(({url, cache, headers}) => [url, cache, headers.Authorization]), [
    [`http://service.test/api/jobs/${id}`, 'no-store', 'Bearer secret-key'], ['http://redis.test/pipeline', 'no-store', 'Bearer hunter2'],
  ]);
});

test('fields that are not granted are refused, in their exact case and once', async () => {
  const refused = [
    [{user: 'ann'}, {prompt: 'p', model: 'banana'}, ['body.model']],
    [{user: 'ann', models: []}, {prompt: 'p', model: 'banana'}, ['body.model']],
    [{user: 'ann', models: ['banana']}, {prompt: 'p', model: 'Banana'}, ['body.model']],
    [{user: 'ann', models: ['banana']}, {prompt: 'p', model: ['banana']}, ['body.model']],
    [{user: 'ann', models: ['banana']}, {prompt: 'p', model: null}, ['body.model']],
    [{user: 'ann'}, {prompt: 'p', image_size: '4K'}, ['body.image_size']],
    [{user: 'ann', imageSizes: ['1K']}, {prompt: 'p', image_size: '4K'}, ['body.image_size']],
    [{user: 'ann', aspectRatios: ['1:1']}, {prompt: 'p', aspect_ratio: '16:9'}, ['body.aspect_ratio']],
    ...[5, 0, -1, 1.5, '1', null, true, [1], 1e9].map((count) => [{user: 'ann'}, {prompt: 'p', count}, ['body.count']]),
    [{user: 'ann', maxCount: 1}, {prompt: 'p', count: 2}, ['body.count']],
    [{user: 'ann'}, {prompt: 'p', input_images: [id]}, ['body.input_images']],
    [{user: 'ann', inputImages: true}, {prompt: 'p', input_images: id}, ['body.input_images']],
    [{user: 'ann', inputImages: true}, {prompt: 'p', input_images: [id, 'https://10.0.0.1/', `data:image/png;base64,AA`, `${id}\n`, 7]},
      [1, 2, 3, 4].map((i) => `body.input_images[${i}]`)],
    ...['metadata', 'webhook', 'webhook_events', 'max_cost_usd', 'priority', 'expires_in', 'dry_run', 'Prompt', 'constructor', 'toString', ''].map(
      (name) => [{user: 'ann'}, {prompt: 'p', [name]: 'x'}, [`body.${name}`]]),
    [{user: 'ann'}, '{"prompt": "p", "__proto__": {"model": "x"}}', ['body.__proto__']],
    [{user: 'ann'}, '{"prompt": "p", "count": 1, "count": 4}', ['body.count']],
    [{user: 'ann'}, '{"prompt": "p", "\\u0063ount": 1, "count" : 4}', ['body.count']],
    [{user: 'ann'}, '[]', ['body']], [{user: 'ann'}, 'null', ['body']], [{user: 'ann'}, '"p"', ['body']],
  ];
  for (const [grant, body, at] of refused) {
    for (const path of ['', '/quote']) {
      const {ask, requests} = open(grant);
      const said = await problem(await ask('POST', path, {body}));
      assert.deepEqual([said.status, said.code, said.at], [422, 'invalid_request', at], JSON.stringify(body));
      assert.equal(requests.length, 0);
    }
  }
  const {post, requests} = open();
  assert.equal((await post('{"prompt": "\\"count\\": 1, {\\"count\\": [", "count": 1, "seed": 1}')).status, 202);
  assert.equal((await post('{"prompt": {"a": 1, "b": {"a": 2, "a": 3}}}')).status, 202, 'what is inside a field is for the service to refuse');
  assert.equal(requests.length, 2);
});

test('the service is asked for what the page wants and the grant adds', async () => {
  const grant = {
    user: 'Ünï 🦊"', models: ['a', 'b'], maxCount: 8, imageSizes: ['1K'], aspectRatios: ['1:1'], inputImages: true, maxCostUsd: 1.5,
    metadata: {user: 'bob', plan: 'pro'}, priority: 'low', expiresIn: 600, webhook: 'https://app.test/hook', webhookEvents: ['job.failed'],
  };
  const {post, ask, requests} = open(grant, [json(whole({metadata: {user: grant.user}})), json({jobs: [], next_cursor: null})]);
  await post({seed: 7, input_images: [id], image_size: '1K', aspect_ratio: '1:1', count: 8, prompt: '🦊'});
  assert.deepEqual(JSON.parse(requests[0].body), {
    prompt: '🦊', model: 'a', count: 8, aspect_ratio: '1:1', image_size: '1K', input_images: [id], seed: 7, metadata: {user: grant.user, plan: 'pro'},
    priority: 'low', expires_in: 600, max_cost_usd: 1.5, webhook: 'https://app.test/hook', webhook_events: ['job.failed'],
  });
  await ask('GET', '?metadata.user=bob&limit=5&_=1&status=failed&status=partial&cursor=c&q=%26');
  const asked = new URL(requests[1].url);
  assert.deepEqual(Object.fromEntries(asked.searchParams), {
    limit: '5', status: 'failed,partial', cursor: 'c', q: '&', 'metadata.user': grant.user,
  });
  assert.deepEqual((await problem(await ask('GET', '?limit=101'))).at, ['query.limit']);
});

test('a list shows the user\'s own jobs only, whatever the service has found', async () => {
  const jobs = [whole(), whole({metadata: {user: 'bob'}}), whole({metadata: {}}), whole({metadata: {user: ['ann']}})];
  const {ask} = open({user: 'ann'}, [json({jobs, next_cursor: 'n'})]);
  const page = await (await ask('GET')).json();
  assert.deepEqual([page.jobs.length, page.next_cursor], [1, 'n']);
});

test('an idempotency key is one of its user and of nobody else', async () => {
  const keys = [];
  for (const [user, key] of [['ann', 'k'], ['ann', 'k'], ['bob', 'k'], ['ann', 'l'], ['ann","k', ''], ['a', 'nnk']]) {
    const {post, requests} = open({user});
    const answer = await post({prompt: 'p'}, {headers: {'Idempotency-Key': key}});
    if (key === '') {
      assert.deepEqual((await problem(answer)).at, ['header.Idempotency-Key']);
      continue;
    }
    keys.push(requests[0].headers['Idempotency-Key']);
  }
  assert.equal(keys[0], keys[1]);
  assert.equal(new Set(keys).size, keys.length - 1);
  assert.match(keys[0], /^[0-9a-f]{64}$/);
  assert.equal((await open().post({prompt: 'p'}, {headers: {'Idempotency-Key': 'k'.repeat(256)}})).status, 422);
});

test('a page of another site changes nothing', async () => {
  const statusOf = async (headers, options) => {
    const {route} = open(undefined, undefined, options);
    const asked = request('POST', '', {body: {prompt: 'p'}});
    asked.headers.delete('sec-fetch-site');
    Object.entries(headers).forEach(([name, value]) => asked.headers.set(name, value));
    return (await route.POST(asked)).status;
  };
  const allowedOrigins = ['https://www.example.com/'];
  for (const [headers, status, options] of [
    [{'Sec-Fetch-Site': 'same-origin'}, 202], [{'Sec-Fetch-Site': 'none'}, 202], [{'Sec-Fetch-Site': 'cross-site'}, 403],
    [{'Sec-Fetch-Site': 'same-site'}, 403], [{'Sec-Fetch-Site': 'cross-site', Origin: 'http://app.test'}, 403],
    [{Origin: 'http://app.test'}, 202], [{Origin: 'https://evil.test'}, 403], [{Origin: 'null'}, 403], [{Origin: 'http://app.test.evil.test'}, 403],
    [{Origin: 'https://www.app.test', 'X-Forwarded-Host': 'www.app.test'}, 202], [{Origin: 'https://a.test', 'X-Forwarded-Host': 'a.test, b.test'}, 202], [{Origin: 'https://a.test', Host: 'A.test'}, 202],
    [{Origin: 'http://app.test', Host: 'internal'}, 403], [{}, 202],
    [{'Sec-Fetch-Site': 'cross-site', Origin: 'https://www.example.com'}, 202, {allowedOrigins}],
    [{'Sec-Fetch-Site': 'cross-site', Origin: 'https://example.com'}, 403, {allowedOrigins}],
  ]) {
    assert.equal(await statusOf(headers, options), status, JSON.stringify(headers));
  }
  for (const [method, path] of [['DELETE', `/${id}`], ['POST', `/${id}/cancel`], ['POST', `/${id}/retry`], ['POST', '/uploads'], ['POST', '/quote']]) {
    const {ask, requests} = open({user: 'ann', inputImages: true});
    assert.equal((await problem(await ask(method, path, {headers: {'Sec-Fetch-Site': 'cross-site'}}))).code, 'cross_site');
    assert.equal(requests.length, 0);
  }
});

// endless returns a body of blanks without an end, and how much of it was taken.
function endless() {
  const taken = {bytes: 0, isCanceled: false};
  const body = new ReadableStream({
    pull: (controller) => {
      controller.enqueue(new Uint8Array(1000).fill(32));
      taken.bytes += 1000;
    },
    cancel: () => {
      taken.isCanceled = true;
    },
  });
  return {body, taken};
}

test('a body is read to its bound and no further, whatever length it says it has', async () => {
  const fits = `{"prompt": "${'x'.repeat(1000)}"}`;
  const options = {maxBodyBytes: fits.length};
  assert.equal((await open(undefined, undefined, options).post(fits)).status, 202);
  assert.equal((await problem(await open(undefined, undefined, options).post(`${fits} `))).code, 'body_too_large');
  for (const headers of [{}, {'Content-Length': '10'}, {'Content-Length': 'x'}]) {
    const {body, taken} = endless();
    assert.equal((await problem(await open().post(body, {headers}))).status, 413);
    assert.ok(taken.bytes < 70_000 && taken.isCanceled, `${taken.bytes}`);
  }
  const {body, taken} = endless();
  assert.equal((await problem(await open().post(body, {headers: {'Content-Length': '65537'}}))).status, 413);
  assert.ok(taken.bytes <= 1000, 'a length that is declared is believed if it is too much');
});

test('a body that does not end, breaks off, or is no JSON of UTF-8 is refused', async (t) => {
  const post = async (body, headers) => (await problem(await open().post(body, {headers}))).status;
  assert.equal(await post('{"prompt": '), 400);
  assert.equal(await post(''), 400);
  assert.equal(await post(new ReadableStream({start: (c) => c.close()})), 400);
  assert.equal(await post(new ReadableStream({start: (c) => c.error(new Error('reset'))})), 400);
  assert.equal(await post(new ReadableStream({start: (c) => {
    c.enqueue(new Uint8Array([...Buffer.from('{"prompt": "'), 0xff, ...Buffer.from('"}')]));
    c.close();
  }})), 400);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'multipart/form-data; application/json', '']) {
    assert.equal(await post('{"prompt": "p"}', {'Content-Type': type}), 415, type);
  }
  assert.equal((await open().post('{"prompt": "p"}', {headers: {'Content-Type': 'Application/JSON; charset=utf-8'}})).status, 202);
  useClock(t);
  assert.equal((await run(open().post(new ReadableStream({})))).status, 408);
});

test('paths that are none, and ids that are none, reach neither the service nor Redis', async () => {
  for (const path of [
    '/x', '/constructor', '/__proto__', '/toString', '/quote/x', `/${id}/x`, `/${id}/__proto__`, `/${id}/constructor`, `/${id}/events/x`,
    `/${id.toUpperCase()}`, `/${id}:version`, `/${id}%0a`, `/%2e%2e%2f${id}`, `/..%2f${id}`, `/${id}%2fcancel`, `/%00${id}`, '/*',
  ]) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const read = mock.fn();
      const {ask, requests} = open(undefined, undefined, {snapshots: {read}, tenant: 'web'});
      assert.equal((await problem(await ask(method, path))).status, 404, `${method} ${path}`);
      assert.deepEqual([requests.length, read.mock.callCount()], [0, 0]);
    }
  }
});

test('methods are told by Allow, and HEAD is as GET without the body', async () => {
  const {ask, requests} = open();
  for (const [method, path, allow] of [
    ['DELETE', '', 'GET, HEAD, POST, OPTIONS'], ['PUT', `/${id}`, 'GET, HEAD, DELETE, OPTIONS'], ['GET', '/quote', 'POST, OPTIONS'],
    ['GET', `/${id}/cancel`, 'POST, OPTIONS'], ['POST', `/${id}/events`, 'GET, HEAD, OPTIONS'],
  ]) {
    const answer = await ask(method, path);
    assert.deepEqual([answer.status, answer.headers.get('allow'), (await problem(answer)).code], [405, allow, 'method_not_allowed']);
  }
  const options = await ask('OPTIONS', '');
  assert.deepEqual([options.status, options.headers.get('allow')], [204, 'GET, HEAD, POST, OPTIONS']);
  assert.equal(requests.length, 0);
  for (const path of [`/${id}`, `/${id}/events`]) {
    const head = await ask('HEAD', path);
    assert.deepEqual([head.status, head.body], [200, null]);
  }
  await settle();
  assert.ok(requests.every(({url}) => !url.endsWith('/events')), 'no stream is held for HEAD');
});

test('the path is what Next.js has matched, or what follows basePath', async () => {
  const {route, requests} = open(undefined, undefined, {basePath: '/draw/'});
  const at = (path) => new Request(`http://app.test${path}`);
  for (const [asked, context] of [
    [at('/anything'), {params: Promise.resolve({locale: 'en', rest: [id]})}], [at('/anything'), {params: {rest: [id]}}],
    [at(`/draw/${id}`)], [at(`/draw/${id}/?x=1`)], [at(`/draw//${id}`), {}],
  ]) {
    assert.equal((await route.GET(asked, context)).status, 200, asked.url);
  }
  assert.equal(requests.length, 5);
  assert.equal((await problem(await route.GET(at(`/other/${id}`)))).code, 'service_misconfigured');
});

test('trouble of the service is no fault of the page, and tells nothing of the service', async () => {
  for (const [answer, status, code, path, told] of [
    [refusal(401, {detail: 'wrong key secret-key'}), 502, 'service_misconfigured', `/${id}`, /AI_WORKER_KEY/],
    [refusal(403), 502, 'service_misconfigured', `/${id}`, /AI_WORKER_KEY/],
    [refusal(500), 503, 'unavailable', `/${id}`, /500/], [broken, 503, 'unavailable', `/${id}`, /ECONNREFUSED/], [cut, 503, 'unavailable', `/${id}`, /terminated/],
    [refusal(301), 502, 'service_misconfigured', `/${id}`, /AI_WORKER_URL/], [refusal(404), 502, 'service_misconfigured', '', /AI_WORKER_URL/],
    [json({hello: 'world'}), 502, 'service_misconfigured', `/${id}`, /AI_WORKER_URL/], [json(null), 502, 'service_misconfigured', '', /AI_WORKER_URL/],
    [refusal(429, {detail: '9 pictures of this API key wait (MAX_WAITING_PICTURES)'}, {'Retry-After': '7'}), 429, 'too_many_requests', '', /429/],
    [refusal(422, {errors: [{location: 'body.webhook', message: 'hunter2'}]}), 500, 'service_misconfigured', '', /authorize granted/],
    [refusal(422, {errors: [{location: 'body.max_cost_usd', message: 'cannot be kept: …'}]}), 500, 'service_misconfigured', '', /authorize granted/],
  ]) {
    const {ask, errors} = open(undefined, [answer]);
    const got = path === '' ? await ask('POST', '', {body: {prompt: 'p'}}) : await ask('GET', path);
    const retry = got.headers.get('retry-after');
    const said = await problem(got);
    assert.deepEqual([said.status, said.code], [status, code]);
    assert.equal(retry, {503: '2', 429: '7'}[status] ?? null);
    assert.match(errors[0].message, told);
    assert.doesNotMatch(errors[0].message, /secret-key/);
    assert.doesNotMatch(said.detail, /MAX_WAITING|\d pictures/);
  }
});

test('what the service says of a request is handed on: its code, words and fields', async () => {
  const errors = [{location: 'body.prompt', message: 'must not be blank', value: ' '}, {location: 'body.metadata', message: 'hunter2'}];
  const said = await problem(await open(undefined, [refusal(422, {detail: 'validation failed', code: 'odd', errors})]).post({prompt: ' '}));
  assert.deepEqual([said.detail, said.code, said.errors], ['validation failed', 'odd', errors.slice(0, 1)]);
  const conflict = await problem(await open(undefined, [json(whole()), refusal(409, {detail: 'The job: it has not ended.'})]).ask('DELETE', `/${id}`));
  assert.deepEqual([conflict.status, conflict.detail, conflict.errors], [409, 'The job: it has not ended.', undefined]);
});

test('an API key of another tenant than the option says is told', async () => {
  const {ask, errors} = open(undefined, undefined, {tenant: 'wob'});
  assert.equal((await problem(await ask('GET', `/${id}`))).code, 'service_misconfigured');
  assert.match(errors[0].message, /"web".*"wob"/);
});

test('metadata that only looks like the user\'s is not', async () => {
  for (const metadata of [{}, {user: 'Ann'}, {user: ['ann']}, {user: {toString: 'ann'}}, {user: null}, JSON.parse('{"__proto__": {"user": "ann"}}')]) {
    assert.equal((await open(undefined, [json(whole({metadata}))]).ask('GET', `/${id}`)).status, 404, JSON.stringify(metadata));
  }
});
