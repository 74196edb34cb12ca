//! No printed value reveals a key, or a token for a login.

mod support;

use rts_token::{AppKey, TokenError, inspect, verify};
use support::{APP_ID, LOGIN_VECTOR, NOW, UID};

#[test]
fn a_key_prints_as_redacted() {
    let key = AppKey::new("canary").expect("not empty");
    assert_eq!(format!("{key:?}"), "AppKey(redacted)");
    assert_eq!(format!("{key:#?}"), "AppKey(redacted)");
}

#[test]
fn inspected_token_hides_message_and_signature() {
    let printed = format!("{:?}", inspect(LOGIN_VECTOR).expect("well formed"));
    assert!(printed.contains("alice"), "{printed}");
    assert!(!printed.contains("signature") && !printed.contains("msg"), "{printed}");
}

#[test]
fn errors_hold_no_text_of_the_token() {
    let key = AppKey::new("canary key").expect("not empty");
    let texts = [
        LOGIN_VECTOR.to_owned(),
        LOGIN_VECTOR.replacen("001", "canary", 1),
        LOGIN_VECTOR.replacen(APP_ID, "canarycanarycanarycanary", 1),
        format!("001{APP_ID}canary*canary"),
        support::Msg::for_user("canary").token(),
        "canary".repeat(1000),
    ];
    for text in texts {
        let error = verify(&text, APP_ID, &key, UID, NOW).expect_err("none is this key's");
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("canary") && !printed.contains("alice"), "{printed}");
    }
}

#[test]
fn error_messages_name_fault_and_remedy() {
    let expired = TokenError::Expired { expire_at: 5, now: 6 };
    assert_eq!(
        expired.to_string(),
        "token expired: it was valid through 5, and now is 6 (Unix seconds)"
    );
    assert_eq!(
        TokenError::TooLong { bytes: 90_000 }.to_string(),
        "token of 90000 bytes is too long: the largest has 87455"
    );
}
