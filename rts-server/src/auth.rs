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
        Ok(Self { apps, last_claim: AtomicU64::new(0) })
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
        let keys = self.apps.get(app_id).map(Vec::as_slice).unwrap_or_default();
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
