import {useEffect, useMemo, useRef, useSyncExternalStore} from 'react';

import {hasEnded} from '../api.js';
import type {UserJob} from '../userjob.js';
import {defaultApi} from './queries.js';
import {sessionOf, sessions, type Actions, type ImageJobInput} from './session.js';
import {viewOf, type View} from './view.js';

export interface ImageJobOptions {
  /** Where the app's route is; `/api/images` if absent. */
  api?: string | undefined;
  /** Components of one name share a job, and a reload goes on with the job of that name; `default` if absent. */
  name?: string | undefined;
  /** The job to follow, if the page says which. */
  jobId?: string | null | undefined;
  /** The job as the server had it when it rendered the page. Its id is the jobId, if that is absent. */
  initialJob?: UserJob | null | undefined;
  /** Is called once when a job has ended that this component saw going on. */
  onEnd?: ((job: UserJob) => void) | undefined;
}

/** What a component is shown, and what it can do. The functions stay the same while api, name and jobId do. */
export interface ImageJob extends View, Actions {}

/** Asks for pictures, and follows the job until it has ended. Components with the same api, name and jobId share all of it. */
export function useImageJob({api = defaultApi, name = 'default', initialJob, jobId, onEnd}: ImageJobOptions = {}): ImageJob {
  const id = jobId ?? initialJob?.id ?? '';
  const key = `ai-worker ${api} ${name} ${id}`;
  const store = useMemo(() => {
    const job = initialJob?.id === id ? initialJob : null;
    const first = viewOf({status: id ? 'loading' : 'idle', job});
    // It is looked up each time, and made outside of rendering only: a server would keep it for ever.
    const session = () => sessionOf(key, api, id, first);
    return {
      first: () => first,
      view: () => sessions.get(key)?.view() ?? first,
      subscribe: (listener: () => void) => session().subscribe(listener),
      offer: (newer: UserJob) => session().offer(newer),
      actions: {
        submit: (input: ImageJobInput) => session().submit(input),
        cancel: () => session().cancel(),
        retry: () => session().retry(),
        reset: () => session().reset(),
      },
    };
  }, [key]);
  const view = useSyncExternalStore(store.subscribe, store.view, store.first);

  useEffect(() => {
    if (initialJob) {
      store.offer(initialJob);
    }
  }, [store, initialJob]);

  const {job} = view;
  const going = useRef('');
  useEffect(() => {
    if (job && !hasEnded(job)) {
      going.current = job.id;
    } else if (job?.id === going.current) {
      going.current = '';
      onEnd?.(job);
    }
  }, [job]);

  return {...view, ...store.actions};
}
