//! Payloads of a run: each names its app and the serial of its send, and its bytes follow from
//! these.

use rts_proto::Payload;

/// The shortest payload with room for app and serial.
pub(crate) const MARKED_BYTES_MIN: usize = 14;

/// The payload of a send. A shorter payload than [`MARKED_BYTES_MIN`] names only its app.
pub(crate) fn make(app: usize, serial: u64, bytes: usize, is_binary: bool) -> Payload {
    let mut content = Vec::with_capacity(bytes);
    if bytes >= MARKED_BYTES_MIN {
        content.extend_from_slice(format!("{app}:{serial:010}:").as_bytes());
    }
    let unmarked = b'a' + u8::try_from(app).unwrap_or(0);
    while content.len() < bytes {
        content.push(match (bytes < MARKED_BYTES_MIN, is_binary) {
            (true, _) => unmarked,
            // Binary payloads also contain bytes that are invalid as text, such as NUL and half of
            // a character.
            (false, true) => (serial as usize).wrapping_add(content.len()).to_le_bytes()[0],
            (false, false) => b'.',
        });
    }
    if is_binary {
        Payload::binary(content)
    } else {
        // Where there is room, a character of several bytes ends the text.
        if bytes >= MARKED_BYTES_MIN + 4 {
            content.truncate(bytes - 4);
            content.extend_from_slice("🦀".as_bytes());
        }
        Payload::text(String::from_utf8(content).unwrap_or_default())
    }
}

/// The app and the serial in a payload; `None` if it is too short to hold them.
pub(crate) fn read(bytes: &[u8]) -> Option<(usize, u64)> {
    if bytes.len() < MARKED_BYTES_MIN {
        return None;
    }
    let head = std::str::from_utf8(bytes.get(..12)?).ok()?;
    let (app, serial) = head.split_once(':')?;
    Some((app.parse().ok()?, serial.trim_end_matches(':').parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_payloads_it_made() {
        for bytes in [0, 1, 13, 14, 17, 18, 100, 65_536] {
            for is_binary in [false, true] {
                let payload = make(2, 77, bytes, is_binary);
                assert_eq!(payload.len(), bytes);
                let wanted = (bytes >= MARKED_BYTES_MIN).then_some((2, 77));
                assert_eq!(read(payload.as_bytes()), wanted);
            }
        }
    }
}
