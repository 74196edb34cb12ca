//! What outlives a link: the session's numbers, and the frames that are not acknowledged yet.

use bytes::Bytes;

use super::backlog::{Backlog, Flights, Lane};
use super::pending::Pending;
use crate::limits::{ACK_DELAY, STATUS_QUERIES_PER_SECOND};
use crate::link::Channel;
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::wire::{Accepted, Resume, ResumeKey};
use crate::{Instant, MessageId, RoomKey};

/// What a frame in the window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Send {
        id: MessageId,
        lane: Lane,
    },
    Broadcast {
        wire_id: u64,
        room: RoomKey,
    },
    Status(u64),
    ServerParams(u64),
    ServerSend(MessageId),
    /// By its ticket: a room may have more than one in the window.
    Join(u64),
    Leave,
}

#[derive(Debug)]
pub(super) struct Session {
    number: u64,
    key: ResumeKey,
    claim: u64,
    /// False once it is known that the server will not go on with it.
    resumable: bool,
    pub(super) channel: Channel<Tag>,
    /// What goes into the channel when there is room.
    pub(super) backlog: Backlog,
    /// When the acknowledgement of what was received has to go out, if nothing takes it along before.
    ack_due: Option<Instant>,
    pace: Pace,
}

impl Session {
    pub(super) fn new(accepted: &Accepted, now: Instant) -> Self {
        Self {
            number: accepted.session,
            key: accepted.key,
            claim: accepted.claim,
            resumable: true,
            channel: Channel::new(),
            backlog: Backlog::default(),
            ack_due: None,
            pace: Pace::new(accepted, now),
        }
    }

    /// The same login has another session. The server remembers what was used of the rates, and so do we.
    pub(super) fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        Self { pace: self.pace.followed_by(accepted, now), ..Self::new(accepted, now) }
    }

    /// The server goes on with this session. What it does not have goes out again, paced.
    pub(super) fn resumed(&mut self, accepted: &Accepted) {
        self.key = accepted.key;
        self.ack_due = None;
        self.pace.holding_back = true;
        self.pace.ready_at = None;
    }

    pub(super) fn claim(&self) -> u64 {
        self.claim
    }

    /// What to ask of the server on a new link.
    pub(super) fn resume(&self) -> Option<Resume> {
        self.resumable.then(|| Resume {
            session: self.number,
            key: self.key,
            received: self.channel.received()
                - u64::from(planted(Bug::ResumeCountsShort) && self.channel.received() > 0),
        })
    }

    pub(super) fn give_up_resuming(&mut self) {
        self.resumable = false;
    }

    /// What is queued goes out spread over time.
    pub(super) fn hold_back(&mut self) {
        self.pace.holding_back = true;
    }

    /// Moves into the window what may go there. What has to wait is spread over time when it goes.
    pub(super) fn advance(&mut self, now: Instant, pending: &mut Pending, flights: &mut Flights) {
        self.backlog.advance(now, &mut self.channel, pending, flights);
        self.pace.holding_back |= !self.backlog.is_empty();
    }

    /// The next frame that may go out now.
    pub(super) fn next_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let Some(tag) = self.channel.peek() else {
            // What has waited once goes on to be spread, until nothing is left of it.
            self.pace.holding_back = !self.backlog.is_empty();
            self.pace.ready_at = None;
            return None;
        };
        if !self.pace.lets_pass(*tag, now) {
            return None;
        }
        self.channel.transmit()
    }

    /// When something that is held back, for the server's rate or for its receiver, may go out.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        let paced = self.pace.ready_at.filter(|_| !planted(Bug::PaceNotRearmed));
        [paced, self.backlog.held_until()].into_iter().flatten().min()
    }

    /// §4.4: whether somebody waits for the acknowledgement depends on the frame.
    pub(super) fn count_received(&mut self, now: Instant, is_awaited: bool) {
        self.channel.count_received();
        let is_urgent = is_awaited || self.channel.owes_much();
        let due = if is_urgent { now } else { now + ACK_DELAY };
        self.ack_due = Some(self.ack_due.map_or(due, |earlier| earlier.min(due)));
    }

    pub(super) fn ack_due(&self) -> Option<Instant> {
        self.ack_due
    }

    pub(super) fn take_ack(&mut self) -> Option<u64> {
        self.ack_due = None;
        self.channel.take_ack().filter(|_| !planted(Bug::AckNeverSent))
    }
}

/// §4.9: after a return, what waited goes out at the server's rates. Otherwise everything goes out
/// at once and the server judges; the buckets are filled all the same, so that they know.
#[derive(Debug)]
struct Pace {
    sends: TokenBucket,
    broadcasts: TokenBucket,
    statuses: TokenBucket,
    server_sends: TokenBucket,
    holding_back: bool,
    /// When the frame that is held back may go out.
    ready_at: Option<Instant>,
}

impl Pace {
    fn new(accepted: &Accepted, now: Instant) -> Self {
        Self {
            sends: TokenBucket::cautious(accepted.sends_per_second, now),
            broadcasts: TokenBucket::cautious(accepted.broadcasts_per_second, now),
            statuses: TokenBucket::cautious(STATUS_QUERIES_PER_SECOND, now),
            server_sends: TokenBucket::cautious(accepted.server_sends_per_second, now),
            holding_back: false,
            ready_at: None,
        }
    }

    fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        let fresh = Self::new(accepted, now);
        Self {
            sends: self.sends.or_of_another_rate(fresh.sends),
            broadcasts: self.broadcasts.or_of_another_rate(fresh.broadcasts),
            statuses: self.statuses.or_of_another_rate(fresh.statuses),
            server_sends: self.server_sends.or_of_another_rate(fresh.server_sends),
            ..fresh
        }
    }

    fn lets_pass(&mut self, tag: Tag, now: Instant) -> bool {
        let bucket = match tag {
            Tag::Send { .. } => &mut self.sends,
            Tag::Broadcast { .. } => &mut self.broadcasts,
            Tag::Status(_) => &mut self.statuses,
            Tag::ServerSend(_) => &mut self.server_sends,
            // Few, and their rates at the server are far from reached.
            Tag::ServerParams(_) | Tag::Join(_) | Tag::Leave => return true,
        };
        if bucket.take(now) || !self.holding_back {
            self.ready_at = None;
            return true;
        }
        self.ready_at = Some(bucket.ready_at());
        false
    }
}
