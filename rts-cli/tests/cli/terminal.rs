//! `rts chat` from the view of a person: in a pseudo terminal, whose screen is read.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::json;

use crate::support::{Engine, PATIENCE, Server, signal, token};

const ROWS: u16 = 24;
const COLUMNS: u16 = 60;
const HELLO: &str = "logged in as alice; /help lists the commands";

struct Person {
    child: Box<dyn Child + Send + Sync>,
    terminal: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All bytes that were written to the terminal.
    raw: Vec<u8>,
}

impl Person {
    fn start(server: &Server, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_rts"));
        command.args(chat(server));
        command.args(args);
        Self::runs(command, variables)
    }

    fn runs(mut command: CommandBuilder, variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(COLUMNS)).expect("a pseudo terminal");
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).expect("rts runs");
        let mut reader = pair.master.try_clone_reader().expect("a terminal");
        let (say, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let _ = say.send(buffer[..count].to_vec());
            }
        });
        let keys = pair.master.take_writer().expect("a terminal");
        let screen = vt100::Parser::new(nonzero(ROWS), nonzero(COLUMNS), 0);
        Self { child, terminal: pair.master, keys, output, screen, raw: Vec::new() }
    }

    fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.keys.write_all(keys.as_ref()).expect("the terminal is open");
        self.keys.flush().expect("the terminal is open");
    }

    /// The non-empty rows, without the times.
    fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen.screen().size();
        let rows = self.screen.screen().rows(0, columns.get());
        rows.map(|row| without_time(row.trim_end())).filter(|row| !row.is_empty()).collect()
    }

    /// Waits until the screen ends with these rows.
    fn sees(&mut self, wanted: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            let rows = self.rows();
            if rows.ends_with(&wanted.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()) {
                return;
            }
            let Ok(bytes) = self.output.recv_timeout(end.saturating_duration_since(Instant::now()))
            else {
                panic!("wanted {wanted:#?}, but the screen is\n{}", rows.join("\n"))
            };
            self.screen.process(&bytes);
            self.raw.extend(bytes);
        }
    }

    /// The column of the cursor.
    fn cursor(&self) -> u16 {
        self.screen.screen().cursor_position().1
    }

    fn exit_code(&mut self) -> u32 {
        self.child.wait().expect("an exit status").exit_code()
    }

    /// The settings of the terminal.
    fn settings(&self) -> String {
        format!("{:?}", self.terminal.get_termios().expect("a terminal"))
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chat(server: &Server) -> Vec<String> {
    let token = token("alice", "0");
    ["chat", "--url", &server.url, "--uid", "alice", "--token", &token].map(str::to_owned).to_vec()
}

fn size(cols: u16) -> PtySize {
    PtySize { rows: ROWS, cols, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a screen has some")
}

/// A printed row begins with the time.
fn without_time(row: &str) -> String {
    let is_time = |word: &str| {
        word.len() == 8 && word.split(':').all(|part| part.len() == 2 && part.parse::<u8>().is_ok())
    };
    match row.split_once(' ') {
        Some((first, rest)) if is_time(first) => rest.to_owned(),
        _ => row.to_owned(),
    }
}

fn say(engine: &mut Engine, text: &str) {
    engine.call("sendMessage", json!({"uid": "alice", "message": text, "config": 0}));
}

#[test]
fn message_is_one_row_and_others_appear_above_the_input() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let mut alice = Person::start(&server, &["--to", "bob"], &[]);
    alice.sees(&[HELLO, "to bob>"]);
    alice.types("hi bob\r");
    alice.sees(&[HELLO, "✓ to bob: hi bob", "to bob>"]);
    assert_eq!(bob.until("onMessageReceived")["message"], "hi bob");

    alice.types("half a li");
    alice.sees(&["to bob> half a li"]);
    say(&mut bob, "hi alice");
    alice.sees(&["✓ to bob: hi bob", "bob: hi alice", "to bob> half a li"]);
    alice.types("ne\r");
    alice.sees(&["bob: hi alice", "✓ to bob: half a line", "to bob>"]);
    assert_eq!(bob.until("onMessageReceived")["message"], "half a line");
}

#[test]
fn open_message_stays_above_the_prompt_until_its_result() {
    let server = Server::start();
    let _bob = server.user("bob");
    let mut alice = Person::start(&server, &["--to", "bob"], &[]);
    alice.sees(&[HELLO, "to bob>"]);
    server.pause();
    alice.types("one\rtwo\rthr");
    alice.sees(&[HELLO, "… to bob: one", "… to bob: two", "to bob> thr"]);
    server.go_on();
    alice.sees(&[HELLO, "✓ to bob: one", "✓ to bob: two", "to bob> thr"]);
    server.pause();
    // Only the five newest are shown.
    alice.types("ee\r4\r5\r6\r7\r");
    let open = ["three", "4", "5", "6", "7", "8"].map(|text| format!("… to bob: {text}"));
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    alice.sees(&[&["✓ to bob: two"], &open[..5], &["to bob>"]].concat());
    alice.types("8\r");
    alice.sees(&[&["✓ to bob: two"], &open[1..], &["to bob>"]].concat());
    alice.types("\x03");
    // The chat does not wait for a server that does not answer.
    alice.sees(&["? to bob: 8 -- you left before the result came"]);
    server.go_on();
    assert_eq!(alice.exit_code(), 0);
}

#[test]
fn prompt_names_the_receiver_and_result_the_reason() {
    let server = Server::start();
    let mut alice = Person::start(&server, &[], &[]);
    alice.sees(&["to nobody>"]);
    alice.types("/join lobby\r");
    alice.sees(&["* joined #lobby", "to #lobby>"]);
    alice.types("/to dave\rhi\r");
    alice.sees(&["✗ to dave: hi -- the receiver is not logged in (4)", "to dave>"]);
    alice.types("/join lobby\rhi all\r");
    alice.sees(&["✓ to #lobby: hi all", "to #lobby>"]);
    alice.types("/fly\r");
    alice.sees(&["! there is no /fly; /help shows what there is", "to #lobby>"]);
}

#[test]
fn keys_at_once_edit_complete_and_recall_lines() {
    let server = Server::start();
    let _bobby = server.user("bobby");
    let mut alice = Person::start(&server, &["--to", "bobby"], &[]);
    alice.sees(&["to bobby>"]);
    // To the beginning of the line, and one more letter.
    alice.types("ello\x01h\r");
    alice.sees(&["✓ to bobby: hello", "to bobby>"]);
    alice.types("\x1b[A");
    alice.sees(&["to bobby> hello"]);
    alice.types(", grüße 你好\x1b[D\x1b[D\x1b[D\x7f\r");
    alice.sees(&["✓ to bobby: hello, grüß 你好", "to bobby>"]);
    alice.types("/wh\tbo\t");
    alice.sees(&["to bobby> /who bobby"]);
    alice.types("\r");
    alice.sees(&["* bobby is online", "to bobby>"]);
    alice.types("/t\t\t");
    alice.sees(&["* bobby is online", "/to  /token", "to bobby> /to"]);
}

#[test]
fn long_line_scrolls_sideways() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let mut alice = Person::start(&server, &["--to", "bob"], &[]);
    alice.sees(&[HELLO, "to bob>"]);
    let line: String = ('0'..='z').chain('A'..='E').collect();
    assert_eq!(line.len(), 80);
    alice.types(&line);
    // The prompt takes 8 of the 60 columns, the cursor one, and the last one stays empty.
    let end = format!("to bob> {}", &line[30..]);
    alice.sees(&[HELLO, &end]);
    assert_eq!(alice.cursor(), COLUMNS - 2);
    alice.types("\x01");
    alice.sees(&[HELLO, &format!("to bob> {}", &line[..50])]);
    assert_eq!(alice.cursor(), 8);
    // The screen becomes narrower.
    alice.terminal.resize(size(30)).expect("a terminal");
    alice.screen.screen_mut().set_size(nonzero(ROWS), nonzero(30));
    alice.types("\x05");
    alice.sees(&[&format!("to bob> {}", &line[60..])]);
    alice.types("\r");
    alice.sees(&["to bob>"]);
    assert_eq!(bob.until("onMessageReceived")["message"], line);
}

#[test]
fn pasted_lines_are_separate_messages_below_the_rate() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let mut alice = Person::start(&server, &["--to", "bob"], &[]);
    alice.sees(&["to bob>"]);
    let lines: Vec<String> = (0..150).map(|number| format!("line {number}")).collect();
    alice.types(format!("\x1b[200~{}\x1b[201~!\r", lines.join("\r")));
    alice.sees(&["✓ to bob: line 148", "✓ to bob: line 149!", "to bob>"]);
    for line in &lines[..149] {
        assert_eq!(bob.until("onMessageReceived")["message"], *line);
    }
}

#[test]
fn colours_are_used_unless_disabled() {
    let server = Server::start();
    let mut bob = server.user("bob");
    for (variables, has_colours) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let mut alice = Person::start(&server, &["--to", "bob"], variables);
        alice.sees(&["to bob>"]);
        say(&mut bob, "hi");
        alice.sees(&["bob: hi", "to bob>"]);
        alice.types("hi\r");
        alice.sees(&["✓ to bob: hi", "to bob>"]);
        let raw = String::from_utf8(alice.raw.clone()).expect("UTF-8");
        let is_colour = |code: &str| {
            let end = code.find(|c: char| c.is_ascii_alphabetic());
            end.is_some_and(|end| code[end..].starts_with('m'))
        };
        assert_eq!(raw.split("\x1b[").skip(1).any(is_colour), has_colours, "{raw:?}");
        alice.types("/quit\r");
        assert_eq!(alice.exit_code(), 0);
    }
}

#[test]
fn every_end_restores_the_terminal() {
    type End<'a> = &'a dyn Fn(&mut Person, &Server);
    let typed = |keys: &'static str| move |alice: &mut Person, _: &Server| alice.types(keys);
    let sent = |name: &'static str| {
        move |alice: &mut Person, _: &Server| {
            signal(name, alice.child.process_id().expect("a running process"));
        }
    };
    let server = Server::start();
    let mut before = None;
    let ends: [(End<'_>, u32); 8] = [
        (&typed("\x03"), 0),
        (&typed("half\x03"), 0),
        (&typed("\x04"), 0),
        (&typed("/quit\r"), 0),
        (&sent("-INT"), 0),
        (&sent("-TERM"), 0),
        (&sent("-HUP"), 0),
        (&|_, server| drop(server.user("alice")), 1),
    ];
    for (number, (end, code)) in ends.into_iter().enumerate() {
        let mut alice = Person::start(&server, &["--to", "bob"], &[]);
        let before = before.get_or_insert_with(|| alice.settings());
        alice.sees(&[HELLO, "to bob>"]);
        assert_ne!(alice.settings(), *before, "the chat changes the settings");
        end(&mut alice, &server);
        match code {
            0 => alice.sees(&[HELLO]),
            _ => alice.sees(&[
                HELLO,
                "rts: logged out: displaced by another login of the same user",
                " (1)",
            ]),
        }
        assert_eq!(alice.exit_code(), code, "{number}");
        assert_eq!(alice.settings(), *before, "{number}");
    }
}

#[test]
fn chat_ends_when_the_terminal_closes() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let pair = native_pty_system().openpty(size(COLUMNS)).expect("a pseudo terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_rts"));
    command.args(chat(&server));
    command.env("TERM", "xterm");
    let mut child = pair.slave.spawn_command(command).expect("rts runs");
    drop(pair.slave);
    // Waits until it edits lines.
    let mut reader = pair.master.try_clone_reader().expect("a terminal");
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("to nobody>") {
        let mut buffer = [0; 1_024];
        let count = reader.read(&mut buffer).expect("the terminal is open");
        said.extend(&buffer[..count]);
    }
    drop((reader, pair.master));
    assert_eq!(child.wait().expect("an exit status").exit_code(), 0);
    assert_eq!(bob.status_of("alice"), json!(0), "alice has logged out");
}

#[test]
fn ctrl_z_suspends_the_chat() {
    let server = Server::start();
    let _bob = server.user("bob");
    let mut command = CommandBuilder::new("sh");
    // With job control: the second command runs when the first one is suspended.
    command.args(["-m", "-c", "\"$@\"; echo stopped; read answer; fg", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_rts"));
    command.args(chat(&server));
    command.args(["--to", "bob"]);
    let mut alice = Person::runs(command, &[]);
    alice.sees(&["to bob>"]);
    alice.types("half\x1a");
    alice.sees(&["stopped"]);
    // The terminal of the shell echoes what is typed.
    alice.types("go on\r");
    alice.sees(&["to bob> half"]);
    alice.types(" of it\r");
    alice.sees(&["✓ to bob: half of it", "to bob>"]);
    alice.types("\x04");
    assert_eq!(alice.exit_code(), 0);
}

#[test]
fn terminal_without_cursor_control_works() {
    let server = Server::start();
    let _bob = server.user("bob");
    let mut alice = Person::start(&server, &["--to", "bob"], &[("TERM", "dumb")]);
    alice.sees(&[HELLO]);
    alice.types("hi\n");
    alice.sees(&["hi", "✓ to bob: hi"]);
    alice.types("\x04");
    assert_eq!(alice.exit_code(), 0);
}
