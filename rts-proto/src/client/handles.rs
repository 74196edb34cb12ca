//! Room handles: which there are, and how far each is with its room.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{BroadcastError, CreateRoomError};
use crate::limits::ROOM_HANDLES_MAX;
use crate::{Instant, MessageId, RoomId, RoomKey};

/// Every room handle of an engine. At most one has a given room id.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_key: BTreeMap<RoomKey, Room>,
    by_id: BTreeMap<RoomId, RoomKey>,
    last_key: u64,
}

#[derive(Debug)]
struct Room {
    id: RoomId,
    phase: Phase,
    last_message: MessageId,
}

/// ```text
///          join            answer 0            leave
/// Created ------> Joining ----------> Joined --------> Leaving
///    ^               |                  |                 |
///    +---------------+------------------+-----------------+  refused, forced out, left
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    /// `ticket` is of the newest Join frame. `again` when the room was joined before the session
    /// was lost.
    Joining {
        ticket: u64,
        since: Instant,
        again: bool,
    },
    Joined,
    /// `was_joined` is false when the join was not answered yet. `then_join` is set when `join` was
    /// called meanwhile.
    Leaving {
        ticket: u64,
        was_joined: bool,
        then_join: Option<Instant>,
    },
}

impl Phase {
    fn is_entered(self) -> bool {
        match self {
            Self::Created => false,
            Self::Joining { .. } | Self::Joined => true,
            Self::Leaving { then_join, .. } => then_join.is_some(),
        }
    }
}

impl Rooms {
    /// A handle that is in no room yet.
    pub(super) fn create(&mut self, id: RoomId) -> Result<RoomKey, CreateRoomError> {
        if self.by_id.contains_key(&id) {
            return Err(CreateRoomError::InUse);
        }
        if self.by_key.len() >= ROOM_HANDLES_MAX {
            return Err(CreateRoomError::TooMany);
        }
        self.last_key += 1;
        let key = RoomKey(self.last_key);
        self.by_id.insert(id.clone(), key);
        self.by_key.insert(key, Room { id, phase: Phase::Created, last_message: MessageId(0) });
        Ok(key)
    }

    /// Rooms that the engine is in, or on its way into. One that is being left is none of them: the
    /// server hears of the leave before it hears of a later join.
    pub(super) fn entered(&self) -> usize {
        self.by_key.values().filter(|room| room.phase.is_entered()).count()
    }

    /// Whether the engine is out of all rooms.
    pub(super) fn are_all_out(&self) -> bool {
        self.by_key.values().all(|room| room.phase == Phase::Created)
    }

    /// Back to created, without a word.
    pub(super) fn forget_memberships(&mut self) {
        for room in self.by_key.values_mut() {
            room.phase = Phase::Created;
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.by_id.clear();
    }

    pub(super) fn count_on_after(&mut self, last: MessageId) {
        for room in self.by_key.values_mut() {
            room.last_message = last;
        }
    }

    /// The number of a handle's next broadcast; nothing when there is no such handle.
    pub(super) fn next_message(
        &mut self,
        key: RoomKey,
    ) -> Option<Result<MessageId, BroadcastError>> {
        let room = self.by_key.get_mut(&key)?;
        let next = room.last_message.next().ok_or(BroadcastError::NoMoreIds);
        Some(next.inspect(|id| room.last_message = *id))
    }

    /// The room's id, if its handle may speak in it: also while it is joined again.
    pub(super) fn spoken_in(&self, key: RoomKey) -> Option<RoomId> {
        let room = self.by_key.get(&key)?;
        let is_in = matches!(room.phase, Phase::Joined | Phase::Joining { again: true, .. });
        is_in.then(|| room.id.clone())
    }

    pub(super) fn keys(&self) -> Vec<RoomKey> {
        self.by_key.keys().copied().collect()
    }

    pub(super) fn id(&self, key: RoomKey) -> Option<RoomId> {
        self.by_key.get(&key).map(|room| room.id.clone())
    }

    pub(super) fn find(&self, id: &RoomId) -> Option<(RoomKey, Phase)> {
        let key = *self.by_id.get(id)?;
        self.phase(key).map(|phase| (key, phase))
    }

    /// The first handle of whose phase `wanted` makes something.
    pub(super) fn find_phase<T>(
        &self,
        wanted: impl Fn(Phase) -> Option<T>,
    ) -> Option<(RoomKey, T)> {
        self.by_key.iter().find_map(|(key, room)| wanted(room.phase).map(|found| (*key, found)))
    }

    pub(super) fn set_phase(&mut self, key: RoomKey, phase: Phase) {
        if let Some(room) = self.by_key.get_mut(&key) {
            room.phase = phase;
        }
    }

    pub(super) fn phase(&self, key: RoomKey) -> Option<Phase> {
        self.by_key.get(&key).map(|room| room.phase)
    }

    pub(super) fn remove(&mut self, key: RoomKey) {
        if let Some(room) = self.by_key.remove(&key) {
            self.by_id.remove(&room.id);
        }
    }
}
