import {NextResponse, type NextRequest} from 'next/server';

import {isVisitor, visitorCookie} from './lib/visitor';

/** Gives each browser an id of its own, with the first page. */
export function proxy(request: NextRequest): NextResponse {
  if (isVisitor(request.cookies.get(visitorCookie)?.value)) {
    return NextResponse.next();
  }
  const id = crypto.randomUUID();
  request.cookies.set(visitorCookie, id); // for the page that is being made
  const response = NextResponse.next({request});
  response.cookies.set(visitorCookie, id, {
    httpOnly: true, sameSite: 'lax', secure: request.nextUrl.protocol === 'https:', maxAge: 365 * 24 * 3600, path: '/',
  });
  return response;
}

export const config = {matcher: ['/', '/jobs/:path*']};
