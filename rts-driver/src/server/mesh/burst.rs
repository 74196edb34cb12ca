//! Entries that were sent together, how many of them may wait, and how many a shard takes in a
//! turn.

use rts_proto::server::{Entry, Moved, PassedOn, SessionContent};

/// Entries in a mailbox, with each message counted, at which the receiver is reported to the sender
/// as congested, until half of them are left. The sender then refuses messages for it, and still
/// sends what must not be lost.
pub(super) const CONGESTED_ENTRIES: usize = 65_536;
/// Bytes of frames, ids and lists in a mailbox at which the same happens, also until half of them
/// are left.
pub(super) const CONGESTED_BYTES: usize = 8 * 1_024 * 1_024;
/// The weight of entries ([`weight`]) after which the rest stays in the mailboxes until the next
/// turn: as many messages as a turn reads from links. The burst that reaches it is still taken as a
/// whole.
pub(super) const WEIGHT_PER_TURN: usize = 1_024;
/// Bytes of frames, ids and lists after which the rest stays too: as many as a turn reads from
/// links.
pub(super) const BYTES_PER_TURN: usize = 262_144;
/// Items of an entry, such as the sessions that get a frame, which cost as much as another entry.
pub(super) const ITEMS_PER_WEIGHT: usize = 8;

/// Entries that were sent together.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) entries: Vec<Entry>,
    pub(super) counts_as: usize,
    pub(super) bytes: usize,
}

impl Burst {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let counts_as = entries.iter().map(Entry::counts_as).sum();
        let bytes = entries.iter().map(Entry::more_bytes).sum();
        Self { entries, counts_as, bytes }
    }
}

/// What a shard has taken in a turn.
#[derive(Debug, Default)]
pub(super) struct Budget {
    weight: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn has_room(&self) -> bool {
        self.weight < WEIGHT_PER_TURN && self.bytes < BYTES_PER_TURN
    }

    /// Counts entries that are taken, with their bytes.
    pub(super) fn spend(&mut self, entries: &[Entry], bytes: usize) {
        self.weight += entries.iter().map(weight).sum::<usize>();
        self.bytes += bytes;
    }
}

/// What an entry costs its receiver, in units of a message to one user.
pub(super) fn weight(entry: &Entry) -> usize {
    let items = match entry {
        // As many messages, each of which has the weight of an entry.
        Entry::Deliver(deliveries) | Entry::PassedOn(PassedOn::Deliver(deliveries)) => {
            return deliveries.len();
        }
        Entry::Moved(moved) => match &**moved {
            Moved::Held(PassedOn::Deliver(deliveries)) => return deliveries.len(),
            Moved::Held(
                PassedOn::QueryStatus { .. } | PassedOn::Orphan { .. } | PassedOn::Request(_),
            ) => 0,
            Moved::User { owner, left, .. } => {
                owner.as_ref().map_or(0, |owner| owner.candidates.len()) + left.orphans.len()
            }
            Moved::Members { members, .. } => members.len(),
        },
        Entry::Outcomes(outcomes) => outcomes.len(),
        Entry::PushToEach { sessions, frames } => sessions.len() + frames.len(),
        Entry::Joined { names, .. } | Entry::Names { names, .. } => names.names.len(),
        Entry::Response(part) => part.response.items(),
        Entry::SessionMoved(part) => match &part.content {
            SessionContent::Rooms(rooms) => rooms.len(),
            SessionContent::Frames(frames) => frames.len(),
            SessionContent::Post(_) | SessionContent::Revoked => 0,
            SessionContent::Session(session) => session.rooms.len() + session.welcomes.len(),
        },
        Entry::InApp(_)
        | Entry::Ownership(_)
        | Entry::Request(_)
        | Entry::PassedOn(_)
        | Entry::QueryStatus { .. }
        | Entry::HomesReached { .. }
        | Entry::Resume(_)
        | Entry::Taken(_)
        | Entry::Fence(_)
        | Entry::Fenced(_)
        | Entry::Switch { .. }
        | Entry::Switched { .. }
        | Entry::Orphan { .. }
        | Entry::Join { .. }
        | Entry::Leave { .. }
        | Entry::Gone { .. }
        | Entry::PutOut { .. }
        | Entry::Broadcast { .. }
        | Entry::AskNames { .. }
        | Entry::NotDelivered { .. }
        | Entry::NotBroadcast { .. }
        | Entry::Push { .. }
        | Entry::JoinRefused { .. }
        | Entry::Left { .. }
        | Entry::Removed { .. } => 0,
    };
    1 + items / ITEMS_PER_WEIGHT
}
