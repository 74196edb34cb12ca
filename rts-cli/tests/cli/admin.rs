//! `rts admin` against a development server, as an operator types it.

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

    /// What it printed when it worked.
    fn says(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// What it printed when it did not.
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
fn messages_to_a_user_to_a_member_and_to_all() {
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
fn who_is_there_and_who_is_put_out() {
    let admin = Admin::start();
    let mut bob = admin.member("bob");
    assert_eq!(admin.says(&["online", "bob", "alice"]), "bob: online\nalice: offline");
    assert_eq!(admin.says(&["room", "lobby"]), "bob");
    admin.says(&["kick", "bob", "lobby"]);
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1006);
    assert_eq!(admin.says(&["room", "lobby"]), "nobody is in lobby");
    admin.says(&["ban", "--user", "bob", "--room", "lobby", "--seconds", "60"]);
    bob.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1026);
    admin.says(&["unban", "--user", "bob", "--room", "lobby"]);
    bob.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(bob.until("onRoomStateChanged")["state"], 0);
    admin.says(&["dismiss", "lobby"]);
    assert_eq!(bob.until("onRoomStateChanged")["state"], -1011);
}

#[test]
fn an_access_key_signs() {
    let admin = Admin::start();
    let signed = |secret: &str| {
        admin.output(&["--access-key", "DEVELOPMENT", "--secret", secret, "room", "lobby"])
    };
    assert!(signed("development-secret-known-to-all").status.success());
    let refused = signed("development-secret-known-to-few");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("(SignatureDoesNotMatch)"));
}

#[test]
fn scripts_get_the_whole_answer() {
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
fn what_went_wrong_is_said() {
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
    assert!(String::from_utf8_lossy(&output.stderr).contains("no server answers at"));
    let output = admin.output(&["ban", "--seconds", "60"]);
    assert_eq!(output.status.code(), Some(2), "whom?");
    for seconds in ["9", "604801"] {
        let output = admin.output(&["ban", "--user", "bob", "--seconds", seconds]);
        assert_eq!(output.status.code(), Some(2), "{seconds}");
    }
}
