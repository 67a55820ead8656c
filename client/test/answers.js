// A service of answers that a test writes down, in place of fetch.

import {mock} from 'node:test';

export const job = (more = {}) => ({id: 'j1', status: 'queued', version: 1, ...more});

export const json = (body, status = 200, headers = {}) => () => Response.json(body, {status, headers});
export const refusal = (status, problem = {}, headers = {}) => json({title: 'T', status, detail: 'D', ...problem}, status, headers);
export const broken = () => {
  throw new TypeError('fetch failed', {cause: new Error('connect ECONNREFUSED')});
};
// silent is an answer that never comes.
export const silent = (request) => new Promise((_, reject) => {
  request.signal.addEventListener('abort', () => reject(request.signal.reason), {once: true});
});
// cut is an answer whose body breaks off.
export const cut = () => new Response(new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode('{"id": "j'));
    controller.error(new TypeError('terminated'));
  },
}), {status: 202});

// stream is an answer of events that stays open, or breaks off after the pieces.
export const stream = (pieces, {end = false, type = 'text/event-stream'} = {}) => (request) => new Response(new ReadableStream({
  start(controller) {
    pieces.forEach((piece) => controller.enqueue(new TextEncoder().encode(piece)));
    if (end) {
      controller.close();
    }
    request.signal.addEventListener('abort', () => {
      try {
        controller.error(request.signal.reason);
      } catch {
        // it has ended
      }
    });
  },
}), {headers: {'Content-Type': type}});
export const event = (j) => `event: job\nid: ${j.version}\ndata: ${JSON.stringify(j)}\n\n`;

// answering returns a fetch that gives the answers in turn, the last one again
// and again, and requests, which has what was sent and when.
export function answering(...answers) {
  const requests = [];
  const fetch = mock.fn(async (url, init) => {
    requests.push({url: String(url), ...init, at: Date.now()});
    return answers[Math.min(requests.length, answers.length) - 1](init);
  });
  return {fetch, requests};
}
