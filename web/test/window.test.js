// The window of unacknowledged frames: section 4 of docs/protocol.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Window } from "../dist/node/window.js";

const frame = (number) => Uint8Array.of(number);

/** A window with N frames. Each is a message with its number as id. */
function windowOf(count) {
  const window = new Window();
  for (let id = 1; id <= count; id += 1) assert.ok(window.push(frame(id), id));
  return window;
}

const sent = (window, now = 0) => window.ready(now).map(([number]) => number);

test("sends each frame once and in order", () => {
  const window = windowOf(3);
  assert.deepEqual(sent(window), [1, 2, 3]);
  assert.deepEqual(sent(window), []);
});

test("a resume sends missing frames again, before new ones", () => {
  const window = windowOf(3);
  sent(window);
  window.push(frame(4), 4);
  assert.ok(window.resume(1n, 0));
  assert.deepEqual(sent(window), [2, 3, 4]);
});

test("after a resume frames are sent at the server's rate", () => {
  const window = windowOf(3);
  assert.ok(window.resume(0n, 100));
  assert.deepEqual(sent(window, 1_000), [1]);
  assert.deepEqual(sent(window, 1_009), []);
  assert.deepEqual(sent(window, 1_010), [2]);
  assert.deepEqual(sent(window, 1_020), [3]);
  window.push(frame(4), 4);
  window.push(frame(5), 5);
  assert.deepEqual(sent(window, 1_030), [4, 5], "no frame waits any more");
});

test("a new session loses sent frames, and sends the others", () => {
  const window = windowOf(2);
  sent(window);
  window.push(frame(3), 3);
  assert.deepEqual(window.restart(0), [1, 2]);
  assert.deepEqual(sent(window), [3]);
});

test("an acknowledgement of unsent frames, or of fewer than before, is invalid", () => {
  const window = windowOf(2);
  assert.ok(!window.acknowledge(1n), "nothing was sent");
  sent(window);
  assert.ok(window.acknowledge(2n));
  assert.ok(!window.acknowledge(1n));
  assert.ok(!window.acknowledge(3n));
});

test("only a frame that was never sent can be taken back", () => {
  const window = windowOf(1);
  sent(window);
  window.push(frame(2), 2);
  assert.ok(window.hasLeft(1) && !window.takeBack(1));
  assert.ok(!window.hasLeft(2) && window.takeBack(2));
  assert.ok(!window.takeBack(2));
  assert.deepEqual(sent(window), []);
});

test("the window takes 1,024 frames, and no more", () => {
  const window = windowOf(1_024);
  assert.ok(!window.push(frame(0), undefined));
});

test("the window takes 1 MiB, and no more", () => {
  const window = new Window();
  assert.ok(window.push(new Uint8Array(1_048_576), 1));
  assert.ok(!window.push(frame(0), 2));
  sent(window);
  assert.ok(window.acknowledge(1n));
  assert.ok(window.push(frame(0), 2), "acknowledged bytes make room");
});
