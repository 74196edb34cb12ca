//! Recordings of a server and of an engine, made by real processes and read by `rts trace`.

mod shards;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Engine, PATIENCE, Server, rts};

/// The output lines of a successful `rts`.
fn lines(args: &[&str]) -> Vec<String> {
    let output = rts(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn recordings_are_replayed_and_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (of_server, of_alice) = (path(folder.path(), "server"), path(folder.path(), "alice"));
    let listen = ["--dev", "--listen", "127.0.0.1:0", "--shards", "1", "--trace", &of_server];
    let server = Server::start_with(&listen);
    let mut alice = Engine::start(&server.url, &["--trace", &of_alice]);
    alice.log_in("alice");
    let mut bob = server.user("bob");
    alice.join("lobby");
    for (text, code) in [("canary", 0), ("for nobody", 4)] {
        let to = if code == 0 { "bob" } else { "nobody" };
        alice.call("sendMessage", json!({"uid": to, "message": text}));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(code));
    }
    bob.until("onMessageReceived");
    alice.end();
    // A crash: the server does not close its file.
    server.kill();

    for (trace, what) in [(&of_server, "a server"), (&of_alice, "an engine of app 1234")] {
        let said = lines(&["trace", "replay", trace]);
        assert!(said[0].starts_with(what), "{said:?}");
        assert_eq!(said[1], "the same outputs, bit for bit");
        let bytes = std::fs::read(trace).expect("the trace");
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    let story = lines(&["trace", "show", &of_alice, "--message", "1"]).concat();
    let begins = "message 1 to bob: sent, at the server, delivered, result 0 after ";
    let other = "message 1 to bob: sent, delivered, result 0 after ";
    assert!(story.starts_with(begins) || story.starts_with(other), "{story}");
    let stories = lines(&["trace", "show", &of_server, "--from", "alice", "--json"]);
    let stories: Vec<Value> =
        stories.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let results: Vec<_> = stories.iter().map(|story| (&story["to"], &story["result"])).collect();
    assert_eq!(results, [(&json!("bob"), &json!(0)), (&json!("nobody"), &json!(4))]);
    let timeline = lines(&["trace", "show", &of_alice]).join("\n");
    for what in ["call login as alice", "link 1 is up", "-> Login as alice", "call logout"] {
        assert_eq!(timeline.contains(what), what != "call logout", "{what}: {timeline}");
    }
}

#[test]
fn file_that_is_not_a_recording_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "file");
    std::fs::write(&file, "something else").expect("written");
    let error = fails(&["trace", "replay", &file]);
    assert!(error.contains("this is not a trace"), "{error}");
    fails(&["trace", "show", &path(folder.path(), "missing")]);
}

#[test]
fn recording_of_other_format_names_its_version() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rts-trace/tests/golden");
    let golden = golden.join("engine.trace");
    let mut trace = std::fs::read(&golden).expect("a golden file");
    let golden = golden.to_str().expect("UTF-8");
    assert_eq!(lines(&["trace", "replay", golden])[1], "the same outputs, bit for bit");
    // The version follows "RTSTRACE".
    trace[8..10].copy_from_slice(&999_u16.to_le_bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "file");
    std::fs::write(&file, trace).expect("written");
    for command in ["replay", "show"] {
        let error = fails(&["trace", command, &file]);
        let begin =
            format!("rts: {file}: this trace has format version 999, and this program reads");
        assert!(error.starts_with(&begin), "{error}");
        assert!(error.ends_with(": replay it with RTS 0.1.0, which recorded it\n"), "{error}");
    }
}

#[test]
fn recording_cannot_control_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "file");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rts-trace/tests/golden");
    let mut trace = std::fs::read(golden.join("engine.trace")).expect("a golden file");
    // The header, the length, and in the first record a zero and the version with its length.
    let (begin, version) = (14, 16);
    let len = u32::from_le_bytes([trace[10], trace[11], trace[12], 0]) as usize;
    assert_eq!(trace[version..version + 5], *b"0.1.0");
    trace[version..version + 5].copy_from_slice(b"\x1B[2J\n");
    let sum = crc32fast::hash(&trace[begin..begin + len]);
    trace[begin + len..begin + len + 4].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&file, trace).expect("written");
    for command in ["replay", "show"] {
        let warning = String::from_utf8(rts(&["trace", command, &file]).stderr).expect("text");
        assert!(warning.starts_with("recorded by version \\u{1b}[2J\\n; this is "), "{warning:?}");
    }

    let server = Server::start();
    let of_alice = path(folder.path(), "alice");
    let mut alice = Engine::start(&server.url, &["--trace", &of_alice]);
    alice.log_in("alice");
    alice.call("sendMessage", json!({"uid": "b\u{1b}[2J\r", "message": "hi"}));
    alice.until("onMessageSendResult");
    alice.end();
    for more in [&[][..], &["--message", "1"]] {
        let shown = lines(&[&["trace", "show", &of_alice][..], more].concat());
        assert!(shown.iter().any(|line| line.contains(" to b\\u{1b}[2J\\r")), "{shown:?}");
        assert!(!shown.iter().any(|line| line.contains(char::is_control)), "{shown:?}");
    }
}

/// The error of an `rts` that exits with 1.
fn fails(args: &[&str]) -> String {
    let output = rts(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// Records alice to this file. She sends `times` messages of `bytes` bytes to herself.
fn record(server: &Server, trace: &str, bytes: usize, times: usize) {
    let mut alice = Engine::start(&server.url, &["--trace", trace]);
    alice.log_in("alice");
    for _ in 0..times {
        alice.call("sendMessage", json!({"uid": "alice", "message": "x".repeat(bytes)}));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(0));
    }
    alice.end();
}

/// The length of the messages in a recording.
fn size_of(trace: &str) -> usize {
    let timeline = lines(&["trace", "show", trace]).join("\n");
    let (_, behind) = timeline.split_once("sendMessage to alice, reliable, ").expect("a message");
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next().expect("a part");
    digits.parse().expect("a number")
}

#[test]
fn new_recording_rotates_three_older_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = path(folder.path(), "trace");
    let server = Server::start();
    std::fs::write(&trace, "").expect("an empty file");
    for bytes in 1..=5 {
        record(&server, &trace, bytes, 1);
    }
    for (number, bytes) in [("", 5), (".1", 4), (".2", 3), (".3", 2)] {
        assert_eq!(size_of(&format!("{trace}{number}")), bytes, "{number}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 4);
}

#[test]
fn restarted_service_records_to_the_same_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = path(folder.path(), "trace");
    let listen = ["--dev", "--listen", "127.0.0.1:0", "--shards", "1", "--trace", &trace];
    for uid in ["alice", "bob"] {
        let server = Server::start_with(&listen);
        server.user(uid).end();
        server.kill();
    }
    for (name, uid) in [(format!("{trace}.1"), "alice"), (trace, "bob")] {
        assert_eq!(lines(&["trace", "replay", &name])[1], "the same outputs, bit for bit");
        assert!(lines(&["trace", "show", &name]).concat().contains(&format!("Login as {uid}")));
    }
}

#[test]
fn only_recordings_are_rotated_for_a_started_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = path(folder.path(), "trace");
    let server = Server::start();
    let serve = |listen: &str, trace: &str| {
        fails(&["serve", "--dev", "--listen", listen, "--shards", "1", "--trace", trace])
    };
    record(&server, &trace, 1, 1);
    let recorded = std::fs::read(&trace).expect("a recording");
    let is_as_it_was = || {
        assert_eq!(std::fs::read(&trace).expect("an existing file"), recorded);
    };
    // The port is taken: nothing is recorded.
    serve(server.url.strip_prefix("rts://").expect("plain TCP"), &trace);
    is_as_it_was();
    let former = format!("{trace}.1");
    for text in ["my notes", "R", "RTSTRAC", "rtstrace"] {
        std::fs::write(&former, text).expect("written");
        let error = serve("127.0.0.1:0", &trace);
        assert!(error.contains(&format!("{former}: this file is not a recording")), "{error}");
        let error = serve("127.0.0.1:0", &former);
        assert!(error.contains(&format!("{former}: this file is not a recording")), "{error}");
        assert_eq!(std::fs::read_to_string(&former).expect("an existing file"), text);
        is_as_it_was();
    }
    let folder = folder.path().to_str().expect("UTF-8");
    assert!(serve("127.0.0.1:0", folder).contains("this file is not a recording"));
    assert!(serve("127.0.0.1:0", "/dev/null").contains("this file is not a recording"));
    std::fs::remove_file(&former).expect("it was there");
    let recording = Engine::start(&server.url, &["--trace", &trace]);
    let begun = std::time::Instant::now();
    while !Path::new(&former).exists() {
        assert!(begun.elapsed() < PATIENCE, "the recording does not begin");
    }
    let error = serve("127.0.0.1:0", &trace);
    assert!(error.contains("another process records to this file"), "{error}");
    drop(recording);
}

/// Makes a recording of 2 MB that exceeds its limit. Returns the log of the server, and the folder
/// with the recording.
fn cut_short(mut command: Command, args: &[&str]) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = path(folder.path(), "trace");
    let log = std::fs::File::create(folder.path().join("log")).expect("a file");
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--shards", "1", "--trace", &trace]);
    command.args(args).stderr(log);
    let server = Server::started(command);
    let mut alice = server.user("alice");
    for _ in 0..16 {
        alice.call("sendMessage", json!({"uid": "alice", "message": "x".repeat(65_536)}));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(0));
    }
    alice.end();
    server.kill();
    let said = lines(&["trace", "replay", &trace]);
    assert_eq!(said[1], "the same outputs, bit for bit");
    assert!(shown_messages(&trace) > 3, "the recording has messages up to its end");
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    (log, folder)
}

/// The number of recorded messages of alice to herself.
fn shown_messages(trace: &str) -> usize {
    lines(&["trace", "show", trace, "--from", "alice"]).len()
}

#[test]
fn recording_ends_at_its_limit_and_server_continues() {
    let command = Command::new(env!("CARGO_BIN_EXE_rts"));
    let (log, folder) = cut_short(command, &["--trace-limit", "1MiB"]);
    let bytes = std::fs::metadata(folder.path().join("trace")).expect("a recording").len();
    assert!((900_000..=1_048_576).contains(&bytes), "{bytes}");
    assert_eq!(log.matches("reached its size limit").count(), 1, "{log}");
}

#[test]
fn recording_ends_at_file_size_limit_and_server_continues() {
    let mut command = Command::new("bash");
    // The limit is in KiB.
    command.args(["-c", "ulimit -f 1000 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_rts")]);
    let (log, folder) = cut_short(command, &[]);
    let bytes = std::fs::metadata(folder.path().join("trace")).expect("a recording").len();
    assert_eq!(bytes, 1_024_000, "the last record is cut at the limit");
    assert_eq!(log.matches("the recording cannot be written").count(), 1, "{log}");
}
