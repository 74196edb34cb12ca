// The window of unacknowledged frames: docs/protocol.md, section 4.

/** Largest number of unacknowledged frames and bytes (§4.6). */
const FRAMES_MAX = 1_024;
const BYTES_MAX = 1_048_576;

interface Entry {
  bytes: Uint8Array<ArrayBuffer>;
  /** The id, if the frame is a message. */
  id: number | undefined;
}

/**
 * Keeps each frame until it is acknowledged (§4.3). Frames contain no numbers: their order implies
 * them (§4.2).
 */
export class Window {
  #entries: Entry[] = [];
  #bytes = 0;
  /** Frames at the front that were sent over the present link. */
  #sent = 0;
  /** Frames acknowledged since the session began: the number of the first entry. */
  #acknowledged = 0n;
  /** After a reconnect, waiting frames are sent at the server's rate (§4.9). */
  #gapMs = 0;
  #nextAt = 0;

  /** Adds a frame at the end. False if it does not fit. */
  push(bytes: Uint8Array<ArrayBuffer>, id: number | undefined): boolean {
    if (this.#entries.length === FRAMES_MAX || this.#bytes + bytes.length > BYTES_MAX) return false;
    this.#entries.push({ bytes, id });
    this.#bytes += bytes.length;
    return true;
  }

  /** The frames that may be sent now. */
  ready(now: number): Uint8Array<ArrayBuffer>[] {
    const ready = [];
    for (; this.#sent < this.#entries.length && now >= this.#nextAt; this.#sent += 1) {
      ready.push(this.#entries[this.#sent]!.bytes);
      if (this.#gapMs > 0) this.#nextAt = Math.max(now, this.#nextAt) + this.#gapMs;
    }
    if (this.#sent === this.#entries.length) this.#gapMs = 0;
    return ready;
  }

  /** The server has received N frames of this session. False if that is impossible (§4.5). */
  acknowledge(received: bigint): boolean {
    const count = Number(received - this.#acknowledged);
    if (count < 0 || count > this.#sent) return false;
    for (const entry of this.#entries.splice(0, count)) this.#bytes -= entry.bytes.length;
    this.#sent -= count;
    this.#acknowledged = received;
    return true;
  }

  /** The session is resumed: frames that the server does not have are sent again, in order. */
  resume(received: bigint, perSecond: number): boolean {
    const canServe = this.acknowledge(received);
    this.#sent = 0;
    this.#pace(perSecond);
    return canServe;
  }

  /**
   * A new session: the sent frames are dropped, the others may be sent now (§4.12). Returns the ids
   * of messages with unknown outcome.
   */
  restart(perSecond: number): number[] {
    const lost = this.#entries.splice(0, this.#sent);
    for (const entry of lost) this.#bytes -= entry.bytes.length;
    this.#sent = 0;
    this.#acknowledged = 0n;
    this.#pace(perSecond);
    return lost.flatMap((entry) => entry.id ?? []);
  }

  /** Whether the message may have been sent. A message that is no longer in the window was sent. */
  hasLeft(id: number): boolean {
    const index = this.#entries.findIndex((entry) => entry.id === id);
    return index < this.#sent;
  }

  /** Removes a message that was never sent. False if it may have been sent. */
  takeBack(id: number): boolean {
    const index = this.#entries.findIndex((entry) => entry.id === id);
    if (index < this.#sent) return false;
    for (const entry of this.#entries.splice(index, 1)) this.#bytes -= entry.bytes.length;
    return true;
  }

  #pace(perSecond: number): void {
    this.#gapMs = perSecond > 0 ? 1_000 / perSecond : 0;
    this.#nextAt = 0;
  }
}
