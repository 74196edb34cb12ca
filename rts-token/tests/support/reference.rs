//! A second verifier, written from the format and not from the crate. It indexes byte slices,
//! checks base64 by encoding again, and computes HMAC from its definition. It reports no cause of a
//! refusal.

use super::{BASE64_ALPHABET, base64, hmac_sha256};

/// Whether a login with this token must succeed.
pub(crate) fn accepts(token: &[u8], app_id: &str, key: &[u8], uid: &str, now: u64) -> bool {
    accepts_or_ends(token, app_id, key, uid, now).unwrap_or(false)
}

/// `None` if required bytes are missing.
fn accepts_or_ends(token: &[u8], app_id: &str, key: &[u8], uid: &str, now: u64) -> Option<bool> {
    let well_named = app_id.len() == 24 && app_id.bytes().all(|c| c.is_ascii_alphanumeric());
    let head = [b"001", app_id.as_bytes()].concat();
    if token.get(..27)? != head || !well_named {
        return Some(false);
    }
    let payload = decode(token.get(27..)?)?;

    let msg_len = number(&payload, 0, 2)?;
    let msg = payload.get(2..2 + msg_len)?;
    // A correct tail fixes the signature's length and its bytes, and that nothing follows.
    let tail = [&[32, 0][..], &hmac_sha256(key, msg)].concat();
    if payload.get(2 + msg_len..)? != tail {
        return Some(false);
    }

    let expire_at = number(msg, 8, 4)?;
    let room_len = number(msg, 12, 2)?;
    let uid_at = 14 + room_len;
    let uid_len = number(msg, uid_at, 2)?;
    let user = msg.get(uid_at + 2..uid_at + 2 + uid_len)?;
    let count_at = uid_at + 2 + uid_len;
    let count = number(msg, count_at, 2)?;
    let list = msg.get(count_at + 2..)?;
    if list.len() != 6 * count {
        return Some(false);
    }
    let privileges: Vec<usize> =
        (0..count).map(|i| number(list, 6 * i, 2)).collect::<Option<_>>()?;

    Some(
        count <= 64
            && (1..count).all(|i| !privileges[..i].contains(&privileges[i]))
            && (1..=128).contains(&user.len())
            && user.iter().all(id_byte)
            && user == uid.as_bytes()
            && (expire_at == 0 || now <= expire_at as u64),
    )
}

fn id_byte(byte: &u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'@' | b'-' | b'.')
}

/// The little-endian number of `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    Some(bytes.get(at..at + len)?.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// Decodes without strictness, then accepts only the one text to which the result encodes.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bits = 0u32;
    let mut held = 0;
    let mut out = Vec::new();
    for c in text.iter().filter(|c| **c != b'=') {
        let value = BASE64_ALPHABET.iter().position(|letter| letter == c)?;
        bits = (bits << 6 | value as u32) & 0xfff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    (base64(&out).as_bytes() == text).then_some(out)
}
