// Webhooks, held against the official package of Standard Webhooks both ways.

import assert from 'node:assert/strict';
import {mock, test} from 'node:test';
import {inspect} from 'node:util';

import {signTestWebhook, verifyWebhook, WebhookVerificationError} from 'ai-worker-client/webhooks';
import {Webhook} from 'standardwebhooks';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const other = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const event = {
  type: 'image.succeeded', timestamp: '2026-11-24T11:59:48Z',
  data: {
    job_id: 'j1', index: 2, truncated: false, job: {id: 'j1', status: 'processing', version: 7, urls: {get: 'https://api.test/j1'}},
    image: {index: 2, status: 'succeeded', url: 'https://img.test/2?a=1&b=2 🖼 Münster', attempts: 1, error: null, waiting_for: null, retry_at: null},
  },
};
const body = JSON.stringify(event);

// signed returns what the official package makes of the body.
function signed(at = new Date(), ...secrets) {
  const all = secrets.length ? secrets : [secret];
  return {
    'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': all.map((s) => new Webhook(s).sign('msg_1', at, body)).join(' '),
  };
}

const faultOf = (message, secrets = secret, options) => verifyWebhook(message, secrets, options).then(
  () => 'none', (error) => (error instanceof WebhookVerificationError ? error.code : error.name));

test('what the official package signs is verified, in whatever form it arrives', async () => {
  const headers = signed();
  const request = (b) => new Request('https://app.test/hooks', {method: 'POST', headers, body: b});
  const capitals = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]));
  for (const message of [
    request(body), {headers, body}, {headers: new Headers(headers), body: Buffer.from(body)}, {headers: new Map(Object.entries(headers)), body}, {headers: capitals, body: new TextEncoder().encode(body)},
  ]) {
    assert.deepEqual(await verifyWebhook(message, secret), {...event, id: 'msg_1'});
  }
});

test('the official package verifies what is signed for tests', async () => {
  for (const id of [undefined, 'msg_mine']) {
    const made = await signTestWebhook(event, [secret, other], {id});
    for (const s of [secret, other]) {
      assert.deepEqual(new Webhook(s).verify(made.body, made.headers), event);
    }
    assert.equal((await verifyWebhook(made, other)).id, made.headers['webhook-id']);
  }
  const at = new Date('2026-11-24T12:00:00Z');
  const exact = await signTestWebhook(body, secret, {id: 'msg_1', at});
  assert.deepEqual(exact.headers, {'content-type': 'application/json', ...signed(at)});
});

test('while a secret is replaced either one will do, on either side', async () => {
  assert.equal(await faultOf({headers: signed(new Date(), other, secret), body}), 'none');
  for (const secrets of [[other, secret], `${other},${secret}`, secret.slice('whsec_'.length)]) {
    assert.equal(await faultOf({headers: signed(), body}, secrets), 'none');
  }
});

test('nothing else is verified', async () => {
  const headers = signed();
  const signature = headers['webhook-signature'];
  const without = (name) => Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
  for (const [want, message, secrets] of [
    ['wrong_signature', {headers, body}, other],
    ['wrong_signature', {headers, body: body.replace('j1', 'j2')}],
    ['wrong_signature', {headers, body: `${body} `}],
    ['wrong_signature', {headers: {...headers, 'webhook-id': 'msg_2'}, body}],
    ['wrong_signature', {headers: {...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 1)}, body}],
    ['wrong_signature', {headers: {...headers, 'webhook-signature': signature.replace('v1,', 'v2,')}, body}],
    ['wrong_signature', {headers: {...headers, 'webhook-signature': signature.slice(0, -8)}, body}],
    ['wrong_signature', {headers: {...headers, 'webhook-signature': 'v1,'}, body}],
    ['wrong_signature', {headers: {...headers, 'webhook-signature': 'v1,%%%'}, body}],
    ...['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ['missing_header', {headers: without(name), body}]),
    ...['soon', '', '-5', '1e9', 'Infinity'].map((at) => [at ? 'wrong_time' : 'missing_header', {headers: {...headers, 'webhook-timestamp': at}, body}]),
    ['wrong_body', await signTestWebhook('no JSON', secret)],
    ['wrong_body', await signTestWebhook('null', secret)],
  ]) {
    assert.equal(await faultOf(message, secrets), want, inspect(message));
  }
});

test('what was sent too long ago, or too far ahead, is refused', async (t) => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  mock.timers.enable({apis: ['Date'], now});
  t.after(() => mock.timers.reset());
  for (const [seconds, toleranceSeconds, want] of [
    [300, undefined, 'none'], [-300, undefined, 'none'], [301, undefined, 'wrong_time'], [-301, undefined, 'wrong_time'],
    [60, 60, 'none'], [61, 60, 'wrong_time'], [0, NaN, 'wrong_time'],
  ]) {
    assert.equal(await faultOf({headers: signed(new Date(now - seconds * 1000)), body}, secret, {toleranceSeconds}), want, `${seconds} s`);
  }
});

test('a secret that is none, and a body that was parsed, are told as such, without the secret', async () => {
  for (const bad of ['', [], 'whsec_', 'whsec_not/base64%']) {
    const error = await verifyWebhook({headers: signed(), body}, bad).catch((e) => e);
    assert.ok(error instanceof TypeError);
    assert.ok(!bad.length || !error.message.includes('not/base64'));
  }
  await assert.rejects(verifyWebhook({headers: signed(), body: event}, secret), /turn off what parses it/);
});

test('of a request that is longer than any webhook, no more is read', async () => {
  let pieces = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      if (++pieces > 100) {
        throw new Error('all of it was read');
      }
      controller.enqueue(new Uint8Array(64 << 10));
    },
  });
  const request = new Request('https://app.test/hooks', {method: 'POST', headers: signed(), body: endless, duplex: 'half'});
  assert.equal(await faultOf(request), 'wrong_body');
  assert.ok(pieces < 30, `${pieces} pieces were read`);
});

test('a request whose body was read already is an error of the app, and none of the sender', async () => {
  const request = new Request('https://app.test/hooks', {method: 'POST', headers: signed(), body});
  await request.text();
  assert.equal(await faultOf(request), 'TypeError');
});
