//! The checks of a login on a well-formed token: its user, its app and its expiry.

mod support;

use rts_token::{AppKey, Expiry, Token, TokenError, inspect, privilege, verify};
use support::{APP_ID, KEY, LOGIN_VECTOR, NOW, OTHER_APP_ID, ROOM_VECTOR, UID};

fn key() -> AppKey {
    AppKey::new(KEY).expect("not empty")
}

fn expiring(expire_at: u32) -> Token {
    let expiry = if expire_at == 0 { Expiry::Never } else { Expiry::At(expire_at) };
    Token::new(APP_ID, UID, expiry).expect("well formed")
}

#[test]
fn valid_in_the_second_of_expiry_and_not_in_the_next() {
    for expire_at in [1, 1_700_086_400, u32::MAX] {
        let token = expiring(expire_at).sign(&key());
        let last = u64::from(expire_at);
        assert!(verify(&token, APP_ID, &key(), UID, last).is_ok());
        assert_eq!(
            verify(&token, APP_ID, &key(), UID, last + 1),
            Err(TokenError::Expired { expire_at, now: last + 1 }),
        );
    }
}

#[test]
fn expiry_of_zero_is_never() {
    let token = expiring(0).sign(&key());
    for now in [0, 1, NOW, u64::from(u32::MAX) + 1, u64::MAX] {
        assert!(verify(&token, APP_ID, &key(), UID, now).is_ok());
    }
}

#[test]
fn is_expired_agrees_with_verify() {
    for expire_at in [0, 1, 100, u32::MAX] {
        for now in [0, 1, 2, 99, 100, 101, u64::from(u32::MAX), u64::from(u32::MAX) + 1] {
            let token = expiring(expire_at);
            let verified = verify(&token.sign(&key()), APP_ID, &key(), UID, now);
            assert_eq!(token.is_expired(now), verified.is_err(), "{expire_at} at {now}");
        }
    }
}

#[test]
fn accepts_tokens_issued_in_the_future() {
    let token = expiring(0).with_issued_at(u32::MAX).sign(&key());
    assert!(verify(&token, APP_ID, &key(), UID, 0).is_ok());
}

#[test]
fn refuses_another_uid() {
    for uid in ["", "bob", "Alice", "alice ", "alic", "alice1"] {
        assert_eq!(
            verify(LOGIN_VECTOR, APP_ID, &key(), uid, NOW),
            Err(TokenError::UserIdMismatch),
            "{uid:?}",
        );
    }
}

#[test]
fn refuses_another_app() {
    for app_id in [OTHER_APP_ID, "", "12345678123456781234567", "1234567812345678123456781"] {
        assert_eq!(
            verify(LOGIN_VECTOR, app_id, &key(), UID, NOW),
            Err(TokenError::AppIdMismatch),
            "{app_id:?}",
        );
    }
}

#[test]
fn refuses_another_key() {
    for bytes in ["app kez", "app ke", "app key ", "App key"] {
        let other = AppKey::new(bytes).expect("not empty");
        assert_eq!(
            verify(LOGIN_VECTOR, APP_ID, &other, UID, NOW),
            Err(TokenError::SignatureMismatch),
            "{bytes:?}",
        );
    }
}

#[test]
fn refuses_token_moved_to_another_app() {
    let moved = LOGIN_VECTOR.replacen(APP_ID, OTHER_APP_ID, 1);
    assert_eq!(verify(&moved, APP_ID, &key(), UID, NOW), Err(TokenError::AppIdMismatch));
    // `verify` compares the app id itself, because the signature does not cover it.
    let unverified = inspect(&moved).expect("well formed");
    assert!(unverified.verify(&key()).is_ok());
    // Each app has its own key.
    let other = AppKey::new("key of the other app").expect("not empty");
    assert_eq!(verify(&moved, OTHER_APP_ID, &other, UID, NOW), Err(TokenError::SignatureMismatch));
}

#[test]
fn login_ignores_room_and_privileges() {
    let plain = expiring(0);
    let room = plain.clone().with_room_id("room").expect("well formed");
    let lapsed = plain.grant(privilege::PUBLISH_STREAM, 1).expect("few");
    for token in [room, lapsed] {
        assert_eq!(verify(&token.sign(&key()), APP_ID, &key(), UID, NOW), Ok(token));
    }
    assert!(verify(ROOM_VECTOR, APP_ID, &key(), UID, NOW).is_ok());
}

#[test]
fn keys_have_any_length_above_zero() {
    assert_eq!(AppKey::new("").err(), Some(TokenError::AppKeyEmpty));
    for bytes in [1, 63, 64, 65, 1000] {
        let key = AppKey::new(vec![b'k'; bytes]).expect("not empty");
        let token = expiring(0).sign(&key);
        assert!(verify(&token, APP_ID, &key, UID, NOW).is_ok());
    }
}
