// How a feed learns of changes: by server-sent events, and by polls where those do not get through.

import type {AiWorkerError} from '../errors.js';
import {sleep} from '../limit.js';
import type {UserJob} from '../userjob.js';
import type {Feed} from './feed.js';
import {ask, isTransient} from './request.js';

/** Streams that are open at once. Over HTTP/1.1 a browser has six connections to an origin, and other requests need some. */
const mostStreams = 4;
/** A stream whose first event does not come within so many milliseconds is held back by something in between. */
const firstMs = 10_000;
/** A stream without an event for so many milliseconds may be dead, and is opened anew. The route ends each after 55 s. */
const silentMs = 75_000;
/** The pause between two polls, in milliseconds. Without news it grows. */
const pollMs = 3000;
const longestPollMs = 15_000;
/** After so many polls in a row that failed, it is shown. */
const failuresShown = 3;

let streams = 0;

/** Follows a job for its feed, and calls tell after each poll. Returns what ends that. */
export function follow(url: string, feed: Feed, tell: () => void): () => void {
  let close = streams < mostStreams ? stream() : poll();

  /** Follows the server-sent events, and polls if they do not get through. Returns what ends that. */
  function stream(): () => void {
    const source = new EventSource(url + '/events');
    const end = () => {
      clearTimeout(timer);
      source.close();
      streams--;
    };
    const turnTo = (other: () => () => void) => {
      end();
      close = other();
    };
    let timer = setTimeout(turnTo, firstMs, poll);
    streams++;
    source.addEventListener('job', ({data}: MessageEvent<string>) => {
      clearTimeout(timer);
      timer = setTimeout(turnTo, silentMs, stream);
      feed.error = null;
      feed.offer(JSON.parse(data) as UserJob);
    });
    source.onerror = () => {
      if (source.readyState === 2) { // closed for good: it was refused, was no stream, or had nothing more
        turnTo(poll);
      }
    };
    return end;
  }

  /** Asks again and again. Returns what ends that. */
  function poll(): () => void {
    const controller = new AbortController();
    void keepAsking(url, feed, tell, controller.signal);
    return () => controller.abort();
  }

  return () => close();
}

/** Asks for a job again and again, until signal ends that. */
async function keepAsking(url: string, feed: Feed, tell: () => void, signal: AbortSignal): Promise<void> {
  for (let pause = pollMs, failures = 0; !signal.aborted; ) {
    const before = feed.job;
    let problem: AiWorkerError | null = null;
    try {
      feed.offer(await ask(url, {signal})); // the browser asks by ETag itself
    } catch (error) {
      problem = error as AiWorkerError;
    }
    if (signal.aborted) {
      return;
    }
    pause = feed.job === before ? Math.min(longestPollMs, pause * 1.5) : pollMs;
    failures = problem ? failures + 1 : 0;
    feed.error = problem && (failures >= failuresShown || !isTransient(problem)) ? problem : null;
    tell();
    await sleep(Math.max((problem?.retryAfter ?? 0) * 1000, pause * (0.5 + Math.random() / 2)), signal);
  }
}
