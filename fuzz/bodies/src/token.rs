//! Login tokens.

use rts_token::{AppKey, Expiry, Token, inspect, verify};

use crate::script::Script;

const APP_ID: &str = "123456781234567812345678";
const KEY: &str = "app key";

/// The input is read as a token, and then as the fields of a token and a change to it.
///
/// Nothing panics. A token that verifies is signed again to an equal text. A token that was changed
/// anywhere does not verify.
pub fn token(data: &[u8]) {
    let key = AppKey::new(KEY).expect("not empty");
    if let Ok(text) = core::str::from_utf8(data) {
        read(text, &key);
    }
    let mut script = Script::new(data);
    let Some(token) = made_up(&mut script) else { return };
    let text = token.sign(&key);
    let now = u64::from(token.expire_at());
    assert_eq!(verify(&text, APP_ID, &key, token.user_id(), now).as_ref(), Ok(&token));
    read(&text, &key);

    let mut changed = text.clone().into_bytes();
    let at = usize::from(script.short()) % changed.len();
    if let Some(byte) = changed.get_mut(at) {
        *byte = script.byte() & 0x7F;
    }
    let changed = String::from_utf8(changed).expect("still ASCII");
    if changed != text {
        assert!(verify(&changed, APP_ID, &key, token.user_id(), now).is_err(), "{at}: {changed}");
        read(&changed, &key);
    }
}

fn read(text: &str, key: &AppKey) {
    let Ok(unverified) = inspect(text) else {
        let refused = verify(text, APP_ID, key, "alice", 0);
        assert!(refused.is_err(), "verified what cannot be read: {text}");
        return;
    };
    let claims = unverified.claims();
    let verified = verify(text, claims.app_id(), key, claims.user_id(), 0);
    assert_eq!(verified.is_ok(), unverified.verify(key).is_ok());
    if let Ok(token) = verified {
        assert_eq!(&token, claims);
        // A minted token has its privileges in order. A parsed token may not.
        let again = inspect(&token.sign(key)).expect("minted");
        assert_eq!(again.claims(), claims);
    }
}

fn made_up(script: &mut Script<'_>) -> Option<Token> {
    let uid = script.text();
    let room = script.text();
    let numbers = [script.long(), script.long(), script.long()];
    let [nonce, issued_at, expire_at] = numbers;
    let expiry = if expire_at == 0 { Expiry::Never } else { Expiry::At(expire_at) };
    let mut token = Token::new(APP_ID, uid, expiry)
        .ok()?
        .with_nonce(nonce)
        .with_issued_at(issued_at)
        .with_room_id(room)
        .ok()?;
    for _ in 0..script.byte() {
        token = token.grant(script.short(), script.long()).ok()?;
    }
    Some(token)
}
