// The types that openapi-typescript makes of the OpenAPI document, used by openapi-fetch on a
// running server with real users:
//
//     node build/typescript/check.js path/to/rts

import { deepStrictEqual as same } from "node:assert";

import createClient from "openapi-fetch";

import type { components, paths } from "./build/rts-client.js";
import { APP_ID, BEARER_KEY, Engine, Server } from "./processes.js";

type Failed = Pick<components["schemas"]["FailedAnswer"], "ResponseMetadata">;

function connect(server: Server, key: string) {
  return createClient<paths>({ baseUrl: server.openapi, headers: { Authorization: `Bearer ${key}` } });
}
type Client = ReturnType<typeof connect>;

/** What came back of a call that has to work. */
async function done<Data>(
  call: Promise<{ data?: Data; error?: Failed; response: Response }>,
): Promise<NonNullable<Data>> {
  const { data, error, response } = await call;
  if (!data) throw new Error(`${response.status}: ${JSON.stringify(error)}`);
  return data;
}

/** The status and the code of a call that must not. */
async function refused(
  call: Promise<{ data?: unknown; error?: Failed; response: Response }>,
): Promise<[number, string]> {
  const { error, response } = await call;
  if (!error) throw new Error(`${response.status} instead of an error`);
  return [response.status, error.ResponseMetadata.Error.Code];
}

function toBob(change: Partial<components["schemas"]["SendUnicast"]> = {}) {
  return { body: { AppId: APP_ID, From: "system", To: "bob", Message: "hi bob", ...change } };
}

const app = { body: { AppId: APP_ID } };
const lobby = { path: { RoomId: "lobby" } };
const bobAsUser = { params: { path: { UserId: "bob" } } };

async function messages(client: Client, alice: Engine, bob: Engine): Promise<void> {
  const Message = "hé, bob – 你好";
  const sent = await done(client.POST("/v1/messages", toBob({ Message })));
  same([sent.Result.Receivers, sent.ResponseMetadata.Action], [1, "SendUnicast"]);
  same((await bob.on("onMessageReceived")).message, Message);
  const largest = Buffer.alloc(65_536).toString("base64");
  await done(client.POST("/v1/messages", toBob({ Binary: true, Message: largest })));
  same((await bob.on("onBinaryMessageReceived")).base64, largest);
  const toNobody = await done(client.POST("/v1/messages", toBob({ To: "nobody" })));
  same(toNobody.Result.Receivers, 0);

  const body = { AppId: APP_ID, From: "system", Message: "hi all" };
  const toAll = await done(client.POST("/v1/rooms/{RoomId}/messages", { params: lobby, body }));
  same(toAll.Result.Receivers, 2);
  for (const engine of [alice, bob]) same((await engine.on("onRoomMessageReceived")).message, "hi all");

  const some = { ...body, To: ["alice", "nobody"] };
  const toSome = client.POST("/v1/rooms/{RoomId}/members/messages", { params: lobby, body: some });
  same((await done(toSome)).Result.Receivers, 1);
  same((await alice.on("onUserMessageReceived")).message, "hi all");
  const path = { RoomId: "lobby", To: "bob" };
  const toOne = client.POST("/v1/rooms/{RoomId}/members/{To}/messages", { params: { path }, body });
  same((await done(toOne)).Result.Receivers, 1);
  same((await bob.on("onUserMessageReceived")).message, "hi all");
}

async function lists(client: Client): Promise<void> {
  const query = { AppId: APP_ID };
  const of = (RoomId: string) => ({ params: { path: { RoomId }, query } });
  const members = await done(client.GET("/v1/rooms/{RoomId}/members", of("lobby")));
  same([members.Result.RoomExists, members.Result.VisibleUserList], [true, ["alice", "bob"]]);
  const absent = await done(client.GET("/v1/rooms/{RoomId}/members", of("attic")));
  same(absent.Result, { RoomExists: false });
  const asked = { ...app.body, UserIds: ["bob", "nobody"] };
  const statuses = await done(client.POST("/v1/users/status", { body: asked }));
  same(statuses.Result.Users, [
    { UserId: "bob", Status: 1 },
    { UserId: "nobody", Status: 0 },
  ]);

  const page = (change: { After?: string }) => ({ params: { query: { ...query, Limit: 1, ...change } } });
  const { Result: first } = await done(client.GET("/v1/users", page({})));
  same([first.Users.map((user) => user.UserId), first.TotalUser, first.Next], [["alice"], 2, "alice"]);
  const { Result: last } = await done(client.GET("/v1/users", page({ After: "alice" })));
  same([last.Users.map((user) => [user.UserId, user.Rooms]), last.Next], [[["bob", 1]], undefined]);
  const rooms = await done(client.GET("/v1/rooms", { params: { query } }));
  same(rooms.Result.Rooms, [{ RoomId: "lobby", Members: 2 }]);
  const { Result: stats } = await done(client.GET("/v1/stats", { params: { query } }));
  same([stats.Users, stats.Connected, stats.Rooms, stats.Memberships, stats.Bans], [2, 2, 1, 2, 0]);
}

async function outOfRooms(client: Client, bob: Engine): Promise<void> {
  const path = { RoomId: "lobby", UserId: "bob" };
  await done(client.POST("/v1/rooms/{RoomId}/members/{UserId}/kick", { params: { path }, ...app }));
  same(await bob.state(), -1006);
  same(await bob.join(), 0);
  await done(client.POST("/v1/bans", { body: { ...app.body, ...path, ForbiddenInterval: 60 } }));
  same(await bob.state(), -1006);
  same(await bob.join(), -1026);
  for (const wasBanned of [true, false]) {
    const lifted = await done(client.POST("/v1/bans/lift", { body: { ...app.body, ...path } }));
    same(lifted.Result.WasBanned, wasBanned);
  }
  same(await bob.join(), 0);
  const kicked = await done(client.POST("/v1/bans", { body: { ...app.body, ...path } }));
  same(kicked.Result.message, "success");
  same(await bob.state(), -1006);
  same(await bob.join(), 0);
  await done(client.POST("/v1/rooms/{RoomId}/dismiss", { params: lobby, ...app }));
  same(await bob.state(), -1011);
}

async function outOfSessions(client: Client, bob: Engine): Promise<void> {
  const ended = await done(client.POST("/v1/users/{UserId}/disconnect", { ...bobAsUser, ...app }));
  same(ended.Result.Sessions, 1);
  same((await bob.on("onLogout")).reason, 2);
  same(await bob.logIn(), 0);
  const minute = { ...app.body, Seconds: 60 };
  await done(client.POST("/v1/users/{UserId}/ban", { ...bobAsUser, body: minute }));
  same((await bob.on("onLogout")).reason, 2);
  same(await bob.logIn(), -1002);
  for (const wasBanned of [true, false]) {
    const lifted = await done(client.POST("/v1/users/{UserId}/unban", { ...bobAsUser, ...app }));
    same(lifted.Result.WasBanned, wasBanned);
  }
  same(await bob.logIn(), 0);

  const ofBob = { ...app.body, UserId: "bob" };
  const revoked = await done(client.POST("/v1/tokens/revoke", { body: ofBob }));
  same([revoked.Result.Sessions, revoked.Result.IssuedBefore > 0], [1, true]);
  same((await bob.on("onLoginResult")).code, -1000);
  const back = await done(client.POST("/v1/tokens/revoke", { body: { ...ofBob, IssuedBefore: 0 } }));
  same(back.Result.IssuedBefore, 0);
  same(await bob.logIn(), 0);
}

async function errors(client: Client, stranger: Client): Promise<void> {
  same(await refused(stranger.POST("/v1/messages", toBob())), [401, "InvalidAccessKey"]);
  for (const [change, code] of [
    [{ To: "no user" }, "IllegalTo"],
    [{ AppId: "0".repeat(24) }, "NotExistAppId"],
    [{ Message: "x".repeat(65_537) }, "SizeOverLimit"],
    [{ Binary: true, Message: "no base64" }, "Unmarshal"],
  ] as const) {
    same(await refused(client.POST("/v1/messages", toBob(change))), [400, `InvalidParameter.${code}`]);
  }
  const query = { AppId: APP_ID };
  const room = client.GET("/v1/rooms/{RoomId}/members", { params: { path: { RoomId: "a/b" }, query } });
  same(await refused(room), [400, "InvalidParameter.IllegalRoomID"]);
  const page = client.GET("/v1/users", { params: { query: { ...query, Limit: 1_001 } } });
  same(await refused(page), [400, "InvalidParameter.SizeOverLimit"]);
  const future = { ...app.body, IssuedBefore: 2 ** 32 - 1 };
  same(await refused(client.POST("/v1/tokens/revoke", { body: future })), [400, "InvalidTimestamp"]);
}

async function main(rts: string): Promise<void> {
  const server = await Server.start(rts);
  const children = [server.lines];
  try {
    const [alice, bob] = [new Engine(server, "alice"), new Engine(server, "bob")];
    children.push(alice.lines, bob.lines);
    for (const engine of [alice, bob]) {
      same(await engine.logIn(), 0);
      engine.call("createRoom", { room: "lobby" });
      same(await engine.join(), 0);
    }
    const client = connect(server, BEARER_KEY);
    await messages(client, alice, bob);
    await lists(client);
    await outOfRooms(client, bob);
    await outOfSessions(client, bob);
    await errors(client, connect(server, "another-key-altogether"));
  } finally {
    for (const child of children.reverse()) await child.stop();
  }
  console.log("the generated TypeScript client and this OpenAPI understand each other");
}

const [rts] = process.argv.slice(2);
if (!rts) throw new Error("say where rts is");
await main(rts);
