// The package as others get it: packed, checked, installed, imported, compiled.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {cp, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {runInNewContext} from 'node:vm';
import {gzipSync} from 'node:zlib';

import {build} from 'esbuild';
import {publint} from 'publint';

const client = fileURLToPath(new URL('..', import.meta.url));
const modules = join(client, 'node_modules');
const {exports: published, peerDependencies = {}} = JSON.parse(await readFile(join(client, 'package.json'), 'utf8'));
// entries has what others import, by its name, such as ai-worker-client/webhooks.
const entries = Object.entries(published).filter(([path]) => path !== './package.json')
  .map(([path, {default: file}]) => [path.replace('.', 'ai-worker-client'), file]);
const peers = Object.keys(peerDependencies);

// run runs a program, and fails with what it printed.
async function run(cwd, program, ...args) {
  try {
    return (await promisify(execFile)(program, args, {cwd})).stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}:\n${error.stdout}\n${error.stderr}`);
  }
}

let project, tarball;
before(async () => {
  project = await mkdtemp(join(tmpdir(), 'ai-worker-project-'));
  const [{filename}] = JSON.parse(await run(client, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', project)); // it is built
  tarball = join(project, filename);
  await writeFile(join(project, 'package.json'), JSON.stringify({name: 'project', private: true, type: 'module'}));
  await run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball);
  await Promise.all(peers.map((peer) => symlink(join(modules, peer), join(project, 'node_modules', peer))));
});
after(() => rm(project, {recursive: true}));

test('publint finds nothing', async () => {
  const {messages} = await publint({pkgDir: join(project, 'node_modules/ai-worker-client'), pack: false, strict: true, level: 'suggestion'});
  assert.deepEqual(messages, []);
});

test('its types are those of its code, to every resolver of ESM', async () => {
  await run(client, process.execPath, join(modules, '@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--no-emoji');
});

// bytes returns the size of an entry, or of some of its names, minified and gzipped, without what it loads only when that is needed.
async function bytes(entry, names = '*') {
  const contents = `export ${names} from './${entry}'`;
  const external = ['react', ...['./watch.js', './follow.js'].filter((file) => !file.endsWith(entry))];
  const {outputFiles} = await build({
    stdin: {contents, resolveDir: join(client, 'dist')}, bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, external,
  });
  return gzipSync(outputFiles[0].contents, {level: 9}).length;
}

test('it is small', async (t) => {
  const files = [...entries, ['watch', './dist/watch.js']];
  const sizes = Object.fromEntries(await Promise.all(files.map(async ([name, file]) => [name, await bytes(basename(file))])));
  sizes.useImageJob = await bytes('react.js', '{useImageJob}');
  t.diagnostic(JSON.stringify(sizes));
  assert.ok(sizes['ai-worker-client'] <= 4000, `the core has ${sizes['ai-worker-client']} bytes`);
  assert.ok(sizes.useImageJob <= 3000, `useImageJob has ${sizes.useImageJob} bytes`);
});

// bundle returns what an application has of an entry, and the files that are in it.
async function bundle(name, options) {
  const {outputFiles, metafile, warnings} = await build({
    stdin: {contents: `export * from '${name}';`, resolveDir: project}, bundle: true, write: false, metafile: true, target: 'es2022',
    format: 'cjs', external: peers.flatMap((peer) => [peer, `${peer}/*`]), logLevel: 'silent', ...options,
  });
  assert.deepEqual(warnings, []);
  const inside = 'node_modules/ai-worker-client/dist/';
  const files = Object.keys(metafile.inputs).filter((file) => file.includes(inside)).map((file) => file.slice(file.indexOf(inside) + inside.length));
  return {code: outputFiles[0].text, files: files.sort()};
}

// web has what browsers and edge runtimes have in common. Nothing of Node.js is in it.
const web = Object.fromEntries([
  'AbortController', 'AbortSignal', 'Blob', 'DOMException', 'Headers', 'ReadableStream', 'Request', 'Response', 'TextDecoder', 'TextEncoder', 'URL',
  'URLSearchParams', 'atob', 'btoa', 'clearTimeout', 'crypto', 'fetch', 'queueMicrotask', 'setTimeout',
].map((name) => [name, globalThis[name]]));

for (const [name, file] of entries) {
  test(`${name} is imported by Node.js, and runs as a bundle in browsers and at the edge`, async () => {
    const imports = `console.log(Object.keys(await import('${name}')).sort().join())`;
    const names = (await run(project, process.execPath, '--input-type=module', '-e', imports)).trim();
    assert.ok(names.length > 0);
    for (const options of [{platform: 'browser'}, {platform: 'neutral', conditions: ['edge-light', 'workerd', 'worker']}]) {
      const {code, files} = await bundle(name, options);
      assert.ok(files.includes(file.replace('./dist/', '')), String(files));
      const module = {exports: {}};
      runInNewContext(code, {...web, module, exports: module.exports, require: createRequire(join(project, 'package.json'))});
      assert.equal(Object.keys(module.exports).sort().join(), names);
    }
  });
}

test('who verifies webhooks has nothing else', async () => {
  assert.deepEqual((await bundle('ai-worker-client/webhooks', {platform: 'neutral'})).files, ['webhooks.js']);
});

test('it is imported by its names, and nothing else is', async () => {
  const imports = (name) => `console.log(Object.keys(await import('${name}')).sort().join())`;
  const names = async (name) => (await run(project, process.execPath, '--input-type=module', '-e', imports(name))).trim();
  assert.match(await names('ai-worker-client'), /createClient,createJobToken,hasEnded$/);
  assert.equal(await names('ai-worker-client/next'), 'createRouteHandler,redisStore,upstash');
  assert.equal(await names('ai-worker-client/webhooks'), 'WebhookVerificationError,signTestWebhook,verifyWebhook');
  assert.equal(await names('ai-worker-client/ai-sdk'), 'NoImageError,createAiWorker');
  const react = await readFile(join(project, 'node_modules/ai-worker-client/dist/react.js'), 'utf8');
  assert.match(react, /^'use client';\n/);
  await assert.rejects(names('ai-worker-client/dist/transport.js'), /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

// source makes a copy of the package as it is in a repository: nothing of it is built.
async function source() {
  const folder = await mkdtemp(join(tmpdir(), 'ai-worker-source-'));
  await Promise.all(['.npmrc', 'package.json', 'README.md', 'llms.txt', 'tsconfig.json', 'scripts', 'src'].map((file) => (
    cp(join(client, file), join(folder, file), {recursive: true}))));
  return folder;
}

test('it is built when it is packed, and when it is a dependency by its folder', async (t) => {
  const folder = await source();
  t.after(() => rm(folder, {recursive: true}));
  await assert.rejects(run(folder, 'npm', 'pack', '--json'), /TypeScript is not installed.*npm ci/);
  await symlink(modules, join(folder, 'node_modules'));
  const [{files, filename}] = JSON.parse(await run(folder, 'npm', 'pack', '--json'));
  const built = files.map((file) => file.path);
  const roots = [...new Set(built.map((path) => path.split('/')[0]))].sort();
  assert.deepEqual(roots, ['README.md', 'dist', 'llms.txt', 'package.json', 'src']);
  for (const [, file] of entries) {
    assert.ok(built.includes(file.replace('./', '')), `${filename} has ${file}`);
  }
  await rm(join(folder, 'dist'), {recursive: true});
  const app = await mkdtemp(join(tmpdir(), 'ai-worker-app-'));
  t.after(() => rm(app, {recursive: true}));
  await writeFile(join(app, 'package.json'), JSON.stringify({private: true, type: 'module', dependencies: {'ai-worker-client': `file:${folder}`}}));
  await run(app, 'npm', 'install', '--install-links', '--offline', '--no-audit', '--no-fund');
  assert.match(await run(app, process.execPath, '-e', "import('ai-worker-client').then((all) => console.log(typeof all.createClient))"), /function/);
});

// types is what a caller may write, and what tsc must refuse.
const types = `
import {createClient, type Job, type JobStatus} from 'ai-worker-client';
import {createRouteHandler, redisStore, upstash, type Grant, type UserJob} from 'ai-worker-client/next';
import {jobQueryOptions, uploadPicture, useImageJob, type ImageJob, type Picture} from 'ai-worker-client/react';
import {verifyWebhook} from 'ai-worker-client/webhooks';
const client = createClient({baseUrl: 'https://api.test', fetch: globalThis.fetch});
const job: Job = await client.generateImages({prompt: 'p'}, {signal: AbortSignal.timeout(1), onUpdate: (j) => void j.output});
const status: JobStatus = job.status;
// @ts-expect-error the API has no such ratio
await client.generateImages({prompt: 'p', aspect_ratio: '7:9'});
// @ts-expect-error a prompt is needed
await client.generateImages({count: 1});
const event = await verifyWebhook({headers: new Headers(), body: new Uint8Array()}, ['a', 'b']);
if (event.type === 'job.failed' && !event.data.truncated) {
  const {error}: Job = event.data.job;
  void error;
}
if (event.type === 'image.failed') {
  const index: number = event.data.index;
  // @ts-expect-error a body that was too long has no image
  event.data.image.url;
  void index;
}
export async function page(initialJob: UserJob | null): Promise<ImageJob> {
  const shown = useImageJob({api: '/api/pictures', initialJob, onEnd: (ended) => void ended.output});
  const pictures: Picture[] = shown.pictures;
  const accepted: UserJob = await shown.submit({prompt: 'p', input_images: [await uploadPicture(new Blob([]))]});
  // @ts-expect-error the app's server says who is told
  void shown.submit({prompt: 'p', webhook: 'https://app.test'});
  // @ts-expect-error a page does not see the tenant
  void accepted.tenant;
  const fetched: UserJob = await jobQueryOptions(accepted.id).queryFn();
  void [pictures, fetched];
  return useImageJob({initialJob: job});
}
// @ts-expect-error the start of a job tells of no image
if (event.type === 'job.started') event.data.image;
void status;
const authorize = async (request: Request): Promise<Grant | null> => ({user: request.url, models: ['a'], imageSizes: ['1K']});
const {GET}: {GET: (request: Request, context: {params: Promise<{path?: string[]}>}) => Promise<Response>} = createRouteHandler({
  client, authorize, snapshots: upstash({url: 'https://redis.test', token: 't'}),
});
createRouteHandler({authorize, client: {baseUrl: 'https://api.test'}, snapshots: redisStore({get: async () => null, pTTL: async (key) => key.length})});
// @ts-expect-error nobody may do anything without authorize
createRouteHandler({client});
// @ts-expect-error a grant is for a user
createRouteHandler({authorize: () => ({models: ['a']})});
// @ts-expect-error a redis that tells no age
redisStore({get: async (key: string) => key});
const seen: UserJob = job;
// @ts-expect-error a user does not see the metadata
seen.metadata;
void GET;
`;

for (const [name, options] of Object.entries({
  'with the types of Node.js': {lib: ['ES2022'], types: ['node'], module: 'NodeNext'},
  'with those of browsers, for a bundler': {lib: ['ES2023', 'DOM'], types: ['node'], module: 'ESNext', moduleResolution: 'bundler', exactOptionalPropertyTypes: true},
})) {
  test(`it and the README compile ${name}`, async () => {
    const blocks = [...(await readFile(join(client, 'README.md'), 'utf8')).matchAll(/```(tsx?)\n([^]*?)```/g)]
      .filter(([block]) => !block.includes("from 'ai'")); // test/aisdk-types.test.js compiles these
    assert.ok(blocks.length >= 6);
    const files = [['file.ts', types], ...blocks.map(([, extension, text], i) => [`block${i}.${extension}`, text])];
    await Promise.all(files.map(([file, text]) => writeFile(join(project, file), text)));
    const paths = {'react/jsx-runtime': [join(modules, '@types/react/jsx-runtime.d.ts')]};
    const compilerOptions = {...options, target: 'ES2022', strict: true, noEmit: true, skipLibCheck: false, jsx: 'react-jsx', typeRoots: [join(modules, '@types')], paths};
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({compilerOptions, files: files.map(([file]) => file)}));
    await run(project, process.execPath, join(modules, 'typescript/bin/tsc'), '-p', '.');
  });
}
