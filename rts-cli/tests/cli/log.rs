//! The log of a server, from the view of its operator. Info level answers questions such as "why
//! can alice not log in?".

mod forging;
mod servers;

use std::io::{BufRead as _, BufReader, Read as _, Write as _, pipe};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::json;

use crate::support::{APP_ID, APP_KEY, PATIENCE, Server, rts, token};

/// The log of a server, line by line.
struct Log {
    lines: Receiver<String>,
    read: Vec<String>,
}

impl Log {
    fn new() -> (Stdio, Self) {
        let (reader, writer) = pipe().expect("a pipe");
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        (writer.into(), Self { lines, read: Vec::new() })
    }

    /// The next line that contains all of these words.
    fn until(&mut self, words: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line has {words:?}:\n{}", self.read.join("\n"))
            };
            self.read.push(line.clone());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// Waits for a line with each of these words, in any order: threads write them.
    fn until_each(&mut self, wanted: &[&[&str]]) {
        let mut missing: Vec<&[&str]> = wanted.to_vec();
        while !missing.is_empty() {
            let line = self.until(&[]);
            missing.retain(|words| !words.iter().all(|word| line.contains(word)));
        }
    }

    /// All lines up to the end of the server.
    fn rest(mut self) -> Vec<String> {
        self.read.extend(self.lines.iter());
        self.read
    }
}

/// A server with a log.
struct Logged {
    server: Server,
    web_socket: String,
    openapi: String,
    log: Log,
}

impl Logged {
    fn start(level: &str) -> Self {
        let (to, log) = Log::new();
        let listen = ["--dev", "--listen", "127.0.0.1:0"];
        let server = Server::start_in(&listen, &[("RTS_LOG", level)], to);
        let (web_socket, openapi) = (server.next_address(), server.openapi());
        Self { server, web_socket, openapi, log }
    }

    fn admin(&self, args: &[&str]) {
        let output = rts(&[&["admin", "--url", &self.openapi], args].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// A refused login of alice, and its line in the log.
    fn refused(&mut self, token: &str, code: i64) -> String {
        let mut alice = self.server.engine();
        alice.call("login", json!({"token": token, "uid": "alice"}));
        assert_eq!(alice.until("onLoginResult")["code"], json!(code));
        let code = format!("code={code} ");
        let whose = format!("app={APP_ID} user=alice ");
        self.log.until(&["INFO rts::users: login refused address=127.0.0.1:", &whose, &code])
    }
}

fn minted(key: &str, uid: &str) -> String {
    let args = ["token", "new", "--app-id", APP_ID, "--app-key", key, "--uid", uid];
    let output = rts(&[&args[..], &["--never-expires"]].concat());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn refused_login_is_explained_at_level_info() {
    let mut logged = Logged::start("info");
    for (token, why) in [
        (minted("the key of somebody else", "alice"), "why=\"the signature does not match"),
        (
            token("alice", "1700000000"),
            "why=\"token expired: it was valid until 2023-11-14T22:13:20Z;",
        ),
        (token("bob", "0"), "why=\"token of another user, bob"),
        ("001".to_owned(), "why=\"malformed app id"),
    ] {
        let line = logged.refused(&token, -1000);
        assert!(line.contains(why), "{line}");
        assert!(token.len() < 50 || !line.contains(&token[40..]), "no token is in it: {line}");
    }
    let good = token("alice", "0");
    logged.admin(&["revoke", "--user", "alice"]);
    let line = logged.refused(&good, -1000);
    assert!(line.contains("why=\"token revoked"), "{line}");
    logged.admin(&["revoke", "--user", "alice", "--issued-before", "0"]);
    logged.admin(&["ban", "--user", "alice", "--seconds", "60"]);
    let line = logged.refused(&good, -1002);
    assert!(line.contains("why=\"banned from logging in by the app's back end\""), "{line}");
    logged.admin(&["unban", "--user", "alice"]);

    // Connections that send no login, or another protocol.
    let address = logged.server.url.strip_prefix("rts://").expect("plain TCP").to_owned();
    for (said, why) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n", "a header of the PROXY protocol came first"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "the other side speaks HTTP"),
    ] {
        let mut stream = TcpStream::connect(&address).expect("a listening server");
        stream.write_all(said.as_bytes()).expect("an open connection");
        let _ = stream.read_to_end(&mut Vec::new());
        let ended = "INFO rts::links: connection ended before a login address=127.0.0.1:";
        logged.log.until(&[ended, why]);
    }
}

#[test]
fn end_of_login_is_explained_at_level_info() {
    let mut logged = Logged::start("info");
    let whose = format!("app={APP_ID} user=alice");
    let _first = logged.server.user("alice");
    let mut second = logged.server.user("alice");
    logged.log.until(&["INFO rts::users: logged in elsewhere", &whose, "former=127.0.0.1:"]);
    logged.admin(&["disconnect", "alice"]);
    let room = "lobby";
    logged.log.until_each(&[
        &["INFO rts::openapi: OpenAPI", "DisconnectUser", &whose, "code=\"done\""],
        &["INFO rts::links: link closed", &whose, "code=PutOut"],
    ]);
    assert_eq!(second.until("onLogout")["reason"], json!(2));
    second.log_in("alice");
    second.join(room);
    logged.admin(&["kick", "alice", room]);
    let whose_room = format!("app={APP_ID} room={room} user=alice");
    logged.log.until(&["INFO rts::openapi: OpenAPI", "KickUser", &whose_room, "code=\"done\""]);
    let output = rts(&["admin", "--url", &logged.openapi, "--key", "of-somebody-else", "stats"]);
    assert_eq!(output.status.code(), Some(1));
    let line = logged.log.until(&["INFO rts::openapi: OpenAPI refused", "address=127.0.0.1:"]);
    assert!(!line.contains("of-somebody-else"), "{line}");

    // A logged-in user that breaks a rule of the protocol.
    let mut stream = logged.server.connect();
    stream.write_all(&crate::hostile::hello_and_login("mallory")).expect("an open connection");
    stream.write_all(&rts_proto::wire::Frame::Pong.encode()).expect("an open connection");
    let line = logged.log.until(&["INFO rts::links: link closed", "user=mallory", "why=\""]);
    assert!(line.contains("code=UnexpectedFrame"), "{line}");
}

#[test]
fn user_over_a_rate_is_logged_at_level_info() {
    let mut logged = Logged::start("info");
    let mut alice = logged.server.user("alice");
    let call = r#"{"call":"sendMessage","uid":"bob","message":"x"}"#;
    alice.write([call; 300].join("\n"));
    let line = logged.log.until(&["INFO rts::users: over a rate", "user=alice"]);
    assert!(line.contains("what=\"messages to users (sends_per_second)\""), "{line}");
}

#[test]
fn ban_and_its_end_are_logged_at_level_info() {
    let mut logged = Logged::start("info");
    let mut alice = logged.server.user("alice");
    let whose = format!("app={APP_ID} user=alice");
    let everywhere = ["--user", "alice", "--everywhere"];
    logged.admin(&[&["ban", "--seconds", "60"][..], &everywhere].concat());
    let line = logged.log.until(&["INFO rts::openapi: OpenAPI", "\"BanRoomUser\"", &whose]);
    assert!(line.contains("interval=60s"), "{line}");
    alice.call("sendMessage", json!({"uid": "bob", "message": "hi", "config": 0}));
    let refused = "INFO rts::users: message or join refused because of a ban address=127.0.0.1:";
    let line = logged.log.until(&[refused, &whose, "code=1000"]);
    let why = "why=\"the user is banned from all rooms, and from sending to users\"";
    assert!(line.contains(why), "{line}");
    logged.admin(&[&["unban"][..], &everywhere].concat());
    let line = logged.log.until(&["INFO rts::openapi: OpenAPI", &whose, "code=\"done\""]);
    assert!(line.contains("\"UnbanRoomUser\"") && !line.contains("interval="), "{line}");

    logged.admin(&["ban", "--room", "lobby"]);
    let mut bob = logged.server.user("bob");
    bob.call("createRoom", json!({"room": "lobby"}));
    bob.call("joinRoom", json!({"room": "lobby"}));
    let whose = format!("app={APP_ID} user=bob room=lobby code=-1025 why=\"the room is banned\"");
    logged.log.until(&[refused, &whose]);
}

#[test]
fn logins_and_logouts_are_logged_at_level_debug() {
    let mut logged = Logged::start("info,rts::users=debug");
    let alice = logged.server.user("alice");
    let whose = format!("app={APP_ID} user=alice");
    logged.log.until(&["DEBUG rts::users: logged in address=127.0.0.1:", &whose, "resumed=false"]);
    alice.end();
    logged.log.until(&["DEBUG rts::users: session over", &whose, "why=\"logged out\""]);
}

/// A configuration with an OpenAPI, which begins with these lines.
fn configuration(folder: &Path, first: &str) -> String {
    let path = folder.join("rts.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\n{first}[apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n[openapi]\nlisten = \"127.0.0.1:0\"\n\
         [[openapi.bearer_keys]]\nname = \"b\"\nkey = \"the-bearer-key-of-this-test\"\napps = [{APP_ID:?}]\n"
    );
    std::fs::write(&path, config).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn server_logs_its_start_and_the_reason_of_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configuration(folder.path(), "shards = 3\n");
    let (to, mut log) = Log::new();
    let server = Server::start_in(&["--config", &config], &[("RTS_LOG", "info")], to);
    let version = format!("starting version=\"{}\"", env!("CARGO_PKG_VERSION"));
    log.until(&["INFO", &version, &format!("configuration={config}"), "shards=3", "open_files="]);
    log.until(&["INFO", "listening address=rts://127.0.0.1:"]);
    log.until(&["INFO", "listening address=http://127.0.0.1:"]);
    server.hang_up();
    log.until(&["INFO", "certificates read again; the configuration is read at the start"]);
    server.terminate();
    log.until(&["INFO", "asked to stop signal=\"SIGTERM\""]);
    log.until(&["INFO", "stopped"]);
}

#[test]
fn exempt_proxy_gets_no_log_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let exempt = "[limits]\nexempt_networks = [\"127.0.0.1/32\"]\n";
    let config = configuration(folder.path(), exempt);
    let (to, mut log) = Log::new();
    let server = Server::start_in(&["--config", &config], &[("RTS_LOG", "info")], to);
    let address = server.url.strip_prefix("rts://").expect("plain TCP").to_owned();
    // More than the burst of 20 lines of one network.
    for _ in 0..40 {
        let mut stream = TcpStream::connect(&address).expect("a listening server");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("an open connection");
        let _ = stream.read_to_end(&mut Vec::new());
        let line = log.until(&["connection ended before a login"]);
        assert!(!line.contains("left_out"), "{line}");
    }
}

#[test]
fn unwritable_bans_are_logged_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configuration(folder.path(), "state_dir = \"state\"\n");
    // A directory of this name makes the write fail, also if the tests run as root.
    std::fs::create_dir_all(folder.path().join("state/bans.json.new")).expect("directories");
    let (to, mut log) = Log::new();
    let server = Server::start_in(&["--config", &config], &[], to);
    let line = log.until(&["ERROR", "state_dir cannot be written"]);
    assert!(line.contains("bans.json.new: "), "{line}");
    server.kill();
}

#[test]
fn missing_state_dir_is_logged_once_with_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configuration(folder.path(), "");
    let (to, log) = Log::new();
    let server = Server::start_in(&["--config", &config], &[], to);
    server.kill();
    let log = log.rest();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("state_dir")).collect();
    assert_eq!(lines.len(), 1, "{log:?}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("state_dir = \"/var/lib/rts\""),
        "{lines:?}"
    );
}
