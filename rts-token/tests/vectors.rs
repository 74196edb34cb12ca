//! The format, fixed byte for byte by two published tokens.

mod support;

use rts_token::{AppKey, Expiry, Token, TokenError, inspect, privilege, verify};
use support::{APP_ID, KEY, LOGIN_VECTOR, NOW, ROOM_VECTOR, UID};

fn login_token() -> Token {
    Token::new(APP_ID, UID, Expiry::At(1_700_086_400))
        .expect("well formed")
        .with_nonce(12_345_678)
        .with_issued_at(1_700_000_000)
}

fn room_token() -> Result<Token, TokenError> {
    Token::new(APP_ID, UID, Expiry::At(2_147_483_647))?
        .with_nonce(99_999_999)
        .with_issued_at(1_700_000_000)
        .with_room_id("room_1@a.b-c")?
        .grant(privilege::PUBLISH_STREAM, 2_147_483_647)?
        .grant(privilege::SUBSCRIBE_STREAM, 0)
}

#[test]
fn mints_the_login_vector() {
    let key = AppKey::new(KEY).expect("not empty");
    assert_eq!(login_token().sign(&key), LOGIN_VECTOR);
}

#[test]
fn mints_the_room_vector() {
    let key = AppKey::new(KEY).expect("not empty");
    assert_eq!(room_token().expect("well formed").sign(&key), ROOM_VECTOR);
}

#[test]
fn verifies_the_login_vector() {
    let key = AppKey::new(KEY).expect("not empty");
    assert_eq!(verify(LOGIN_VECTOR, APP_ID, &key, UID, NOW), Ok(login_token()));
}

#[test]
fn verifies_the_room_vector() {
    let key = AppKey::new(KEY).expect("not empty");
    assert_eq!(verify(ROOM_VECTOR, APP_ID, &key, UID, NOW), room_token());
}

#[test]
fn shows_every_field_without_a_key() {
    let unverified = inspect(ROOM_VECTOR).expect("well formed");
    let claims = unverified.claims();
    assert_eq!(claims.app_id(), APP_ID);
    assert_eq!(claims.nonce(), 99_999_999);
    assert_eq!(claims.issued_at(), 1_700_000_000);
    assert_eq!(claims.expire_at(), 2_147_483_647);
    assert_eq!(claims.room_id(), b"room_1@a.b-c");
    assert_eq!(claims.user_id(), UID);
    let forever = 2_147_483_647;
    let expected = [(0, forever), (1, forever), (2, forever), (3, forever), (4, 0)];
    assert!(claims.privileges().iter().map(|(p, e)| (*p, *e)).eq(expected));
}

#[test]
fn signature_is_checked_after_inspecting() {
    let unverified = inspect(LOGIN_VECTOR).expect("well formed");
    let key = AppKey::new(KEY).expect("not empty");
    let other = AppKey::new("another key").expect("not empty");
    assert_eq!(unverified.verify(&key), Ok(login_token()));
    assert_eq!(unverified.verify(&other), Err(TokenError::SignatureMismatch));
}
