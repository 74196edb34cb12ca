//! Lines from a pipe or a file.

use std::io::{self, BufRead, Read as _};

use crossterm::event::Event;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The largest message, with a command before it.
const LINE_BYTES_MAX: usize = 65_536 + 256;

/// Input from a terminal or from a pipe.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(String),
    /// A key of a terminal with line editing.
    Key(Event),
    /// An unusable line, with the reason.
    Bad(String),
    /// The end of the input, with the reason if it is an error.
    End(Option<String>),
}

/// Reads standard input in a thread of its own, at most one line ahead.
pub(super) fn lines() -> Receiver<Input> {
    let (say, hear) = channel(1);
    std::thread::spawn(move || read(&mut io::stdin().lock(), &say));
    hear
}

fn read(from: &mut impl BufRead, say: &Sender<Input>) {
    for number in 1_u64.. {
        let input = next(from, number);
        let is_end = matches!(input, Input::End(_));
        if say.blocking_send(input).is_err() || is_end {
            return;
        }
    }
}

fn next(from: &mut impl BufRead, number: u64) -> Input {
    let mut line = Vec::new();
    let bound = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    match from.by_ref().take(bound + 1).read_until(b'\n', &mut line) {
        Ok(0) => return Input::End(None),
        Ok(_) => {}
        Err(error) => return Input::End(Some(format!("standard input: {error}"))),
    }
    if line.len() > LINE_BYTES_MAX {
        if !line.ends_with(b"\n")
            && let Err(error) = from.skip_until(b'\n')
        {
            return Input::End(Some(format!("standard input: {error}")));
        }
        let why = format!("line {number} is not sent: it has more than {LINE_BYTES_MAX} bytes");
        return Input::Bad(why);
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    match String::from_utf8(line) {
        Ok(line) => Input::Line(line),
        Err(error) => {
            let place = error.utf8_error().valid_up_to() + 1;
            Input::Bad(format!("line {number} is not sent: its byte {place} is not UTF-8"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Input> {
        let mut from = bytes;
        let mut number = 0;
        let next = || {
            number += 1;
            Some(next(&mut from, number)).filter(|input| *input != Input::End(None))
        };
        std::iter::from_fn(next).collect()
    }

    fn line(text: &str) -> Input {
        Input::Line(text.to_owned())
    }

    #[test]
    fn last_line_needs_no_line_feed() {
        assert_eq!(all(b"one\n\ntwo"), [line("one"), line(""), line("two")]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn invalid_utf8_is_reported_and_next_line_read() {
        let bad = Input::Bad("line 2 is not sent: its byte 4 is not UTF-8".to_owned());
        assert_eq!(all(b"one\nbad\xff\nthree\n"), [line("one"), bad, line("three")]);
    }

    #[test]
    fn line_length_is_bounded() {
        let longest = "x".repeat(LINE_BYTES_MAX - 1);
        assert_eq!(all(format!("{longest}\nnext").as_bytes()), [line(&longest), line("next")]);
        for end in ["x\nnext", "xxx\nnext", "x", "xxx"] {
            let all = all(format!("{longest}x{end}").as_bytes());
            assert!(matches!(&all[0], Input::Bad(why) if why.contains("more than")), "{end}");
            assert_eq!(all.last() == Some(&line("next")), end.ends_with("next"));
        }
    }
}
