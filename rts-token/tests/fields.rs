//! Fields out of bounds or out of order, both under a correct signature and from a minting caller.

mod support;

use rts_token::limits::{MAX_MSG_BYTES, MAX_PRIVILEGES};
use rts_token::{AppKey, Expiry, Token, TokenError, inspect, privilege, verify};
use support::{APP_ID, KEY, Msg, NOW, UID, behind_length, hmac_sha256, text_of, token_of};

fn check(token: &str) -> Result<Token, TokenError> {
    let key = AppKey::new(KEY).expect("not empty");
    verify(token, APP_ID, &key, UID, NOW)
}

fn alice() -> Msg {
    Msg::for_user(UID)
}

#[test]
fn refuses_lengths_that_overrun_or_leave_bytes() {
    let msg = Msg { privileges: vec![(1, 2), (3, 4)], room_id: b"room".into(), ..alice() }.bytes();
    assert!(check(&token_of(&msg)).is_ok());
    for len in 0..msg.len() {
        assert_eq!(check(&token_of(&msg[..len])), Err(TokenError::LengthOverrun), "{len}");
    }
    for tail in [&[0][..], &[0; 6], b"x"] {
        let longer = [&msg, tail].concat();
        assert_eq!(check(&token_of(&longer)), Err(TokenError::Rest), "{tail:?}");
        assert_eq!(inspect(&token_of(&longer)).err(), Some(TokenError::Rest), "{tail:?}");
    }
}

#[test]
fn a_privilege_count_matches_its_list() {
    let mut msg = Msg { privileges: vec![(1, 2), (3, 4)], ..alice() }.bytes();
    let count_at = msg.len() - 2 * 6 - 2;
    for (count, expected) in [
        (1, Err(TokenError::Rest)),
        (2, Ok(())),
        (3, Err(TokenError::LengthOverrun)),
        (64, Err(TokenError::LengthOverrun)),
        (65, Err(TokenError::TooManyPrivileges)),
        (u16::MAX, Err(TokenError::TooManyPrivileges)),
    ] {
        msg[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
        assert_eq!(check(&token_of(&msg)).map(drop), expected, "{count}");
    }
}

#[test]
fn signature_has_exactly_32_bytes() {
    let msg = alice().bytes();
    let whole = hmac_sha256(KEY, &msg);
    let with =
        |signature: &[u8]| text_of(&[behind_length(&msg), behind_length(signature)].concat());
    assert!(check(&with(&whole)).is_ok());
    for bytes in 0..32 {
        let refused = Err(TokenError::SignatureLength { bytes });
        assert_eq!(check(&with(&whole[..bytes])), refused);
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(check(&with(&longer)), Err(TokenError::SignatureLength { bytes: 33 }));
}

#[test]
fn signature_is_checked_before_the_fields() {
    let mut payload = behind_length(b"no fields at all");
    payload.extend(behind_length(&[0; 32]));
    assert_eq!(check(&text_of(&payload)), Err(TokenError::SignatureMismatch));
    assert_eq!(check(&token_of(b"no fields at all")), Err(TokenError::LengthOverrun));
}

#[test]
fn privileges_come_in_any_order_and_each_once() {
    for (numbers, sound) in [
        (&[][..], true),
        (&[0], true),
        (&[0, 1, 2, 3, 4], true),
        (&[0, 4, 0xff, 0x100, 0xffff], true),
        (&[0, 0], false),
        (&[1, 0], true),
        (&[4, 0, 2, 1], true),
        (&[0, 1, 2, 2], false),
        (&[2, 1, 2], false),
        (&[0xffff, 0], true),
        (&[0x100, 0x1], true),
    ] {
        let privileges = numbers.iter().map(|number| (*number, 9)).collect();
        let result = check(&Msg { privileges, ..alice() }.token());
        let expected = if sound { None } else { Some(TokenError::PrivilegeTwice) };
        assert_eq!(result.err(), expected, "{numbers:?}");
    }
}

#[test]
fn received_privileges_imply_nothing() {
    let token = Msg { privileges: vec![(0, 5)], ..alice() }.token();
    let read = check(&token).expect("well formed");
    assert!(read.privileges().iter().eq([(&0, &5)]));
    // So signing it again gives the same text.
    assert_eq!(read.sign(&AppKey::new(KEY).expect("not empty")), token);
}

#[test]
fn a_privilege_keeps_its_expiry_whatever_the_order() {
    let token = Msg { privileges: vec![(4, 5), (0, 9), (2, 7)], ..alice() }.token();
    let read = check(&token).expect("well formed");
    assert!(read.privileges().iter().eq([(&0, &9), (&2, &7), (&4, &5)]));
    let unverified = inspect(&token).expect("well formed");
    let key = AppKey::new(KEY).expect("not empty");
    assert_eq!(unverified.verify(&key), Ok(read), "the signature is over the bytes as they came");
}

#[test]
fn publish_grants_the_stream_kinds() {
    let token = Token::new(APP_ID, UID, Expiry::Never)
        .and_then(|token| token.grant(privilege::PUBLISH_DATA_STREAM, 1))
        .and_then(|token| token.grant(privilege::PUBLISH_STREAM, 2))
        .and_then(|token| token.grant(privilege::PUBLISH_AUDIO_STREAM, 3))
        .expect("few");
    assert!(token.privileges().iter().eq([(&0, &2), (&1, &3), (&2, &2), (&3, &2)]));
}

#[test]
fn a_token_carries_64_privileges_and_not_65() {
    let numbers = |count: usize| (100..).take(count).map(|number| (number, 0));
    let full = Msg { privileges: numbers(MAX_PRIVILEGES).collect(), ..alice() };
    let over = Msg { privileges: numbers(MAX_PRIVILEGES + 1).collect(), ..alice() };
    let token = check(&full.token()).expect("at the limit");
    assert_eq!(check(&over.token()), Err(TokenError::TooManyPrivileges));

    // A change of one of them adds none.
    assert!(token.clone().grant(100, 7).is_ok());
    assert_eq!(token.grant(privilege::PUBLISH_STREAM, 7), Err(TokenError::TooManyPrivileges));
}

#[test]
fn user_ids_keep_to_their_length_and_letters() {
    let good = ["a", "A-z_0@9.", ".", "@", &"u".repeat(128)].map(str::to_owned);
    for id in good {
        let token = Msg::for_user(&id).token();
        let key = AppKey::new(KEY).expect("not empty");
        assert!(verify(&token, APP_ID, &key, &id, NOW).is_ok(), "{id}");
        assert!(Token::new(APP_ID, &id, Expiry::Never).is_ok(), "{id}");
    }
    let long = "u".repeat(129);
    for id in ["", " ", "a b", "a/b", "a*", "a>", "a\0", "\u{e9}", "a\u{ff0e}", &long] {
        let refused = Some(TokenError::UserIdMalformed);
        assert_eq!(check(&Msg::for_user(id).token()).err(), refused, "{id:?}");
        assert_eq!(Token::new(APP_ID, id, Expiry::Never).err(), refused, "{id:?}");
    }
    assert_eq!(check(&Msg::for_user(b"\xff").token()), Err(TokenError::UserIdMalformed));
}

#[test]
fn a_room_id_is_any_bytes() {
    let long = "r".repeat(200);
    for room in ["", "r", "room_1@a.b-c", "*", " ", "a b", "a/b", "a\0\n", "\u{e9}", &long] {
        let text = Msg { room_id: room.into(), ..alice() }.token();
        let read = check(&text).expect("login ignores it");
        assert_eq!(read.room_id(), room.as_bytes());
        let minted =
            Token::new(APP_ID, UID, Expiry::Never).and_then(|token| token.with_room_id(room));
        assert_eq!(minted.expect("any bytes").room_id(), room.as_bytes());
    }
    let text = Msg { room_id: b"\xff\x00\xfe".into(), ..alice() }.token();
    assert_eq!(check(&text).expect("login ignores it").room_id(), b"\xff\x00\xfe");
}

#[test]
fn messages_have_an_exact_bound_of_fields() {
    // Three numbers, three lengths, the user id.
    let most = MAX_MSG_BYTES - 3 * 4 - 3 * 2 - UID.len();
    let full = Msg { room_id: vec![b'r'; most], ..alice() };
    let token = check(&full.token()).expect("at the limit");
    assert_eq!(token.sign(&AppKey::new(KEY).expect("not empty")), full.token());

    let over = Err(TokenError::MessageTooLong { bytes: MAX_MSG_BYTES + 1 });
    assert_eq!(token.clone().with_room_id(vec![b'r'; most + 1]), over);
    let over = Err(TokenError::MessageTooLong { bytes: MAX_MSG_BYTES + 6 });
    assert_eq!(token.grant(privilege::SUBSCRIBE_STREAM, 0), over);
}

#[test]
fn token_without_end_must_be_requested() {
    let new = |expiry| Token::new(APP_ID, UID, expiry);
    assert_eq!(new(Expiry::At(0)), Err(TokenError::ExpiryZero));
    assert_eq!(new(Expiry::Never).map(|token| token.expire_at()), Ok(0));
    assert_eq!(new(Expiry::At(1)).map(|token| token.expire_at()), Ok(1));
}

#[test]
fn minting_requires_a_valid_app_id() {
    assert!(Token::new("ABCDEFGHabcdefgh12345678", UID, Expiry::Never).is_ok());
    for app_id in [&"a".repeat(23), &"a".repeat(25), "", "12345678123456781234567_"] {
        assert_eq!(
            Token::new(app_id, UID, Expiry::Never).err(),
            Some(TokenError::AppIdMalformed),
            "{app_id:?}"
        );
    }
}
