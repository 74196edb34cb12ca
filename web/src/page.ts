// The page: a login form, then a chat. It shows the callbacks of the client.

import { Client } from "./client.ts";
import { Result, type Listener, type State } from "./listener.ts";

/** The address and the app of `rts serve --dev`. */
const DEV_SERVER = "ws://127.0.0.1:7680";
const DEV_APP = "123456781234567812345678";

/** After this time without a login, the page shows a reason. */
const EXPLAIN_AFTER_MS = 3_000;

/** Interval of online status queries for the peer. */
const PRESENCE_MS = 10_000;

const login = element<HTMLFormElement>("login");
const refusal = element("refusal");
const chat = element("chat");
const to = element<HTMLInputElement>("to");
const messages = element("messages");
const text = element<HTMLTextAreaElement>("text");

let client: Client | undefined;
let state: State = "out";
let explaining: ReturnType<typeof setTimeout> | undefined;
/** The messages of this page that have no result yet. */
const open = new Map<number, HTMLLIElement>();

fillIn();
login.addEventListener("submit", (event) => {
  event.preventDefault();
  if (state === "out") logIn();
  else client?.logOut();
});
element("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
to.addEventListener("change", showPeer);
element("leave").addEventListener("click", () => client?.logOut());
addEventListener("online", () => client?.networkChanged());
setInterval(askPresence, PRESENCE_MS);

const listener: Listener = {
  stateChanged(next) {
    state = next;
    const words: Record<State, string> = {
      out: "logged out",
      connecting: "connecting…",
      online: "connected",
      reconnecting: "reconnecting…",
    };
    element("state").textContent = words[state];
    element("state").dataset["state"] = state;
    element("presence").textContent = "";
    if (state === "online") askPresence();
    if (state === "out") showLogin();
  },
  loginResult(code) {
    if (code === 0) showChat();
    else refuse(whyRefused(code));
  },
  loggedOut: refuse,
  message(from, payload) {
    const words = typeof payload === "string" ? payload : `${payload.length} bytes`;
    add("theirs", from, words);
  },
  result(id, code) {
    const item = open.get(id);
    open.delete(id);
    if (item !== undefined) showResult(item, code);
    if (code === Result.Ok || code === Result.NotLoggedIn) askPresence();
  },
  status(uid, status) {
    if (uid !== to.value) return;
    const presence = element("presence");
    presence.textContent = ["offline", "online", "unreachable just now"][status] ?? "";
    presence.dataset["status"] = String(status);
  },
};

/** Fills the form from the part behind the `#` in the address, and removes that part. */
function fillIn(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  const preset = { server: DEV_SERVER, app: DEV_APP, uid: "", peer: "", token: "" };
  for (const [id, value] of Object.entries(preset)) {
    element<HTMLInputElement>(id).value = given.get(id) ?? value;
  }
  const missing = [...login.querySelectorAll("input")].find((input) => input.value === "");
  (missing ?? login.querySelector("button")!).focus();
}

function logIn(): void {
  const value = (id: string) => element<HTMLInputElement>(id).value.trim();
  refusal.hidden = true;
  login.querySelector("button")!.textContent = "Cancel";
  explaining = setTimeout(() => {
    refuse(`${value("server")} does not answer. The page keeps trying.`);
  }, EXPLAIN_AFTER_MS);
  const account = { server: value("server"), appId: value("app"), uid: value("uid"), token: value("token") };
  client = new Client(account, listener);
  client.logIn();
}

function refuse(reason: string): void {
  refusal.textContent = reason;
  refusal.hidden = false;
}

function whyRefused(code: number): string {
  if (code === -1000) return "The token is not valid for this name and app, or it has expired.";
  if (code === -1002) return "The server refuses this name.";
  if (code === -1003) return "The server cannot check tokens now. Try again later.";
  return "The login failed. Try again.";
}

function showLogin(): void {
  clearTimeout(explaining);
  chat.hidden = true;
  login.hidden = false;
  login.querySelector("button")!.textContent = "Log in";
  element("uid").focus();
}

function showChat(): void {
  clearTimeout(explaining);
  refusal.hidden = true;
  login.hidden = true;
  chat.hidden = false;
  messages.replaceChildren();
  open.clear();
  to.value = element<HTMLInputElement>("peer").value.trim();
  document.title = `${element<HTMLInputElement>("uid").value} · RTS chat`;
  showPeer();
  text.focus();
}

function showPeer(): void {
  element("face").textContent = to.value.slice(0, 1);
  element("presence").textContent = "";
  askPresence();
}

function askPresence(): void {
  if (state === "online" && !chat.hidden && to.value !== "") client?.askStatus(to.value);
}

function say(): void {
  if (client === undefined || text.value.trim() === "" || to.value === "") return;
  const item = add("mine", to.value, text.value);
  item.dataset["result"] = "open";
  note(item).textContent = "on its way";
  open.set(client.send(to.value, text.value), item);
  text.value = "";
}

function showResult(item: HTMLLIElement, code: number): void {
  const peer = item.dataset["peer"]!;
  const [result, words] = {
    [Result.Ok]: ["ok", "✓ received"],
    [Result.Timeout]: ["unknown", "It is not known whether this arrived."],
    [Result.Broken]: ["failed", "Not delivered."],
    [Result.NoSuchUser]: ["failed", `Not delivered: ${peer} is not a valid user id.`],

    [Result.NotLoggedIn]: ["failed", `Not delivered: ${peer} is not logged in.`],
    [Result.TooFast]: ["failed", "Not delivered: too many messages at once."],
    [Result.TooBig]: ["failed", "Not delivered: longer than 64 KB."],
  }[code] ?? ["failed", `Not delivered (${code}).`];
  item.dataset["result"] = result;
  note(item).textContent = words!;
}

/** Appends a message to the chat. User input is inserted as text only, never as HTML. */
function add(side: "mine" | "theirs", peer: string, words: string): HTMLLIElement {
  const isAtEnd = messages.scrollTop + messages.clientHeight >= messages.scrollHeight - 40;
  const item = document.createElement("li");
  const last = messages.lastElementChild as HTMLLIElement | null;
  item.className = side;
  item.dataset["peer"] = peer;
  if (last?.className.startsWith(side) !== true || last.dataset["peer"] !== peer) {
    item.classList.add("turn");
  }
  const bubble = document.createElement("span");
  bubble.className = "bubble";
  bubble.textContent = words;
  item.append(bubble);
  if (peer !== to.value) note(item).textContent = side === "theirs" ? `from ${peer}` : `to ${peer}`;
  messages.append(item);
  if (isAtEnd || side === "mine") messages.scrollTop = messages.scrollHeight;
  return item;
}

/** The small line under a message. */
function note(item: HTMLLIElement): HTMLElement {
  const found = item.querySelector<HTMLElement>(".note");
  if (found !== null) return found;
  const made = document.createElement("small");
  made.className = "note";
  item.append(made);
  return made;
}

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
