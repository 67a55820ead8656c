// The API's own shapes, as /openapi.json describes them. test/openapi.test.js
// holds each field and each value against that document.

/** What to draw. Fields have the names that the API gives them. */
export interface GenerateImagesInput {
  prompt: string;
  /** One of the models that the service serves; its default one if absent. */
  model?: string;
  /** Pictures to draw, 1 to 16; 1 if absent. */
  count?: number;
  /** The model's choice if absent. */
  aspect_ratio?: AspectRatio;
  /** The model's choice if absent. */
  image_size?: ImageSize;
  /** Pictures to start from, 14 at most: https URLs, data URIs, or ids of uploads. */
  input_images?: string[];
  /** The picture at index i is drawn with seed + i. */
  seed?: number;
  /** A JSON object of yours, up to 4 KiB; handed back as it is. */
  metadata?: Record<string, unknown>;
  /** `low` waits until no normal picture of its model does. */
  priority?: Priority;
  /** Seconds until what has not ended fails, 60 to 604800; a day if absent. */
  expires_in?: number;
  /** The most that the job may cost in US dollars, by list price. A picture that could cost more fails with `max_cost_exceeded`. */
  max_cost_usd?: number;
  /** Asks for a quote in place of a job; `client.quote` sets it. */
  dry_run?: boolean;
  /** An https URL that is told what happens to the job. */
  webhook?: string;
  /** What it is told of; the four that end a job if absent. */
  webhook_events?: WebhookEventType[];
}

export type AspectRatio =
  | '1:1' | '1:4' | '4:1' | '1:8' | '8:1' | '2:3' | '3:2' | '3:4' | '4:3' | '4:5' | '5:4' | '9:16' | '16:9' | '21:9';
export type ImageSize = '512' | '1K' | '2K' | '4K';
export type WebhookEventType =
  | 'job.started' | 'image.succeeded' | 'image.failed' | 'job.succeeded' | 'job.partial' | 'job.failed' | 'job.canceled';
export type Priority = 'normal' | 'low';

/** `succeeded`, `partial` (some pictures), `failed` and `canceled` are final. */
export type JobStatus = 'queued' | 'processing' | 'succeeded' | 'partial' | 'failed' | 'canceled';
export type ImageStatus = 'queued' | 'processing' | 'succeeded' | 'failed' | 'canceled';

/** A job. Times are RFC 3339 texts, such as `2026-11-24T12:00:00Z`. */
export interface Job {
  id: string;
  status: JobStatus;
  /** Rises with every change of the job or of one of its images. */
  version: number;
  /** Name of the API key that created the job. */
  tenant: string;
  priority: Priority;
  input: JobInput;
  /** One for each picture asked for, by index. */
  images: Image[];
  /** URLs of the pictures there are so far. */
  output: string[];
  /** Why the first image that failed did. */
  error: ImageError | null;
  progress: Progress;
  metrics: Metrics;
  /** What the pictures cost so far in US dollars, by the tokens of their answers; null if it is not known. */
  cost_usd: number | null;
  metadata: Record<string, unknown>;
  created_at: string;
  /** When the first image started. */
  started_at: string | null;
  /** When the last image ended. */
  completed_at: string | null;
  /** Images that have not ended by then fail with `deadline_exceeded`. */
  expires_at: string;
  /** How many pictures go before the next of this job's that waits. */
  queue_position: number | null;
  /** When that one should start. */
  estimated_start_at: string | null;
  urls: Links;
  /** The job whose pictures this one draws again. */
  retry_of: string | null;
  /** Until when the URLs of the pictures are good; null if they stay. A later answer has later ones. */
  url_expires_at: string | null;
}

/** What the caller asked for, with defaults filled in. */
export interface JobInput {
  prompt: string;
  model: string;
  count: number;
  aspect_ratio?: string;
  image_size?: string;
  /** URLs; of pictures that were sent as data URIs, where they are stored. */
  input_images?: string[];
  seed?: number;
  max_cost_usd?: number;
  /** Who is told. */
  webhook?: string;
  /** What of. */
  webhook_events?: string[];
}

/** One picture of a job. */
export interface Image {
  index: number;
  status: ImageStatus;
  /** Where the picture is; null before there is one. */
  url: string | null;
  content_type?: string;
  /** Pixels. */
  width?: number;
  /** Pixels. */
  height?: number;
  bytes?: number;
  /** Lower-case hex. */
  sha256?: string;
  /** The model that answered. */
  model_version?: string;
  attempts: number;
  /** Why it failed, or why its latest attempt did. */
  error: ImageError | null;
  /** What it waits for while it is queued; null otherwise. */
  waiting_for: WaitingFor | null;
  /** When its next attempt may begin, if it waits for a time. */
  retry_at: string | null;
}

export type WaitingFor = 'turn' | 'quota' | 'lane' | 'backoff' | 'budget' | 'model';

/** Why an image failed. */
export interface ImageError {
  /** For programs. Codes are added, never changed. */
  code: string;
  /** For people. */
  message: string;
}

/** How many images of a job are in each status. */
export interface Progress {
  total: number;
  queued: number;
  processing: number;
  succeeded: number;
  failed: number;
  canceled: number;
}

export interface Metrics {
  /** From creation to the first image's start. */
  queue_seconds: number | null;
  /** From there to the last image's end. */
  run_seconds: number | null;
}

/** Addresses for further requests about a job. */
export interface Links {
  get: string;
  cancel: string;
  retry: string;
}

/** A page of jobs, the newest first. */
export interface JobPage {
  jobs: Job[];
  /** Give it as `cursor` for the next page; null on the last one. */
  next_cursor: string | null;
}

/** What a job's receiver was told, in the order in which it happened. */
export interface WebhookList {
  webhooks: Webhook[];
}

/** One event, and the tries to tell it. */
export interface Webhook {
  /** Sent as `webhook-id`. */
  id: string;
  event: WebhookEventType;
  /** Of the picture, with an event of one. */
  index: number | null;
  state: 'waiting' | 'delivered' | 'gone' | 'failed';
  /** When it happened. */
  created_at: string;
  /** When the next try is due. */
  next_at: string | null;
  /** The latest 30, the oldest first. */
  tries: WebhookTry[];
}

export interface WebhookTry {
  /** From 1, those of earlier rounds included. */
  number: number;
  started_at: string;
  duration_ms: number;
  /** Of the HTTP answer. */
  status: number | null;
  /** For programs. Names are added, never changed. */
  failure: string | null;
  /** For people. */
  message?: string;
  /** The beginning of the answer. */
  answer?: string;
}

/** What a request would cost, and when it would be done. */
export interface Quote {
  dry_run: boolean;
  model: string;
  count: number;
  /** List price of one picture; null if it is not known. */
  price_usd: number | null;
  /** List price of all pictures. */
  cost_usd: number | null;
  /** What the first picture would wait for. */
  waiting_for: 'turn' | 'quota' | 'lane' | 'budget' | 'model';
  /** How many pictures would go before the first one; null if none is drawn now. */
  queue_position: number | null;
  /** When the first one should start. */
  estimated_start_at: string | null;
  /** When the last one should be done; null also if none was drawn in the last day. */
  estimated_completion_at: string | null;
}

/** Which jobs to list. All that is given must hold. */
export interface ListParams {
  /** Jobs on a page, 1 to 100; 20 if absent. */
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
  /** Jobs of any of these. */
  status?: JobStatus[];
  /** Jobs created at this time or later, as an RFC 3339 text. */
  created_after?: string;
  /** Jobs created before this time, as an RFC 3339 text. */
  created_before?: string;
  /** A part of the prompt, in any case. */
  q?: string;
}

export type PictureType = 'image/png' | 'image/jpeg' | 'image/webp';

/** What is about to be uploaded. */
export interface UploadInput {
  content_type: PictureType;
  /** The picture's exact size, 20 MiB at most. */
  bytes: number;
}

/** Where a picture is to be put. */
export interface Upload {
  /** Names the picture in `input_images`, for a day. */
  id: string;
  method: 'PUT';
  /** Takes the picture's bytes, once or again, until `expires_at`. It needs no API key. */
  url: string;
  /** Send these with the bytes. */
  headers: Record<string, string>;
  expires_at: string;
}

/** What the service says about a refusal (RFC 9457). */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  /** For programs, if there is one. Codes are added, never changed. */
  code?: string;
  errors?: FieldError[];
}

/** One thing that is wrong with a request. */
export interface FieldError {
  /** What is wrong, for people. */
  message: string;
  /** Where, such as `body.prompt`. */
  location?: string;
  /** What stands there, if it is short. */
  value?: unknown;
}

/** Reports whether a job has ended. A status that this version does not know counts as an end, so that nobody waits for ever. */
export function hasEnded(job: Pick<Job, 'status'>): boolean {
  return job.status !== 'queued' && job.status !== 'processing';
}
