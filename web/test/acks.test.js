// When received frames are acknowledged: section 4.4 of docs/protocol.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Acks } from "../dist/node/acks.js";

test("a message is acknowledged at once, other frames may wait", () => {
  const acks = new Acks();
  acks.addFrame();
  assert.deepEqual([acks.received, acks.isOwed, acks.isDue], [1n, true, false]);
  acks.addMessage();
  assert.deepEqual([acks.received, acks.isDue], [2n, true]);
  acks.acknowledged();
  assert.deepEqual([acks.received, acks.isOwed, acks.isDue], [2n, false, false]);
});

test("64 frames or 128 KiB are acknowledged at once", () => {
  const frames = new Acks();
  for (let count = 0; count < 63; count += 1) frames.addFrame();
  assert.ok(!frames.isDue);
  frames.addFrame();
  assert.ok(frames.isDue);
  const bytes = new Acks();
  bytes.addBytes(131_071);
  assert.ok(!bytes.isDue);
  bytes.addBytes(1);
  assert.ok(bytes.isDue);
});
