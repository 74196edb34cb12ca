//! Sources of tokens for clients and for people.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{APP_ID, Engine, Server, rts, token};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file that only its owner may read.
fn private(folder: &TempDir, name: &str, text: &str) -> String {
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("a file");
    mode(&file, 0o600);
    file.to_str().expect("UTF-8").to_owned()
}

fn mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode))
        .expect("a file of this user");
}

/// Runs a command with this `RTS_TOKEN`.
fn with_variable(variable: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
    command.args(args).env_remove("RTS_TOKEN");
    if let Some(variable) = variable {
        command.env("RTS_TOKEN", variable);
    }
    command.output().expect("rts runs")
}

#[test]
fn token_has_one_source_and_names_its_user() {
    let server = Server::start();
    let folder = TempDir::new().expect("a folder");
    let carols = stdout(&rts(&["token", "new", "--dev", "carol"]));
    let file = private(&folder, "token", &format!("{carols}\n"));
    let send = |variable, args: &[&str]| {
        let send = ["send", "--url", &server.url, "--to", "carol", "hi"];
        with_variable(variable, &[&send[..], args].concat())
    };
    for (variable, args) in [
        (Some(&*carols), &[][..]),
        (None, &["--token", &carols]),
        (None, &["--token-file", &file]),
        (None, &["--dev", "carol"]),
        (None, &["--token", &carols, "--uid", "carol", "--app-id", APP_ID]),
        // An option overrides the environment.
        (Some("another"), &["--token", &carols]),
        (Some("another"), &["--token-file", &file]),
        (Some("another"), &["--dev", "carol"]),
    ] {
        let output = send(variable, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
    for (variable, args, code, why) in [
        (None, &[][..], 1, "there is no token"),
        (Some(""), &[], 1, "there is no token"),
        (None, &["--token", &carols, "--token-file", &file], 2, "cannot be used with"),
        (None, &["--dev", "carol", "--token-file", &file], 2, "cannot be used with"),
        (None, &["--dev", "carol", "--uid", "carol"], 2, "cannot be used with"),
        (None, &["--token-file", "/nowhere"], 1, "--token-file /nowhere: there is no such file"),
        (Some("another"), &[], 1, "the token cannot be read"),
        (Some(&carols), &["--uid", "alice"], 1, "login refused (-1000)"),
        (Some(&carols), &["--app-id", "876543218765432187654321"], 1, "login refused (-1000)"),
    ] {
        let output = send(variable, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(stderr(&output).contains(why), "{why}: {}", stderr(&output));
        assert!(!stderr(&output).contains(&carols), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn world_readable_token_file_causes_warning() {
    let folder = TempDir::new().expect("a folder");
    let token = stdout(&rts(&["token", "new", "--dev", "carol"]));
    let file = private(&folder, "token", &token);
    for (bits, may) in [(0o600, None), (0o640, None), (0o644, Some("may read it"))] {
        mode(Path::new(&file), bits);
        let output = rts(&["token", "inspect", "--token-file", &file]);
        assert!(stdout(&output).contains("user id     carol"), "{output:?}");
        match may {
            None => assert_eq!(stderr(&output), ""),
            Some(may) => assert!(stderr(&output).contains(may), "{}", stderr(&output)),
        }
        assert!(!stderr(&output).contains(&token));
    }
}

fn login(engine: &mut Engine, fields: Value) -> Value {
    assert_eq!(engine.call("login", fields), json!(0));
    engine.until("onLoginResult")["code"].take()
}

#[test]
fn engine_supplies_token_for_calls_without_one() {
    let server = Server::start();
    let folder = TempDir::new().expect("a folder");
    let file = private(&folder, "token", "expired");
    let mut engine = Engine::start(&server.url, &["--token-file", &file]);
    assert_eq!(login(&mut engine, json!({"uid": "carol"})), json!(-1000));
    // The file is read at each use.
    private(&folder, "token", &token("carol", "0"));
    assert_eq!(login(&mut engine, json!({"uid": "carol"})), json!(0));
    engine.call("logout", json!({}));
    assert_eq!(login(&mut engine, json!({"uid": "dave", "token": token("dave", "0")})), json!(0));
    engine.call("logout", json!({}));
    std::fs::remove_file(&file).expect("an existing file");
    let error = engine.answer("login", json!({"uid": "carol"}))["error"].take();
    assert!(error.as_str().expect("text").contains("there is no such file"), "{error}");
    let error = engine.answer("login", json!({"uid": "carol", "token": 1}))["error"].take();
    assert_eq!(error, json!("field \"token\" must be a string"));
    let error = server.engine().answer("login", json!({"uid": "carol"}))["error"].take();
    assert_eq!(error, json!("field \"token\" is missing"));
}

#[test]
fn engine_takes_app_id_from_token() {
    let server = Server::start();
    let mut engine = Engine::of_any_app(&["--url", &server.url, "--dev", "carol"]);
    assert_eq!(login(&mut engine, json!({"uid": "carol"})), json!(0));
    for (variable, why) in
        [(None, "there is no token"), (Some("another"), "the token, which names")]
    {
        let output = with_variable(variable, &["engine", "--url", &server.url]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn token_is_inspected_from_any_source() {
    let at = ["--issued-at", "1700000000", "--expire-at", "1700086400", "--nonce", "1"];
    let new = [&["token", "new", "--dev", "carol"][..], &at].concat();
    // The key in the environment belongs to another app.
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
    let output = command.args(&new).env("RTS_APP_KEY", "other").output().expect("rts runs");
    let minted = stdout(&output);
    let verify = ["token", "inspect", "--app-key", crate::support::APP_KEY, "--now", "1700000060"];
    let output = with_variable(Some(&minted), &verify);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for line in [
        "issued at   1700000000 (2023-11-14T22:13:20Z, 60 s ago)",
        "expires at  1700086400 (2023-11-15T22:13:20Z, in 23 h)",
        "verdict     valid",
    ] {
        assert!(stdout(&output).contains(line), "{}", stdout(&output));
    }
    let output = with_variable(None, &["token", "inspect"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("there is no token"), "{}", stderr(&output));
}

#[test]
fn token_needs_one_app_and_one_key() {
    for (args, code, why) in [
        (&["--dev", "carol", "--uid", "dave"][..], 2, "cannot be used with"),
        (&["--dev", "carol", "--app-key", "k"], 2, "cannot be used with"),
        (&["--uid", "carol", "--app-key", "k"], 2, "--app-id"),
        (&["--uid", "carol", "--app-id", APP_ID], 1, "RTS_APP_KEY"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
        command.args(["token", "new"]).args(args).env_remove("RTS_APP_KEY");
        let output = command.output().expect("rts runs");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
    }
}
