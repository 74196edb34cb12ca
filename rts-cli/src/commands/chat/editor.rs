//! The line that is being typed: keys in, lines out. It knows no terminal.

use std::collections::VecDeque;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use super::complete::{Names, complete};

/// Lines that the arrow keys bring back. They are kept in memory only.
const HISTORY_LINES_MAX: usize = 1_000;

/// What came of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// The line is another one, or the cursor stands elsewhere.
    Edited,
    /// Enter, or several of them inside a pasted text.
    Lines(Vec<String>),
    /// Words that the one before the cursor may become.
    Offer(Vec<String>),
    /// The screen is to be cleared.
    Clear,
    /// Ctrl-Z: back to the shell for a while.
    Suspend,
    /// Ctrl-C, or Ctrl-D on an empty line.
    End,
}

#[derive(Debug, Default)]
pub(super) struct Editor {
    input: Input,
    history: VecDeque<String>,
    /// Which line of the history is shown, counted from the newest, and what was typed before.
    recalled: Option<(usize, String)>,
}

impl Editor {
    /// The line and where its cursor is.
    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    /// Takes a key or a pasted text. `names` is asked when a word is to be completed.
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
            // Alt with a letter is what terminals send for the Meta key of readline.
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
        // Tokens are not to be brought back by the arrow keys.
        if is_new && !line.trim().is_empty() && !line.trim_start().starts_with("/token") {
            self.history.push_back(line.clone());
            if self.history.len() > HISTORY_LINES_MAX {
                self.history.pop_front();
            }
        }
        line
    }

    /// All but the last line of a pasted text are entered.
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

    /// What stands before the cursor, and behind it.
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

    /// An older or newer line that begins as what was typed.
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

/// What all these words begin with.
fn common_start(words: &[String]) -> String {
    let [first, others @ ..] = words else { return String::new() };
    let is_common = |end: &usize| others.iter().all(|word| word.starts_with(&first[..*end]));
    let ends = first.char_indices().map(|(at, c)| at + c.len_utf8());
    first[..ends.take_while(is_common).last().unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types a text, in which a control character is that key.
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
    fn keys_edit_the_line_and_enter_gives_it() {
        let mut editor = Editor::default();
        assert_eq!(types(&mut editor, "ello\x01h\x05!⌫\r"), lines(&["hello"]));
        assert_eq!(types(&mut editor, "one two\x17three\r"), lines(&["one three"]));
        assert_eq!(types(&mut editor, "gone\x15grüße 👩‍🔬←⌫\r"), lines(&["grüße👩‍🔬"]));
        assert_eq!(types(&mut editor, "ab←\x0b\r"), lines(&["a"]), "to the end");
    }

    #[test]
    fn arrows_bring_back_lines_that_begin_as_typed() {
        let mut editor = Editor::default();
        types(&mut editor, "one\rtwo\rother\rother\r\r");
        types(&mut editor, "↑↑");
        assert_eq!(editor.input().value(), "two", "the same line twice is one");
        types(&mut editor, "↓↓");
        assert_eq!(editor.input().value(), "");
        types(&mut editor, "o↑↑↑");
        assert_eq!(editor.input().value(), "one", "the oldest stays");
        types(&mut editor, "↓↓");
        assert_eq!(editor.input().value(), "o");
    }

    #[test]
    fn a_token_is_not_brought_back() {
        let mut editor = Editor::default();
        types(&mut editor, "hi\r/token secret\r↑");
        assert_eq!(editor.input().value(), "hi");
    }

    #[test]
    fn so_many_lines_are_kept_and_not_one_more() {
        let mut editor = Editor::default();
        for number in 0..=HISTORY_LINES_MAX {
            types(&mut editor, &format!("line {number}\r"));
        }
        types(&mut editor, &"↑".repeat(HISTORY_LINES_MAX + 1));
        assert_eq!(editor.input().value(), "line 1");
    }

    #[test]
    fn pasted_lines_are_entered_but_for_the_last() {
        let mut editor = Editor::default();
        types(&mut editor, "<>←");
        assert_eq!(pastes(&mut editor, "one\r\ntwo\rthr\x1bee"), lines(&["<one>", "two"]));
        assert_eq!(editor.input().value(), "thr ee");
        assert_eq!(pastes(&mut editor, "!"), Typed::Edited);
        assert_eq!(types(&mut editor, "\r"), lines(&["thr ee!"]));
    }

    #[test]
    fn a_word_is_completed_as_far_as_it_is_clear_and_then_offered() {
        let mut editor = Editor::default();
        types(&mut editor, "/wh\tb\t");
        assert_eq!(editor.input().value(), "/who bob");
        let offer = Typed::Offer(vec!["bob".to_owned(), "bobby".to_owned()]);
        assert_eq!(types(&mut editor, "\t"), offer);
        types(&mut editor, "b\t");
        assert_eq!(editor.input().value(), "/who bobby ");
        types(&mut editor, "\x15grüße, c!←\t");
        assert_eq!(editor.input().value(), "grüße, carol !", "before the cursor");
        assert_eq!(types(&mut editor, "\x15zz\t"), Typed::Edited);
    }

    #[test]
    fn ctrl_c_ends_and_ctrl_d_only_on_an_empty_line() {
        let mut editor = Editor::default();
        assert_eq!(types(&mut editor, "half\x01\x04"), Typed::Edited);
        assert_eq!(editor.input().value(), "alf");
        assert_eq!(types(&mut editor, "\x03"), Typed::End);
        assert_eq!(types(&mut editor, "\x15\x05\x15\x04"), Typed::End);
    }
}
