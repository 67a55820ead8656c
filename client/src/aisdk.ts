// The service as a provider of the AI SDK (https://ai-sdk.dev), versions 6 and 7.

import type {DownloadOptions} from './aisdk/download.js';
import {imageModel} from './aisdk/model.js';
import type {ImageModel} from './aisdk/specification.js';
import {createClient, type Client} from './client.js';
import {UsageError} from './errors.js';
import type {ClientOptions} from './transport.js';

export type {AiWorkerImageOptions} from './aisdk/options.js';
export {NoImageError} from './aisdk/result.js';
export type {ImageMetadata, ImageModel} from './aisdk/specification.js';

/** A client that is there already. Its pictures are downloaded with `fetch`, the global one if absent. */
export interface ExistingClient extends DownloadOptions {
  client: Client;
}

/** A provider of the AI SDK: `aiWorker('gemini-3-pro-image')` is a model, `aiWorker()` the service's default one. */
export interface AiWorkerProvider {
  (modelId?: string): ImageModel;
  readonly specificationVersion: 'v3';
  image(modelId?: string): ImageModel;
  imageModel(modelId?: string): ImageModel;
  /** The service draws pictures only: this fails with a UsageError. */
  languageModel(modelId: string): never;
  /** The service draws pictures only: this fails with a UsageError. */
  embeddingModel(modelId: string): never;
}

/** Returns a provider for `generateImage`. It sends nothing yet. */
export function createAiWorker(options: ClientOptions | ExistingClient): AiWorkerProvider {
  const client = 'client' in options ? options.client : createClient(options);
  const image = (modelId?: string) => imageModel(client, options, modelId);
  const none = (modelId: string): never => {
    throw new UsageError(`ai-worker draws pictures only: ${modelId} can be an imageModel`);
  };
  return Object.assign((modelId?: string) => image(modelId), {
    specificationVersion: 'v3' as const, image, imageModel: image, languageModel: none, embeddingModel: none,
  });
}
