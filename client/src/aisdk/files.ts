// Input pictures: as the AI SDK has them, and as the API takes them.

import type {PictureType} from '../api.js';
import type {Client} from '../client.js';
import type {ImageFile} from './specification.js';

/** A picture of up to so many bytes goes with the request, unless the caller gave a key. */
const mostInline = 256 << 10;
/** All pictures that go with the request may have so many bytes. As base64 they have a third more, and a body may have 12 MiB. */
const mostTogether = 8 << 20;

/**
 * Returns what names the pictures in `input_images`, in their order. Large ones are uploaded. A repeat of that has other ids, which is another
 * body, and so another request: under a key of the caller's, pictures go with the request as long as they fit.
 */
export async function inputImagesOf(
  client: Client, files: readonly ImageFile[], options: {hasKey: boolean; signal: AbortSignal | undefined},
): Promise<string[]> {
  let left = mostTogether;
  const refs: (string | Promise<string>)[] = files.map((file) => {
    if (file.type === 'url') {
      return file.url;
    }
    const bytes = typeof file.data === 'string' ? decode(file.data) : file.data;
    if (bytes.length > left || (bytes.length > mostInline && !options.hasKey)) {
      return client.uploads.put(bytes, {contentType: file.mediaType as PictureType, signal: options.signal}).then((upload) => upload.id);
    }
    left -= bytes.length;
    return `data:${file.mediaType};base64,${encode(bytes)}`;
  });
  return Promise.all(refs);
}

/** Reads base64, also that for URLs. */
function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0));
}

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) { // a function takes only so many arguments
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
