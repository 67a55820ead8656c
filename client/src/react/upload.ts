import type {Upload} from '../api.js';
import {defaultApi, type FetchJobOptions} from './queries.js';
import {ask, persist, post} from './request.js';

export type UploadPictureOptions = FetchJobOptions;

/**
 * Puts an input picture straight into the bucket, and returns its id for `input_images`. Both requests are safe to repeat. Fails with an
 * AiWorkerError.
 */
export async function uploadPicture(file: Blob, {api = defaultApi, signal}: UploadPictureOptions = {}): Promise<string> {
  const wanted = JSON.stringify({content_type: file.type, bytes: file.size});
  const {id, method, url, headers} = await persist(() => ask<Upload>(`${api}/uploads`, post(signal, wanted)), signal);
  await persist(() => ask(url, {method, headers, body: file, signal}, async () => undefined), signal);
  return id;
}
