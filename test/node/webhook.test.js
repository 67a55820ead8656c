// The official npm package, and the example of docs/webhooks.md, against a
// webhook that this service sent. webhook_test.go sends it, and says by the
// environment what arrived and which secrets signed it.

import assert from 'node:assert/strict';
import {rm, writeFile} from 'node:fs/promises';
import {after, before, test} from 'node:test';

import {Webhook, WebhookVerificationError} from 'standardwebhooks';

const {headers, body} = JSON.parse(process.env.ARRIVED);
const secrets = process.env.SECRETS.split(' ');
const stranger = 'whsec_b2YgYSBzdHJhbmdlciwgd2hvZXZlciB0aGF0IGlz';

test('either secret verifies it while one is replaced', () => {
  assert.equal(secrets.length, 2);
  for (const secret of secrets) {
    const event = new Webhook(secret).verify(body, headers);
    assert.equal(event.type, 'job.succeeded');
    assert.equal(event.data.job_id, '0199');
    assert.equal(event.data.job.input.prompt, 'a lighthouse, <in> Münster 🖼');
  }
});

test('each signature is one by one of the secrets, the new one first', () => {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000);
  assert.equal(
    headers['webhook-signature'],
    secrets.map(secret => new Webhook(secret).sign(headers['webhook-id'], at, body)).join(' '),
  );
});

test('nothing else verifies', () => {
  assert.throws(() => new Webhook(stranger).verify(body, headers), WebhookVerificationError);
  for (const [h, b] of [
    [headers, body.replace('0199', '0200')],
    [{...headers, 'webhook-id': 'msg_2'}, body],
    [{...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 1)}, body],
  ]) {
    assert.throws(() => new Webhook(secrets[0]).verify(b, h), WebhookVerificationError);
  }
});

// The example imports the package by its name, so it must stand where that is
// found.
const example = new URL('node_modules/.webhook-example.mjs', import.meta.url);
before(() => writeFile(example, process.env.EXAMPLE));
after(() => rm(example));

test('the example in docs/webhooks.md tells webhooks from others', async () => {
  const {POST} = await import(example);
  const request = () => new Request('https://example.com/hooks/images', {method: 'POST', headers, body});
  for (const secret of secrets) {
    process.env.WEBHOOK_SECRET = secret;
    const answer = await POST(request());
    assert.deepEqual([answer.status, await answer.json()], [200, {received: 'job.succeeded'}]);
  }
  process.env.WEBHOOK_SECRET = stranger;
  assert.equal((await POST(request())).status, 401);
});
