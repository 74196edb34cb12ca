//! The output of a chat: a terminal with an input line below, or plain lines.

use std::io::{self, IsTerminal as _};

use crossterm::event::Event;
use jiff::ZonedDateTime;
use tokio::sync::mpsc::Receiver;

use super::editor::{Editor, Typed};
use super::input::{Input, lines};
use super::line::{Line, Look};
use super::talk::Talk;
use super::terminal::{Row, Terminal, cut};
use crate::out::say;

/// Own messages without a result that are shown above the input line.
const OPEN_SHOWN_MAX: usize = 5;
/// Completions of a word that are shown.
const OFFERED_MAX: usize = 40;

pub(super) enum Screen {
    Plain(Look),
    Edited(Box<Edited>),
}

pub(super) struct Edited {
    look: Look,
    terminal: Terminal,
    editor: Editor,
    /// Lines to print at the next repaint.
    above: Vec<String>,
}

impl Screen {
    /// Opens the output and its input.
    pub(super) fn open() -> (Self, Receiver<Input>) {
        let is_for_people = io::stdout().is_terminal();
        let has_colours = is_for_people && wants_colours();
        let look = Look { has_colours, has_times: is_for_people, is_echo: false };
        if io::stdin().is_terminal()
            && is_for_people
            && can_move_cursor()
            && let Ok((terminal, input)) = Terminal::open()
        {
            let look = Look { is_echo: true, ..look };
            let (editor, above) = (Editor::default(), Vec::new());
            return (Self::Edited(Box::new(Edited { look, terminal, editor, above })), input);
        }
        (Self::Plain(look), lines())
    }

    pub(super) fn show(&mut self, line: &Line) -> anyhow::Result<()> {
        let time = ZonedDateTime::now().strftime("%H:%M:%S").to_string();
        match self {
            Self::Plain(look) => say(look.line(line, &time)),
            Self::Edited(edited) => {
                edited.above.push(edited.look.line(line, &time));
                Ok(())
            }
        }
    }

    /// Handles a key. Returns the lines that were entered, or `None` at the end.
    pub(super) fn takes(&mut self, event: &Event, talk: &Talk) -> io::Result<Option<Vec<String>>> {
        let Self::Edited(edited) = self else { return Ok(Some(Vec::new())) };
        match edited.editor.takes(event, || talk.names()) {
            Typed::Lines(lines) => return Ok(Some(lines)),
            Typed::End => return Ok(None),
            Typed::Offer(words) => edited.above.push(edited.look.dim(&offered(&words))),
            Typed::Clear => edited.terminal.clear()?,
            Typed::Suspend => edited.terminal.suspend()?,
            Typed::Edited => {}
        }
        Ok(Some(Vec::new()))
    }

    /// Repaints what has changed since the last call.
    pub(super) fn paint(&mut self, talk: &Talk) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Edited(edited) => edited.paint(talk),
        }
    }

    /// Prints the remaining lines, and ends the input.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Edited(edited) => {
                edited.terminal.paint(&std::mem::take(&mut edited.above), &[], 0)
            }
        }
    }
}

impl Edited {
    fn paint(&mut self, talk: &Talk) -> io::Result<()> {
        let columns = Terminal::columns();
        let newest = talk.open().rev().take(OPEN_SHOWN_MAX);
        let mut rows: Vec<Row> = newest
            .map(|(to, text)| {
                let text = format!("… to {to}: {}", super::words::safe(text));
                let (text, width) = cut(&text, 0, columns.saturating_sub(1));
                Row { text: self.look.dim(text), width }
            })
            .collect();
        rows.reverse();
        let prompt = talk.prompt();
        let (prompt, start) = cut(&prompt, 0, columns / 2);
        // One column is for the cursor, and the last one stays empty.
        let room = columns.saturating_sub(start + 2);
        let input = self.editor.input();
        let scroll = input.visual_scroll(room);
        let (typed, width) = cut(input.value(), scroll, room);
        let prompt = self.look.prompt(prompt, talk.is_cut());
        rows.push(Row { text: format!("{prompt}{typed}"), width: start + width });
        let cursor = start + input.visual_cursor().saturating_sub(scroll);
        self.terminal.paint(&std::mem::take(&mut self.above), &rows, cursor)
    }
}

fn offered(words: &[String]) -> String {
    let shown = words[..words.len().min(OFFERED_MAX)].join("  ");
    match words.len().saturating_sub(OFFERED_MAX) {
        0 => shown,
        more => format!("{shown}  and {more} more"),
    }
}

/// <https://no-color.org>
fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn can_move_cursor() -> bool {
    std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offered_words_are_bounded_and_the_rest_counted() {
        let words = vec!["bob".to_owned(); OFFERED_MAX];
        assert!(!offered(&words).contains("more"));
        assert!(offered(&[&words[..], &words[..1]].concat()).ends_with("bob  and 1 more"));
    }
}
