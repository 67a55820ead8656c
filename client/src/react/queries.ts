// The same job for those who have TanStack Query or SWR.

import {hasEnded} from '../api.js';
import type {AiWorkerError} from '../errors.js';
import type {UserJob, UserJobPage} from '../userjob.js';
import {ask, isTransient} from './request.js';

export const defaultApi = '/api/images';
/** Between two polls, in milliseconds. */
const pollMs = 3000;

export interface FetchJobOptions {
  /** Where the app's route is; `/api/images` if absent. */
  api?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Asks once for a job. Fails with an AiWorkerError. */
export function fetchJob(jobId: string, {api = defaultApi, signal}: FetchJobOptions = {}): Promise<UserJob> {
  return ask(`${api}/${encodeURIComponent(jobId)}`, {signal});
}

export interface ListJobsOptions extends FetchJobOptions {
  /** Jobs on the page, 1 to 100; 20 if absent. */
  limit?: number | undefined;
  /** `next_cursor` of the page before. */
  cursor?: string | null | undefined;
}

/** Asks for a page of the user's jobs, the newest first. Fails with an AiWorkerError. */
export function listJobs({api = defaultApi, signal, limit, cursor}: ListJobsOptions = {}): Promise<UserJobPage> {
  const query = new URLSearchParams({...(limit && {limit: String(limit)}), ...(cursor && {cursor})});
  return ask(`${api}?${query}`, {signal});
}

/** Removes a job that has ended, and its pictures. One that is not there is removed. Fails with an AiWorkerError. */
export async function deleteJob(jobId: string, {api = defaultApi, signal}: FetchJobOptions = {}): Promise<void> {
  await ask(`${api}/${encodeURIComponent(jobId)}`, {method: 'DELETE', signal}, async () => undefined).catch((error: AiWorkerError) => {
    if (error.status !== 404) {
      throw error;
    }
  });
}

const refreshInterval = (job: UserJob | undefined) => (job && hasEnded(job) ? 0 : pollMs);

// The functions are made once: SWR begins its interval anew when it is given another.
const polling = {
  /** For TanStack Query 5. */
  refetchInterval: ({state: {data, error}}: {state: {data?: UserJob | undefined; error: Error | null}}) =>
    (error && !isTransient(error) ? false : refreshInterval(data) || false),
  retry: (failures: number, error: Error) => failures < 5 && isTransient(error),
  /** For SWR 2. */
  refreshInterval,
  shouldRetryOnError: isTransient,
};

/**
 * Returns options that poll a job until it has ended, or asking is of no use: `useQuery(options)` in TanStack Query 5,
 * `useSWR(options.queryKey, () => options.queryFn(), options)` in SWR 2.
 */
export function jobQueryOptions(jobId: string, {api = defaultApi}: Pick<FetchJobOptions, 'api'> = {}) {
  return {
    queryKey: ['ai-worker', api, jobId] as const,
    queryFn: ({signal}: {signal?: AbortSignal} = {}) => fetchJob(jobId, {api, signal}),
    ...polling,
  };
}
