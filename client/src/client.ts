import {hasEnded, type GenerateImagesInput, type Job, type Quote} from './api.js';
import {Jobs, keyOf, readJob, tell} from './jobs.js';
import {limit} from './limit.js';
import {type CallOptions, type ClientOptions, Transport} from './transport.js';
import {Uploads} from './uploads.js';

export interface GenerateOptions extends CallOptions {
  /**
   * Names the request: the same key with the same input always answers with the same job, which is paid for once. A new key for
   * each call if absent. Give one of your own, such as the id of an order, if your code may make the same call twice.
   */
  idempotencyKey?: string | undefined;
  /** Waits until the job has ended, however it does. Without it the answer is the job that was accepted. */
  wait?: boolean | undefined;
  /** Is told each version of the job that the call sees, the first and the last one too. */
  onUpdate?: ((job: Job) => void) | undefined;
}

export interface Client {
  /** Asks for pictures, and returns the job. */
  generateImages(input: Omit<GenerateImagesInput, 'dry_run'>, options?: GenerateOptions): Promise<Job>;
  /** Tells what a request would cost, and when it would be done. Nothing is drawn. */
  quote(input: GenerateImagesInput, options?: CallOptions): Promise<Quote>;
  readonly jobs: Jobs;
  readonly uploads: Uploads;
}

const path = '/api/generate-images';
const contentType = {'Content-Type': 'application/json'};

/** Returns a client of the service. It sends nothing yet. */
export function createClient(options: ClientOptions): Client {
  const transport = new Transport(options);
  const jobs = new Jobs(transport);
  return {
    generateImages: (input, call = {}) => generateImages(transport, jobs, input, call),
    quote: (input, call = {}) => transport.send(
      {...call, method: 'POST', path, headers: contentType, body: JSON.stringify({...input, dry_run: true})},
      (answer) => answer.json() as Promise<Quote>),
    jobs,
    uploads: new Uploads(transport),
  };
}

async function generateImages(transport: Transport, jobs: Jobs, input: Omit<GenerateImagesInput, 'dry_run'>, options: GenerateOptions): Promise<Job> {
  // Both are made once, before the first try: a later try with another key or body would be another job.
  const {wait, onUpdate, signal, timeoutMs} = options;
  const idempotencyKey = keyOf(options.idempotencyKey);
  const body = JSON.stringify(input);
  const headers = {...contentType, 'Idempotency-Key': idempotencyKey};
  const whole = limit(signal, timeoutMs);
  try {
    const job = await tell({idempotencyKey}, transport.send(
      {method: 'POST', path, headers, body, signal: whole.signal}, readJob));
    onUpdate?.(job);
    if (!wait || hasEnded(job)) {
      return job;
    }
    return await tell({idempotencyKey}, jobs.wait(job.id, {signal: whole.signal, onUpdate, after: job}));
  } finally {
    whole.stop();
  }
}
