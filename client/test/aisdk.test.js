// The provider of the AI SDK through the real generateImage of its versions 6 and
// 7, against the real service.

import assert from 'node:assert/strict';
import {after, before, mock, test} from 'node:test';

import * as ai6 from 'ai6';
import * as ai7 from 'ai7';
import {createClient, InvalidRequestError, UsageError} from 'ai-worker-client';
import {createAiWorker, NoImageError} from 'ai-worker-client/ai-sdk';

import {silent} from './answers.js';
import {run, settle, useClock} from './clock.js';
import {apiKey, startService} from './service.js';

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

let service, client;
before(async () => {
  globalThis.AI_SDK_LOG_WARNINGS = false;
  service = await startService();
  client = createClient({baseUrl: service.url, apiKey});
});
after(() => service.close());

// recording returns a provider, and what it sends. meet may answer in place of the
// service: it is handed the request and what sends it on.
function recording(meet = (request, send) => send()) {
  const sent = [];
  const fetch = async (url, init) => {
    const request = {method: init.method, path: new URL(url).pathname, url, ...init};
    sent.push(request);
    return meet(request, () => globalThis.fetch(url, init));
  };
  const posts = () => sent.filter((r) => r.method === 'POST' && r.path === '/api/generate-images');
  return {aiWorker: createAiWorker({baseUrl: service.url, apiKey, fetch}), sent, posts};
}

// jobsOf returns the jobs with a prompt.
async function jobsOf(prompt) {
  const jobs = [];
  for await (const job of client.jobs.list({q: prompt})) {
    jobs.push(job);
  }
  return jobs;
}

for (const [name, {generateImage, NoImageGeneratedError, createProviderRegistry}] of Object.entries({'ai 6': ai6, 'ai 7': ai7})) {
  test(`${name}: a picture is drawn, and says what it was`, async () => {
    const {aiWorker, posts} = recording();
    const {image, images, warnings, providerMetadata, responses} = await generateImage({
      model: aiWorker.image(), prompt: `${name} one`, aspectRatio: '16:9', seed: 7,
      providerOptions: {aiWorker: {imageSize: '1K', priority: 'low', metadata: {user: 'u1'}, maxCostUsd: 1, expiresIn: 600}},
    });
    assert.deepEqual([images.length, image.mediaType, Buffer.from(image.uint8Array)], [1, 'image/png', png]);
    assert.deepEqual(warnings, []);
    const [{jobId, ...told}] = providerMetadata.aiWorker.images;
    const job = await client.jobs.get(jobId);
    assert.deepEqual(job.input, {
      prompt: `${name} one`, model: job.input.model, count: 1, aspect_ratio: '16:9', image_size: '1K', seed: 7, max_cost_usd: 1,
    });
    assert.deepEqual([job.priority, job.metadata, Date.parse(job.expires_at) - Date.parse(job.created_at)], ['low', {user: 'u1'}, 600_000]);
    assert.deepEqual(told, {
      index: 0, url: job.output[0], urlExpiresAt: job.url_expires_at, contentType: 'image/png', width: 1, height: 1,
      sha256: job.images[0].sha256, modelVersion: 'stand-in', costUsd: job.cost_usd,
    });
    assert.ok(told.costUsd > 0);
    assert.deepEqual(responses, [{timestamp: new Date(job.created_at), modelId: 'stand-in', headers: undefined}]);
    assert.equal(posts().length, 1);
  });

  test(`${name}: four pictures are one job under one key`, async () => {
    const {aiWorker, posts} = recording();
    const {images, providerMetadata} = await generateImage({model: aiWorker('gemini-nano-banana-2.1'), prompt: `${name} four`, n: 4});
    const told = providerMetadata.aiWorker.images;
    assert.deepEqual([images.length, told.map((i) => i.index), new Set(told.map((i) => i.jobId)).size], [4, [0, 1, 2, 3], 1]);
    const job = await client.jobs.get(told[0].jobId);
    assert.ok(Math.abs(told.reduce((sum, i) => sum + i.costUsd, 0) - job.cost_usd) < 1e-9);
    assert.equal(job.input.model, 'gemini-nano-banana-2.1');
    assert.deepEqual([posts().length, service.gemini.drawn.get(`${name} four`)], [1, 4]);
  });

  test(`${name}: a size is one of the model's, or is warned of`, async () => {
    const {aiWorker, posts} = recording();
    const draw = (more) => generateImage({model: aiWorker(), prompt: `${name} size`, ...more});
    assert.deepEqual((await draw({size: '2752x1536'})).warnings, []);
    assert.deepEqual((await draw({size: '1920x1080'})).warnings.map((w) => [w.type, w.feature]), [['unsupported', 'size']]);
    assert.deepEqual((await draw({size: '1000x700'})).warnings.map((w) => [w.type, w.feature]), [['unsupported', 'size']]);
    assert.deepEqual((await draw({size: '1024x1024', aspectRatio: '3:4'})).warnings.map((w) => w.feature), ['size']);
    assert.deepEqual((await draw({size: '896x1200', aspectRatio: '3:4'})).warnings, []);
    assert.deepEqual((await draw({aspectRatio: '7:9'})).warnings.map((w) => [w.type, w.feature]), [['unsupported', 'aspectRatio']]);
    assert.deepEqual(posts().map(({body}) => JSON.parse(body)).map((b) => [b.aspect_ratio, b.image_size]), [
      ['16:9', '2K'], ['16:9', undefined], [undefined, undefined], ['3:4', undefined], ['3:4', '1K'], [undefined, undefined],
    ]);
  });

  test(`${name}: pictures to start from arrive in their order`, async () => {
    const {aiWorker, sent} = recording();
    const large = Buffer.concat([png, Buffer.alloc(300 << 10)]); // what follows a PNG's end is not looked at
    const url = 'https://pictures.example.com/a.png';
    const {warnings, providerMetadata} = await generateImage({
      model: aiWorker(), prompt: {text: `${name} from`, images: [png, url, large], mask: png}, headers: {'X-Trace': '1'},
    });
    const {parts} = service.gemini.asked.get(`${name} from`).contents[0];
    assert.deepEqual([parts[1].inlineData.data, parts[2].fileData.fileUri, parts[3].inlineData.data], [png.toString('base64'), url, large.toString('base64')]);
    assert.deepEqual(sent.filter((r) => r.method === 'PUT').map((r) => [r.body.size, r.headers.Authorization]), [[large.length, undefined]]);
    assert.deepEqual(warnings.map((w) => w.feature), ['mask', 'headers']);
    assert.equal((await client.jobs.get(providerMetadata.aiWorker.images[0].jobId)).input.input_images[1], url);
  });

  test(`${name}: a refused prompt is asked once, and says why`, async () => {
    const {aiWorker, posts} = recording();
    service.gemini.refused.add(`${name} refused`);
    const error = await generateImage({model: aiWorker(), prompt: `${name} refused`, n: 2, maxRetries: 5}).catch((e) => e);
    assert.ok(error instanceof NoImageError, String(error));
    assert.ok(NoImageGeneratedError.isInstance(error));
    const [job] = await jobsOf(`${name} refused`);
    assert.deepEqual([error.code, error.jobId, error.isRetryable, error.responses.length, posts().length], ['blocked', job.id, false, 1, 1]);
    assert.match(error.message, /blocked: /);
  });

  test(`${name}: a refusal of the service is asked once, and names the field`, async () => {
    const {aiWorker, posts} = recording();
    const error = await generateImage({model: aiWorker('no-such-model'), prompt: 'p', maxRetries: 5}).catch((e) => e);
    assert.ok(error instanceof InvalidRequestError, String(error));
    assert.deepEqual([error.fields.map((f) => f.location), posts().length], [['body.model'], 1]);
    await assert.rejects(generateImage({model: aiWorker(), prompt: 'p', providerOptions: {aiWorker: {maxCostUSD: 1}}}), /no option maxCostUSD; there are imageSize, /);
    await assert.rejects(generateImage({model: aiWorker(), prompt: {images: [png]}}), UsageError);
    assert.equal(posts().length, 1);
  });

  test(`${name}: of a job with some pictures those are returned, with a warning`, async (t) => {
    const seed = name === 'ai 6' ? 6000 : 7000;
    service.gemini.refused.add(seed + 1);
    const {aiWorker, posts} = recording();
    const {images, warnings, providerMetadata} = await generateImage({model: aiWorker(), prompt: `${name} partial`, n: 3, seed});
    const told = providerMetadata.aiWorker.images;
    assert.deepEqual([images.length, told.map((i) => i.index), posts().length], [2, [0, 2], 1]);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0].message, new RegExp(`^1 of 3 pictures of job ${told[0].jobId} are missing \\(picture 1: blocked: .*\\); jobs.retry`));
    t.diagnostic(warnings[0].message);
  });

  test(`${name}: answers that are lost make no second job`, async () => {
    mock.method(Math, 'random', () => 0); // no back-off
    let lost = 0;
    const {aiWorker, posts} = recording(async ({method, path}, send) => {
      const answer = await send();
      return method === 'POST' && path === '/api/generate-images' && lost++ < 2 ? new Response('busy', {status: 503}) : answer;
    });
    try {
      await generateImage({model: aiWorker(), prompt: `${name} busy`});
    } finally {
      mock.restoreAll();
    }
    assert.deepEqual([posts().length, new Set(posts().map((r) => r.headers['Idempotency-Key'])).size], [3, 1]);
    assert.deepEqual([(await jobsOf(`${name} busy`)).length, service.gemini.drawn.get(`${name} busy`)], [1, 1]);
  });

  test(`${name}: a service that stays away is asked by one call alone`, async () => {
    mock.method(Math, 'random', () => 0);
    const {aiWorker, posts} = recording(() => new Response('busy', {status: 503}));
    try {
      const error = await generateImage({model: aiWorker(), prompt: 'away'}).catch((e) => e);
      assert.deepEqual([error.status, error.idempotencyKey], [503, posts()[0].headers['Idempotency-Key']]);
    } finally {
      mock.restoreAll();
    }
    assert.equal(posts().length, 6, 'the first try and the five of the client');
  });

  for (const [when, isIt] of Object.entries({
    'while the job is drawn': ({path}) => path.endsWith('/events'),
    'before the service has answered': ({path}) => path === '/api/generate-images',
  })) {
    test(`${name}: an abort ${when} cancels the job`, async () => {
      const prompt = `${name} aborted ${when}`;
      let release;
      service.gemini.held.set(prompt, new Promise((resolve) => {
        release = resolve;
      }));
      const caller = new AbortController();
      const {aiWorker, posts} = recording(async (request, send) => {
        const answer = await send();
        if (isIt(request)) {
          caller.abort();
        }
        return answer;
      });
      const error = await generateImage({model: aiWorker(), prompt, n: 2, abortSignal: caller.signal, maxRetries: 5}).catch((e) => e);
      const [job] = await jobsOf(prompt);
      release();
      assert.deepEqual([error.name, error.cause, error.jobId, job.status], ['AbortError', caller.signal.reason, job.id, 'canceled']);
      assert.equal(posts().length, 1);
    });
  }

  test(`${name}: an abort before the call sends nothing; one by a time is a TimeoutError`, async () => {
    const {aiWorker, sent} = recording();
    await assert.rejects(generateImage({model: aiWorker(), prompt: 'p', abortSignal: AbortSignal.abort()}), {name: 'AbortError'});
    const late = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
    await assert.rejects(generateImage({model: aiWorker(), prompt: 'p', abortSignal: late}), {name: 'TimeoutError'});
    assert.equal(sent.length, 0);
  });

  test(`${name}: a key of the caller's is one job, which no split call may have`, async () => {
    const {aiWorker, posts} = recording();
    const large = Buffer.concat([png, Buffer.alloc(300 << 10)]);
    const draw = (more) => generateImage({
      model: aiWorker(), prompt: {text: `${name} order`, images: [large]}, providerOptions: {aiWorker: {idempotencyKey: `${name} order 1`}}, ...more,
    });
    const jobs = [await draw(), await draw()].map((drawn) => drawn.providerMetadata.aiWorker.images[0].jobId);
    assert.deepEqual([new Set(jobs).size, service.gemini.drawn.get(`${name} order`), posts().length], [1, 1, 2]);
    await assert.rejects(draw({n: 3, maxImagesPerCall: 1}), UsageError);
    await assert.rejects(draw({n: 32}), UsageError);
    assert.equal(posts().length, 2);
    const {images} = await generateImage({model: aiWorker(), prompt: `${name} split`, n: 18});
    assert.deepEqual([images.length, posts().length], [18, 4]);
  });

  test(`${name}: it is a provider of a registry`, async () => {
    const registry = createProviderRegistry({aiWorker: recording().aiWorker});
    const model = registry.imageModel('aiWorker:gemini-nano-banana-2.1');
    assert.equal((await generateImage({model, prompt: `${name} registry`})).images.length, 1);
    assert.throws(() => registry.languageModel('aiWorker:x'), UsageError);
  });
}

test('a picture that breaks off is downloaded again, one that is too long is not', async () => {
  mock.method(Math, 'random', () => 0);
  const bodies = [png.subarray(0, 9), png, Buffer.concat([png, png])];
  const {aiWorker, sent} = recording(({method, headers}, send) => (method === 'GET' && !headers.Authorization ? new Response(bodies.shift()) : send()));
  const {doGenerate} = aiWorker();
  try {
    const {images} = await doGenerate({prompt: 'breaks off', n: 1, providerOptions: {}});
    assert.deepEqual(Buffer.from(images[0]), png);
    const error = await doGenerate({prompt: 'too long', n: 1, providerOptions: {}}).catch((e) => e);
    assert.deepEqual([error.code, error.jobId, bodies.length], ['wrong_length', (await jobsOf('too long'))[0].id, 0]);
    assert.ok(error.idempotencyKey);
  } finally {
    mock.restoreAll();
  }
  assert.equal(sent.filter((r) => r.method === 'GET' && !r.headers.Authorization).length, 3);
});

// ended returns a provider whose job has ended with so many pictures.
function ended(count, fetch, bytes = 1) {
  const images = Array.from({length: count}, (_, index) => ({index, status: 'succeeded', url: `https://bucket.test/${index}`, bytes}));
  const job = {id: 'j', status: 'succeeded', images, input: {}, cost_usd: null, url_expires_at: null, created_at: '2026-11-24T12:00:00Z'};
  return createAiWorker({client: {generateImages: async () => job}, fetch});
}
const indexOf = (address) => Number(address.split('/').pop());

test('pictures stay in their order, and a few are downloaded at once', async () => {
  const waiting = new Map();
  let most = 0;
  const fetch = (address) => new Promise((resolve) => {
    waiting.set(address, () => resolve(new Response(new Uint8Array([indexOf(address)]))));
    most = Math.max(most, waiting.size);
    if (waiting.size === 4 || indexOf(address) === 8) { // then the latest is answered first
      [...waiting].reverse().forEach(([key, answer]) => waiting.delete(key) && answer());
    }
  });
  const {images, providerMetadata} = await ended(9, fetch)().doGenerate({prompt: 'p', n: 9, providerOptions: {}});
  assert.deepEqual(images.map(([byte]) => byte), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([most, providerMetadata.aiWorker.images[0].costUsd], [4, null]);
});

test('a download that is silent for half a minute is begun anew', async (t) => {
  useClock(t);
  const parts = (count, everyMs) => ({signal}) => new Response(new ReadableStream({
    async start(controller) {
      signal.addEventListener('abort', () => controller.error(signal.reason));
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        controller.enqueue(new Uint8Array(1));
      }
      if (count > 0) {
        controller.close();
      }
    },
  }));
  const draw = async (bytes, ...answers) => {
    const aiWorker = ended(1, async (_, init) => answers.shift()(init), bytes);
    const began = Date.now();
    const {images} = await run(aiWorker().doGenerate({prompt: 'p', n: 1, providerOptions: {}}));
    return [images[0].length, answers.length, Date.now() - began];
  };
  assert.deepEqual(await draw(1, silent, parts(0, 0), () => new Response('a')), [1, 0, 62_000], 'with pauses of 0.5 and 1 s');
  assert.deepEqual(await draw(4, parts(4, 25_000)), [4, 0, 100_000], 'a slow one goes on');
});

test('when a picture cannot be had, no more are asked for', async () => {
  const asked = [];
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const fetch = async (address) => {
    asked.push(indexOf(address));
    if (indexOf(address) === 0) {
      return new Response(null, {status: 403});
    }
    await held;
    return new Response(new Uint8Array([1]));
  };
  const error = await ended(9, fetch)().doGenerate({prompt: 'p', n: 9, providerOptions: {}}).catch((e) => e);
  release();
  await settle();
  assert.deepEqual([error.status, error.jobId, error.message, asked], [403, 'j', 'GET of the picture: 403 ', [0, 1, 2, 3]]);
});
