//! One batch at a time, again and again until it is taken.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use rts_proto::AppId;
use sha2::Sha256;

use super::Timing;
use super::queue::Queue;
use crate::ConfigError;
use crate::app_server::tls::client_config;

/// The header that shows that a post is ours: `t=<Unix seconds>,app=<app id>,v1=<signature>`, where the signature is the
/// HMAC-SHA256 of the text before `,v1`, a line feed, and the body.
const SIGNATURE: &str = "rts-signature";

/// Posts the events of one app.
pub(super) struct Poster {
    app_id: AppId,
    url: Url,
    secret: String,
    timing: Timing,
    http: Client,
}

/// Shows no secret; a url may hold one as well.
impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl Poster {
    pub(super) fn new(
        app_id: &AppId,
        url: Url,
        secret: &str,
        timing: Timing,
    ) -> Result<Self, ConfigError> {
        let unusable =
            |what: String| ConfigError::Value { key: format!("apps.{app_id}.webhook"), what };
        // As for the app's server: certificates that the system trusts.
        let tls = (*client_config(app_id.as_str(), None)?).clone();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(timing.post_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self { app_id: app_id.clone(), url, secret: secret.to_owned(), timing, http })
    }

    pub(super) async fn run(self, queue: &Queue) {
        let mut failures = 0;
        loop {
            let batch = queue.batch().await;
            match self.post(batch.json(&self.app_id, queue.run)).await {
                Ok(()) => {
                    queue.taken(&batch);
                    failures = 0;
                }
                Err(why) => {
                    failures += 1;
                    let wait = self.wait(failures);
                    // The first is worth a line; the rest is more of the same.
                    if failures == 1 {
                        tracing::warn!(app = %self.app_id, why, "the webhook does not take events");
                    } else {
                        tracing::debug!(app = %self.app_id, why, failures, "nor now");
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Every status from 200 to 299 means that the events are taken. The answer's body is not read.
    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |s| s.as_secs());
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature(&self.secret, &self.app_id, seconds, &body))
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
            // The url may hold a secret.
            Err(error) => Err(error.without_url().to_string()),
        }
    }

    /// From half to the whole of what doubles each time.
    fn wait(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.timing.wait_first.saturating_mul(doubled).min(self.timing.wait_max);
        let part = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        whole / 2 + (whole / 2).mul_f64(part)
    }
}

pub(super) fn signature(secret: &str, app_id: &AppId, seconds: u64, body: &[u8]) -> String {
    let signed = format!("t={seconds},app={app_id}");
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("HMAC takes keys of any length").chain_update(&signed).chain_update("\n");
    let bytes = mac.chain_update(body).finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{signed},v1={hex}")
}
