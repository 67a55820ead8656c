import type {ImageSize, Priority, WebhookEventType} from '../api.js';
import {UsageError} from '../errors.js';

/** What `providerOptions.aiWorker` takes. */
export type AiWorkerImageOptions = {
  imageSize?: ImageSize;
  /** `low` waits until no normal picture of its model does. */
  priority?: Priority;
  /** A JSON object of yours, up to 4 KiB, by which `jobs.list` finds the job. */
  metadata?: {[name: string]: string | number | boolean | null};
  /** Names the job: the same key with the same input is the same job, which is paid for once. A new key for each call if absent. */
  idempotencyKey?: string;
  /** The most that the job may cost in US dollars, by list price. */
  maxCostUsd?: number;
  /** Seconds until what has not ended fails, 60 to 604800; a day if absent. */
  expiresIn?: number;
  /** An https URL that is told what happens to the job. */
  webhook?: string;
  /** What it is told of; the four that end a job if absent. */
  webhookEvents?: WebhookEventType[];
};

/** The name of each option in the API. The key is sent as a header. */
const names: Record<keyof AiWorkerImageOptions, string> = {
  imageSize: 'image_size', priority: 'priority', metadata: 'metadata', idempotencyKey: '', maxCostUsd: 'max_cost_usd', expiresIn: 'expires_in',
  webhook: 'webhook', webhookEvents: 'webhook_events',
};

/** Returns the fields of the request that options stand for. It fails with a UsageError at an option that there is not. */
export function fieldsOf(options: AiWorkerImageOptions): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(options)) {
    const name = Object.hasOwn(names, option) ? names[option as keyof AiWorkerImageOptions] : undefined;
    if (name === undefined) {
      throw new UsageError(`providerOptions.aiWorker has no option ${option}; there are ${Object.keys(names).join(', ')}`);
    }
    if (name) {
      fields[name] = value;
    }
  }
  return fields;
}
