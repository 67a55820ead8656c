// What a page is told when it does not get what it asked for (RFC 9457), and
// what of that whoever runs the app should know.

import type {FieldError} from '../api.js';
import {AiWorkerError, AuthenticationError, ConflictError, InvalidRequestError, NotFoundError, RateLimitError, UsageError} from '../errors.js';

interface RefusalDetails {
  errors?: FieldError[] | undefined;
  headers?: Record<string, string>;
  /** What whoever runs the app should know. */
  report?: unknown;
}

/** An answer that is no success. Its message is for the page. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: number;
  readonly code: string;
  readonly details: RefusalDetails;

  constructor(status: number, code: string, message: string, details: RefusalDetails = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  toResponse(): Response {
    const {errors, headers} = this.details;
    const problem = {title: titles[this.status] ?? 'Refused', status: this.status, detail: this.message, code: this.code, errors};
    return new Response(JSON.stringify(problem), {
      status: this.status, headers: {'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers},
    });
  }
}

const titles: Record<number, string> = {
  400: 'Bad Request', 401: 'Unauthorized', 402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
  408: 'Request Timeout', 409: 'Conflict', 413: 'Content Too Large', 415: 'Unsupported Media Type', 422: 'Unprocessable Content',
  429: 'Too Many Requests', 500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable',
};

/** Returns what a page is told of a job that is not there, or is not its user's. */
export function noJob(): Refusal {
  return new Refusal(404, 'not_found', 'There is no such job.');
}

/** Returns what a page is told that only whoever runs the app can mend. */
export function misconfigured(why: string, status: 500 | 502 = 500): Refusal {
  return new Refusal(status, 'service_misconfigured', 'This cannot work before somebody mends the app. Its log says what is wrong.', {
    report: new Error(why),
  });
}

/** Reports whether Next.js throws an error to end a request in its own way: by a redirect, or because it is not answered while building. */
export function isOfNext(error: unknown): boolean {
  return typeof (error as {digest?: unknown} | null | undefined)?.digest === 'string';
}

/** Returns what is wrong with fields of a request. */
export function invalid(errors: FieldError[]): Refusal {
  return new Refusal(422, 'invalid_request', 'validation failed', {errors});
}

/** Returns what the service answers where it always has an answer: if there is no such path, something else is at its address. */
export async function served<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NotFoundError) {
      throw misconfigured(`the service is not at its address; set baseUrl, or AI_WORKER_URL: ${error.message}`, 502);
    }
    throw error;
  }
}

/** Seconds after which a page may ask again, if the service does not say. */
const retryAfter = 2;

/** Returns what a page is told of any error. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (error instanceof UsageError) {
    return misconfigured(error.message);
  }
  if (error instanceof AuthenticationError) {
    return misconfigured(`the service refuses the API key; set apiKey, or AI_WORKER_KEY, to one of its API_KEYS: ${error.message}`, 502);
  }
  if (error instanceof NotFoundError) {
    return noJob();
  }
  if (error instanceof RateLimitError) {
    const seconds = Math.ceil(error.retryAfter ?? retryAfter);
    return new Refusal(429, error.code, `Too much is under way already. Try again after ${seconds} seconds.`, {
      headers: {'Retry-After': String(seconds)}, report: error,
    });
  }
  if (error instanceof InvalidRequestError || error instanceof ConflictError) {
    return refusalOfInput(error);
  }
  if (error instanceof AiWorkerError) {
    return refusalOfTrouble(error);
  }
  return new Refusal(500, 'internal_error', 'The app could not do this.', {report: error});
}

/** What the page has no part in: the grant says it. */
const granted = /^body\.(metadata|priority|expires_in|webhook|webhook_events|max_cost_usd)\b/;

function refusalOfInput(error: AiWorkerError): Refusal {
  const errors = error.fields.filter((f) => !granted.test(f.location ?? ''));
  const cost = error.fields.find((f) => f.location === 'body.max_cost_usd' && !f.message.startsWith('cannot be kept'));
  if (error.status === 402 || (errors.length === 0 && cost)) {
    // The service's own words have its prices in them.
    return new Refusal(402, 'max_cost_exceeded', 'The pictures would cost more than one request may. Ask for fewer or smaller ones.');
  }
  if (errors.length === 0 && error.fields.length > 0) {
    return misconfigured(`the service refuses what authorize granted: ${error.message}`);
  }
  return new Refusal(error.status ?? 422, error.code, detailOf(error), {errors: errors.length > 0 ? errors : undefined});
}

/** Returns what the service said, without what was asked of it and without the fields, which are told beside it. */
function detailOf(error: AiWorkerError): string {
  const fields = error.fields.map((f) => `; ${f.location ?? 'request'}: ${f.message}`).join('');
  const text = error.message.endsWith(fields) ? error.message.slice(0, error.message.length - fields.length) : error.message;
  return text.slice(text.indexOf(': ') + 2).replace(/^\d{3} /, '');
}

function refusalOfTrouble(error: AiWorkerError): Refusal {
  if (error.status !== undefined && error.status < 400) {
    return misconfigured(`the address of the service redirects; set baseUrl, or AI_WORKER_URL, to where it answers itself: ${error.message}`, 502);
  }
  const seconds = Math.ceil(error.retryAfter ?? retryAfter);
  return new Refusal(503, 'unavailable', 'The pictures cannot be reached now. Try again; nothing is drawn twice.', {
    headers: {'Retry-After': String(seconds)}, report: error,
  });
}
