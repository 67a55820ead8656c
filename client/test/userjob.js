// A job as the app's route has it.

export const image = (index, more = {}) => ({
  index, status: 'queued', url: null, attempts: 0, error: null, waiting_for: 'turn', retry_at: null, ...more,
});
export const drawn = (index) => image(index, {status: 'succeeded', url: `https://img.test/${index}.png`, width: 8, height: 4, waiting_for: null});

export function userJob({id = 'j1', status = 'queued', version = 1, images = [image(0), image(1)], ...more} = {}) {
  const count = (s) => images.filter((i) => i.status === s).length;
  return {
    id, status, version, priority: 'normal', input: {prompt: 'p', model: 'm', count: images.length}, images,
    output: images.flatMap((i) => i.url ?? []), error: null,
    progress: {
      total: images.length, queued: count('queued'), processing: count('processing'), succeeded: count('succeeded'),
      failed: count('failed'), canceled: count('canceled'),
    },
    metrics: {queue_seconds: null, run_seconds: null}, created_at: '2026-11-24T12:00:00Z', started_at: null, completed_at: null,
    expires_at: '2026-11-25T12:00:00Z', queue_position: 3, estimated_start_at: '2026-11-24T12:01:00Z', retry_of: null, url_expires_at: null,
    ...more,
  };
}

export const ended = (more) => userJob({status: 'succeeded', version: 9, images: [drawn(0), drawn(1)], queue_position: null, estimated_start_at: null, ...more});
