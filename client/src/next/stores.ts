// Where the service keeps its snapshots of jobs: a Redis, by whatever reaches
// it.

import {UsageError, whyOf} from '../errors.js';

export interface StoredSnapshot {
  /** The job as JSON, or as what that says; null if there is none. */
  value: unknown;
  /** For how many milliseconds it will still be kept; below 0 if Redis does not say. */
  ttlMs: number;
}

/** Reads what Redis keeps under a key, until signal ends. It may fail: the service is asked then. */
export interface SnapshotStore {
  read(key: string, signal: AbortSignal): Promise<StoredSnapshot>;
}

export interface UpstashOptions {
  /** UPSTASH_REDIS_REST_URL. */
  url: string;
  /** UPSTASH_REDIS_REST_TOKEN; the one that only reads is enough. */
  token: string;
  /** Another fetch than the global one. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Returns Upstash's Redis, by its REST API: one request for each read. */
export function upstash({url, token, fetch}: UpstashOptions): SnapshotStore {
  if (!/^https?:\/\/./.test(url ?? '') || !token) {
    throw new UsageError('upstash needs url, which is UPSTASH_REDIS_REST_URL, and token, which is UPSTASH_REDIS_REST_TOKEN');
  }
  const headers = {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'};
  const address = `${url.replace(/\/+$/, '')}/pipeline`;
  return {
    read: async (key, signal) => {
      // The age is read first: of a snapshot that comes in between, it is too high and not too low.
      const body = JSON.stringify([['PTTL', key], ['GET', key]]);
      const send = fetch ?? globalThis.fetch;
      try {
        const answer = await send(address, {method: 'POST', headers, body, signal, redirect: 'manual', cache: 'no-store'});
        return resultsOf(answer.status, await answer.json());
      } catch (error) {
        throw new Error(whyOf(error).replaceAll(token, '***')); // another fetch may have put the request into its error
      }
    },
  };
}

/** Returns what a pipeline of PTTL and GET found. */
function resultsOf(status: number, answer: unknown): StoredSnapshot {
  const [ttl, value] = (Array.isArray(answer) ? answer : []) as {result?: unknown; error?: string}[];
  const error = ttl?.error ?? value?.error ?? (answer as {error?: string} | null)?.error;
  if (error !== undefined || typeof ttl?.result !== 'number' || !value || !('result' in value)) {
    throw new Error(`Upstash answered ${status} ${error ?? 'without the results of the commands'}`);
  }
  return {value: value.result, ttlMs: ttl.result};
}

/** What `redisStore` needs of ioredis, of node-redis, or of @upstash/redis. */
export type RedisClient = {get(key: string): Promise<unknown>} & (
  {pttl(key: string): Promise<number>} | {pTTL(key: string): Promise<number>}
);

/** Returns the Redis that a client of ioredis, node-redis or @upstash/redis is connected to. The client stays yours to close. */
export function redisStore(client: RedisClient): SnapshotStore {
  return {
    read: async (key) => {
      // As above, the age first. Both are sent before either is answered.
      const ttl = 'pttl' in client ? client.pttl(key) : client.pTTL(key);
      const [ttlMs, value] = await Promise.all([ttl, client.get(key)]);
      return {value, ttlMs: Number(ttlMs)};
    },
  };
}
