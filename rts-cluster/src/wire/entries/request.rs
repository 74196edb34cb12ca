//! Requests of back ends, from and to the types of protobuf.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Ban, Request, RequestId, RequestOnWay};
use rts_proto::{RoomId, UserId};

use super::super::generated as proto;
use super::super::generated::ban::Subject;
use super::super::generated::request::What;
use super::super::packet::WireError;
use super::values::{frame, id, invalid, room, shard, shard_number, uid};

pub(super) fn to_request(on_way: RequestOnWay) -> proto::Request {
    let RequestOnWay { origin, id: RequestId(id), request, is_charged } = on_way;
    let what = Some(to_what(request));
    proto::Request { origin: shard_number(origin), id, is_charged, what }
}

fn to_what(request: Request) -> What {
    let names = |names: Vec<UserId>| names.iter().map(|name| id(name.as_str())).collect();
    match request {
        Request::Unicast { to, frame } => {
            What::Unicast(proto::ToUser { to: id(to.as_str()), frame })
        }
        Request::BroadcastToRoom { room, frame } => {
            let (room, to) = (id(room.as_str()), Vec::new());
            What::BroadcastToRoom(proto::ToRoom { room, frame, to })
        }
        Request::UnicastInRoom { room, to, frame } => {
            let (room, to) = (id(room.as_str()), names(to));
            What::UnicastInRoom(proto::ToRoom { room, frame, to })
        }
        Request::Kick { room, uid } => What::Kick(member(&room, &uid)),
        Request::Dismiss { room } => What::Dismiss(id(room.as_str())),
        Request::Ban { ban, interval } => {
            let (seconds, nanos) = (interval.as_secs(), interval.subsec_nanos());
            What::Ban(proto::SetBan { ban: Some(to_ban(&ban)), seconds, nanos })
        }
        Request::Unban { ban } => What::Unban(to_ban(&ban)),
        Request::PutOut { uid } => What::PutOut(id(uid.as_str())),
        Request::Revoke { uid, issued_before } => {
            let uid = uid.map_or_else(Bytes::new, |uid| id(uid.as_str()));
            What::Revoke(proto::Revocation { uid, issued_before })
        }
        Request::Status { uid } => What::Status(id(uid.as_str())),
        Request::Members { room } => What::Members(id(room.as_str())),
        Request::Users { after, limit } => {
            let after = after.map_or_else(Bytes::new, |uid| id(uid.as_str()));
            What::Users(proto::PageOf { after, limit })
        }
        Request::Rooms { after, limit } => {
            let after = after.map_or_else(Bytes::new, |room| id(room.as_str()));
            What::Rooms(proto::PageOf { after, limit })
        }
        Request::Stats => What::Stats(true),
    }
}

fn member(room: &RoomId, uid: &UserId) -> proto::OfMember {
    proto::OfMember { room: id(room.as_str()), uid: id(uid.as_str()) }
}

fn to_ban(ban: &Ban) -> proto::Ban {
    let subject = match ban {
        Ban::Room(room) => Subject::Room(id(room.as_str())),
        Ban::UserInRoom(room, uid) => Subject::UserInRoom(member(room, uid)),
        Ban::User(uid) => Subject::User(id(uid.as_str())),
        Ban::Login(uid) => Subject::Login(id(uid.as_str())),
    };
    proto::Ban { subject: Some(subject) }
}

pub(super) fn request(request: proto::Request) -> Result<Box<RequestOnWay>, WireError> {
    let proto::Request { origin, id, is_charged, what } = request;
    let Some(what) = what else { return invalid("request") };
    let (origin, id, request) = (shard(origin)?, RequestId(id), self::what(what)?);
    Ok(Box::new(RequestOnWay { origin, id, request, is_charged }))
}

fn what(what: What) -> Result<Request, WireError> {
    Ok(match what {
        What::Unicast(proto::ToUser { to, frame }) => {
            Request::Unicast { to: uid(&to)?, frame: self::frame(frame)? }
        }
        What::BroadcastToRoom(proto::ToRoom { room, frame, .. }) => {
            Request::BroadcastToRoom { room: self::room(&room)?, frame: self::frame(frame)? }
        }
        What::UnicastInRoom(proto::ToRoom { room, frame, to }) => {
            let to = to.iter().map(uid).collect::<Result<_, _>>()?;
            Request::UnicastInRoom { room: self::room(&room)?, to, frame: self::frame(frame)? }
        }
        What::Kick(proto::OfMember { room, uid }) => {
            Request::Kick { room: self::room(&room)?, uid: self::uid(&uid)? }
        }
        What::Dismiss(room) => Request::Dismiss { room: self::room(&room)? },
        What::Ban(proto::SetBan { ban, seconds, nanos }) => {
            if nanos >= 1_000_000_000 {
                return invalid("length of a ban");
            }
            let interval = Duration::new(seconds, nanos);
            Request::Ban { ban: self::ban(ban.unwrap_or_default())?, interval }
        }
        What::Unban(ban) => Request::Unban { ban: self::ban(ban)? },
        What::PutOut(uid) => Request::PutOut { uid: self::uid(&uid)? },
        What::Revoke(proto::Revocation { uid, issued_before }) => {
            Request::Revoke { uid: optional(&uid, self::uid)?, issued_before }
        }
        What::Status(uid) => Request::Status { uid: self::uid(&uid)? },
        What::Members(room) => Request::Members { room: self::room(&room)? },
        What::Users(proto::PageOf { after, limit }) => {
            Request::Users { after: optional(&after, uid)?, limit }
        }
        What::Rooms(proto::PageOf { after, limit }) => {
            Request::Rooms { after: optional(&after, room)?, limit }
        }
        What::Stats(_) => Request::Stats,
    })
}

/// An absent one has no subject, which is an error.
fn ban(ban: proto::Ban) -> Result<Ban, WireError> {
    Ok(match ban.subject {
        Some(Subject::Room(room)) => Ban::Room(self::room(&room)?),
        Some(Subject::UserInRoom(proto::OfMember { room, uid })) => {
            Ban::UserInRoom(self::room(&room)?, self::uid(&uid)?)
        }
        Some(Subject::User(uid)) => Ban::User(self::uid(&uid)?),
        Some(Subject::Login(uid)) => Ban::Login(self::uid(&uid)?),
        None => return invalid("ban"),
    })
}

fn optional<T>(
    bytes: &Bytes,
    read: impl Fn(&Bytes) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    if bytes.is_empty() { Ok(None) } else { read(bytes).map(Some) }
}
