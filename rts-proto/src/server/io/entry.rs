//! What one shard sends another, of its node or of another one in a cluster.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::deliveries::Deliveries;
use super::detail::JoinRefusal;
use super::moved::{HomesStep, Moved};
use super::moved_session::{ResumeAsked, SessionPart};
use super::ownership::{Ownership, PassedOn};
use super::request::{RequestOnWay, ResponsePart};
use crate::server::keys::{Outcome, SessionNumber};
use crate::{
    AppId, BroadcastCode, BusinessId, Instant, LeaveReason, MessageConfig, MessageId, RoomId,
    RoomState, SendCode, UserId,
};

/// One thing that a shard sends another, or several messages or results of a burst. Entries from
/// one shard to another arrive in their order, and none is lost.
///
/// Entries go to the home of a user or of a room, or to the shard of a session. A session's number
/// names its shard. In a cluster, a user's session may be in another shard than the user's home.
///
/// Recordings of `rts-trace` contain entries: a change of them changes its format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Entry {
    /// The entries behind this one, in the same list, are about this app.
    InApp(AppId),

    /// About the owner of a user, in a cluster: to its home, to its owner, or to the shard of a
    /// login.
    Ownership(Ownership),
    /// What the home of a user passes on to the user's owner, in a cluster.
    PassedOn(PassedOn),
    /// How far the sender is with the change to the table of homes of this epoch, in a cluster.
    HomesReached {
        /// The epoch.
        epoch: u64,
        /// The step.
        step: HomesStep,
    },
    /// To the next home of a user or a room, in a cluster.
    Moved(Box<Moved>),
    /// A request of a back end, to a home or to all shards. [`Entry::Response`] answers it.
    Request(Box<RequestOnWay>),
    /// The response of a shard to a request of this one.
    Response(Box<ResponsePart>),
    /// To the shard of a session: a login of another shard resumes the session, in a cluster.
    Resume(Box<ResumeAsked>),
    /// To the shard of that login: a part of the session.
    SessionMoved(Box<SessionPart>),
    /// To the former shard of a session, which the shard of the login has now.
    Taken(SessionNumber),
    /// To all shards: [`Entry::Fenced`] answers it. Then all earlier entries have arrived.
    Fence(u64),
    /// The answer to a fence.
    Fenced(u64),

    // To the home of a user.
    /// Messages to users.
    Deliver(Deliveries),
    /// A question for a user's status. An [`Entry::Push`] answers it.
    QueryStatus {
        /// The session that asks.
        session: SessionNumber,
        /// The client's number of the question.
        query: u64,
        /// The user.
        uid: UserId,
    },
    /// A membership waits for a session of the user, or waits no longer.
    Orphan {
        /// The room.
        room: RoomId,
        /// The member.
        uid: UserId,
        /// Whether it waits now.
        waits: bool,
    },

    // To the home of a room.
    /// A session asks to join a room. [`Entry::Joined`] or [`Entry::JoinRefused`] answers it.
    Join {
        /// The room.
        room: RoomId,
        /// The session that asks.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// The client's number of the question.
        ticket: u64,
        /// The tag of the join.
        business_id: Option<BusinessId>,
        /// Whether the user may enter one more room.
        permit: JoinPermit,
    },
    /// A session asks to leave a room. [`Entry::Left`] answers it.
    Leave {
        /// The room.
        room: RoomId,
        /// The session that asks.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// The client's number of the question.
        ticket: u64,
    },
    /// A session ended that is in the room, or has asked to join it.
    Gone {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// How the membership goes on.
        end: MemberEnd,
    },
    /// A session moves. What is for the member goes to its next number from now on.
    /// [`Entry::Switched`] answers it.
    Switch {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// Its next number.
        next: SessionNumber,
    },
    /// A user was put out. Its membership ends, which waited for its next session.
    PutOut {
        /// The room.
        room: RoomId,
        /// The member.
        uid: UserId,
    },
    /// A broadcast. It was counted in the rate of its session.
    Broadcast {
        /// The room.
        room: RoomId,
        /// The session that gets the result.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// The sender's id of the broadcast.
        id: MessageId,
        /// The `RoomDelivery` frame.
        frame: Bytes,
    },
    /// A session that joined needs the names of the members now. [`Entry::Names`] answers it.
    AskNames {
        /// The room.
        room: RoomId,
        /// The session that asks.
        session: SessionNumber,
        /// Its user.
        uid: UserId,
        /// The ticket of its join.
        ticket: u64,
    },

    // To the shard of a session.
    /// Results of sends and broadcasts.
    Outcomes(Vec<(SessionNumber, Outcome)>),
    /// A message to a user was not delivered.
    NotDelivered {
        /// The session of the sender.
        session: SessionNumber,
        /// The sender's id of the message.
        id: MessageId,
        /// The receiver.
        to: UserId,
        /// The delivery guarantee.
        config: MessageConfig,
        /// The result.
        code: SendCode,
    },
    /// A broadcast was not accepted.
    NotBroadcast {
        /// The session of the sender.
        session: SessionNumber,
        /// The room.
        room: RoomId,
        /// The sender's id of the broadcast.
        id: MessageId,
        /// The result.
        code: BroadcastCode,
    },
    /// A frame that the session must get.
    Push {
        /// The session.
        session: SessionNumber,
        /// The frame.
        frame: Bytes,
    },
    /// Frames that sessions must get, such as broadcasts of a burst.
    PushToEach {
        /// The sessions.
        sessions: Vec<SessionNumber>,
        /// Each frame, and the session that does not get it.
        frames: Vec<(Option<SessionNumber>, Bytes)>,
    },
    /// The session is a member of the room.
    Joined {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// The client's number of the question.
        ticket: u64,
        /// How it became a member.
        entered: Entered,
        /// The other members, unless it was one before.
        names: Names,
        /// Whether its user's rate of joins was charged.
        is_charged: bool,
    },
    /// The session may not join the room.
    JoinRefused {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// The client's number of the question.
        ticket: u64,
        /// The state for the client.
        state: RoomState,
        /// The reason.
        refusal: JoinRefusal,
        /// Whether its user's rate of joins was charged.
        is_charged: bool,
    },
    /// The names of the members of a room.
    Names {
        /// The room.
        room: RoomId,
        /// The session that asked.
        session: SessionNumber,
        /// The ticket of its join.
        ticket: u64,
        /// The names.
        names: Names,
    },
    /// The session is not in the room any more, as it asked.
    Left {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// The client's number of the question.
        ticket: u64,
    },
    /// Nothing more comes for the session from the room.
    Switched {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
    },
    /// The session was removed from the room by force.
    Removed {
        /// The room.
        room: RoomId,
        /// The session.
        session: SessionNumber,
        /// The frame for the client.
        notice: Option<Bytes>,
    },
}

/// The entry that the home of a user has passed on, or would have.
impl From<PassedOn> for Entry {
    fn from(passed_on: PassedOn) -> Self {
        match passed_on {
            PassedOn::Deliver(deliveries) => Self::Deliver(deliveries),
            PassedOn::QueryStatus { session, query, uid } => {
                Self::QueryStatus { session, query, uid }
            }
            PassedOn::Orphan { room, uid, waits } => Self::Orphan { room, uid, waits },
            PassedOn::Request(request) => Self::Request(request),
        }
    }
}

impl Entry {
    /// How many entries it counts as where entries wait: each of its messages to users is one.
    #[must_use]
    pub fn counts_as(&self) -> usize {
        match self {
            Self::Deliver(deliveries) => deliveries.len(),
            Self::PassedOn(passed_on) => passed_on.counts_as(),
            Self::Moved(moved) => moved.counts_as(),
            Self::InApp(_)
            | Self::Ownership(_)
            | Self::Request(_)
            | Self::Response(_)
            | Self::QueryStatus { .. }
            | Self::HomesReached { .. }
            | Self::Orphan { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Gone { .. }
            | Self::Switch { .. }
            | Self::PutOut { .. }
            | Self::Broadcast { .. }
            | Self::AskNames { .. }
            | Self::Resume(_)
            | Self::SessionMoved(_)
            | Self::Taken(_)
            | Self::Fence(_)
            | Self::Fenced(_)
            | Self::Outcomes(_)
            | Self::NotDelivered { .. }
            | Self::NotBroadcast { .. }
            | Self::Push { .. }
            | Self::PushToEach { .. }
            | Self::Joined { .. }
            | Self::JoinRefused { .. }
            | Self::Names { .. }
            | Self::Left { .. }
            | Self::Switched { .. }
            | Self::Removed { .. } => 1,
        }
    }

    /// Its bytes besides those that every entry has: its frames, ids, names and lists. They bound
    /// the memory of entries that wait.
    #[must_use]
    pub fn more_bytes(&self) -> usize {
        let of_ids = |room: &RoomId, uid: &UserId| room.as_str().len() + uid.as_str().len();
        match self {
            Self::InApp(app_id) => app_id.as_str().len(),
            Self::Ownership(entry) => entry.more_bytes(),
            Self::PassedOn(passed_on) => passed_on.more_bytes(),
            Self::HomesReached { .. } | Self::Taken(_) | Self::Fence(_) | Self::Fenced(_) => 0,
            Self::Resume(asked) => asked.more_bytes(),
            Self::SessionMoved(part) => part.more_bytes(),
            Self::Request(request) => request.more_bytes(),
            Self::Response(response) => response.more_bytes(),
            Self::Moved(moved) => size_of::<Moved>() + moved.more_bytes(),
            Self::Deliver(deliveries) => deliveries.bytes(),
            Self::QueryStatus { uid, .. } | Self::NotDelivered { to: uid, .. } => {
                uid.as_str().len()
            }
            Self::Join { room, uid, business_id, .. } => {
                of_ids(room, uid) + business_id.as_ref().map_or(0, |id| id.as_str().len())
            }
            Self::Orphan { room, uid, .. }
            | Self::Leave { room, uid, .. }
            | Self::Gone { room, uid, .. }
            | Self::Switch { room, uid, .. }
            | Self::PutOut { room, uid }
            | Self::AskNames { room, uid, .. } => of_ids(room, uid),
            Self::Broadcast { room, uid, frame, .. } => of_ids(room, uid) + frame.len(),
            Self::Outcomes(outcomes) => {
                let rooms = outcomes.iter().map(|(_, outcome)| match outcome {
                    Outcome::Send(..) => 0,
                    Outcome::Broadcast(room, ..) => room.as_str().len(),
                });
                list(outcomes) + rooms.sum::<usize>()
            }
            Self::NotBroadcast { room, .. }
            | Self::JoinRefused { room, .. }
            | Self::Switched { room, .. }
            | Self::Left { room, .. } => room.as_str().len(),
            Self::Push { frame, .. } => frame.len(),
            Self::PushToEach { sessions, frames } => {
                let of_frames = frames.iter().map(|(_, frame)| frame.len());
                list(sessions) + list(frames) + of_frames.sum::<usize>()
            }
            Self::Joined { room, names, .. } | Self::Names { room, names, .. } => {
                room.as_str().len() + names.bytes()
            }
            Self::Removed { room, notice, .. } => {
                room.as_str().len() + notice.as_ref().map_or(0, Bytes::len)
            }
        }
    }
}

/// The memory of a list, also that which it has in reserve.
fn list<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

/// Whether a user may enter one more room, as its own shard sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum JoinPermit {
    /// The rate of joins was charged for it.
    Charged,
    /// The user may enter no other room. It may return to a room that waits for it.
    Refused(JoinRefusal),
}

/// How a session became a member of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Entered {
    /// It is new.
    New,
    /// The membership waited for the user's session.
    Back,
    /// It was one before.
    Already,
}

/// How a membership goes on after its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MemberEnd {
    /// It ends.
    Ends(LeaveReason),
    /// It waits until this moment for the user's next session.
    WaitsUntil(Instant),
}

/// The first members of a room in the order of their ids, without the one who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Names {
    /// The names.
    pub names: Vec<UserId>,
    /// The room has more than 500 members, so no notices are sent.
    pub has_no_notices: bool,
}

impl Names {
    fn bytes(&self) -> usize {
        list(&self.names) + self.names.iter().map(|name| name.as_str().len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{number, room_id, uid};

    #[test]
    fn each_message_counts_as_an_entry() {
        let mut deliveries = Deliveries::default();
        for id in (1..=3).map(MessageId) {
            deliveries.push(number(1), id, MessageConfig::ReliableOrdered, &uid("bob"), b"frame");
        }
        assert_eq!(Entry::Deliver(deliveries).counts_as(), 3);
        let outcome = (number(1), Outcome::Send(SendCode::Ok, MessageId(7)));
        assert_eq!(Entry::Outcomes(alloc::vec![outcome; 100]).counts_as(), 1);
    }

    #[test]
    fn lists_of_receivers_and_results_count_as_memory() {
        let frame = Bytes::from_static(b"frame");
        let push = |receivers: u64| Entry::PushToEach {
            sessions: (1..receivers + 1).map(number).collect(),
            frames: [(None, frame.clone())].into(),
        };
        assert!(push(1).more_bytes() >= frame.len() + 8);
        assert_eq!(push(1_001).more_bytes() - push(1).more_bytes(), 8_000);
        let outcome = (number(1), Outcome::Send(SendCode::Ok, MessageId(7)));
        assert!(Entry::Outcomes(alloc::vec![outcome; 100]).more_bytes() >= 1_600);
        let names = Names { names: [uid("alice")].into(), has_no_notices: false };
        assert!(names.bytes() > "alice".len());
        let (session, names) = (number(1), Names::default());
        let room = room_id("lobby");
        let empty = Entry::Names { room, session, ticket: 1, names: names.clone() };
        assert_eq!(empty.more_bytes(), "lobby".len());
    }

    #[test]
    fn ids_count_as_memory() {
        let (room, uid, session) = (room_id("lobby"), uid("alice"), number(1));
        let id = MessageId(7);
        let (config, code) = (MessageConfig::ReliableOrdered, SendCode::Timeout);
        let not_delivered = Entry::NotDelivered { session, id, to: uid.clone(), config, code };
        assert_eq!(not_delivered.more_bytes(), "alice".len());
        let frame = Bytes::from_static(b"frame");
        let broadcast = Entry::Broadcast { room: room.clone(), session, uid, id, frame };
        assert_eq!(broadcast.more_bytes(), "lobbyaliceframe".len());
        let results = |outcome| {
            let mut list = Vec::with_capacity(10);
            list.push((session, outcome));
            Entry::Outcomes(list).more_bytes()
        };
        let of_send = results(Outcome::Send(SendCode::Ok, id));
        let of_broadcast = results(Outcome::Broadcast(room, BroadcastCode::Ok, id));
        assert_eq!(of_send, 10 * size_of::<(SessionNumber, Outcome)>());
        assert_eq!(of_broadcast - of_send, "lobby".len());
    }

    /// `docs/operate.md` tells the memory of entries.
    #[test]
    fn entry_has_at_most_96_bytes() {
        assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
    }
}
