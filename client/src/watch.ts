// Follows a job: by server-sent events, and by long polling where those do not
// get through.

import {hasEnded, type Job} from './api.js';
import {AiWorkerError, ConnectionError} from './errors.js';
import {EventParser} from './events.js';
import {endedBy, limit, sleep} from './limit.js';
import {isTransient, type Transport} from './transport.js';

/** A stream that is silent for so long is dead, in milliseconds. The service sends a comment every 15 s. */
const stallMs = 45_000;
/** After so many streams in a row without an event, the job is polled. */
const deafAfter = 3;
/** After so many failures in a row, some minutes, the watch fails. */
const mostFailures = 30;
/** The least time from one poll to the next, in milliseconds: an answer may come at once in spite of the wait. */
const pollMs = 2000;
/** Statuses by which the service says that a watch is of no use. */
const final = [400, 401, 403, 404, 409, 410, 422];

export interface WatchOptions {
  signal?: AbortSignal | undefined;
  /** The job as the caller has it: only what is newer is wanted. */
  after?: Pick<Job, 'version' | 'status'> | undefined;
}

/** Returns each version of a job that is newer than the one before, until the job has ended. */
export async function* watch(transport: Transport, path: string, options: WatchOptions): AsyncGenerator<Job, void, undefined> {
  const follower = new Follower(transport, path, options.after?.version ?? 0);
  const whole = limit(options.signal);
  try {
    for (let failures = 0; ;) {
      failures++; // unless there is an event
      let problem: unknown;
      try {
        for await (const job of follower.follow(whole.signal)) {
          failures = 0;
          if (!job) {
            continue; // the service answers, and has nothing new
          }
          const ended = hasEnded(job);
          if (ended || job.version > follower.version) {
            follower.version = job.version;
            yield job;
          }
          if (ended) {
            return;
          }
        }
      } catch (error) {
        problem = error;
      }
      if (whole.signal.aborted) {
        throw endedBy(whole.signal, `watch of ${path}`);
      }
      follower.meet(problem, failures);
      await sleep(follower.pause(failures), whole.signal);
    }
  } finally {
    whole.stop();
  }
}

class Follower {
  /** The latest version that the caller has. */
  version: number;
  readonly #transport: Transport;
  readonly #path: string;
  #isDeaf = false;
  #lastId?: string;
  #retryMs = 100;
  #etag?: string;
  #least = 0; // milliseconds that the service asked to wait

  constructor(transport: Transport, path: string, version: number) {
    this.#transport = transport;
    this.#path = path;
    this.version = version;
  }

  follow(signal: AbortSignal): AsyncGenerator<Job | undefined, void, undefined> {
    return this.#isDeaf ? this.#poll(signal) : this.#stream(signal);
  }

  /** Takes note of how a try to follow ended, and throws what ends the watch. */
  meet(error: unknown, failures: number): void {
    const status = error instanceof AiWorkerError ? error.status ?? 0 : 0;
    if (final.includes(status) || failures >= mostFailures || (this.#isDeaf && error && !isTransient(error))) {
      throw error ?? new ConnectionError(`GET ${this.#path}/events: the streams have no events`, {code: 'connection'});
    }
    this.#least = error instanceof AiWorkerError ? (error.retryAfter ?? 0) * 1000 : 0;
    this.#isDeaf ||= failures >= deafAfter || (error !== undefined && !isTransient(error));
  }

  /** Returns how many milliseconds to wait after some failures in a row. */
  pause(failures: number): number {
    return Math.max(this.#least, Math.min(5000, this.#retryMs * 2 ** Math.max(0, failures - 1)) * (0.5 + Math.random()));
  }

  /** Yields what one stream of events has. */
  async *#stream(signal: AbortSignal): AsyncGenerator<Job, void, undefined> {
    const stall = limit(signal, stallMs);
    const parser = new EventParser();
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    let isSilent = true;
    try {
      const answer = await this.#transport.open({
        method: 'GET', path: this.#path + '/events', signal: stall.signal,
        headers: {Accept: 'text/event-stream', 'Last-Event-ID': this.#lastId ?? String(this.version)},
      });
      reader = answer.body?.getReader();
      if (!reader || !answer.headers.get('content-type')?.startsWith('text/event-stream')) {
        this.#isDeaf = true; // 204 says that there is nothing more; anything else is no stream
        return;
      }
      const decoder = new TextDecoder();
      for (;;) {
        const {done, value} = await reader.read();
        if (done) {
          return;
        }
        isSilent = false;
        stall.restart();
        const events = parser.push(decoder.decode(value, {stream: true}));
        this.#retryMs = parser.retry ?? this.#retryMs;
        this.#lastId = parser.lastId ?? this.#lastId;
        yield* events.filter((e) => e.type === 'job').map((e) => JSON.parse(e.data) as Job);
      }
    } catch (error) {
      this.#isDeaf ||= isSilent && stall.signal.aborted; // what is in between collects what it should hand on
      if (error instanceof AiWorkerError) {
        throw error;
      }
      throw new ConnectionError(`GET ${this.#path}/events: the stream broke`, {code: 'connection'});
    } finally {
      stall.stop();
      await reader?.cancel().catch(() => undefined);
    }
  }

  /** Yields what polls have, each held back until the job has ended or 25 s are over; undefined if that is nothing new. */
  async *#poll(signal: AbortSignal): AsyncGenerator<Job | undefined, void, undefined> {
    for (;;) {
      const next = Date.now() + pollMs;
      const headers: Record<string, string> = {Prefer: 'wait=25', ...(this.#etag ? {'If-None-Match': this.#etag} : {})};
      yield await this.#transport.send({method: 'GET', path: this.#path, headers, signal}, async (answer) => {
        const found = answer.status === 304 ? undefined : await answer.json() as Job;
        this.#etag = answer.headers.get('etag') ?? undefined;
        return found;
      });
      await sleep(Math.max(0, next - Date.now()), signal);
      if (signal.aborted) {
        throw endedBy(signal, `GET ${this.#path}`);
      }
    }
  }
}
