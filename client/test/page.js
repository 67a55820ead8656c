// A page in a browser: a window of jsdom, a React and a package of its own, and an app's route and EventSource that the test plays.

import {mkdtempSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {mock} from 'node:test';
import {fileURLToPath} from 'node:url';

import {buildSync} from 'esbuild';
import {JSDOM} from 'jsdom';

import {settle} from './clock.js';

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL('..', import.meta.url));
const made = mkdtempSync(join(tmpdir(), 'ai-worker-page-'));
process.on('exit', () => rmSync(made, {recursive: true}));

// The versions of React that the hooks are tested with, and where each is.
export const versions = {'18.2': 'test/react18/node_modules/', 19: 'node_modules/'};
const contents = `
  export * as React from 'react';
  export {createRoot, hydrateRoot} from 'react-dom/client';
  export {act as oldAct} from 'react-dom/test-utils';
  export {renderToString} from 'react-dom/server';
  export * as tanstack from '@tanstack/react-query';
  export {default as useSWR, SWRConfig} from 'swr';
  export * from './dist/react.js';
`;
for (const [version, at] of Object.entries(versions)) {
  buildSync({
    stdin: {contents, resolveDir: folder}, outfile: join(made, `${version}.cjs`), bundle: true, platform: 'node', format: 'cjs',
    alias: {react: join(folder, at, 'react'), 'react-dom': join(folder, at, 'react-dom')}, logLevel: 'error',
  });
}

// load returns the modules as a page that was just opened has them.
export function load(version) {
  const file = join(made, `${version}.cjs`);
  delete require.cache[file];
  return require(file);
}

// openPage opens a page; with the page before, its reload. answers has the route: what each `METHOD path` is answered with, in turn.
export function openPage(version, {before, answers = {}, html = '', storage = {}} = {}) {
  const {window} = new JSDOM(`<div id="root">${html}</div>`, {url: 'https://app.test/'});
  const page = {window, isOnline: true, visibility: 'visible', requests: [], streams: [], first: {}, seen: {}, renders: {}, storage: window.sessionStorage};
  Object.defineProperty(window.navigator, 'onLine', {get: () => page.isOnline});
  Object.defineProperty(window.document, 'visibilityState', {get: () => page.visibility});
  for (const [key, value] of Object.entries({...before?.storage, ...storage})) {
    page.storage.setItem(key, value);
  }
  if (before) {
    stopTimers(); // its script is gone
  }
  mock.method(AbortSignal, 'timeout', (ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException(`${ms} ms are over`, 'TimeoutError')), ms);
    return controller.signal;
  });
  const globals = {
    window, document: window.document, navigator: window.navigator, sessionStorage: window.sessionStorage, IS_REACT_ACT_ENVIRONMENT: true,
    EventSource: eventSource(page), fetch: fetchOf(page, answers), MessageChannel,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, {value, configurable: true, writable: true});
  }

  const modules = Object.assign(page, load(version));
  const {createElement: h, StrictMode} = modules.React;
  const act = modules.React.act ?? modules.oldAct;
  page.act = (what = () => undefined) => act(async () => {
    await what();
    await settle();
  });
  // pass lets time pass, second by second.
  page.pass = async (ms) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await page.act(() => mock.timers.tick(Math.min(500, ms - passed)));
    }
  };
  // turn changes whether the page is seen and whether it has a network, and says so.
  page.turn = (state, type) => page.act(() => {
    Object.assign(page, state);
    (type === 'visibilitychange' ? window.document : window).dispatchEvent(new window.Event(type, {bubbles: true}));
  });
  const Probe = ({as, options}) => {
    page.seen[as] = modules.useImageJob(options);
    page.first[as] ??= page.seen[as];
    page.renders[as] = (page.renders[as] ?? 0) + 1;
    return h('output', null, page.seen[as].status);
  };
  // tree returns a component for each of the hook's options.
  page.tree = (of, {isStrict = false} = {}) => {
    const probes = Object.entries(of).map(([as, options]) => h(Probe, {key: as, as, options}));
    return isStrict ? h(StrictMode, null, probes) : h('div', null, probes);
  };
  // show renders them.
  page.show = (of, options) => page.act(() => {
    page.root ??= modules.createRoot(window.document.getElementById('root'));
    page.root.render(page.tree(of, options));
  });
  // close leaves the page, and nothing of it.
  page.close = async () => {
    if (page.root) {
      await page.act(() => page.root.unmount());
      await page.pass(1500);
    }
    stopTimers();
    window.close();
  };
  return page;
}

// React's act makes many of them, and a port that is not closed keeps the process alive.
class MessageChannel {
  port1 = {};
  port2 = {postMessage: () => setImmediate(() => this.port1.onmessage({}))};
}

// stopTimers ends what waits, as when a page is left.
function stopTimers() {
  const now = Date.now();
  mock.timers.reset();
  mock.timers.enable({apis: ['setTimeout', 'Date'], now});
}

function fetchOf(page, answers) {
  const counts = {};
  return (url, init = {}) => new Promise((resolve, reject) => {
    const {method = 'GET', signal} = init;
    const route = `${method} ${url}`;
    signal?.throwIfAborted();
    signal?.addEventListener('abort', () => reject(signal.reason));
    page.requests.push({route, ...init, at: Date.now()});
    const all = [answers[route] ?? (() => Response.json({detail: `${route} is not there`, code: 'not_found'}, {status: 404}))].flat();
    counts[route] = (counts[route] ?? 0) + 1;
    Promise.resolve(init).then(all[Math.min(counts[route], all.length) - 1]).then(resolve, reject);
  });
}

function eventSource(page) {
  return class {
    readyState = 0;
    listeners = {};

    constructor(url) {
      this.url = url;
      page.streams.push(this);
    }

    addEventListener(type, listener) {
      this.listeners[type] = listener;
    }

    close() {
      this.readyState = 2;
    }

    // say is an event of the route's.
    say(job) {
      this.readyState = 1;
      return page.act(() => this.listeners.job({data: JSON.stringify(job)}));
    }

    // fail is an error: the browser opens the stream again, or gives it up.
    fail(readyState) {
      this.readyState = readyState;
      return page.act(() => this.onerror());
    }
  };
}
