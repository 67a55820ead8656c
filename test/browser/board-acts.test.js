// Each thing that operators do, done once with JavaScript and once without, and its
// effect as the API and the pages tell it.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {createServer} from 'node:http';
import {after, before, test} from 'node:test';
import {promisify} from 'node:util';

import {createClient} from '../../client/dist/index.js';
import {apiKey, startService} from '../../client/test/service.js';
import {checkPage, launch, openContext} from './browser.js';
import {startSeeded} from './seeded.js';

let service, browser, board, client, receiver;
const told = []; // of webhooks, by id
before(async () => {
  receiver = createServer((request, response) => {
    told.push(request.headers['webhook-id']);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise((done) => receiver.listen(0, '127.0.0.1', done));
  [service, browser] = await Promise.all([startSeeded(), launch()]);
  board = `${service.url}/admin/queues`;
  client = createClient({baseUrl: service.url, apiKey});
});
after(async () => {
  await browser?.close();
  await service?.close();
  receiver?.closeAllConnections();
  await new Promise((done) => receiver?.close(done));
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

  // act opens a page, follows a link to its form, gives a reason, checks the form and sends it.
  async function act(page, path, link, button, fill = async () => undefined) {
    await page.goto(board + path);
    await link(page).first().click();
    await fill(page);
    const why = `because of the test ${how}, ${path}`.slice(0, 100);
    await page.getByLabel('Why').fill(why);
    if (javaScriptEnabled) {
      await checkPage(page, `board form of ${path.replace(/[0-9a-f-]{36}/, 'job')} ${await page.getByRole('button', {name: button}).innerText()}`);
    }
    await page.getByRole('button', {name: button}).click();
    await page.getByRole('status').first().waitFor();
    return why;
  }
  const named = (name) => (page) => page.getByRole('link', {name});

  test(`lanes are paused and resumed ${how}`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    for (const verb of ['Pause', 'Resume']) {
      const why = await act(page, '/lanes', (p) => p.locator('section', {has: p.getByRole('heading', {name: 'nano'})}).getByRole('link', {name: `${verb}…`}), new RegExp(`^${verb} `));
      const lane = page.locator('section', {has: page.getByRole('heading', {name: 'nano'})});
      assert.equal(/paused by hand/.test(await lane.innerText()), verb === 'Pause');
      await page.goto(`${board}/audit?target=nano`);
      await page.getByRole('cell', {name: why}).first().waitFor();
    }
    await context.close();
  });

  test(`errors are ignored and noticed ${how}`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    await page.goto(`${board}/errors`);
    const groups = await page.getByRole('link', {name: 'Ignore…'}).count();
    await act(page, '/errors', named('Ignore…'), 'Ignore', (p) => p.getByLabel('Until so many in 24 hours').fill('100000'));
    assert.equal(await page.getByRole('link', {name: 'Ignore…'}).count(), groups - 1);
    await act(page, '/errors', named('Stop ignoring…'), 'Stop ignoring');
    assert.equal(await page.getByRole('link', {name: 'Ignore…'}).count(), groups);
    await context.close();
  });

  test(`a job is canceled, retried, drawn again with edits and deleted ${how}`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    const prompt = `held, ${how}`;
    let go;
    service.gemini.held.set(prompt, new Promise((done) => { go = done; }));
    const {id} = await client.generateImages({prompt, count: 1});
    const path = `/jobs/${id}`;
    await act(page, path, named('Cancel…'), /^Cancel /);
    assert.equal((await client.jobs.get(id)).status, 'canceled');
    go();

    await act(page, path, named('Retry what failed…'), /^Retry /);
    const retry = new URL(page.url()).pathname.split('/').pop();
    assert.equal((await client.jobs.get(retry)).retry_of, id);

    await act(page, path, named('Draw again with edits…'), 'Draw again', async (p) => {
      await p.getByLabel('Prompt').fill(`${prompt}, edited`);
      await p.getByLabel('Pictures').fill('2');
    });
    const drawn = new URL(page.url()).pathname.split('/').pop();
    const job = await ended(drawn);
    assert.deepEqual([job.input.prompt, job.images.length, job.status], [`${prompt}, edited`, 2, 'succeeded']);
    const picture = job.images[0].url;
    assert.equal((await fetch(picture)).status, 200);

    await page.goto(`${board}/jobs/${drawn}`); // what was read is shown for 2 s
    await until(async () => (await page.reload(), page.getByRole('link', {name: 'Delete…'}).count()));
    await act(page, `/jobs/${drawn}`, named('Delete…'), /^Delete /);
    await assert.rejects(client.jobs.get(drawn));
    assert.equal((await fetch(picture)).status, 404);
    assert.equal((await page.goto(`${board}/jobs/${drawn}`)).status(), 404);
    await context.close();
  });

  test(`a webhook is told again ${how}`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    const {id} = await client.generateImages({prompt: `told, ${how}`, count: 1, webhook: `http://127.0.0.1:${receiver.address().port}/`}, {wait: true});
    const of = () => told.filter((name) => name.includes(id.replaceAll('-', ''))).length;
    await until(() => of() === 1);
    await page.goto(`${board}/jobs/${id}`);
    await until(async () => (await page.reload(), page.getByRole('link', {name: 'Replay…'}).count()));
    await act(page, `/jobs/${id}`, named('Replay…'), /^Replay /);
    await until(() => of() === 2);
    await context.close();
  });

  test(`colours are chosen ${how}, and stay`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    await page.goto(`${board}/jobs`);
    await page.getByRole('button', {name: 'dark'}).click();
    await page.goto(`${board}/lanes`);
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    await context.close();
  });

  test(`each page says all ${how}`, async () => {
    const context = await openContext(browser, {javaScriptEnabled});
    const page = await context.newPage();
    for (const path of ['', '/jobs', '/gallery', '/errors', '/lanes', '/spend', '/audit']) {
      assert.equal((await page.goto(board + path)).status(), 200);
      assert.ok((await page.locator('main').innerText()).length > 100, path);
    }
    await page.goto(`${board}/gallery`);
    await page.locator('a.shot').first().click();
    await (javaScriptEnabled ? page.getByRole('dialog') : page.getByText('Asked for')).first().waitFor();
    await context.close();
  });
}

// ended returns a job of the API once it has ended.
async function ended(id) {
  let job;
  await until(async () => ['succeeded', 'partial', 'failed', 'canceled'].includes((job = await client.jobs.get(id)).status));
  return job;
}

// until waits for something that must come.
async function until(test) {
  for (let left = 600; !await test(); left--) {
    assert.ok(left > 0, 'it did not come');
    await new Promise((done) => setTimeout(done, 100));
  }
}

test('the command that a page copies asks for the same again', async () => {
  const context = await openContext(browser, {permissions: ['clipboard-read', 'clipboard-write']});
  const page = await context.newPage();
  const {id} = await client.generateImages({prompt: `it's "quoted" & $HOME`, count: 1, seed: 7, metadata: {a: 'b'}}, {wait: true});
  await page.goto(`${board}/jobs/${id}`);
  await page.getByRole('button', {name: 'Copy'}).click();
  await page.getByRole('button', {name: 'Copied'}).waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  const {stdout} = await promisify(execFile)('sh', ['-c', `${command} -s`], {env: {...process.env, API_KEY: apiKey}});
  const again = await client.jobs.get(JSON.parse(stdout).id);
  assert.deepEqual([again.input.prompt, again.input.seed, again.metadata], [`it's "quoted" & $HOME`, 7, {a: 'b'}]);
  await context.close();
});

test('who logs in comes to the page that was asked for, and who logs out is out', async () => {
  // The hash of "correct horse battery", by `ai-worker password`.
  const hash = '$2a$12$L6.v4JEZzHhTWBdxZbJ5ueT6WaFDv3QG/t6YTrxZzvjpqeHB9gcYi';
  const closed = await startService({DASHBOARD_USERS: `ada:admin:${hash}`});
  const context = await openContext(browser);
  const page = await context.newPage();
  try {
    await page.goto(`${closed.url}/admin/queues/lanes`);
    await page.getByLabel('Name').waitFor();
    context.complaints.length = 0; // the browser tells of the 401
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', {name: 'Log in'}).click();
    await page.waitForURL(/\/lanes$/);
    await checkPage(page, 'board logged in');
    await page.getByRole('button', {name: 'Log out'}).click();
    await page.getByLabel('Password').waitFor();
    await page.goto(`${closed.url}/admin/queues/lanes`);
    assert.match(page.url(), /\/login/);
  } finally {
    await context.close();
    await closed.close();
  }
});
