import type {Job, JobPage, Webhook, WebhookList} from './api.js';
import {AiWorkerError, NotFoundError, UsageError} from './errors.js';
import {limit} from './limit.js';
import {JobList, type ListInput} from './list.js';
import type {CallOptions, Transport} from './transport.js';
import type {WatchOptions} from './watch.js';

export interface RetryOptions extends CallOptions {
  /** A new one for each call if absent. */
  idempotencyKey?: string | undefined;
}

export interface WaitOptions extends WatchOptions {
  /** Milliseconds after which the wait fails with a TimeoutError; without end if absent, since a job has an end of its own. */
  timeoutMs?: number | undefined;
  /** Is told each version of the job, the last one too. */
  onUpdate?: ((job: Job) => void) | undefined;
}

export class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#transport.send({...options, method: 'GET', path: pathOf(id)}, readJob);
  }

  list(input: ListInput = {}, options: CallOptions = {}): JobList {
    return new JobList(input, (query) => this.#transport.send(
      {...options, method: 'GET', path: `/api/jobs${query}`}, (answer) => answer.json() as Promise<JobPage>));
  }

  /** Ends a job, and returns it. It is safe to repeat: a job that has ended is left as it is. */
  async cancel(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#transport.send({...options, method: 'POST', path: `${pathOf(id)}/cancel`}, readJob);
  }

  /** Asks for what failed again, and returns the new job. Its key makes it safe to repeat: each try has the same job for an answer. */
  async retry(id: string, options: RetryOptions = {}): Promise<Job> {
    const {idempotencyKey: given, ...call} = options;
    const idempotencyKey = keyOf(given);
    return tell({idempotencyKey}, this.#transport.send(
      {...call, method: 'POST', path: `${pathOf(id)}/retry`, headers: {'Idempotency-Key': idempotencyKey}}, readJob));
  }

  /**
   * Removes a job that has ended, and its pictures. It is safe to repeat: if an earlier try of the same call may have arrived,
   * a job that is not there is taken for removed.
   */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    let isRepeated = false;
    const path = pathOf(id);
    try {
      await this.#transport.send({...options, method: 'DELETE', path, onRetry: () => (isRepeated = true)}, async () => undefined);
    } catch (error) {
      if (!(isRepeated && error instanceof NotFoundError)) {
        throw error;
      }
    }
  }

  /** Returns what the job's receiver was told, and how each try went. */
  async webhooks(id: string, options: CallOptions = {}): Promise<Webhook[]> {
    const path = `${pathOf(id)}/webhooks`;
    const {webhooks} = await this.#transport.send({...options, method: 'GET', path}, (answer) => answer.json() as Promise<WebhookList>);
    return webhooks;
  }

  /**
   * Has an event told again, under the same webhook-id, so that a receiver that works by that does nothing twice. It may be repeated:
   * while the event waits for a try, the service refuses another replay with a ConflictError.
   */
  async replayWebhook(id: string, webhookId: string, options: CallOptions = {}): Promise<Webhook> {
    const path = `${pathOf(id)}/webhooks/${encodeURIComponent(webhookId)}/replay`;
    return this.#transport.send({...options, method: 'POST', path}, (answer) => answer.json() as Promise<Webhook>);
  }

  /** Returns the job once it has ended, however it did. */
  async wait(id: string, options: WaitOptions = {}): Promise<Job> {
    const {signal, timeoutMs, onUpdate, after} = options;
    const whole = limit(signal, timeoutMs);
    try {
      let last: Job | undefined;
      for await (const job of this.watch(id, {signal: whole.signal, after})) {
        onUpdate?.(job);
        last = job;
      }
      return last as Job; // a watch ends after the job's last version only
    } finally {
      whole.stop();
    }
  }

  /** Yields the job each time that it has changed, the first time at once, until it has ended. */
  watch(id: string, options: WatchOptions = {}): AsyncGenerator<Job, void, undefined> {
    return watchJob(this.#transport, id, pathOf(id), options);
  }
}

/** Follows a job, and adds its id to an error. The code for it is loaded here: most pages that ask for pictures follow none. */
async function* watchJob(transport: Transport, id: string, path: string, options: WatchOptions): AsyncGenerator<Job, void, undefined> {
  try {
    const {watch} = await import('./watch.js');
    yield* watch(transport, path, options);
  } catch (error) {
    throw told(error, {jobId: id});
  }
}

export function readJob(answer: Response): Promise<Job> {
  return answer.json() as Promise<Job>;
}

/** Returns the key that the caller gave, or a new one. An empty one would be none: the service would take each try for a call. */
export function keyOf(given: string | undefined): string {
  if (given !== undefined && !/^[!-~]([ -~]{0,253}[!-~])?$/.test(given)) {
    throw new UsageError('idempotencyKey must have 1 to 255 characters of ASCII, and no space at its ends');
  }
  return given ?? crypto.randomUUID();
}

/** Returns the path of a job. */
function pathOf(id: string): string {
  if (!id) {
    throw new UsageError('the id of the job is missing');
  }
  return `/api/jobs/${encodeURIComponent(id)}`;
}

type Told = Pick<AiWorkerError, 'idempotencyKey' | 'jobId'>;

/** Returns what promise has, and adds to its error what the caller needs to resume. */
export async function tell<T>(known: Told, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw told(error, known);
  }
}

function told(error: unknown, known: Told): unknown {
  return error instanceof AiWorkerError ? Object.assign(error, known) : error;
}
