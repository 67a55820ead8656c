import type {Image} from '../api.js';
import {ConnectionError, ServiceError} from '../errors.js';
import {limit, type Limit} from '../limit.js';
import {Transport, type ClientOptions} from '../transport.js';

/** A download that is silent for so long is begun anew, in milliseconds. */
const stallMs = 30_000;
/** The longest picture, in bytes, where the job does not say how long it is. */
const mostBytes = 64 << 20;
/** So many pictures of a job are downloaded at once. */
const atOnce = 4;

/** How pictures are downloaded. */
export type DownloadOptions = Pick<ClientOptions, 'fetch' | 'timeoutMs' | 'maxRetries'>;

/** Returns the bytes of pictures, in their order. One that breaks off is downloaded again. */
export async function download(options: DownloadOptions, images: readonly Image[], signal: AbortSignal | undefined): Promise<Uint8Array[]> {
  const pictures: Uint8Array[] = [];
  const left = images.entries();
  let isBroken = false;
  await Promise.all(Array.from({length: atOnce}, async () => {
    for (const [i, image] of left) {
      try {
        pictures[i] = await downloadOne(options, image, signal);
      } catch (error) {
        isBroken = true;
        throw error;
      }
      if (isBroken) {
        return;
      }
    }
  }));
  return pictures;
}

/** Returns the bytes of a picture. Its request has no API key: it goes to the bucket, at a whole address. */
async function downloadOne({fetch, timeoutMs, maxRetries}: DownloadOptions, image: Image, signal: AbortSignal | undefined): Promise<Uint8Array> {
  let once: Limit | undefined;
  const transport = new Transport({
    baseUrl: 'https://bucket.invalid', timeoutMs, maxRetries,
    fetch: (address, init) => {
      once?.stop();
      once = limit(init?.signal ?? undefined, stallMs);
      return (fetch ?? globalThis.fetch)(address, {...init, signal: once.signal});
    },
  });
  try {
    return await transport.send({method: 'GET', path: image.url ?? '', signal}, (answer) => read(answer, image, () => once?.restart()));
  } finally {
    once?.stop();
  }
}

/** Returns the body of an answer, and calls onPart for each part of it. It fails if the body is shorter or longer than the picture. */
async function read(answer: Response, {index, bytes}: Image, onPart: () => void): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    onPart();
    chunks.push(part.value);
    length += part.value.length;
    if (length > (bytes ?? mostBytes)) {
      await reader?.cancel().catch(() => undefined);
      throw new ServiceError(`picture ${index} is longer than ${bytes ?? mostBytes} bytes`, {code: 'wrong_length'});
    }
  }
  if (bytes !== undefined && length < bytes) {
    throw new ConnectionError(`picture ${index} broke off: ${length} of ${bytes} bytes came`, {code: 'connection'});
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
