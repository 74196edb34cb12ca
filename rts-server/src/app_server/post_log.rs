//! Log lines about posts that fail, with the target `rts::app_server`. No line contains the query
//! of a URL, a signature or a message.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rts_egress::{TargetUrl, UrlError};
use rts_proto::server::{Post, Target};
use rts_transport_tokio::server::{LogThrottle, Sanitized};

use crate::outage::{Outage, Over};

/// One post, whose end is logged. A post that is dropped before its end counts as timed out.
pub(super) struct PostLog<'a> {
    outage: &'a Mutex<Outage>,
    post: &'a Post,
    /// Origin and path of the URL.
    url: String,
    begun: Instant,
    is_logged: bool,
}

impl<'a> PostLog<'a> {
    pub(super) fn of(post: &'a Post, url: &TargetUrl, outage: &'a Mutex<Outage>) -> Self {
        Self { outage, post, url: shown(url), begun: Instant::now(), is_logged: false }
    }

    /// Records that the post was not attempted, because the breaker is open.
    pub(super) fn left_alone(mut self) {
        self.is_logged = true;
        self.outage().left_alone();
    }

    /// Records a failure. `cause` is its name, one of a few; `why` is for people.
    pub(super) fn failed(mut self, cause: &str, why: &str) {
        self.log_failure(cause, why);
    }

    pub(super) fn worked(mut self) {
        self.is_logged = true;
        let over = self.outage().worked(Instant::now());
        if let Some(Over { failures, lasted }) = over {
            let (app, url) = (&self.post.app_id, &self.url);
            tracing::info!(
                target: "rts::app_server",
                %app, %url, failures, seconds = lasted.as_secs(),
                "the app server works again"
            );
        }
    }

    fn log_failure(&mut self, cause: &str, why: &str) {
        self.is_logged = true;
        let Some(left_out) = self.outage().failed(cause, Instant::now()) else { return };
        let left_out = (left_out > 0).then_some(left_out);
        let (app, user, url) = (&self.post.app_id, &self.post.uid, &self.url);
        let why = Sanitized::sentence(why);
        tracing::warn!(
            target: "rts::app_server",
            %app, %user, %url, ?why, left_out,
            "the app server does not accept a message"
        );
    }

    fn outage(&self) -> MutexGuard<'a, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PostLog<'_> {
    fn drop(&mut self) {
        if !self.is_logged {
            let lasted = self.begun.elapsed().as_secs_f64();
            self.log_failure("slow", &format!("no whole answer within {lasted:.1} s"));
        }
    }
}

/// Logs URLs of clients that are not on the list of their app.
#[derive(Default)]
pub(super) struct Refusals(Mutex<LogThrottle>);

impl Refusals {
    /// Logs a refused URL, at a bounded rate. It must be cheap, because it runs under the shard's
    /// lock.
    pub(super) fn log(&self, target: &Target, url: &Result<TargetUrl, UrlError>) {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = throttle.allow(Instant::now()) else { return };
        drop(throttle);
        let left_out = (left_out > 0).then_some(left_out);
        let why = match url {
            Ok(url) => {
                format!("{} is not on the list apps.{}.app_server.allow", shown(url), target.app_id)
            }
            Err(error) => error.to_string(),
        };
        let app = &target.app_id;
        tracing::info!(target: "rts::app_server", %app, why, left_out, "server params refused");
    }
}

/// Origin and path of a URL. The rest may be secret.
fn shown(url: &TargetUrl) -> String {
    format!("{url}{}", Sanitized::value(url.path()))
}
