//! Runs the programs and examples of `docs/tokens.md` and `docs/app-server.md`, and compares them
//! with this tree.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{APP_ID, APP_KEY, PATIENCE, Server, rts};

const BACK_END: &str = include_str!("../../../docs/app-server.md");
/// The post of the manual's example, header and body.
const SIGNED_POST: &str = include_str!("../../../rts-server/src/app_server/signed_post.txt");
const TOKENS: &str = include_str!("../../../docs/tokens.md");
const KEY: &str = "app key";
/// Validity of the tokens that the tests create.
const TTL_SECONDS: u64 = 3_600;

/// The code blocks of a document in this language.
fn blocks(document: &'static str, language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let rest = document.split(&*begin).skip(1);
    rest.map(|text| text.split("```").next().expect("a block ends")).collect()
}

/// The only code block of a language in the document.
fn block(language: &str) -> &'static str {
    let [block] = blocks(TOKENS, language)[..] else { panic!("one block of {language}") };
    block
}

/// Writes the files to a folder, and runs the commands there. Returns the output of the last one,
/// or `None` if this machine lacks the program of the first one.
fn run(files: &[(&str, String)], commands: &[&[&str]]) -> Option<String> {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut printed = String::new();
    for (number, command) in commands.iter().enumerate() {
        let output = Command::new(command[0]).args(&command[1..]).current_dir(&folder).output();
        match output {
            Err(_) if number == 0 => {
                println!("NOT CHECKED: there is no {} on this machine", command[0]);
                return None;
            }
            output => {
                let output = output.expect("what comes with the first command");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                printed = text(output);
            }
        }
    }
    Some(printed)
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("text")
}

/// The fields of a token that must be valid.
fn inspect(token: &str) -> Value {
    let output = rts(&["token", "inspect", "--json", "--app-key", KEY, token]);
    let fields: Value = serde_json::from_str(&text(output)).expect("JSON");
    assert_eq!(fields["verdict"], "valid", "{fields}");
    fields
}

/// Checks two tokens: the example's, and a fresh one as a back end creates it.
fn check(printed: &str) {
    let tokens: Vec<_> = printed.lines().collect();
    let [example, fresh] = tokens[..] else { panic!("two lines: {printed}") };
    assert_eq!(example, example_token());
    let fields = inspect(fresh);
    assert_eq!(fields["user_id"], "bob@x.y-z_1");
    assert_eq!((&fields["room_id"], &fields["privileges"]), (&json!(""), &json!({})));
    let at = |name: &str| fields[name].as_u64().expect("a number");
    assert_eq!(at("expire_at") - at("issued_at"), TTL_SECONDS);
}

fn example_token() -> &'static str {
    let texts = blocks(TOKENS, "text");
    texts.iter().find(|block| block.starts_with("001")).expect("the example").trim()
}

#[test]
fn python_of_document_makes_tokens() {
    let lines = format!(
        "print(login_token('{APP_ID}', '{KEY}', 'alice', 86400, 12345678, 1700000000))\n\
         print(login_token('{APP_ID}', '{KEY}', 'bob@x.y-z_1', {TTL_SECONDS}))"
    );
    let program = format!("{}\n{lines}\n", block("python"));
    if let Some(printed) = run(&[("mint.py", program)], &[&["python3", "mint.py"]]) {
        check(&printed);
    }
}

#[test]
fn javascript_of_document_makes_tokens() {
    let lines = format!(
        "console.log(loginToken('{APP_ID}', '{KEY}', 'alice', 86400, 12345678, 1700000000));\n\
         console.log(loginToken('{APP_ID}', '{KEY}', 'bob@x.y-z_1', {TTL_SECONDS}));"
    );
    let program = format!("{}\n{lines}\n", block("js"));
    if let Some(printed) = run(&[("mint.mjs", program)], &[&["node", "mint.mjs"]]) {
        check(&printed);
    }
}

#[test]
fn go_of_document_makes_tokens() {
    let main = format!(
        r#"package main

import (
	"fmt"
	"time"
)

func main() {{
	fmt.Println(loginToken("{APP_ID}", "{KEY}", "alice", 12345678, 1700000000, 1700086400))
	now := uint32(time.Now().Unix())
	fmt.Println(loginToken("{APP_ID}", "{KEY}", "bob@x.y-z_1", 1, now, now+{TTL_SECONDS}))
}}
"#
    );
    let files = [("token.go", block("go").to_owned()), ("main.go", main)];
    if let Some(printed) = run(&files, &[&["go", "run", "token.go", "main.go"]]) {
        check(&printed);
    }
}

#[test]
fn java_of_document_makes_tokens() {
    let sign = |arguments: &str| {
        format!("System.out.println(LoginToken.sign(\"{APP_ID}\", \"{KEY}\", {arguments}));")
    };
    let example = sign(r#""alice", 12345678, 1700000000, 1700086400"#);
    let fresh = sign(&format!(r#""bob@x.y-z_1", 1, now, now + {TTL_SECONDS}"#));
    let main = format!(
        "class Main {{
            public static void main(String[] arguments) throws Exception {{
                int now = (int) (System.currentTimeMillis() / 1000);
                {example}
                {fresh}
            }}
        }}"
    );
    let files = [("LoginToken.java", block("java").to_owned()), ("Main.java", main)];
    let commands: [&[&str]; 2] =
        [&["javac", "LoginToken.java", "Main.java"], &["java", "-cp", ".", "Main"]];
    if let Some(printed) = run(&files, &commands) {
        check(&printed);
    }
}

#[test]
fn manual_shows_the_post_that_the_server_signs() {
    let (header, body) = SIGNED_POST.split_once("\n\n").expect("header and body");
    for shown in [header, body] {
        assert!(BACK_END.contains(&format!("\n{}\n", shown.trim_end())), "{shown}");
    }
}

#[test]
fn python_of_manual_verifies_its_example_post() {
    let block_with = |language: &str, words: &str| {
        let all = blocks(BACK_END, language);
        *all.iter().find(|block| block.contains(words)).unwrap_or_else(|| panic!("{words}"))
    };
    let post = block_with("http", "POST /rts HTTP/1.1");
    let (_, body) = post.split_once("\n\n").expect("a body");
    let header = block_with("http", "uid=alice");
    let (_, signature) = header.split_once("rts-signature: ").expect("the header");
    // Verified at the time of the example, a minute later, and with another body.
    let lines = format!(
        "key, header, body = b'a long random text', '{}', b'{}'\n\
         for now, body in [(1700000000, body), (1700000061, body), (1700000000, body + b' ')]:\n\
         \x20   time.time = lambda: now\n\
         \x20   try:\n\
         \x20       print(sender(header, body, key))\n\
         \x20   except ValueError as error:\n\
         \x20       print(error)\n",
        signature.trim(),
        body.trim()
    );
    let program = format!("{}\n{lines}", block_with("python", "def sender"));
    if let Some(printed) = run(&[("verify.py", program)], &[&["python3", "verify.py"]]) {
        assert_eq!(printed, "alice\ntoo old\nnot from our RTS server\n");
    }
}

/// The webhook receiver of the manual, on a free port. It ends with the test.
struct WebhookReceiver {
    child: Child,
    lines: Receiver<String>,
    port: String,
}

impl WebhookReceiver {
    /// Returns `None` if this machine has no Python.
    fn start() -> Option<Self> {
        let serve = r#"HTTPServer(("127.0.0.1", 8000), Events).serve_forever()"#;
        let all = blocks(BACK_END, "python");
        let program = all.iter().find(|block| block.contains(serve)).expect("the receiver");
        let on_free_port = "server = HTTPServer((\"127.0.0.1\", 0), Events)\n\
                            print(server.server_port)\n\
                            server.serve_forever()";
        let program = program.replace(serve, on_free_port);
        let mut command = Command::new("python3");
        // Unbuffered: otherwise a line to a pipe waits for further lines.
        command.args(["-u", "-c", &program]).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            println!("NOT CHECKED: there is no python3 on this machine");
            return None;
        };
        let out = child.stdout.take().expect("a pipe");
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let port = lines.recv_timeout(PATIENCE).expect("its port");
        Some(Self { child, lines, port })
    }

    /// The next event, as Python prints it.
    fn event(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("an event")
    }

    /// The status of the answer to a post with this header.
    fn status(&self, header: &str, body: &str) -> String {
        let mut stream =
            TcpStream::connect(format!("127.0.0.1:{}", self.port)).expect("a listening server");
        let length = body.len();
        write!(stream, "POST / HTTP/1.0\r\n{header}content-length: {length}\r\n\r\n{body}")
            .expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).expect("a status line").to_owned()
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn webhook_receiver_of_manual_accepts_signed_posts_only() {
    let Some(receiver) = WebhookReceiver::start() else { return };
    let signature = |of: &str| format!("rts-signature: t=1700000000,app={APP_ID},v1={of}\r\n");
    let forged = r#"{"app_id":"","lost":0,"events":[{"id":"forged-1"}]}"#;
    for header in [String::new(), "rts-signature: v1\r\n".to_owned(), signature(&"0".repeat(64))] {
        assert_eq!(receiver.status(&header, forged), "401", "{header}");
    }

    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rts.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n[apps.{APP_ID}.webhook]\n\
         url = \"http://127.0.0.1:{}/rts-events\"\nsecret = \"a-long-random-text\"\n",
        receiver.port
    );
    std::fs::write(&path, config).expect("a file");
    let server = Server::start_with(&["--config", path.to_str().expect("UTF-8")]);
    let first = receiver.event();
    assert!(first.contains("'type': 'server.started'"), "{first}");
    let alice = server.user("alice");
    let second = receiver.event();
    assert!(second.contains("'type': 'user.online', 'user_id': 'alice'"), "{second}");
    drop(alice);
}

#[test]
fn bytes_of_document_are_those_of_its_token() {
    use base64::Engine as _;

    let texts = blocks(TOKENS, "text");
    let hex = texts.iter().find(|block| block.starts_with("17 00")).expect("the bytes");
    // Words follow the bytes. None of them has two hexadecimal digits.
    let is_byte = |word: &&str| word.len() == 2 && u8::from_str_radix(word, 16).is_ok();
    let bytes: Vec<_> = hex
        .lines()
        .flat_map(|line| line.split_whitespace().take_while(is_byte))
        .map(|word| u8::from_str_radix(word, 16).expect("it is one"))
        .collect();
    let encoded = base64::prelude::BASE64_STANDARD.encode(bytes);
    assert_eq!(format!("001{APP_ID}{encoded}"), example_token());
    let args = ["--uid", "alice", "--nonce", "12345678", "--issued-at", "1700000000"];
    let new = ["token", "new", "--app-id", APP_ID, "--app-key", KEY, "--expire-at", "1700086400"];
    assert_eq!(text(rts(&[&new[..], &args].concat())).trim(), example_token());
}
