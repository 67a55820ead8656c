// The example app in a real browser, against the real service, as visitors use
// it: on a good day and on a bad one.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {createClient} from '../../client/dist/index.js';
import {apiKey, startService} from '../../client/test/service.js';
import {startApp} from './app.js';
import {checkPage, launch, looks, openContext, patience} from './browser.js';
import {png} from './png.js';

const colors = [[150, 70, 40], [40, 90, 130], [70, 110, 60], [120, 80, 120]];
let painted = 0;

// paint draws what a model would: a little off the shape that was asked for.
function paint({generationConfig}) {
  const [width, height] = (generationConfig?.imageConfig?.aspectRatio ?? '1:1').split(':').map(Number);
  const unit = Math.sqrt(400 * 400 / (width * height));
  return png(Math.round(width * unit) + 7, Math.round(height * unit), colors[painted++ % colors.length]).toString('base64');
}

let service, app, browser, client;
before(async () => {
  service = await startService({}, {paint});
  app = await startApp({url: service.url, apiKey, OPEN_TO_ALL: '1'});
  browser = await launch();
  client = createClient({baseUrl: service.url, apiKey});
});
after(async () => {
  await browser?.close();
  await app?.close();
  await service?.close();
});

// hold keeps the pictures of a prompt back, and returns what lets some of them go.
function hold(prompt) {
  let allowed = 0;
  const waiting = [];
  const serve = () => {
    while (allowed > 0 && waiting.length > 0) {
      allowed--;
      waiting.shift()();
    }
  };
  service.gemini.held.set(prompt, () => new Promise((resolve) => {
    waiting.push(resolve);
    serve();
  }));
  return (count) => {
    allowed += count;
    serve();
  };
}

// jobsOf returns the jobs that the service has for a prompt.
async function jobsOf(prompt) {
  const jobs = [];
  for await (const job of client.jobs.list({q: prompt})) {
    jobs.push(job);
  }
  return jobs;
}

// checkOneJob fails unless a prompt is one job, whose two pictures were drawn once.
async function checkOneJob(prompt) {
  assert.equal((await jobsOf(prompt)).length, 1);
  assert.equal(service.gemini.drawn.get(prompt), 2);
}

// openForm opens the form in a browser of its own, and fills it in.
async function openForm(prompt, look) {
  const context = await openContext(browser, look);
  const page = await context.newPage();
  await compose(page, prompt);
  return {context, page};
}

// compose fills in the form.
async function compose(page, prompt, {count = 2, ratio = '1:1'} = {}) {
  await page.goto(app.url);
  await page.getByLabel('What should it show?').fill(prompt);
  await page.getByRole('radio', {name: ratio, exact: true}).check();
  await page.getByRole('radio', {name: String(count), exact: true}).check();
}

const draw = (page) => page.getByRole('button', {name: 'Draw', exact: true});
const pictures = (page) => page.locator('.tile img');

// seen waits until a page shows so many pictures, whole.
async function seen(page, count) {
  await page.waitForFunction((n) => {
    const shown = [...document.querySelectorAll('.tile img')];
    return shown.length === n && shown.every((image) => image.complete && image.naturalWidth > 0);
  }, count, {timeout: patience});
}

const says = (page, text) => page.getByRole('region', {name: 'Result'}).getByText(text).first().waitFor();

for (const {name, ...look} of looks) {
  test(`pictures arrive one by one, each in the place that was kept for it (${name})`, async () => {
    const prompt = `three boats in the harbour (${name})`;
    const release = hold(prompt);
    const context = await openContext(browser, look);
    const page = await context.newPage();
    await page.goto(app.url);
    await checkPage(page, `empty (${name})`);
    await compose(page, prompt, {count: 3, ratio: '3:2'});
    await draw(page).click();
    await says(page, '0 of 3 developed');
    const places = () => page.locator('.tile').evaluateAll((tiles) => tiles.map((tile) => {
      const {x, y, width, height} = tile.getBoundingClientRect();
      return [x, y + scrollY, width, height].map(Math.round).join();
    }));
    const reserved = await places();
    assert.equal(reserved.length, 3);
    for (const count of [1, 2]) {
      release(1);
      await seen(page, count);
      assert.deepEqual(await places(), reserved);
      await checkPage(page, `${count} of 3 (${name})`);
    }
    release(1);
    await seen(page, 3);
    await says(page, 'All 3 pictures are done');
    assert.deepEqual(await places(), reserved);
    await page.getByRole('region', {name: 'History'}).getByRole('link', {name: prompt}).waitFor();
    await checkPage(page, `done (${name})`);
    await page.getByRole('link', {name: 'Link to this job'}).click();
    await page.getByRole('button', {name: 'Delete'}).waitFor();
    await seen(page, 3);
    await checkPage(page, `job (${name})`);
    await context.close();
  });
}

test('a reload in the middle goes on with the same job', async () => {
  const prompt = 'reloaded in the middle';
  const release = hold(prompt);
  const {context, page} = await openForm(prompt);
  await draw(page).click();
  release(1);
  await seen(page, 1);
  await page.reload();
  await seen(page, 1);
  release(1);
  await seen(page, 2);
  await checkOneJob(prompt);
  await page.reload();
  await seen(page, 2); // what was drawn is still there
  await checkPage(page, 'after a reload');
  await context.close();
});

test('a reload before the answer is one job', async () => {
  const prompt = 'reloaded before the answer';
  const {context, page} = await openForm(prompt);
  let arrived;
  const first = new Promise((resolve) => {
    arrived = resolve;
  });
  await page.route('**/api/images', async (route) => {
    if (route.request().method() !== 'POST') {
      return route.continue();
    }
    await route.fetch(); // the service has it, and the page never hears of it
    await page.unroute('**/api/images');
    arrived();
    return undefined;
  });
  await draw(page).click();
  await first;
  await page.reload();
  await seen(page, 2);
  await checkOneJob(prompt);
  await context.close();
});

test('a double click is one job', async () => {
  const prompt = 'pressed twice';
  const {context, page} = await openForm(prompt);
  await draw(page).dblclick();
  await seen(page, 2);
  await checkOneJob(prompt);
  await context.close();
});

test('a job that is canceled ends, and what was drawn stays', async () => {
  const prompt = 'canceled on the way';
  const release = hold(prompt);
  const {context, page} = await openForm(prompt);
  await draw(page).click();
  release(1);
  await seen(page, 1);
  await page.getByRole('button', {name: 'Cancel'}).click();
  await says(page, '1 of 2 pictures are done');
  const [job] = await jobsOf(prompt);
  assert.deepEqual([job.status, job.images.map((i) => i.status).sort()], ['partial', ['canceled', 'succeeded']]);
  await checkPage(page, 'canceled');
  await context.close();
});

test('a prompt that is blocked is said plainly, and retried where it stands', async () => {
  const prompt = 'blocked at first';
  service.gemini.refused.add(prompt);
  const {context, page} = await openForm(prompt, {width: 320, height: 640, colorScheme: 'dark'});
  await draw(page).click();
  await says(page, 'Nothing could be drawn');
  const [job] = await jobsOf(prompt);
  await says(page, job.images[0].error.message);
  await checkPage(page, 'blocked');
  service.gemini.refused.delete(prompt);
  await page.getByRole('button', {name: 'Draw what is missing'}).click();
  await seen(page, 2);
  const jobs = await jobsOf(prompt);
  assert.deepEqual(jobs.map((j) => j.retry_of), [job.id, null]);
  await page.reload();
  await seen(page, 2); // of the new job
  await checkPage(page, 'retried');
  await context.close();
});

test('who was offline has everything once they are back', async () => {
  const prompt = 'while nobody was there';
  const release = hold(prompt);
  const {context, page} = await openForm(prompt);
  await draw(page).click();
  await says(page, '0 of 2 developed');
  await context.setOffline(true);
  await says(page, 'You are offline');
  release(2);
  await client.jobs.wait((await jobsOf(prompt))[0].id);
  await context.setOffline(false);
  await seen(page, 2);
  await says(page, 'All 2 pictures are done');
  await context.close();
});

test('two tabs show one job, and nobody else does', async () => {
  const prompt = 'seen from two tabs';
  const release = hold(prompt);
  const {context, page: one} = await openForm(prompt);
  const two = await context.newPage();
  await draw(one).click();
  await says(one, '0 of 2 developed');
  const [job] = await jobsOf(prompt);
  await two.goto(`${app.url}/jobs/${job.id}`);
  await says(two, '0 of 2 developed');
  release(2);
  await one.bringToFront();
  await seen(one, 2);
  await two.bringToFront();
  await seen(two, 2);
  assert.deepEqual(context.complaints, []);

  const other = await openContext(browser);
  const foreign = await other.newPage();
  assert.equal((await foreign.goto(`${app.url}/jobs/${job.id}`)).status(), 404);
  assert.equal((await foreign.request.get(`${app.url}/api/images/${job.id}`)).status(), 404);
  await foreign.getByText('Nothing is here').waitFor();

  await two.getByRole('button', {name: 'Delete'}).click();
  await draw(two).waitFor();
  assert.deepEqual(await jobsOf(prompt), []);
  await Promise.all([context.close(), other.close()]);
});

test('a picture to start from goes straight to the bucket', async () => {
  const prompt = 'the same by night';
  const context = await openContext(browser);
  const page = await context.newPage();
  const puts = [];
  page.on('request', (request) => request.method() === 'PUT' && puts.push(new URL(request.url()).origin));
  await compose(page, prompt, {count: 1, ratio: '16:9'});
  await page.locator('input[type=file]').setInputFiles({name: 'day.png', mimeType: 'image/png', buffer: png(64, 64, colors[0])});
  await page.getByText('Starts from day.png').waitFor();
  await checkPage(page, 'with an input picture');
  await draw(page).click();
  await seen(page, 1);
  const [job] = await jobsOf(prompt);
  assert.equal(job.input.input_images.length, 1);
  assert.equal(puts.length, 1);
  assert.notEqual(puts[0], app.url);
  await page.getByRole('button', {name: 'Remove'}).click();
  await page.locator('input[type=file]').setInputFiles({name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture')});
  await page.getByRole('form', {name: 'New picture'}).getByText('choose a PNG, JPEG or WebP').waitFor();
  await context.close();
});

test('a visitor whose cookie is none of the app\'s has no jobs by it, and is given another one', async () => {
  for (const value of ['x', 'x'.repeat(300)]) {
    const context = await openContext(browser);
    await context.addCookies([{name: 'visitor', value, url: app.url}]);
    const page = await context.newPage();
    assert.equal((await page.request.get(`${app.url}/api/images`)).status(), 401, value);
    await page.goto(app.url);
    await page.getByText('What you have drawn is kept here.').waitFor();
    assert.equal((await page.request.get(`${app.url}/api/images`)).status(), 200);
    await context.close();
  }
});

test('an app that is open to nobody says so, and a code opens it', async () => {
  const closed = await startApp({url: service.url, apiKey});
  const locked = await startApp({url: service.url, apiKey, ACCESS_CODE: 'a code of many letters'});
  const context = await openContext(browser);
  const page = await context.newPage();
  try {
    await page.goto(closed.url);
    await page.getByText('This app is closed').waitFor();
    await checkPage(page, 'closed');
    assert.equal((await page.request.get(`${closed.url}/api/images`)).status(), 401);

    await page.goto(locked.url);
    await checkPage(page, 'locked');
    for (const [code, text] of [['another one', 'That is not the code.'], ['a code of many letters', 'What should it show?']]) {
      await page.getByLabel('Access code').fill(code);
      await page.getByRole('button', {name: 'Enter'}).click();
      await page.getByText(text).first().waitFor();
    }
  } finally {
    await context.close();
    await Promise.all([closed.close(), locked.close()]);
  }
});
