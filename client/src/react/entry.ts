// What a tab remembers over a reload: the job that it follows, and a request that has no answer yet.

/** A request that is safe to repeat under its key, in this form only. */
export interface Task {
  url: string;
  key: string;
  body?: string | undefined;
  /** Pictures asked for. */
  count: number;
  /** When it was first sent, in milliseconds since 1970. */
  at: number;
  /** All tries failed, and the caller was told. It is sent again if the same is asked for, and not by itself. */
  failed?: boolean;
  /** The job is to be canceled once it is known. */
  cancel?: boolean;
}

export interface Entry {
  jobId?: string | undefined;
  /** Pictures of the job. */
  count?: number | undefined;
  task?: Task | undefined;
}

/** After so long, a request without an answer is not sent again by itself: its user does not expect it any more. */
const longestMs = 3_600_000;

/** Returns what was saved. */
export function load(key: string): Entry {
  try {
    const entry = {...JSON.parse(sessionStorage.getItem(key)!) as Entry | null};
    if (!(Date.now() - entry.task?.at! < longestMs)) {
      delete entry.task;
    }
    return entry;
  } catch {
    return {}; // it is no JSON, or the browser forbids it
  }
}

/** Saves an entry, or removes it if it is empty. Reports whether that worked: there may be no room. */
export function save(key: string, entry: Entry): boolean {
  try {
    sessionStorage.removeItem(key); // an older one must not stay
    if (entry.jobId || entry.task) {
      sessionStorage.setItem(key, JSON.stringify(entry));
    }
    return true;
  } catch {
    return false;
  }
}
