//! Users join rooms within their rate, and a new login does not refill it (§6.13, §8.3). The server
//! reports each join at the moment at which it happens.

use std::collections::BTreeMap;

use rts_proto::Instant;
use rts_proto::limits::{JOINS_BURST_MIN, JOINS_PER_SECOND};
use rts_proto::server::Report;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::trace::{Entry, Line};

/// The unit: a millionth of a join, so that a microsecond adds as many units as a second adds
/// joins.
const ONE: u64 = 1_000_000;
const FULL: u64 = JOINS_BURST_MIN as u64 * ONE;

/// The tokens that each user of each app has left, and since when.
#[derive(Debug, Default)]
pub(super) struct Rates {
    left: BTreeMap<(usize, String), (Instant, u64)>,
}

impl Oracle for Rates {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Reported { app, report: Report::MemberJoined { uid, .. } } => {
                let whose = (*app, uid.as_str().to_owned());
                // With several shards, a join is paid for before it is under way to the shard that
                // reports it.
                let under_way = model.under_way_max.as_micros() as u64;
                let gained = if model.has_mailboxes { under_way } else { 0 };
                let full = FULL + gained * u64::from(JOINS_PER_SECOND);
                let (since, left) = self.left.get(&whose).copied().unwrap_or((line.at, full));
                let gained = line.at.as_micros().saturating_sub(since.as_micros());
                let left = full.min(left + gained * u64::from(JOINS_PER_SECOND));
                ensure(left >= ONE, || {
                    format!("§6.13: {uid} of app {app} enters rooms faster than it may")
                })?;
                self.left.insert(whose, (line.at, left - ONE));
            }
            Entry::Restarted => self.left.clear(),
            _ => {}
        }
        Ok(())
    }
}
