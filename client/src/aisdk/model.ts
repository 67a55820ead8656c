import type {Client} from '../client.js';
import {UsageError} from '../errors.js';
import {keyOf, tell} from '../jobs.js';
import {download, type DownloadOptions} from './download.js';
import {draw} from './draw.js';
import {inputImagesOf} from './files.js';
import {requestOf} from './input.js';
import {metadataOf, missing, NoImageError, picturesOf, responseOf} from './result.js';
import type {ImageCall, ImageModel, ImageResult} from './specification.js';

/** Returns a model of the AI SDK; without an id, the service's default one. The SDK wraps it in a Proxy, so it has no private members. */
export function imageModel(client: Client, options: DownloadOptions, modelId: string | undefined): ImageModel {
  return {
    specificationVersion: 'v3',
    provider: 'ai-worker',
    modelId: modelId ?? 'default',
    maxImagesPerCall: 16, // what one job may have: more calls would be more jobs
    doGenerate: (call) => doGenerate(client, options, modelId, call),
  };
}

/**
 * Draws pictures as one job under one key. It repeats by itself what may be repeated, and no error of it is one that the AI SDK would
 * repeat: that would be another job.
 */
async function doGenerate(client: Client, options: DownloadOptions, model: string | undefined, call: ImageCall): Promise<ImageResult> {
  const {abortSignal: signal} = call;
  const {input, idempotencyKey: given, warnings} = requestOf(call, model);
  const idempotencyKey = keyOf(given);
  const leave = given === undefined ? undefined : await enter(call.providerOptions);
  try {
    return await tell({idempotencyKey}, (async () => {
      if (call.files?.length) {
        input.input_images = await inputImagesOf(client, call.files, {hasKey: given !== undefined, signal});
      }
      const job = await draw(client, input, idempotencyKey, signal);
      const images = picturesOf(job);
      if (images.length === 0) {
        throw new NoImageError(job, idempotencyKey);
      }
      return {
        images: await tell({idempotencyKey, jobId: job.id}, download(options, images, signal)),
        warnings: [...warnings, ...missing(job)],
        providerMetadata: {aiWorker: {images: metadataOf(job)}},
        response: responseOf(job),
      };
    })());
  } finally {
    leave?.();
  }
}

/** How many calls with a key of the caller's are under way, by their options. */
const underWay = new WeakMap<object, number>();

/**
 * Takes note of a call with a key of the caller's, and returns what ends that. The AI SDK splits a call for more than 16 pictures, or for more
 * than its `maxImagesPerCall`, into calls with the same options. Under one key they would all be the same job, so all of them fail.
 */
async function enter(options: object): Promise<() => void> {
  const add = (n: number) => underWay.set(options, (underWay.get(options) ?? 0) + n);
  add(1);
  await null; // the others of a split call enter meanwhile
  if ((underWay.get(options) ?? 0) > 1) {
    await null;
    add(-1);
    throw new UsageError('providerOptions.aiWorker.idempotencyKey names one job, and this call would be several: ask for 16 pictures or fewer, ' +
      'without a maxImagesPerCall of your own, or leave the key out');
  }
  return () => void add(-1);
}
