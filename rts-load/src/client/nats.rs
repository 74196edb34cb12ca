//! NATS, with one subject for each receiver. Results are either the server's `+OK` (verbose mode),
//! or the receiver's reply to a request.

use std::io::Write as _;

use super::{Client, Heard, Role, due_ns, user};
use crate::target::{Scheme, Target};

pub(crate) struct Nats {
    number: u32,
    role: Role,
    /// The subject that the client sends to or receives from.
    subject: String,
    /// Whether results are replies.
    requests: bool,
    is_ready: bool,
    /// `+OK`s come in the order of the sends.
    last_result: u64,
}

impl Client for Nats {
    fn new(target: &Target, number: u32, role: Role) -> Self {
        let subject = role.channel(number);
        let requests = target.scheme == Scheme::NatsRequest;
        Self { number, role, subject, requests, is_ready: false, last_result: 0 }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        self.is_ready = false;
        let connect =
            format!("CONNECT {{\"verbose\":{},\"pedantic\":false}}\r\n", self.is_verbose());
        out.extend_from_slice(connect.as_bytes());
        let subscribe = match self.role {
            Role::Receiver | Role::Member => format!("SUB {} 1\r\n", self.subject),
            Role::Sender { .. } if self.requests => format!("SUB reply.{}.* 2\r\n", self.number),
            Role::Sender { .. } | Role::Speaker => String::new(),
        };
        out.extend_from_slice(subscribe.as_bytes());
        out.extend_from_slice(b"PING\r\n");
    }

    fn hear(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some(end) = input[used..].iter().position(|byte| *byte == b'\n') {
            let line = &input[used..used + end];
            let after = used + end + 1;
            match line {
                [b'M', b'S', b'G', ..] => {
                    let len = number(line.trim_ascii_end().rsplit(|byte| *byte == b' ').next())?;
                    let Some(payload) = input.get(after..after + len) else { return Ok(used) };
                    if input.len() < after + len + 2 {
                        return Ok(used);
                    }
                    self.hear_message(line, payload, out, hear)?;
                    used = after + len + 2;
                    continue;
                }
                [b'+', ..] if self.is_ready => {
                    self.last_result += 1;
                    hear(Heard::Result { id: self.last_result, code: 0 });
                }
                [b'P', b'O', ..] if !self.is_ready => {
                    self.is_ready = true;
                    hear(Heard::Ready);
                }
                [b'P', b'I', ..] => out.extend_from_slice(b"PONG\r\n"),
                [b'-', ..] => return Err(format!("nats: {}", String::from_utf8_lossy(line))),
                _ => {}
            }
            used = after;
        }
        Ok(used)
    }

    fn aim(&mut self, to: u32) {
        self.subject = user(to);
    }

    fn send(&mut self, id: u64, payload: &[u8], out: &mut Vec<u8>) {
        let (subject, number, len) = (&self.subject, self.number, payload.len());
        // Writing to memory does not fail.
        let _ = match self.requests && self.role != Role::Speaker {
            true => write!(out, "PUB {subject} reply.{number}.{id} {len}\r\n"),
            false => write!(out, "PUB {subject} {len}\r\n"),
        };
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }

    fn has_results(&self) -> bool {
        self.is_verbose() || matches!(self.role, Role::Sender { .. })
    }
}

impl Nats {
    /// Without requests, a sender needs a `+OK` for each message.
    fn is_verbose(&self) -> bool {
        !self.requests && matches!(self.role, Role::Sender { .. } | Role::Speaker)
    }

    fn hear_message(
        &self,
        line: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<(), String> {
        if matches!(self.role, Role::Sender { .. }) {
            // MSG reply.NUMBER.ID 2 0
            let subject = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            let id = number(subject.rsplit(|byte| *byte == b'.').next())? as u64;
            hear(Heard::Result { id, code: 0 });
            return Ok(());
        }
        hear(Heard::Delivered { due_ns: due_ns(payload) });
        if self.requests && self.role == Role::Receiver {
            // MSG SUBJECT 1 REPLY LENGTH
            let reply = line.split(|byte| *byte == b' ').nth(3).unwrap_or_default();
            out.extend_from_slice(b"PUB ");
            out.extend_from_slice(reply);
            out.extend_from_slice(b" 0\r\n\r\n");
        }
        Ok(())
    }
}

fn number(digits: Option<&[u8]>) -> Result<usize, String> {
    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| "nats: a number was expected".to_owned())
}
