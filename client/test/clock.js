// A clock that tests set: what waits, waits no real time.

import {mock} from 'node:test';
import {setImmediate} from 'node:timers/promises';

// The package loads this when somebody first waits. To read a file takes real time,
// for which a clock that is set does not wait.
import '../dist/watch.js';

export const start = Date.parse('2026-11-24T12:00:00Z');

// useClock stops the clock of this test, at start.
export function useClock(t) {
  mock.timers.enable({apis: ['setTimeout', 'Date'], now: start});
  mock.method(Math, 'random', () => 1); // the longest of each back-off
  t.after(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
}

// settle lets everything happen that needs no time.
export async function settle() {
  for (let i = 0; i < 50; i++) {
    await setImmediate();
  }
}

// run advances the clock second by second until promise has an end, and returns that.
// It fails after a day.
export async function run(promise, stepMs = 1000) {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  promise.then(end, end);
  for (let passed = 0; ; passed += stepMs) {
    await settle();
    if (isDone) {
      return promise;
    }
    if (passed > 86_400_000) {
      throw new Error('does not end within a day');
    }
    mock.timers.tick(stepMs);
  }
}
