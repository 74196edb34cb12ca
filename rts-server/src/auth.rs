//! The check of tokens at login.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rts_proto::server::{Credentials, Verdict};
use rts_proto::{AppId, LoginCode};
use rts_token::{AppKey, Token};
use rts_transport_tokio::server::Authenticate;

use crate::cluster::ClusterClock;
use crate::expiry::moment;
use crate::explain::explain;
use crate::state::State;
use crate::{Config, ConfigError};

/// Checks tokens of version 001 against the keys of the configured apps.
#[derive(Debug)]
pub struct TokenAuthenticator {
    apps: BTreeMap<AppId, Vec<AppKey>>,
    /// A random key, used for apps that do not exist. A signature is then computed in any case, so
    /// the time of an answer does not reveal which apps exist.
    decoy_keys: [AppKey; 1],
    last_claim: AtomicU64,
    /// What claims come from.
    clock: Arc<ClusterClock>,
    state: Arc<State>,
}

impl TokenAuthenticator {
    /// Creates an authenticator for the apps of a configuration. No token is revoked.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::with_state(config, Arc::default(), Arc::default())
    }

    pub(crate) fn with_state(
        config: &Config,
        state: Arc<State>,
        clock: Arc<ClusterClock>,
    ) -> Result<Self, ConfigError> {
        let mut apps = BTreeMap::new();
        for (id, app) in &config.apps {
            let keys =
                app.keys.iter().map(|key| AppKey::new(key.expose()).expect("it is not empty"));
            apps.insert(id.clone(), keys.collect());
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| ConfigError::Value {
            key: "apps".to_owned(),
            what: format!("the system has no random numbers: {error}"),
        })?;
        let decoy_keys = [AppKey::new(random).expect("it is not empty")];
        Ok(Self { apps, decoy_keys, last_claim: AtomicU64::new(0), clock, state })
    }

    /// The keys of the app. Never empty.
    fn keys(&self, app_id: &str) -> &[AppKey] {
        self.apps.get(app_id).map_or(&self.decoy_keys, Vec::as_slice)
    }

    /// Microseconds of Unix time. Greater than any earlier value, even if the clock goes back.
    fn next_claim(&self, since_epoch_micros: u64) -> u64 {
        let step = |last: u64| Some(since_epoch_micros.max(last.saturating_add(1)));
        match self.last_claim.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => since_epoch_micros.max(last.saturating_add(1)),
        }
    }

    /// The content of the token, if it is valid. Revocations are not checked here.
    fn signed(&self, credentials: &Credentials, unix_now: u64) -> Option<Token> {
        let token = std::str::from_utf8(&credentials.token).unwrap_or("");
        let (app_id, uid) = (credentials.app_id.as_str(), credentials.uid.as_str());
        self.keys(app_id)
            .iter()
            .find_map(|key| rts_token::verify(token, app_id, key, uid, unix_now).ok())
    }
}

impl Authenticate for TokenAuthenticator {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        let Ok(since_epoch) = SystemTime::now().duration_since(UNIX_EPOCH) else {
            return Verdict::Refuse(LoginCode::ServerError);
        };
        let Some(token) = self.signed(credentials, since_epoch.as_secs()) else {
            return Verdict::Refuse(LoginCode::InvalidToken);
        };
        let issued_at = token.issued_at();
        if issued_at < self.state.revoked_before(&credentials.app_id, &credentials.uid) {
            return Verdict::Refuse(LoginCode::InvalidToken);
        }
        Verdict::Accept { claim: self.next_claim(self.clock.now()), issued_at }
    }

    fn explain(&self, credentials: &Credentials) -> String {
        let Ok(since_epoch) = SystemTime::now().duration_since(UNIX_EPOCH) else {
            return "this machine's clock is before 1970".to_owned();
        };
        let unix_now = since_epoch.as_secs();
        match self.signed(credentials, unix_now) {
            Some(token) => {
                let before = self.state.revoked_before(&credentials.app_id, &credentials.uid);
                let issued_at = token.issued_at();
                let [issued, from] = [issued_at, before].map(|at| moment(at.into()));
                format!(
                    "token revoked: issued at {issued}, and good are those issued from {from} on"
                )
            }
            None => explain(&self.apps, credentials, unix_now),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rts_proto::UserId;
    use rts_token::{Expiry, Token};

    use super::*;

    const APP: &str = "123456781234567812345678";
    const OTHER: &str = "abcdefghabcdefghabcdefgh";

    fn verdict(authenticator: &TokenAuthenticator, app_id: &str, key: &str) -> Verdict {
        let token = Token::new(app_id, "alice", Expiry::Never)
            .expect("ids")
            .sign(&AppKey::new(key).expect("a key"));
        authenticator.authenticate(&Credentials {
            app_id: AppId::new(app_id).expect("24 characters"),
            uid: UserId::new("alice").expect("a user"),
            token: Bytes::from(token),
        })
    }

    fn config() -> Config {
        let text = format!("listen = \"127.0.0.1:0\"\n[apps.{APP}]\nkeys = \"app key\"");
        Config::parse(&text).expect("a valid configuration")
    }

    /// Else the claim of another node would be in the future here, and count for nothing.
    #[test]
    fn claims_come_from_the_clock_of_the_cluster() {
        let clock = Arc::new(ClusterClock::default());
        let of_fast_node = clock.now() + 3_600_000_000;
        clock.heard(of_fast_node);
        let authenticator = TokenAuthenticator::with_state(&config(), Arc::default(), clock);
        match verdict(&authenticator.expect("keys"), APP, "app key") {
            Verdict::Accept { claim, .. } => assert!(claim >= of_fast_node, "{claim}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unknown_app_is_refused_like_bad_token() {
        let config = config();
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
