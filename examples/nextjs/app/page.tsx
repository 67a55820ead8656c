import {cookies} from 'next/headers';

import {Gate} from '@/components/gate';
import {Studio} from '@/components/studio';
import {accessOf} from '@/lib/visitor';

interface Props {
  searchParams: Promise<{code?: string | string[]}>;
}

export default async function Page({searchParams}: Props) {
  const jar = await cookies();
  const access = accessOf((name) => jar.get(name)?.value);
  return access.may ? <Studio /> : <Gate why={access.why} isWrong={(await searchParams).code === 'wrong'} />;
}
