// A server for development and its users, each a process of its own. Everything listens on
// loopback.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export const APP_ID = "123456781234567812345678";
export const BEARER_KEY = "development-bearer-key-known-to-all";
const APP_KEY = "development key, known to all";
// Nothing takes this long unless it is broken.
const PATIENCE_MS = 30_000;

/** A child process, and the lines that it prints. */
class Lines {
  readonly #process;
  readonly #lines;

  constructor(command: string, ...args: string[]) {
    this.#process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  async until(isWanted: (line: string) => boolean): Promise<string> {
    const seen: string[] = [];
    let timer;
    const outOfPatience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not among ${seen.join("\n")}`)), PATIENCE_MS);
    });
    try {
      for (;;) {
        const { done, value } = await Promise.race([this.#lines.next(), outOfPatience]);
        if (done) throw new Error(`ended after ${seen.join("\n")}`);
        seen.push(value);
        if (isWanted(value)) return value;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    this.#process.kill();
    await ended;
  }
}

export class Server {
  private constructor(
    readonly rts: string,
    readonly lines: Lines,
    readonly url: string,
    readonly openapi: string,
  ) {}

  static async start(rts: string): Promise<Server> {
    const lines = new Lines(rts, "serve", "--dev", "--listen", "127.0.0.1:0");
    const url = (await lines.until((line) => line.startsWith("listening on rts://"))).split(" ").at(-1);
    const line = await lines.until((line) => line.startsWith("OpenAPI "));
    const openapi = line.split(" ").find((word) => word.startsWith("http://"))?.replace(",", "");
    if (!url || !openapi) throw new Error(line);
    return new Server(rts, lines, url, openapi);
  }

  token(uid: string): string {
    const args = ["token", "new", "--app-id", APP_ID, "--app-key", APP_KEY, "--uid", uid];
    return execFileSync(this.rts, args, { encoding: "utf8" }).trim();
  }
}

/** A line of the JSON port that says what happened. */
export interface Happened {
  on?: string;
  code: number;
  state: number;
  reason: number;
  message: string;
  base64: string;
}

/** One user, over the JSON port. */
export class Engine {
  readonly lines: Lines;
  readonly #token: string;

  constructor(
    server: Server,
    readonly uid: string,
  ) {
    this.lines = new Lines(server.rts, "engine", "--url", server.url, "--app-id", APP_ID);
    this.#token = server.token(uid);
  }

  call(call: string, fields: object): void {
    this.lines.say(JSON.stringify({ ref: 1, call, ...fields }));
  }

  async on(name: string): Promise<Happened> {
    const line = await this.lines.until((line) => (JSON.parse(line) as Happened).on === name);
    return JSON.parse(line) as Happened;
  }

  /** The code that the login comes to. */
  async logIn(): Promise<number> {
    this.call("login", { token: this.#token, uid: this.uid });
    return (await this.on("onLoginResult")).code;
  }

  /** The state that joining the lobby comes to. */
  async join(): Promise<number> {
    this.call("joinRoom", { room: "lobby" });
    return await this.state();
  }

  async state(): Promise<number> {
    return (await this.on("onRoomStateChanged")).state;
  }
}
