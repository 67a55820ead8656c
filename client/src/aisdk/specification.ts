// What the AI SDK asks of an image model: version 3 of its specification, which
// ai 6 and ai 7 both take. test/aisdk-types.test.js holds this against both.

export type JsonValue = null | string | number | boolean | JsonValue[] | {[name: string]: JsonValue | undefined};

export type ImageFile = {type: 'file'; mediaType: string; data: string | Uint8Array} | {type: 'url'; url: string};

/** What `generateImage` hands to a model. */
export interface ImageCall {
  prompt: string | undefined;
  n: number;
  size: `${number}x${number}` | undefined;
  aspectRatio: `${number}:${number}` | undefined;
  seed: number | undefined;
  files: readonly ImageFile[] | undefined;
  mask: ImageFile | undefined;
  providerOptions: Record<string, Record<string, unknown>>;
  abortSignal?: AbortSignal | undefined;
  headers?: Record<string, string | undefined> | undefined;
}

export type ImageWarning =
  | {type: 'unsupported'; feature: string; details?: string}
  | {type: 'other'; message: string};

/** What is told of one picture, as `providerMetadata.aiWorker.images[i]`. */
export type ImageMetadata = {
  jobId: string;
  /** Of the picture in the job. */
  index: number;
  /** Where the picture is. */
  url: string;
  /** Until when the URL is good, as an RFC 3339 text; null if it stays. */
  urlExpiresAt: string | null;
  contentType: string | null;
  /** Pixels. */
  width: number | null;
  /** Pixels. */
  height: number | null;
  /** Lower-case hex. */
  sha256: string | null;
  /** The model that answered. */
  modelVersion: string | null;
  /** List price of this picture in US dollars; null if it is not known. */
  costUsd: number | null;
};

export interface ImageResponse {
  /** When the job was created. */
  timestamp: Date;
  /** The model that answered, or the one that was asked. */
  modelId: string;
  headers: Record<string, string> | undefined;
}

export interface ImageResult {
  images: Uint8Array[];
  warnings: ImageWarning[];
  providerMetadata: {aiWorker: {images: ImageMetadata[]}};
  response: ImageResponse;
}

/** An image model of the AI SDK. */
export interface ImageModel {
  readonly specificationVersion: 'v3';
  readonly provider: string;
  readonly modelId: string;
  /** `generateImage` asks for so many pictures in one call, and so in one job. */
  readonly maxImagesPerCall: number;
  doGenerate(call: ImageCall): Promise<ImageResult>;
}
