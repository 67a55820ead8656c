// Webhooks, by Standard Webhooks: https://www.standardwebhooks.com. WebCrypto
// alone does the work, so that it runs in Node.js, Deno, Bun and edge runtimes.

import type {Image, Job, JobStatus} from './api.js';

/** What is told of a job that goes on, or that is too long to tell. The rest is at `urls.get`. */
export interface JobOutline {
  id: string;
  status: JobStatus;
  version: number;
  urls: {get: string};
}

interface Envelope<Type extends string, Data> {
  /** The webhook-id: the same for all tries of one event. Do the work once for each. */
  id: string;
  type: Type;
  /** When it happened, as an RFC 3339 text. */
  timestamp: string;
  data: Data & {job_id: string};
}

/** A body of 20 kB or more is cut down to an outline. */
interface Truncated {
  truncated: true;
  job: JobOutline;
}

export type JobStarted = Envelope<'job.started', {truncated: boolean; job: JobOutline}>;

/** A picture is stored, or will not be tried again. */
export type ImageEnded = Envelope<
  'image.succeeded' | 'image.failed',
  {index: number} & ({truncated: false; job: JobOutline; image: Image} | (Truncated & {image?: undefined}))
>;

export type JobEnded = Envelope<
  'job.succeeded' | 'job.partial' | 'job.failed' | 'job.canceled',
  {truncated: false; job: Job} | Truncated
>;

/** What happened, told apart by `type`. A service that is newer than this package may send other types: leave them. */
export type WebhookEvent = JobStarted | ImageEnded | JobEnded;

export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/** What arrived. The body must be as it came: one that was parsed and printed again is another text. */
export interface WebhookMessage {
  headers: WebhookHeaders;
  body: string | Uint8Array;
}

export interface VerifyOptions {
  /** How far the time at which it was sent may be from now, in seconds; 300 if absent. */
  toleranceSeconds?: number | undefined;
}

export type WebhookFault = 'missing_header' | 'wrong_time' | 'wrong_signature' | 'wrong_body';

/** What arrived is no webhook of the service's. Answer it with 401. */
export class WebhookVerificationError extends Error {
  override name = 'WebhookVerificationError';
  readonly code: WebhookFault;

  constructor(code: WebhookFault, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Returns the event that a request tells of, after a check of its signature and its time. While a secret is replaced, give both: as an
 * array, or as one text with a comma between. Fails with a WebhookVerificationError, and with a TypeError if a secret is no secret.
 */
export async function verifyWebhook(
  message: Request | WebhookMessage, secrets: string | readonly string[], options: VerifyOptions = {},
): Promise<WebhookEvent> {
  const keys = await Promise.all(parseSecrets(secrets).map(importSecret));
  const {id, timestamp, signatures} = readHeaders(message.headers);
  checkTime(timestamp, options.toleranceSeconds ?? 300);
  const body = await readBody(message);
  const signed = concat(utf8.encode(`${id}.${timestamp}.`), body);
  if (!await matchesAny(keys, signatures, signed)) {
    throw new WebhookVerificationError('wrong_signature', 'no signature of the webhook is by this secret over this body');
  }
  return {...parseEvent(body), id};
}

/** What to sign: an event without its id, or a body as it is. */
export type TestEvent = Omit<JobStarted, 'id'> | Omit<ImageEnded, 'id'> | Omit<JobEnded, 'id'> | string;

export interface SignOptions {
  /** The webhook-id; a new one if absent. */
  id?: string | undefined;
  /** When it is sent; now if absent. */
  at?: Date | undefined;
}

/** Returns a webhook as the service would send it, for tests of your receiver. With several secrets it has several signatures. */
export async function signTestWebhook(
  event: TestEvent, secrets: string | readonly string[], options: SignOptions = {},
): Promise<{headers: Record<string, string>; body: string}> {
  const {id = `msg_${crypto.randomUUID().replaceAll('-', '')}`, at = new Date()} = options;
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signed = utf8.encode(`${id}.${timestamp}.${body}`);
  const signatures = await Promise.all(parseSecrets(secrets).map(async (secret) => {
    const signature = new Uint8Array(await crypto.subtle.sign('HMAC', await importSecret(secret), signed));
    return `v1,${btoa(String.fromCharCode(...signature))}`;
  }));
  return {
    headers: {
      'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' '),
    },
    body,
  };
}

const utf8 = new TextEncoder();

/** Returns the bytes of each secret. */
function parseSecrets(secrets: string | readonly string[]): Uint8Array<ArrayBuffer>[] {
  const texts = (typeof secrets === 'string' ? [secrets] : [...secrets]).flatMap((text) => text.split(/[\s,]+/)).filter(Boolean);
  if (texts.length === 0) {
    throw new TypeError('the webhook secret is empty: it is whsec_ and base64');
  }
  return texts.map((text) => {
    const bytes = decode(text.replace(/^whsec_/, ''));
    if (!bytes?.length) {
      throw new TypeError('a webhook secret is not whsec_ and base64'); // its text is a secret
    }
    return bytes;
  });
}

function importSecret(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', secret, {name: 'HMAC', hash: 'SHA-256'}, false, ['sign', 'verify']);
}

/** Returns the bytes of base64, or undefined if it is none. */
function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

interface Signed {
  id: string;
  timestamp: string;
  signatures: string;
}

function readHeaders(headers: WebhookHeaders): Signed {
  const read = (name: string): string => {
    const value = isHeaders(headers) ? headers.get(name) : ofRecord(headers, name);
    if (!value) {
      throw new WebhookVerificationError('missing_header', `the request has no ${name} header`);
    }
    return value;
  };
  return {id: read('webhook-id'), timestamp: read('webhook-timestamp'), signatures: read('webhook-signature')};
}

/** Reports whether headers have a method to read them: frameworks have classes of their own. */
function isHeaders(headers: WebhookHeaders): headers is Headers {
  return typeof headers.get === 'function';
}

/** Returns a header, in whatever case its name is. */
function ofRecord(headers: Record<string, string | string[] | undefined>, name: string): string | undefined {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return Array.isArray(found) ? found.join(' ') : found;
}

function checkTime(timestamp: string, tolerance: number): void {
  const off = /^\d{1,12}$/.test(timestamp) ? Math.abs(Date.now() / 1000 - Number(timestamp)) : Infinity;
  if (!(off <= tolerance)) {
    throw new WebhookVerificationError('wrong_time', `the webhook was not sent within ${tolerance} seconds of now`);
  }
}

async function readBody(message: Request | WebhookMessage): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof message.body === 'string') {
    return utf8.encode(message.body);
  }
  if ('arrayBuffer' in message) {
    return readRequest(message);
  }
  if (message.body instanceof Uint8Array) {
    return message.body.slice() as Uint8Array<ArrayBuffer>;
  }
  throw new TypeError('the body of a webhook must be text or bytes, as it came: turn off what parses it');
}

/** No body is read beyond so many bytes: anybody may send one. The service's have less than 20 kB. */
const mostBytes = 1 << 20;

/** Returns the body of a request. Fails, and reads no more of it, if it is longer than a webhook. */
async function readRequest(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  if (request.bodyUsed || typeof request.body?.getReader !== 'function') {
    return new Uint8Array(await request.arrayBuffer()); // which fails if it was read already
  }
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const reader = request.body.getReader();
  let length = 0;
  for (let part = await reader.read(); part.value; part = await reader.read()) {
    pieces.push(part.value);
    length += part.value.length;
    if (length > mostBytes) {
      await reader.cancel().catch(() => undefined);
      throw new WebhookVerificationError('wrong_body', `the body has more than ${mostBytes} bytes, and no webhook has so many`);
    }
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Reports whether one of the signatures is by one of the keys. WebCrypto compares them in constant time. */
async function matchesAny(keys: CryptoKey[], signatures: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  for (const signature of signatures.split(' ')) {
    const bytes = signature.startsWith('v1,') ? decode(signature.slice('v1,'.length)) : undefined;
    for (const key of bytes ? keys : []) {
      if (await crypto.subtle.verify('HMAC', key, bytes as Uint8Array<ArrayBuffer>, signed)) {
        return true;
      }
    }
  }
  return false;
}

function parseEvent(body: Uint8Array): WebhookEvent {
  try {
    const event = JSON.parse(new TextDecoder().decode(body)) as WebhookEvent | null;
    if (typeof event?.type === 'string') {
      return event;
    }
  } catch {
    // told below
  }
  throw new WebhookVerificationError('wrong_body', 'the body of the webhook is not the JSON of an event');
}
