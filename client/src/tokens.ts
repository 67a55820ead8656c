// Browser tokens, as docs/browser-tokens.md of the service has them.

import {UsageError} from './errors.js';
import {refuseBrowser} from './transport.js';

export interface JobTokenOptions {
  /** Seconds for which the token is good, a day at most; 900 if absent. */
  expiresIn?: number | undefined;
}

const text = new TextEncoder();

/** Returns a token with which a browser may read one job, for a while. It asks nobody. */
export async function createJobToken(apiKey: string, jobId: string, options: JobTokenOptions = {}): Promise<string> {
  const {expiresIn = 900} = options;
  refuseBrowser();
  if (!apiKey || !jobId) {
    throw new UsageError('createJobToken needs an API key and the id of a job');
  }
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > 86_400) {
    throw new UsageError('expiresIn must be whole seconds from 1 to 86400');
  }
  const key = await hmac(text.encode(apiKey), 'ai-worker browser token v1');
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', key));
  const kid = Array.from(hash.slice(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const iat = Math.floor(Date.now() / 1000);
  const signed = `${part({alg: 'HS256', typ: 'JWT', kid})}.${part({sub: jobId, scope: 'read', iat, exp: iat + expiresIn})}`;
  return `${signed}.${base64url(await hmac(key, signed))}`;
}

async function hmac(key: Uint8Array<ArrayBuffer>, message: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey('raw', key, {name: 'HMAC', hash: 'SHA-256'}, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, text.encode(message)));
}

function part(value: object): string {
  return base64url(text.encode(JSON.stringify(value)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
