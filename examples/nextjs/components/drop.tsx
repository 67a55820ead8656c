'use client';

import {uploadPicture} from 'ai-worker-client/react';
import {type Dispatch, type DragEvent, type SetStateAction, useEffect, useState} from 'react';

/** A picture to start from. It goes straight to the bucket, past this app, which takes 4.5 MB on Vercel. */
export interface InputPicture {
  name: string;
  /** Address of the picture in this browser. */
  preview?: string;
  uploadId?: string;
  problem?: string;
}

/** What the service takes. */
const types = ['image/png', 'image/jpeg', 'image/webp'];
const mostBytes = 20 * 1024 * 1024;

interface Props {
  value: InputPicture | undefined;
  onChange: Dispatch<SetStateAction<InputPicture | undefined>>;
}

export function Drop({value, onChange}: Props) {
  const [isOver, setIsOver] = useState(false);
  const preview = value?.preview;
  useEffect(() => () => {
    if (preview) {
      URL.revokeObjectURL(preview);
    }
  }, [preview]);

  async function take(file: File | undefined): Promise<void> {
    if (!file) {
      return;
    }
    if (!types.includes(file.type) || file.size > mostBytes) {
      onChange({name: file.name, problem: `${file.name} cannot be used: choose a PNG, JPEG or WebP picture of up to 20 MB`});
      return;
    }
    const picture: InputPicture = {name: file.name, preview: URL.createObjectURL(file)};
    onChange(picture);
    const result = await uploadPicture(file).then((uploadId) => ({uploadId}), (error: Error) => ({problem: error.message}));
    onChange((now) => now?.preview === picture.preview ? {...picture, ...result} : now); // another one may be there by now
  }

  function drop(event: DragEvent): void {
    event.preventDefault();
    setIsOver(false);
    void take(event.dataTransfer.files[0]);
  }

  return (
    <div className="field">
      <div
        className="drop" data-over={isOver}
        onDragOver={(event) => {
          event.preventDefault();
          setIsOver(true);
        }}
        onDragLeave={() => setIsOver(false)} onDrop={drop}
      >
        {value ? (
          <>
            {value.preview && <img src={value.preview} alt={`The picture to start from: ${value.name}`} width={56} height={56} />}
            <span className="grow" role="status">
              {value.problem ?? (value.uploadId ? `Starts from ${value.name}` : `Uploading ${value.name}…`)}
            </span>
            <button type="button" onClick={() => onChange(undefined)}>Remove</button>
          </>
        ) : (
          <label className="grow">
            <input
              className="hidden" type="file" accept={types.join()}
              onChange={(event) => void take(event.target.files?.[0])}
            />
            <span>Start from a picture: drop one here, or <u>choose a file</u></span>
          </label>
        )}
      </div>
    </div>
  );
}
