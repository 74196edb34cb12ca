//! `rts chat` with its input from a pipe.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;

use crate::support::{Engine, PATIENCE, Server, rts, rts_with_input, signal, token};

fn chat(server: &Server, args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let token = token("alice", "0");
    let chat = ["chat", "--url", &server.url, "--uid", "alice", "--token", &token];
    rts_with_input(&[&chat, args].concat(), input)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The next texts that the engine receives, from users or in a room.
fn texts(engine: &mut Engine, on: &str, count: usize) -> Vec<String> {
    let text = |_| engine.until(on)["message"].as_str().expect("a text").to_owned();
    (0..count).map(text).collect()
}

#[test]
fn piped_lines_are_answered_before_the_end() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let output = chat(&server, &["--to", "bob"], "hello\r\n/who nobody\nbye");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(texts(&mut bob, "onMessageReceived", 2), ["hello", "bye"]);
    let said = stdout(&output);
    assert_eq!(
        said.lines().skip(1).collect::<Vec<_>>(),
        ["✓ to bob: hello", "* nobody is offline", "✓ to bob: bye"]
    );
}

#[test]
fn undelivered_line_is_reported_and_sets_exit_code() {
    let server = Server::start();
    let mut bob = server.user("bob");
    for (input, why) in [
        (&b"/msg nobody hi\n"[..], "✗ to nobody: hi -- the receiver is not logged in (4)"),
        (b"/fly\n", "! there is no /fly; /help"),
        (b"bad\xff\n", "! line 1 is not sent: its byte 4 is not UTF-8"),
        (b"/leave\n", "! you are in no room"),
    ] {
        let output = chat(&server, &["--to", "bob"], [input, b"next\n"].concat());
        assert_eq!(output.status.code(), Some(1), "{why}");
        assert!(stderr(&output).contains("1 line failed"), "{}", stderr(&output));
        assert!(stdout(&output).contains(why), "{why}: {}", stdout(&output));
        assert_eq!(texts(&mut bob, "onMessageReceived", 1), ["next"], "the chat continues");
    }
}

#[test]
fn lines_over_the_rate_are_paced_and_all_arrive() {
    let server = Server::start();
    let (mut bob, mut carol) = (server.user("bob"), server.user("carol"));
    carol.join("lobby");
    for (args, engine, on, count) in [
        (["--to", "bob"], &mut bob, "onMessageReceived", 250),
        (["--room", "lobby"], &mut carol, "onRoomMessageReceived", 150),
    ] {
        let lines: Vec<String> = (0..count).map(|number| format!("line {number}")).collect();
        let output = chat(&server, &args, lines.join("\n"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(texts(engine, on, count), lines);
    }
}

#[test]
fn server_with_lower_rates_gets_every_line() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("rts.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[apps.{}]\nkeys = [\"development key, known to all\"]\n\
         [limits]\nsends_per_second = 5\n",
        crate::support::APP_ID
    );
    std::fs::write(&path, config).expect("a file");
    let config = ["--config", path.to_str().expect("UTF-8")];
    let server = Server::start_in(&config, &[], Stdio::null());
    let mut bob = server.user("bob");
    let lines: Vec<String> = (0..10).map(|number| format!("line {number}")).collect();
    let output = chat(&server, &["--to", "bob"], lines.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(texts(&mut bob, "onMessageReceived", 10), lines, "in order, and once");
}

#[test]
fn lines_follow_to_and_join_and_mistyped_room_is_ignored() {
    let server = Server::start();
    let mut bob = server.user("bob");
    bob.join("lounge");
    let typed = "/join lounge\n/join not.a.room\nto all\n/to bob\nto bob\n/join lounge\n\
                 to all again\n/who\n/leave\nto nobody\n";
    let output = stdout(&chat(&server, &[], typed));
    let shown: Vec<&str> = output.lines().skip(1).collect();
    assert!(shown[2].starts_with("! \"not.a.room\": the room id has a character"));
    assert_eq!(
        [&shown[..2], &shown[3..]].concat(),
        [
            "* joined #lounge",
            "* #lounge: bob is here",
            "✓ to #lounge: to all",
            "✓ to bob: to bob",
            "✓ to #lounge: to all again",
            "* #lounge (2): you, bob",
            "* left #lounge",
            "! to whom? /to USER or /join ROOM"
        ]
    );
    assert_eq!(texts(&mut bob, "onRoomMessageReceived", 2), ["to all", "to all again"]);
}

#[test]
fn lines_for_refused_room_go_nowhere() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let openapi = server.openapi();
    let ban = ["admin", "--url", &openapi, "ban", "--room", "lobby", "--seconds", "60"];
    let output = rts(&ban);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = chat(&server, &["--to", "bob"], "/join lobby\nsecret\n/to bob\nhi\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("2 lines failed"), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("! not in #lobby: the room is banned (-1025)"), "{said}");
    assert!(said.contains("! not sent: you are not in #lobby"), "{said}");
    assert_eq!(texts(&mut bob, "onMessageReceived", 1), ["hi"]);
}

#[test]
fn failed_line_counts_once_and_failed_room_not_as_a_line() {
    let server = Server::start();
    let openapi = server.openapi();
    let ban = ["admin", "--url", &openapi, "ban", "--room", "lobby", "--seconds", "60"];
    assert!(rts(&ban).status.success());
    for (input, why) in [
        ("", "a command failed, see above"),
        ("hi\n", "1 line failed, see above"),
        ("hi\n/fly\n/who nobody\n", "2 lines failed, see above"),
    ] {
        let output = chat(&server, &["--room", "lobby"], input);
        assert_eq!(output.status.code(), Some(1), "{input:?}");
        assert_eq!(stderr(&output), format!("rts: {why}\n"), "{input:?}");
    }
}

#[test]
fn unread_pipe_ends_with_an_error() {
    let server = Server::start();
    let _bob = server.user("bob");
    let token = token("alice", "0");
    let mut chat = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["chat", "--url", &server.url, "--uid", "alice", "--token", &token, "--to", "bob"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut said = BufReader::new(chat.stdout.take().expect("a pipe"));
    said.read_line(&mut String::new()).expect("text");
    drop(said);
    // The chat may end before it reads the last line.
    let _ = chat.stdin.as_mut().expect("a pipe").write_all(&b"line\n".repeat(10));
    let output = chat.wait_with_output().expect("an exit status");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the rest of the input is not sent"), "{}", stderr(&output));
}

#[test]
fn chat_ends_at_once_without_waiting_for_a_key() {
    let server = Server::start();
    let token = token("alice", "0");
    let args = ["chat", "--url", &server.url, "--uid", "alice", "--token", &token];
    type End<'a> = &'a dyn Fn(&mut Child);
    let ends: [(End<'_>, i32); 5] = [
        (&|chat| signal("-INT", chat.id()), 0),
        (&|chat| signal("-TERM", chat.id()), 0),
        (&|chat| signal("-HUP", chat.id()), 0),
        (
            &|chat| {
                chat.stdin
                    .as_mut()
                    .expect("a pipe")
                    .write_all(b"/quit\n")
                    .expect("an open connection")
            },
            0,
        ),
        (&|_| drop(server.user("alice")), 1),
    ];
    for (end, code) in ends {
        let mut chat = Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("rts runs");
        let mut said = BufReader::new(chat.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("text");
        assert!(line.starts_with("logged in as alice"), "{line}");
        end(&mut chat);
        // Its input stays open, as on a terminal. Its output ends with the chat.
        let (say, hear) = channel();
        std::thread::spawn(move || say.send(said.read_to_end(&mut Vec::new())));
        let ended = hear.recv_timeout(PATIENCE);
        chat.kill().expect("it can be ended");
        assert!(ended.is_ok(), "the chat waits for a key");
        assert_eq!(chat.wait().expect("an exit status").code(), Some(code));
    }
}
