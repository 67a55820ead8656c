// What is read of a request before anything is done for it.

import {limit} from '../limit.js';
import {invalid, Refusal} from './refusal.js';

/** How long a body may take to come, in milliseconds. */
const bodyMs = 30_000;
/** How deep a body may be nested: JSON.stringify fails at some thousands. What a page may send is 2 deep. */
const mostDepth = 16;

/** Fails if a request that changes something comes from a page of another site. What is no browser sends neither header. */
export function refuseCrossSite(request: Request, allowedOrigins: readonly string[]): void {
  const origin = request.headers.get('origin');
  const site = request.headers.get('sec-fetch-site');
  if (origin !== null && allowedOrigins.includes(origin)) {
    return;
  }
  const isOwn = site !== null ? site === 'same-origin' || site === 'none' : origin === null || hostsOf(request).includes(hostOf(origin));
  if (!isOwn) {
    throw new Refusal(403, 'cross_site', 'A page of another origin may not do this. The origins that may are in allowedOrigins.');
  }
}

/** Returns what this server is called by the browser. A page cannot set these headers for another site. */
function hostsOf({headers, url}: Request): string[] {
  return [headers.get('x-forwarded-host')?.split(',')[0]?.trim() ?? '', headers.get('host') ?? new URL(url).host].map((host) => host.toLowerCase()).filter(Boolean);
}

/** Returns the host of an origin; of "null", which a sandboxed page has, a text that is no host. */
function hostOf(origin: string): string {
  try {
    return new URL(origin).host || ' ';
  } catch {
    return ' ';
  }
}

/** Returns the object that a request has for its body. */
export async function readObject(request: Request, maxBytes: number): Promise<Record<string, unknown>> {
  if (!/^application\/json *(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    throw new Refusal(415, 'unsupported_media_type', 'Send JSON, with Content-Type: application/json.');
  }
  const text = await readText(request, maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid_json', 'The body is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid([{location: 'body', message: 'expected object'}]);
  }
  const {twice, depth} = shapeOf(text);
  if (depth > mostDepth) {
    throw invalid([{location: 'body', message: `is nested more than ${mostDepth} deep`}]);
  }
  if (twice.length > 0) {
    throw invalid(twice.map((name) => ({location: `body.${name}`, message: 'is given twice; give it once'})));
  }
  return value as Record<string, unknown>;
}

/** Returns the text of a body, and reads no more of it than it may have. */
async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new Refusal(413, 'body_too_large', `The body has more than ${maxBytes} bytes. Upload pictures, and send their ids.`);
  if (Number(request.headers.get('content-length')) > maxBytes) {
    throw tooLarge();
  }
  const time = limit(request.signal, bodyMs);
  const reader = request.body?.getReader();
  const stop = () => void reader?.cancel().catch(() => undefined); // ends a read that waits
  time.signal.addEventListener('abort', stop, {once: true});
  try {
    const decoder = new TextDecoder('utf-8', {fatal: true});
    let text = '';
    for (let bytes = 0; reader; ) {
      const {done, value} = await reader.read();
      if (time.signal.aborted) {
        throw new Refusal(408, 'request_timeout', 'The body did not come in time. Send the request again.');
      }
      if (done) {
        break;
      }
      if ((bytes += value.length) > maxBytes) {
        stop();
        throw tooLarge();
      }
      text += decoder.decode(value, {stream: true});
    }
    return text + decoder.decode();
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(400, 'invalid_body', 'The body did not come whole, or is not UTF-8.');
  } finally {
    time.stop();
  }
}

/** Returns the names that an object of JSON has more than once, of which JSON.parse would take the last, and how deep it is nested. */
function shapeOf(json: string): {twice: string[]; depth: number} {
  const seen = new Set<string>();
  const twice = new Set<string>();
  let depth = 0;
  let deepest = 0;
  for (const [token, , isName] of json.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[[\]{}]/g)) {
    if (token === '{' || token === '[') {
      deepest = Math.max(deepest, ++depth);
    } else if (token === '}' || token === ']') {
      depth--;
    } else if (isName !== undefined && depth === 1) {
      const name = JSON.parse(token.slice(0, token.length - isName.length)) as string;
      (seen.has(name) ? twice : seen).add(name);
    }
  }
  return {twice: [...twice], depth: deepest};
}

/** Returns the key under which the service knows a user's request, or undefined if the page gave none. No other user has the same. */
export async function keyFor(request: Request, user: string): Promise<string | undefined> {
  const key = request.headers.get('idempotency-key');
  if (key === null) {
    return undefined;
  }
  if (key === '' || key.length > 255) {
    throw invalid([{location: 'header.Idempotency-Key', message: 'must have 1 to 255 characters'}]);
  }
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify([user, key])));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reports whether If-None-Match has a tag: the caller has what it names. */
export function hasTag(request: Request, etag: string): boolean {
  const plain = (tag: string) => tag.trim().replace(/^W\//, '');
  return (request.headers.get('if-none-match') ?? '').split(',').some((tag) => tag.trim() === '*' || plain(tag) === plain(etag));
}
