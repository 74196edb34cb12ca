// Sequenced frames on their way to the server: docs/protocol.md, section 4.

/** Frames and bytes that may be unacknowledged (§4.6). */
const FRAMES_MAX = 1_024;
const BYTES_MAX = 1_048_576;

interface Entry {
  bytes: Uint8Array<ArrayBuffer>;
  /** The message that is in it, if it is one. */
  id: number | undefined;
}

/** Keeps each frame until it is acknowledged (§4.3). Frames have no numbers: their order is their number (§4.2). */
export class Window {
  #entries: Entry[] = [];
  #bytes = 0;
  /** Frames at the front that were sent over the present link. */
  #sent = 0;
  /** Frames acknowledged since the session began: the number of the first entry. */
  #acknowledged = 0n;
  /** After a return, what waits goes out at the server's rate (§4.9). */
  #gapMs = 0;
  #nextAt = 0;

  /** Puts a frame at the end; refuses what does not fit. */
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

  /** The server has received so many frames of this session; false if that cannot be (§4.5). */
  acknowledge(received: bigint): boolean {
    const count = Number(received - this.#acknowledged);
    if (count < 0 || count > this.#sent) return false;
    for (const entry of this.#entries.splice(0, count)) this.#bytes -= entry.bytes.length;
    this.#sent -= count;
    this.#acknowledged = received;
    return true;
  }

  /** The session goes on over a new link: what the server does not have is sent again, in order. */
  resume(received: bigint, perSecond: number): boolean {
    const canServe = this.acknowledge(received);
    this.#sent = 0;
    this.#pace(perSecond);
    return canServe;
  }

  /** A new session: what had left has an unknown outcome, and these are its messages; the rest may be sent now (§4.12). */
  restart(perSecond: number): number[] {
    const lost = this.#entries.splice(0, this.#sent);
    for (const entry of lost) this.#bytes -= entry.bytes.length;
    this.#sent = 0;
    this.#acknowledged = 0n;
    this.#pace(perSecond);
    return lost.flatMap((entry) => entry.id ?? []);
  }

  /** Whether this message may have left. One that is not here any more has. */
  hasLeft(id: number): boolean {
    const index = this.#entries.findIndex((entry) => entry.id === id);
    return index < this.#sent;
  }

  /** Takes a message back that has never left; says whether it could. */
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
