//! From entries to the types of protobuf.

use bytes::Bytes;
use rts_proto::server::{
    Deliveries, Entered, Entry, JoinPermit, JoinRefusal, MemberEnd, Moved, Names, Outcome,
    PassedOn, SessionNumber,
};
use rts_proto::{Instant, RoomId, UserId};

use super::super::generated as proto;
use super::super::generated::entry::Kind;
use super::pack::ENTRY_BYTES_MAX;
use super::values::{id, remaining};
use super::{arriving, moved, ownership, request, response};
use crate::limits::SESSIONS_OF_ENTRY_MAX;

/// The tag and length of a field, and a few bytes more.
const FIELD_BYTES_MAX: usize = 8;

/// Passes on the kinds that mean this entry. Usually that is one.
pub(super) fn kinds(entry: Entry, now: Instant, mut add: impl FnMut(Kind)) {
    add(match entry {
        Entry::Deliver(deliveries) => return self::deliveries(deliveries, Kind::Deliver, add),
        Entry::PassedOn(PassedOn::Deliver(deliveries)) => {
            return self::deliveries(deliveries, Kind::PassedDeliver, add);
        }
        Entry::PassedOn(PassedOn::QueryStatus { session, query, uid }) => {
            Kind::PassedQueryStatus(query_status(session, query, &uid))
        }
        Entry::PassedOn(PassedOn::Orphan { room, uid, waits }) => {
            Kind::PassedOrphan(orphan(&room, &uid, waits))
        }
        Entry::PassedOn(PassedOn::Request(on_way)) => {
            Kind::PassedRequest(request::to_request(*on_way))
        }
        Entry::Request(on_way) => Kind::Request(request::to_request(*on_way)),
        Entry::Response(part) => Kind::Response(response::to_response(*part)),
        Entry::HomesReached { epoch, step } => moved::reached(epoch, step),
        Entry::Resume(asked) => arriving::resume(*asked),
        Entry::SessionMoved(part) => arriving::part(*part),
        Entry::Taken(session) => Kind::Taken(session.number()),
        Entry::Fence(fence) => Kind::Fence(fence),
        Entry::Fenced(fence) => Kind::Fenced(fence),
        Entry::Switch { room, session, uid, next } => Kind::Switch(proto::Switch {
            room: id(room.as_str()),
            session: session.number(),
            uid: id(uid.as_str()),
            next: next.number(),
        }),
        Entry::Switched { room, session } => {
            let (room, session) = (id(room.as_str()), session.number());
            Kind::Switched(proto::Switched { room, session })
        }
        Entry::Moved(moved) => match *moved {
            Moved::User { uid, owner, left } => moved::user(&uid, owner, left),
            Moved::Held(PassedOn::Deliver(deliveries)) => {
                return self::deliveries(deliveries, Kind::HeldDeliver, add);
            }
            Moved::Held(PassedOn::QueryStatus { session, query, uid }) => {
                Kind::HeldQueryStatus(query_status(session, query, &uid))
            }
            Moved::Held(PassedOn::Orphan { room, uid, waits }) => {
                Kind::HeldOrphan(orphan(&room, &uid, waits))
            }
            Moved::Held(PassedOn::Request(on_way)) => {
                Kind::HeldRequest(request::to_request(*on_way))
            }
            Moved::Members { room, used, members } => moved::members(&room, used, &members, now),
        },
        Entry::Ownership(entry) => ownership::kind(entry),
        Entry::Outcomes(outcomes) => return self::outcomes(outcomes, add),
        Entry::PushToEach { sessions, frames } => return push_to_each(&sessions, frames, add),
        Entry::InApp(app_id) => Kind::InApp(id(app_id.as_str())),
        Entry::QueryStatus { session, query, uid } => {
            Kind::QueryStatus(query_status(session, query, &uid))
        }
        Entry::Orphan { room, uid, waits } => Kind::Orphan(orphan(&room, &uid, waits)),
        Entry::Join { room, session, uid, ticket, business_id, permit } => {
            Kind::Join(proto::Join {
                room: id(room.as_str()),
                session: session.number(),
                uid: id(uid.as_str()),
                ticket,
                business_id: business_id.map(|tag| id(tag.as_str())).unwrap_or_default(),
                refused: match permit {
                    JoinPermit::Charged => proto::JoinRefusal::None.into(),
                    JoinPermit::Refused(refusal) => self::refusal(refusal).into(),
                },
            })
        }
        Entry::Leave { room, session, uid, ticket } => {
            let (room, session, uid) = (id(room.as_str()), session.number(), id(uid.as_str()));
            Kind::Leave(proto::OfSession { room, session, uid, ticket })
        }
        Entry::Gone { room, session, uid, end } => {
            let (room, session, uid) = (id(room.as_str()), session.number(), id(uid.as_str()));
            let end = Some(self::end(end, now));
            Kind::Gone(proto::Gone { room, session, uid, end })
        }
        Entry::PutOut { room, uid } => {
            let (room, uid) = (id(room.as_str()), id(uid.as_str()));
            Kind::PutOut(proto::OfMember { room, uid })
        }
        Entry::Broadcast { room, session, uid, id: message, frame } => {
            let (room, session, uid) = (id(room.as_str()), session.number(), id(uid.as_str()));
            Kind::Broadcast(proto::Broadcast { room, session, uid, id: message.0, frame })
        }
        Entry::AskNames { room, session, uid, ticket } => {
            let (room, session, uid) = (id(room.as_str()), session.number(), id(uid.as_str()));
            Kind::AskNames(proto::OfSession { room, session, uid, ticket })
        }
        Entry::NotDelivered { session, id: message, to, config, code } => {
            Kind::NotDelivered(proto::NotDelivered {
                session: session.number(),
                id: message.0,
                to: id(to.as_str()),
                config: config.code(),
                code: code.code(),
            })
        }
        Entry::NotBroadcast { session, room, id: message, code } => {
            let (session, room, code) = (session.number(), id(room.as_str()), code.code());
            Kind::NotBroadcast(proto::NotBroadcast { session, room, id: message.0, code })
        }
        Entry::Push { session, frame } => {
            Kind::Push(proto::Push { session: session.number(), frame })
        }
        Entry::Joined { room, session, ticket, entered, names, is_charged } => {
            Kind::Joined(proto::Joined {
                room: id(room.as_str()),
                session: session.number(),
                ticket,
                entered: self::entered(entered).into(),
                names: Some(self::names(&names)),
                is_charged,
            })
        }
        Entry::JoinRefused { room, session, ticket, state, refusal, is_charged } => {
            Kind::JoinRefused(proto::JoinRefused {
                room: id(room.as_str()),
                session: session.number(),
                ticket,
                state: state.code(),
                refusal: self::refusal(refusal).into(),
                is_charged,
            })
        }
        Entry::Names { room, session, ticket, names } => {
            let (room, session) = (id(room.as_str()), session.number());
            let names = Some(self::names(&names));
            Kind::Names(proto::Names { room, session, ticket, names })
        }
        Entry::Left { room, session, ticket } => {
            let (room, session) = (id(room.as_str()), session.number());
            Kind::Left(proto::Left { room, session, ticket })
        }
        Entry::Removed { room, session, notice } => {
            let (room, session) = (id(room.as_str()), session.number());
            Kind::Removed(proto::Removed { room, session, notice })
        }
    });
}

fn deliveries(deliveries: Deliveries, kind: fn(Bytes) -> Kind, add: impl FnMut(Kind)) {
    deliveries.into_parts(ENTRY_BYTES_MAX - FIELD_BYTES_MAX).map(kind).for_each(add);
}

fn query_status(session: SessionNumber, query: u64, uid: &UserId) -> proto::QueryStatus {
    proto::QueryStatus { session: session.number(), query, uid: id(uid.as_str()) }
}

fn orphan(room: &RoomId, uid: &UserId, waits: bool) -> proto::Orphan {
    proto::Orphan { room: id(room.as_str()), uid: id(uid.as_str()), waits }
}

fn outcomes(outcomes: Vec<(SessionNumber, Outcome)>, mut add: impl FnMut(Kind)) {
    let outcomes = outcomes.into_iter().map(|(session, outcome)| {
        let session = session.number();
        match outcome {
            Outcome::Send(code, message) => {
                let (id, code, room) = (message.0, code.code(), Bytes::new());
                proto::Outcome { session, id, code, room }
            }
            Outcome::Broadcast(room, code, message) => {
                let (id, code, room) = (message.0, code.code(), id(room.as_str()));
                proto::Outcome { session, id, code, room }
            }
        }
    });
    let space = ENTRY_BYTES_MAX - FIELD_BYTES_MAX;
    in_groups(outcomes, space, |outcomes| add(Kind::Outcomes(proto::Outcomes { outcomes })));
}

/// Each session is in one group of sessions, and gets all frames in their order.
fn push_to_each(
    sessions: &[SessionNumber],
    frames: Vec<(Option<SessionNumber>, Bytes)>,
    mut add: impl FnMut(Kind),
) {
    let frames: Vec<_> = frames
        .into_iter()
        .map(|(except, frame)| {
            let except = except.map_or(0, SessionNumber::number);
            proto::FrameToEach { except, frame }
        })
        .collect();
    for sessions in sessions.chunks(SESSIONS_OF_ENTRY_MAX) {
        let sessions: Vec<u64> = sessions.iter().map(|session| session.number()).collect();
        let space = ENTRY_BYTES_MAX - 2 * FIELD_BYTES_MAX - size_of_val(&sessions[..]);
        in_groups(frames.iter().cloned(), space, |frames| {
            let sessions = sessions.clone();
            add(Kind::PushToEach(proto::PushToEach { sessions, frames }));
        });
    }
}

/// Passes on the items in groups of at most `space` bytes, and of at least one item.
fn in_groups<T: prost::Message>(
    items: impl Iterator<Item = T>,
    space: usize,
    mut add: impl FnMut(Vec<T>),
) {
    let (mut group, mut bytes) = (Vec::new(), 0);
    for item in items {
        let len = item.encoded_len() + FIELD_BYTES_MAX;
        if bytes + len > space && !group.is_empty() {
            add(std::mem::take(&mut group));
            bytes = 0;
        }
        group.push(item);
        bytes += len;
    }
    if !group.is_empty() {
        add(group);
    }
}

fn end(end: MemberEnd, now: Instant) -> proto::gone::End {
    match end {
        MemberEnd::Ends(reason) => proto::gone::End::Ends(reason.code()),
        MemberEnd::WaitsUntil(until) => proto::gone::End::WaitsUs(remaining(until, now)),
    }
}

fn names(names: &Names) -> proto::MemberNames {
    let Names { names, has_no_notices } = names;
    let names = names.iter().map(|name| id(name.as_str())).collect();
    proto::MemberNames { names, has_no_notices: *has_no_notices }
}

fn entered(entered: Entered) -> proto::Entered {
    match entered {
        Entered::New => proto::Entered::New,
        Entered::Back => proto::Entered::Back,
        Entered::Already => proto::Entered::Already,
    }
}

fn refusal(refusal: JoinRefusal) -> proto::JoinRefusal {
    match refusal {
        JoinRefusal::Banned => proto::JoinRefusal::Banned,
        JoinRefusal::RoomFull => proto::JoinRefusal::RoomFull,
        JoinRefusal::TooManyRooms => proto::JoinRefusal::TooManyRooms,
        JoinRefusal::OverRate => proto::JoinRefusal::OverRate,
        JoinRefusal::ShardBusy => proto::JoinRefusal::ShardBusy,
    }
}
