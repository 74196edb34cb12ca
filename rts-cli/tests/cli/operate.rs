//! `docs/operate.md` is correct: its commands work, its configurations are valid, and the log has
//! the lines that it quotes.

use std::fs;
use std::path::{Path, PathBuf};

use rts_server::Config;

use crate::support::{Server, rts};

const DOCUMENT: &str = include_str!("../../../docs/operate.md");

/// The code blocks of the document in this language.
pub(crate) fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let begin = format!("```{language}\n");
    let parts = DOCUMENT.split("```").zip(1..);
    parts.filter_map(move |(part, number)| match number % 2 {
        0 => part.strip_prefix(&begin["```".len()..]),
        _ => None,
    })
}

#[test]
fn every_admin_command_of_document_works() {
    let server = Server::start();
    let openapi = server.openapi();
    let lines = blocks("sh").flat_map(str::lines);
    // A server that is in no cluster has nothing to tell about one.
    let of_clusters = ["rts admin cluster ", "rts admin drain "];
    let is_for_all = |line: &&str| !of_clusters.iter().any(|command| line.starts_with(command));
    let commands = lines.filter(|line| line.starts_with("rts admin ")).filter(is_for_all);
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let words = command.split(" #").next().unwrap_or_default().split_whitespace().skip(2);
        let args: Vec<_> = ["admin", "--url", &openapi].into_iter().chain(words).collect();
        let output = rts(&args);
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[test]
fn configurations_of_document_are_valid() {
    let whole = "[apps.abcdefghabcdefghabcdefgh]";
    let configurations: Vec<_> = blocks("toml").collect();
    assert_eq!(configurations.len(), 4);
    for text in configurations {
        let text = match text.contains(whole) {
            true => text.to_owned(),
            false => format!("{text}\n{whole}\nkeys = \"a key of this test\"\n"),
        };
        let text = match text.contains("listen") {
            true => text,
            false => format!("listen = \"127.0.0.1:0\"\n{text}"),
        };
        let config = Config::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let concerns = config.concerns();
        assert!(concerns.is_empty(), "{concerns:?}");
    }
}

/// All Rust source of this crate and of the crates that log in a server.
fn sources() -> String {
    let mut folders: Vec<PathBuf> =
        ["rts-driver", "rts-server", "rts-cli", "rts-trace", "rts-stream", "rts-proto"]
            .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"))
            .into();
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push_str(&fs::read_to_string(path).expect("text"));
            }
        }
    }
    all
}

#[test]
fn log_lines_quoted_in_document_exist() {
    let sources = sources();
    for words in [
        "login refused",
        "connection ended before a login",
        "link closed",
        "link refused: connection limit reached",
        "logged in elsewhere",
        "over a rate",
        "refused because of a ban",
        "works again",
        "rts::app_server",
        "rts::webhooks",
        "rts::openapi",
        "rts::users",
        "the certificate",
        "lines that could not be written here and are lost",
        "session over",
        "certificates replaced",
        "certificates read again",
        "too many logins of a user",
        "the previous certificate stays",
        "a header of the PROXY protocol came first",
        "listening",
        "recording",
    ] {
        assert!(DOCUMENT.contains(words), "{words}");
        assert!(sources.contains(words), "{words}");
    }
}
