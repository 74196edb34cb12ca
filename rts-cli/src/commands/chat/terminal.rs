//! A terminal whose last rows are repainted after each change. All other output is printed above
//! them, and scrolls away.
//!
//! No painted row is as wide as the screen, so the terminal never wraps one.

use std::io::{self, Write as _};

use anyhow::Context as _;
use crossterm::cursor::{MoveTo, MoveToColumn, MoveUp};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, read};
use crossterm::terminal::{Clear, ClearType, size};
use crossterm::{QueueableCommand as _, queue};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::input::Input;

/// Most keys that wait to be handled.
const KEYS_MAX: usize = 1_024;
/// The width of a terminal that does not report one.
const USUAL_COLUMNS: u16 = 80;

pub(super) struct Terminal {
    /// The settings before this program.
    saved: Termios,
    /// The widths of the painted rows. The cursor is in the last one.
    painted: Vec<usize>,
}

/// A row to paint.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// The text with its colours.
    pub(super) text: String,
    /// The width in columns.
    pub(super) width: usize,
}

impl Terminal {
    /// Takes over the terminal. The receiver gets each key.
    pub(super) fn open() -> anyhow::Result<(Self, Receiver<Input>)> {
        let saved = tcgetattr(io::stdin()).context("the terminal")?;
        let terminal = Self { saved, painted: Vec::new() };
        terminal.take().context("the terminal")?;
        let (say, keys) = channel(KEYS_MAX);
        std::thread::spawn(move || read_keys(&say));
        Ok((terminal, keys))
    }

    pub(super) fn columns() -> usize {
        let columns = size().map_or(0, |(columns, _)| columns);
        usize::from(if columns == 0 { USUAL_COLUMNS } else { columns })
    }

    /// Prints the lines `above`, and repaints the rows. The cursor moves to this column of the last
    /// row.
    pub(super) fn paint(
        &mut self,
        above: &[String],
        rows: &[Row],
        cursor: usize,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.wipe(&mut bytes)?;
        for line in above {
            writeln!(bytes, "{line}")?;
        }
        for (number, row) in rows.iter().enumerate() {
            let end = if number + 1 < rows.len() { "\n" } else { "" };
            write!(bytes, "{}{end}", row.text)?;
        }
        bytes.queue(MoveToColumn(u16::try_from(cursor).unwrap_or(u16::MAX)))?;
        self.painted = rows.iter().map(|row| row.width).collect();
        write(&bytes)
    }

    /// Clears the screen. The rows must be repainted.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.painted.clear();
        let mut bytes = Vec::new();
        queue!(bytes, Clear(ClearType::All), MoveTo(0, 0))?;
        write(&bytes)
    }

    /// Returns the terminal to the shell until it continues this program. The rows must be
    /// repainted.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.give_back()?;
        kill_current_process_group(Signal::TSTP)?;
        self.take()
    }

    /// Turns off echo and line input. The mode of the output stays unchanged, so that the output of
    /// others, such as the log, is readable.
    fn take(&self) -> io::Result<()> {
        let mut raw = self.saved.clone();
        raw.make_raw();
        raw.output_modes |= self.saved.output_modes & (OutputModes::OPOST | OutputModes::ONLCR);
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        let mut bytes = Vec::new();
        bytes.queue(EnableBracketedPaste)?;
        write(&bytes)
    }

    fn give_back(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        // The message of a panic stays on the screen.
        if !std::thread::panicking() {
            self.wipe(&mut bytes)?;
        }
        bytes.queue(DisableBracketedPaste)?;
        let written = write(&bytes);
        tcsetattr(io::stdin(), OptionalActions::Now, &self.saved)?;
        written
    }

    /// Erases the painted rows. A terminal that became narrower has wrapped them.
    fn wipe(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let columns = Self::columns();
        let rows: usize = self.painted.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        self.painted.clear();
        if let Some(up) = u16::try_from(rows.saturating_sub(1)).ok().filter(|up| *up > 0) {
            bytes.queue(MoveUp(up))?;
        }
        queue!(bytes, MoveToColumn(0), Clear(ClearType::FromCursorDown))
    }
}

impl Drop for Terminal {
    /// Restores the terminal in all cases.
    fn drop(&mut self) {
        // The terminal may be closed.
        let _ = self.give_back();
    }
}

/// Reading blocks, so this runs in a thread of its own.
fn read_keys(say: &Sender<Input>) {
    loop {
        let input = match read() {
            Ok(event) => Input::Key(event),
            // A closed terminal may cause any error.
            Err(_) if tcgetattr(io::stdin()).is_err() => Input::End(None),
            Err(error) => Input::End(Some(format!("the terminal: {error}"))),
        };
        let is_end = matches!(input, Input::End(_));
        if say.blocking_send(input).is_err() || is_end {
            return;
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The part of a text in these columns, and its width.
pub(super) fn cut(text: &str, from: usize, columns: usize) -> (&str, usize) {
    let mut passed = 0;
    let mut start = text.len();
    let mut width = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let wide = grapheme.width();
        if passed < from {
            passed += wide;
            continue;
        }
        start = start.min(at);
        if width + wide > columns {
            return (&text[start..at], width);
        }
        width += wide;
    }
    (&text[start..], width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_grapheme_clusters() {
        assert_eq!(cut("hello", 0, 5), ("hello", 5));
        assert_eq!(cut("hello", 0, 4), ("hell", 4));
        assert_eq!(cut("hello", 1, 3), ("ell", 3));
        assert_eq!(cut("hello", 5, 3), ("", 0));
        assert_eq!(cut("你好👩‍🔬!", 2, 4), ("好👩‍🔬", 4));
        assert_eq!(cut("你好", 0, 3), ("你", 2), "half a character is left out");
    }
}
