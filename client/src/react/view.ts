// What a component is shown. Whatever has not changed is the same object as before, so that a memoised tile does not render again.

import type {FieldError, Image, ImageError, ImageStatus, JobStatus, Progress, WaitingFor} from '../api.js';
import type {UserJob} from '../userjob.js';

/** `submitting` until the job is accepted, `loading` while a job is followed of which only the id is known. */
export type ImageJobStatus = 'idle' | 'submitting' | 'loading' | JobStatus;

/** Why a request was refused, or a job failed. What `submit` fails with is an AiWorkerError, and has these too. */
export interface JobError {
  /** For programs: the service's own code, or `connection` if no whole answer came. */
  code: string;
  /** For people. */
  message: string;
  /** Of the answer to a request. */
  status?: number | undefined;
  /** What is wrong with each field of the request. */
  fields?: FieldError[] | undefined;
  /** Seconds after which the request may be sent again. */
  retryAfter?: number | undefined;
}

/** One picture asked for, from the moment of the submit. */
export interface Picture {
  index: number;
  /** `queued` before the job is known. */
  status: ImageStatus;
  /** Null before there is a picture. */
  url: string | null;
  /** Pixels. */
  width: number | null;
  /** Pixels. */
  height: number | null;
  error: ImageError | null;
  /** What it waits for while it is queued. */
  waitingFor: WaitingFor | null;
  /** When its next attempt may begin, if it waits for a time. */
  retryAt: Date | null;
}

export interface View {
  status: ImageJobStatus;
  job: UserJob | null;
  /** One for each picture asked for, in its place. */
  pictures: Picture[];
  progress: Progress | null;
  /** How many pictures go before the next of this job's. */
  queuePosition: number | null;
  /** When that one should start. */
  estimatedStartAt: Date | null;
  /** Of the latest request, else of a job that failed. */
  error: JobError | null;
  /** The tab is hidden or there is no network, so that nothing is asked though something is awaited. */
  isPaused: boolean;
}

export interface Shown {
  /** The job's own takes its place. */
  status: ImageJobStatus;
  job?: UserJob | null | undefined;
  /** How many pictures were asked for, while the job is not known. */
  count?: number | undefined;
  error?: JobError | null | undefined;
  isPaused?: boolean;
}

/** Returns what is shown, with all of old that is still so; old itself if all is. */
export function viewOf({job = null, status: other, count, error, isPaused = false}: Shown, old?: View): View {
  const status = job?.status ?? other;
  const images: ArrayLike<Partial<Image>> = job?.images ?? {length: Math.min(count ?? 0, 16)};
  const view = {
    status,
    job,
    pictures: keep(old?.pictures, Array.from(images, (image, index) => keep(old?.pictures[index], pictureOf(image, index)))),
    progress: keep(old?.progress, job?.progress ?? null),
    queuePosition: job?.queue_position ?? null,
    estimatedStartAt: keep(old?.estimatedStartAt, dateOf(job?.estimated_start_at)),
    error: error ?? (status === 'failed' && job?.error || null),
    isPaused,
  };
  return old?.error === view.error ? keep(old, view) : view;
}

/** Returns the picture of an image, or of none yet. */
function pictureOf(image: Partial<Image> = {}, index: number): Picture {
  const {status = 'queued', url = null, width = null, height = null, error = null, waiting_for = null, retry_at} = image;
  return {index, status, url, width, height, error, waitingFor: waiting_for, retryAt: dateOf(retry_at)};
}

function dateOf(text: string | null | undefined): Date | null {
  return text ? new Date(text) : null;
}

/** Returns old if next says the same, else next. */
export function keep<T>(old: T | undefined, next: T): T {
  return JSON.stringify(old) === JSON.stringify(next) ? old as T : next;
}
