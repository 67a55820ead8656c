import type {FieldError, Problem} from './api.js';

/** What an error knows besides its message. */
export interface ErrorDetails {
  /** For programs: the service's own code, such as `token_expired`, or one by the status, such as `not_found`. */
  code: string;
  /** Of the answer; absent if there was none. */
  status?: number;
  /** By which the service's operators find the request in their log, if the service or what is before it gave one. */
  requestId?: string;
  /** What is wrong with each field of the request. */
  fields?: FieldError[];
  /** Seconds after which the request may be sent again. */
  retryAfter?: number;
  /** The key of the call. Who repeats the call with it gets the same job, and pays once. */
  idempotencyKey?: string;
  /** The job, if it is known. `jobs.wait(error.jobId)` resumes. */
  jobId?: string;
  cause?: unknown;
}

/** Any error of this package. No message of it holds an API key. */
export class AiWorkerError extends Error {
  declare readonly code: string;
  declare readonly status?: number;
  declare readonly requestId?: string;
  declare readonly fields: FieldError[];
  declare readonly retryAfter?: number;
  declare idempotencyKey?: string;
  declare jobId?: string;

  constructor(message: string, details: ErrorDetails) {
    super(message, details); // takes the cause, if there is one
    Object.assign(this, {fields: []}, details);
  }
}

/** The request is wrong (400, 413, 415, 422): see `fields`. */
export class InvalidRequestError extends AiWorkerError {
  override name = 'InvalidRequestError';
}

/** The API key or token is missing, wrong, or has expired (401, 403). */
export class AuthenticationError extends AiWorkerError {
  override name = 'AuthenticationError';
}

/** There is no such job, or it is another tenant's (404, 410). */
export class NotFoundError extends AiWorkerError {
  override name = 'NotFoundError';
}

/** The job is in a state in which this cannot be done (409). */
export class ConflictError extends AiWorkerError {
  override name = 'ConflictError';
}

/** There is no room for more (429): see `retryAfter`. */
export class RateLimitError extends AiWorkerError {
  override name = 'RateLimitError';
}

/** The service could not answer (5xx, or what no service of this kind answers). */
export class ServiceError extends AiWorkerError {
  override name = 'ServiceError';
}

/** There was no whole answer. */
export class ConnectionError extends AiWorkerError {
  override name = 'ConnectionError';
}

/** `timeoutMs`, or the caller's `AbortSignal.timeout`, was over. */
export class TimeoutError extends AiWorkerError {
  override name = 'TimeoutError';
}

/** The caller's signal ended the call. */
export class AbortError extends AiWorkerError {
  override name = 'AbortError';
}

/** The client is configured or called in a way that cannot work; nothing was sent. */
export class UsageError extends AiWorkerError {
  override name = 'UsageError';

  constructor(message: string) {
    super(message, {code: 'usage'});
  }
}

type ErrorClass = new (message: string, details: ErrorDetails) => AiWorkerError;

const byStatus: Record<number, [ErrorClass, string]> = {
  401: [AuthenticationError, 'unauthorized'],
  403: [AuthenticationError, 'forbidden'],
  404: [NotFoundError, 'not_found'],
  408: [ServiceError, 'request_timeout'],
  409: [ConflictError, 'conflict'],
  410: [NotFoundError, 'gone'],
  429: [RateLimitError, 'too_many_requests'],
};

/** Returns the error for an answer that is a refusal. what says what was asked; redact removes secrets. */
export function errorOf(
  what: string, answer: Response, problem: Partial<Problem> & {code?: string}, retryAfter: number | undefined,
  redact: (text: string) => string,
): AiWorkerError {
  const {status, headers} = answer;
  const [Class, code] = byStatus[status] ??
    (status >= 400 && status < 500 ? [InvalidRequestError, 'invalid_request'] : [ServiceError, 'unavailable']);
  const fields = (problem.errors ?? []).map(({message, location, value}) => (
    {message: redact(message), location, value: typeof value === 'string' ? redact(value) : value}));
  const detail = problem.detail ?? (status >= 400 ? answer.statusText : 'a redirect; set baseUrl to the address that answers itself');
  const text = [detail, ...fields.map((f) => `${f.location ?? 'request'}: ${f.message}`)].join('; ');
  return new Class(redact(`${what}: ${status} ${text}`), {
    code: problem.code ?? code,
    status,
    requestId: headers.get('x-request-id') ?? headers.get('x-cloud-trace-context') ?? undefined,
    fields,
    retryAfter,
  });
}

/** Returns the words of an error, and of its cause. */
export function whyOf(error: unknown): string {
  const {message, cause} = error instanceof Error ? error : {message: String(error), cause: undefined};
  return cause instanceof Error && cause.message ? `${message}: ${cause.message}` : message;
}
