import {limit} from '../limit.js';

/** Returns what work has, or fails if that takes longer than ms milliseconds. Work is told by its signal, and may go on. */
export async function within<T>(ms: number, work: (signal: AbortSignal) => PromiseLike<T> | T, what: string): Promise<T> {
  const time = limit(undefined, ms);
  const late = new Promise<never>((_, reject) => {
    time.signal.addEventListener('abort', () => reject(new Error(`${what} did not answer within ${ms} ms`)), {once: true});
  });
  try {
    return await Promise.race([late, work(time.signal)]);
  } finally {
    time.stop();
  }
}
