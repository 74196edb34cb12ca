//! Output of a chat: one line for each event.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anstyle::{AnsiColor, Style};
use rts_client::contract::{BroadcastCode, SendCode};

use super::command::To;
use super::words::safe;

/// Characters of an own text that are repeated when the text is still visible above.
const QUOTED_CHARS_MAX: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message that arrived, with its room if there is one.
    Message { room: Option<String>, from: String, text: String },
    /// An event.
    Note(String),
    /// A failure of a command.
    Problem(String),
    /// The result of an own message.
    Sent { to: To, text: String, mark: Mark },
    /// A text of several lines, such as the help.
    Page(String),
}

/// The result of an own message. A failure has a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    /// The message was over the rate and not sent, so it can be sent again.
    OverRate(String),
    NotDelivered(String),
    Unknown(String),
}

impl From<SendCode> for Mark {
    fn from(code: SendCode) -> Self {
        match code {
            SendCode::Ok => Self::Done,
            SendCode::OverRate => Self::OverRate(code.to_string()),
            SendCode::Timeout => Self::Unknown(code.to_string()),
            _ => Self::NotDelivered(code.to_string()),
        }
    }
}

impl From<BroadcastCode> for Mark {
    fn from(code: BroadcastCode) -> Self {
        match code {
            BroadcastCode::Ok => Self::Done,
            BroadcastCode::OverRate => Self::OverRate(code.to_string()),
            BroadcastCode::Timeout => Self::Unknown(code.to_string()),
            _ => Self::NotDelivered(code.to_string()),
        }
    }
}

/// The format of lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) has_colours: bool,
    pub(super) has_times: bool,
    /// Whether own texts are visible already, on the screen or in the input file.
    pub(super) is_echo: bool,
}

const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
/// Colours of names. Each user always has the same one.
const NAME_COLOURS: [AnsiColor; 6] = [
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::BrightCyan,
    AnsiColor::BrightBlue,
    AnsiColor::BrightYellow,
];

impl Look {
    /// Formats the line. `time` is the time of day.
    pub(super) fn line(self, line: &Line, time: &str) -> String {
        let shown = match line {
            Line::Page(text) => return text.clone(),
            Line::Message { room: None, from, text } => format!("{}: {text}", self.name(from)),
            Line::Message { room: Some(room), from, text } => {
                let place = self.paint(PLACE, &format!("#{room}"));
                format!("{place} {}: {text}", self.name(from))
            }
            Line::Note(text) => self.paint(DIM, &format!("* {text}")),
            Line::Problem(text) => self.paint(BAD, &format!("! {text}")),
            Line::Sent { to, text, mark } => self.sent(to, text, mark),
        };
        if self.has_times { format!("{} {shown}", self.paint(DIM, time)) } else { shown }
    }

    fn sent(self, to: &To, text: &str, mark: &Mark) -> String {
        let text = if self.is_echo { safe(text) } else { quoted(text) };
        let (style, sign, why) = match mark {
            Mark::Done => (GOOD, '✓', None),
            Mark::OverRate(why) | Mark::NotDelivered(why) => (BAD, '✗', Some(why)),
            Mark::Unknown(why) => (BAD, '?', Some(why)),
        };
        let sign = self.paint(style, &sign.to_string());
        let place = self.paint(PLACE, &format!("to {to}"));
        let why = why.map_or_else(String::new, |why| self.paint(style, &format!(" -- {why}")));
        format!("{sign} {place}: {text}{why}")
    }

    pub(super) fn prompt(self, prompt: &str, is_cut: bool) -> String {
        self.paint(if is_cut { BAD } else { PLACE.bold() }, prompt)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(DIM, text)
    }

    fn name(self, name: &str) -> String {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let place = hasher.finish() % NAME_COLOURS.len() as u64;
        let colour = NAME_COLOURS[usize::try_from(place).unwrap_or(0)];
        self.paint(colour.on_default().bold(), name)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.has_colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", safe(&text[..end])),
        None => safe(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { has_colours: false, has_times: false, is_echo: false };

    fn sent(mark: impl Into<Mark>, text: &str) -> Line {
        Line::Sent { to: To::User("bob".to_owned()), text: text.to_owned(), mark: mark.into() }
    }

    #[test]
    fn line_has_time_and_colours_only_if_wanted() {
        let line = Line::Message {
            room: Some("lobby".to_owned()),
            from: "bob".to_owned(),
            text: "hi".to_owned(),
        };
        assert_eq!(PLAIN.line(&line, "12:03"), "#lobby bob: hi");
        let timed = Look { has_times: true, ..PLAIN };
        assert_eq!(timed.line(&line, "12:03"), "12:03 #lobby bob: hi");
        let coloured = Look { has_colours: true, ..PLAIN }.line(&line, "12:03");
        assert!(coloured.contains("\x1b[") && coloured.ends_with(": hi"), "{coloured:?}");
    }

    #[test]
    fn every_result_is_a_tick_or_has_its_code() {
        for code in SendCode::ALL {
            let shown = PLAIN.line(&sent(*code, "hi"), "");
            match code {
                SendCode::Ok => assert_eq!(shown, "✓ to bob: hi"),
                SendCode::Timeout => assert!(shown.starts_with("? to bob: hi -- "), "{shown}"),
                _ => assert!(shown.starts_with("✗ to bob: hi -- "), "{shown}"),
            }
            let number = format!("({})", code.code());
            assert_eq!(shown.ends_with(&number), *code != SendCode::Ok, "{shown}");
        }
        for code in BroadcastCode::ALL {
            let is_tick = PLAIN.line(&sent(*code, "hi"), "") == "✓ to bob: hi";
            assert_eq!(is_tick, code.code() == 200);
        }
    }

    #[test]
    fn long_text_is_cut_only_if_visible_above() {
        let whole = "é".repeat(QUOTED_CHARS_MAX);
        let longer = format!("{whole}é");
        assert!(PLAIN.line(&sent(SendCode::Ok, &whole), "").ends_with(&whole));
        let cut = PLAIN.line(&sent(SendCode::Ok, &longer), "");
        assert!(cut.ends_with(&format!("{whole}...")), "{cut}");
        let echo = Look { is_echo: true, ..PLAIN };
        assert!(echo.line(&sent(SendCode::Ok, &longer), "").ends_with(&longer));
    }
}
