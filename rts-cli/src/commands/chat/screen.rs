//! Where lines are shown: a terminal with the line that is typed below, or plain output.

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

/// Of own messages without a result, how many stand above the line that is typed.
const OPEN_SHOWN_MAX: usize = 5;
/// Of the words that a word may become, how many are shown.
const OFFERED_MAX: usize = 40;

pub(super) enum Screen {
    Plain(Look),
    Edited(Box<Edited>),
}

pub(super) struct Edited {
    look: Look,
    terminal: Terminal,
    editor: Editor,
    /// Lines to print with the next painting.
    above: Vec<String>,
}

impl Screen {
    /// What is printed on, and where what is typed comes from.
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

    /// Takes a key. The lines that were entered; `None` at the end.
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

    /// Shows what has changed since it was called last.
    pub(super) fn paint(&mut self, talk: &Talk) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Edited(edited) => edited.paint(talk),
        }
    }

    /// Shows the last lines; nothing is typed any more.
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
        // The cursor takes a column too, and the last one stays empty.
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
    fn so_many_words_are_offered_and_the_others_counted() {
        let words = vec!["bob".to_owned(); OFFERED_MAX];
        assert!(!offered(&words).contains("more"));
        assert!(offered(&[&words[..], &words[..1]].concat()).ends_with("bob  and 1 more"));
    }
}
