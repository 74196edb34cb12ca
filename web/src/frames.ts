// Frames as bytes: docs/protocol.md, section 1.

import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FrameSchema, type Frame } from "./gen/rts/v1/rts_pb.ts";

/** Longest frame before and after the login (§1.2). */
export const FRAME_BYTES_BEFORE_LOGIN = 4_096;
export const FRAME_BYTES_MAX = 66_048;

/** Unknown kinds with this number or a greater one are skipped (§1.4). */
const FIRST_OPTIONAL_KIND = 512;

/** The content of a frame: the name of its kind, and its fields. */
export type Kind = Exclude<Frame["kind"], { case: undefined }>;
export type KindInit = NonNullable<MessageInitShape<typeof FrameSchema>["kind"]>;

/** The server sent an invalid frame. */
export class BadFrame extends Error {}

/** Encodes a frame with its length prefix (§1.1). */
export function encode(kind: KindInit): Uint8Array<ArrayBuffer> {
  const body = toBinary(FrameSchema, create(FrameSchema, { kind }));
  const head: number[] = [];
  let rest = body.length;
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Splits a stream into frames. Its chunks may end anywhere. */
export class Decoder {
  /** Raised by a successful login. */
  limit = FRAME_BYTES_BEFORE_LOGIN;
  #bytes = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.#bytes.length + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, this.#bytes.length);
    this.#bytes = bytes;
  }

  /** The next complete frame, or undefined if more bytes are needed. */
  next(): Kind | undefined {
    for (;;) {
      const head = this.#length();
      if (head === undefined || this.#bytes.length < head.size + head.length) return undefined;
      const end = head.size + head.length;
      const kind = parse(this.#bytes.subarray(head.size, end));
      this.#bytes = this.#bytes.subarray(end);
      if (kind !== undefined) return kind;
    }
  }

  /** The length prefix, checked before the rest of the frame has arrived (§1.2, §1.3). */
  #length(): { length: number; size: number } | undefined {
    let length = 0;
    for (let size = 1; size <= this.#bytes.length; size += 1) {
      const byte = this.#bytes[size - 1]!;
      length += (byte & 0x7f) * 2 ** (7 * (size - 1));
      if (length > this.limit || (byte >= 0x80 && size === 3)) throw new BadFrame("too large");
      if (byte >= 0x80) continue;
      if (length === 0 || (byte === 0 && size > 1)) throw new BadFrame("no proper length");
      return { length, size };
    }
    return undefined;
  }
}

/** Returns undefined for a kind that may be skipped. */
function parse(bytes: Uint8Array): Kind | undefined {
  let frame: Frame;
  try {
    frame = fromBinary(FrameSchema, bytes);
  } catch (error) {
    throw new BadFrame("not protobuf", { cause: error });
  }
  if (frame.kind.case !== undefined) return frame.kind;
  const isOptional = frame.$unknown?.every((field) => field.no >= FIRST_OPTIONAL_KIND) ?? false;
  if (isOptional) return undefined;
  throw new BadFrame("no known kind");
}
