import {hasEnded, type GenerateImagesInput, type Job} from '../api.js';
import type {Client} from '../client.js';
import {tell} from '../jobs.js';
import {endedBy} from '../limit.js';

/** How long a call goes on after its abort, in milliseconds, to cancel the job. */
const leaveMs = 5000;

/**
 * Asks for a job, and returns it once it has ended. If signal ends that, the job is canceled before the call fails. A request that is under
 * way then is let through for that: only its answer tells whether there is a job.
 */
export async function draw(client: Client, input: GenerateImagesInput, idempotencyKey: string, signal: AbortSignal | undefined): Promise<Job> {
  const leave = endAfter(signal, leaveMs);
  let job: Job | undefined;
  try {
    signal?.throwIfAborted();
    job = await client.generateImages(input, {idempotencyKey, signal: leave.signal});
    return hasEnded(job) ? job : await tell({idempotencyKey, jobId: job.id}, client.jobs.wait(job.id, {signal, after: job}));
  } catch (error) {
    if (!signal?.aborted) {
      throw error;
    }
    if (job) {
      await client.jobs.cancel(job.id, {signal: leave.signal}).catch(() => undefined); // the caller's reason counts
    }
    throw Object.assign(endedBy(signal, 'generateImage'), {idempotencyKey, jobId: job?.id});
  } finally {
    leave.stop();
  }
}

/** Returns a signal that ends ms milliseconds after another one. */
function endAfter(signal: AbortSignal | undefined, ms: number): {signal: AbortSignal; stop: () => void} {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = () => {
    timer = setTimeout(() => controller.abort(signal?.reason), ms);
  };
  signal?.addEventListener('abort', begin, {once: true});
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', begin);
    },
  };
}
