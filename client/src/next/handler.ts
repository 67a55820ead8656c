// What each path of the route does.

import {hasEnded, type Job} from '../api.js';
import {toUserJob, toUserQuote, type UserJob, type UserJobPage} from '../userjob.js';
import {Backend, type Report} from './backend.js';
import {idPattern, inputOf, listOf, uploadOf} from './input.js';
import {checkGrant, type Grant, type RouteHandlerOptions, type Settings, settingsOf} from './options.js';
import {isOfNext, misconfigured, noJob, Refusal, refusalOf, served} from './refusal.js';
import {hasTag, keyFor, readObject, refuseCrossSite} from './request.js';
import {tagOf} from './snapshots.js';
import {eventsOf} from './stream.js';
import {Streams} from './streams.js';
import {Watches} from './watches.js';
import {within} from './within.js';

/** What Next.js hands on beside the request. */
export interface RouteContext {
  params?: Promise<object> | object;
}

export type RouteHandler = (request: Request, context?: RouteContext) => Promise<Response>;

/** `route.ts` exports the three methods. */
export interface RouteHandlers {
  GET: RouteHandler;
  POST: RouteHandler;
  DELETE: RouteHandler;
  /**
   * Returns a user's job for a page that the server renders; null if they have none of that id. Whoever calls it has made sure who the
   * user is. Fails with an Error that says why, if neither Redis nor the service has an answer.
   */
  getJob(user: string, id: string): Promise<UserJob | null>;
}

/** How long `authorize` may take, in milliseconds. */
const authorizeMs = 10_000;

/**
 * Returns the handlers of `app/api/images/[[...path]]/route.ts`. They reach nobody, and read no setting of the environment, before the
 * first request. Fails with a UsageError if an option cannot work.
 */
export function createRouteHandler(options: RouteHandlerOptions): RouteHandlers {
  const route = new Route(settingsOf(options));
  const handle: RouteHandler = (request, context) => route.handle(request, context);
  return {GET: handle, POST: handle, DELETE: handle, getJob: (user, id) => route.getJob(user, id)};
}

/** One request that is let in. */
interface Call {
  request: Request;
  grant: Grant;
  /** The job that the path names, or ''. */
  id: string;
  report: Report;
}

type Action = (call: Call) => Promise<Response>;
/** By method. */
type Actions = Record<string, Action>;

class Route {
  readonly #settings: Settings;
  readonly #streams: Streams;
  #state: {backend: Backend; watches: Watches} | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#streams = new Streams(settings.maxStreams);
  }

  /** Answers a request. Fails only with what Next.js throws through handlers, such as a redirect. */
  async handle(request: Request, context: RouteContext | undefined): Promise<Response> {
    const report = (error: unknown) => this.#report(error, request);
    try {
      return await this.#answer(request, await segmentsOf(request, context, this.#settings.basePath), report);
    } catch (error) {
      if (isOfNext(error)) {
        throw error;
      }
      const refusal = refusalOf(error);
      if (refusal.details.report !== undefined && !request.signal.aborted) {
        report(refusal.details.report);
      }
      return refusal.toResponse();
    }
  }

  async getJob(user: string, id: string): Promise<UserJob | null> {
    if (!idPattern.test(id)) {
      return null;
    }
    try {
      return toUserJob(await this.#backend.get(id, user, (error) => this.#report(error, undefined)), this.#settings);
    } catch (error) {
      const {status, details} = refusalOf(error);
      if (status === 404) {
        return null;
      }
      throw details.report ?? error; // a page of the server has a log, and no reader of refusals
    }
  }

  async #answer(request: Request, segments: string[], report: Report): Promise<Response> {
    const {actions, id} = this.#find(segments);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const action = named(actions, method);
    if (!action) {
      return refuseMethod(request.method, Object.keys(actions));
    }
    if (method !== 'GET') {
      refuseCrossSite(request, this.#settings.allowedOrigins);
    }
    const grant = await this.#authorize(request);
    if (grant instanceof Response) {
      return grant;
    }
    const answer = await action({request, grant, id, report});
    return request.method === 'HEAD' ? new Response(null, answer) : answer;
  }

  /** Returns what can be done at a path. An id goes no further unless it looks like one. */
  #find([first, second, ...more]: string[]): {actions: Actions; id: string} {
    let actions: Actions | undefined;
    if (first === undefined) {
      actions = {GET: this.#list, POST: this.#submit};
    } else if (!idPattern.test(first)) {
      actions = second === undefined ? named<Actions>({quote: {POST: this.#quote}, uploads: {POST: this.#upload}}, first) : undefined;
    } else if (second === undefined) {
      actions = {GET: this.#get, DELETE: this.#delete};
    } else if (more.length === 0) {
      actions = named<Actions>({events: {GET: this.#events}, cancel: {POST: this.#cancel}, retry: {POST: this.#retry}}, second);
    }
    if (!actions) {
      throw noJob();
    }
    return {actions, id: first ?? ''};
  }

  async #authorize(request: Request): Promise<Grant | Response> {
    const grant = await within(authorizeMs, () => this.#settings.authorize(request), 'authorize');
    if (grant instanceof Response) {
      return grant;
    }
    if (!grant) {
      throw new Refusal(401, 'unauthorized', 'Sign in first.');
    }
    if (request.bodyUsed) {
      throw misconfigured('authorize read the body of the request; give it a copy to read, by request.clone()');
    }
    checkGrant(grant);
    return grant;
  }

  readonly #submit: Action = async ({request, grant}) => {
    const input = inputOf(await readObject(request, this.#settings.maxBodyBytes), grant);
    const idempotencyKey = await keyFor(request, grant.user);
    const job = await served(this.#backend.client.generateImages(input, {idempotencyKey}));
    return this.#show(this.#backend.accept(job), 202);
  };

  readonly #quote: Action = async ({request, grant}) => {
    const input = inputOf(await readObject(request, this.#settings.maxBodyBytes), grant);
    const quote = await served(this.#backend.client.quote(input));
    return json(toUserQuote(quote, this.#settings), 200, {'Cache-Control': 'no-store'});
  };

  readonly #upload: Action = async ({request, grant}) => {
    if (!grant.inputImages) {
      throw new Refusal(403, 'forbidden', 'Pictures may not be uploaded.');
    }
    const input = uploadOf(await readObject(request, this.#settings.maxBodyBytes));
    const upload = await served(this.#backend.client.uploads.create(input));
    return json(upload, 201, {'Cache-Control': 'no-store'});
  };

  readonly #list: Action = async ({request, grant}) => {
    const input = listOf(new URL(request.url).searchParams);
    const pages = this.#backend.client.jobs.list({...input, metadata: {user: grant.user}}, {signal: request.signal}).pages();
    const {value: page} = await served(pages.next());
    const jobs = (page?.jobs ?? []).filter((job) => this.#backend.isOwn(this.#backend.accept(job), grant.user));
    const shown: UserJobPage = {jobs: jobs.map((job) => toUserJob(job, this.#settings)), next_cursor: page?.next_cursor ?? null};
    return json(shown);
  };

  readonly #get: Action = async ({request, grant, id, report}) => {
    const job = await this.#backend.get(id, grant.user, report);
    const etag = etagOf(job);
    return hasTag(request, etag) ? new Response(null, {status: 304, headers: {...privately, ETag: etag}}) : this.#show(job, 200);
  };

  readonly #events: Action = async (call) => {
    const giveBack = this.#streams.take(call.grant.user);
    try {
      return await this.#stream(call, giveBack);
    } catch (error) {
      giveBack();
      throw error;
    }
  };

  /** Answers with a stream, and calls onEnd once that is over, or at once if there is none. */
  async #stream({request, grant, id, report}: Call, onEnd: () => void): Promise<Response> {
    const job = await this.#backend.get(id, grant.user, report);
    const headers = {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-transform', 'X-Accel-Buffering': 'no'};
    const isKnown = hasEnded(job) && request.headers.get('last-event-id') === String(job.version);
    if (isKnown || request.method === 'HEAD') {
      onEnd();
      return isKnown ? new Response(null, {status: 204, headers: privately}) : new Response(null, {headers}); // a browser stops at 204
    }
    const {watches} = this.#started;
    return new Response(eventsOf(job, {
      show: (shown) => toUserJob(shown, this.#settings), follow: (shown, listener) => watches.follow(shown, listener, report),
      streamMs: this.#settings.streamMs, signal: request.signal, onEnd,
    }), {headers});
  }

  readonly #cancel: Action = async ({grant, id, report}) => {
    await this.#backend.check(id, grant.user, report);
    return this.#show(this.#backend.accept(await this.#backend.client.jobs.cancel(id)), 200);
  };

  readonly #retry: Action = async ({request, grant, id, report}) => {
    const idempotencyKey = await keyFor(request, grant.user);
    await this.#backend.check(id, grant.user, report);
    return this.#show(this.#backend.accept(await this.#backend.client.jobs.retry(id, {idempotencyKey})), 202);
  };

  readonly #delete: Action = async ({grant, id, report}) => {
    await this.#backend.check(id, grant.user, report);
    await this.#backend.client.jobs.delete(id);
    return new Response(null, {status: 204, headers: privately});
  };

  #show(job: Job, status: number): Response {
    return json(toUserJob(job, this.#settings), status, {...privately, ETag: etagOf(job)});
  }

  get #backend(): Backend {
    return this.#started.backend;
  }

  get #started(): {backend: Backend; watches: Watches} {
    if (!this.#state) {
      const backend = new Backend(this.#settings);
      this.#state = {backend, watches: new Watches(backend, this.#settings)};
    }
    return this.#state;
  }

  /** Tells whoever runs the app. That fails no request. */
  #report(error: unknown, request: Request | undefined): void {
    try {
      if (this.#settings.onError) {
        this.#settings.onError(error, request);
        return;
      }
      console.error(`ai-worker-client/next: ${request ? `${request.method} ${new URL(request.url).pathname}` : 'getJob'}:`, error);
    } catch {
      // it is the app's own
    }
  }
}

/** Returns a member that an object has itself: a path may have any name in it. */
function named<T>(all: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

const privately = {'Cache-Control': 'private, no-cache'};

function json(body: unknown, status = 200, headers: Record<string, string> = privately): Response {
  return Response.json(body, {status, headers});
}

function etagOf(job: Job): string {
  return `W/"${tagOf(job)}"`;
}

/** Returns the path behind the route: what Next.js has matched, or what follows basePath. It is not decoded again. */
async function segmentsOf(request: Request, context: RouteContext | undefined, basePath: string): Promise<string[]> {
  const params = await context?.params;
  if (params) {
    return (Object.values(params).find(Array.isArray) as string[] | undefined ?? []).filter(Boolean);
  }
  const {pathname} = new URL(request.url);
  if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) {
    throw misconfigured(`${pathname} is not below ${basePath}; set basePath to where the route is`);
  }
  return pathname.slice(basePath.length).split('/').filter(Boolean);
}

function refuseMethod(method: string, allowed: string[]): Response {
  const all = [...allowed.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])), 'OPTIONS'].join(', ');
  if (method === 'OPTIONS') {
    return new Response(null, {status: 204, headers: {Allow: all}});
  }
  return new Refusal(405, 'method_not_allowed', `Only ${all} can be used here.`, {headers: {Allow: all}}).toResponse();
}
