import type {Metadata} from 'next';
import {cookies} from 'next/headers';
import Link from 'next/link';
import {notFound} from 'next/navigation';

import {Development} from '@/components/development';
import {Gate} from '@/components/gate';
import {images} from '@/lib/images';
import {accessOf} from '@/lib/visitor';

export const metadata: Metadata = {title: 'Job'};

/** One job of the visitor's, by an address that can be kept. */
export default async function Page({params}: {params: Promise<{id: string}>}) {
  const jar = await cookies();
  const access = accessOf((name) => jar.get(name)?.value);
  if (!access.may) {
    return <Gate why={access.why} />;
  }
  const job = await images.getJob(access.user, (await params).id);
  if (!job) {
    notFound();
  }
  return (
    <>
      <p><Link href="/">← New picture</Link></p>
      <Development initialJob={job} />
    </>
  );
}
