// Follows jobs for the streams that are open: each job once, however many
// streams show it.

import {hasEnded, type Job} from '../api.js';
import {AuthenticationError, NotFoundError} from '../errors.js';
import {limit, sleep} from '../limit.js';
import type {Backend, Report} from './backend.js';
import {Refusal, refusalOf} from './refusal.js';
import {tagOf} from './snapshots.js';

export interface Listener {
  /** Is told each change of the job. */
  next(job: Job): void;
  /** Is told that nothing more will come. */
  end(): void;
}

interface Watch {
  latest: Job;
  readonly listeners: Set<Listener>;
  readonly controller: AbortController;
}

export interface Pace {
  pollMs: number;
  streamMs: number;
}

export class Watches {
  readonly #backend: Backend;
  readonly #pace: Pace;
  readonly #open = new Map<string, Watch>();

  constructor(backend: Backend, pace: Pace) {
    this.#backend = backend;
    this.#pace = pace;
  }

  /** Tells a listener what becomes of a job that it has as it is, until that has ended or the function that is returned is called. */
  follow(job: Job, listener: Listener, report: Report): () => void {
    const watch = this.#open.get(job.id) ?? this.#begin(job, report);
    tell(watch, job); // this listener has it already
    watch.listeners.add(listener);
    if (watch.latest !== job && isNews(watch.latest, job)) {
      listener.next(watch.latest);
    }
    return () => {
      watch.listeners.delete(listener);
      if (watch.listeners.size === 0) {
        this.#end(job.id, watch);
      }
    };
  }

  #begin(job: Job, report: Report): Watch {
    const watch = {latest: job, listeners: new Set<Listener>(), controller: new AbortController()};
    this.#open.set(job.id, watch);
    void this.#run(watch, report);
    return watch;
  }

  #end(id: string, watch: Watch): void {
    watch.controller.abort();
    if (this.#open.get(id) === watch) {
      this.#open.delete(id);
    }
  }

  async #run(watch: Watch, report: Report): Promise<void> {
    const {signal} = watch.controller;
    try {
      for await (const job of this.#versions(watch, signal, report)) {
        tell(watch, this.#backend.accept(job));
        if (hasEnded(watch.latest)) {
          break;
        }
      }
    } catch (error) {
      const {report: told} = refusalOf(error).details;
      if (told !== undefined && !signal.aborted) {
        report(told);
      }
    }
    this.#end(watch.latest.id, watch);
    [...watch.listeners].forEach((listener) => listener.end());
  }

  /**
   * Yields the job as Redis has it, again and again. If Redis has nothing to believe, it asks the service once, which renews the
   * snapshot. If Redis has nothing even then, it goes on from the service for the length of a stream.
   */
  async *#versions(watch: Watch, signal: AbortSignal, report: Report): AsyncGenerator<Job, void, undefined> {
    const {id} = watch.latest;
    if (!this.#backend.hasSnapshots) {
      yield* this.#backend.client.jobs.watch(id, {signal, after: watch.latest});
      return;
    }
    for (let isRenewed = false; ;) {
      await sleep(this.#pace.pollMs, signal);
      if (signal.aborted) {
        return;
      }
      const snapshot = await this.#backend.snapshot(id, report);
      if (snapshot?.isFresh) {
        isRenewed = false;
        yield snapshot.job;
      } else if (!isRenewed) {
        isRenewed = true;
        yield* this.#asked(id, report);
      } else {
        isRenewed = false;
        yield* this.#streamed(watch, signal);
      }
    }
  }

  /** Yields the job as the service has it, or nothing if it does not answer: it may later. */
  async *#asked(id: string, report: Report): AsyncGenerator<Job, void, undefined> {
    try {
      yield await this.#backend.ask(id);
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof AuthenticationError || error instanceof Refusal) {
        throw error;
      }
      report(error);
    }
  }

  /** Yields the job as the service tells of it, for the length of a stream. */
  async *#streamed(watch: Watch, signal: AbortSignal): AsyncGenerator<Job, void, undefined> {
    const whole = limit(signal, this.#pace.streamMs);
    try {
      yield* this.#backend.client.jobs.watch(watch.latest.id, {signal: whole.signal, after: watch.latest});
    } catch (error) {
      if (signal.aborted || !whole.signal.aborted) {
        throw error;
      }
    } finally {
      whole.stop();
    }
  }
}

/** Tells a watch's listeners of a job that is newer than what they have. */
function tell(watch: Watch, job: Job): void {
  if (isNews(job, watch.latest)) {
    watch.latest = job;
    [...watch.listeners].forEach((listener) => listener.next(job));
  }
}

/** Reports whether a page should see a job that shows another one. A replica of Redis may be behind. */
function isNews(job: Job, shown: Job): boolean {
  return job.version > shown.version || (job.version === shown.version && tagOf(job) !== tagOf(shown));
}
