// The count of received frames, and when to acknowledge them. Section numbers (§) refer to
// docs/protocol.md.

/** Acknowledge immediately after N frames or bytes (§4.4). */
const FRAMES = 64n;
const BYTES = 128 * 1_024;

/** The received frames of a session. */
export class Acks {
  /** Sequenced frames received in this session, and those of them that are acknowledged. */
  #received = 0n;
  #acknowledged = 0n;
  /** Whether a message waits for its acknowledgement, and the bytes received since the last one. */
  #hasMessage = false;
  #bytes = 0;

  /** The number of sequenced frames that were received in this session. */
  get received(): bigint {
    return this.#received;
  }

  /** Whether frames were received that are not acknowledged. */
  get isOwed(): boolean {
    return this.#acknowledged !== this.#received;
  }

  /** Whether an acknowledgement must not be delayed (§4.4). */
  get isDue(): boolean {
    const isMuch = this.#received - this.#acknowledged >= FRAMES || this.#bytes >= BYTES;
    return this.#hasMessage || isMuch;
  }

  addBytes(count: number): void {
    this.#bytes += count;
  }

  addFrame(): void {
    this.#received += 1n;
  }

  /** Counts the frame of a reliable message. Its sender waits for the acknowledgement. */
  addMessage(): void {
    this.addFrame();
    this.#hasMessage = true;
  }

  /** All received frames are acknowledged. */
  acknowledged(): void {
    this.#acknowledged = this.#received;
    this.#hasMessage = false;
    this.#bytes = 0;
  }
}
