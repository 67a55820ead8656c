// What is told of a job that has ended.

import type {Image, Job} from '../api.js';
import {AiWorkerError} from '../errors.js';
import type {ImageMetadata, ImageResponse, ImageWarning} from './specification.js';

/**
 * The job has ended without a picture: `code` says why, such as `blocked`, and `jobId` names it. The AI SDK does not try it again. It is
 * a `NoImageGeneratedError` to the AI SDK (`NoImageGeneratedError.isInstance(error)`).
 */
export class NoImageError extends AiWorkerError {
  override name = 'NoImageError';
  readonly isRetryable = false;
  readonly responses: ImageResponse[];

  constructor(job: Job, idempotencyKey: string) {
    const why = job.error ? `${job.error.code}: ${job.error.message}` : `it was ${job.status}`;
    super(`job ${job.id} has no picture: ${why}`, {code: job.error?.code ?? job.status, jobId: job.id, idempotencyKey});
    this.responses = [responseOf(job)];
    // By these the AI SDK tells its errors, whichever copy of it looks.
    Object.assign(this, {[Symbol.for('vercel.ai.error')]: true, [Symbol.for('vercel.ai.error.AI_NoImageGeneratedError')]: true});
  }
}

/** Returns the pictures that there are. */
export function picturesOf(job: Job): Image[] {
  return job.images.filter((image) => image.status === 'succeeded' && image.url);
}

export function metadataOf(job: Job): ImageMetadata[] {
  const pictures = picturesOf(job);
  // All pictures of a job have one price. Prices are whole micros.
  const costUsd = job.cost_usd === null ? null : Math.round(job.cost_usd * 1e6 / pictures.length) / 1e6;
  return pictures.map((image) => ({
    jobId: job.id, index: image.index, url: image.url ?? '', urlExpiresAt: job.url_expires_at, contentType: image.content_type ?? null,
    width: image.width ?? null, height: image.height ?? null, sha256: image.sha256 ?? null, modelVersion: image.model_version ?? null, costUsd,
  }));
}

export function responseOf(job: Job): ImageResponse {
  const answered = job.images.find((image) => image.model_version)?.model_version;
  return {timestamp: new Date(job.created_at), modelId: answered ?? job.input.model, headers: undefined};
}

/** Returns a warning that names the pictures that are missing, if any are. */
export function missing(job: Job): ImageWarning[] {
  const lost = job.images.filter((image) => !picturesOf(job).includes(image));
  if (lost.length === 0) {
    return [];
  }
  const each = lost.map(({index, status, error}) => `picture ${index}: ${error ? `${error.code}: ${error.message}` : status}`);
  return [{
    type: 'other',
    message: `${lost.length} of ${job.images.length} pictures of job ${job.id} are missing (${each.join('; ')}); jobs.retry('${job.id}') draws them again`,
  }];
}
