//! Entries about sessions that move to other shards, from and to the types of protobuf.

use bytes::Bytes;
use rts_proto::limits::ROOMS_PER_USER_MAX;
use rts_proto::server::{
    Entry, MovedFrames, MovedParams, MovedPost, MovedSession, ResumeAsked, SessionContent,
    SessionNumber, SessionPart, Tenure,
};
use rts_proto::{MessageId, Payload, RoomId, ServerParams, wire};

use super::super::generated as proto;
use super::super::generated::arriving_post;
use super::super::generated::entry::Kind;
use super::super::packet::WireError;
use super::ownership;
use super::values::{id, invalid, key, room, session, uid};

pub(super) fn resume(asked: ResumeAsked) -> Kind {
    let ResumeAsked { uid, session, candidate } = asked;
    let candidate = Some(ownership::to_candidate(candidate));
    Kind::Resume(proto::Resume { uid: id(uid.as_str()), session: session.number(), candidate })
}

pub(super) fn asked(asked: proto::Resume) -> Result<Entry, WireError> {
    let candidate = ownership::candidate(asked.candidate.unwrap_or_default())?;
    let (uid, session) = (uid(&asked.uid)?, session(asked.session)?);
    Ok(Entry::Resume(Box::new(ResumeAsked { uid, session, candidate })))
}

pub(super) fn part(part: SessionPart) -> Kind {
    let SessionPart { next, content } = part;
    let next = next.number();
    match content {
        SessionContent::Rooms(rooms) => {
            Kind::ArrivingRooms(proto::ArrivingRooms { next, rooms: to_rooms(&rooms) })
        }
        SessionContent::Frames(frames) => {
            let frames = frames.into_iter().map(to_frames).collect();
            Kind::ArrivingFrames(proto::ArrivingFrames { next, frames })
        }
        SessionContent::Post(post) => Kind::ArrivingPost(to_post(next, *post)),
        SessionContent::Session(session) => Kind::ArrivingSession(to_session(next, *session)),
        SessionContent::Revoked => Kind::ArrivingRevoked(next),
    }
}

fn to_rooms(rooms: &[RoomId]) -> Vec<Bytes> {
    rooms.iter().map(|room| id(room.as_str())).collect()
}

fn to_frames(frames: MovedFrames) -> proto::WindowFrames {
    let MovedFrames { bytes, frames: _, origin } = frames;
    let (session, id) = origin.map_or((0, 0), |(session, id)| (session.number(), id.0));
    proto::WindowFrames { frames: bytes, session, id }
}

fn to_post(next: u64, post: MovedPost) -> proto::ArrivingPost {
    let MovedPost { id, params, payload } = post;
    let params = match params {
        MovedParams::Asked(ticket) => arriving_post::Params::Asked(ticket),
        MovedParams::Known(params) => arriving_post::Params::Known(to_params(&params)),
    };
    let payload = match payload {
        Payload::Text(text) => arriving_post::Payload::Text(self::id(&text)),
        Payload::Binary(bytes) => arriving_post::Payload::Binary(bytes),
    };
    proto::ArrivingPost { next, id: id.0, params: Some(params), payload: Some(payload) }
}

fn to_params(params: &ServerParams) -> proto::Params {
    proto::Params { signature: id(params.signature()), url: id(params.url()) }
}

fn to_session(next: u64, session: MovedSession) -> proto::ArrivingSession {
    let welcomes = session.welcomes.into_iter();
    let undecided = session.undecided.iter();
    proto::ArrivingSession {
        next,
        uid: id(session.uid.as_str()),
        session: session.session.number(),
        tenure: session.tenure.0,
        key: Bytes::copy_from_slice(&session.key.0),
        issued_at: session.issued_at,
        claim: session.claim,
        received: session.received,
        acked: session.acked,
        frames_resent: session.frames_resent,
        rooms: to_rooms(&session.rooms),
        welcomes: welcomes
            .map(|(room, ticket, bytes)| proto::Welcome { room: id(room.as_str()), ticket, bytes })
            .collect(),
        left: Some(ownership::to_left(session.left)),
        params: session.params.as_ref().map(to_params),
        undecided: undecided
            .map(|(ticket, params)| proto::AskedParams {
                ticket: *ticket,
                params: Some(to_params(params)),
            })
            .collect(),
    }
}

fn moved(next: u64, content: SessionContent) -> Result<Entry, WireError> {
    Ok(Entry::SessionMoved(Box::new(SessionPart { next: session(next)?, content })))
}

pub(super) fn revoked(next: u64) -> Result<Entry, WireError> {
    moved(next, SessionContent::Revoked)
}

pub(super) fn rooms(part: &proto::ArrivingRooms) -> Result<Entry, WireError> {
    moved(part.next, SessionContent::Rooms(rooms_of(&part.rooms)?))
}

/// Rooms that are being left count besides those that a user may be in.
fn rooms_of(rooms: &[Bytes]) -> Result<Vec<RoomId>, WireError> {
    match rooms.len() <= 2 * ROOMS_PER_USER_MAX + 1 {
        true => rooms.iter().map(room).collect(),
        false => invalid("list of rooms"),
    }
}

pub(super) fn frames(part: proto::ArrivingFrames) -> Result<Entry, WireError> {
    let frames = part.frames.into_iter().map(window_frames).collect::<Result<_, _>>()?;
    moved(part.next, SessionContent::Frames(frames))
}

fn window_frames(frames: proto::WindowFrames) -> Result<MovedFrames, WireError> {
    let proto::WindowFrames { frames: bytes, session, id } = frames;
    let origin = SessionNumber::from_number(session).map(|session| (session, MessageId(id)));
    match wire::frames_count(&bytes) {
        Some(frames @ 1..) => Ok(MovedFrames { bytes, frames, origin }),
        Some(0) | None => invalid("frames"),
    }
}

pub(super) fn post(part: proto::ArrivingPost) -> Result<Entry, WireError> {
    let proto::ArrivingPost { next, id, params: asked, payload } = part;
    let params = match asked {
        Some(arriving_post::Params::Asked(ticket)) => MovedParams::Asked(ticket),
        Some(arriving_post::Params::Known(known)) => MovedParams::Known(params(&known)?),
        None => return invalid("params"),
    };
    let payload = match payload {
        Some(arriving_post::Payload::Text(text)) => match std::str::from_utf8(&text) {
            Ok(text) => Payload::text(text),
            Err(_) => return invalid("payload"),
        },
        Some(arriving_post::Payload::Binary(bytes)) => Payload::Binary(bytes),
        None => return invalid("payload"),
    };
    let post = MovedPost { id: MessageId(id), params, payload };
    moved(next, SessionContent::Post(Box::new(post)))
}

fn params(params: &proto::Params) -> Result<ServerParams, WireError> {
    let params = ServerParams::new(&params.signature, &params.url);
    params.ok_or(WireError::Invalid("params"))
}

pub(super) fn session_of(part: proto::ArrivingSession) -> Result<Entry, WireError> {
    let welcome =
        |welcome: proto::Welcome| Ok((room(&welcome.room)?, welcome.ticket, welcome.bytes));
    let asked =
        |asked: proto::AskedParams| Ok((asked.ticket, params(&asked.params.unwrap_or_default())?));
    let content = MovedSession {
        uid: uid(&part.uid)?,
        session: session(part.session)?,
        tenure: Tenure(part.tenure),
        key: key(&part.key)?,
        issued_at: part.issued_at,
        claim: part.claim,
        received: part.received,
        acked: part.acked,
        frames_resent: part.frames_resent,
        rooms: rooms_of(&part.rooms)?,
        welcomes: part.welcomes.into_iter().map(welcome).collect::<Result<_, _>>()?,
        left: ownership::left(part.left)?,
        params: part.params.as_ref().map(params).transpose()?,
        undecided: part.undecided.into_iter().map(asked).collect::<Result<_, _>>()?,
    };
    moved(part.next, SessionContent::Session(Box::new(content)))
}
