// What a page may ask for, held against what its user was granted.

import type {AspectRatio, FieldError, GenerateImagesInput, ImageSize, ListParams, JobStatus, UploadInput} from '../api.js';
import type {Grant} from './options.js';
import {invalid} from './refusal.js';

type Fields = Record<string, unknown>;

/** What ids look like, those of jobs and those of uploads. */
export const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const inputFields = ['prompt', 'model', 'count', 'aspect_ratio', 'image_size', 'input_images', 'seed'];

/**
 * Returns what the service is asked for: what the page wants, and what the grant adds. Fails with all that the grant does not allow. The
 * rest is the service's to refuse.
 */
export function inputOf(body: Fields, grant: Grant): Omit<GenerateImagesInput, 'dry_run'> {
  refuse([...unknownFields(body, inputFields), ...Object.entries(body).flatMap(([name, value]) => faultOf(name, value, grant))]);
  const {metadata, priority, expiresIn, maxCostUsd, webhook, webhookEvents} = grant;
  return {
    prompt: body.prompt as string,
    model: (body.model ?? grant.models?.[0]) as string | undefined,
    count: body.count as number | undefined,
    aspect_ratio: body.aspect_ratio as AspectRatio | undefined,
    image_size: body.image_size as ImageSize | undefined,
    input_images: body.input_images as string[] | undefined,
    seed: body.seed as number | undefined,
    metadata: {...metadata, user: grant.user},
    priority, expires_in: expiresIn, max_cost_usd: maxCostUsd, webhook,
    webhook_events: webhookEvents && [...webhookEvents],
  };
}

/** Returns what the grant does not allow of a field. */
function faultOf(name: string, value: unknown, grant: Grant): FieldError[] {
  const {models = [], imageSizes = [], aspectRatios, maxCount = 4, inputImages = false} = grant;
  switch (name) {
    case 'model':
      return notAmong(name, value, models);
    case 'image_size':
      return notAmong(name, value, imageSizes);
    case 'aspect_ratio':
      return aspectRatios ? notAmong(name, value, aspectRatios) : [];
    case 'count':
      return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxCount
        ? [] : [{location: 'body.count', message: `must be a whole number from 1 to ${maxCount}`}];
    case 'input_images':
      return inputImages ? notUploads(value) : [{location: 'body.input_images', message: 'may not be given'}];
    default:
      return [];
  }
}

function notAmong(name: string, value: unknown, allowed: readonly string[]): FieldError[] {
  if (allowed.includes(value as string)) {
    return [];
  }
  return [{location: `body.${name}`, message: allowed.length > 0 ? `must be one of ${allowed.join(', ')}` : 'may not be given'}];
}

/** Returns which input pictures are no ids of uploads: with a URL, a page could have the service ask whom it likes. */
function notUploads(value: unknown): FieldError[] {
  if (!Array.isArray(value)) {
    return [{location: 'body.input_images', message: 'expected array'}];
  }
  return value.flatMap((id, i) => (typeof id === 'string' && idPattern.test(id)
    ? [] : [{location: `body.input_images[${i}]`, message: 'must be the id of an upload'}]));
}

/** Returns what is to be uploaded. The service checks the values. */
export function uploadOf(body: Fields): UploadInput {
  refuse(unknownFields(body, ['content_type', 'bytes']));
  return {content_type: body.content_type, bytes: body.bytes} as UploadInput;
}

/** Returns which jobs of the user are to be listed. What a query has besides is left: caches and proxies add to it. */
export function listOf(query: URLSearchParams): ListParams {
  const {limit, ...rest} = {limit: query.get('limit'), cursor: query.get('cursor'), q: query.get('q')};
  if (limit !== null && !/^([1-9]\d?|100)$/.test(limit)) {
    throw invalid([{location: 'query.limit', message: 'must be a whole number from 1 to 100'}]);
  }
  const status = query.getAll('status').flatMap((text) => text.split(',')).filter(Boolean) as JobStatus[];
  return {
    ...(limit !== null ? {limit: Number(limit)} : {}), ...(status.length > 0 ? {status} : {}),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value)),
  };
}

function unknownFields(body: Fields, known: string[]): FieldError[] {
  return Object.keys(body).filter((name) => !known.includes(name)).map((name) => {
    const meant = known.find((other) => other === name.toLowerCase());
    const hint = meant ? `: names are matched in their exact case, so write "${meant}"` : '';
    return {location: `body.${name.slice(0, 100)}`, message: `unexpected property${hint}`};
  });
}

/** Fails if there are faults. Only the first 20 are told. */
function refuse(faults: FieldError[]): void {
  if (faults.length > 0) {
    throw invalid(faults.slice(0, 20));
  }
}
