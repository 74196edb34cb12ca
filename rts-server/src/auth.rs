//! Whether a token is good.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rts_proto::LoginCode;
use rts_proto::server::{Credentials, Verdict};
use rts_token::AppKey;
use rts_transport_tokio::Authenticate;

use crate::explain::explain;
use crate::{Config, ConfigError};

/// Checks tokens of version 001 against the keys of the configured apps.
#[derive(Debug)]
pub struct TokenAuthenticator {
    apps: BTreeMap<String, Vec<AppKey>>,
    /// A key that nobody has, for apps that there are not: a stranger is not to learn from the time of an answer which apps
    /// there are.
    of_nobody: [AppKey; 1],
    last_claim: AtomicU64,
}

impl TokenAuthenticator {
    /// For the apps of a configuration.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut apps = BTreeMap::new();
        for (id, app) in &config.apps {
            let keys: Result<Vec<_>, _> = app.keys.iter().map(AppKey::new).collect();
            let keys = keys.map_err(|error| ConfigError::Value {
                key: format!("apps.{id}.keys"),
                what: error.to_string(),
            })?;
            apps.insert(id.clone(), keys);
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| ConfigError::Value {
            key: "apps".to_owned(),
            what: format!("the system has no random numbers: {error}"),
        })?;
        let of_nobody = [AppKey::new(random).expect("it is not empty")];
        Ok(Self { apps, of_nobody, last_claim: AtomicU64::new(0) })
    }

    /// Never none.
    fn keys(&self, app_id: &str) -> &[AppKey] {
        self.apps.get(app_id).map_or(&self.of_nobody, Vec::as_slice)
    }

    /// Microseconds of Unix time, and greater than any before, also when the clock goes back.
    fn next_claim(&self, since_epoch_micros: u64) -> u64 {
        let step = |last: u64| Some(since_epoch_micros.max(last.saturating_add(1)));
        match self.last_claim.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => since_epoch_micros.max(last.saturating_add(1)),
        }
    }
}

impl Authenticate for TokenAuthenticator {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        let Ok(since_epoch) = SystemTime::now().duration_since(UNIX_EPOCH) else {
            return Verdict::Refuse(LoginCode::ServerError);
        };
        let token = std::str::from_utf8(&credentials.token).unwrap_or("");
        let (app_id, uid) = (credentials.app_id.as_str(), credentials.uid.as_str());
        let keys = self.keys(app_id);
        let now = since_epoch.as_secs();
        let is_good =
            keys.iter().any(|key| rts_token::verify(token, app_id, key, uid, now).is_ok());
        if is_good {
            let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
            Verdict::Accept { claim: self.next_claim(micros) }
        } else {
            Verdict::Refuse(LoginCode::InvalidToken)
        }
    }

    fn explain(&self, credentials: &Credentials) -> String {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since_epoch) => explain(&self.apps, credentials, since_epoch.as_secs()),
            Err(_) => "this machine's clock is before 1970".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rts_proto::{AppId, UserId};
    use rts_token::Token;

    use super::*;

    const APP: &str = "123456781234567812345678";
    const OTHER: &str = "abcdefghabcdefghabcdefgh";

    fn verdict(authenticator: &TokenAuthenticator, app_id: &str, key: &str) -> Verdict {
        let token = Token::new(app_id, "alice").expect("ids").sign(&AppKey::new(key).expect("one"));
        authenticator.authenticate(&Credentials {
            app_id: AppId::new(app_id).expect("24 characters"),
            uid: UserId::new("alice").expect("a user"),
            token: Bytes::from(token),
        })
    }

    #[test]
    fn a_token_of_an_app_that_there_is_not_is_checked_and_refused_like_a_bad_one() {
        let text = format!("listen = \"127.0.0.1:0\"\n[apps.{APP}]\nkeys = \"app key\"");
        let config = Config::parse(&text).expect("it can be used");
        let authenticator = TokenAuthenticator::new(&config).expect("keys");
        assert!(matches!(verdict(&authenticator, APP, "app key"), Verdict::Accept { .. }));
        for (app_id, key) in [(APP, "other key"), (OTHER, "app key"), (OTHER, "other key")] {
            let refused = Verdict::Refuse(LoginCode::InvalidToken);
            assert_eq!(verdict(&authenticator, app_id, key), refused, "{app_id} {key}");
        }
        for app_id in [APP, OTHER] {
            assert_eq!(authenticator.keys(app_id).len(), 1, "a signature is computed");
        }
    }
}
