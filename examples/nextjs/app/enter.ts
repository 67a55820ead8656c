'use server';

import {cookies} from 'next/headers';
import {redirect} from 'next/navigation';

import {accessCookie, isCode, proofOf} from '@/lib/visitor';

/** Lets in who knows the access code, and sends everybody back to the page. */
export async function enter(form: FormData): Promise<void> {
  const code = process.env.ACCESS_CODE;
  if (!code || !isCode(code, String(form.get('code')))) {
    redirect('/?code=wrong');
  }
  const jar = await cookies();
  jar.set(accessCookie, proofOf(code), {httpOnly: true, sameSite: 'lax', secure: process.env.NODE_ENV === 'production', maxAge: 30 * 24 * 3600});
  redirect('/');
}
