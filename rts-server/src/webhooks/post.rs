//! Posts one batch at a time, and repeats it until it is taken.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use rts_proto::AppId;
use rts_transport_tokio::server::Sanitized;
use sha2::Sha256;

use super::queue::Queue;
use crate::ConfigError;
use crate::app_server::tls::client_config;
use crate::causes::root_cause;
use crate::config::{Webhook, WebhookSecret};
use crate::outage::{Outage, Over};

/// The header with the signature of a post: `t=<Unix seconds>,app=<app id>,v1=<signature>`. The
/// signature is the HMAC-SHA256 of the text before `,v1`, a line feed, and the body.
const SIGNATURE: &str = "rts-signature";

/// Timeouts and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// A post that takes longer counts as not taken.
    pub(super) post_timeout: Duration,
    /// The wait before the second attempt. It doubles with each attempt, up to `wait_max`.
    pub(super) wait_first: Duration,
    pub(super) wait_max: Duration,
}

pub(super) const TIMING: Timing = Timing {
    post_timeout: Duration::from_secs(10),
    wait_first: Duration::from_secs(1),
    wait_max: Duration::from_secs(60),
};

/// Posts the events of one app.
pub(super) struct Poster {
    app_id: AppId,
    url: Url,
    secret: WebhookSecret,
    timing: Timing,
    http: Client,
}

/// Why a batch was not taken.
struct Failure {
    /// The name of the cause.
    name: Cow<'static, str>,
    /// The description for people.
    why: String,
}

/// Shows no secret. The URL may contain one too.
impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl Poster {
    pub(super) fn new(
        app_id: &AppId,
        webhook: &Webhook,
        timing: Timing,
    ) -> Result<Self, ConfigError> {
        let unusable =
            |what: String| ConfigError::Value { key: format!("apps.{app_id}.webhook"), what };
        // As for app servers: the certificates that the system trusts.
        let tls = (*client_config(app_id.as_str(), None)?).clone();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(timing.post_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let url = Url::parse(webhook.url.as_str()).expect("it is the text of a URL");
        Ok(Self { app_id: app_id.clone(), url, secret: webhook.secret.clone(), timing, http })
    }

    pub(super) async fn run(self, queue: &Queue) {
        let mut failures = 0;
        let mut outage = Outage::default();
        loop {
            let batch = queue.batch().await;
            match self.post(batch.json(&self.app_id, queue.run)).await {
                Ok(()) => {
                    queue.taken(&batch);
                    failures = 0;
                    self.log_end(&mut outage);
                }
                Err(failure) => {
                    failures += 1;
                    self.log_failure(&mut outage, &failure, queue);
                    tokio::time::sleep(self.wait(failures)).await;
                }
            }
        }
    }

    /// Posts a batch. Any status from 200 to 299 means that it was taken. The body of the answer is
    /// not read.
    async fn post(&self, body: Vec<u8>) -> Result<(), Failure> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |s| s.as_secs());
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature(self.secret.expose(), &self.app_id, seconds, &body))
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = format!("status {}", answer.status().as_u16());
                Err(Failure { name: status.clone().into(), why: status })
            }
            // The URL may contain a secret.
            Err(error) => Err(self.failure(&error.without_url())),
        }
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let (name, why) = if error.is_timeout() {
            ("time", format!("no answer within {:?}", self.timing.post_timeout))
        } else if error.is_connect() {
            ("connect", format!("cannot connect: {}", root_cause(error)))
        } else {
            ("answer", format!("no answer: {}", root_cause(error)))
        };
        Failure { name: name.into(), why }
    }

    fn log_failure(&self, outage: &mut Outage, failure: &Failure, queue: &Queue) {
        let Some(left_out) = outage.failed(&failure.name, Instant::now()) else { return };
        let left_out = (left_out > 0).then_some(left_out);
        let (waiting, lost) = queue.figures();
        let lost = (lost > 0).then_some(lost);
        let (app, url, why) = (&self.app_id, self.shown_url(), Sanitized::sentence(&failure.why));
        tracing::warn!(
            target: "rts::webhooks",
            %app, url, ?why, waiting, lost, left_out,
            "the webhook does not accept events; they wait for an hour at most"
        );
    }

    fn log_end(&self, outage: &mut Outage) {
        if let Some(Over { failures, lasted }) = outage.worked(Instant::now()) {
            let (app, url) = (&self.app_id, self.shown_url());
            tracing::info!(
                target: "rts::webhooks",
                %app, url, failures, seconds = lasted.as_secs(),
                "the webhook accepts events again"
            );
        }
    }

    /// Origin and path of the URL. The rest may be secret.
    fn shown_url(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }

    /// A random wait between half of the back-off and all of it. The back-off doubles with each
    /// failure.
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
