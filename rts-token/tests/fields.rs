//! Fields out of bounds or out of order, under a right signature and from a minting caller alike.

mod support;

use rts_token::limits::MAX_PRIVILEGES;
use rts_token::{AppKey, Token, TokenError, inspect, privilege, verify};
use support::{APP_ID, KEY, Msg, NOW, UID, behind_length, hmac_sha256, text_of, token_of};

fn check(token: &str) -> Result<Token, TokenError> {
    let key = AppKey::new(KEY).expect("not empty");
    verify(token, APP_ID, &key, UID, NOW)
}

fn alice() -> Msg {
    Msg::for_user(UID)
}

#[test]
fn lengths_in_the_message_neither_overrun_nor_leave_a_rest() {
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
fn a_signature_has_32_bytes_and_no_other_length() {
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
fn the_signature_is_judged_before_the_fields_it_signs() {
    let mut payload = behind_length(b"no fields at all");
    payload.extend(behind_length(&[0; 32]));
    assert_eq!(check(&text_of(&payload)), Err(TokenError::SignatureMismatch));
    assert_eq!(check(&token_of(b"no fields at all")), Err(TokenError::LengthOverrun));
}

#[test]
fn privileges_strictly_ascend() {
    for (numbers, sound) in [
        (&[][..], true),
        (&[0], true),
        (&[0, 1, 2, 3, 4], true),
        (&[0, 4, 0xff, 0x100, 0xffff], true),
        (&[0, 0], false),
        (&[1, 0], false),
        (&[0, 2, 1], false),
        (&[0, 1, 2, 2], false),
        (&[0xffff, 0], false),
        // Ascending only to a reader of the wrong byte order.
        (&[0x100, 0x1], false),
    ] {
        let privileges = numbers.iter().map(|number| (*number, 9)).collect();
        let result = check(&Msg { privileges, ..alice() }.token());
        let expected = if sound { None } else { Some(TokenError::PrivilegeOrder) };
        assert_eq!(result.err(), expected, "{numbers:?}");
    }
}

#[test]
fn received_privileges_imply_nothing() {
    let token = Msg { privileges: vec![(0, 5)], ..alice() }.token();
    let read = check(&token).expect("well formed");
    assert!(read.privileges().iter().eq([(&0, &5)]));
    // So it signs back to the same text.
    assert_eq!(read.sign(&AppKey::new(KEY).expect("not empty")), token);
}

#[test]
fn granting_publish_brings_the_stream_kinds_and_later_grants_win() {
    let token = Token::new(APP_ID, UID)
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

    // Changing one of them adds none.
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
        assert!(Token::new(APP_ID, &id).is_ok(), "{id}");
    }
    let long = "u".repeat(129);
    for id in ["", " ", "a b", "a/b", "a*", "a>", "a\0", "\u{e9}", "a\u{ff0e}", &long] {
        let refused = Some(TokenError::UserIdMalformed);
        assert_eq!(check(&Msg::for_user(id).token()).err(), refused, "{id:?}");
        assert_eq!(Token::new(APP_ID, id).err(), refused, "{id:?}");
    }
    assert_eq!(check(&Msg::for_user(b"\xff").token()), Err(TokenError::UserIdMalformed));
}

#[test]
fn room_ids_keep_to_their_length_and_letters_and_may_be_empty() {
    let alice_in = |room: &[u8]| Msg { room_id: room.into(), ..alice() }.token();
    let mint = |room: &str| Token::new(APP_ID, UID)?.with_room_id(room);

    for room in ["", "r", "Room_1@x-y", "room_1@a.b-c", &"r".repeat(128)] {
        assert!(check(&alice_in(room.as_bytes())).is_ok(), "{room:?}");
        assert!(mint(room).is_ok(), "{room:?}");
    }
    for room in [" ", "a b", "a/b", "a\0", "\u{e9}", &"r".repeat(129)] {
        let refused = Err(TokenError::RoomIdMalformed);
        assert_eq!(check(&alice_in(room.as_bytes())), refused, "{room:?}");
        assert_eq!(mint(room), refused, "{room:?}");
    }
    assert_eq!(check(&alice_in(b"\xff")), Err(TokenError::RoomIdMalformed));
}

#[test]
fn minting_wants_an_app_id_of_24_letters_and_digits() {
    assert!(Token::new("ABCDEFGHabcdefgh12345678", UID).is_ok());
    for app_id in [&"a".repeat(23), &"a".repeat(25), "", "12345678123456781234567_"] {
        assert_eq!(Token::new(app_id, UID).err(), Some(TokenError::AppIdMalformed), "{app_id:?}");
    }
}
