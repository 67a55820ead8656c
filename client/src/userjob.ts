// A job as the page of a user sees it: without what is between the app and the
// service.

import type {Image, Job, JobInput, Quote} from './api.js';

/** A job as its user sees it. A `Job` is one too. */
export interface UserJob extends Omit<Job, 'tenant' | 'metadata' | 'urls' | 'input' | 'cost_usd'> {
  input: UserJobInput;
  /** Absent unless the app shows its costs (`exposeCost`). */
  cost_usd?: number | null;
}

export type UserJobInput = Omit<JobInput, 'webhook' | 'webhook_events' | 'max_cost_usd'>;

/** A page of the user's jobs, the newest first. */
export interface UserJobPage {
  jobs: UserJob[];
  /** Give it as `cursor` for the next page; null on the last one. */
  next_cursor: string | null;
}

/** A quote as its user sees it. Its prices are absent unless the app shows its costs (`exposeCost`). */
export interface UserQuote extends Omit<Quote, 'price_usd' | 'cost_usd'> {
  price_usd?: number | null;
  cost_usd?: number | null;
}

/** What a user may see of the app's costs. */
export interface Exposure {
  exposeCost?: boolean | undefined;
}

// What is shown is named, so that a field that the service adds one day stays hidden until it is looked at.
const shownOfJob = {
  id: true, status: true, version: true, priority: true, output: true, error: true, progress: true, metrics: true, created_at: true,
  started_at: true, completed_at: true, expires_at: true, queue_position: true, estimated_start_at: true, retry_of: true,
  url_expires_at: true,
} satisfies Record<Exclude<keyof UserJob, 'input' | 'images' | 'cost_usd'>, true>;
const shownOfInput = {
  prompt: true, model: true, count: true, aspect_ratio: true, image_size: true, input_images: true, seed: true,
} satisfies Record<keyof UserJobInput, true>;
const shownOfImage = {
  index: true, status: true, url: true, content_type: true, width: true, height: true, bytes: true, sha256: true, model_version: true,
  attempts: true, error: true, waiting_for: true, retry_at: true,
} satisfies Record<keyof Image, true>;
const shownOfQuote = {
  dry_run: true, model: true, count: true, waiting_for: true, queue_position: true, estimated_start_at: true,
  estimated_completion_at: true,
} satisfies Record<Exclude<keyof UserQuote, 'price_usd' | 'cost_usd'>, true>;

/** Returns what the user may see of a job. */
export function toUserJob(job: Job, {exposeCost = false}: Exposure = {}): UserJob {
  return {
    ...pick(job, shownOfJob),
    input: pick(job.input, shownOfInput),
    images: job.images.map((image) => pick(image, shownOfImage)),
    ...(exposeCost ? {cost_usd: job.cost_usd} : {}),
  };
}

/** Returns what the user may see of a quote. */
export function toUserQuote(quote: Quote, {exposeCost = false}: Exposure = {}): UserQuote {
  return {...pick(quote, shownOfQuote), ...(exposeCost ? {price_usd: quote.price_usd, cost_usd: quote.cost_usd} : {})};
}

/** Returns those members of an object that are there and are shown. */
function pick<T extends object, K extends keyof T>(from: T, shown: Record<K, true>): Pick<T, K> {
  const names = Object.keys(shown) as K[];
  return Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]])) as Pick<T, K>;
}
