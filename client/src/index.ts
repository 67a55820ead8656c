export {hasEnded} from './api.js';
export type * from './api.js';
export {createClient, type Client, type GenerateOptions} from './client.js';
export {
  AbortError, AiWorkerError, AuthenticationError, ConflictError, ConnectionError, InvalidRequestError, NotFoundError, RateLimitError,
  ServiceError, TimeoutError, UsageError, type ErrorDetails,
} from './errors.js';
export type {Jobs, RetryOptions, WaitOptions} from './jobs.js';
export type {JobList, ListInput} from './list.js';
export {createJobToken, type JobTokenOptions} from './tokens.js';
export type {CallOptions, ClientOptions} from './transport.js';
export type {PutOptions, Uploads} from './uploads.js';
export type {WatchOptions} from './watch.js';
