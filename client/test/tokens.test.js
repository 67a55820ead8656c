// Browser tokens, by the vectors of docs/browser-tokens.md.

import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {mock, test} from 'node:test';

import {createJobToken, UsageError} from 'ai-worker-client';

const page = await readFile(new URL('../../docs/browser-tokens.md', import.meta.url), 'utf8');
const vectors = JSON.parse(/```json\n([^]*?)```/.exec(page)[1]);

test('tokens are those of the vectors', async (t) => {
  assert.ok(vectors.length >= 3);
  t.after(() => mock.timers.reset());
  for (const v of vectors) {
    mock.timers.enable({apis: ['Date'], now: v.iat * 1000 + 999});
    assert.equal(await createJobToken(v.api_key, v.job_id, {expiresIn: v.exp - v.iat}), v.token);
    mock.timers.reset();
  }
});

test('a token is good for 15 minutes unless told, and for a day at most', async () => {
  const claims = JSON.parse(atob((await createJobToken('key', 'j1')).split('.')[1]));
  assert.deepEqual([claims.sub, claims.scope, claims.exp - claims.iat], ['j1', 'read', 900]);
  for (const expiresIn of [0, -1, 1.5, NaN, 86_401]) {
    await assert.rejects(createJobToken('key', 'j1', {expiresIn}), UsageError);
  }
  await assert.rejects(createJobToken('', 'j1'), UsageError);
  await assert.rejects(createJobToken('key', ''), UsageError);
});

test('no page makes a token', async (t) => {
  globalThis.window = {};
  t.after(() => delete globalThis.window);
  await assert.rejects(createJobToken('key', 'j1'), /must not reach a browser/);
});
