//! The bytes that stand for secrets and payloads in a trace.

use sha2::{Digest as _, Sha256};

/// A pseudonym, byte by byte. Each byte depends on all bytes so far and on the salt. So equal keys
/// stay equal, different keys stay different, and a pseudonym does not reveal its key.
pub(crate) struct Chain {
    state: [u8; 32],
}

impl Chain {
    pub(crate) fn new(salt: &[u8; 32]) -> Self {
        Self { state: *salt }
    }

    pub(crate) fn next(&mut self, byte: u8) -> u8 {
        let mut hash = Sha256::new();
        hash.update(self.state);
        hash.update([byte]);
        self.state = hash.finalize().into();
        self.state[0]
    }
}

/// A letter of base64 that stands for this byte of a token.
pub(crate) fn letter(byte: u8) -> u8 {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    LETTERS[usize::from(byte & 63)]
}

/// Like [`same_class`], and also for checks of control characters. In UTF-8 these are below 0x20,
/// 0x7F, and 0xC2 followed by 0x80 to 0x9F.
pub(crate) fn same_class_and_control(byte: u8) -> u8 {
    match byte {
        0x00..=0x1F | 0x7F => 0x01,
        _ => same_class(byte),
    }
}

/// The byte that stands for all bytes that a check of UTF-8 treats alike.
pub(crate) fn same_class(byte: u8) -> u8 {
    match byte {
        0x00..=0x7F => b'x',
        0x80..=0x8F => 0x80,
        0x90..=0x9F => 0x90,
        0xA0..=0xBF => 0xA0,
        0xC3..=0xDF => 0xC3,
        0xE1..=0xEC | 0xEE..=0xEF => 0xE1,
        0xF1..=0xF3 => 0xF1,
        0xC2 | 0xE0 | 0xED | 0xF0 | 0xF4 => byte,
        0xC0..=0xC1 | 0xF5..=0xFF => 0xFF,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn filler_is_utf8_exactly_if_the_text_was(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..12),
                any::<String>().prop_map(String::into_bytes),
                (any::<String>(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
                    let mut bytes = text.into_bytes();
                    bytes.truncate(at.index(bytes.len() + 1));
                    bytes
                }),
            ]
        ) {
            let filler: Vec<u8> = bytes.iter().map(|byte| same_class(*byte)).collect();
            prop_assert_eq!(str::from_utf8(&filler).is_ok(), str::from_utf8(&bytes).is_ok());
            let filler: Vec<u8> = bytes.iter().map(|byte| same_class_and_control(*byte)).collect();
            let has_control = |bytes| str::from_utf8(bytes).map(|text| text.chars().any(char::is_control));
            prop_assert_eq!(has_control(&filler).ok(), has_control(&bytes).ok());
        }
    }
}
