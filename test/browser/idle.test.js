// What a page of the dashboard asks for while it is looked at, and while it is not. The
// clock is the test's, so that minutes pass at once.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {startService} from '../../client/test/service.js';
import {launch, openContext} from './browser.js';

const second = 1000; // ms
const minute = 60 * second;
const step = 5 * second;

let service, browser, page;
before(async () => {
  service = await startService();
  browser = await launch();
  const context = await openContext(browser);
  page = await context.newPage();
  await page.clock.install();
  await page.addInitScript(() => {
    globalThis.asked = 0;
    globalThis.fetch = async () => {
      globalThis.asked++;
      return new Response(null, {status: 304});
    };
  });
  await page.goto(`${service.url}/admin/queues`);
  await page.clock.pauseAt(new Date(Date.now() + 2 * minute));
  await touch();
  await asked(5 * second); // what was due when the clock jumped
});
after(async () => {
  await browser?.close();
  await service?.close();
});

// asked returns how often the page asks in a time.
async function asked(time) {
  const before = await page.evaluate(() => globalThis.asked);
  for (let passed = 0; passed < time; passed += step) {
    await page.clock.runFor(step);
  }
  return (await page.evaluate(() => globalThis.asked)) - before;
}

const touch = () => page.evaluate(() => document.dispatchEvent(new Event('pointermove')));

function hide(hidden) {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', {value, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}

test('a page that is visible asks once in five seconds', async () => {
  await touch();
  assert.equal(await asked(minute), 12);
});

test('one that is hidden asks nothing, and at once when it is seen again', async () => {
  await hide(true);
  assert.equal(await asked(10 * minute), 0);
  await touch();
  await hide(false);
  assert.equal(await asked(0), 0);
  assert.equal(await asked(minute), 12);
});

test('one that nobody touches for ten minutes asks no more, until somebody clicks', async () => {
  await touch();
  const most = 10 * 60 / 5;
  const before = await asked(11 * minute);
  assert.ok(before >= most - 1 && before <= most, `it asked ${before} times, want ${most} at most`);
  await hide(true);
  await hide(false);
  assert.equal(await asked(20 * minute), 0);
  await page.getByRole('button', {name: 'Paused: click to go on'}).click();
  const again = await asked(minute);
  assert.ok(again >= 11 && again <= 13, `it asked ${again} times in a minute`);
});
