// The provider of the AI SDK is what the types of its versions 6 and 7 ask for.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

const folder = fileURLToPath(new URL('..', import.meta.url));

// types is what a caller may write, and what tsc must refuse.
const types = `
import {createProviderRegistry, customProvider, generateImage, NoImageGeneratedError, wrapImageModel, type ImageModel} from 'ai';
import type {ImageModelV3, ProviderV3} from '@ai-sdk/provider';
import {createClient} from 'ai-worker-client';
import {createAiWorker, NoImageError, type AiWorkerImageOptions, type ImageMetadata} from 'ai-worker-client/ai-sdk';
const client = createClient({baseUrl: 'https://api.test'});
const aiWorker = createAiWorker({client, fetch: globalThis.fetch});
const model: ImageModelV3 = aiWorker.image('gemini-3-pro-image');
const provider: ProviderV3 = aiWorker;
const either: ImageModel = aiWorker();
const options: AiWorkerImageOptions = {imageSize: '2K', metadata: {user: 'u1'}, webhookEvents: ['job.failed']};
const {providerMetadata, image} = await generateImage({model: aiWorker(), prompt: 'p', size: '1024x1024', providerOptions: {aiWorker: options}});
const [told] = providerMetadata.aiWorker?.images as ImageMetadata[];
createProviderRegistry({aiWorker});
customProvider({imageModels: {fast: aiWorker('a')}, fallbackProvider: aiWorker});
wrapImageModel({model: aiWorker.imageModel(), middleware: {specificationVersion: 'v3'}});
const error: unknown = new Error();
if (NoImageGeneratedError.isInstance(error) && error instanceof NoImageError) {
  const {code, jobId}: {code: string; jobId?: string | undefined} = error;
  void [code, jobId];
}
void [model, provider, either, image.uint8Array, told?.jobId];
// @ts-expect-error there is no such size
const wrong: AiWorkerImageOptions = {imageSize: '3K'};
// @ts-expect-error a client or an address is needed
createAiWorker({apiKey: 'k'});
// @ts-expect-error it is no language model
const language: {doStream: unknown} = aiWorker();
void [wrong, language];
`;

let written;
before(async () => {
  written = await mkdtemp(`${folder}.types-`);
});
after(() => rm(written, {recursive: true}));

for (const [name, providers] of Object.entries({ai6: '@ai-sdk/provider', ai7: 'ai7/node_modules/@ai-sdk/provider'})) {
  test(`it and the README compile with the types of ${name}`, async () => {
    const version = JSON.parse(await readFile(`${folder}node_modules/${providers}/package.json`, 'utf8')).version;
    assert.match(version, name === 'ai6' ? /^3\./ : /^4\./, 'the types of this version');
    const blocks = [...(await readFile(`${folder}README.md`, 'utf8')).matchAll(/```ts\n([^]*?)```/g)].map((found) => found[1]);
    const texts = [types, ...blocks.filter((block) => block.includes("from 'ai'"))];
    assert.ok(texts.length > 1, 'the README has an example');
    const files = await Promise.all(texts.map(async (text, i) => {
      const file = `${written}/${name}-${i}.ts`;
      await writeFile(file, text);
      return file;
    }));
    const paths = {ai: [`../node_modules/${name}`], '@ai-sdk/provider': [`../node_modules/${providers}`]};
    const compilerOptions = {
      paths, types: ['node'], lib: ['ES2022', 'DOM', 'DOM.Iterable'], target: 'ES2022', module: 'ESNext', moduleResolution: 'bundler', strict: true,
      exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: true, // the types of the AI SDK do not all compile
    };
    await writeFile(`${written}/tsconfig.json`, JSON.stringify({compilerOptions, files}));
    const tsc = promisify(execFile)(process.execPath, [`${folder}node_modules/typescript/bin/tsc`, '-p', written], {cwd: folder});
    assert.equal(await tsc.then(() => '', (error) => error.stdout), '');
  });
}
