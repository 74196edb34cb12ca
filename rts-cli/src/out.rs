//! Standard output, whose reader may end early (`rts listen | head -1`), and standard error.
//!
//! All output of this program goes through this module, because `println!` and similar macros panic
//! when the reader is gone.

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use rts_client::contract::explain_tls;
use rts_server::file_trouble;

use crate::lines::Lines;

/// Longest wait at the end of the program for a slow reader.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(1);

/// Standard error, if [`log`] was called.
static LOG: OnceLock<Lines> = OnceLock::new();
/// Standard output, if [`continue_without_reader`] was called.
static UNREAD: OnceLock<Lines> = OnceLock::new();

/// Prints a line at once. It fails when the reader is gone, which ends the command.
pub(crate) fn say(line: impl Display) -> anyhow::Result<()> {
    if let Some(unread) = UNREAD.get() {
        unread.push(format!("{line}\n").into_bytes());
        return Ok(());
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

/// Puts the text of others on one line, without control characters.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\'' | '\\' => plain.push(char),
            _ => plain.extend(char.escape_debug()),
        }
    }
    plain
}

/// Prints a line to standard error, if it has a reader.
pub(crate) fn eprint_line(line: impl Display) {
    eprint_part(format_args!("{line}\n"));
}

/// Like [`eprint_line`], without a line feed, for text that is overwritten again and again.
pub(crate) fn eprint_part(part: impl Display) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{part}").and_then(|()| err.flush());
}

/// For servers: from now on, printing never fails or blocks, and is lost without a reader.
pub(crate) fn continue_without_reader() -> io::Result<()> {
    // Without the buffer of the standard library, which would keep unwritten lines.
    let out = Lines::new(File::from(io::stdout().as_fd().try_clone_to_owned()?))?;
    let _ = UNREAD.set(out);
    Ok(())
}

/// The log, on standard error. Writing to it never fails or blocks.
pub(crate) fn log() -> io::Result<Lines> {
    if let Some(log) = LOG.get() {
        return Ok(log.clone());
    }
    let log = Lines::new(File::from(io::stderr().as_fd().try_clone_to_owned()?))?;
    Ok(LOG.get_or_init(|| log).clone())
}

/// The end of the program: writes the queued lines and the last words, unless the reader blocks.
pub(crate) fn end(last_words: Option<String>) {
    if let (Some(log), Some(words)) = (LOG.get(), last_words) {
        log.push(format!("{words}\n").into_bytes());
    }
    for lines in [UNREAD.get(), LOG.get()].into_iter().flatten() {
        lines.flush(LAST_LINES_PATIENCE);
    }
}

/// Whether a command ended only because its reader is gone, which is not a failure.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes, without repetition: many errors contain the text of their cause. Some
/// end with empty lines.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let said_once = |words: String, cause: &(dyn Error + 'static)| {
        let raw = cause.to_string().trim_end().to_owned();
        let file = cause.downcast_ref().map(file_trouble);
        let cause = explain_tls(cause).or(file).unwrap_or_else(|| raw.clone());
        match (words.is_empty(), words.contains(&cause)) {
            (true, _) => cause,
            (false, true) => words,
            // The errors above may contain it in the system's words.
            (false, false) if !raw.is_empty() && words.contains(&raw) => {
                words.replace(&raw, &cause)
            }
            (false, false) => format!("{words}: {cause}"),
        }
    };
    error.chain().fold(String::new(), said_once)
}
