'use client';

import type {Picture} from 'ai-worker-client/react';
import Image from 'next/image';
import {memo} from 'react';

const waits: Record<string, string> = {
  turn: 'Waits for its turn',
  quota: 'Waits for the quota',
  lane: 'Waits for the model to be back',
  backoff: 'Will be tried again',
  budget: 'Waits for the budget',
  model: 'Waits for its model',
};

/** A place for one picture, of its final shape from the beginning. */
export const Tile = memo(function Tile({picture, ratio, prompt}: {picture: Picture; ratio: string | undefined; prompt: string}) {
  const {index, status, url, width, height, error, waitingFor} = picture;
  // A model's picture is a little off the ratio that it was asked for. The place stays as it is.
  const shape = ratio?.replace(':', ' / ') ?? (width && height ? `${width} / ${height}` : '1 / 1');
  return (
    <li className="tile" data-status={status} style={{aspectRatio: shape}}>
      {status === 'succeeded' && url ? (
        <a href={url} target="_blank" rel="noreferrer">
          <Image
            src={url} alt={`Picture ${index + 1}: ${prompt}`} width={width ?? 1024} height={height ?? 1024}
            sizes="(max-width: 700px) 100vw, 560px" unoptimized={!process.env.NEXT_PUBLIC_PICTURES_OPTIMIZED}
          />
        </a>
      ) : (
        <div className="place">
          <b>{index + 1}</b>
          <span>{says(status, waitingFor)}</span>
          {status === 'failed' && error && <span className="why">{error.message}</span>}
        </div>
      )}
    </li>
  );
});

function says(status: Picture['status'], waitingFor: string | null): string {
  switch (status) {
    case 'processing':
      return 'Developing…';
    case 'failed':
      return 'Not drawn';
    case 'canceled':
      return 'Canceled';
    default:
      return waits[waitingFor ?? ''] ?? 'Waits';
  }
}
