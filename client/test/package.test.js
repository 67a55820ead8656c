// The package as others get it: packed, checked, installed, imported, compiled.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {gzipSync} from 'node:zlib';

import {build} from 'esbuild';
import {publint} from 'publint';

const client = fileURLToPath(new URL('..', import.meta.url));
const modules = join(client, 'node_modules');

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
  const [{filename}] = JSON.parse(await run(client, 'npm', 'pack', '--json', '--pack-destination', project));
  tarball = join(project, filename);
  await writeFile(join(project, 'package.json'), JSON.stringify({name: 'project', private: true, type: 'module'}));
  await run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball);
});
after(() => rm(project, {recursive: true}));

test('publint finds nothing', async () => {
  const {messages} = await publint({pkgDir: join(project, 'node_modules/ai-worker-client'), pack: false, strict: true, level: 'suggestion'});
  assert.deepEqual(messages, []);
});

test('its types are those of its code, to every resolver of ESM', async () => {
  await run(client, process.execPath, join(modules, '@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--no-emoji');
});

// bytes returns the size of an entry, minified and gzipped, without what it loads only when that is needed.
async function bytes(entry) {
  const {outputFiles} = await build({
    entryPoints: [join(client, 'dist', entry)], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, external: ['./watch.js'],
  });
  return gzipSync(outputFiles[0].contents, {level: 9}).length;
}

test('it is small', async (t) => {
  const sizes = {core: await bytes('index.js'), watch: await bytes('watch.js'), webhooks: await bytes('webhooks.js')};
  t.diagnostic(JSON.stringify(sizes));
  assert.ok(sizes.core <= 4000, `the core has ${sizes.core} bytes`);
});

test('it is imported by its names, and nothing else is', async () => {
  const imports = (name) => `console.log(Object.keys(await import('${name}')).sort().join())`;
  const names = async (name) => (await run(project, process.execPath, '--input-type=module', '-e', imports(name))).trim();
  assert.match(await names('ai-worker-client'), /createClient,createJobToken,hasEnded$/);
  assert.equal(await names('ai-worker-client/webhooks'), 'WebhookVerificationError,signTestWebhook,verifyWebhook');
  await assert.rejects(names('ai-worker-client/dist/transport.js'), /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

// types is what a caller may write, and what tsc must refuse.
const types = `
import {createClient, type Job, type JobStatus} from 'ai-worker-client';
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
// @ts-expect-error the start of a job tells of no image
if (event.type === 'job.started') event.data.image;
void status;
`;

for (const [name, options] of Object.entries({
  'with the types of Node.js': {lib: ['ES2022'], types: ['node'], module: 'NodeNext'},
  'with those of browsers, for a bundler': {lib: ['ES2023', 'DOM'], types: ['node'], module: 'ESNext', moduleResolution: 'bundler', exactOptionalPropertyTypes: true},
})) {
  test(`it and the README compile ${name}`, async () => {
    const blocks = [...(await readFile(join(client, 'README.md'), 'utf8')).matchAll(/```ts\n([^]*?)```/g)].map((found) => found[1])
      .filter((block) => !block.includes("from 'ai'")); // test/aisdk-types.test.js compiles these
    assert.ok(blocks.length >= 5);
    const files = [types, ...blocks].map((text, i) => [`file${i}.ts`, text]);
    await Promise.all(files.map(([file, text]) => writeFile(join(project, file), text)));
    const compilerOptions = {...options, target: 'ES2022', strict: true, noEmit: true, skipLibCheck: false, typeRoots: [join(modules, '@types')]};
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({compilerOptions, files: files.map(([file]) => file)}));
    await run(project, process.execPath, join(modules, 'typescript/bin/tsc'), '-p', '.');
  });
}
