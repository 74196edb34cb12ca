// Test harness: a server, a terminal client, a network that can be cut, and a static file server.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import net from "node:net";
import { extname } from "node:path";
import { createInterface } from "node:readline";

const RTS = process.env.RTS ?? new URL("../../target/debug/rts", import.meta.url).pathname;
const PAGE = new URL("../dist/page/", import.meta.url);
const PATIENCE_MS = 30_000;

/** A program. Tests can wait for its lines of output. */
export class Program {
  lines = [];
  #waiting = [];

  constructor(args) {
    this.process = spawn(RTS, args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface(this.process.stdout).on("line", (line) => {
      this.lines.push(line);
      for (const waiter of this.#waiting) waiter(line);
    });
  }

  /** Waits for the first line that matches, including lines printed before. */
  async line(pattern) {
    const before = this.lines.find((line) => pattern.test(line));
    if (before !== undefined) return before.match(pattern);
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`nothing like ${pattern} in:\n${this.lines.join("\n")}`));
      }, PATIENCE_MS);
      this.#waiting.push((line) => {
        const match = line.match(pattern);
        if (match === null) return;
        clearTimeout(timer);
        resolve(match);
      });
    });
  }

  type(line) {
    this.process.stdin.write(`${line}\n`);
  }

  async ended() {
    if (this.process.exitCode === null) await once(this.process, "exit");
  }

  async stop() {
    this.process.kill();
    await this.ended();
  }
}

/** Starts `rts serve --dev` on free ports. Returns its addresses and the tokens that it prints. */
export async function startServer() {
  const program = new Program(["serve", "--dev", "--listen", "127.0.0.1:0"]);
  const [, url] = await program.line(/listening on (rts:\S+)/);
  const [, port] = await program.line(/listening on ws:\/\/127\.0\.0\.1:(\d+)/);
  const tokens = {};
  for (const uid of ["alice", "bob"]) {
    [, tokens[uid]] = await program.line(new RegExp(`--uid ${uid} .*--token (\\S+)`));
  }
  return { program, url, port: Number(port), tokens };
}

/** The network between the page and the server. */
export class Network {
  #server;
  #links = new Set();
  #stalled = new Set();
  #isCut = false;

  static async to(port) {
    const network = new Network();
    network.#server = net.createServer((near) => network.#carry(near, port));
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    return network;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}`;
  }

  #carry(near, port) {
    if (this.#isCut) return near.destroy();
    const far = net.connect(port, "127.0.0.1");
    this.#links.add(near);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay();
      from.on("data", (data) => this.#stalled.has(near) || to.write(data));
      // The `close` event follows.
      from.on("error", () => {});
      from.on("close", () => {
        this.#links.delete(near);
        to.destroy();
      });
    }
  }

  /** Breaks all links, and refuses new ones. */
  cut() {
    this.#isCut = true;
    for (const link of this.#links) link.destroy();
  }

  /** Drops all data of the existing links silently. */
  stall() {
    this.#stalled = new Set(this.#links);
  }

  mend() {
    this.#isCut = false;
  }

  stop() {
    this.cut();
    this.#server.close();
  }
}

/** Serves the files of the page over HTTP. */
export async function servePage() {
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const server = createServer(async (request, response) => {
    const name = request.url === "/" ? "index.html" : request.url.slice(1);
    try {
      const body = await readFile(new URL(name, PAGE));
      response.writeHead(200, { "content-type": types[extname(name)] }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}
