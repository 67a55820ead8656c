import type {Job, JobPage, ListParams} from './api.js';

/** Which jobs to list. */
export interface ListInput extends ListParams {
  /** Jobs whose metadata has these members. */
  metadata?: Record<string, string | number | boolean> | undefined;
}

/** Jobs, the newest first: `for await` goes over all of them, and asks for pages as it needs them. */
export class JobList implements AsyncIterable<Job> {
  readonly #load: (query: string) => Promise<JobPage>;
  readonly #input: ListInput;

  constructor(input: ListInput, load: (query: string) => Promise<JobPage>) {
    this.#input = input;
    this.#load = load;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Job, void, undefined> {
    for await (const page of this.pages()) {
      yield* page.jobs;
    }
  }

  /** Goes over the pages. Their `next_cursor`, given as `cursor`, goes on behind them, even much later. */
  async *pages(): AsyncGenerator<JobPage, void, undefined> {
    let {cursor} = this.#input;
    do {
      const page = await this.#load(queryOf({...this.#input, cursor}));
      yield page;
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
  }
}

function queryOf({metadata, status, ...plain}: ListInput): string {
  const query = new URLSearchParams();
  const all = {...plain, status: status?.join(',')};
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) {
      query.set(name, String(value));
    }
  }
  for (const [name, value] of Object.entries(metadata ?? {})) {
    query.set(`metadata.${name}`, String(value));
  }
  return query.size > 0 ? `?${query}` : '';
}
