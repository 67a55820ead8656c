// What the service's Redis says of a job, as far as it can be believed.

import {hasEnded, type Job} from '../api.js';
import {whyOf} from '../errors.js';
import type {SnapshotStore, StoredSnapshot} from './stores.js';
import {within} from './within.js';

/** How long the service keeps a snapshot after it has written it, in milliseconds (snapshot.TTL). */
const keptMs = 24 * 60 * 60 * 1000;
/** For how long Redis is left alone after it has failed, in milliseconds. */
const restMs = 2000;

/** A job as Redis has it. */
export interface Snapshot {
  job: Job;
  /** Tells that the job is so now, or was a moment ago. */
  isFresh: boolean;
}

export interface SnapshotLimits {
  maxAgeMs: number;
  storeMs: number;
}

export class Snapshots {
  readonly #store: SnapshotStore;
  readonly #limits: SnapshotLimits;
  #failedAt: number | undefined;

  constructor(store: SnapshotStore, limits: SnapshotLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** Returns the snapshot of a tenant's job, or undefined if there is none. report is told when Redis begins to fail. */
  async read(id: string, tenant: string, report: (error: unknown) => void): Promise<Snapshot | undefined> {
    if (this.#failedAt !== undefined && Math.abs(Date.now() - this.#failedAt) < restMs) {
      return undefined;
    }
    let stored: StoredSnapshot;
    try {
      stored = await within(this.#limits.storeMs, (signal) => this.#store.read(`job:${id}`, signal), 'Redis');
    } catch (error) {
      if (this.#failedAt === undefined) {
        report(failureOf(error));
      }
      this.#failedAt = Date.now();
      return undefined;
    }
    this.#failedAt = undefined;
    const job = parse(stored?.value);
    if (job?.id !== id || job.tenant !== tenant) {
      return undefined;
    }
    return {job, isFresh: hasEnded(job) || this.#isYoung(stored.ttlMs, job)};
  }

  /** Reports whether the snapshot of an unfinished job is young, and the job's deadline has not passed. */
  #isYoung(ttlMs: number, job: Job): boolean {
    const age = keptMs - ttlMs;
    return age >= 0 && age <= this.#limits.maxAgeMs && Date.parse(job.expires_at) > Date.now();
  }
}

/** Returns an error with the message alone. That of a client of Redis may hold the command that failed, even AUTH. */
function failureOf(error: unknown): Error {
  return new Error(`the snapshots in Redis cannot be read, so the service is asked: ${whyOf(error)}`);
}

/** Returns a job of JSON, or of what a client of Redis has made of it; undefined if it is none. */
function parse(value: unknown): Job | undefined {
  try {
    const job = (typeof value === 'string' ? JSON.parse(value) : value) as Job | null;
    return isJob(job) ? job : undefined;
  } catch {
    return undefined;
  }
}

/** Reports whether a value has what is needed of a job. */
export function isJob(value: unknown): value is Job {
  const job = value as Partial<Job> | null | undefined;
  return typeof job?.id === 'string' && typeof job.tenant === 'string' && typeof job.status === 'string' &&
    Number.isSafeInteger(job.version) && typeof job.input === 'object' && job.input !== null && Array.isArray(job.images) &&
    typeof job.metadata === 'object' && job.metadata !== null;
}

/** Returns a text that is another one once a page should look again: by version, place in the queue, and the pictures' URLs. */
export function tagOf(job: Job): string {
  const urls = Date.parse(job.url_expires_at ?? '') / 1000;
  return job.version + (job.queue_position === null ? '' : `.q${job.queue_position}`) + (Number.isNaN(urls) ? '' : `.u${urls.toString(36)}`);
}
