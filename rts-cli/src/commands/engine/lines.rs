//! Lines of standard input with a bounded length, so that an endless line does not exhaust memory.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Longest line. A call with the longest message, with all characters escaped, has 400 kB.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1_048_576;
/// Bytes that are kept of a longer line. They may contain its `ref`.
const BEGINNING_BYTES: usize = 1_024;

/// A line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// A line over the bound, with its first bytes.
    TooLong(Vec<u8>),
}

pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    is_too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) const fn new(from: R) -> Self {
        Self { from, line: Vec::new(), is_too_long: false }
    }

    /// The next line, or `None` at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = self.from.fill_buf().await?;
            if bytes.is_empty() {
                return Ok((!self.line.is_empty()).then(|| self.take()));
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            let read = part.len() + usize::from(end.is_some());
            self.from.consume(read);
            if self.line.len() > LINE_BYTES_MAX {
                self.is_too_long = true;
                self.line.truncate(BEGINNING_BYTES);
                self.line.shrink_to_fit();
            }
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) { Line::TooLong(line) } else { Line::Whole(line) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lines(input: &[u8], capacity: usize) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, input));
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.expect("it is memory") {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_do_not_depend_on_how_input_is_cut() {
        let whole = |line: &str| Line::Whole(line.into());
        for capacity in [1, 2, 3, 100] {
            let all = lines(b"one\n\ntwo\r\nlast", capacity).await;
            assert_eq!(all, [whole("one"), whole(""), whole("two\r"), whole("last")]);
            assert_eq!(lines(b"", capacity).await, []);
            assert_eq!(lines(b"\n", capacity).await, [whole("")]);
        }
    }

    #[tokio::test]
    async fn line_length_is_bounded_at_16_mib() {
        let longest = vec![b'x'; LINE_BYTES_MAX];
        let input = [&longest[..], b"\n", &longest, b"y\nnext\n", &longest, b"zz"].concat();
        let [whole, long, next, last] = &lines(&input, 65_536).await[..] else { panic!("four") };
        assert!(matches!(whole, Line::Whole(line) if line.len() == LINE_BYTES_MAX));
        let beginning = Line::TooLong(vec![b'x'; BEGINNING_BYTES]);
        assert_eq!((long, last), (&beginning, &beginning));
        assert_eq!(*next, Line::Whole(b"next".into()));
    }
}
