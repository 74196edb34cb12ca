//! The order of the events of several shards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::Duration;

use rts_proto::server::ShardId;
use rts_proto::{Instant, LinkId};

use crate::record::{Record, ServerInput};
use crate::replay::Replay;

/// How much later than an effect its cause may seem to be. A shard reads the clock once a turn, so
/// an entry may reach it in a turn that began before the turn of its sender.
const LAG_MAX: Duration = Duration::from_secs(1);

/// What is under way from one shard to another.
#[derive(Default)]
pub(crate) struct Mesh {
    /// Lists of entries, by sender and receiver.
    entries: BTreeMap<(ShardId, ShardId), usize>,
    links: BTreeSet<LinkId>,
}

impl Mesh {
    pub(crate) fn sent(&mut self, from: ShardId, to: ShardId) {
        *self.entries.entry((from, to)).or_default() += 1;
    }

    pub(crate) fn heard(&mut self, from: ShardId, to: ShardId) {
        if let Some(count) = self.entries.get_mut(&(from, to)) {
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn handed_over(&mut self, link: LinkId) {
        self.links.insert(link);
    }

    pub(crate) fn took_over(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// The trace with the next event: the earliest one whose cause has happened.
    pub(crate) fn next<R: Read>(&self, replays: &[Replay<R>]) -> Option<usize> {
        let heads = || {
            replays.iter().enumerate().filter_map(|(trace, replay)| {
                let (at, record) = replay.next()?;
                Some((trace, replay.recording().shard(), at, record))
            })
        };
        let order = |(trace, shard, at, record): &(usize, Option<ShardId>, Instant, &Record)| {
            let cause = shard.and_then(|shard| self.missing_cause(shard, record));
            let waits = heads().any(|(other, sender, next, _)| {
                other != *trace
                    && cause.is_some_and(|cause| cause.is_of(sender))
                    && next <= *at + LAG_MAX
            });
            (waits, *at, *trace)
        };
        heads().min_by_key(order).map(|(trace, ..)| trace)
    }

    /// The shard that has not yet caused this event.
    fn missing_cause(&self, own: ShardId, record: &Record) -> Option<Cause> {
        let Record::ServerInput { input, .. } = record else { return None };
        match input {
            ServerInput::Peer { from, .. } => {
                let waiting = self.entries.get(&(*from, own)).copied().unwrap_or(0);
                (waiting == 0).then_some(Cause::Of(*from))
            }
            ServerInput::HandedOver { link, .. } => {
                (!self.links.contains(&LinkId(*link))).then_some(Cause::OfAny)
            }
            _ => None,
        }
    }
}

/// The cause of an event, which is an output of another shard.
#[derive(Clone, Copy)]
enum Cause {
    Of(ShardId),
    OfAny,
}

impl Cause {
    fn is_of(self, shard: Option<ShardId>) -> bool {
        match self {
            Self::Of(sender) => shard == Some(sender),
            Self::OfAny => true,
        }
    }
}
