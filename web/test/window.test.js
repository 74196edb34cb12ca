// What is kept until it is acknowledged: section 4 of docs/protocol.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "../dist/node/window.js";

const frame = (number) => Uint8Array.of(number);

/** With so many frames, each a message with its number as id. */
function windowOf(count) {
  const window = new Window();
  for (let id = 1; id <= count; id += 1) assert.ok(window.push(frame(id), id));
  return window;
}

const sent = (window, now = 0) => window.ready(now).map(([number]) => number);

test("frames leave once and in order", () => {
  const window = windowOf(3);
  assert.deepEqual(sent(window), [1, 2, 3]);
  assert.deepEqual(sent(window), []);
});

test("after a resume what the server does not have is sent again, before anything new", () => {
  const window = windowOf(3);
  sent(window);
  window.push(frame(4), 4);
  assert.ok(window.resume(1n, 0));
  assert.deepEqual(sent(window), [2, 3, 4]);
});

test("after a resume frames are spread over time", () => {
  const window = windowOf(3);
  assert.ok(window.resume(0n, 100));
  assert.deepEqual(sent(window, 1_000), [1]);
  assert.deepEqual(sent(window, 1_009), []);
  assert.deepEqual(sent(window, 1_010), [2]);
  assert.deepEqual(sent(window, 1_020), [3]);
  window.push(frame(4), 4);
  window.push(frame(5), 5);
  assert.deepEqual(sent(window, 1_030), [4, 5], "all that waited is out");
});

test("in a new session what had left is lost, and the rest is sent", () => {
  const window = windowOf(2);
  sent(window);
  window.push(frame(3), 3);
  assert.deepEqual(window.restart(0), [1, 2]);
  assert.deepEqual(sent(window), [3]);
});

test("an acknowledgement of what was not sent, or of less than before, cannot be", () => {
  const window = windowOf(2);
  assert.ok(!window.acknowledge(1n), "nothing was sent");
  sent(window);
  assert.ok(window.acknowledge(2n));
  assert.ok(!window.acknowledge(1n));
  assert.ok(!window.acknowledge(3n));
});

test("only what has never left can be taken back", () => {
  const window = windowOf(1);
  sent(window);
  window.push(frame(2), 2);
  assert.ok(window.hasLeft(1) && !window.takeBack(1));
  assert.ok(!window.hasLeft(2) && window.takeBack(2));
  assert.ok(!window.takeBack(2));
  assert.deepEqual(sent(window), []);
});

test("1,024 frames fit, and not one more", () => {
  const window = windowOf(1_024);
  assert.ok(!window.push(frame(0), undefined));
});

test("1 MiB fits, and not a byte more", () => {
  const window = new Window();
  assert.ok(window.push(new Uint8Array(1_048_576), 1));
  assert.ok(!window.push(frame(0), 2));
  sent(window);
  assert.ok(window.acknowledge(1n));
  assert.ok(window.push(frame(0), 2), "acknowledged bytes make room");
});
