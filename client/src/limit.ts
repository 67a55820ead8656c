// How long something may take, and how long to wait before it is tried again.

import {AbortError, TimeoutError} from './errors.js';

/** The longest time that a timer takes: a longer one would end at once. */
const longest = 2 ** 31 - 1;

/** A signal that ends with the caller's, or after a time. */
export interface Limit {
  readonly signal: AbortSignal;
  /** Begins the time anew. */
  restart(): void;
  /** Must be called in the end: a timer keeps a process alive. */
  stop(): void;
}

/** Returns a limit that ends with signal and after ms milliseconds, each if there is one. */
export function limit(signal?: AbortSignal, ms?: number): Limit {
  const controller = new AbortController();
  const end = () => controller.abort(signal?.reason);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  };
  const restart = () => {
    clearTimeout(timer);
    if (ms !== undefined) {
      timer = setTimeout(() => controller.abort(new DOMException(`${ms} ms are over`, 'TimeoutError')), Math.min(ms, longest));
    }
  };
  restart();
  if (signal?.aborted) {
    end();
  }
  signal?.addEventListener('abort', end, {once: true});
  return {signal: controller.signal, restart, stop};
}

/** Returns the error for a call that its signal has ended. */
export function endedBy(signal: AbortSignal, what: string): AbortError | TimeoutError {
  const cause: unknown = signal.reason;
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return new TimeoutError(`${what}: took too long: ${cause.message}`, {code: 'timeout', cause});
  }
  return new AbortError(`${what}: aborted`, {code: 'aborted', cause});
}

/** Waits for ms milliseconds, or until signal ends. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, longest));
    signal.addEventListener('abort', done, {once: true});
    if (signal.aborted) {
      done();
    }
  });
}

/** Returns after how many milliseconds to try again, after `tries` tries: any time up to a bound that doubles. */
export function backOff(tries: number): number {
  return Math.random() * Math.min(8000, 500 * 2 ** tries);
}

/** Returns the seconds of a Retry-After header, which has a number or a date. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after');
  if (!text) {
    return undefined;
  }
  if (/^\d+$/.test(text)) {
    return Number(text);
  }
  // By the clock that wrote the date, if it tells its time.
  const now = Date.parse(headers.get('date') ?? '') || Date.now();
  const seconds = (Date.parse(text) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
