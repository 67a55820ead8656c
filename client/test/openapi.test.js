// The package's types and calls against /openapi.json of the service, in both
// directions: what either has and the other has not, fails.
//
// TypeScript's compiler has no API any more, so the document is written out as
// types, and tsc says whether they are the same as those of src/api.ts.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

import {createClient} from 'ai-worker-client';

import {run, useClock} from './clock.js';
import {startService} from './service.js';

// names says what the package calls each schema of the document.
const names = {
  GenerateRequest: 'GenerateImagesInput', JobResource: 'Job', InputResource: 'JobInput', ImageResource: 'Image', ErrorResource: 'ImageError',
  ProgressResource: 'Progress', MetricsResource: 'Metrics', LinksResource: 'Links', JobList: 'JobPage', UploadRequest: 'UploadInput',
  UploadResource: 'Upload', Problem: 'Problem', Fault: 'FieldError', WebhookList: 'WebhookList', WebhookResource: 'Webhook', WebhookTryOutput: 'WebhookTry',
  QuoteResource: 'Quote',
};

let document;
before(async () => {
  const service = await startService();
  document = await (await fetch(`${service.url}/openapi.json`)).json();
  await service.close();
});

// typeOf returns a schema as a type of TypeScript.
function typeOf(schema) {
  if (schema.$ref) {
    return `api.${names[schema.$ref.split('/').at(-1)]}`;
  }
  if (schema.anyOf) {
    return schema.anyOf.map(typeOf).join(' | ');
  }
  if (schema.enum) {
    return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  }
  return [schema.type ?? 'unknown'].flat().map((type) => plainType(type, schema)).join(' | ');
}

function plainType(type, schema) {
  switch (type) {
    case 'integer':
      return 'number';
    case 'array':
      return `(${typeOf(schema.items)})[]`;
    case 'object':
      return schema.properties ? objectType(schema) : `Record<string, ${schema.additionalProperties === true ? 'unknown' : typeOf(schema.additionalProperties)}>`;
    default:
      return type;
  }
}

function objectType({properties, required = []}) {
  return `{${Object.entries(properties).map(([name, s]) => `${name}${required.includes(name) ? '' : '?'}: ${typeOf(s)}`).join('; ')}}`;
}

// schemas returns the schemas of the document by the package's names. The
// query of a list is one as well.
function schemas() {
  const found = Object.entries(document.components.schemas).map(([name, schema]) => [names[name] ?? name, schema]);
  const query = document.paths['/api/jobs'].get.parameters.filter((p) => p.in === 'query' && p.name !== 'metadata');
  const properties = Object.fromEntries(query.map((p) => [p.name, {...p.schema, type: [p.schema.type].flat().filter((type) => type !== 'null')}]));
  return [...found, ['ListParams', {properties, required: query.filter((p) => p.required).map((p) => p.name), type: 'object'}]];
}

// mutants returns schemas that differ in one place from the schema.
function mutants(schema) {
  const {properties, required = []} = schema;
  return [
    {...schema, properties: {...properties, one_more: {type: 'string'}}},
    ...Object.keys(properties).flatMap((name) => {
      const {[name]: gone, ...others} = properties;
      const isRequired = required.includes(name);
      const values = gone.enum ?? gone.items?.enum;
      const withEnum = (list) => ({...schema, properties: {...others, [name]: gone.enum ? {...gone, enum: list} : {...gone, items: {...gone.items, enum: list}}}});
      return [
        {...schema, properties: others},
        {...schema, required: isRequired ? required.filter((r) => r !== name) : [...required, name]},
        {...schema, properties: {...others, [name]: {type: gone.type === 'boolean' ? 'string' : 'boolean'}}},
        ...(values ? [withEnum([...values, 'one_more']), ...(values.length > 1 ? [withEnum(values.slice(1))] : [])] : []),
      ];
    }),
  ];
}

const folder = fileURLToPath(new URL('..', import.meta.url));
let written;
after(() => written && rm(written, {recursive: true}));

// compile returns what tsc says of a text.
async function compile(text) {
  written = await mkdtemp(`${folder}.types-`);
  await writeFile(`${written}/check.ts`, text);
  const args = ['node_modules/typescript/bin/tsc', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', `${written}/check.ts`, '--ignoreConfig'];
  return promisify(execFile)(process.execPath, args, {cwd: folder}).then(() => '', (error) => error.stdout);
}

test('every schema, field and value of the document is a type of the package, and the other way round', async () => {
  const all = schemas();
  assert.deepEqual(all.map(([name]) => name).sort(), [...Object.values(names), 'ListParams'].sort());
  const lines = [
    "import type * as api from '../dist/index.js';",
    'type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;',
    'declare function check<A, B>(isEqual: Equal<A, B>): void;',
    ...all.map(([name, schema]) => `check<api.${name}, ${objectType(schema)}>(true);`),
    // Of what differs in one place, tsc must say so, or this test could not fail.
    ...all.flatMap(([name, schema]) => mutants(schema).map((mutant) => `check<api.${name}, ${objectType(mutant)}>(false);`)),
  ];
  assert.ok(lines.length > 150, `${lines.length}`);
  assert.equal(await compile(lines.join('\n')), '');
});

// unused says which parameters the package sends never, and why.
const unused = {
  'generate-images': {Prefer: 'it waits by watch, so that the id is known at once'},
  'list-jobs': {metadata: 'its members are sent: metadata.KEY'},
  'get-job': {token: 'it sends a token as Authorization'},
  'get-job-events': {token: 'it sends a token as Authorization', last_event_id: 'it sends the header'},
};

test('every operation and parameter of the document is sent by a call, and the other way round', async (t) => {
  useClock(t);
  const sent = {};
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({
    ...operation, method: method.toUpperCase(), pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
  })));
  const note = (method, url, headers) => {
    const {pathname, searchParams} = new URL(url);
    const operation = operations.find((o) => o.method === method && o.pattern.test(pathname));
    assert.ok(operation, `the document has no ${method} ${pathname}`);
    const parameters = (sent[operation.operationId] ??= new Set());
    ['Idempotency-Key', 'Prefer', 'If-None-Match', 'Last-Event-ID'].filter((name) => name in headers).forEach((name) => parameters.add(name));
    [...searchParams.keys()].filter((name) => !name.startsWith('metadata.')).forEach((name) => parameters.add(name));
  };
  const fetch = async (url, {method, headers}) => {
    note(method, url, headers);
    const body = {id: 'j', status: 'If-None-Match' in headers ? 'succeeded' : 'queued', version: 1, jobs: [], next_cursor: null};
    return url.endsWith('/events') ? new Response(null, {status: 204}) : Response.json(body, {headers: {ETag: 'W/"1"'}});
  };
  const {generateImages, quote, jobs, uploads} = createClient({baseUrl: 'https://api.test', apiKey: 'k', fetch});
  await generateImages({prompt: 'p'});
  await quote({prompt: 'p'});
  await jobs.get('j');
  await jobs.cancel('j');
  await jobs.retry('j');
  await jobs.delete('j');
  await jobs.webhooks('j');
  await jobs.replayWebhook('j', 'msg_1');
  await uploads.create({content_type: 'image/png', bytes: 1});
  await jobs.list({limit: 1, cursor: 'c', status: ['queued'], created_after: 'a', created_before: 'b', q: 'q'}).pages().next();
  await run(jobs.wait('j'));

  const inDocument = operations.map(({operationId, parameters = []}) => [
    operationId, parameters.filter((p) => p.in !== 'path' && !unused[operationId]?.[p.name]).map((p) => p.name).sort(),
  ]);
  assert.deepEqual(Object.fromEntries(Object.entries(sent).map(([id, parameters]) => [id, [...parameters].sort()])), Object.fromEntries(inDocument));
});
