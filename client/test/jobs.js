// A job as the service shows it, and a Redis that has what a test puts there.

export const id = '0199a5a0-0000-7000-8000-000000000000';
const dayMs = 86_400_000;

export const whole = (more = {}) => ({
  id, status: 'queued', version: 1, tenant: 'web', priority: 'normal',
  input: {prompt: 'p', model: 'banana', count: 1, max_cost_usd: 1, webhook: 'https://app.test/hook', webhook_events: ['job.failed']},
  images: [{index: 0, status: 'queued', url: null, attempts: 0, error: null, waiting_for: 'turn', retry_at: null, cost_usd: 1}],
  output: [], error: null, progress: {total: 1, queued: 1, processing: 0, succeeded: 0, failed: 0, canceled: 0},
  metrics: {queue_seconds: null, run_seconds: null}, cost_usd: 0.1, metadata: {user: 'ann'}, created_at: '2026-11-24T12:00:00Z',
  started_at: null, completed_at: null, expires_at: '2026-11-25T12:00:00Z', queue_position: 3, estimated_start_at: null,
  urls: {get: 'https://service.test/api/jobs/x', cancel: '', retry: ''}, retry_of: null, url_expires_at: null, added_one_day: 'secret', ...more,
});

// storing returns a store whose read is replaced by tests, and put, which writes
// a job as the service does, by the clock of the test.
export function storing() {
  const kept = new Map();
  const store = {
    reads: 0,
    put: (job) => kept.set(`job:${job.id}`, {value: JSON.stringify(job), at: Date.now()}),
    remove: (job) => kept.delete(`job:${job.id}`),
    read: async (key) => {
      store.reads++;
      const found = kept.get(key);
      return found ? {value: found.value, ttlMs: dayMs - (Date.now() - found.at)} : {value: null, ttlMs: -2};
    },
  };
  return store;
}
