//! The line editor: keys in, lines out. It does not depend on a terminal.

use std::collections::VecDeque;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use super::complete::{Names, complete};

/// Lines of the history. They are kept in memory only.
const HISTORY_LINES_MAX: usize = 1_000;

/// The effect of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// The line or the position of the cursor has changed.
    Edited,
    /// Lines were entered: by Enter, or by line feeds of a pasted text.
    Lines(Vec<String>),
    /// The completions of the word before the cursor.
    Offer(Vec<String>),
    /// The screen should be cleared.
    Clear,
    /// Ctrl-Z: the program should be suspended.
    Suspend,
    /// Ctrl-C, or Ctrl-D on an empty line.
    End,
}

#[derive(Debug, Default)]
pub(super) struct Editor {
    input: Input,
    history: VecDeque<String>,
    /// The line of the history that is shown, counted from the newest, and the line that was typed
    /// before.
    recalled: Option<(usize, String)>,
}

impl Editor {
    /// The line and its cursor.
    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    /// Handles a key or a pasted text. `names` is called when a word is completed.
    pub(super) fn takes(&mut self, event: &Event, names: impl FnOnce() -> Names) -> Typed {
        let key = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            Event::Paste(text) => return self.paste(text),
            _ => return Typed::Edited,
        };
        match (key.code, key.modifiers) {
            (KeyCode::Enter, _) => return Typed::Lines(vec![self.enter()]),
            (KeyCode::Tab, _) => return self.complete(&names()),
            (KeyCode::Up, _) => self.recall(true),
            (KeyCode::Down, _) => self.recall(false),
            (KeyCode::Char(c), KeyModifiers::CONTROL) => return self.control(c, event),
            // Terminals send Alt with a letter for the Meta key of readline.
            (KeyCode::Char(c @ ('b' | 'f' | 'd')), KeyModifiers::ALT) => {
                let meta = KeyEvent::new(KeyCode::Char(c), KeyModifiers::META);
                self.edit(match c {
                    'd' => Some(InputRequest::DeleteNextWord),
                    _ => to_input_request(&Event::Key(meta)),
                });
            }
            _ => self.edit(to_input_request(event)),
        }
        Typed::Edited
    }

    fn control(&mut self, c: char, event: &Event) -> Typed {
        match c {
            'c' => return Typed::End,
            'd' if self.input.value().is_empty() => return Typed::End,
            'd' => self.edit(Some(InputRequest::DeleteNextChar)),
            'j' => return Typed::Lines(vec![self.enter()]),
            'l' => return Typed::Clear,
            'z' => return Typed::Suspend,
            'p' => self.recall(true),
            'n' => self.recall(false),
            'u' => self.edit(Some(InputRequest::DeleteFromStart)),
            _ => self.edit(to_input_request(event)),
        }
        Typed::Edited
    }

    fn edit(&mut self, request: Option<InputRequest>) {
        if let Some(request) = request {
            self.input.handle(request);
        }
    }

    fn enter(&mut self) -> String {
        self.recalled = None;
        let line = self.input.value_and_reset();
        let is_new = self.history.back() != Some(&line);
        // Tokens do not enter the history.
        if is_new && !line.trim().is_empty() && !line.trim_start().starts_with("/token") {
            self.history.push_back(line.clone());
            if self.history.len() > HISTORY_LINES_MAX {
                self.history.pop_front();
            }
        }
        line
    }

    /// Enters all lines of a pasted text except the last one.
    fn paste(&mut self, text: &str) -> Typed {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut parts = text.split('\n').map(|part| part.replace(char::is_control, " ")).peekable();
        let mut lines = Vec::new();
        while let Some(part) = parts.next() {
            let (before, after) = self.halves();
            let cursor = before.chars().count() + part.chars().count();
            self.input = Input::new(format!("{before}{part}{after}")).with_cursor(cursor);
            if parts.peek().is_some() {
                lines.push(self.enter());
            }
        }
        if lines.is_empty() { Typed::Edited } else { Typed::Lines(lines) }
    }

    /// The text before the cursor, and the text behind it.
    fn halves(&self) -> (String, String) {
        let mut chars = self.input.value().chars();
        (chars.by_ref().take(self.input.cursor()).collect(), chars.collect())
    }

    fn complete(&mut self, names: &Names) -> Typed {
        let (before, after) = self.halves();
        let (start, offered) = complete(&before, names);
        let word = match offered.as_slice() {
            [] => return Typed::Edited,
            [only] => format!("{only} "),
            several => common_start(several),
        };
        if word.len() <= before.len() - start {
            return Typed::Offer(offered);
        }
        let before = format!("{}{word}", &before[..start]);
        let cursor = before.chars().count();
        self.input = Input::new(format!("{before}{after}")).with_cursor(cursor);
        Typed::Edited
    }

    /// Recalls an older or newer line that begins with the typed text.
    fn recall(&mut self, is_older: bool) {
        let typed = match &self.recalled {
            Some((_, typed)) => typed.clone(),
            None => self.input.value().to_owned(),
        };
        let lines = self.history.iter().rev().enumerate();
        let mut fitting = lines.filter(|(_, line)| line.starts_with(&typed));
        let found = match (&self.recalled, is_older) {
            (Some((at, _)), true) => fitting.find(|(number, _)| number > at),
            (None, true) => fitting.next(),
            (Some((at, _)), false) => fitting.take_while(|(number, _)| number < at).last(),
            (None, false) => return,
        };
        match found {
            Some((number, line)) => {
                self.input = Input::new(line.clone());
                self.recalled = Some((number, typed));
            }
            None if is_older => {}
            None => {
                self.input = Input::new(typed);
                self.recalled = None;
            }
        }
    }
}

/// The longest common prefix of the words.
fn common_start(words: &[String]) -> String {
    let [first, others @ ..] = words else { return String::new() };
    let is_common = |end: &usize| others.iter().all(|word| word.starts_with(&first[..*end]));
    let ends = first.char_indices().map(|(at, c)| at + c.len_utf8());
    first[..ends.take_while(is_common).last().unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types a text. A control character stands for its key.
    fn types(editor: &mut Editor, text: &str) -> Typed {
        let names = || Names {
            users: ["bob", "bobby", "carol"].map(str::to_owned).to_vec(),
            rooms: vec!["lobby".to_owned()],
        };
        let mut last = Typed::Edited;
        for c in text.chars() {
            let (code, modifiers) = match c {
                '\r' => (KeyCode::Enter, KeyModifiers::NONE),
                '\t' => (KeyCode::Tab, KeyModifiers::NONE),
                '\x01'..='\x1a' => {
                    let letter = char::from(u8::try_from(c).expect("a byte") + b'a' - 1);
                    (KeyCode::Char(letter), KeyModifiers::CONTROL)
                }
                '↑' => (KeyCode::Up, KeyModifiers::NONE),
                '↓' => (KeyCode::Down, KeyModifiers::NONE),
                '←' => (KeyCode::Left, KeyModifiers::NONE),
                '⌫' => (KeyCode::Backspace, KeyModifiers::NONE),
                c => (KeyCode::Char(c), KeyModifiers::NONE),
            };
            last = editor.takes(&Event::Key(KeyEvent::new(code, modifiers)), names);
        }
        last
    }

    fn pastes(editor: &mut Editor, text: &str) -> Typed {
        editor.takes(&Event::Paste(text.to_owned()), Names::default)
    }

    fn lines(lines: &[&str]) -> Typed {
        Typed::Lines(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    #[test]
    fn keys_edit_the_line_and_enter_returns_it() {
        let mut editor = Editor::default();
        assert_eq!(types(&mut editor, "ello\x01h\x05!⌫\r"), lines(&["hello"]));
        assert_eq!(types(&mut editor, "one two\x17three\r"), lines(&["one three"]));
        assert_eq!(types(&mut editor, "gone\x15grüße 👩‍🔬←⌫\r"), lines(&["grüße👩‍🔬"]));
        assert_eq!(types(&mut editor, "ab←\x0b\r"), lines(&["a"]), "Ctrl-K deletes to the end");
    }

    #[test]
    fn arrows_recall_lines_that_begin_as_typed() {
        let mut editor = Editor::default();
        types(&mut editor, "one\rtwo\rother\rother\r\r");
        types(&mut editor, "↑↑");
        assert_eq!(editor.input().value(), "two", "a repeated line is kept once");
        types(&mut editor, "↓↓");
        assert_eq!(editor.input().value(), "");
        types(&mut editor, "o↑↑↑");
        assert_eq!(editor.input().value(), "one", "the oldest line is the last");
        types(&mut editor, "↓↓");
        assert_eq!(editor.input().value(), "o");
    }

    #[test]
    fn token_is_not_recalled() {
        let mut editor = Editor::default();
        types(&mut editor, "hi\r/token secret\r↑");
        assert_eq!(editor.input().value(), "hi");
    }

    #[test]
    fn history_is_bounded() {
        let mut editor = Editor::default();
        for number in 0..=HISTORY_LINES_MAX {
            types(&mut editor, &format!("line {number}\r"));
        }
        types(&mut editor, &"↑".repeat(HISTORY_LINES_MAX + 1));
        assert_eq!(editor.input().value(), "line 1");
    }

    #[test]
    fn pasted_lines_are_entered_except_the_last() {
        let mut editor = Editor::default();
        types(&mut editor, "<>←");
        assert_eq!(pastes(&mut editor, "one\r\ntwo\rthr\x1bee"), lines(&["<one>", "two"]));
        assert_eq!(editor.input().value(), "thr ee");
        assert_eq!(pastes(&mut editor, "!"), Typed::Edited);
        assert_eq!(types(&mut editor, "\r"), lines(&["thr ee!"]));
    }

    #[test]
    fn word_is_completed_to_common_prefix_then_offered() {
        let mut editor = Editor::default();
        types(&mut editor, "/wh\tb\t");
        assert_eq!(editor.input().value(), "/who bob");
        let offer = Typed::Offer(vec!["bob".to_owned(), "bobby".to_owned()]);
        assert_eq!(types(&mut editor, "\t"), offer);
        types(&mut editor, "b\t");
        assert_eq!(editor.input().value(), "/who bobby ");
        types(&mut editor, "\x15grüße, c!←\t");
        assert_eq!(
            editor.input().value(),
            "grüße, carol !",
            "the word before the cursor is completed"
        );
        assert_eq!(types(&mut editor, "\x15zz\t"), Typed::Edited);
    }

    #[test]
    fn ctrl_c_ends_and_ctrl_d_only_on_empty_line() {
        let mut editor = Editor::default();
        assert_eq!(types(&mut editor, "half\x01\x04"), Typed::Edited);
        assert_eq!(editor.input().value(), "alf");
        assert_eq!(types(&mut editor, "\x03"), Typed::End);
        assert_eq!(types(&mut editor, "\x15\x05\x15\x04"), Typed::End);
    }
}
