// Each page of the dashboard over a month of work: usable, still and without a
// complaint, in both themes, on a desktop and on a phone.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {checkPage, checkStill, launch, looks, openContext} from './browser.js';
import {startSeeded} from './seeded.js';

let service, browser, board;
before(async () => {
  [service, browser] = await Promise.all([startSeeded(), launch()]);
  board = `${service.url}/admin/queues`;
});
after(async () => {
  await browser?.close();
  await service?.close();
});

// visit opens a page below the dashboard.
async function visit(page, path) {
  await page.goto(board + path);
  await page.getByRole('heading', {level: 1}).waitFor();
}

// found returns the path of the first job of a search.
async function found(page, q) {
  await visit(page, `/jobs?q=${encodeURIComponent(q)}`);
  return (await page.locator('[data-row]').first().getAttribute('href')).replace('/admin/queues', '');
}

for (const [n, {name, ...look}] of looks.entries()) {
  test(`each page is usable, still and complains of nothing, over 5,000 jobs (${name})`, async () => {
    const context = await openContext(browser, look);
    const page = await context.newPage();
    const [partial, waits, long] = [await found(page, 'status:partial'), await found(page, 'status:queued'), await found(page, 'every leaf')];
    const paths = ['', '/jobs', partial, '/gallery', '/errors', '/lanes', '/lanes/nano', '/spend', '/audit'];
    const others = [ // in one theme and width each
      '/jobs?q=nobody+asked+for+this', waits, long, `${partial}/raw`, `${partial}/draw`, `${partial}/retry`, `${partial}/delete`, `${waits}/cancel`,
      '/gallery?tenant=nobody', '/errors?span=hour', '/lanes/nano/pause', '/lanes/pro/resume', '/spend?month=2020-01', '/audit?who=nobody',
    ];
    paths.push(...others.filter((_, i) => i % looks.length === n));
    for (const path of paths) {
      await visit(page, path);
      const kind = path.replace(/[0-9a-f-]{36}/, 'job').replace(/\W+/g, ' ').trim();
      await checkStill(page, path);
      await checkPage(page, `board ${kind || 'overview'}${path === long ? ' long' : path === waits ? ' waits' : ''} (${name})`);
    }
    await visit(page, '/gallery');
    await page.locator('a.shot').first().click();
    await page.getByRole('dialog').waitFor();
    await checkPage(page, `board lightbox (${name})`);
    await context.close();
  });
}

test('each token finds what it says, and nothing else', async () => {
  const context = await openContext(browser);
  const page = await context.newPage();
  const row = async (q) => {
    await visit(page, `/jobs?q=${encodeURIComponent(q)}`);
    return page.locator('table.jobs tbody tr').allInnerTexts();
  };
  for (const [q, has] of [
    ['status:partial', /partial/], ['tenant:studio', /studio/], ['code:blocked', /blocked/], ['model:gemini-3-pro-image', /gemini-3-pro-image/],
    ['lane:flash', /flash/], ['cost>0.3', /\$(0\.[3-9]|[1-9])/], ['violinist', /violinist/i], ['"jazz festival"', /jazz festival/], ['after:1h before:30m', /min ago/],
  ]) {
    const rows = await row(q);
    assert.ok(rows.length > 0, `${q} finds nothing`);
    assert.deepEqual(rows.filter((text) => !has.test(text)), [], q);
  }
  const one = (await found(page, 'tenant:mobile')).slice('/jobs/'.length);
  assert.equal((await row(`id:${one}`)).length, 1);
  await visit(page, '/jobs?q=colour:red+status:lost');
  await page.getByRole('alert').waitFor();
  await context.close();
});

test('older pages go on where the one before ended', async () => {
  const context = await openContext(browser);
  const page = await context.newPage();
  await visit(page, '/jobs?q=tenant:studio');
  const seen = new Set();
  for (let n = 0; n < 3; n++) {
    const ids = await page.locator('[data-row]').evaluateAll((all) => all.map((a) => a.href));
    ids.forEach((id) => assert.ok(!seen.has(id), `${id} is on two pages`));
    ids.forEach((id) => seen.add(id));
    await page.getByRole('link', {name: 'Older'}).click();
    await page.waitForURL(/from=/);
    await page.locator(`[data-row]:not([href="${new URL(ids[0]).pathname}"])`).first().waitFor();
  }
  await page.getByRole('link', {name: 'Newest'}).click();
  await page.waitForURL((url) => !url.search.includes('from='));
  assert.equal(seen.size, 150);
  await context.close();
});

test('the gallery is looked through with keys, and a picture is saved', async () => {
  const context = await openContext(browser);
  const page = await context.newPage();
  await visit(page, '/gallery');
  await page.locator('a.shot').first().focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  const name = () => dialog.getAttribute('aria-label');
  const first = await name();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await name(), first);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await name(), first);
  await page.keyboard.press('Escape');
  await dialog.waitFor({state: 'hidden'});
  const saved = await context.request.get(new URL(await page.getByRole('link', {name: 'Download'}).first().getAttribute('href'), board).href);
  assert.deepEqual([saved.status(), (await saved.body()).subarray(1, 4).toString()], [200, 'PNG']);
  const csv = await context.request.get(new URL(await (await visit(page, '/spend'), page.getByRole('link', {name: 'CSV'})).getAttribute('href'), board).href);
  const lines = (await csv.text()).trim().split('\r\n');
  assert.ok(lines.length > 100 && lines.every((line) => line.split(',').length >= 8), `${lines.length} lines, the first: ${lines[0]}`);
  await context.close();
});
