'use client';

import {useImageJob} from 'ai-worker-client/react';
import {useState} from 'react';

import {Composer} from './composer';
import {History} from './history';
import {Result} from './result';

/** The page: what to draw, the job that is going on, and those before it. */
export function Studio() {
  const image = useImageJob({name: 'studio'});
  const [wished, setWished] = useState<string>();
  const isBusy = ['submitting', 'loading', 'queued', 'processing'].includes(image.status);
  return (
    <div className="studio">
      <h1>Describe a picture, and watch it develop.</h1>
      <Composer isBusy={isBusy} onSubmit={(input) => {
        setWished(input.aspect_ratio);
        return image.submit(input);
      }} />
      <Result image={image} wished={wished} />
      <History after={isBusy ? undefined : image.job?.id} />
    </div>
  );
}
