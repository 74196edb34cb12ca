//! Redis: PUBLISH to a channel of the receiver, SUBSCRIBE. A result is the number of receivers.

use super::{Client, Heard, Role, due_ns, user};
use crate::target::Target;

/// The result of a message without a receiver, equal to the code of RTS.
const NOBODY: u32 = 4;

pub(crate) struct Redis {
    role: Role,
    /// The channel that the client sends to or receives from.
    channel: String,
    is_ready: bool,
    /// Results come in the order of the sends.
    last_result: u64,
}

impl Client for Redis {
    fn new(_target: &Target, number: u32, role: Role) -> Self {
        let channel = role.channel(number);
        Self { role, channel, is_ready: false, last_result: 0 }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        self.is_ready = false;
        match self.role {
            Role::Receiver | Role::Member => {
                put_command(out, &[b"SUBSCRIBE", self.channel.as_bytes()])
            }
            Role::Sender { .. } | Role::Speaker => put_command(out, &[b"PING"]),
        }
    }

    fn hear(
        &mut self,
        input: &[u8],
        _out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some((reply, len)) = Reply::read(&input[used..])? {
            used += len;
            match reply {
                _ if !self.is_ready => {
                    self.is_ready = true;
                    hear(Heard::Ready);
                }
                Reply::Number(receivers) => {
                    self.last_result += 1;
                    let code = if receivers == 0 { NOBODY } else { 0 };
                    hear(Heard::Result { id: self.last_result, code });
                }
                Reply::Message(payload) => hear(Heard::Delivered { due_ns: due_ns(payload) }),
                Reply::Other => {}
            }
        }
        Ok(used)
    }

    fn aim(&mut self, to: u32) {
        self.channel = user(to);
    }

    fn send(&mut self, _id: u64, payload: &[u8], out: &mut Vec<u8>) {
        put_command(out, &[b"PUBLISH", self.channel.as_bytes(), payload]);
    }

    fn has_results(&self) -> bool {
        true
    }
}

fn put_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    put_line(out, b'*', words.len());
    for word in words {
        put_line(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_line(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[derive(Debug, PartialEq)]
enum Reply<'a> {
    Number(u64),
    /// The last of the three parts of a message.
    Message(&'a [u8]),
    Other,
}

impl<'a> Reply<'a> {
    /// One reply and its length; `None` while it is incomplete.
    fn read(input: &'a [u8]) -> Result<Option<(Self, usize)>, String> {
        let Some((kind, line, mut used)) = line(input) else { return Ok(None) };
        match kind {
            b'+' => Ok(Some((Self::Other, used))),
            b'-' => Err(format!("redis: {}", String::from_utf8_lossy(line))),
            b':' => Ok(Some((Self::Number(number(line)?), used))),
            b'*' => {
                let mut parts = [&b""[..]; 3];
                let count = number(line)? as usize;
                for index in 0..count {
                    let Some((kind, line, len)) = self::line(&input[used..]) else {
                        return Ok(None);
                    };
                    used += len;
                    if kind == b'$' {
                        let len = number(line)? as usize;
                        let Some(bytes) = input.get(used..used + len + 2) else { return Ok(None) };
                        used += len + 2;
                        if let Some(part) = parts.get_mut(index) {
                            *part = &bytes[..len];
                        }
                    }
                }
                let reply =
                    if parts[0] == b"message" { Self::Message(parts[2]) } else { Self::Other };
                Ok(Some((reply, used)))
            }
            _ => Err("not a reply of Redis".to_owned()),
        }
    }
}

/// The first line: its kind, its text, and its length with the line end.
fn line(input: &[u8]) -> Option<(u8, &[u8], usize)> {
    let end = input.iter().position(|byte| *byte == b'\r').filter(|end| end + 1 < input.len())?;
    Some((*input.first()?, &input[1..end], end + 2))
}

fn number(digits: &[u8]) -> Result<u64, String> {
    let text = std::str::from_utf8(digits).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| "a number was expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_once_complete() {
        let stream = b"*3\r\n$7\r\nmessage\r\n$6\r\nuser-1\r\n$4\r\na\r\nb\r\n:2\r\n";
        let message = stream.len() - 4;
        for cut in 0..message {
            assert_eq!(Reply::read(&stream[..cut]), Ok(None), "cut at {cut}");
        }
        assert_eq!(Reply::read(stream), Ok(Some((Reply::Message(b"a\r\nb"), message))));
        assert_eq!(Reply::read(&stream[message..]), Ok(Some((Reply::Number(2), 4))));
        assert!(Reply::read(b"-ERR no\r\n").is_err());
    }
}
