// The page in a real browser, driven by keyboard, chatting with `rts chat`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { Network, Program, servePage, startServer } from "./stage.js";

let server, network, site, browser;

before(async () => {
  server = await startServer();
  network = await Network.to(server.port);
  site = await servePage();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  site?.stop();
  network?.stop();
  await server?.program.stop();
});

/** Opens the page with its form filled in. The user id may be empty. */
async function open(token, peer = "bob", uid = "") {
  const page = await browser.newPage({ viewport: { width: 760, height: 640 } });
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => assert.fail(error));
  await page.clock.install();
  const form = new URLSearchParams({ server: network.url, uid, peer, token });
  await page.goto(`${site.url}#${form}`);
  assert.equal(new URL(page.url()).hash, "", "a token does not stay in the address");
  return page;
}

async function logIn(page, name) {
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
}

async function say(page, words) {
  await page.keyboard.type(words);
  await page.keyboard.press("Enter");
}

function bob() {
  const { url, tokens } = server;
  return new Program(["chat", "--url", url, "--uid", "bob", "--to", "alice", "--token", tokens.bob]);
}

const bubbles = (page, side) => page.locator(`#messages .${side} .bubble`);
const lastNote = (page) => page.locator("#messages .mine .note").last();

test("a page and a terminal chat, and the page reconnects after its network was cut", async () => {
  const terminal = bob();
  await terminal.line(/logged in as bob/);
  const page = await open(server.tokens.alice);
  await logIn(page, "alice");
  await page.locator("#state", { hasText: "connected" }).waitFor();
  await page.locator("#presence", { hasText: "online" }).waitFor();

  await say(page, "hi bob, are you still up for lunch?");
  await terminal.line(/^alice: hi bob, are you still up for lunch\?$/);
  await page.locator("#messages .mine", { hasText: "✓ received" }).waitFor();
  terminal.type("hi alice! yes, at one?");
  await bubbles(page, "theirs").filter({ hasText: "hi alice! yes, at one?" }).waitFor();
  await terminal.line(/^✓ to alice: hi alice! yes, at one\?$/);
  await say(page, "one is fine");
  await terminal.line(/^alice: one is fine$/);

  network.cut();
  await page.locator("#state", { hasText: "reconnecting" }).waitFor();
  terminal.type("the place by the station is open again");
  await say(page, "sorry, I was in a tunnel");
  assert.equal(await lastNote(page).textContent(), "on its way");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/cut.png` });
  network.mend();

  await page.locator("#state", { hasText: "connected" }).waitFor();
  await terminal.line(/^alice: sorry, I was in a tunnel$/);
  await bubbles(page, "theirs").filter({ hasText: "the place by the station is open again" }).waitFor();
  await page.waitForFunction(() =>
    [...document.querySelectorAll("#messages .mine")].every((item) => item.dataset.result === "ok"));
  assert.deepEqual(await bubbles(page, "theirs").allTextContents(), [
    "hi alice! yes, at one?", "the place by the station is open again",
  ]);
  assert.equal(terminal.lines.filter((line) => line.startsWith("alice: ")).length, 3, "each once");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/chat.png` });

  await say(page, "<b>text</b> & “nothing” élse");
  await terminal.line(/^alice: <b>text<\/b> & “nothing” élse$/);
  await bubbles(page, "mine").filter({ hasText: "<b>text</b> & “nothing” élse" }).waitFor();
  terminal.type("/quit");
  await terminal.ended();
  await page.close();
});

test("the page shows an undelivered message and a refused login", async () => {
  const page = await open(server.tokens.alice, "carol");
  await logIn(page, "mallory");
  await page.locator("#refusal", { hasText: "token is not valid" }).waitFor();
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/login.png` });
  await page.locator("#uid").fill("alice");
  await page.keyboard.press("Enter");
  await page.locator("#state", { hasText: "connected" }).waitFor();
  await say(page, "is anybody there?");
  await page.locator("#messages .mine", { hasText: "carol is not logged in" }).waitFor();
  await page.close();
});

test("the page replaces a silent link, by the browser's own clock", async () => {
  const page = await open(server.tokens.alice, "alice");
  await logIn(page, "alice");
  await page.locator("#state", { hasText: "connected" }).waitFor();
  network.stall();
  await say(page, "hello?");
  // Ten seconds without a byte (§2.6). A message that waits longer has an unknown result.
  await page.clock.fastForward(9_000);
  assert.equal(await page.locator("#state").textContent(), "connected");
  await page.clock.fastForward(1_500);
  await page.locator("#messages .mine", { hasText: "not known" }).waitFor();
  await page.locator("#state", { hasText: "connected" }).waitFor();
  // It had not arrived, so it is sent again.
  await bubbles(page, "theirs").filter({ hasText: "hello?" }).waitFor();
  await say(page, "hello again");
  await page.locator("#messages .mine", { hasText: "✓ received" }).waitFor();
  await page.close();
});

test("the page reports a silent server, and connects when it answers", async () => {
  const page = await open(server.tokens.alice);
  network.cut();
  await logIn(page, "alice");
  await page.locator("#refusal", { hasText: "does not answer" }).waitFor();
  network.mend();
  await page.locator("#state", { hasText: "connected" }).waitFor();
  await page.close();
});

test("the newest login wins, and the other page shows that", async () => {
  const first = await open(server.tokens.alice);
  await logIn(first, "alice");
  await first.locator("#state", { hasText: "connected" }).waitFor();
  const second = await open(server.tokens.alice, "bob", "alice");
  await second.keyboard.press("Enter");
  await second.locator("#state", { hasText: "connected" }).waitFor();
  await first.locator("#refusal", { hasText: "logged in elsewhere" }).waitFor();
  await first.close();
  await second.close();
});
