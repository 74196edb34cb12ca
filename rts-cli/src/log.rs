//! Format and filter of the log. Each entry is one line, and has no control characters for a
//! terminal.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, Writer};

use crate::lines::Lines;

/// Longest value, in characters. Values chosen by others are cut where they are logged; this bound
/// is for oversights.
const VALUE_CHARS_MAX: usize = 2_048;

/// Starts the log.
pub(crate) fn start(filter: EnvFilter, log: Lines) {
    // Colours are for a terminal. A file or a journal gets none.
    let has_colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || log.clone())
        .with_ansi(has_colours)
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .init();
}

fn write_field(to: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    use fmt::Write as _;

    match (field.name(), to.has_ansi_escapes()) {
        ("message", _) => {}
        (name, true) => write!(to, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m")?,
        (name, false) => write!(to, "{name}=")?,
    }
    let mut plain = Plain { to, chars: 0 };
    write!(plain, "{value:?}")?;
    if plain.chars > VALUE_CHARS_MAX { to.write_char('…') } else { Ok(()) }
}

/// Escapes invisible characters, and leaves out what is too long.
struct Plain<'a, 'writer> {
    to: &'a mut Writer<'writer>,
    chars: usize,
}

impl fmt::Write for Plain<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            self.chars = self.chars.saturating_add(1);
            match char {
                _ if self.chars > VALUE_CHARS_MAX => return Ok(()),
                // Strings have escaped these, and other values may contain them.
                '"' | '\'' | '\\' => self.to.write_char(char)?,
                char => write!(self.to, "{}", char.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// A single word is a level here. `EnvFilter` would take a misspelt level for a crate, and log
/// nothing.
pub(crate) fn filter(wanted: &str) -> Result<EnvFilter, String> {
    let words = wanted.split(',').filter(|part| !part.contains('='));
    for word in words {
        word.trim().parse::<LevelFilter>().map_err(|_| format!("{word:?} is not a level"))?;
    }
    // An engine has a level of its own, `logLevel`.
    let of_engines = if wanted.contains("rts::engine") { "" } else { ",rts::engine::log=debug" };
    // A server logs its connections to NATS itself. The library takes each lost one for an error.
    let of_nats = if wanted.contains("async_nats") { "" } else { ",async_nats=off" };
    let filter = format!("{wanted}{of_engines}{of_nats}");
    EnvFilter::try_new(filter).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log lines of `log`, with or without colours.
    fn logged(has_colours: bool, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let to = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || to.clone())
            .with_ansi(has_colours)
            .without_time()
            .fmt_fields(format::debug_fn(write_field).delimited(" "))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = memory.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn entry_is_one_line_without_terminal_controls() {
        let evil = "a\u{1b}[2J\r\nb\u{7}\u{9b}\u{202e}";
        let written = r"a\u{1b}[2J\r\nb\u{7}\u{9b}\u{202e}";
        let log = || {
            let error = io::Error::other(evil);
            tracing::info!(shown = %evil, debug = ?evil, text = evil, %error, "message {evil}");
        };
        let line = logged(false, log);
        let expected = format!(
            " INFO rts::log::tests: message {written} shown={written} debug=\"{written}\" text=\"{written}\" error={written}\n"
        );
        assert_eq!(line, expected);
        let line = logged(true, log);
        assert_eq!(line.matches(written).count(), 5, "{line:?}");
        let colours =
            line.replace("\u{1b}[0m", "").replace("\u{1b}[2m", "").replace("\u{1b}[3m", "");
        let colours = colours.replace("\u{1b}[32m", "");
        assert!(!colours.trim_end().contains(char::is_control), "{colours:?}");
    }

    #[test]
    fn long_value_is_cut() {
        let longest = "x".repeat(VALUE_CHARS_MAX);
        let line = logged(false, || tracing::info!("{longest}"));
        assert!(line.ends_with("xxx\n"));
        let line = logged(false, || tracing::info!("{longest}y"));
        assert!(line.ends_with("xxx…\n"));
    }
}
