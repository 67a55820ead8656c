// A route of a Next.js app through which its users ask for pictures and follow
// them. It knows the Web's Request and Response only, so it runs elsewhere too.

export {createRouteHandler, type RouteContext, type RouteHandler, type RouteHandlers} from './next/handler.js';
export type {Grant, RouteHandlerOptions} from './next/options.js';
export {redisStore, upstash, type RedisClient, type SnapshotStore, type StoredSnapshot, type UpstashOptions} from './next/stores.js';
export type {UserJob, UserJobInput, UserJobPage, UserQuote} from './userjob.js';
