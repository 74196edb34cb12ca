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
    /// When the acknowledgement of what was received has to go out, if nothing takes it along
    /// before.
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

    /// The same login has another session. The server remembers what was used of the rates, and so
    /// do we.
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

    /// Moves into the window what may go there. What has to wait is spread over time when it goes,
    /// and then only so much is moved as goes out at once: what needs no pace is not to wait behind
    /// it.
    pub(super) fn advance(&mut self, now: Instant, pending: &mut Pending, flights: &mut Flights) {
        let is_paced = self.pace.holding_back;
        if is_paced && self.channel.peek().is_some() {
            return self.backlog.waits_for_window();
        }
        let budget = is_paced.then(|| Budget::of(&self.pace.buckets));
        self.backlog.advance(now, &mut self.channel, pending, flights, budget);
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
        let paced = [self.pace.ready_at, self.backlog.paced_until()];
        let paced = paced.into_iter().flatten().filter(|_| !planted(Bug::PaceNotRearmed));
        paced.chain(self.backlog.held_until()).min()
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

/// What has a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Send,
    Broadcast,
    Status,
    ServerSend,
    ServerParams,
    Membership,
}

impl Kind {
    pub(super) fn of(tag: Tag) -> Self {
        match tag {
            Tag::Send { .. } => Self::Send,
            Tag::Broadcast { .. } => Self::Broadcast,
            Tag::Status(_) => Self::Status,
            Tag::ServerSend(_) => Self::ServerSend,
            Tag::ServerParams(_) => Self::ServerParams,
            Tag::Join(_) | Tag::Leave => Self::Membership,
        }
    }
}

/// What the server's rates let pass, to the best of our knowledge.
#[derive(Clone, Debug)]
struct Buckets {
    sends: TokenBucket,
    broadcasts: TokenBucket,
    statuses: TokenBucket,
    server_sends: TokenBucket,
}

impl Buckets {
    fn of(&mut self, kind: Kind) -> Option<&mut TokenBucket> {
        match kind {
            Kind::Send => Some(&mut self.sends),
            Kind::Broadcast => Some(&mut self.broadcasts),
            Kind::Status => Some(&mut self.statuses),
            Kind::ServerSend => Some(&mut self.server_sends),
            // Few, and their rates at the server are far from reached.
            Kind::ServerParams | Kind::Membership => None,
        }
    }
}

/// How much of each kind may go at this moment.
#[derive(Debug)]
pub(super) struct Budget {
    left: Buckets,
    /// A message to the app's server has to wait so long, and so has what would change where it
    /// goes.
    server_sends_wait: Option<Instant>,
}

impl Budget {
    fn of(buckets: &Buckets) -> Self {
        Self { left: buckets.clone(), server_sends_wait: None }
    }

    /// Otherwise when there will be one more.
    pub(super) fn spend(&mut self, kind: Kind, now: Instant) -> Result<(), Instant> {
        if kind == Kind::ServerParams {
            return self.server_sends_wait.map_or(Ok(()), Err);
        }
        let Some(bucket) = self.left.of(kind) else { return Ok(()) };
        if bucket.take(now) {
            return Ok(());
        }
        let until = bucket.ready_at();
        if kind == Kind::ServerSend {
            self.server_sends_wait = Some(until);
        }
        Err(until)
    }
}

/// §4.9: after a return, what waited goes out at the server's rates. Otherwise everything goes out
/// at once and the server judges; the buckets are filled all the same, so that they know.
#[derive(Debug)]
struct Pace {
    buckets: Buckets,
    holding_back: bool,
    /// When the frame that is held back in the window may go out.
    ready_at: Option<Instant>,
}

impl Pace {
    fn new(accepted: &Accepted, now: Instant) -> Self {
        let buckets = Buckets {
            sends: TokenBucket::cautious(accepted.sends_per_second, now),
            broadcasts: TokenBucket::cautious(accepted.broadcasts_per_second, now),
            statuses: TokenBucket::cautious(STATUS_QUERIES_PER_SECOND, now),
            server_sends: TokenBucket::cautious(accepted.server_sends_per_second, now),
        };
        Self { buckets, holding_back: false, ready_at: None }
    }

    fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        let fresh = Self::new(accepted, now);
        let (ours, theirs) = (&self.buckets, fresh.buckets);
        let buckets = Buckets {
            sends: ours.sends.or_of_another_rate(theirs.sends),
            broadcasts: ours.broadcasts.or_of_another_rate(theirs.broadcasts),
            statuses: ours.statuses.or_of_another_rate(theirs.statuses),
            server_sends: ours.server_sends.or_of_another_rate(theirs.server_sends),
        };
        Self { buckets, holding_back: false, ready_at: None }
    }

    fn lets_pass(&mut self, tag: Tag, now: Instant) -> bool {
        let Some(bucket) = self.buckets.of(Kind::of(tag)) else { return true };
        if bucket.take(now) || !self.holding_back {
            self.ready_at = None;
            return true;
        }
        self.ready_at = Some(bucket.ready_at());
        false
    }
}
