//! Only the minted token is valid: texts that differ by a bit, a byte or a tail are refused.

mod support;

use rts_token::limits::{MAX_MSG_BYTES, MAX_TOKEN_BYTES};
use rts_token::{AppKey, Expiry, Token, TokenError, inspect, verify};
use support::{APP_ID, KEY, LOGIN_VECTOR, NOW, ROOM_VECTOR, UID};

/// The two vectors and 100 more, of every base64 padding and of many lengths.
fn valid_tokens() -> Vec<String> {
    let mut tokens = vec![LOGIN_VECTOR.to_owned(), ROOM_VECTOR.to_owned()];
    for i in 0..100u16 {
        let spread = u32::from(i).wrapping_mul(0x9e37_79b9);
        let mut token = Token::new(APP_ID, UID, Expiry::Never)
            .expect("well formed")
            .with_nonce(spread)
            .with_issued_at(spread >> 1)
            .with_room_id("r".repeat(usize::from(i % 7)))
            .expect("well formed");
        for number in 0..i % 3 {
            token = token.grant(number * i, spread).expect("few");
        }
        tokens.push(token.sign(&key()));
    }
    tokens
}

fn key() -> AppKey {
    AppKey::new(KEY).expect("not empty")
}

fn check(token: &str) -> Result<Token, TokenError> {
    verify(token, APP_ID, &key(), UID, NOW)
}

#[test]
fn refuses_every_single_bit_flip() {
    for token in valid_tokens() {
        assert!(check(&token).is_ok(), "{token}");
        for bit in 0..8 * token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A flipped top bit is not UTF-8, so such a token cannot be a `str`.
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert!(check(&flipped).is_err(), "bit {bit} of {token}");
            } else {
                assert_eq!(bit % 8, 7);
            }
        }
    }
}

#[test]
fn refuses_every_bit_flip_under_the_base64() {
    for token in [LOGIN_VECTOR, ROOM_VECTOR] {
        let payload = payload_of(token);
        assert_eq!(support::text_of(&payload), token);
        for bit in 0..8 * payload.len() {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&support::text_of(&flipped)).is_err(), "bit {bit} of {token}");
        }
    }
}

#[test]
fn refuses_every_truncation() {
    for token in valid_tokens() {
        for len in 0..token.len() {
            assert!(check(&token[..len]).is_err(), "{len} of {token}");
            assert!(inspect(&token[..len]).is_err(), "{len} of {token}");
            assert!(check(&token[token.len() - len..]).is_err(), "last {len} of {token}");
        }
    }
}

#[test]
fn refuses_every_truncation_under_the_base64() {
    for token in [LOGIN_VECTOR, ROOM_VECTOR] {
        let payload = payload_of(token);
        for len in 0..payload.len() {
            let cut = support::text_of(&payload[..len]);
            assert_eq!(check(&cut), Err(TokenError::LengthOverrun), "{len}");
        }
    }
}

#[test]
fn refuses_extension_by_any_character() {
    for token in [LOGIN_VECTOR, ROOM_VECTOR] {
        for c in (0..=0x7f).map(char::from) {
            assert!(check(&format!("{token}{c}")).is_err(), "{c:?} after {token}");
            assert!(check(&format!("{c}{token}")).is_err(), "{c:?} before {token}");
        }
        for tail in ["====", "AAAA", token, "\r\n"] {
            assert!(check(&format!("{token}{tail}")).is_err(), "{tail:?} after {token}");
        }
    }
}

#[test]
fn refuses_extension_under_the_base64() {
    for token in [LOGIN_VECTOR, ROOM_VECTOR] {
        for tail in [&[0][..], &[0, 0], &[1, 0, 0], &[0; 32]] {
            let longer = [&payload_of(token), tail].concat();
            assert_eq!(check(&support::text_of(&longer)), Err(TokenError::Rest), "{tail:?}");
        }
    }
}

#[test]
fn refuses_other_versions() {
    for version in ["000", "002", "01", "1", "", " 001", "0010", "\u{661}\u{660}"] {
        let other = LOGIN_VECTOR.replacen("001", version, 1);
        assert!(check(&other).is_err(), "{version:?}");
    }
    for text in ["", "0", "00", "002", "v01"] {
        assert_eq!(check(text), Err(TokenError::Version), "{text:?}");
    }
}

#[test]
fn refuses_malformed_app_ids_before_comparing_them() {
    let odd =
        ["12345678123456781234567_", "12345678123456781234567 ", "1234567812345678123456\u{e9}"];
    for app_id in odd {
        assert_eq!(app_id.len(), 24);
        let token = LOGIN_VECTOR.replacen(APP_ID, app_id, 1);
        let refused = verify(&token, app_id, &key(), UID, NOW);
        assert_eq!(refused, Err(TokenError::AppIdMalformed), "{app_id:?}");
    }
    // The cut at 24 bytes is inside a character.
    let split = format!("001{}\u{e9}AAA", "1".repeat(23));
    assert_eq!(check(&split), Err(TokenError::AppIdMalformed));
    assert_eq!(check("00112345678"), Err(TokenError::AppIdMalformed));
}

#[test]
fn refuses_base64_that_is_not_standard_padded_and_canonical() {
    let unpadded = LOGIN_VECTOR.trim_end_matches('=');
    // One `=` leaves two spare bits in the last letter. In `o` both are zero.
    assert!(LOGIN_VECTOR.ends_with("lUo="));
    let respelled = ["p", "q", "r"].map(|last| {
        LOGIN_VECTOR.strip_suffix("o=").map(|start| format!("{start}{last}=")).expect("ends so")
    });
    let url_safe = ROOM_VECTOR.replace('/', "_");
    assert_ne!(url_safe, ROOM_VECTOR);
    let broken = format!("{}\n{}", &LOGIN_VECTOR[..60], &LOGIN_VECTOR[60..]);

    for text in respelled.iter().map(String::as_str).chain([
        unpadded,
        &format!("{LOGIN_VECTOR}="),
        &url_safe,
        &broken,
        "001123456781234567812345678*",
    ]) {
        assert_eq!(check(text), Err(TokenError::Base64), "{text}");
        assert_eq!(inspect(text).err(), Some(TokenError::Base64), "{text}");
    }
}

#[test]
fn tokens_have_an_exact_bound() {
    let room = vec![b'r'; MAX_MSG_BYTES - 3 * 4 - 3 * 2 - 128];
    let token = Token::new(APP_ID, &"u".repeat(128), Expiry::Never)
        .and_then(|token| token.with_room_id(room))
        .expect("at the limits");
    let text = token.sign(&key());
    assert_eq!(text.len(), MAX_TOKEN_BYTES);
    assert_eq!(verify(&text, APP_ID, &key(), &"u".repeat(128), NOW), Ok(token));

    let over = Err(TokenError::TooLong { bytes: MAX_TOKEN_BYTES + 1 });
    assert_eq!(check(&format!("{text}=")), over);
    assert_eq!(check(&"0".repeat(MAX_TOKEN_BYTES + 1)), over);
    assert_eq!(check(&"0".repeat(MAX_TOKEN_BYTES)), Err(TokenError::Version));
}

fn payload_of(token: &str) -> Vec<u8> {
    support::reference::decode(&token.as_bytes()[27..]).expect("a vector")
}
