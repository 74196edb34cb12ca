//! What the log says of posts that fail: lines with the target `rts::app_server`. No query of a
//! url, no signature and no message is in one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rts_egress::{TargetUrl, UrlError};
use rts_proto::server::{Post, Target};
use rts_transport_tokio::server::{LogThrottle, Sanitized};

use crate::outage::{Outage, Over};

/// One post, of which the log hears how it ended. One that is given up before it ends has lasted
/// for too long.
pub(super) struct Telling<'a> {
    outage: &'a Mutex<Outage>,
    post: &'a Post,
    /// Origin and path.
    url: String,
    begun: Instant,
    is_told: bool,
}

impl<'a> Telling<'a> {
    pub(super) fn of(post: &'a Post, url: &TargetUrl, outage: &'a Mutex<Outage>) -> Self {
        Self { outage, post, url: shown(url), begun: Instant::now(), is_told: false }
    }

    /// Its server has failed so often that it is not asked.
    pub(super) fn left_alone(mut self) {
        self.is_told = true;
        self.outage().left_alone();
    }

    /// What failed, for people, and the name of its cause, of which there are few.
    pub(super) fn failed(mut self, cause: &str, why: &str) {
        self.tell_failure(cause, why);
    }

    pub(super) fn worked(mut self) {
        self.is_told = true;
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

    fn tell_failure(&mut self, cause: &str, why: &str) {
        self.is_told = true;
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

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            let lasted = self.begun.elapsed().as_secs_f64();
            self.tell_failure("slow", &format!("no whole answer within {lasted:.1} s"));
        }
    }
}

/// Clients name urls that are not on their app's list.
#[derive(Default)]
pub(super) struct Refusals(Mutex<LogThrottle>);

impl Refusals {
    /// Cheap: it is called under the shard's lock.
    pub(super) fn tell(&self, target: &Target, url: &Result<TargetUrl, UrlError>) {
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

/// Origin and path: what is behind them may be secret.
fn shown(url: &TargetUrl) -> String {
    format!("{url}{}", Sanitized::value(url.path()))
}
