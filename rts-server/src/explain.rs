//! Why a token is refused, for the log. The client does not learn the reason.

use std::collections::BTreeMap;

use rts_proto::AppId;
use rts_proto::server::Credentials;
use rts_token::{AppKey, TokenError, inspect, verify};

use crate::expiry::moment;

/// Most apps whose keys are compared with the signature of a token.
const SIGNERS_TRIED_MAX: usize = 100;

/// What is wrong with a token, and, where that helps, which user and app it belongs to. The text
/// contains no part of the token except ids.
pub(crate) fn explain(
    apps: &BTreeMap<AppId, Vec<AppKey>>,
    credentials: &Credentials,
    unix_now: u64,
) -> String {
    let (app_id, uid) = (credentials.app_id.as_str(), credentials.uid.as_str());
    let Some(keys) = apps.get(app_id) else {
        return "unknown app: the configuration of this server has no app with this id".to_owned();
    };
    let Ok(token) = std::str::from_utf8(&credentials.token) else {
        return "the token is not text".to_owned();
    };
    let flaws = keys.iter().filter_map(|key| verify(token, app_id, key, uid, unix_now).err());
    // The app may have two keys. The flaw under the key that signed the token is the relevant one.
    let flaw = flaws.reduce(|first, second| match first {
        TokenError::SignatureMismatch => second,
        first => first,
    });
    let claims = || inspect(token).map(|unverified| unverified.claims().clone());
    match (flaw, claims()) {
        (Some(TokenError::AppIdMismatch), Ok(claims)) => {
            format!("token of another app, {}", claims.app_id())
        }
        (Some(TokenError::UserIdMismatch), Ok(claims)) => {
            format!("token of another user, {}", claims.user_id())
        }
        (Some(flaw @ TokenError::SignatureMismatch), Ok(_)) => match signer(apps, token) {
            Some(other) => format!("token signed with the key of another app, {other}"),
            None => flaw.to_string(),
        },
        (Some(TokenError::Expired { expire_at, .. }), _) => {
            let last = moment(expire_at.into());
            format!("token expired: it was valid until {last}; the app's back end issues a new one")
        }
        (Some(flaw), _) => flaw.to_string(),
        (None, _) => "the token could not be checked".to_owned(),
    }
}

/// The app whose key signed the token, among the first [`SIGNERS_TRIED_MAX`]. Strangers choose how
/// often this search runs, and it takes CPU time from users who are logged in.
fn signer<'a>(apps: &'a BTreeMap<AppId, Vec<AppKey>>, token: &str) -> Option<&'a str> {
    let unverified = inspect(token).ok()?;
    let mut signers = apps
        .iter()
        .take(SIGNERS_TRIED_MAX)
        .filter(|(_, keys)| keys.iter().any(|key| unverified.verify(key).is_ok()));
    signers.next().map(|(id, _)| id.as_str())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rts_proto::UserId;
    use rts_token::{Expiry, Token};

    use super::*;

    const APP: &str = "123456781234567812345678";
    const OTHER_APP: &str = "abcdefghabcdefghabcdefgh";
    const NOW: u64 = 1_700_000_000;

    fn app(id: &str) -> AppId {
        AppId::new(id).expect("well formed")
    }

    fn key(text: &str) -> AppKey {
        AppKey::new(text).expect("not empty")
    }

    /// The explanation for alice's login with this token, under two keys of her app.
    fn said(app_id: &str, token: &[u8]) -> String {
        let apps = BTreeMap::from([
            (app(APP), vec![key("new key"), key("old key")]),
            (app(OTHER_APP), vec![key("other key")]),
        ]);
        let credentials = Credentials {
            app_id: app(app_id),
            uid: UserId::new("alice").expect("well formed"),
            token: Bytes::copy_from_slice(token),
        };
        explain(&apps, &credentials, NOW)
    }

    fn signed(app_id: &str, uid: &str, expire_at: u32, with: &str) -> String {
        let expiry = if expire_at == 0 { Expiry::Never } else { Expiry::At(expire_at) };
        let token = Token::new(app_id, uid, expiry).expect("well formed");
        token.sign(&key(with))
    }

    #[test]
    fn names_each_flaw_under_either_key() {
        for with in ["new key", "old key"] {
            let of =
                |app_id, uid, expire_at| said(APP, signed(app_id, uid, expire_at, with).as_bytes());
            assert!(
                of(APP, "alice", 1)
                    .starts_with("token expired: it was valid until 1970-01-01T00:00:01Z;")
            );
            assert_eq!(of(APP, "bob", 0), "token of another user, bob");
            assert_eq!(of(OTHER_APP, "alice", 0), format!("token of another app, {OTHER_APP}"));
        }
        let unknown = signed(APP, "alice", 0, "some key");
        assert!(said(APP, unknown.as_bytes()).starts_with("the signature does not match"));
        let others = signed(APP, "alice", 0, "other key");
        let expected = format!("token signed with the key of another app, {OTHER_APP}");
        assert_eq!(said(APP, others.as_bytes()), expected);
        assert!(said(&"0".repeat(24), unknown.as_bytes()).starts_with("unknown app"));
        assert_eq!(said(APP, b"\xff"), "the token is not text");
        assert!(said(APP, b"002").starts_with("token of an unknown version"));
        assert!(said(APP, b"").starts_with("token of an unknown version"));
    }

    #[test]
    fn compares_keys_of_bounded_number_of_apps() {
        let id = |number: usize| format!("{number:024}");
        let apps: BTreeMap<_, _> =
            (0..1_000).map(|n| (app(&id(n)), vec![key(&format!("key {n}"))])).collect();
        let said = |signs: usize| {
            let (app_id, uid) = (app(&id(999)), UserId::new("alice").expect("well formed"));
            let token = Bytes::from(signed(&id(999), "alice", 0, &format!("key {signs}")));
            explain(&apps, &Credentials { app_id, uid, token }, NOW)
        };
        for signs in [0, 99] {
            assert_eq!(
                said(signs),
                format!("token signed with the key of another app, {}", id(signs))
            );
        }
        assert!(said(100).starts_with("the signature does not match"), "{}", said(100));
    }

    #[test]
    fn shows_no_secret() {
        let good = signed(APP, "alice", 1, "new key");
        let cut = &good[..good.len() - 5];
        for token in [good.as_str(), cut, "001secret-text-of-a-stranger-with-a-key-in-it"] {
            let said = said(APP, token.as_bytes());
            assert!(!said.contains("key-in-it") && !said.contains("new key"), "{said}");
            assert!(!said.contains(&good[40..60]), "{said}");
        }
    }
}
