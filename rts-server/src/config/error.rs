//! Errors of a configuration. They never show its values: any value may be a secret, or a secret at
//! the wrong place.

use super::names::{is_word, shown_path, shown_variable};
use crate::causes::file_trouble;

/// What is wrong with a configuration, where, and what would be right. The error contains no value
/// of the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the file cannot be read: {}", file_trouble(.0))]
    Read(#[source] std::io::Error),
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{place}: {what}")]
    Parse {
        /// The line and column, the section and the key, as far as they are known.
        place: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A value that is not allowed.
    #[error("{key}: {what}")]
    Value {
        /// The key, with its section.
        key: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl ConfigError {
    /// An error of the TOML syntax or of a type. `text` is the TOML.
    pub(super) fn in_text(text: &str, error: toml::de::Error) -> Self {
        let span = error.span();
        let (keys, what) = keys_and_words(error);
        let at_fault = span.clone().and_then(|span| text.get(span)).unwrap_or_default();
        let what = match (&*what, at_fault) {
            ("duplicate key", "listen") => {
                "listen occurs twice: write either listen = \"IP:PORT\" or \
                 [[listen]] for every listener, not both"
                    .to_owned()
            }
            ("duplicate key", word) if is_word(word) => format!("{word} occurs twice"),
            _ => what,
        };
        let place = span.map(|span| position(text, span.start));
        let place = place.into_iter().chain(keys).collect::<Vec<_>>().join(", ");
        Self::Parse { place: if place.is_empty() { "the file".to_owned() } else { place }, what }
    }

    /// Like [`in_text`](Self::in_text), with variables of the environment among the values. The
    /// line is then unknown.
    pub(super) fn overlaid(names: &[&str], error: toml::de::Error) -> Self {
        let (keys, what) = keys_and_words(error);
        let names = names.iter().map(|name| shown_variable(name)).collect::<Vec<_>>().join(", ");
        let source = format!("the file, with {names} of the environment over it");
        let place = keys.map_or_else(|| source.clone(), |keys| format!("{keys} ({source})"));
        Self::Parse { place, what }
    }
}

fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}

fn keys_and_words(mut error: toml::de::Error) -> (Option<String>, String) {
    let words = without_values(error.message());
    // With its input the error would show the line.
    error.set_input(None);
    let shown = error.to_string();
    let keys = shown.trim_end().rsplit_once("\nin `").map(|(_, keys)| keys.trim_end_matches('`'));
    (keys.map(shown_path), words)
}

/// The message of serde, without the values that it quotes.
fn without_values(message: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) =
            message.strip_prefix(kind).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let found = found.split(['"', '`', '\'']).next().unwrap_or_default().trim_end();
            let wanted = wanted.lines().next().unwrap_or_default();
            return format!("{kind}{}, expected {}", in_toml(found), in_toml(wanted));
        }
    }
    if let Some((name, wanted)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return match is_word(name) {
            true => message.to_owned(),
            false => format!("unknown field, expected {wanted}"),
        };
    }
    if let Some((_, wanted)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return format!("unknown value, expected {wanted}");
    }
    message.lines().next().unwrap_or_default().to_owned()
}

/// The TOML name of a type that serde names as in Rust.
fn in_toml(kind: &str) -> &str {
    match kind {
        "map" => "table",
        "sequence" => "list",
        "a sequence" => "a list",
        "u8" => "a whole number from 0 to 255",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number that is not negative",
        "usize" => "a whole number",
        "a nonzero usize" => "at least 1: 0 would admit nobody; only for a rate 0 means no limit",
        _ if kind.starts_with("struct ") => "a table",
        _ => kind,
    }
}
