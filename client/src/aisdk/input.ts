import type {GenerateImagesInput} from '../api.js';
import {UsageError} from '../errors.js';
import {fieldsOf, type AiWorkerImageOptions} from './options.js';
import {ratioOf, shapeOf} from './size.js';
import type {ImageCall, ImageWarning} from './specification.js';

/** What a call of the AI SDK asks the service for, but for the input pictures. */
export interface Request {
  input: GenerateImagesInput;
  idempotencyKey: string | undefined;
  /** What the call asks for and does not get. */
  warnings: ImageWarning[];
}

/** Returns the request for a call. It fails with a UsageError if the call cannot mean anything. */
export function requestOf(call: ImageCall, model: string | undefined): Request {
  if (!call.prompt) {
    throw new UsageError('the service needs a text: give a prompt, or with pictures prompt: {text, images}');
  }
  const options = (call.providerOptions.aiWorker ?? {}) as AiWorkerImageOptions;
  const {fields, warnings} = shape(call);
  return {
    input: {prompt: call.prompt, model, count: call.n, seed: call.seed, ...fields, ...fieldsOf(options)},
    idempotencyKey: options.idempotencyKey,
    warnings: [...warnings, ...ignored(call)],
  };
}

/** Returns the fields for size and aspectRatio. Where they differ, aspectRatio counts. */
function shape({size, aspectRatio}: ImageCall): {fields: Pick<GenerateImagesInput, 'aspect_ratio' | 'image_size'>; warnings: ImageWarning[]} {
  const warnings: ImageWarning[] = [];
  const warn = (feature: string, details: string) => void warnings.push({type: 'unsupported', feature, details});
  const asked = aspectRatio === undefined ? undefined : ratioOf(aspectRatio);
  if (aspectRatio !== undefined && !asked) {
    warn('aspectRatio', `no model draws ${aspectRatio}; it is left to the model`);
  }
  const sized = size === undefined ? undefined : shapeOf(size);
  if (size === undefined) {
    return {fields: {aspect_ratio: asked}, warnings};
  }
  if (asked && sized?.ratio !== asked) {
    warn('size', `${size} is not ${aspectRatio}; the ratio counts`);
    return {fields: {aspect_ratio: asked}, warnings};
  }
  if (!sized?.size) {
    warn('size', `no model draws exactly ${size}; ` + (sized ? `the ratio ${sized.ratio} is kept` : 'it is left to the model'));
  }
  return {fields: {aspect_ratio: sized?.ratio, image_size: sized?.size}, warnings};
}

function ignored({mask, headers}: ImageCall): ImageWarning[] {
  const others = Object.keys(headers ?? {}).filter((name) => name.toLowerCase() !== 'user-agent'); // which the AI SDK always sets
  return [
    ...(mask ? [{type: 'unsupported' as const, feature: 'mask', details: 'say in the prompt what is to change'}] : []),
    ...(others.length > 0 ? [{type: 'unsupported' as const, feature: 'headers', details: `not sent: ${others.join(', ')}`}] : []),
  ];
}
