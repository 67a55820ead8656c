// The newest version of one job, for all that show it: one connection, however many they are.

import {hasEnded} from '../api.js';
import type {AiWorkerError} from '../errors.js';
import type {UserJob} from '../userjob.js';
import {isAway} from './presence.js';
import {isTransient} from './request.js';
import {keep} from './view.js';

/** The pause before code that did not come is asked for again, in milliseconds. */
const againMs = 5000;

export interface Feed {
  job: UserJob | null;
  error: AiWorkerError | null;
  /** Follows the job, and calls listener after each change, until the returned function is called. */
  hold(listener: () => void): () => void;
  /** Takes a job that somebody has. isOld says that it may be from a while ago. */
  offer(job: UserJob, isOld?: boolean): void;
  /** Connects or disconnects, as it should be now. */
  sync(): void;
}

const feeds = new Map<string, Feed>();

/** Returns the feed of a job, to be held at once: it is kept for as long as somebody holds it. */
export function feedOf(url: string): Feed {
  return feeds.get(url) ?? createFeed(url);
}

function createFeed(url: string): Feed {
  const listeners = new Set<() => void>();
  let close: (() => void) | undefined;

  const tell = () => {
    feed.sync();
    listeners.forEach((listener) => listener());
  };

  const feed: Feed = {
    job: null,
    error: null,
    hold(listener) {
      listeners.add(listener);
      queueMicrotask(feed.sync); // whoever has the job may offer it first
      return () => {
        listeners.delete(listener);
        feed.sync();
        if (!listeners.size) {
          feeds.delete(url);
        }
      };
    },
    offer(job, isOld) {
      if (!feed.job || rank(job) - rank(feed.job) > (isOld ? 0 : -1)) {
        feed.job = keep(feed.job, job);
        tell();
      }
    },
    sync() {
      const {job, error} = feed;
      if (!listeners.size || isAway() || (job && hasEnded(job)) || (error && !isTransient(error))) {
        close?.();
        close = undefined;
      } else {
        close ??= follow();
      }
    },
  };
  feeds.set(url, feed);

  /** Loads the code that follows a job, and begins: a page whose jobs have ended needs none of it. Returns what ends that. */
  function follow(): () => void {
    let end: (() => void) | undefined;
    let isOver = false;
    import('./follow.js').then((module) => {
      if (!isOver) {
        end = module.follow(url, feed, tell);
      }
    }, () => setTimeout(() => {
      if (!isOver) {
        close = undefined;
        feed.sync();
      }
    }, againMs));
    return () => {
      isOver = true;
      end?.();
    };
  }

  return feed;
}

/** Returns what rises with each change. An end is the last, even under a lower version: a record may have been restored. */
function rank(job: UserJob): number {
  return (hasEnded(job) ? 1e15 : 0) + job.version;
}
