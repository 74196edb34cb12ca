//! The client side of WebSocket (RFC 6455), as far as a load test needs it.

/// The longest head of a frame: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
/// A client must mask. A mask of zero is valid, and leaves the bytes as they are.
const MASK: [u8; 4] = [0; 4];

/// A byte stream in binary messages, one for each turn.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    path: String,
    protocol: &'static str,
    is_upgraded: bool,
    /// The bytes to send at the end of the turn.
    pub(crate) said: Vec<u8>,
    /// The received stream, without the heads of its messages.
    pub(crate) arrived: Vec<u8>,
}

impl Layer {
    pub(crate) fn new(path: &str, protocol: &'static str) -> Self {
        Self { path: path.to_owned(), protocol, ..Self::default() }
    }

    pub(crate) fn open(&mut self, out: &mut Vec<u8>) {
        self.is_upgraded = false;
        self.said.clear();
        self.arrived.clear();
        out.extend_from_slice(upgrade(&self.path, self.protocol).as_bytes());
    }

    pub(crate) fn hear(&mut self, input: &[u8]) -> Result<usize, String> {
        let mut used = 0;
        if !self.is_upgraded {
            used = upgraded(input)?;
            if used == 0 {
                return Ok(0);
            }
            self.is_upgraded = true;
        }
        while let Some((payload, len)) = message(&input[used..])? {
            self.arrived.extend_from_slice(payload);
            used += len;
        }
        Ok(used)
    }

    /// Until the upgrade is answered, nothing else may be sent: it waits in `said`.
    pub(crate) fn end_burst(&mut self, out: &mut Vec<u8>) {
        if self.is_upgraded && !self.said.is_empty() {
            put_message(out, &self.said);
            self.said.clear();
        }
    }

    /// Whether bytes wait to be sent.
    pub(crate) fn owes(&self) -> bool {
        self.is_upgraded && !self.said.is_empty()
    }
}

/// The request that turns HTTP into WebSocket.
pub(crate) fn upgrade(path: &str, protocol: &str) -> String {
    let protocol = match protocol {
        "" => String::new(),
        name => format!("Sec-WebSocket-Protocol: {name}\r\n"),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {protocol}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The length of the answer to [`upgrade`]; 0 while it is incomplete.
pub(crate) fn upgraded(input: &[u8]) -> Result<usize, String> {
    let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(0) };
    if !input.starts_with(b"HTTP/1.1 101") {
        let line = input.split(|byte| *byte == b'\r').next().unwrap_or_default();
        return Err(format!("no WebSocket there: {}", String::from_utf8_lossy(line)));
    }
    Ok(end + 4)
}

/// Writes one binary message.
pub(crate) fn put_message(out: &mut Vec<u8>, payload: &[u8]) {
    out.reserve(HEAD_BYTES_MAX + payload.len());
    out.push(BINARY);
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend_from_slice(payload);
}

/// The next message of a server, and its length with its head. A ping is ignored: the load's
/// traffic shows the servers that it is alive.
pub(crate) fn message(input: &[u8]) -> Result<Option<(&[u8], usize)>, String> {
    let &[first, second, ..] = input else { return Ok(None) };
    let (len, head): (usize, usize) = match second & 0x7F {
        126 => match input.get(2..4).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => (usize::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        127 => match input.get(2..10).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => (u64::from_be_bytes(*bytes) as usize, 10),
            None => return Ok(None),
        },
        len => (usize::from(len), 2),
    };
    let Some(payload) = input.get(head..head.saturating_add(len)) else { return Ok(None) };
    match first & 0x0F {
        CLOSE => Err("the server closed the WebSocket".to_owned()),
        PING => Ok(Some((&[], head + len))),
        _ => Ok(Some((payload, head + len))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lengths_of_all_three_forms() {
        for (len, head) in [(0, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let mut out = Vec::new();
            put_message(&mut out, &vec![1; len]);
            assert_eq!(out.len(), head + len);
        }
    }

    #[test]
    fn reads_lengths_of_all_three_forms_once_complete() {
        for len in [0_usize, 125, 126, 65_535, 65_536] {
            let mut stream = vec![BINARY];
            match len {
                0..126 => stream.push(len as u8),
                126..65_536 => stream.extend([126, (len >> 8) as u8, len as u8]),
                _ => {
                    stream.push(127);
                    stream.extend((len as u64).to_be_bytes());
                }
            }
            stream.resize(stream.len() + len, 7);
            let (payload, total) = message(&stream).expect("well formed").expect("whole");
            assert_eq!((payload.len(), total), (len, stream.len()));
            assert_eq!(message(&stream[..stream.len() - 1]), Ok(None));
        }
    }
}
