// One user's connection: login, messages with one result each, and coming back. It is written from docs/protocol.md; the
// numbers in brackets are that document's rules.

import { BadFrame, Decoder, FRAME_BYTES_MAX, encode, type Kind, type KindInit } from "./frames.ts";
import { Window } from "./window.ts";

const VERSION = 1;
const SUBPROTOCOL = "rts.v1";

// §8.2
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 5_000;
const DEAD_AFTER_MS = 10_000;
const RESULT_TIMEOUT_MS = 10_000;
/** A login that lasted so long begins the back-off anew (§8.2). */
const STEADY_AFTER_MS = 5_000;
const BACKOFF_MS = [0, 500, 1_000, 2_000, 4_000, 5_000];

/** How often timers are looked at, and how long an acknowledgement that nobody waits for may take (§4.4). */
const TICK_MS = 250;

/** So many frames or bytes are acknowledged at once, whatever they are (§4.4). */
const ACK_FRAMES = 64n;
const ACK_BYTES = 128 * 1_024;

const PAYLOAD_BYTES_MAX = 65_536;

/** Results of a message (§5.3 to §5.5): 0 is "the receiver has it". */
export const Result = {
  Ok: 0,
  Timeout: 1,
  Broken: 2,
  NoSuchUser: 3,
  NotLoggedIn: 4,
  TooFast: 5,
  TooBig: 103,
} as const;

/** Close codes after which the client does something else than come back and resume (§9). */
const UNSUPPORTED_VERSION = 5;
const DISPLACED = 7;
const PUT_OUT = 15;
const ABNORMAL = 12;
const KEEPS_SESSION = new Set([6, 8, 11, 14]);

export type State = "out" | "connecting" | "online" | "reconnecting";

export interface Account {
  /** `ws://HOST:PORT` or `wss://HOST:PORT`. */
  server: string;
  appId: string;
  uid: string;
  token: string;
}

/** What the page is told. */
export interface Listener {
  stateChanged(state: State): void;
  /** 0, or why not: -1000 the token, -1002 the user id, -1003 and -1001 the server. */
  loginResult(code: number): void;
  /** The user has logged in elsewhere, or the server will have nobody. */
  loggedOut(reason: string): void;
  message(from: string, payload: string | Uint8Array): void;
  /** Exactly once for each message. */
  result(id: number, code: number): void;
  status(uid: string, status: number): void;
}

interface Session {
  number: bigint;
  key: Uint8Array;
  claim: bigint;
  /** False once it is known that the server will not go on with it. */
  isResumable: boolean;
}

interface Link {
  socket: WebSocket;
  decoder: Decoder;
  phase: "connecting" | "greeting" | "online";
  /** When its phase began. */
  since: number;
  lastHeard: number;
  lastSent: number;
}

export class Client {
  readonly #account: Account;
  readonly #listener: Listener;
  /** Tells this client from others of the same user (§3.8). */
  readonly #engine: bigint;
  #attempt = 0n;
  #state: State = "out";
  #session: Session | undefined;
  #link: Link | undefined;
  /** Frames that the server may not have. */
  #window = new Window();
  /** Sequenced frames received in this session, and those of them that the server knows of. */
  #received = 0n;
  #told = 0n;
  /** Whether somebody waits to be told, and what arrived since the server was. */
  #isAwaited = false;
  #bytesSince = 0;
  #failures = 0;
  #reconnectAt: number | undefined;
  #lastId = 0;
  /** Messages without a result, and when each gets one anyway. */
  #open = new Map<number, number>();
  #lastQuery = 0n;
  #queries = new Map<bigint, string>();
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(account: Account, listener: Listener) {
    this.#account = account;
    this.#listener = listener;
    this.#engine = crypto.getRandomValues(new BigUint64Array(1))[0]! | 1n;
  }

  /** Connects and logs in, and stays so until `logOut`. */
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

  /** Sends text to a user, reliably, and gives the message's number. */
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

  /** Asks whether a user is there. */
  askStatus(uid: string): void {
    const query = (this.#lastQuery += 1n);
    this.#queries.set(query, uid);
    this.#window.push(encode({ case: "statusQuery", value: { query, uid: ascii(uid) } }), undefined);
    this.#release();
  }

  /** The device says that its network is another one, or is there again. */
  networkChanged(): void {
    this.#failures = 0;
    if (this.#reconnectAt !== undefined) this.#connect();
  }

  // The link: made, lost, made again.

  #connect(): void {
    this.#reconnectAt = undefined;
    const socket = new WebSocket(this.#account.server, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    const now = Date.now();
    const link: Link = {
      socket, decoder: new Decoder(), phase: "connecting", since: now, lastHeard: now, lastSent: now,
    };
    this.#link = link;
    // What an old link still has to say is not listened to.
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
      ? { session: session.number, key: session.key, received: this.#received }
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

  /** A first login fails; a later one goes on trying. */
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

  /** Nothing comes back by itself after this. */
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

  // Frames in.

  #heard(link: Link, data: unknown): void {
    link.lastHeard = Date.now();
    try {
      if (!(data instanceof ArrayBuffer)) throw new BadFrame("a text message");
      this.#bytesSince += data.byteLength;
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
    const isMuch = this.#received - this.#told >= ACK_FRAMES || this.#bytesSince >= ACK_BYTES;
    // One acknowledgement for all that has arrived by then.
    if (this.#isAwaited || isMuch) setTimeout(() => this.#acknowledge());
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
        if (kind.value.config === 0) {
          this.#received += 1n;
          this.#isAwaited = true;
        }
        return this.#delivered(kind.value);
      case "sendResults":
        this.#received += 1n;
        for (const id of kind.value.ids) this.#settle(Number(id), kind.value.code);
        return;
      case "statusAnswer":
        this.#received += 1n;
        return this.#statusAnswered(kind.value);
      default:
        // Rooms and the app's server, which this client does not use: all of them are sequenced (§4.1).
        this.#received += 1n;
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
      this.#received = 0n;
      this.#queries.clear();
      for (const id of this.#window.restart(answer.sendsPerSecond)) this.#settle(id, Result.Timeout);
    }
    this.#isTold();
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

  /** The one place that tells results. */
  #settle(id: number, code: number): void {
    if (this.#open.delete(id)) this.#listener.result(id, code);
  }

  // Frames out.

  #acknowledge(): void {
    if (this.#link?.phase !== "online" || this.#told === this.#received) return;
    this.#isTold();
    this.#transmit({ case: "ack", value: { received: this.#received } });
  }

  /** The server knows what was received. */
  #isTold(): void {
    this.#told = this.#received;
    this.#isAwaited = false;
    this.#bytesSince = 0;
  }

  /** Sends what the window lets go. */
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

/** Ids and tokens are ASCII (§1.6); what is not, the server refuses. */
function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
