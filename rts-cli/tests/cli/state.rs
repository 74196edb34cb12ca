//! Decisions of operators survive the server, however it ends.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Engine, Server, rts};

const APP_ID: &str = "123456781234567812345678";
const KEY: &str = "the-bearer-key-of-this-test";

/// A configuration whose `state_dir` is beside it.
fn configure(folder: &Path) -> String {
    let config = format!(
        "listen = \"127.0.0.1:0\"\nstate_dir = \"state\"\n\
         [apps.{APP_ID}]\nkeys = [\"development key, known to all\"]\n\
         [openapi]\nlisten = \"127.0.0.1:0\"\n\
         [[openapi.bearer_keys]]\nname = \"test\"\nkey = \"{KEY}\"\napps = [\"{APP_ID}\"]\n"
    );
    let path = folder.join("rts.toml");
    fs::write(&path, config).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn admin(url: &str, args: &[&str]) {
    let output = rts(&[&["admin", "--url", url, "--app-id", APP_ID, "--key", KEY], args].concat());
    assert!(output.status.success(), "{args:?}: {output:?}");
}

fn login_code(engine: &mut Engine, uid: &str, token: &str) -> i64 {
    engine.call("login", json!({"token": token, "uid": uid}));
    engine.until("onLoginResult")["code"].as_i64().expect("a number")
}

#[test]
fn bans_and_revocations_survive_a_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path());
    let tokens = ["bob", "carol", "dave", "erin"].map(|uid| crate::support::token(uid, "0"));
    let server = Server::start_with(&["--config", &config]);
    let openapi = server.openapi();
    admin(&openapi, &["ban", "--user", "bob", "--until-lifted"]);
    admin(&openapi, &["ban", "--user", "carol", "--room", "lobby", "--seconds", "3600"]);
    admin(&openapi, &["ban", "--user", "erin"]);
    admin(&openapi, &["unban", "--user", "erin"]);
    admin(&openapi, &["revoke", "--user", "dave"]);
    server.kill();

    let server = Server::start_with(&["--config", &config]);
    let [bob, carol, dave, erin] = &tokens;
    let mut engine = server.engine();
    assert_eq!(login_code(&mut engine, "bob", bob), -1002);
    assert_eq!(login_code(&mut engine, "dave", dave), -1000);
    engine.call("logout", json!({}));
    assert_eq!(login_code(&mut engine, "erin", erin), 0, "lifted bans stay lifted");
    let mut engine = server.engine();
    assert_eq!(login_code(&mut engine, "carol", carol), 0);
    engine.call("createRoom", json!({"room": "lobby"}));
    engine.call("joinRoom", json!({"room": "lobby"}));
    assert_eq!(engine.until("onRoomStateChanged")["state"], -1026);
    let openapi = server.openapi();
    admin(&openapi, &["unban", "--user", "bob"]);
    let mut engine = server.engine();
    assert_eq!(login_code(&mut engine, "bob", bob), 0);
}

#[test]
fn server_does_not_start_with_unreadable_bans() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path());
    let state = folder.path().join("state");
    fs::create_dir(&state).expect("a directory");
    fs::write(state.join("bans.json"), "{\"version\":1,\"bans\":[").expect("a file");
    let output = rts(&["serve", "--config", &config]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    for word in ["state_dir: ", "bans.json: ", "line 1 column 21", "move the file away"] {
        assert!(error.contains(word), "{word} in {error}");
    }
    fs::remove_file(state.join("bans.json")).expect("it was there");
    let server = Server::start_with(&["--config", &config]);
    let output = rts(&["serve", "--config", &config]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("another server uses"), "{output:?}");
    drop(server);
}
