// A stream of server-sent events that shows a page its job.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

import {hasEnded, type Job} from '../api.js';
import type {UserJob} from '../userjob.js';
import type {Listener} from './watches.js';

/** How often something is sent, in milliseconds, so that nothing in between takes a stream for dead. */
const beatMs = 15_000;
/** Has a browser connect again after 2 s. Safari shows nothing before it has 1 KiB. */
const prelude = `retry: 2000\n:${' '.repeat(2048)}\n\n`;

export interface StreamOptions {
  show: (job: Job) => UserJob;
  follow: (job: Job, listener: Listener) => () => void;
  streamMs: number;
  /** Ends when the page is gone, where the platform tells that. */
  signal: AbortSignal;
  /** Is called once the stream is over. */
  onEnd: () => void;
}

/** Returns events of a job: one at once, and one for each change, until the job has ended, the page is gone or the time is over. */
export function eventsOf(job: Job, options: StreamOptions): ReadableStream<Uint8Array> {
  const outlet = new Outlet(job, options);
  return new ReadableStream<Uint8Array>({
    start: (controller) => outlet.open(controller),
    pull: () => outlet.flush(),
    cancel: () => outlet.stop(),
  }, {highWaterMark: 3});
}

class Outlet implements Listener {
  readonly #options: StreamOptions;
  readonly #encoder = new TextEncoder();
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** What the page has not been sent yet. A page that reads slowly gets the latest only. */
  #pending: Job | undefined;
  #unfollow: (() => void) | undefined;
  #beat: ReturnType<typeof setTimeout> | undefined;
  #last: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(job: Job, options: StreamOptions) {
    this.#pending = job;
    this.#options = options;
  }

  open(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    const {signal, streamMs, follow} = this.#options;
    const first = this.#pending as Job;
    this.#last = setTimeout(() => this.#close(), streamMs);
    signal.addEventListener('abort', this.#onAbort, {once: true});
    this.#send(prelude);
    this.flush();
    if (signal.aborted) {
      this.#close();
    }
    if (!this.#isOver && !hasEnded(first)) {
      const unfollow = follow(first, this);
      this.#unfollow = unfollow;
      if (this.#isOver) {
        unfollow(); // it was told of the end at once
      }
    }
  }

  next(job: Job): void {
    this.#pending = job;
    this.flush();
  }

  /** Sends what is pending, if there is room for it. */
  flush(): void {
    const job = this.#pending;
    if (this.#isOver || !job || !this.#hasRoom()) {
      return;
    }
    this.#pending = undefined;
    this.#send(`event: job\nid: ${job.version}\ndata: ${JSON.stringify(this.#options.show(job))}\n\n`);
    if (hasEnded(job)) {
      this.#close();
    }
  }

  /** Closes the stream, once the page has been sent the end of its job. */
  end(): void {
    if (!this.#pending || !hasEnded(this.#pending)) {
      this.#close();
    }
  }

  /** Closes the stream. A browser connects again, and learns then whether there is more. */
  #close(): void {
    if (!this.#isOver) {
      this.stop();
      this.#controller.close();
    }
  }

  /** Lets go of all that the stream holds. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#beat);
    clearTimeout(this.#last);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#unfollow?.();
    this.#options.onEnd();
  }

  readonly #onAbort = () => this.#close();

  #send(text: string): void {
    this.#controller.enqueue(this.#encoder.encode(text));
    this.#keepAlive();
  }

  #keepAlive(): void {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => (this.#hasRoom() ? this.#send(': still here\n\n') : this.#keepAlive()), beatMs);
  }

  #hasRoom(): boolean {
    return (this.#controller.desiredSize ?? 0) > 0;
  }
}
