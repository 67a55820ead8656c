// One request to the app's route, and the same request again while that may help.

import type {Problem} from '../api.js';
import {AiWorkerError} from '../errors.js';
import {backOff, sleep} from '../limit.js';
import {transient} from '../transport.js';

/** How long one try may take, in milliseconds, but for an upload. */
const tryMs = 60_000;
/** How often a request is sent again. */
const mostRetries = 5;
/** The longest Retry-After, in seconds, that is waited for unseen. Who is to wait longer is told so. */
const longestWait = 60;

export interface Init {
  method?: string;
  body?: string | Blob | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Sends a request once, and returns what read makes of the answer; its JSON if read is absent. Fails with an AiWorkerError. */
export async function ask<T>(
  url: string, init: Init, read = (answer: Response): Promise<T> => answer.json() as Promise<T>,
): Promise<T> {
  const {signal, body} = init;
  try {
    const limits = [signal ?? [], body instanceof Blob ? [] : AbortSignal.timeout(tryMs)].flat();
    const answer = await fetch(url, {...init, signal: AbortSignal.any(limits)} as RequestInit);
    const {status, headers} = answer;
    if (answer.ok) {
      return await read(answer);
    }
    const {detail, code, errors} = await answer.json().catch(() => 0) as Partial<Problem>;
    throw new AiWorkerError(detail ?? `the answer has status ${status}`, {
      code: code ?? `http_${status}`, status, fields: errors ?? [], retryAfter: Number(headers.get('retry-after')) || undefined,
    });
  } catch (error) {
    throw error instanceof AiWorkerError ? error
      : new AiWorkerError('no whole answer came', {code: signal?.aborted ? 'aborted' : 'connection', cause: error});
  }
}

/** Reports whether the same request may have another answer. */
export function isTransient(error: Error): boolean {
  return transient.includes((error as AiWorkerError).status ?? 503);
}

/** Sends a request that is safe to repeat until it has an answer, and waits for a network before each try. */
export async function persist<T>(send: () => Promise<T>, signal = new AbortController().signal): Promise<T> {
  for (let tries = 0; ; tries++) {
    while (!navigator.onLine && !signal.aborted) {
      await sleep(1000, signal);
    }
    try {
      return await send();
    } catch (error) {
      const {retryAfter = 0} = error as AiWorkerError;
      if (signal.aborted || !isTransient(error as AiWorkerError) || tries >= mostRetries || retryAfter > longestWait) {
        throw error;
      }
      await sleep(backOff(tries) + retryAfter * 1000, signal);
    }
  }
}

/** Returns the init of a POST. The route demands its content type. */
export function post(signal?: AbortSignal, body?: string, key?: string): Init {
  return {method: 'POST', signal, body, headers: {'Content-Type': 'application/json', ...(key && {'Idempotency-Key': key})}};
}
