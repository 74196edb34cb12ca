//! What the shards of the server send each other, as far as oracles and situations need it.

use rts_proto::server::{
    Deliveries, Delivery, Entered, Entry, Moved, Outcome, Ownership, PassedOn, SessionContent,
    SessionNumber,
};
use rts_proto::{MessageId, RoomId, UserId};

use super::names::{app_number, number};

/// Something that one shard asks another, and that has one answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    Send { session: u64, id: u64 },
    Broadcast { session: u64, room: String, id: u64 },
    Join { session: u64, room: String, ticket: u64 },
    Leave { session: u64, room: String, ticket: u64 },
}

/// The bits of the number of a session that hold the number of its shard.
const SHARD_SHIFT: u32 = 26;
const SHARD_MASK: u64 = (1 << 12) - 1;

impl Question {
    fn session(&self) -> u64 {
        match self {
            Self::Send { session, .. }
            | Self::Broadcast { session, .. }
            | Self::Join { session, .. }
            | Self::Leave { session, .. } => *session,
        }
    }

    /// The shard that asks: that of the session.
    pub(crate) fn shard(&self) -> usize {
        (self.session() >> SHARD_SHIFT & SHARD_MASK) as usize
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerEntry {
    Asked(Question),
    /// A user of an app asks to join.
    AskedToJoin {
        question: Question,
        app: usize,
        uid: String,
    },
    Answered(Question),
    /// A session is a member. Its user's membership may have waited for it.
    Joined {
        question: Question,
        is_back: bool,
    },
    /// A session ended that is in a room, or has asked to join it.
    Gone {
        session: u64,
        room: String,
    },
    /// A session was removed from a room by force.
    Removed,
    /// A user was put out, whose membership waited for its next session.
    PutOut {
        app: usize,
        room: String,
        uid: String,
    },
    /// Frames for sessions of the other shard.
    Frames,
    NamesAsked,
    Names,
    StatusAsked,
    Orphan,
    /// A login asks the home of its user. If it resumes a session, the shard of the session asks.
    UserAsked {
        app: usize,
        uid: String,
        /// The shard of the login.
        shard: usize,
        login: u64,
    },
    /// A home grants a user.
    UserGranted {
        app: usize,
        uid: String,
        tenure: u64,
    },
    /// A login does not get its user, because another one has the user.
    UserDenied {
        app: usize,
        uid: String,
        login: u64,
    },
    /// The owner of a user has released it. Or its session has moved, and the next owner says so.
    UserReleased {
        app: usize,
        uid: String,
        tenure: u64,
        /// The shard and the login that has the session.
        next: Option<(usize, u64)>,
    },
    /// The next home of a user learns which shard owns it.
    UserMoved {
        app: usize,
        uid: String,
        owner: usize,
        tenure: u64,
    },
    /// Something else about the owner of a user.
    Ownership,
    Request,
    /// About homes that move.
    Homes,
    /// A login asks for the session that it resumes.
    Resume {
        app: usize,
        uid: String,
    },
    /// A session comes to the shard where its client comes back.
    SessionMoved {
        app: usize,
        uid: String,
    },
    /// About a session that moves.
    Move,
}

/// The entries of one burst.
pub(crate) fn peer_entries(entries: &[Entry]) -> Vec<PeerEntry> {
    let mut app = usize::MAX;
    entries.iter().flat_map(|entry| one(entry, &mut app)).collect()
}

fn one(entry: &Entry, app: &mut usize) -> Vec<PeerEntry> {
    let one = match entry {
        Entry::InApp(app_id) => {
            *app = app_number(app_id);
            return Vec::new();
        }
        Entry::Outcomes(outcomes) => {
            let answered = |(session, outcome): &(SessionNumber, Outcome)| {
                PeerEntry::Answered(match outcome {
                    Outcome::Send(_, id) => send(session.number(), *id),
                    Outcome::Broadcast(room, _, id) => broadcast(session.number(), room, *id),
                })
            };
            return outcomes.iter().map(answered).collect();
        }
        Entry::Deliver(deliveries) => return sends(deliveries),
        Entry::PassedOn(passed_on) => return self::passed_on(passed_on),
        Entry::Moved(moved) => match &**moved {
            Moved::Held(held) => return passed_on(held),
            Moved::User { uid, owner: Some(owner), .. } => PeerEntry::UserMoved {
                app: *app,
                uid: uid.as_str().to_owned(),
                owner: number(owner.shard),
                tenure: owner.tenure.0,
            },
            Moved::User { owner: None, .. } | Moved::Members { .. } => PeerEntry::Homes,
        },
        Entry::HomesReached { .. } => PeerEntry::Homes,
        Entry::Resume(asked) => PeerEntry::Resume { app: *app, uid: asked.uid.as_str().to_owned() },
        Entry::SessionMoved(part) => match &part.content {
            SessionContent::Session(session) => {
                PeerEntry::SessionMoved { app: *app, uid: session.uid.as_str().to_owned() }
            }
            _ => PeerEntry::Move,
        },
        Entry::Taken(_)
        | Entry::Fence(_)
        | Entry::Fenced(_)
        | Entry::Switch { .. }
        | Entry::Switched { .. } => PeerEntry::Move,
        Entry::NotDelivered { session, id, .. } => PeerEntry::Answered(send(session.number(), *id)),
        Entry::Broadcast { session, room, id, .. } => {
            PeerEntry::Asked(broadcast(session.number(), room, *id))
        }
        Entry::NotBroadcast { session, room, id, .. } => {
            PeerEntry::Answered(broadcast(session.number(), room, *id))
        }
        Entry::Join { session, room, ticket, uid, .. } => {
            let question = join(session.number(), room, *ticket);
            PeerEntry::AskedToJoin { question, app: *app, uid: uid.as_str().to_owned() }
        }
        Entry::Joined { session, room, ticket, entered, .. } => PeerEntry::Joined {
            question: join(session.number(), room, *ticket),
            is_back: *entered == Entered::Back,
        },
        Entry::JoinRefused { session, room, ticket, .. } => {
            PeerEntry::Answered(join(session.number(), room, *ticket))
        }
        Entry::Leave { session, room, ticket, .. } => {
            PeerEntry::Asked(leave(session.number(), room, *ticket))
        }
        Entry::Left { session, room, ticket } => {
            PeerEntry::Answered(leave(session.number(), room, *ticket))
        }
        Entry::Gone { session, room, .. } => {
            PeerEntry::Gone { session: session.number(), room: room.as_str().to_owned() }
        }
        Entry::Removed { .. } => PeerEntry::Removed,
        Entry::PutOut { room, uid } => PeerEntry::PutOut {
            app: *app,
            room: room.as_str().to_owned(),
            uid: uid.as_str().to_owned(),
        },
        Entry::Push { .. } | Entry::PushToEach { .. } => PeerEntry::Frames,
        Entry::AskNames { .. } => PeerEntry::NamesAsked,
        Entry::Names { .. } => PeerEntry::Names,
        Entry::QueryStatus { .. } => PeerEntry::StatusAsked,
        Entry::Orphan { .. } => PeerEntry::Orphan,
        Entry::Ownership(entry) => ownership(*app, entry),
        Entry::Request(_) | Entry::Response(_) => PeerEntry::Request,
    };
    vec![one]
}

fn ownership(app: usize, entry: &Ownership) -> PeerEntry {
    let name = |uid: &UserId| uid.as_str().to_owned();
    match entry {
        Ownership::Ask { uid, candidate } => PeerEntry::UserAsked {
            app,
            uid: name(uid),
            shard: number(candidate.shard),
            login: candidate.login.0,
        },
        Ownership::Grant { uid, tenure, .. } => {
            PeerEntry::UserGranted { app, uid: name(uid), tenure: tenure.0 }
        }
        Ownership::Deny { uid, login, .. } => {
            PeerEntry::UserDenied { app, uid: name(uid), login: login.0 }
        }
        Ownership::Release { uid, tenure, next, .. } => PeerEntry::UserReleased {
            app,
            uid: name(uid),
            tenure: tenure.0,
            next: next.map(|(shard, login)| (number(shard), login.0)),
        },
        Ownership::Revoke { .. } | Ownership::Keep { .. } => PeerEntry::Ownership,
    }
}

fn passed_on(passed_on: &PassedOn) -> Vec<PeerEntry> {
    match passed_on {
        PassedOn::Deliver(deliveries) => sends(deliveries),
        PassedOn::QueryStatus { .. } => vec![PeerEntry::StatusAsked],
        PassedOn::Orphan { .. } => vec![PeerEntry::Orphan],
        PassedOn::Request(_) => vec![PeerEntry::Request],
    }
}

fn sends(deliveries: &Deliveries) -> Vec<PeerEntry> {
    let asked =
        |delivery: Delivery<'_>| PeerEntry::Asked(send(delivery.session.number(), delivery.id));
    deliveries.iter().map(asked).collect()
}

fn send(session: u64, id: MessageId) -> Question {
    Question::Send { session, id: id.0 }
}

fn broadcast(session: u64, room: &RoomId, id: MessageId) -> Question {
    Question::Broadcast { session, room: room.as_str().to_owned(), id: id.0 }
}

fn join(session: u64, room: &RoomId, ticket: u64) -> Question {
    Question::Join { session, room: room.as_str().to_owned(), ticket }
}

fn leave(session: u64, room: &RoomId, ticket: u64) -> Question {
    Question::Leave { session, room: room.as_str().to_owned(), ticket }
}
