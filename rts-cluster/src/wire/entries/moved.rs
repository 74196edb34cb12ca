//! Entries about homes that move, from and to the types of protobuf.

use rts_proto::Instant;
use rts_proto::limits::{NOTICE_MEMBERS_MAX, RESUMES_PER_USER_MAX};
use rts_proto::server::{HomesStep, LeftBehind, Moved, MovedMember, MovedOwner, Tenure};
use rts_proto::{RoomId, UserId};

use super::super::generated as proto;
use super::super::generated::entry::Kind;
use super::super::generated::moved_member::Presence;
use super::super::packet::WireError;
use super::ownership;
use super::values::{arriving, id, invalid, remaining, room, session, shard, shard_number, uid};
use crate::limits::SHARDS_OF_CLUSTER_MAX;

/// The kind of a step.
pub(super) fn reached(epoch: u64, step: HomesStep) -> Kind {
    let step = match step {
        HomesStep::Switched => proto::HomesStep::Switched,
        HomesStep::HandedOver => proto::HomesStep::HandedOver,
        HomesStep::Settled => proto::HomesStep::Settled,
    };
    Kind::HomesReached(proto::HomesReached { epoch, step: step.into() })
}

/// The kind of a user.
pub(super) fn user(uid: &UserId, owner: Option<MovedOwner>, left: LeftBehind) -> Kind {
    let owner = owner.map(|MovedOwner { shard, tenure: Tenure(tenure), candidates }| {
        let candidates = candidates.into_iter().map(ownership::to_candidate).collect();
        proto::MovedOwner { shard: shard_number(shard), tenure, candidates }
    });
    let left = Some(ownership::to_left(left));
    Kind::MovedUser(proto::MovedUser { uid: id(uid.as_str()), owner, left })
}

/// The kind of members.
pub(super) fn members(
    room: &RoomId,
    used: u64,
    members: &[(UserId, MovedMember)],
    now: Instant,
) -> Kind {
    let members = members.iter().map(|(uid, member)| {
        let presence = Some(match member {
            MovedMember::Here(session) => Presence::Session(session.number()),
            MovedMember::WaitsUntil(until) => Presence::WaitsUs(remaining(*until, now)),
        });
        proto::MovedMember { uid: id(uid.as_str()), presence }
    });
    let (room, members) = (id(room.as_str()), members.collect());
    Kind::MovedMembers(proto::MovedMembers { room, used, members })
}

pub(super) fn step(step: i32) -> Result<HomesStep, WireError> {
    match proto::HomesStep::try_from(step) {
        Ok(proto::HomesStep::Switched) => Ok(HomesStep::Switched),
        Ok(proto::HomesStep::HandedOver) => Ok(HomesStep::HandedOver),
        Ok(proto::HomesStep::Settled) => Ok(HomesStep::Settled),
        Ok(proto::HomesStep::None) | Err(_) => invalid("step"),
    }
}

pub(super) fn moved_user(moved: proto::MovedUser) -> Result<Moved, WireError> {
    let (uid, left) = (uid(&moved.uid)?, ownership::left(moved.left)?);
    Ok(Moved::User { uid, owner: moved.owner.map(owner).transpose()?, left })
}

pub(super) fn moved_members(
    proto::MovedMembers { room: of, used, members }: proto::MovedMembers,
    now: Instant,
) -> Result<Moved, WireError> {
    if members.len() > NOTICE_MEMBERS_MAX {
        return invalid("list of members");
    }
    let members = members.into_iter().map(|member| moved_member(member, now));
    Ok(Moved::Members { room: room(&of)?, used, members: members.collect::<Result<_, _>>()? })
}

fn owner(owner: proto::MovedOwner) -> Result<MovedOwner, WireError> {
    let proto::MovedOwner { shard: of, tenure, candidates } = owner;
    if candidates.len() > SHARDS_OF_CLUSTER_MAX + RESUMES_PER_USER_MAX {
        return invalid("list of logins");
    }
    let candidates = candidates.into_iter().map(ownership::candidate).collect::<Result<_, _>>()?;
    Ok(MovedOwner { shard: shard(of)?, tenure: Tenure(tenure), candidates })
}

fn moved_member(
    proto::MovedMember { uid: of, presence }: proto::MovedMember,
    now: Instant,
) -> Result<(UserId, MovedMember), WireError> {
    let member = match presence {
        Some(Presence::Session(number)) => MovedMember::Here(session(number)?),
        Some(Presence::WaitsUs(time)) => MovedMember::WaitsUntil(arriving(time, now)),
        None => return invalid("presence"),
    };
    Ok((uid(&of)?, member))
}
