import type {PictureType, Upload, UploadInput} from './api.js';
import {UsageError} from './errors.js';
import type {CallOptions, Transport} from './transport.js';

export interface PutOptions extends CallOptions {
  /** What the picture is; a Blob's own type if absent. */
  contentType?: PictureType | undefined;
}

/** Input pictures that are sent ahead of the job. */
export class Uploads {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Returns where a picture of exactly this size and type can be put. It changes nothing, so it is safe to repeat. */
  create(input: UploadInput, options: CallOptions = {}): Promise<Upload> {
    return this.#transport.send({
      ...options, method: 'POST', path: '/api/uploads', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(input),
    }, (answer) => answer.json() as Promise<Upload>);
  }

  /** Uploads a picture, and returns the upload: its `id` goes into `input_images`. The same bytes may arrive twice, as one picture. */
  async put(picture: Blob | Uint8Array, options: PutOptions = {}): Promise<Upload> {
    // A Blob cannot change between two tries.
    const blob = picture instanceof Blob ? picture : new Blob([picture.slice()]);
    const contentType = options.contentType ?? blob.type;
    if (!contentType) {
      throw new UsageError('uploads.put needs a contentType, such as image/png: the picture does not say what it is');
    }
    const {contentType: _, ...call} = options;
    const upload = await this.create({content_type: contentType as PictureType, bytes: blob.size}, call);
    const {method, url: path, headers} = upload;
    await this.#transport.send({...call, method, path, headers, body: blob}, async () => undefined);
    return upload;
  }
}
