// The hook in a page: what it asks for, what it shows, and that nothing is asked for twice.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {broken, json, refusal, silent} from './answers.js';
import {useClock} from './clock.js';
import {openPage, versions} from './page.js';
import {drawn, ended, image, userJob} from './userjob.js';

const create = 'POST /api/images';
const input = {prompt: 'p', count: 2};
const keysOf = (requests) => requests.map((r) => r.headers['Idempotency-Key']);
const routesOf = (page) => page.requests.map((r) => r.route);

for (const version of Object.keys(versions)) {
  const check = (name, body) => test(`React ${version}: ${name}`, async (t) => {
    useClock(t);
    const pages = [];
    try {
      await body(t, (options) => pages[pages.push(openPage(version, options)) - 1]);
    } finally {
      await pages.at(-1).close();
    }
  });

  check('a job is asked for, followed and shown, from the submit to its end', async (t, open) => {
    const page = open({answers: {[create]: json(userJob(), 202), 'POST /api/images/j1/cancel': json(ended({version: 10}))}});
    const onEnd = mock.fn();
    await page.show({a: {onEnd}});
    assert.deepEqual([page.seen.a.status, page.seen.a.pictures, page.streams.length], ['idle', [], 0]);
    let promise;
    await page.act(() => {
      promise = page.seen.a.submit(input);
      assert.deepEqual(Object.keys(page.storage).length, 1, 'it is remembered before it is sent');
      assert.equal(page.requests.length, 0);
    });
    assert.equal((await promise).id, 'j1');
    assert.deepEqual([page.requests[0].body, page.requests[0].headers['Content-Type']], ['{"prompt":"p","count":2}', 'application/json']);
    const {status, queuePosition, estimatedStartAt} = page.seen.a;
    assert.deepEqual([status, queuePosition, estimatedStartAt], ['queued', 3, new Date('2026-11-24T12:01:00Z')]);
    assert.deepEqual(page.streams.map((s) => s.url), ['/api/images/j1/events']);
    await page.streams[0].say(userJob({status: 'processing', version: 2, images: [drawn(0), image(1, {status: 'processing'})]}));
    assert.deepEqual(page.seen.a.pictures.map((p) => [p.status, p.url]), [['succeeded', 'https://img.test/0.png'], ['processing', null]]);
    assert.equal(onEnd.mock.callCount(), 0);
    await page.streams[0].say(ended());
    assert.deepEqual([page.seen.a.status, page.seen.a.progress.succeeded, page.streams[0].readyState], ['succeeded', 2, 2]);
    assert.deepEqual(onEnd.mock.calls.map((c) => c.arguments[0].id), ['j1']);
    await page.pass(60_000);
    assert.equal(page.requests.length, 1, 'nothing is asked after the end');
    await page.act(() => page.seen.a.cancel());
    assert.deepEqual([page.seen.a.job.version, onEnd.mock.callCount()], [10, 1]);
  });

  check('places are there from the submit on', async (t, open) => {
    const page = open({answers: {[create]: silent}});
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit({prompt: 'p', count: 99}));
    assert.deepEqual([page.seen.a.status, page.seen.a.pictures.length], ['submitting', 16]);
    assert.deepEqual(page.seen.a.pictures[3], {
      index: 3, status: 'queued', url: null, width: null, height: null, error: null, waitingFor: null, retryAt: null,
    });
  });

  check('a double click, in two components, is one request', async (t, open) => {
    const page = open({answers: {[create]: json(userJob(), 202)}});
    await page.show({a: {}, b: {}}, {isStrict: true});
    const promises = [];
    await page.act(() => void promises.push(page.seen.a.submit(input), page.seen.a.submit(input), page.seen.b.submit(input)));
    assert.equal(new Set(promises).size, 1);
    assert.equal(page.requests.length, 1);
    assert.deepEqual([page.seen.a.status, page.seen.b.status, page.streams.length], ['queued', 'queued', 1]);
    assert.equal(page.seen.a.pictures, page.seen.b.pictures);
  });

  for (const [when, answers] of Object.entries({
    'before the answer': [silent, json(userJob(), 202)], 'while it is sent again': [broken, json(userJob(), 202)],
  })) {
    check(`a reload ${when} sends the same request again`, async (t, open) => {
      const first = open({answers: {[create]: answers[0]}});
      await first.show({a: {}});
      await first.act(() => void first.seen.a.submit(input));
      const page = open({before: first, answers: {[create]: answers[1]}});
      await page.show({a: {}}, {isStrict: true});
      assert.deepEqual(keysOf(page.requests), keysOf(first.requests));
      assert.deepEqual(page.requests.map((r) => r.body), first.requests.map((r) => r.body));
      assert.deepEqual([page.seen.a.status, page.streams.length], ['queued', 1]);
    });
  }

  check('a reload in the middle and one after the end show the job', async (t, open) => {
    const first = open({answers: {[create]: json(userJob(), 202)}});
    await first.show({a: {}});
    await first.act(() => void first.seen.a.submit(input));
    const middle = open({before: first});
    await middle.show({a: {}});
    assert.deepEqual([middle.seen.a.status, middle.seen.a.pictures.length], ['loading', 2]);
    assert.deepEqual([middle.requests.length, middle.streams[0].url], [0, '/api/images/j1/events']);
    await middle.streams[0].say(ended());
    const last = open({before: middle, answers: {[create]: json(userJob({id: 'j2'}), 202)}});
    await last.show({a: {}});
    await last.streams[0].say(ended());
    assert.deepEqual([last.seen.a.status, last.requests.length], ['succeeded', 0]);
    await last.act(() => void last.seen.a.submit(input));
    assert.notEqual(keysOf(last.requests)[0], keysOf(first.requests)[0]);
    assert.equal(last.seen.a.job.id, 'j2');
    await last.act(() => last.seen.a.reset());
    assert.deepEqual([last.seen.a.status, Object.keys(last.storage)], ['idle', []]);
  });

  for (const [name, value] of Object.entries({
    'no JSON': '{', 'another kind': '7', 'text': '"abc"', 'null': 'null', 'a request without a time': '{"task":{"key":"k","url":"/api/images"}}',
    'a request of an hour ago': JSON.stringify({task: {key: 'k', url: '/api/images', body: '{}', count: 1, at: Date.parse('2026-11-24T11:00:00Z')}}),
  })) {
    check(`a storage that holds ${name} is as an empty one`, async (t, open) => {
      const page = open({storage: {'ai-worker /api/images default ': value}});
      await page.show({a: {}});
      assert.deepEqual([page.seen.a.status, page.requests.length, page.streams.length], ['idle', 0, 0]);
    });
  }

  check('a storage that throws costs the reload only', async (t, open) => {
    const page = open({answers: {[create]: [broken, json(userJob(), 202)], 'GET /api/images/j1': json(userJob())}});
    const forbidden = () => {
      throw new page.window.DOMException('no', 'SecurityError');
    };
    Object.defineProperty(globalThis, 'sessionStorage', {get: forbidden, configurable: true});
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit(input));
    await page.pass(1000);
    assert.equal(new Set(keysOf(page.requests)).size, 1);
    assert.equal(page.seen.a.status, 'queued');
    await page.show({});
    await page.pass(5000);
    await page.show({a: {}});
    assert.equal(page.streams[1]?.url, '/api/images/j1/events', 'a component that comes later finds it');
  });

  for (const [name, answer] of Object.entries({
    'no answer': broken, 'an HTML page': () => new Response('<html>'), ...Object.fromEntries([408, 429, 500, 503].map((s) => [s, refusal(s)])),
  })) {
    check(`after ${name} the same request is sent again, five times`, async (t, open) => {
      const page = open({answers: {[create]: answer}});
      await page.show({a: {}});
      let promise;
      await page.act(() => void (promise = page.seen.a.submit(input)));
      await page.pass(20_000);
      await assert.rejects(promise);
      assert.deepEqual([page.requests.length, new Set(keysOf(page.requests)).size, page.seen.a.status], [6, 1, 'idle']);
      assert.ok(page.seen.a.error.code && page.seen.a.error.message);
      // There may be a job: the same, asked for by hand, is the same request. A reload sends nothing by itself.
      await page.act(() => void page.seen.a.submit(input));
      assert.deepEqual([page.requests.length, new Set(keysOf(page.requests)).size], [7, 1]);
      await page.pass(20_000);
      const next = open({before: page, answers: {[create]: silent}});
      await next.show({a: {}});
      assert.equal(next.requests.length, 0);
      await next.act(() => void next.seen.a.submit({prompt: 'another'}));
      assert.notEqual(keysOf(next.requests)[0], keysOf(page.requests)[0]);
    });
  }

  for (const status of [400, 401, 403, 409, 422]) {
    check(`${status} is final, and frees the key`, async (t, open) => {
      const fields = [{message: 'too long', location: 'body.prompt'}];
      const page = open({answers: {[create]: [refusal(status, {code: 'c', errors: fields}), json(userJob(), 202)]}});
      await page.show({a: {}});
      let promise;
      await page.act(() => void (promise = page.seen.a.submit(input)));
      await assert.rejects(promise, {code: 'c', status, fields});
      const {code, message, fields: shown} = page.seen.a.error;
      assert.deepEqual([code, message, shown, page.seen.a.status], ['c', 'D', fields, 'idle']);
      await page.act(() => void page.seen.a.submit(input));
      assert.equal(new Set(keysOf(page.requests)).size, 2);
      assert.equal(page.seen.a.error, null);
    });
  }

  check('Retry-After is honoured, and one of more than a minute is shown', async (t, open) => {
    const page = open({answers: {[create]: [refusal(429, {}, {'Retry-After': '7'}), refusal(429, {code: 'budget'}, {'Retry-After': '3600'})]}});
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit(input));
    await page.pass(8000);
    assert.equal(page.requests[1].at - page.requests[0].at, 7500);
    assert.deepEqual([page.seen.a.status, page.seen.a.error.code, page.seen.a.error.retryAfter], ['idle', 'budget', 3600]);
  });

  check('a try without an answer ends after a minute', async (t, open) => {
    const page = open({answers: {[create]: [silent, json(userJob(), 202)]}});
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit(input));
    await page.pass(61_000);
    assert.equal(page.seen.a.status, 'queued');
  });

  check('without a network a submit waits for it', async (t, open) => {
    const page = open({answers: {[create]: json(userJob(), 202)}});
    page.isOnline = false;
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit(input));
    await page.pass(100_000);
    assert.deepEqual([page.requests.length, page.seen.a.status, page.seen.a.isPaused], [0, 'submitting', true]);
    await page.turn({isOnline: true}, 'online');
    await page.pass(1000);
    assert.deepEqual([page.requests.length, page.seen.a.status, page.seen.a.isPaused], [1, 'queued', false]);
  });

  check('a cancel before anything was sent sends nothing', async (t, open) => {
    const page = open({answers: {[create]: json(userJob(), 202)}});
    page.isOnline = false;
    await page.show({a: {}});
    let promise;
    await page.act(() => void (promise = page.seen.a.submit(input)));
    await page.act(() => page.seen.a.cancel());
    await assert.rejects(promise, {code: 'aborted'});
    await page.turn({isOnline: true}, 'online');
    await page.pass(5000);
    assert.deepEqual([page.requests.length, page.seen.a.status, Object.keys(page.storage)], [0, 'idle', []]);
  });

  check('a cancel during the submit ends the job once it is known, also after a reload', async (t, open) => {
    const canceled = userJob({status: 'canceled', version: 2});
    const answers = {[create]: [broken, json(userJob(), 202)], 'POST /api/images/j1/cancel': json(canceled)};
    const page = open({answers});
    await page.show({a: {}});
    let done;
    await page.act(() => {
      void page.seen.a.submit(input);
    });
    await page.act(() => void (done = page.seen.a.cancel()));
    await page.pass(1000);
    await done;
    assert.deepEqual(routesOf(page), [create, create, 'POST /api/images/j1/cancel']);
    assert.deepEqual([page.seen.a.status, page.streams[0].readyState], ['canceled', 2]);

    const first = open({answers: {[create]: silent}});
    await first.show({a: {name: 'other'}});
    await first.act(() => void first.seen.a.submit(input));
    await first.act(() => void first.seen.a.cancel());
    const second = open({before: first, answers: {...answers, [create]: json(userJob(), 202)}});
    await second.show({a: {name: 'other'}});
    assert.deepEqual([routesOf(second), second.seen.a.status], [[create, 'POST /api/images/j1/cancel'], 'canceled']);
  });

  check('a cancel does not forget a request that was sent before, by this page or the one before the reload', async (t, open) => {
    const first = open({answers: {[create]: broken}});
    await first.show({a: {}});
    await first.act(() => void first.seen.a.submit(input));
    await first.pass(20_000);
    await first.act(() => first.seen.a.cancel());
    first.isOnline = false;
    await first.act(() => void first.seen.a.submit(input));
    const page = open({before: first, answers: {[create]: json(userJob(), 202), 'POST /api/images/j1/cancel': json(userJob({status: 'canceled', version: 2}))}});
    page.isOnline = false;
    await page.show({a: {}});
    await page.act(() => void page.seen.a.cancel());
    await page.turn({isOnline: true}, 'online');
    await page.pass(1000);
    assert.deepEqual([routesOf(page), page.seen.a.status], [[create, 'POST /api/images/j1/cancel'], 'canceled']);
    assert.equal(keysOf(page.requests)[0], keysOf(first.requests)[0]);
  });

  check('a cancel is for the submit that it was pressed in, and for no later one', async (t, open) => {
    const first = open({answers: {[create]: silent}});
    await first.show({a: {}});
    await first.act(() => void first.seen.a.submit(input));
    await first.act(() => void first.seen.a.cancel());
    const page = open({before: first, answers: {[create]: [...Array(6).fill(broken), json(userJob(), 202)]}});
    await page.show({a: {}});
    await page.pass(20_000);
    assert.deepEqual([page.requests.length, page.seen.a.error.code], [6, 'connection']);
    await page.act(() => void page.seen.a.submit(input));
    assert.deepEqual([page.requests.length, page.seen.a.status], [7, 'queued']);
  });

  check('a job that is gone does not take the key of a submit with it', async (t, open) => {
    const first = open({answers: {[create]: silent, 'GET /api/images/j1': refusal(404)}, storage: {'ai-worker /api/images default ': '{"jobId":"j1"}'}});
    await first.show({a: {}});
    await first.act(() => void first.seen.a.submit(input));
    await first.streams[0].fail(2);
    const page = open({before: first, answers: {[create]: json(userJob({id: 'j2'}), 202)}});
    await page.show({a: {}});
    assert.deepEqual([keysOf(page.requests), page.seen.a.job.id], [keysOf(first.requests.slice(0, 1)), 'j2']);
  });

  check('cancel shows the answer, and a refusal of it', async (t, open) => {
    const page = open({answers: {'POST /api/images/j1/cancel': [refusal(500), refusal(403, {code: 'forbidden'}), json(userJob({status: 'canceled', version: 2}))]}});
    await page.show({a: {initialJob: userJob()}});
    let done;
    await page.act(() => void (done = page.seen.a.cancel()));
    await page.pass(1000);
    await assert.rejects(done, {code: 'forbidden'});
    assert.deepEqual([page.seen.a.status, page.seen.a.error.code], ['queued', 'forbidden']);
    await page.act(() => page.seen.a.cancel());
    assert.deepEqual([page.seen.a.status, page.seen.a.error, page.streams[0].readyState], ['canceled', null, 2]);
  });

  check('a submit while a job goes on moves to the new one; refused, it stays with the old one', async (t, open) => {
    const page = open({answers: {[create]: [json(userJob(), 202), refusal(422), json(userJob({id: 'j2'}), 202)]}});
    await page.show({a: {}});
    await page.act(() => void page.seen.a.submit(input));
    await page.act(() => void page.seen.a.submit({prompt: 'wrong'}));
    assert.deepEqual([page.seen.a.job.id, page.seen.a.status, page.seen.a.error.status], ['j1', 'queued', 422]);
    await page.act(() => void page.seen.a.submit({prompt: 'next'}));
    assert.deepEqual([page.seen.a.job.id, page.seen.a.error], ['j2', null]);
    assert.deepEqual(page.streams.map((s) => [s.url, s.readyState]), [['/api/images/j1/events', 2], ['/api/images/j2/events', 0]]);
    assert.ok(!routesOf(page).some((route) => route.includes('cancel')));
  });

  check('retry draws what failed again, under a key that lives over a reload, and follows the new job', async (t, open) => {
    const partial = ended({status: 'partial', images: [drawn(0), image(1, {status: 'failed', error: {code: 'c', message: 'm'}})]});
    const retry = 'POST /api/images/j1/retry';
    const first = open({answers: {[retry]: silent}});
    await first.show({a: {initialJob: partial}});
    await first.act(() => void first.seen.a.retry());
    assert.deepEqual([first.seen.a.status, first.seen.a.pictures.length], ['submitting', 1]);
    const page = open({before: first, answers: {[retry]: json(userJob({id: 'j2', images: [image(0)]}), 202)}});
    await page.show({a: {initialJob: partial}});
    assert.deepEqual(keysOf(page.requests), keysOf(first.requests));
    assert.deepEqual([page.seen.a.job.id, page.streams.map((s) => s.url)], ['j2', ['/api/images/j2/events']]);
    assert.deepEqual(Object.keys(page.storage), [], 'the page says which job it shows');
  });

  check('reset during the submit forgets it', async (t, open) => {
    const page = open({answers: {[create]: [silent, json(userJob({id: 'j2'}), 202)]}});
    await page.show({a: {}});
    let promise;
    await page.act(() => void (promise = page.seen.a.submit(input)));
    await page.act(() => page.seen.a.reset());
    await assert.rejects(promise, {code: 'aborted'});
    assert.deepEqual([page.seen.a.status, page.seen.a.error, Object.keys(page.storage)], ['idle', null, []]);
    await page.act(() => void page.seen.a.submit(input));
    assert.equal(page.seen.a.job.id, 'j2');
  });

  check('a submit goes on without its component, and a later one finds the job', async (t, open) => {
    let answer;
    const page = open({answers: {[create]: () => new Promise((resolve) => {
      answer = resolve;
    })}});
    await page.show({a: {}});
    let promise;
    await page.act(() => void (promise = page.seen.a.submit(input)));
    await page.show({});
    await page.pass(5000);
    await page.act(() => answer(json(userJob(), 202)()));
    assert.equal((await promise).id, 'j1');
    assert.equal(page.streams.length, 0, 'nobody looks');
    await page.show({a: {}});
    await page.streams[0].say(userJob());
    assert.deepEqual([page.seen.a.job.id, page.requests.length], ['j1', 1]);
  });

  check('a component that comes back at once finds its connection, a later one a new one', async (t, open) => {
    const page = open();
    await page.show({a: {jobId: 'j1'}}, {isStrict: true});
    assert.equal(page.streams.length, 1);
    await page.streams[0].say(userJob());
    await page.show({});
    await page.pass(500);
    await page.show({a: {jobId: 'j1'}});
    assert.deepEqual([page.streams.length, page.streams[0].readyState, page.seen.a.status], [1, 1, 'queued']);
    await page.show({});
    await page.pass(1500);
    assert.equal(page.streams[0].readyState, 2);
    await page.show({a: {jobId: 'j1'}});
    assert.deepEqual([page.streams.length, page.seen.a.status], [2, 'loading'], 'what nobody uses is dropped');
  });

  for (const [name, away, back, type] of [
    ['offline', {isOnline: false}, {isOnline: true}, ['offline', 'online']],
    ['hidden', {visibility: 'hidden'}, {visibility: 'visible'}, ['visibilitychange', 'visibilitychange']],
    ['in the cache of pages', {visibility: 'hidden'}, {visibility: 'visible'}, ['visibilitychange', 'pageshow']],
  ]) {
    check(`a page that is ${name} asks nothing, and takes up the job afterwards`, async (t, open) => {
      const page = open();
      await page.show({a: {initialJob: userJob()}, b: {initialJob: ended({id: 'j2'})}});
      await page.turn(away, type[0]);
      assert.deepEqual([page.streams[0].readyState, page.seen.a.isPaused, page.seen.b.isPaused], [2, true, false]);
      await page.pass(100_000);
      assert.deepEqual([page.streams.length, page.requests.length], [1, 0]);
      await page.turn(back, type[1]);
      assert.deepEqual([page.streams.length, page.seen.a.isPaused], [2, false]);
      await page.streams[1].say(ended());
      assert.equal(page.seen.a.status, 'succeeded');
    });
  }

  for (const [name, spoil] of Object.entries({
    'is refused, is HTML, or gives 204': (page) => page.streams[0].fail(2),
    'is held back': (page) => page.pass(10_000),
  })) {
    check(`where the stream ${name}, the job is polled`, async (t, open) => {
      const get = 'GET /api/images/j1';
      const page = open({answers: {[get]: [json(userJob({version: 2})), json(userJob({version: 2})), refusal(503, {}, {'Retry-After': '20'}), json(ended())]}});
      await page.show({a: {initialJob: userJob()}});
      await spoil(page);
      assert.equal(page.seen.a.job.version, 2);
      await page.pass(60_000);
      assert.deepEqual([page.seen.a.status, page.requests.length, page.streams.length], ['succeeded', 4, 1]);
      assert.deepEqual(page.requests.slice(1).map((r, i) => r.at - page.requests[i].at), [3000, 4500, 20_000]);
      assert.equal(page.streams[0].readyState, 2);
    });
  }

  check('polls without news grow to 15 s, and their failures are shown from the third on', async (t, open) => {
    const html = () => new Response('<html>');
    const page = open({answers: {'GET /api/images/j1': [html, html, html, json(userJob())]}});
    await page.show({a: {initialJob: userJob()}});
    await page.streams[0].fail(2);
    await page.pass(5000);
    assert.equal(page.seen.a.error, null);
    await page.pass(7000);
    assert.deepEqual([page.requests.length, page.seen.a.error.code, page.seen.a.status], [3, 'connection', 'queued']);
    await page.pass(60_000);
    assert.equal(page.seen.a.error, null);
    const {length} = page.requests;
    assert.equal(page.requests[length - 1].at - page.requests[length - 2].at, 15_000);
  });

  check('the browser opens a stream again by itself; one that is silent for long is opened anew', async (t, open) => {
    const page = open();
    await page.show({a: {initialJob: userJob()}});
    await page.streams[0].say(userJob());
    await page.streams[0].fail(0);
    assert.deepEqual([page.streams.length, page.requests.length], [1, 0]);
    await page.pass(76_000);
    assert.deepEqual([page.streams.map((s) => s.readyState), page.requests.length], [[2, 0], 0]);
  });

  for (const status of [401, 403, 404]) {
    check(`after ${status} nothing more is asked`, async (t, open) => {
      const page = open({answers: {'GET /api/images/j1': refusal(status, {code: 'c'})}, storage: {'ai-worker /api/images default ': '{"jobId":"j1","count":2}'}});
      await page.show({a: {}});
      await page.streams[0].fail(2);
      await page.pass(100_000);
      await page.turn({}, 'pageshow');
      assert.deepEqual([page.seen.a.status, page.seen.a.error.code, page.requests.length, page.streams.length], ['idle', 'c', 1, 1]);
      assert.equal(Object.keys(page.storage).length, status === 404 ? 0 : 1, 'a reload forgets a job that is gone');
    });
  }

  check('a job that is removed elsewhere stays as it was seen, with the error', async (t, open) => {
    const page = open({answers: {'GET /api/images/j1': refusal(404, {code: 'not_found'})}});
    await page.show({a: {initialJob: userJob({version: 4})}});
    await page.streams[0].fail(2);
    assert.deepEqual([page.seen.a.job.version, page.seen.a.error.code], [4, 'not_found']);
  });

  check('an older version is not shown, but an end always is', async (t, open) => {
    const page = open();
    await page.show({a: {initialJob: userJob({version: 5})}});
    await page.streams[0].say(userJob({version: 4}));
    assert.equal(page.seen.a.job.version, 5);
    await page.streams[0].say(userJob({version: 5, queue_position: 1}));
    assert.equal(page.seen.a.queuePosition, 1);
    await page.streams[0].say(ended({version: 3}));
    assert.equal(page.seen.a.job.version, 3);
  });

  check('two components with one job and different versions of it show the newest', async (t, open) => {
    const page = open();
    const old = userJob({version: 2, queue_position: 9});
    await page.show({a: {initialJob: old}, b: {initialJob: userJob({version: 3})}, c: {name: 'c', initialJob: userJob({version: 4})}});
    assert.deepEqual(['a', 'b', 'c'].map((as) => page.seen[as].job.version), [4, 4, 4]);
    assert.equal(page.streams.length, 1);
    await page.streams[0].say(userJob({version: 4, queue_position: 1}));
    await page.show({a: {initialJob: {...old}}, b: {initialJob: userJob({version: 4})}});
    assert.equal(page.seen.b.queuePosition, 1, 'one from the server may be from a while ago');
    await page.show({a: {initialJob: ended()}, b: {}});
    assert.deepEqual([page.seen.a.status, page.seen.b.status], ['succeeded', 'idle']);
  });

  check('what has not changed is the same object', async (t, open) => {
    const page = open();
    await page.show({a: {initialJob: userJob()}});
    const before = page.first.a;
    await page.streams[0].say(userJob());
    assert.equal(page.renders.a, 1, 'no news is no rendering');
    await page.streams[0].say(userJob({version: 2, queue_position: 2}));
    assert.deepEqual([page.seen.a.pictures === before.pictures, page.seen.a.estimatedStartAt === before.estimatedStartAt], [true, true]);
    await page.streams[0].say(userJob({version: 3, status: 'processing', images: [drawn(0), image(1)]}));
    assert.deepEqual([page.seen.a.pictures[0] === before.pictures[0], page.seen.a.pictures[1] === before.pictures[1]], [false, true]);
    for (const name of ['submit', 'cancel', 'retry', 'reset']) {
      assert.equal(page.seen.a[name], before[name]);
    }
  });

  check('another jobId is another job, and the one before is let go', async (t, open) => {
    const page = open();
    await page.show({a: {jobId: 'j1', initialJob: userJob()}});
    await page.show({a: {jobId: 'j2', initialJob: userJob()}});
    assert.deepEqual([page.seen.a.status, page.seen.a.job], ['loading', null]);
    await page.pass(2000);
    assert.deepEqual(page.streams.map((s) => [s.url, s.readyState]), [['/api/images/j1/events', 2], ['/api/images/j2/events', 0]]);
    await page.show({a: {jobId: null}});
    assert.equal(page.seen.a.status, 'idle');
  });

  check('of many jobs four are streamed, the others polled', async (t, open) => {
    const ids = Array.from({length: 16}, (_, i) => `n${i}`);
    const page = open({answers: Object.fromEntries(ids.map((id) => [`GET /api/images/${id}`, json(userJob({id}))]))});
    await page.show(Object.fromEntries(ids.map((jobId) => [jobId, {jobId}])));
    assert.deepEqual([page.streams.length, page.requests.length], [4, 12]);
    await page.streams[0].say(ended({id: 'n0'}));
    await page.show({...Object.fromEntries(ids.map((jobId) => [jobId, {jobId}])), more: {jobId: 'more'}});
    assert.deepEqual([page.streams.length, page.streams[4].url], [5, '/api/images/more/events'], 'one that ended makes room');
  });

  check('a server renders the job that it has, and the page takes it up without a difference', async (t, open) => {
    const stored = {'ai-worker /api/images default ': '{"jobId":"j9","count":1}'};
    const tree = {a: {initialJob: userJob()}, b: {}, c: {initialJob: ended({id: 'j2'})}};
    const server = open();
    const {document: seen} = globalThis;
    const names = ['window', 'document', 'navigator', 'sessionStorage', 'EventSource', 'fetch'];
    const kept = names.map((name) => [name, globalThis[name]]);
    names.forEach((name) => Object.defineProperty(globalThis, name, {value: undefined, configurable: true, writable: true}));
    const html = server.renderToString(server.tree(tree));
    kept.forEach(([name, value]) => Object.defineProperty(globalThis, name, {value, configurable: true, writable: true}));
    assert.ok(seen && html.includes('queued') && html.includes('idle') && html.includes('succeeded'), html);

    const page = open({html, storage: stored});
    const faults = mock.method(console, 'error', () => undefined);
    await page.act(() => {
      page.root = page.hydrateRoot(page.window.document.getElementById('root'), page.tree(tree), {onRecoverableError: (e) => faults(e)});
    });
    assert.deepEqual(faults.mock.calls.map((c) => String(c.arguments[0])), []);
    assert.deepEqual([page.seen.a.status, page.seen.b.status, page.seen.c.status], ['queued', 'loading', 'succeeded']);
    assert.deepEqual(page.streams.map((s) => s.url), ['/api/images/j1/events', '/api/images/j9/events']);
  });

  check('a picture is uploaded straight to the bucket, again where that breaks off', async (t, open) => {
    const upload = {id: 'u1', method: 'PUT', url: 'https://bucket.test/u1?signed', headers: {'Content-Type': 'image/png'}, expires_at: ''};
    const page = open({answers: {
      'POST /api/images/uploads': json(upload, 201), [`PUT ${upload.url}`]: [broken, () => new Response('')],
    }});
    const file = new Blob(['12345'], {type: 'image/png'});
    let id;
    await page.act(() => void page.uploadPicture(file).then((got) => (id = got)));
    await page.pass(1000);
    assert.equal(id, 'u1');
    assert.deepEqual(page.requests[0].body, '{"content_type":"image/png","bytes":5}');
    assert.deepEqual(page.requests.slice(1).map((r) => [r.body, r.headers]), Array(2).fill([file, upload.headers]));
    const controller = new AbortController();
    controller.abort();
    await assert.rejects(page.uploadPicture(file, {signal: controller.signal}), {code: 'aborted'});
  });
}
