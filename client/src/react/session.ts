// What components of one name share: the job that they follow, and the requests that they make.

import {hasEnded, type GenerateImagesInput} from '../api.js';
import type {AiWorkerError} from '../errors.js';
import type {UserJob} from '../userjob.js';
import {load, save, type Entry, type Task} from './entry.js';
import {feedOf, type Feed} from './feed.js';
import {isAway, onPresence} from './presence.js';
import {ask, isTransient, persist, post} from './request.js';
import {viewOf, type View} from './view.js';

/** What to draw: the fields that the app's route takes from a page. */
export type ImageJobInput =
  Pick<GenerateImagesInput, 'prompt' | 'model' | 'count' | 'aspect_ratio' | 'image_size' | 'input_images' | 'seed'>;

/** How long a job is followed after its last component is gone, in milliseconds: another often comes at once. */
const graceMs = 1000;

export interface Actions {
  /**
   * Asks for pictures, follows the job, and returns it as accepted. While a request is under way, the answer is that one's: a double
   * click is one job. An earlier job that has not ended goes on by itself.
   */
  submit(input: ImageJobInput): Promise<UserJob>;
  /** Ends the job; what was drawn stays. While it is being submitted, it is ended as soon as it is known. */
  cancel(): Promise<void>;
  /** Asks for what failed again, follows the new job, and returns it. */
  retry(): Promise<UserJob>;
  /** Forgets the job, which goes on by itself. */
  reset(): void;
}

export interface Session extends Actions {
  view(): View;
  subscribe(listener: () => void): () => void;
  /** Takes a job as the server had it when it rendered the page. */
  offer(job: UserJob): void;
}

/** What somebody has subscribed to, or has a request under way. */
export const sessions = new Map<string, Session>();
const ignore = () => undefined;

/** Returns the session of a key; a new one begins with a view. jobId is empty unless the caller says which job it is. */
export function sessionOf(key: string, api: string, jobId: string, view: View): Session {
  return sessions.get(key) ?? createSession(key, api, jobId, view);
}

function createSession(key: string, api: string, given: string, view: View): Session {
  const listeners = new Set<() => void>();
  const named: Entry = given ? {jobId: given} : {};
  let entry = {...load(key), ...named};
  let isSaved = true;
  let error: AiWorkerError | null = null;
  let feed: Feed | undefined;
  let release: (() => void) | undefined; // of the feed
  let leave: (() => void) | undefined; // while it is attached to the page
  let grace: ReturnType<typeof setTimeout> | undefined;
  let pending: Promise<UserJob> | undefined;
  let controller: AbortController | undefined;
  let isSent = false;

  /** Follows the entry's job while anybody looks, and shows how things are. */
  const update = () => {
    const next = leave && entry.jobId ? feedOf(urlOf()) : undefined;
    if (next !== feed) {
      const before = release;
      feed = next;
      release = next?.hold(update);
      before?.();
      if (view.job) {
        take(view.job, true);
      }
    }
    const job = pending ? null : feed?.job;
    const shown = viewOf({
      status: pending ? 'submitting' : entry.jobId && !feed?.error ? 'loading' : 'idle',
      job,
      count: (pending ? entry.task : entry)?.count,
      error: error ?? feed?.error,
      isPaused: isAway() && !!(pending || (entry.jobId && !(job && hasEnded(job)))),
    }, view);
    if (feed?.error?.status === 404) {
      save(key, {task: entry.task}); // a reload would not find the job either
    }
    if (shown !== view) {
      view = shown;
      listeners.forEach((listener) => listener());
    }
  };

  const urlOf = () => `${api}/${encodeURIComponent(entry.jobId!)}`;

  /** Remembers an entry, and follows it. A job that the caller named is named again after a reload. */
  const become = (next: Entry) => {
    entry = next;
    isSaved = save(key, given && !next.task ? {} : next);
    update();
  };

  const take = (job: UserJob, isOld?: boolean) => {
    if (job.id === entry.jobId) {
      feed?.offer(job, isOld);
    }
  };

  const fail = (problem: AiWorkerError): never => {
    error = problem;
    update();
    throw problem;
  };

  /** Sends a request under a key that is remembered first, and follows the job that it is answered with. */
  const start = (url: string, count: number, body?: string): Promise<UserJob> => {
    const {task: before} = entry;
    // After all tries failed, and after a reload, the same is asked under the same key: there may be a job.
    isSent = before?.url === url && before.body === body;
    const task: Task = isSent ? {...before!, failed: false}
      : {url, body, count, key: crypto.getRandomValues(new Uint32Array(4)).join('-'), at: Date.now()};
    const {signal} = controller = new AbortController();
    const promise = pending = Promise.resolve().then(() => persist(() => {
      isSent = true;
      return ask<UserJob>(url, post(signal, body, task.key));
    }, signal)).then((job) => {
      if (pending === promise) {
        const {cancel} = entry.task!;
        pending = undefined;
        become({jobId: job.id, count: job.images.length});
        take(job);
        return cancel ? stop().then(() => job) : job;
      }
      return job;
    }, (problem: AiWorkerError) => {
      if (pending === promise) {
        pending = undefined;
        become({...entry, task: isTransient(problem) ? {...task, failed: true, cancel: false} : undefined});
        fail(problem);
      }
      throw problem;
    }).finally(forget);
    promise.catch(ignore); // the error is shown
    sessions.set(key, session);
    error = null;
    become({...entry, task});
    return promise;
  };

  /** Cancels the entry's job, and shows it. */
  const stop = () => {
    error = null;
    const promise = persist(() => ask<UserJob>(urlOf() + '/cancel', post())).then(take, fail);
    promise.catch(ignore); // the error is shown
    return promise;
  };

  /** Gives up the request that is under way, and goes on with another entry. */
  const abandon = (next: Entry) => {
    pending = undefined;
    controller?.abort();
    error = null;
    become(next);
  };

  /** Lets go of all that nobody needs any more. What could not be saved stays. */
  const forget = () => {
    if (!leave && !pending && isSaved) {
      sessions.delete(key);
    }
  };

  const session: Session = {
    view: () => view,
    subscribe(listener) {
      listeners.add(listener);
      clearTimeout(grace);
      if (!leave) {
        sessions.set(key, session);
        leave = onPresence(() => {
          feed?.sync();
          update();
        });
        const {task} = entry;
        if (task && !task.failed && !pending) {
          start(task.url, task.count, task.body);
        }
        update();
      }
      return () => {
        listeners.delete(listener);
        if (!listeners.size) {
          grace = setTimeout(() => {
            leave?.();
            leave = undefined;
            update();
            forget();
          }, graceMs);
        }
      };
    },
    offer: (job) => take(job, true),
    submit: (input) => pending ?? start(api, input.count ?? 1, JSON.stringify(input)),
    retry: () => pending ?? start(urlOf() + '/retry', view.pictures.filter(({url}) => !url).length),
    cancel() {
      if (!pending) {
        return entry.jobId ? stop() : Promise.resolve();
      }
      if (isSent) {
        become({...entry, task: {...entry.task!, cancel: true}}); // only its answer says which job it is
        return pending.then(ignore, ignore);
      }
      abandon({...entry, task: undefined});
      return Promise.resolve();
    },
    reset: () => abandon(named),
  };
  return session;
}
