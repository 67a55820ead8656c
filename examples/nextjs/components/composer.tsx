'use client';

import {type FormEvent, useState} from 'react';

import {maxCount, type Ratio, ratios} from '@/lib/choices';

import {Drop, type InputPicture} from './drop';

export interface Wish {
  prompt: string;
  count: number;
  aspect_ratio: Ratio;
  input_images?: string[];
}

const counts = Array.from({length: maxCount}, (_, i) => i + 1);

/** Asks what to draw. */
export function Composer({isBusy, onSubmit}: {isBusy: boolean; onSubmit: (wish: Wish) => Promise<unknown>}) {
  const [prompt, setPrompt] = useState('');
  const [ratio, setRatio] = useState<Ratio>('1:1');
  const [count, setCount] = useState(2);
  const [input, setInput] = useState<InputPicture>();
  const isUploading = input !== undefined && input.uploadId === undefined && input.problem === undefined;

  function submit(event: FormEvent): void {
    event.preventDefault();
    const wish = {prompt: prompt.trim(), count, aspect_ratio: ratio, ...(input?.uploadId ? {input_images: [input.uploadId]} : {})};
    onSubmit(wish).catch(() => undefined); // the result says it
  }

  return (
    <form className="composer" onSubmit={submit} aria-label="New picture">
      <label className="field" htmlFor="prompt">What should it show?</label>
      <textarea
        id="prompt" rows={4} maxLength={4000} required value={prompt} placeholder="A lighthouse at dusk, watercolour"
        onChange={(event) => setPrompt(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
            event.currentTarget.form?.requestSubmit();
          }
        }}
      />
      <fieldset>
        <legend>Shape</legend>
        <div className="choices">
          {ratios.map((value) => (
            <label key={value} className="choice">
              <input type="radio" name="ratio" value={value} checked={ratio === value} onChange={() => setRatio(value)} />
              <span><i aria-hidden="true" style={{aspectRatio: value.replace(':', ' / ')}} />{value}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend>How many</legend>
        <div className="choices">
          {counts.map((value) => (
            <label key={value} className="choice">
              <input type="radio" name="count" value={value} checked={count === value} onChange={() => setCount(value)} />
              <span>{value}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <Drop value={input} onChange={setInput} />
      <button className="primary" type="submit" disabled={isBusy || isUploading || prompt.trim() === ''}>
        {isUploading ? 'Uploading…' : isBusy ? 'Drawing…' : 'Draw'}
      </button>
    </form>
  );
}
