//! From the types of protobuf to entries, with all checks.

use bytes::Bytes;
use rts_proto::limits::NOTICE_MEMBERS_MAX;
use rts_proto::server::{
    Entered, Entry, JoinPermit, JoinRefusal, MemberEnd, Moved, Names, Outcome, PassedOn,
    SessionNumber,
};
use rts_proto::{Instant, MessageId, RoomId, UserId};

use super::super::generated as proto;
use super::super::generated::entry::Kind;
use super::super::packet::WireError;
use super::values::{
    app_id, arriving, broadcast_code, business_id, deliveries, frame, invalid, leave_reason,
    message_config, room, room_state, send_code, session, uid,
};
use super::{arriving as arriving_session, moved, ownership, request, response};

pub(super) fn entry(kind: Kind, now: Instant) -> Result<Entry, WireError> {
    Ok(match kind {
        Kind::InApp(app_id) => Entry::InApp(self::app_id(&app_id)?),
        Kind::Deliver(part) => Entry::Deliver(deliveries(&part)?),
        Kind::Ask(ask) => Entry::Ownership(ownership::ask(ask)?),
        Kind::Grant(tenure) => Entry::Ownership(ownership::grant(tenure)?),
        Kind::Deny(denied) => Entry::Ownership(ownership::deny(&denied)?),
        Kind::Revoke(revoke) => Entry::Ownership(ownership::revoke(revoke)?),
        Kind::Release(tenure) => Entry::Ownership(ownership::release(tenure)?),
        Kind::Keep(kept) => Entry::Ownership(ownership::keep(&kept)?),
        Kind::PassedDeliver(part) => Entry::PassedOn(ownership::passed_deliver(&part)?),
        Kind::PassedQueryStatus(asked) => Entry::PassedOn(ownership::passed_query_status(&asked)?),
        Kind::PassedOrphan(orphan) => Entry::PassedOn(ownership::passed_orphan(&orphan)?),
        Kind::HomesReached(proto::HomesReached { epoch, step }) => {
            Entry::HomesReached { epoch, step: moved::step(step)? }
        }
        Kind::Resume(asked) => arriving_session::asked(asked)?,
        Kind::ArrivingRooms(part) => arriving_session::rooms(&part)?,
        Kind::ArrivingFrames(part) => arriving_session::frames(part)?,
        Kind::ArrivingPost(part) => arriving_session::post(part)?,
        Kind::ArrivingSession(part) => arriving_session::session_of(part)?,
        Kind::ArrivingRevoked(next) => arriving_session::revoked(next)?,
        Kind::Taken(session) => Entry::Taken(self::session(session)?),
        Kind::Fence(fence) => Entry::Fence(fence),
        Kind::Fenced(fence) => Entry::Fenced(fence),
        Kind::Switch(proto::Switch { room, session, uid, next }) => {
            let (room, session, uid) = of_session(&room, session, &uid)?;
            Entry::Switch { room, session, uid, next: self::session(next)? }
        }
        Kind::Switched(proto::Switched { room, session }) => {
            Entry::Switched { room: self::room(&room)?, session: self::session(session)? }
        }
        Kind::MovedUser(user) => moved(moved::moved_user(user)?),
        Kind::HeldDeliver(part) => moved(Moved::Held(ownership::passed_deliver(&part)?)),
        Kind::HeldQueryStatus(asked) => moved(Moved::Held(ownership::passed_query_status(&asked)?)),
        Kind::HeldOrphan(orphan) => moved(Moved::Held(ownership::passed_orphan(&orphan)?)),
        Kind::Request(asked) => Entry::Request(request::request(asked)?),
        Kind::PassedRequest(asked) => Entry::PassedOn(PassedOn::Request(request::request(asked)?)),
        Kind::HeldRequest(asked) => moved(Moved::Held(PassedOn::Request(request::request(asked)?))),
        Kind::Response(part) => Entry::Response(response::response(part)?),
        Kind::MovedMembers(members) => moved(moved::moved_members(members, now)?),
        Kind::QueryStatus(proto::QueryStatus { session, query, uid }) => {
            Entry::QueryStatus { session: self::session(session)?, query, uid: self::uid(&uid)? }
        }
        Kind::Orphan(proto::Orphan { room, uid, waits }) => {
            Entry::Orphan { room: self::room(&room)?, uid: self::uid(&uid)?, waits }
        }
        Kind::Join(join) => self::join(join)?,
        Kind::Leave(proto::OfSession { room, session, uid, ticket }) => {
            let (room, session, uid) = of_session(&room, session, &uid)?;
            Entry::Leave { room, session, uid, ticket }
        }
        Kind::Gone(proto::Gone { room, session, uid, end }) => {
            let (room, session, uid) = of_session(&room, session, &uid)?;
            Entry::Gone { room, session, uid, end: self::end(end, now)? }
        }
        Kind::PutOut(proto::OfMember { room, uid }) => {
            Entry::PutOut { room: self::room(&room)?, uid: self::uid(&uid)? }
        }
        Kind::Broadcast(proto::Broadcast { room, session, uid, id, frame }) => {
            let (room, session, uid) = of_session(&room, session, &uid)?;
            let (id, frame) = (MessageId(id), self::frame(frame)?);
            Entry::Broadcast { room, session, uid, id, frame }
        }
        Kind::AskNames(proto::OfSession { room, session, uid, ticket }) => {
            let (room, session, uid) = of_session(&room, session, &uid)?;
            Entry::AskNames { room, session, uid, ticket }
        }
        Kind::Outcomes(proto::Outcomes { outcomes }) => {
            Entry::Outcomes(outcomes.into_iter().map(outcome).collect::<Result<_, _>>()?)
        }
        Kind::NotDelivered(not_delivered) => self::not_delivered(&not_delivered)?,
        Kind::NotBroadcast(proto::NotBroadcast { session, room, id, code }) => {
            let (session, room) = (self::session(session)?, self::room(&room)?);
            Entry::NotBroadcast { session, room, id: MessageId(id), code: broadcast_code(code)? }
        }
        Kind::Push(proto::Push { session, frame }) => {
            Entry::Push { session: self::session(session)?, frame: self::frame(frame)? }
        }
        Kind::PushToEach(proto::PushToEach { sessions, frames }) => {
            let sessions = sessions.into_iter().map(session).collect::<Result<_, _>>()?;
            let frames = frames.into_iter().map(frame_to_each).collect::<Result<_, _>>()?;
            Entry::PushToEach { sessions, frames }
        }
        Kind::Joined(joined) => self::joined(joined)?,
        Kind::JoinRefused(refused) => join_refused(&refused)?,
        Kind::Names(proto::Names { room, session, ticket, names }) => {
            let (room, session) = (self::room(&room)?, self::session(session)?);
            Entry::Names { room, session, ticket, names: self::names(names)? }
        }
        Kind::Left(proto::Left { room, session, ticket }) => {
            Entry::Left { room: self::room(&room)?, session: self::session(session)?, ticket }
        }
        Kind::Removed(proto::Removed { room, session, notice }) => {
            let (room, session) = (self::room(&room)?, self::session(session)?);
            Entry::Removed { room, session, notice: notice.map(frame).transpose()? }
        }
    })
}

fn moved(moved: Moved) -> Entry {
    Entry::Moved(Box::new(moved))
}

fn join(join: proto::Join) -> Result<Entry, WireError> {
    let proto::Join { room, session, uid, ticket, business_id, refused } = join;
    let (room, session, uid) = of_session(&room, session, &uid)?;
    let business_id = match business_id.is_empty() {
        true => None,
        false => Some(self::business_id(&business_id)?),
    };
    let permit = match proto::JoinRefusal::try_from(refused) {
        Ok(proto::JoinRefusal::None) => JoinPermit::Charged,
        _ => JoinPermit::Refused(refusal(refused)?),
    };
    Ok(Entry::Join { room, session, uid, ticket, business_id, permit })
}

fn joined(joined: proto::Joined) -> Result<Entry, WireError> {
    let proto::Joined { room, session, ticket, entered, names, is_charged } = joined;
    let (room, session) = (self::room(&room)?, self::session(session)?);
    let (entered, names) = (self::entered(entered)?, self::names(names)?);
    Ok(Entry::Joined { room, session, ticket, entered, names, is_charged })
}

fn join_refused(refused: &proto::JoinRefused) -> Result<Entry, WireError> {
    Ok(Entry::JoinRefused {
        room: room(&refused.room)?,
        session: session(refused.session)?,
        ticket: refused.ticket,
        state: room_state(refused.state)?,
        refusal: refusal(refused.refusal)?,
        is_charged: refused.is_charged,
    })
}

fn not_delivered(not_delivered: &proto::NotDelivered) -> Result<Entry, WireError> {
    Ok(Entry::NotDelivered {
        session: session(not_delivered.session)?,
        id: MessageId(not_delivered.id),
        to: uid(&not_delivered.to)?,
        config: message_config(not_delivered.config)?,
        code: send_code(not_delivered.code)?,
    })
}

fn outcome(outcome: proto::Outcome) -> Result<(SessionNumber, Outcome), WireError> {
    let proto::Outcome { session, id, code, room } = outcome;
    let (session, id) = (self::session(session)?, MessageId(id));
    let outcome = match room.is_empty() {
        true => Outcome::Send(send_code(code)?, id),
        false => Outcome::Broadcast(self::room(&room)?, broadcast_code(code)?, id),
    };
    Ok((session, outcome))
}

fn frame_to_each(
    proto::FrameToEach { except, frame }: proto::FrameToEach,
) -> Result<(Option<SessionNumber>, Bytes), WireError> {
    Ok((SessionNumber::from_number(except), self::frame(frame)?))
}

fn of_session(
    room: &Bytes,
    session: u64,
    uid: &Bytes,
) -> Result<(RoomId, SessionNumber, UserId), WireError> {
    Ok((self::room(room)?, self::session(session)?, self::uid(uid)?))
}

fn end(end: Option<proto::gone::End>, now: Instant) -> Result<MemberEnd, WireError> {
    Ok(match end.ok_or(WireError::Invalid("end"))? {
        proto::gone::End::Ends(reason) => MemberEnd::Ends(leave_reason(reason)?),
        proto::gone::End::WaitsUs(time) => MemberEnd::WaitsUntil(arriving(time, now)),
    })
}

fn names(names: Option<proto::MemberNames>) -> Result<Names, WireError> {
    match names {
        Some(proto::MemberNames { names, has_no_notices }) if names.len() <= NOTICE_MEMBERS_MAX => {
            let names = names.iter().map(uid).collect::<Result<_, _>>()?;
            Ok(Names { names, has_no_notices })
        }
        _ => invalid("list of names"),
    }
}

fn entered(entered: i32) -> Result<Entered, WireError> {
    match proto::Entered::try_from(entered) {
        Ok(proto::Entered::New) => Ok(Entered::New),
        Ok(proto::Entered::Back) => Ok(Entered::Back),
        Ok(proto::Entered::Already) => Ok(Entered::Already),
        Ok(proto::Entered::None) | Err(_) => invalid("kind of membership"),
    }
}

fn refusal(refusal: i32) -> Result<JoinRefusal, WireError> {
    match proto::JoinRefusal::try_from(refusal) {
        Ok(proto::JoinRefusal::Banned) => Ok(JoinRefusal::Banned),
        Ok(proto::JoinRefusal::RoomFull) => Ok(JoinRefusal::RoomFull),
        Ok(proto::JoinRefusal::TooManyRooms) => Ok(JoinRefusal::TooManyRooms),
        Ok(proto::JoinRefusal::OverRate) => Ok(JoinRefusal::OverRate),
        Ok(proto::JoinRefusal::ShardBusy) => Ok(JoinRefusal::ShardBusy),
        Ok(proto::JoinRefusal::None) | Err(_) => invalid("refusal"),
    }
}
