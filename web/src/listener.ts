// What the page gives to the client, and what it gets from it. Section numbers (§) refer to
// docs/protocol.md.

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

export type State = "out" | "connecting" | "online" | "reconnecting";

export interface Account {
  /** `ws://HOST:PORT` or `wss://HOST:PORT`. */
  server: string;
  appId: string;
  uid: string;
  token: string;
}

/** The callbacks of the page. */
export interface Listener {
  stateChanged(state: State): void;
  /** 0, or the cause of the failure: -1000 token, -1002 user id, -1003 and -1001 server. */
  loginResult(code: number): void;
  /** The user logged in elsewhere, the back end ended the session, or the server refuses the
   * client. */
  loggedOut(reason: string): void;
  message(from: string, payload: string | Uint8Array): void;
  /** Exactly once for each message. */
  result(id: number, code: number): void;
  status(uid: string, status: number): void;
}
