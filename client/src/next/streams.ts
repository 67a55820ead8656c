// How many streams each user has open in this process.

import {Refusal} from './refusal.js';

/** Seconds after which a page that was refused a stream may ask for one again. Until then it can ask for the job. */
const retryAfter = 15;

export class Streams {
  readonly #most: number;
  /** By user. Who has none is not in it. */
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a place for a stream of a user, and returns what gives it back. Fails with a Refusal if the user has all of theirs. */
  take(user: string): () => void {
    const count = this.#open.get(user) ?? 0;
    if (count >= this.#most) {
      throw new Refusal(429, 'too_many_streams', `More than ${this.#most} streams may not be open at once. Ask for the job itself meanwhile.`, {
        headers: {'Retry-After': String(retryAfter)},
      });
    }
    this.#open.set(user, count + 1);
    let isTaken = true;
    return () => {
      if (isTaken) {
        isTaken = false;
        this.#giveBack(user);
      }
    };
  }

  #giveBack(user: string): void {
    const left = (this.#open.get(user) ?? 0) - 1;
    if (left > 0) {
      this.#open.set(user, left);
    } else {
      this.#open.delete(user);
    }
  }
}
