// One request, and the same request again while that may help.

import {AiWorkerError, ConnectionError, errorOf, UsageError, whyOf} from './errors.js';
import {backOff, endedBy, limit, retryAfter, sleep} from './limit.js';

/** How to reach the service. */
export interface ClientOptions {
  /** Where the service is, such as `https://images.example.com`. */
  baseUrl: string;
  /** An API key, for servers. Whoever has it can spend your money. */
  apiKey?: string | undefined;
  /** A browser token for one job, in place of the key: see `createJobToken`. */
  token?: string | undefined;
  /** Another fetch than the global one. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds that one request may take, with all its tries; 120000 if absent. */
  timeoutMs?: number | undefined;
  /** How often a request is sent again at most; 5 if absent. */
  maxRetries?: number | undefined;
  /** Allows an API key where there is a window, such as in a desktop application of your own. */
  dangerouslyAllowBrowser?: boolean | undefined;
}

/** What each call takes. */
export interface CallOptions {
  /** Ends the call, which then fails with an AbortError and is not tried again. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that the call may take, with all its tries. */
  timeoutMs?: number | undefined;
}

export interface Call extends CallOptions {
  method: string;
  /** Path after the baseUrl, or the whole address of a request that must not have the API key. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Blob;
  /** Is called before the request is sent again. */
  onRetry?: () => void;
}

/** How long one try may take, in milliseconds, but for an upload. A body has 30 s, and an answer may be held back for 25. */
const tryMs = 60_000;

/** The statuses after which the same request may have another answer. */
export const transient = [408, 429, 500, 502, 503, 504];

/** Reports whether the same request may have another answer. */
export function isTransient(error: unknown): error is AiWorkerError {
  return error instanceof ConnectionError || (error instanceof AiWorkerError && transient.includes(error.status ?? 0));
}

/** Fails where there is a window: whoever opens the page would have the API key. */
export function refuseBrowser(): void {
  if (typeof window !== 'undefined') {
    throw new UsageError('an API key must not reach a browser: keep it on your server, and give the page a token of ' +
      'createJobToken (or set dangerouslyAllowBrowser, if nobody else opens this page)');
  }
}

export class Transport {
  readonly #options: ClientOptions;
  readonly #base: string;

  constructor(options: ClientOptions) {
    const {apiKey, token} = options;
    if (apiKey !== undefined && !options.dangerouslyAllowBrowser) {
      refuseBrowser();
    }
    for (const [name, value] of Object.entries({apiKey, token})) {
      if (value !== undefined && !/^[!-~]+$/.test(value)) {
        throw new UsageError(`${name} must be text of ASCII without spaces, as a header can hold it`);
      }
    }
    if (!/^https?:\/\/./.test(options.baseUrl)) {
      throw new UsageError('baseUrl must be an http or https URL');
    }
    this.#options = {...options};
    this.#base = options.baseUrl.replace(/\/+$/, '');
  }

  /** Sends a request until it has an answer, and returns what read makes of that. */
  async send<T>(call: Call, read: (answer: Response) => Promise<T>): Promise<T> {
    const {timeoutMs = 120_000, maxRetries = 5} = this.#options;
    const ms = call.timeoutMs ?? timeoutMs;
    const until = Date.now() + ms;
    const whole = limit(call.signal, ms);
    try {
      for (let tries = 0; ; tries++) {
        try {
          return await this.#try({...call, signal: whole.signal}, read);
        } catch (error) {
          if (whole.signal.aborted) {
            throw endedBy(whole.signal, nameOf(call));
          }
          const wait = backOff(tries) + (error instanceof AiWorkerError ? (error.retryAfter ?? 0) * 1000 : 0);
          if (!isTransient(error) || tries >= maxRetries || Date.now() + wait > until) {
            throw error;
          }
          await sleep(wait, whole.signal);
          call.onRetry?.();
        }
      }
    } finally {
      whole.stop();
    }
  }

  /** Sends a request once, and returns what read makes of the answer. */
  async #try<T>(call: Call, read: (answer: Response) => Promise<T>): Promise<T> {
    const once = limit(call.signal, isOwn(call) ? tryMs : undefined);
    try {
      return await read(await this.open({...call, signal: once.signal}));
    } catch (error) {
      throw this.#broken(call, error);
    } finally {
      once.stop();
    }
  }

  /** Sends a request once, and returns the answer, if that is no refusal. Its body is read under the same signal. */
  async open(call: Call): Promise<Response> {
    const secret = this.#options.apiKey ?? this.#options.token;
    const headers = {...call.headers, ...(isOwn(call) && secret ? {Authorization: `Bearer ${secret}`} : {})};
    const send = this.#options.fetch ?? globalThis.fetch;
    let answer: Response;
    let problem: object | null;
    try {
      call.signal?.throwIfAborted();
      answer = await send(isOwn(call) ? this.#base + call.path : call.path, {
        // A redirect could turn a POST into a GET. Frameworks keep answers to fetch, unless they are told not to.
        method: call.method, headers, body: call.body, signal: call.signal, redirect: 'manual', cache: 'no-store',
      });
      if (answer.ok || answer.status === 304) {
        return answer;
      }
      problem = await answer.json().catch(() => null) as object | null;
    } catch (error) {
      throw this.#broken(call, error);
    }
    throw errorOf(nameOf(call), answer, problem ?? {}, retryAfter(answer.headers), (text) => this.#redact(text));
  }

  /** Returns error, or if it is none of this package, the one for an answer that did not come whole. */
  #broken(call: Call, error: unknown): AiWorkerError {
    if (error instanceof AiWorkerError) {
      return error;
    }
    // The error itself is not handed on: another fetch may have put the request into it, with its headers.
    return new ConnectionError(this.#redact(`${nameOf(call)}: no whole answer came: ${whyOf(error)}`), {code: 'connection'});
  }

  /** Returns text without the API key, or the token. */
  #redact(text: string): string {
    const secret = this.#options.apiKey ?? this.#options.token;
    return secret ? text.replaceAll(secret, '***') : text;
  }
}

/** Reports whether a request is one of the service's own, and not one of the bucket's. */
function isOwn(call: Call): boolean {
  return call.path.startsWith('/');
}

/** Returns what an error calls a request. The address of an upload is a secret. */
function nameOf(call: Call): string {
  return call.method + ' ' + (isOwn(call) ? call.path.replace(/\?.*/, '') : 'of the picture');
}
