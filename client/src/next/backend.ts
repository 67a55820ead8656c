// The jobs of the service, as one route handler sees them.

import type {Job} from '../api.js';
import {type Client, createClient} from '../client.js';
import type {ClientOptions} from '../transport.js';
import type {Settings} from './options.js';
import {misconfigured, noJob} from './refusal.js';
import {isJob, type Snapshot, Snapshots} from './snapshots.js';
import {type SnapshotStore, upstash} from './stores.js';

/** How long the service may take, with all tries, unless the app says. A page asks again by itself. */
const callMs = 25_000;

export type Report = (error: unknown) => void;

export class Backend {
  readonly client: Client;
  readonly #snapshots: Snapshots | undefined;
  readonly #isTenantGiven: boolean;
  readonly #asking = new Map<string, Promise<Job>>();
  #tenant: string | undefined;

  /** Fails with a Refusal if the environment does not have what the options leave out. */
  constructor(settings: Settings) {
    this.client = clientOf(settings.client);
    const store = settings.snapshots === undefined ? storeOfEnvironment() : settings.snapshots;
    this.#snapshots = store ? new Snapshots(store, settings) : undefined;
    this.#tenant = settings.tenant;
    this.#isTenantGiven = settings.tenant !== undefined;
  }

  get hasSnapshots(): boolean {
    return this.#snapshots !== undefined;
  }

  /** Returns a user's job as it is. Another one's is as if there were none. */
  async get(id: string, user: string, report: Report): Promise<Job> {
    const snapshot = await this.snapshot(id, report);
    return this.#own(snapshot?.isFresh ? snapshot.job : await this.ask(id), user);
  }

  /** Fails unless a job is the user's. Whose it is never changes, so a snapshot of any age tells. */
  async check(id: string, user: string, report: Report): Promise<void> {
    this.#own((await this.snapshot(id, report))?.job ?? await this.ask(id), user);
  }

  /** Returns what Redis has of a job of this API key, or undefined. Without the key's tenant no snapshot tells that it is one. */
  async snapshot(id: string, report: Report): Promise<Snapshot | undefined> {
    return this.#tenant === undefined ? undefined : this.#snapshots?.read(id, this.#tenant, report);
  }

  /** Returns a job as the service has it. All who ask for one at the same time share a request. */
  ask(id: string): Promise<Job> {
    let asking = this.#asking.get(id);
    if (!asking) {
      asking = this.client.jobs.get(id).then((job) => this.accept(job)).finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }

  /** Returns a job that the service has answered with, and learns from it which tenant the API key is of. */
  accept(job: Job): Job {
    if (!isJob(job)) {
      throw misconfigured('what answers at the address of the service is another program: set baseUrl, or AI_WORKER_URL', 502);
    }
    if (this.#isTenantGiven && job.tenant !== this.#tenant) {
      throw misconfigured(`the API key is that of ${JSON.stringify(job.tenant)}, and the option tenant says ${JSON.stringify(this.#tenant)}`, 502);
    }
    this.#tenant = job.tenant;
    return job;
  }

  /** Reports whether a job of the service's answer is a user's. */
  isOwn(job: Job, user: string): boolean {
    return job.tenant === this.#tenant && Object.hasOwn(job.metadata, 'user') && job.metadata.user === user;
  }

  #own(job: Job, user: string): Job {
    if (!this.isOwn(job, user)) {
      throw noJob();
    }
    return job;
  }
}

function clientOf(given: Client | ClientOptions | undefined): Client {
  if (given && 'generateImages' in given) {
    return given;
  }
  return createClient({timeoutMs: callMs, ...(given ?? {baseUrl: required('AI_WORKER_URL'), apiKey: required('AI_WORKER_KEY')})});
}

function storeOfEnvironment(): SnapshotStore | undefined {
  for (const prefix of ['UPSTASH_REDIS_REST', 'KV_REST_API']) {
    const url = variable(`${prefix}_URL`);
    const token = variable(`${prefix}_TOKEN`);
    if (url && token) {
      return upstash({url, token});
    }
  }
  return undefined;
}

function required(name: string): string {
  const value = variable(name);
  if (!value) {
    throw misconfigured(`${name} is not set in the environment; set it, or give createRouteHandler the option client`);
  }
  return value;
}

function variable(name: string): string | undefined {
  return (globalThis as {process?: {env?: Record<string, string | undefined>}}).process?.env?.[name] || undefined;
}
