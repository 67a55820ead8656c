// Browser tokens as a caller's server makes them, on WebCrypto alone, which
// Node.js, browsers and edge runtimes have. docs/browser-tokens.md shows this
// function and has the vectors.

import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {test} from 'node:test';

const doc = await readFile(new URL('../../docs/browser-tokens.md', import.meta.url), 'utf8');

// fence returns the code of the document's block of a language.
function fence(language) {
  const found = doc.match(new RegExp('```' + language + '\\n([^]*?)```'));
  assert.ok(found, `docs/browser-tokens.md has no block of ${language}`);
  return found[1];
}

// The function is taken from the document, so that what people copy is what is
// tested.
const {browserToken} = await import('data:text/javascript,' + encodeURIComponent(fence('js')));

test('the documented function makes the documented tokens', async () => {
  const vectors = JSON.parse(fence('json'));
  assert.ok(vectors.length >= 3);
  for (const v of vectors) {
    assert.equal(await browserToken(v.api_key, v.job_id, v.exp - v.iat, v.iat), v.token);
  }
});
