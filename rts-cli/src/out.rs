//! Standard output, whose reader may go away: `rts listen | head -1`.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints a line at once. It fails when nobody reads any more, which ends the command.
pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

/// Whether a command ended only because nobody reads what it prints: that is no failure.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes, each said once: many errors say their cause by themselves. Some end with empty lines.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let causes = error.chain().map(|cause| cause.to_string().trim_end().to_owned());
    let said_once = |words: String, cause: String| match words.contains(&cause) {
        true => words,
        false => format!("{words}: {cause}"),
    };
    causes.reduce(said_once).unwrap_or_default()
}
