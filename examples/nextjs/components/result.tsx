'use client';

import {deleteJob, type ImageJob, type UserJob} from 'ai-worker-client/react';
import Link from 'next/link';
import {useState} from 'react';

import {Tile} from './tile';
import {useSeconds} from './seconds';

interface Props {
  image: ImageJob;
  /** The shape that was asked for, until the job says it. */
  wished?: string | undefined;
  /** The page is about this job alone, and left when that is removed. */
  onDelete?: () => void;
  /** Is told the job that draws what is missing. */
  onRetry?: (job: UserJob) => void;
}

/** The job as it is: a place for each picture, what is going on, and what can be done. */
export function Result({image, wished, onDelete, onRetry}: Props) {
  const {status, job, pictures, error} = image;
  const Heading = onDelete ? 'h1' : 'h2';
  const [problem, setProblem] = useState<string>();
  if (status === 'idle' && !error) {
    return (
      <section className="result empty" aria-label="Result">
        <p>Your pictures will develop here, each in its own place.</p>
      </section>
    );
  }
  // What a picture failed of stands in its place.
  const refusal = error && error.message !== job?.error?.message ? error.message : undefined;
  const isOpen = status === 'queued' || status === 'processing' || status === 'submitting' || status === 'loading';
  const isIncomplete = job !== null && !isOpen && job.progress.succeeded < job.progress.total;
  const run = (action: () => Promise<unknown>) => () => {
    setProblem(undefined);
    action().catch((reason: Error) => setProblem(reason.message));
  };
  return (
    <section className="result" aria-label="Result" data-status={status}>
      {job && <Heading className="prompt">{job.input.prompt}</Heading>}
      <p className="status" role="status" aria-live="polite"><Status image={image} /></p>
      <ul className="tiles" data-count={pictures.length}>
        {pictures.map((picture) => (
          <Tile key={picture.index} picture={picture} ratio={job ? job.input.aspect_ratio : wished} prompt={job?.input.prompt ?? ''} />
        ))}
      </ul>
      {(problem ?? refusal) && <p className="problem" role="alert">{problem ?? refusal}</p>}
      <div className="actions">
        {isOpen && <button type="button" onClick={run(image.cancel)}>Cancel</button>}
        {isIncomplete && <button type="button" onClick={run(async () => {
          const next = await image.retry();
          onRetry?.(next);
        })}>Draw what is missing</button>}
        {job && !isOpen && onDelete && (
          <button type="button" onClick={run(async () => {
            await deleteJob(job.id);
            onDelete();
          })}>Delete</button>
        )}
        {job && !onDelete && <Link href={`/jobs/${job.id}`}>Link to this job</Link>}
      </div>
    </section>
  );
}

function Status({image}: {image: ImageJob}) {
  const {status, progress, queuePosition, estimatedStartAt, isPaused} = image;
  const seconds = useSeconds(status === 'queued' ? estimatedStartAt : null);
  if (isPaused) {
    return 'You are offline. The pictures go on without you, and will be here when you are back.';
  }
  switch (status) {
    case 'submitting':
      return 'Handing it in…';
    case 'loading':
      return 'Looking for it…';
    case 'queued':
      return [place(queuePosition), seconds === null ? null : seconds > 0 ? `starts in about ${duration(seconds)}` : 'starts any moment']
        .filter(Boolean).join(', ');
    case 'processing':
      return progress ? `${progress.succeeded} of ${progress.total} developed` : 'Developing…';
    case 'succeeded':
      return progress && progress.total > 1 ? `All ${progress.total} pictures are done` : 'The picture is done';
    case 'partial':
      return progress ? `${progress.succeeded} of ${progress.total} pictures are done` : 'Some pictures are done';
    case 'canceled':
      return 'Canceled';
    case 'failed':
      return 'Nothing could be drawn';
    default:
      return 'Ready';
  }
}

function place(position: number | null): string {
  return position ? `${position} ${position === 1 ? 'picture goes' : 'pictures go'} first` : 'Next in the queue';
}

function duration(seconds: number): string {
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
