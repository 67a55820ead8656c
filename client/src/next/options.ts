// What an app decides, once for the route and once for each request.

import type {AspectRatio, ImageSize, Priority, WebhookEventType} from '../api.js';
import type {Client} from '../client.js';
import {UsageError} from '../errors.js';
import type {ClientOptions} from '../transport.js';
import {misconfigured} from './refusal.js';
import type {SnapshotStore} from './stores.js';

/**
 * What one user may do. What is not granted is refused. It must be the same whenever a request is sent again, or the repeated
 * request is another one, which its idempotency key refuses.
 */
export interface Grant {
  /** Whose jobs these are: your own id of the user, 1 to 256 bytes of UTF-8. Kept as `metadata.user`. */
  user: string;
  /** The models that may be named. The first one is taken if none is. Absent: the service's default one, and none may be named. */
  models?: readonly string[] | undefined;
  /** Pictures of one job; 4 if absent, 16 at most. */
  maxCount?: number | undefined;
  /** The sizes that may be asked for. Absent: none, so that the model chooses. */
  imageSizes?: readonly ImageSize[] | undefined;
  /** The ratios that may be asked for; all if absent. */
  aspectRatios?: readonly AspectRatio[] | undefined;
  /** Allows input pictures, and uploads of them; false if absent. */
  inputImages?: boolean | undefined;
  /** The most that one job may cost in US dollars, by list price. */
  maxCostUsd?: number | undefined;
  /** What goes beside `user` into the job's metadata; 19 members at most. Users never see it. */
  metadata?: Readonly<Record<string, unknown>> | undefined;
  priority?: Priority | undefined;
  /** Seconds until what has not ended fails, 60 to 604800. */
  expiresIn?: number | undefined;
  /** An https URL that is told what happens to the job. */
  webhook?: string | undefined;
  webhookEvents?: readonly WebhookEventType[] | undefined;
}

export interface RouteHandlerOptions {
  /** The service, or how to reach it; by AI_WORKER_URL and AI_WORKER_KEY of the environment if absent. */
  client?: Client | ClientOptions | undefined;
  /**
   * Says what the user of a request may do: null refuses it with 401, and a Response is sent as it is. It is asked each time, has 10 s,
   * and must not read the body.
   */
  authorize: (request: Request) => Promise<Grant | Response | null> | Grant | Response | null;
  /**
   * The service's Redis, from which watched jobs are read; by UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or KV_REST_API_URL and
   * KV_REST_API_TOKEN, of the environment if absent. null is for none: the service is asked each time.
   */
  snapshots?: SnapshotStore | null | undefined;
  /** The name of the API key in the service. Learnt from its first answer if absent: Redis is not believed before. */
  tenant?: string | undefined;
  /** Where the route is, for frameworks that hand on no path parameters; `/api/images` if absent. */
  basePath?: string | undefined;
  /** The most that a body may have, in bytes; 65536 if absent. */
  maxBodyBytes?: number | undefined;
  /** Origins, such as `https://www.example.com`, whose pages may change something although they are not this one's. */
  allowedOrigins?: readonly string[] | undefined;
  /** Shows users what their pictures cost you; false if absent. */
  exposeCost?: boolean | undefined;
  /** How long a snapshot of an unfinished job is believed, in milliseconds; 15000 if absent. */
  maxAgeMs?: number | undefined;
  /** How long Redis may take before the service is asked, in milliseconds; 1000 if absent. */
  storeMs?: number | undefined;
  /** How often a watched job is read, in milliseconds; 1000 if absent. */
  pollMs?: number | undefined;
  /** How long one stream lasts, in milliseconds; 55000 if absent. The platform must allow more. */
  streamMs?: number | undefined;
  /** How many streams one user may have open at once in this process; 16 if absent. One more is refused with 429, and a page polls then. */
  maxStreams?: number | undefined;
  /**
   * Is told what whoever runs the app should know, and by which request, unless that was a `getJob`; writes to the console if absent. No
   * message holds the API key.
   */
  onError?: ((error: unknown, request: Request | undefined) => void) | undefined;
}

/** The options with what is absent filled in. */
export interface Settings extends RouteHandlerOptions {
  basePath: string;
  maxBodyBytes: number;
  allowedOrigins: readonly string[];
  exposeCost: boolean;
  maxAgeMs: number;
  storeMs: number;
  pollMs: number;
  streamMs: number;
  maxStreams: number;
}

/** Returns the options with what is absent filled in. Fails with a UsageError if one cannot work. */
export function settingsOf(options: RouteHandlerOptions): Settings {
  if (typeof options?.authorize !== 'function') {
    throw new UsageError('createRouteHandler needs authorize: it says who may do what, and nobody may do anything without');
  }
  const {maxBodyBytes = 64 << 10, maxAgeMs = 15_000, storeMs = 1000, pollMs = 1000, streamMs = 55_000, maxStreams = 16} = options;
  const {basePath = '/api/images'} = options;
  for (const [name, value] of Object.entries({maxBodyBytes, maxAgeMs, storeMs, pollMs, streamMs, maxStreams})) {
    if (!(value > 0 && Number.isFinite(value))) {
      throw new UsageError(`${name} must be a number above 0`);
    }
  }
  return {
    ...options, maxBodyBytes, maxAgeMs, storeMs, pollMs, streamMs, maxStreams, basePath: `/${basePath.replace(/^\/+|\/+$/g, '')}`,
    exposeCost: options.exposeCost ?? false, allowedOrigins: (options.allowedOrigins ?? []).map(originOf),
  };
}

function originOf(text: string): string {
  try {
    const {origin, protocol} = new URL(text);
    if (/^https?:$/.test(protocol)) {
      return origin;
    }
  } catch {
    // told below
  }
  throw new UsageError(`allowedOrigins has ${JSON.stringify(text)}: an origin is such as https://www.example.com`);
}

/** The service finds jobs by metadata of at most so many bytes, and by the first 20 members. */
const maxUserBytes = 256;
const maxMetadata = 19;

/** Fails with a Refusal, and tells whoever runs the app why, unless a grant can work. */
export function checkGrant(grant: Grant): void {
  const {user, metadata = {}} = grant;
  if (typeof user !== 'string' || user === '' || new TextEncoder().encode(user).length > maxUserBytes) {
    throw misconfigured(`authorize granted something to a user whose id is no text of 1 to ${maxUserBytes} bytes; hash ids that are longer`);
  }
  if (/[\0\p{Surrogate}]/u.test(user)) {
    throw misconfigured('authorize granted something to a user whose id has NUL or half a surrogate pair, which cannot be kept');
  }
  if (Object.keys(metadata).length > maxMetadata) {
    throw misconfigured(`authorize granted more than ${maxMetadata} members of metadata: jobs could not be found by their user`);
  }
}
