// The worked example of docs/protocol.md, byte for byte.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { BadFrame, Decoder, encode } from "../dist/node/frames.js";

const document = await readFile(new URL("../../docs/protocol.md", import.meta.url), "utf8");
const frames = [...document.matchAll(/```hex\n(.*?)```/gs)].map(([, block]) => {
  const hex = block.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, "");
  return Uint8Array.from(Buffer.from(hex, "hex"));
});

test("the document has its example", () => assert.ok(frames.length > 10));

test("every frame of the example decodes and encodes to the same bytes", () => {
  for (const bytes of frames) {
    const decoder = new Decoder();
    decoder.push(bytes);
    const kind = decoder.next();
    assert.deepEqual(encode(kind), bytes, kind.case);
    assert.equal(decoder.next(), undefined);
  }
});

test("frames do not depend on the chunks of the stream", () => {
  const stream = Buffer.concat(frames);
  for (const size of [1, 2, 3, 7, 100, stream.length]) {
    const decoder = new Decoder();
    const read = [];
    for (let at = 0; at < stream.length; at += size) {
      decoder.push(stream.subarray(at, at + size));
      for (let kind = decoder.next(); kind !== undefined; kind = decoder.next()) read.push(encode(kind));
    }
    assert.deepEqual(read, frames, `in pieces of ${size}`);
  }
});

const refused = {
  "an empty frame": "00",
  "a length with surplus bytes": "8400",
  "a length over the limit": "8120",
  "a length without an end": "ffffff",
  "invalid protobuf": "020aff",
  "an unknown kind that must not be skipped": "03fa0300",
};
for (const [what, hex] of Object.entries(refused)) {
  test(`${what} is refused`, () => {
    const decoder = new Decoder();
    decoder.push(Buffer.from(hex, "hex"));
    assert.throws(() => decoder.next(), BadFrame);
  });
}

test("accepts the longest frame before the login", () => {
  const decoder = new Decoder();
  decoder.push(Buffer.from("8020", "hex"));
  assert.equal(decoder.next(), undefined);
});

test("skips an unknown optional kind", () => {
  const decoder = new Decoder();
  decoder.push(Buffer.from("03822000" + "022a00", "hex"));
  assert.equal(decoder.next().case, "ping");
});
