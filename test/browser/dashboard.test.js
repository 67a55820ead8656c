// The operators' pages in a real browser, against the real service.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {createClient} from '../../client/dist/index.js';
import {apiKey, startService} from '../../client/test/service.js';
import {checkPage, launch, looks, openContext} from './browser.js';

let service, browser, board;
before(async () => {
  service = await startService();
  board = `${service.url}/admin/queues`;
  browser = await launch();
  await seed(createClient({baseUrl: service.url, apiKey}));
});
after(async () => {
  await browser?.close();
  await service?.close();
});

// seed has jobs that ended in each way, and one that is being drawn.
async function seed(client) {
  const {gemini} = service;
  gemini.refused.add('<b>refused</b> & more');
  gemini.held.set('held', new Promise(() => undefined));
  await Promise.all([
    ...Array.from({length: 20}, (_, i) => client.generateImages({prompt: `a lighthouse, number ${i}`, count: 1 + i % 3}, {wait: true})),
    client.generateImages({prompt: '<b>refused</b> & more', count: 2}, {wait: true}),
  ]);
  const {id} = await client.generateImages({prompt: 'held', count: 2});
  await client.generateImages({prompt: 'held', count: 1});
  await client.jobs.cancel(id);
}

for (const {name, ...look} of looks) {
  test(`each page is usable, and complains of nothing (${name})`, async () => {
    const context = await openContext(browser, look);
    const page = await context.newPage();
    await page.goto(board);
    const links = await page.getByRole('navigation', {name: 'Pages'}).getByRole('link').evaluateAll((all) => all.map((a) => [a.textContent.trim(), a.href]));
    assert.ok(links.length >= 3);
    for (const [title, href] of links) {
      await page.goto(href);
      await page.getByRole('heading', {level: 1, name: title}).waitFor();
      await checkPage(page, `dashboard ${title} (${name})`);
    }
    await context.close();
  });
}

test('pages work without JavaScript', async () => {
  const context = await openContext(browser, {javaScriptEnabled: false});
  const page = await context.newPage();
  await page.goto(board);
  await page.getByRole('navigation', {name: 'Pages'}).getByRole('link', {name: 'Lanes'}).click();
  await page.getByRole('link', {name: 'Pause…'}).click();
  await page.getByRole('button', {name: /^Pause /}).click();
  assert.match(page.url(), /pause$/); // a reason is demanded
  await context.close();
});

test('keys lead to pages', async () => {
  const context = await openContext(browser);
  const page = await context.newPage();
  await page.goto(board);
  await page.keyboard.press('g');
  await page.keyboard.press('l');
  await page.waitForURL(/\/lanes$/);
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('These keys').waitFor();
  await context.close();
});

test('what a search finds is retried in bulk after a dry run, and a bulk is aborted', async () => {
  const context = await openContext(browser);
  const page = await context.newPage();
  const start = async (search) => {
    await page.goto(`${board}/jobs?q=${encodeURIComponent(search)}`);
    await page.getByRole('link', {name: 'Retry all of these…'}).click();
    await page.getByLabel('Why').fill('the key was wrong');
  };
  await start('status:failed after:2h');
  await page.getByText(/2 pictures in 1 job, \$[\d.]+ by list price, about \d+ s/).waitFor();
  await checkPage(page, 'dashboard dry run');
  await page.getByRole('button', {name: 'Retry 1 job'}).click();
  await page.getByRole('progressbar', {name: 'Progress'}).waitFor();
  await checkPage(page, 'dashboard bulk');
  await page.locator('.state', {hasText: 'done'}).waitFor(); // without a reload
  await page.getByText('1 of 1 jobs').waitFor();

  await start('status:canceled');
  await page.getByRole('button', {name: /^Retry 1 job/}).click();
  await page.goto(`${page.url().replace(/\?.*/, '')}/abort`);
  if (await page.getByLabel('Why').count() > 0) { // else the bulk was faster
    await page.getByLabel('Why').fill('enough');
    await page.getByRole('button', {name: 'Abort bulk'}).click();
  }
  await page.goto(`${board}/bulks`);
  await page.getByRole('row').filter({hasText: 'status:canceled'}).getByText(/abort|done/).first().waitFor();
  await checkPage(page, 'dashboard bulks');
  await context.close();
});
