//! The other commands, as a person or a script runs them.

use crate::support::{APP_ID, Server, rts, token};

const VECTOR: &str = "001123456781234567812345678FwBOYbwAAPFTZYBCVWUAAAUAYWxpY2UAACAAG1qGMriGfbjy1d8zUi8hKfCURsZMSP2v8KhktaEFlUo=";

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_demo_is_as_it_should_be() {
    let output = rts(&["demo"]);
    assert!(output.status.success(), "{}", stdout(&output));
}

#[test]
fn a_token_is_the_same_to_the_byte() {
    let args =
        "--nonce 12345678 --issued-at 1700000000 --expire-at 1700086400 --uid alice --app-id";
    let mut args: Vec<&str> = args.split(' ').collect();
    args.extend([APP_ID, "--app-key", "app key"]);
    args.splice(0..0, ["token", "new"]);
    assert_eq!(stdout(&rts(&args)).trim(), VECTOR);
}

#[test]
fn inspecting_exits_with_zero_only_for_a_valid_token() {
    for (args, code, says) in [
        (&["--app-key", "app key", "--now", "1700086400"][..], 0, "valid"),
        (&["--app-key", "app key", "--now", "1700086401"], 2, "expired"),
        (&["--app-key", "another", "--now", "1700000000"], 2, "not valid"),
        (&[], 2, "not verified"),
        (&["--json"], 2, "\"user_id\":\"alice\""),
    ] {
        let output = rts(&[&["token", "inspect", VECTOR], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(stdout(&output).contains(says), "{args:?}: {}", stdout(&output));
    }
}

#[test]
fn a_development_server_does_not_listen_in_public() {
    let output = rts(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}

#[test]
fn sending_tells_the_result_and_a_bad_token_is_explained() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let send = |token: &str, to: &str| {
        rts(&["send", "--url", &server.url, "--uid", "alice", "--token", token, "--to", to, "hi"])
    };
    let good = token("alice", "0");
    assert_eq!(send(&good, "bob").status.code(), Some(0));
    assert_eq!(bob.until("onMessageReceived")["message"], "hi");
    let output = send(&good, "nobody");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("result 4"));
    let output = send(&token("alice", "1"), "bob");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has expired"));
}
