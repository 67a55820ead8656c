// A job is polled through the real TanStack Query and SWR, until it has ended.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';

import {deleteJob, listJobs} from 'ai-worker-client/react';

import {broken, json, refusal} from './answers.js';
import {useClock} from './clock.js';
import {openPage, versions} from './page.js';
import {ended, userJob} from './userjob.js';

// Each renders a component that shows the job, and keeps what it has in page.seen.
const libraries = {
  TanStack: (page) => {
    const {createElement: h} = page.React;
    const {QueryClient, QueryClientProvider, useQuery} = page.tanstack;
    const client = new QueryClient();
    const Show = () => {
      const {data, error} = useQuery(page.jobQueryOptions('j1'));
      page.seen = {data, error};
      return null;
    };
    return h(QueryClientProvider, {client}, h(Show));
  },
  SWR: (page) => {
    const {createElement: h} = page.React;
    const Show = () => {
      const options = page.jobQueryOptions('j1');
      const {data, error} = page.useSWR(options.queryKey, () => options.queryFn(), options);
      page.seen = {data, error};
      return null;
    };
    return h(page.SWRConfig, {value: {provider: () => new Map(), dedupingInterval: 0}}, h(Show));
  },
};

for (const version of Object.keys(versions)) {
  for (const [library, render] of Object.entries(libraries)) {
    const check = (name, answers, body) => test(`React ${version}, ${library}: ${name}`, async (t) => {
      useClock(t);
      // The intervals of node:test cannot be ended from within.
      mock.method(globalThis, 'setInterval', (call, ms) => {
        const interval = {};
        const next = () => {
          interval.timer = setTimeout(() => {
            next();
            call();
          }, ms);
        };
        next();
        return interval;
      });
      mock.method(globalThis, 'clearInterval', (interval) => clearTimeout(interval?.timer));
      const page = openPage(version, {answers: {'GET /api/images/j1': answers}});
      try {
        await page.act(() => {
          page.root = page.createRoot(page.window.document.getElementById('root'));
          page.root.render(render(page));
        });
        await page.pass(90_000);
        await body(page);
      } finally {
        await page.close();
      }
    });

    check('a job is polled every 3 s until it has ended', [json(userJob()), json(userJob({version: 2})), json(ended())], (page) => {
      assert.equal(page.seen.data.status, 'succeeded');
      assert.deepEqual(page.requests.map((r) => r.at - page.requests[0].at), [0, 3000, 6000]);
    });

    check('a job that is not there is asked for once', [refusal(404, {code: 'not_found'})], (page) => {
      assert.deepEqual([page.requests.length, page.seen.error.code, page.seen.error.status], [1, 'not_found', 404]);
    });

    check('it goes on after a failure that passes', [broken, refusal(503), json(ended())], (page) => {
      assert.equal(page.seen.data.status, 'succeeded');
      assert.ok(page.requests.at(-1).at - page.requests[0].at < 60_000, 'and ends');
    });
  }
}

test('a page of jobs is asked for, and a job is removed also if it is gone', async (t) => {
  const asked = [];
  const answers = [json({jobs: [], next_cursor: null}), () => new Response(null, {status: 204}), refusal(404), refusal(409)];
  t.mock.method(globalThis, 'fetch', async (url, {method = 'GET'}) => {
    asked.push(`${method} ${url}`);
    return answers.shift()();
  });
  assert.deepEqual(await listJobs({limit: 2, cursor: 'c'}), {jobs: [], next_cursor: null});
  await deleteJob('j1');
  await deleteJob('j1', {api: '/pictures'});
  await assert.rejects(deleteJob('j1'), {status: 409});
  assert.deepEqual(asked, ['GET /api/images?limit=2&cursor=c', 'DELETE /api/images/j1', 'DELETE /pictures/j1', 'DELETE /api/images/j1']);
});
