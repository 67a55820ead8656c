// Calls of a route handler, as a browser makes them of the page's own origin.

import {EventParser} from '../dist/events.js';

const origin = 'http://app.test';

// request returns a request for a path below the route. A body that is no text
// is sent as JSON.
export function request(method, path = '', {body, headers = {}, ...more} = {}) {
  const isJSON = body !== undefined && typeof body !== 'string' && !(body instanceof ReadableStream);
  return new Request(`${origin}/api/images${path}`, {
    method, duplex: 'half', body: isJSON ? JSON.stringify(body) : body,
    headers: {'Sec-Fetch-Site': 'same-origin', ...(body === undefined ? {} : {'Content-Type': 'application/json'}), ...headers}, ...more,
  });
}

// call calls a handler as Next.js does: with the path's segments in a promise.
export function call(route, method, path = '', options = {}) {
  const asked = request(method, path, options);
  const segments = new URL(asked.url).pathname.split('/').slice(3).filter(Boolean);
  const handler = route[method === 'HEAD' ? 'GET' : method] ?? route.GET;
  return handler(asked, {params: Promise.resolve(segments.length > 0 ? {path: segments.map(decodeURIComponent)} : {})});
}

// events yields what a stream of events has, to its end.
export async function* events(answer) {
  const parser = new EventParser();
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    yield* parser.push(piece).map(({data}) => JSON.parse(data));
  }
}
