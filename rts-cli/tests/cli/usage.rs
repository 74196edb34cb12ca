//! Errors of invalid command lines: what is wrong, where, and the remedy.

use std::fs;
use std::net::TcpListener;

use crate::support::{APP_ID, Server, rts, token};
use tempfile::TempDir;

/// The error of a command that fails with this exit code. It must be a sentence, not the debug
/// output of a program.
fn refused(args: &[&str], code: i32) -> String {
    let output = rts(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    let said = String::from_utf8(output.stderr).expect("text");
    for raw in ["os error", "Error: ", "invalid digit", "invalid socket address", "did not contain"]
    {
        assert!(!said.contains(raw), "{args:?}: {said}");
    }
    said
}

#[test]
fn unusable_file_is_named_with_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (none, directory, binary) = (path("none"), path("directory"), path("binary"));
    fs::create_dir(&directory).expect("a directory");
    fs::write(&binary, b"\xff\xfe").expect("a file");
    for command in [
        &["serve", "--config"][..],
        &["token", "inspect", "--token-file"],
        &["chat", "--token-file"],
        &["send", "--to", "bob", "hi", "--token-file"],
        &["listen", "--token-file"],
        &["listen", "--dev", "bob", "--url", "rtss://127.0.0.1:1", "--ca"],
        &["trace", "replay"],
        &["trace", "show"],
    ] {
        let with = |file: &str| refused(&[command, &[file]].concat(), 1);
        let said = with(&none);
        let ends = format!("{none}: there is no such file or directory\n");
        let ends_of_config = "the file cannot be read: there is no such file or directory\n";
        assert!(said.ends_with(&ends) || said.ends_with(ends_of_config), "{said}");
        let said = with(&directory);
        assert!(said.contains(&directory), "{said}");
        assert!(said.ends_with("this is a directory, and a file is needed\n"), "{said}");
        let said = with(&binary);
        assert!(said.contains(&binary), "{said}");
    }
    let no_folder = format!("{none}/trace");
    let record = ["serve", "--dev", "--listen", "127.0.0.1:0", "--trace", &no_folder];
    let said = refused(&record, 1);
    assert!(said.contains(&no_folder) && said.contains("no such file or directory"), "{said}");
}

#[test]
fn invalid_option_value_is_reported_with_valid_ones() {
    for (args, option, needed) in [
        (&["admin", "users", "--limit", "x"][..], "--limit", "a whole number is needed"),
        (&["admin", "users", "--limit", ""], "--limit", "a whole number is needed"),
        (&["admin", "ban", "--user", "a", "--seconds", "1.5"], "--seconds", "a whole number"),
        (&["token", "inspect", "--now", "x", "001"], "--now", "a whole number is needed"),
        (&["bench", "p2p", "--pairs", "x"], "--pairs", "a whole number is needed"),
        (
            &["serve", "--dev", "--listen", "localhost:7600"],
            "--listen",
            "an IP address and a port are needed, such as 127.0.0.1:7600",
        ),
        (&["serve", "--dev", "--openapi", "7601"], "--openapi", "an IP address and a port"),
    ] {
        let said = refused(args, 2);
        assert!(said.contains(option) && said.contains(needed), "{args:?}: {said}");
    }
    for (args, says) in [
        (&["chat", "--dev", "alice", "--to", "a b"][..], "--to: \"a b\": the user id has"),
        (&["chat", "--dev", "alice", "--room", "a.b"], "--room: \"a.b\": the room id has"),
        (&["listen", "--dev", "alice", "--room", "a.b"], "--room: \"a.b\": the room id has"),
        (&["engine", "--app-id", "short"], "exactly 24"),
        (&["send", "--token", "no token", "--to", "bob", "hi"], "the token cannot be read"),
    ] {
        let said = refused(args, 1);
        assert!(said.starts_with("rts: ") && said.contains(says), "{args:?}: {said}");
    }
}

#[test]
fn unknown_option_or_command_shows_usage() {
    let commands = ["demo", "serve", "chat", "send", "listen", "engine", "admin"];
    let deeper = [&["token", "new"][..], &["bench", "p2p"], &["trace", "replay"]];
    let all = commands.iter().map(std::slice::from_ref).chain(deeper);
    for command in all {
        let said = refused(&[command, &["--frob"]].concat(), 2);
        assert!(said.contains("unexpected argument '--frob'") && said.contains("--help"), "{said}");
    }
    assert!(refused(&["frob"], 2).contains("unrecognized subcommand 'frob'"));
}

#[test]
fn connection_error_suggests_a_fix() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("a bound socket").to_string();
    drop(nobody);
    let openapi = format!("http://{address}");
    let said = refused(&["admin", "--url", &openapi, "stats"], 1);
    assert!(said.contains("no server answers at") && said.contains("rts serve --dev"), "{said}");
    let url = format!("rts://{address}");
    let said = refused(&["bench", "p2p", "--url", &url], 1);
    assert!(said.contains(&address) && said.contains("the connection was refused"), "{said}");

    let server = Server::start();
    for command in [&["chat"][..], &["listen"], &["send", "--to", "bob", "hi"]] {
        let expired = token("alice", "1");
        let with = ["--url", &server.url, "--token", &expired];
        let said = refused(&[command, &with].concat(), 1);
        assert!(said.contains("login refused (-1000)") && said.contains("token inspect"), "{said}");
    }
    let openapi = server.openapi();
    let said =
        refused(&["admin", "--url", &openapi, "--key", "another-key-altogether", "stats"], 1);
    assert!(said.contains("bearer key is not known"), "{said}");
}

/// Generated keys are base64 for URLs, and one of 64 begins with a hyphen.
#[test]
fn keys_may_begin_with_a_hyphen() {
    let nobody = ["admin", "--url", "http://127.0.0.1:1"];
    for key in [&["--key", "-key"][..], &["--access-key", "-id", "--secret", "-secret"]] {
        let output = rts(&[&nobody[..], key, &["users"]].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    let key = "-0123456789012345678901234567890";
    let new = ["token", "new", "--app-id", APP_ID, "--uid", "alice", "--app-key", key];
    let minted = String::from_utf8(rts(&new).stdout).expect("text");
    let inspected = rts(&["token", "inspect", "--app-key", key, minted.trim()]);
    assert_eq!(inspected.status.code(), Some(0), "{inspected:?}");
}
