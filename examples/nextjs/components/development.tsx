'use client';

import {useImageJob, type UserJob} from 'ai-worker-client/react';
import {useRouter} from 'next/navigation';

import {Result} from './result';

/** A job that is there already: what it is by now, and what can be done with it. */
export function Development({initialJob}: {initialJob: UserJob}) {
  const router = useRouter();
  const image = useImageJob({jobId: initialJob.id, initialJob, name: `job ${initialJob.id}`});
  return <Result image={image} onDelete={() => router.push('/')} onRetry={(job) => router.replace(`/jobs/${job.id}`)} />;
}
