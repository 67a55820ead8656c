// A real Chromium, and what each page must hold: no error in its console, and
// nothing that axe-core finds.

import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {mkdir, readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {delimiter, join} from 'node:path';

import {chromium} from 'playwright-core';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where screenshots go, if anybody wants them. */
const screenshots = process.env.SCREENSHOTS;

/** A wait for something that must come may last so long on a busy machine, in milliseconds. */
export const patience = 60_000;

/** How pages are looked at. */
export const looks = [
  {name: 'light, 1280', width: 1280, height: 900, colorScheme: 'light'},
  {name: 'dark, 1280', width: 1280, height: 900, colorScheme: 'dark'},
  {name: 'light, 320', width: 320, height: 640, colorScheme: 'light'},
  {name: 'dark, 320', width: 320, height: 640, colorScheme: 'dark'},
];

// launch starts the Chromium of this machine: CHROMIUM, or the first in PATH.
export async function launch() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const executablePath = process.env.CHROMIUM ?? folders.flatMap((folder) => names.map((name) => join(folder, name))).find((file) => existsSync(file));
  assert.ok(executablePath, 'Chromium is not installed: apt-get install chromium, or set CHROMIUM to its path');
  // It runs as root in CI, where its sandbox cannot.
  return chromium.launch({executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : []});
}

// openContext returns a browser of somebody of their own, and what its pages
// complained of.
export async function openContext(browser, {width = 1280, height = 900, ...options} = {}) {
  const context = await browser.newContext({viewport: {width, height}, reducedMotion: 'reduce', ...options});
  context.setDefaultTimeout(patience);
  const complaints = [];
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${message.text()} (${message.location().url})`);
    }
  });
  context.on('weberror', (error) => complaints.push(error.error().stack ?? String(error.error())));
  return Object.assign(context, {complaints});
}

// checkPage holds a page to what every one must be: usable with what axe-core
// knows of, as wide as its window at most, and without a complaint.
export async function checkPage(page, name) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
  assert.deepEqual(violations.map((v) => ({id: v.id, at: v.nodes.map((node) => node.target.join(' ') + ': ' + node.failureSummary)})), [], name);
  const {scrollWidth, clientWidth} = await page.evaluate(() => ({
    scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth,
  }));
  assert.ok(scrollWidth <= clientWidth, `${name} is ${scrollWidth} pixels wide in a window of ${clientWidth}`);
  assert.deepEqual(page.context().complaints, [], name);
  if (screenshots) {
    await mkdir(screenshots, {recursive: true});
    await page.screenshot({path: join(screenshots, `${name.replace(/\W+/g, '-')}.png`), fullPage: true});
  }
}

// checkStill holds a page to staying where it is while it loads and is read from top
// to bottom: nothing that is seen moves by itself.
export async function checkStill(page, name) {
  const shift = await page.evaluate(async () => {
    let sum = 0;
    const seen = new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) sum += e.value; }));
    seen.observe({type: 'layout-shift', buffered: true});
    for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
      scrollTo(0, y);
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    }
    scrollTo(0, 0);
    seen.takeRecords().forEach((e) => { if (!e.hadRecentInput) sum += e.value; });
    return sum;
  });
  // Web Vitals call that good. A page that comes in parts on a busy machine may move a little.
  assert.ok(shift < 0.1, `${name} shifts by ${shift}`);
}
