//! Responses to requests of back ends, from and to the types of protobuf.

use std::time::Duration;

use rts_proto::server::{
    AppStats, CommandError, Page, RequestId, Response, ResponsePart, RoomFigures, UserFigures,
};

use super::super::generated as proto;
use super::super::generated::refused::Why;
use super::super::generated::response::What;
use super::super::packet::WireError;
use super::values::{id, invalid, room, status, uid};

pub(super) fn to_response(part: ResponsePart) -> proto::Response {
    let ResponsePart { id: RequestId(id), response, is_last } = part;
    proto::Response { id, is_last, what: to_what(response) }
}

/// `None` if the shard has no answer.
fn to_what(response: Response) -> Option<What> {
    Some(match response {
        Response::Done(count) => What::Done(count),
        Response::Refused(error) => What::Refused(proto::Refused { why: to_why(&error) }),
        Response::Status(status) => What::Status(status.code()),
        Response::Members(members) => {
            let is_there = members.is_some();
            let uids = members.iter().flatten().map(|member| id(member.as_str())).collect();
            What::Members(proto::Members { is_there, uids })
        }
        Response::Users(Page { items, has_more, total }) => {
            let users = items.into_iter().map(to_user).collect();
            What::Users(proto::UsersPage { users, has_more, total: total as u64 })
        }
        Response::Rooms(Page { items, has_more, total }) => {
            let of_room = |RoomFigures { room, members }| proto::RoomFigures {
                room: id(room.as_str()),
                members: members as u64,
            };
            let rooms = items.into_iter().map(of_room).collect();
            What::Rooms(proto::RoomsPage { rooms, has_more, total: total as u64 })
        }
        Response::Stats(stats) => What::Stats(proto::AppStats {
            users: stats.users as u64,
            connected: stats.connected as u64,
            rooms: stats.rooms as u64,
            memberships: stats.memberships as u64,
            bans: stats.bans as u64,
            window_bytes: stats.window_bytes as u64,
        }),
        Response::Unanswered => return None,
    })
}

/// `None` for what only the shard refuses to which a request comes.
fn to_why(error: &CommandError) -> Option<Why> {
    match error {
        CommandError::OverAppRate { per_second } => Some(Why::OverAppRate(*per_second)),
        CommandError::OverRoomRate => Some(Why::OverRoomRate(true)),
        CommandError::TooManyBans { max } => Some(Why::TooManyBans(*max as u64)),
        _ => None,
    }
}

fn to_user(user: UserFigures) -> proto::UserFigures {
    proto::UserFigures {
        uid: id(user.uid.as_str()),
        status: user.status.code(),
        silent_us: u64::try_from(user.silent_for.as_micros()).unwrap_or(u64::MAX),
        rooms: user.rooms as u64,
        window_bytes: user.window_bytes as u64,
    }
}

pub(super) fn response(response: proto::Response) -> Result<Box<ResponsePart>, WireError> {
    let proto::Response { id, is_last, what } = response;
    let response = what.map_or(Ok(Response::Unanswered), self::what)?;
    Ok(Box::new(ResponsePart { id: RequestId(id), response, is_last }))
}

fn what(what: What) -> Result<Response, WireError> {
    Ok(match what {
        What::Done(count) => Response::Done(count),
        What::Refused(proto::Refused { why }) => Response::Refused(match why {
            Some(Why::OverAppRate(per_second)) => CommandError::OverAppRate { per_second },
            Some(Why::OverRoomRate(_)) => CommandError::OverRoomRate,
            Some(Why::TooManyBans(max)) => CommandError::TooManyBans { max: count(max)? },
            None => return invalid("refusal"),
        }),
        What::Status(code) => Response::Status(status(code)?),
        What::Members(proto::Members { is_there, uids }) => {
            let uids = uids.iter().map(uid).collect::<Result<_, _>>()?;
            Response::Members(is_there.then_some(uids))
        }
        What::Users(proto::UsersPage { users, has_more, total }) => {
            let items = users.into_iter().map(user).collect::<Result<_, _>>()?;
            Response::Users(Page { items, has_more, total: count(total)? })
        }
        What::Rooms(proto::RoomsPage { rooms, has_more, total }) => {
            let of_room = |proto::RoomFigures { room, members }| {
                Ok(RoomFigures { room: self::room(&room)?, members: count(members)? })
            };
            let items = rooms.into_iter().map(of_room).collect::<Result<_, _>>()?;
            Response::Rooms(Page { items, has_more, total: count(total)? })
        }
        What::Stats(stats) => Response::Stats(AppStats {
            users: count(stats.users)?,
            connected: count(stats.connected)?,
            rooms: count(stats.rooms)?,
            memberships: count(stats.memberships)?,
            bans: count(stats.bans)?,
            window_bytes: count(stats.window_bytes)?,
        }),
    })
}

fn user(user: proto::UserFigures) -> Result<UserFigures, WireError> {
    Ok(UserFigures {
        uid: uid(&user.uid)?,
        status: status(user.status)?,
        silent_for: Duration::from_micros(user.silent_us),
        rooms: count(user.rooms)?,
        window_bytes: count(user.window_bytes)?,
    })
}

/// Of things in the memory of a node.
fn count(number: u64) -> Result<usize, WireError> {
    usize::try_from(number).ok().filter(|count| *count <= COUNT_MAX).map_or(invalid("count"), Ok)
}

/// Counts of many nodes are added up without an overflow.
const COUNT_MAX: usize = usize::MAX >> 8;
