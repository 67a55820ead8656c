// Who may draw, and whose pictures are whose. An app with a login of its own
// replaces this file: all that is needed is an id that no visitor can choose.

import {createHmac, timingSafeEqual} from 'node:crypto';

/** The cookie that proxy.ts gives each browser: 122 random bits, which nobody else can guess. */
export const visitorCookie = 'visitor';
const visitorPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The cookie of who has entered the access code. */
export const accessCookie = 'access';

export type Access =
  | {may: true; user: string}
  | {may: false; why: 'code' | 'closed' | 'cookies'};

/** Reports who asks, by the cookies of a request, and whether they may draw: drawing costs money. */
export function accessOf(cookie: (name: string) => string | undefined): Access {
  const code = process.env.ACCESS_CODE;
  if (!code && process.env.OPEN_TO_ALL !== '1' && process.env.NODE_ENV === 'production') {
    return {may: false, why: 'closed'};
  }
  if (code && !isProof(code, cookie(accessCookie))) {
    return {may: false, why: 'code'};
  }
  const user = cookie(visitorCookie);
  return isVisitor(user) ? {may: true, user} : {may: false, why: 'cookies'};
}

/** Reports whether a cookie is such as proxy.ts gives. A visitor can send any text. */
export function isVisitor(cookie: string | undefined): cookie is string {
  return cookie !== undefined && visitorPattern.test(cookie);
}

/** Returns what the cookie of who knows the access code holds. */
export function proofOf(code: string): string {
  return createHmac('sha256', code).update('ai-worker example: access').digest('base64url');
}

/** Reports whether a text is the access code. */
export function isCode(code: string, text: string): boolean {
  return isProof(code, proofOf(text));
}

function isProof(code: string, proof: string | undefined): boolean {
  const want = Buffer.from(proofOf(code));
  const have = Buffer.from(proof ?? '');
  return want.length === have.length && timingSafeEqual(want, have);
}
