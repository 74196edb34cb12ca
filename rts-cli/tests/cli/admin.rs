//! `rts admin` against a development server, from the command line.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Engine, Server, rts};

struct Admin {
    server: Server,
    url: String,
}

impl Admin {
    fn start() -> Self {
        let server = Server::start();
        let url = server.openapi();
        Self { server, url }
    }

    fn output(&self, args: &[&str]) -> Output {
        rts(&[&["admin", "--url", &self.url], args].concat())
    }

    /// The output of a successful call.
    fn says(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// The error of a failed call.
    fn refuses(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).expect("text").trim().to_owned()
    }

    fn member(&self, uid: &str) -> Engine {
        let mut engine = self.server.user(uid);
        engine.join("lobby");
        engine
    }
}

#[test]
fn sends_to_user_member_and_room() {
    let admin = Admin::start();
    let mut bob = admin.member("bob");
    assert_eq!(admin.says(&["send", "bob", "hi bob"]), "queued for bob");
    let message = bob.until("onMessageReceived");
    assert_eq!((&message["uid"], &message["message"]), (&json!("system"), &json!("hi bob")));
    admin.says(&["send", "bob", "AP8=", "--base64", "--from", "ops"]);
    let message = bob.until("onBinaryMessageReceived");
    assert_eq!((&message["uid"], &message["base64"]), (&json!("ops"), &json!("AP8=")));
    assert_eq!(admin.says(&["send", "bob", "psst", "--room", "lobby"]), "queued for bob");
    assert_eq!(bob.until("onUserMessageReceived")["message"], "psst");
    assert_eq!(admin.says(&["broadcast", "lobby", "hi all"]), "queued for 1 in lobby");
    assert_eq!(bob.until("onRoomMessageReceived")["message"], "hi all");
    assert!(admin.says(&["send", "alice", "hi"]).contains("alice is not logged in"));
    assert!(admin.says(&["broadcast", "attic", "hi"]).contains("nobody is in attic"));
}

#[test]
fn lists_kicks_and_bans_members() {
    let admin = Admin::start();
    let mut bob = admin.member("bob");
    assert_eq!(admin.says(&["online", "bob", "alice"]), "bob: online\nalice: offline");
    assert_eq!(admin.says(&["room", "lobby"]), "bob");
    assert_eq!(admin.says(&["kick", "bob", "lobby"]), "bob is out of lobby, and may join again");
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1006);
    assert_eq!(admin.says(&["kick", "bob", "lobby"]), "bob was not in lobby");
    assert_eq!(admin.says(&["dismiss", "lobby"]), "nobody was in lobby");
    assert_eq!(admin.says(&["room", "lobby"]), "nobody is in lobby");
    admin.says(&["ban", "--user", "bob", "--room", "lobby", "--seconds", "60"]);
    bob.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1026);
    admin.says(&["unban", "--user", "bob", "--room", "lobby"]);
    bob.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(bob.until("onRoomStateChanged")["state"], 0);
    let dismissed = admin.says(&["dismiss", "lobby"]);
    assert_eq!(dismissed, "1 put out of lobby, who may join again");
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1011);
}

#[test]
fn disconnects_and_bans_user_until_lifted() {
    let admin = Admin::start();
    let mut bob = admin.member("bob");
    assert_eq!(admin.says(&["disconnect", "alice"]), "alice was not logged in");
    assert_eq!(admin.says(&["disconnect", "bob"]), "bob is logged out, and may log in again");
    assert_eq!(bob.until("onLogout")["reason"], 2);
    bob.log_in("bob");
    let banned = admin.says(&["ban", "--user", "bob"]);
    assert_eq!(banned, "bob is logged out, and is banned from logging in for 3600 s");
    assert_eq!(bob.until("onLogout")["reason"], 2);
    assert_eq!(login_code(&mut bob, "bob"), -1002);
    let banned = admin.says(&["ban", "--user", "bob", "--until-lifted"]);
    let lasting = "is banned from logging in until the ban is lifted";
    assert_eq!(banned, format!("bob was not logged in, and {lasting}"));
    let unbanned = admin.says(&["unban", "--user", "bob"]);
    assert_eq!(unbanned, "bob is no longer banned from logging in");
    let unbanned = admin.says(&["unban", "--user", "bob"]);
    assert_eq!(unbanned, "bob was not banned from logging in");
    assert_eq!(login_code(&mut bob, "bob"), 0);
    admin.says(&["ban", "--user", "bob", "--everywhere"]);
    bob.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1026);
    bob.call("sendMessage", json!({"uid": "bob", "message": "hi", "config": 0}));
    assert_eq!(bob.until("onMessageSendResult")["code"], 1000);
}

#[test]
fn lifting_a_ban_changes_no_session_or_membership() {
    let admin = Admin::start();
    let mut bob = admin.member("bob");
    for (whom, who, what) in [
        (&["--user", "bob"][..], "bob", "from logging in"),
        (&["--user", "bob", "--room", "lobby"], "bob", "from lobby"),
        (&["--user", "bob", "--everywhere"], "bob", "from all rooms and from sending to users"),
        (&["--room", "lobby"], "everybody", "from lobby"),
    ] {
        let unban = [&["unban"][..], whom].concat();
        assert_eq!(admin.says(&unban), format!("{who} was not banned {what}"));
        assert_eq!(admin.says(&["room", "lobby"]), "bob", "{whom:?}");
        // The next callback answers this query, so lifting the ban caused none.
        bob.call("getPeerOnlineStatus", json!({"uid": "bob"}));
        assert_eq!(bob.next()["on"], "onGetPeerOnlineStatus", "{whom:?}");
    }
    for (whom, said) in [
        (&["--user", "bob", "--room", "lobby"][..], "bob is banned from lobby for 3600 s"),
        (
            &["--user", "bob", "--everywhere"],
            "bob is banned from all rooms and from sending to users for 3600 s",
        ),
        (&["--room", "lobby"], "everybody is banned from lobby for 3600 s"),
    ] {
        assert_eq!(admin.says(&[&["ban"][..], whom].concat()), said);
        assert_eq!(bob.until("onRoomStateChanged")["state"], -1006);
        let unbanned = admin.says(&[&["unban"][..], whom].concat());
        assert_eq!(
            unbanned,
            said.replace("is banned", "is no longer banned").replace(" for 3600 s", "")
        );
        bob.call("joinRoom", json!({"room": "lobby"}));
        assert_eq!(bob.until("onRoomStateChanged")["state"], 0);
    }
}

/// The result of a login with a fresh token.
fn login_code(engine: &mut Engine, uid: &str) -> i64 {
    let token = crate::support::token(uid, "0");
    engine.call("login", json!({"token": token, "uid": uid}));
    engine.until("onLoginResult")["code"].as_i64().expect("a number")
}

#[test]
fn revokes_tokens_and_withdraws_the_revocation() {
    let admin = Admin::start();
    let mut bob = admin.server.user("bob");
    let said = admin.says(&["revoke", "--user", "bob"]);
    let moment = said.strip_prefix("tokens of bob are valid if they were issued at ");
    let (second, date) = moment.and_then(|moment| moment.split_once(' ')).expect("a moment");
    let begins = date.starts_with("(20") && date.contains("Z, ");
    assert!(second.parse::<u32>().is_ok() && begins, "{said}");
    assert!(said.ends_with("; sessions ended: 1"), "{said}");
    assert_eq!(bob.until("onLoginResult")["code"], -1000, "the engine has no newer token");
    let lifted = admin.says(&["revoke", "--user", "bob", "--issued-before", "0"]);
    assert_eq!(lifted, "no token of bob is revoked");
    let token = crate::support::token("bob", "0");
    bob.call("updateLoginToken", json!({"token": token}));
    assert_eq!(bob.until("onLoginResult")["code"], 0);
    let refusal = admin.refuses(&["revoke", "--all", "--issued-before", "4294967295"]);
    assert!(refusal.contains("ahead of this server's clock"), "{refusal}");
    assert_eq!(admin.output(&["revoke"]).status.code(), Some(2), "a user or --all is required");
}

#[test]
fn lists_and_figures_are_tables_or_json() {
    let admin = Admin::start();
    assert_eq!(admin.says(&["users"]), "no users");
    assert_eq!(admin.says(&["rooms"]), "no rooms");
    let _members = [admin.member("bob"), admin.member("alice")];
    let users = admin.says(&["users"]);
    let columns = |line: &str| line.split("  ").filter(|cell| !cell.is_empty()).count();
    let lines: Vec<_> = users.lines().collect();
    let [head, first, second] = lines[..] else { panic!("a head and two users: {users}") };
    assert!(head.starts_with("user   status  silent for"), "{users}");
    assert!(first.starts_with("alice  online") && second.starts_with("bob    online"), "{users}");
    assert_eq!([head, first, second].map(columns), [5; 3], "{users}");
    assert_eq!(admin.says(&["rooms"]), "room   members\nlobby  2");
    let page = admin.says(&["users", "--limit", "1"]);
    assert!(page.ends_with("1 of 2 users; for more: --after alice"), "{page}");
    let page = admin.says(&["users", "--limit", "1", "--after", "alice"]);
    assert!(page.ends_with("the last 1 of 2 users"), "{page}");
    assert_eq!(admin.says(&["users", "--after", "bob"]), "no users behind that one, 2 in all");
    let stats = admin.says(&["stats"]);
    assert!(
        stats.starts_with("users                 2\nwith a link           2\nrooms"),
        "{stats}"
    );
    let json: Value = serde_json::from_str(&admin.says(&["rooms", "--json"])).expect("JSON");
    let listed = json!({"Rooms": [{"RoomId": "lobby", "Members": 2}], "TotalRoom": 1});
    assert_eq!(json["Result"], listed);
    for limit in ["0", "1001"] {
        assert_eq!(admin.output(&["users", "--limit", limit]).status.code(), Some(2), "{limit}");
    }
}

#[test]
fn access_key_signs_requests() {
    let admin = Admin::start();
    let signed = |secret: &str| {
        admin.output(&["--access-key", "DEVELOPMENT", "--secret", secret, "room", "lobby"])
    };
    assert!(signed("development-secret-known-to-all").status.success());
    let refused = signed("development-secret-known-to-few");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("(SignatureDoesNotMatch)"));
    for (one, other) in [("--access-key", "--secret"), ("--secret", "--access-key")] {
        let refusal = admin.refuses(&[one, "either", "room", "lobby"]);
        assert_eq!(refusal, format!("rts: {one} needs {other}"));
    }
}

#[test]
fn options_may_precede_or_follow_the_subcommand() {
    let admin = Admin::start();
    let url = ["--url", &admin.url];
    let signed = ["--access-key", "DEVELOPMENT", "--secret", "development-secret-known-to-all"];
    let wrong = ["--key", "another-key-altogether"];
    let no_app = ["--app-id", "876543218765432187654321"];
    let users =
        |before: &[&str], behind: &[&str]| rts(&[&["admin"], before, &["users"], behind].concat());
    for (before, behind) in [
        (&[&url[..], &signed].concat()[..], &[][..]),
        (&[], &[&url[..], &signed].concat()),
        (&signed[..2], &[&url[..], &signed[2..]].concat()),
        (&url, &signed),
    ] {
        let output = users(before, behind);
        assert!(output.status.success(), "{before:?} {behind:?}: {output:?}");
        assert_eq!(output.stdout, b"no users\n");
    }
    for (options, why) in [(wrong, "bearer key is not known"), (no_app, "876543218765432187654321")]
    {
        for (before, behind) in [(&options[..], &[][..]), (&[], &options)] {
            let output = users(&[&url, before].concat(), behind);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(why), "{before:?} {behind:?}: {output:?}");
        }
    }
}

#[test]
fn json_option_prints_the_whole_answer() {
    let admin = Admin::start();
    let answer: Value =
        serde_json::from_str(&admin.says(&["room", "lobby", "--json"])).expect("JSON");
    assert_eq!(answer["Result"], json!({"RoomExists": false}));
    let output = admin.output(&["--json", "kick", "bob", "a.b"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["ResponseMetadata"]["Error"]["Code"], "InvalidParameter.IllegalRoomID");
}

#[test]
fn errors_name_cause_and_remedy() {
    let admin = Admin::start();
    let refusal = admin.refuses(&["kick", "bob", "a.b"]);
    assert!(
        refusal.contains("RoomId: the room id has a character that is not allowed"),
        "{refusal}"
    );
    let refusal = admin.refuses(&["--key", "another-key-altogether", "room", "lobby"]);
    assert!(refusal.contains("bearer key is not known"), "{refusal}");
    let refusal = admin.refuses(&["send", "bob", "no base64", "--base64"]);
    assert!(refusal.contains("is not base64"), "{refusal}");
    for url in ["ftp://x", "localhost"] {
        let output = rts(&["admin", "--url", url, "room", "lobby"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("http://HOST:PORT"), "{url}");
    }
    let output = rts(&["admin", "--url", "http://127.0.0.1:1", "room", "lobby"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("start one with"), "{output:?}");
    let over_tls = admin.url.replace("http://", "https://");
    let output = rts(&["admin", "--url", &over_tls, "room", "lobby"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("say http://"), "{output:?}");
    let output = admin.output(&["ban", "--seconds", "60"]);
    assert_eq!(output.status.code(), Some(2), "a user or a room is required");
    for nobody in [
        &["ban", "--user", "", "--room", "lobby"][..],
        &["ban", "--user", "bob", "--room", ""],
        &["unban", "--user", "", "--room", "lobby"],
        &["revoke", "--user", ""],
    ] {
        let output = admin.output(nobody);
        assert_eq!(output.status.code(), Some(2), "an unset variable: {output:?}");
    }
    for seconds in ["9", "604801"] {
        let refusal = admin.refuses(&["ban", "--room", "lobby", "--seconds", seconds]);
        assert!(refusal.contains("from 10 seconds to 7 days"), "{refusal}");
    }
}
