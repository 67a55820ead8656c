// The parser of server-sent events, by the rules of the HTML standard.

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {EventParser} from '../dist/events.js';

const text = [
  ': a comment', 'event: job', 'id: 7', 'data: {"a":', 'data:1}', '', // two lines of data, with and without a space
  'data', '', // an empty line of data
  'event: nothing', '', 'id: bad\0id', 'id', 'retry: 2000', 'retry: soon', 'unknown: field', 'data:  two spaces', 'data: x:y', '', 'data: not whole',
];
const events = [
  {type: 'job', data: '{"a":\n1}'}, {type: 'message', data: ''}, {type: 'message', data: ' two spaces\nx:y'},
];

for (const [name, newline] of [['LF', '\n'], ['CR', '\r'], ['CR LF', '\r\n']]) {
  test(`lines end with ${name}, wherever pieces end`, () => {
    const all = text.join(newline) + newline;
    for (let size = 1; size <= all.length; size++) {
      const parser = new EventParser();
      const got = [];
      for (let at = 0; at < all.length; at += size) {
        got.push(...parser.push(all.slice(at, at + size)));
      }
      assert.deepEqual(got, events, `pieces of ${size}`);
      assert.deepEqual([parser.lastId, parser.retry], ['', 2000]);
    }
  });
}
