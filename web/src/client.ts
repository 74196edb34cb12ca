// One user's connection: login, messages with one result each, and reconnecting. Section numbers
// (§) refer to docs/protocol.md.

import { Acks } from "./acks.ts";
import { BadFrame, Decoder, FRAME_BYTES_MAX, encode, type Kind, type KindInit } from "./frames.ts";
import { Result, type Account, type Listener, type State } from "./listener.ts";
import { Window } from "./window.ts";

const VERSION = 1;
const SUBPROTOCOL = "rts.v1";

// §8.2
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 5_000;
const DEAD_AFTER_MS = 10_000;
const RESULT_TIMEOUT_MS = 10_000;
/** A login that lasted this long resets the back-off (§8.2). */
const STEADY_AFTER_MS = 5_000;
const BACKOFF_MS = [0, 500, 1_000, 2_000, 4_000, 5_000];

/** Interval of the timer check, and longest delay of an acknowledgement (§4.4). */
const TICK_MS = 250;

const PAYLOAD_BYTES_MAX = 65_536;

/** Close codes after which the client does not simply reconnect and resume (§9). */
const UNSUPPORTED_VERSION = 5;
const DISPLACED = 7;
const PUT_OUT = 15;
const ABNORMAL = 12;
/** Close codes that keep the session. */
const KEEPS_SESSION = new Set([6, 8, 11, 14]);

interface Session {
  number: bigint;
  key: Uint8Array;
  claim: bigint;
  /** False if the session must not be resumed. */
  isResumable: boolean;
}

interface Link {
  socket: WebSocket;
  decoder: Decoder;
  phase: "connecting" | "greeting" | "online";
  /** Start of the present phase. */
  since: number;
  lastHeard: number;
  lastSent: number;
}

export class Client {
  readonly #account: Account;
  readonly #listener: Listener;
  /** Identifies this client among those of the same user (§3.8). */
  readonly #engine: bigint;
  #attempt = 0n;
  #state: State = "out";
  #session: Session | undefined;
  #link: Link | undefined;
  /** Unacknowledged frames. */
  #window = new Window();
  /** Received frames. */
  #acks = new Acks();
  #failures = 0;
  #reconnectAt: number | undefined;
  #lastId = 0;
  /** Messages without a result, each with the deadline of its result. */
  #open = new Map<number, number>();
  #lastQuery = 0n;
  #queries = new Map<bigint, string>();
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(account: Account, listener: Listener) {
    this.#account = account;
    this.#listener = listener;
    this.#engine = crypto.getRandomValues(new BigUint64Array(1))[0]! | 1n;
  }

  /** Connects and logs in. Reconnects until `logOut`. */
  logIn(): void {
    this.#enter("connecting");
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#connect();
  }

  /** Ends the session at once (§2.8). Open messages get their results. */
  logOut(): void {
    if (this.#link?.phase === "online") this.#transmit({ case: "logout", value: {} });
    this.#end();
  }

  /** Sends text to a user, reliably. Returns the id of the message. */
  send(to: string, text: string): number {
    const id = (this.#lastId += 1);
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > PAYLOAD_BYTES_MAX) {
      queueMicrotask(() => this.#listener.result(id, Result.TooBig));
      return id;
    }
    const value = { id: BigInt(id), to: ascii(to), payload: { case: "text", value: bytes } } as const;
    this.#open.set(id, Date.now() + RESULT_TIMEOUT_MS);
    if (!this.#window.push(encode({ case: "send", value }), id)) {
      queueMicrotask(() => this.#settle(id, Result.TooFast));
    }
    this.#release();
    return id;
  }

  /** Queries the online status of a user. */
  askStatus(uid: string): void {
    const query = (this.#lastQuery += 1n);
    this.#queries.set(query, uid);
    this.#window.push(encode({ case: "statusQuery", value: { query, uid: ascii(uid) } }), undefined);
    this.#release();
  }

  /** Reconnects at once. Call it when the network of the device has changed or is back. */
  networkChanged(): void {
    this.#failures = 0;
    if (this.#reconnectAt !== undefined) this.#connect();
  }

  // The link: connect, lose, reconnect.

  #connect(): void {
    this.#reconnectAt = undefined;
    const socket = new WebSocket(this.#account.server, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    const now = Date.now();
    const link: Link = {
      socket, decoder: new Decoder(), phase: "connecting", since: now, lastHeard: now, lastSent: now,
    };
    this.#link = link;
    // Ignores events of old links.
    const ifCurrent = <T>(react: (event: T) => void) => (event: T) => {
      if (this.#link === link) react(event);
    };
    socket.onopen = ifCurrent(() => this.#greet(link));
    socket.onmessage = ifCurrent((event: MessageEvent) => this.#heard(link, event.data));
    socket.onclose = ifCurrent(() => this.#lost());
  }

  #greet(link: Link): void {
    link.phase = "greeting";
    link.since = link.lastHeard = Date.now();
    const { appId, uid, token } = this.#account;
    const session = this.#session;
    const resume = session?.isResumable
      ? { session: session.number, key: session.key, received: this.#acks.received }
      : undefined;
    this.#attempt += 1n;
    this.#transmit({ case: "hello", value: { version: VERSION } });
    this.#transmit({
      case: "login",
      value: {
        appId: ascii(appId), uid: ascii(uid), token: ascii(token), resume,
        claim: session?.claim ?? 0n, engine: this.#engine, attempt: this.#attempt,
      },
    });
  }

  /** No answer to a login: the first login fails, a later one is retried. */
  #unanswered(): void {
    if (this.#session !== undefined) return this.#lost();
    this.#end();
    this.#listener.loginResult(-1001);
  }

  #lost(retryAfterMs = 0): void {
    const link = this.#link;
    if (link?.phase === "online" && Date.now() - link.since >= STEADY_AFTER_MS) this.#failures = 0;
    this.#drop();
    this.#enter(this.#session === undefined ? "connecting" : "reconnecting");
    const longest = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)]!;
    this.#failures += 1;
    this.#reconnectAt = Date.now() + retryAfterMs + Math.random() * longest;
    if (this.#reconnectAt <= Date.now()) this.#connect();
  }

  #drop(): void {
    const socket = this.#link?.socket;
    this.#link = undefined;
    socket?.close();
  }

  /** Ends the session without reconnecting. */
  #end(): void {
    clearInterval(this.#ticker);
    this.#reconnectAt = undefined;
    this.#drop();
    this.#session = undefined;
    for (const id of [...this.#open.keys()]) {
      this.#settle(id, this.#window.hasLeft(id) ? Result.Timeout : Result.Broken);
    }
    this.#window = new Window();
    this.#enter("out");
  }

  #enter(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listener.stateChanged(state);
  }

  #tick(): void {
    const now = Date.now();
    const link = this.#link;
    if (link?.phase === "connecting" && now - link.since > CONNECT_TIMEOUT_MS) this.#lost();
    else if (link?.phase === "greeting" && now - link.since > ANSWER_TIMEOUT_MS) this.#unanswered();
    else if (link?.phase === "online" && now - link.lastHeard > DEAD_AFTER_MS) this.#lost();
    else if (link?.phase === "online" && now - link.lastSent > HEARTBEAT_MS) {
      this.#transmit({ case: "ping", value: {} });
    }
    if (this.#reconnectAt !== undefined && now >= this.#reconnectAt) this.#connect();
    for (const [id, deadline] of [...this.#open]) {
      if (now < deadline) continue;
      this.#settle(id, this.#window.takeBack(id) ? Result.Broken : Result.Timeout);
    }
    this.#release();
    this.#acknowledge();
  }

  // Received frames.

  #heard(link: Link, data: unknown): void {
    link.lastHeard = Date.now();
    try {
      if (!(data instanceof ArrayBuffer)) throw new BadFrame("a text message");
      this.#acks.addBytes(data.byteLength);
      link.decoder.push(new Uint8Array(data));
      for (let kind = link.decoder.next(); kind !== undefined; kind = link.decoder.next()) {
        this.#take(link, kind);
        if (this.#link !== link) return;
      }
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      if (this.#session !== undefined) this.#session.isResumable = false;
      this.#lost();
      return;
    }
    // One acknowledgement covers everything that arrives in this turn of the event loop.
    if (this.#acks.isDue) setTimeout(() => this.#acknowledge());
  }

  #take(link: Link, kind: Kind): void {
    const opensLink = kind.case === "hello" || kind.case === "loginAnswer" || kind.case === "close";
    if (!opensLink && link.phase !== "online") throw new BadFrame(`${kind.case} before the login`);
    switch (kind.case) {
      case "hello":
      case "pong":
        return;
      case "loginAnswer":
        return this.#answered(link, kind.value);
      case "close":
        return this.#closed(kind.value);
      case "ack":
        if (!this.#window.acknowledge(kind.value.received)) throw new BadFrame("a wrong Ack");
        return;
      case "delivery":
        if (kind.value.config === 0) this.#acks.addMessage();
        return this.#delivered(kind.value);
      case "sendResults":
        this.#acks.addFrame();
        for (const id of kind.value.ids) this.#settle(Number(id), kind.value.code);
        return;
      case "statusAnswer":
        this.#acks.addFrame();
        return this.#statusAnswered(kind.value);
      default:
        // This client does not use rooms and app servers. Their frames are sequenced (§4.1).
        this.#acks.addFrame();
    }
  }

  #answered(link: Link, answer: Extract<Kind, { case: "loginAnswer" }>["value"]): void {
    if (answer.code !== 0) {
      this.#end();
      return this.#listener.loginResult(answer.code);
    }
    const isFirst = this.#session === undefined;
    this.#session = {
      number: answer.session, key: answer.key, claim: answer.claim, isResumable: true,
    };
    link.phase = "online";
    link.since = Date.now();
    link.decoder.limit = FRAME_BYTES_MAX;
    if (answer.resumed) {
      const canServe = this.#window.resume(answer.received, answer.sendsPerSecond);
      if (!canServe) throw new BadFrame("a wrong count of frames");
    } else {
      // §4.12
      this.#acks = new Acks();
      this.#queries.clear();
      for (const id of this.#window.restart(answer.sendsPerSecond)) this.#settle(id, Result.Timeout);
    }
    this.#acks.acknowledged();
    if (isFirst) this.#listener.loginResult(0);
    this.#enter("online");
    this.#release();
  }

  #closed(close: { code: number; reason: Uint8Array; retryAfterMs: number }): void {
    if (close.code === DISPLACED) {
      this.#end();
      return this.#listener.loggedOut("You have logged in elsewhere.");
    }
    if (close.code === PUT_OUT) {
      this.#end();
      return this.#listener.loggedOut("The app has ended your session.");
    }
    if (close.code === UNSUPPORTED_VERSION || close.code === ABNORMAL) {
      this.#end();
      return this.#listener.loggedOut("The server cannot serve this client.");
    }
    if (this.#session !== undefined && !KEEPS_SESSION.has(close.code)) {
      this.#session.isResumable = false;
    }
    this.#lost(close.retryAfterMs);
  }

  #delivered({ from, payload }: Extract<Kind, { case: "delivery" }>["value"]): void {
    const sender = new TextDecoder().decode(from);
    if (payload.case === "binary") return this.#listener.message(sender, payload.value);
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      this.#listener.message(sender, text.decode(payload.value));
    } catch (error) {
      throw new BadFrame("text that is not UTF-8", { cause: error });
    }
  }

  #statusAnswered({ query, status }: { query: bigint; status: number }): void {
    const uid = this.#queries.get(query);
    this.#queries.delete(query);
    if (uid !== undefined) this.#listener.status(uid, status);
  }

  /** The only place that reports results. */
  #settle(id: number, code: number): void {
    if (this.#open.delete(id)) this.#listener.result(id, code);
  }

  // Sent frames.

  #acknowledge(): void {
    if (this.#link?.phase !== "online" || !this.#acks.isOwed) return;
    this.#acks.acknowledged();
    this.#transmit({ case: "ack", value: { received: this.#acks.received } });
  }

  /** Sends the frames that the window allows. */
  #release(): void {
    const link = this.#link;
    if (link?.phase !== "online") return;
    const ready = this.#window.ready(Date.now());
    if (ready.length > 0) this.#acknowledge();
    for (const bytes of ready) this.#write(link, bytes);
  }

  #transmit(kind: KindInit): void {
    if (this.#link !== undefined) this.#write(this.#link, encode(kind));
  }

  #write(link: Link, bytes: Uint8Array<ArrayBuffer>): void {
    link.lastSent = Date.now();
    link.socket.send(bytes);
  }
}

/** Ids and tokens are ASCII (§1.6). The server refuses others. */
function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
