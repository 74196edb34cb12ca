//! A user and rooms of different shards, for stories about joins and leaves.

use rts_proto::limits::ROOMS_PER_USER_MAX;
use rts_proto::server::{Config, Shards as _};
use rts_proto::wire::Frame;
use rts_proto::{LinkId, RoomId, RoomState, UserId};

use crate::support::{Node, join, leave};

/// Joins at once, with a full rate (§6.13).
const JOINS_BURST: usize = 256;

/// A user of shard 0, another of shard 1, and rooms of shard 1.
pub(crate) struct Fixture {
    pub(crate) node: Node,
    pub(crate) alice: UserId,
    pub(crate) at_alice: LinkId,
    pub(crate) bob: UserId,
    pub(crate) at_bob: LinkId,
    pub(crate) rooms: Vec<RoomId>,
}

impl Fixture {
    pub(crate) fn new(shards: usize, joins_per_second: u32) -> Self {
        let mut config = Config::default();
        (config.logins_per_second, config.joins_per_second) = (0, joins_per_second);
        let mut node = Node::new(shards, &config);
        let (alice, bob) = (node.user_at(0, "a"), node.user_at(1, "b"));
        let (at_alice, at_bob) = (node.enter(&alice), node.enter(&bob));
        let rooms = node.rooms_at(1).take(2 * ROOMS_PER_USER_MAX).collect();
        Self { node, alice, at_alice, bob, at_bob, rooms }
    }

    pub(crate) fn say(&mut self, frame: Frame) {
        self.node.say(self.at_alice, frame);
    }

    /// Alice joins these of the rooms. The ticket is the place of the room.
    pub(crate) fn join_all(&mut self, places: std::ops::Range<usize>) {
        for place in places {
            self.say(join(&self.rooms[place].clone(), place as u64));
        }
    }

    /// Alice joins rooms and leaves them again, until this number of joins is left of her rate.
    pub(crate) fn use_up_joins(&mut self, rest: usize) {
        for rooms in [ROOMS_PER_USER_MAX, JOINS_BURST - ROOMS_PER_USER_MAX - rest] {
            self.join_all(0..rooms);
            assert_eq!(self.join_states(), joined_all(0..rooms));
            for place in 0..rooms {
                self.say(leave(&self.rooms[place].clone(), 1_000));
            }
            self.frames();
        }
    }

    pub(crate) fn frames(&mut self) -> Vec<Frame> {
        let frames = self.node.frames_to(self.at_alice);
        frames.into_iter().filter(|frame| !matches!(frame, Frame::Ack { .. })).collect()
    }

    /// The states of join answers, in the order of their tickets.
    pub(crate) fn join_states(&mut self) -> Vec<(u64, RoomState)> {
        let state = |frame| match frame {
            Frame::JoinAnswer { ticket, state, .. } => Some((ticket, state)),
            _ => None,
        };
        let mut states: Vec<_> = self.frames().into_iter().filter_map(state).collect();
        states.sort_by_key(|(ticket, _)| *ticket);
        states
    }

    /// Frames about a room, as the other user gets them.
    pub(crate) fn bob_sees(&mut self) -> Vec<Frame> {
        let frames = self.node.frames_to(self.at_bob);
        frames.into_iter().filter(|frame| !matches!(frame, Frame::Ack { .. })).collect()
    }

    pub(crate) fn bob_joins(&mut self, place: usize) {
        let room = self.rooms[place].clone();
        self.node.say(self.at_bob, join(&room, 1));
        self.bob_sees();
    }

    pub(crate) fn memberships(&mut self) -> usize {
        self.node.stats().memberships
    }
}

pub(crate) fn joined_all(places: std::ops::Range<usize>) -> Vec<(u64, RoomState)> {
    places.map(|place| (place as u64, RoomState::Joined)).collect()
}
