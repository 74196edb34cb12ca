//! Entries about the owners of users, from and to the types of protobuf.

use bytes::Bytes;
use rts_proto::RoomId;
use rts_proto::server::{AskedLogin, Denial, LeftBehind, Ownership, PassedOn, Tenure, UsedRates};

use super::super::generated as proto;
use super::super::generated::entry::Kind;
use super::super::packet::WireError;
use super::values::{deliveries, id, invalid, room, session, uid};

/// The kind of an entry about an owner.
pub(super) fn kind(entry: Ownership) -> Kind {
    match entry {
        Ownership::Ask { uid, login } => {
            let (uid, login) = (id(uid.as_str()), Some(to_login(login)));
            Kind::Ask(proto::Ask { uid, login })
        }
        Ownership::Grant { uid, tenure, left } => {
            Kind::Grant(to_tenure(uid.as_str(), tenure, left))
        }
        Ownership::Deny { uid, denial } => {
            let (uid, denial) = (id(uid.as_str()), to_denial(denial).into());
            Kind::Deny(proto::Deny { uid, denial })
        }
        Ownership::Revoke { uid, tenure: Tenure(tenure), login } => {
            let (uid, login) = (id(uid.as_str()), Some(to_login(login)));
            Kind::Revoke(proto::Revoke { uid, tenure, login })
        }
        Ownership::Release { uid, tenure, left } => {
            Kind::Release(to_tenure(uid.as_str(), tenure, left))
        }
        Ownership::Keep { uid, tenure: Tenure(tenure), denial } => {
            let (uid, denial) = (id(uid.as_str()), to_denial(denial).into());
            Kind::Keep(proto::Keep { uid, tenure, denial })
        }
    }
}

fn to_login(AskedLogin { engine, attempt, claim, clock }: AskedLogin) -> proto::AskedLogin {
    proto::AskedLogin { engine, attempt, claim, clock }
}

fn to_tenure(uid: &str, Tenure(number): Tenure, left: LeftBehind) -> proto::Tenure {
    let LeftBehind { displaced, orphans, used } = left;
    let orphan = |(room, count): (RoomId, u32)| proto::Orphan { room: id(room.as_str()), count };
    let orphans = orphans.into_iter().map(orphan).collect();
    let used = used.map(|used| used.0.to_vec()).unwrap_or_default();
    let left = Some(proto::LeftBehind { displaced, orphans, used });
    proto::Tenure { uid: id(uid), number, left }
}

fn to_denial(denial: Denial) -> proto::Denial {
    match denial {
        Denial::Overtaken => proto::Denial::Overtaken,
        Denial::Displaced => proto::Denial::Displaced,
        Denial::NoGreaterClaim => proto::Denial::NoGreaterClaim,
    }
}

pub(super) fn ask(proto::Ask { uid: of, login }: proto::Ask) -> Result<Ownership, WireError> {
    Ok(Ownership::Ask { uid: uid(&of)?, login: asked_login(login)? })
}

pub(super) fn grant(tenure: proto::Tenure) -> Result<Ownership, WireError> {
    let uid = uid(&tenure.uid)?;
    Ok(Ownership::Grant { uid, tenure: Tenure(tenure.number), left: left(tenure.left)? })
}

pub(super) fn deny(denied: &proto::Deny) -> Result<Ownership, WireError> {
    Ok(Ownership::Deny { uid: uid(&denied.uid)?, denial: denial(denied.denial)? })
}

pub(super) fn revoke(revoke: proto::Revoke) -> Result<Ownership, WireError> {
    let (uid, login) = (uid(&revoke.uid)?, asked_login(revoke.login)?);
    Ok(Ownership::Revoke { uid, tenure: Tenure(revoke.tenure), login })
}

pub(super) fn release(tenure: proto::Tenure) -> Result<Ownership, WireError> {
    let uid = uid(&tenure.uid)?;
    Ok(Ownership::Release { uid, tenure: Tenure(tenure.number), left: left(tenure.left)? })
}

pub(super) fn keep(kept: &proto::Keep) -> Result<Ownership, WireError> {
    let (uid, denial) = (uid(&kept.uid)?, denial(kept.denial)?);
    Ok(Ownership::Keep { uid, tenure: Tenure(kept.tenure), denial })
}

pub(super) fn passed_deliver(part: &Bytes) -> Result<PassedOn, WireError> {
    Ok(PassedOn::Deliver(deliveries(part)?))
}

pub(super) fn passed_query_status(asked: &proto::QueryStatus) -> Result<PassedOn, WireError> {
    let (session, uid) = (session(asked.session)?, uid(&asked.uid)?);
    Ok(PassedOn::QueryStatus { session, query: asked.query, uid })
}

pub(super) fn passed_orphan_gone(gone: &proto::OfMember) -> Result<PassedOn, WireError> {
    Ok(PassedOn::OrphanGone { room: room(&gone.room)?, uid: uid(&gone.uid)? })
}

fn asked_login(login: Option<proto::AskedLogin>) -> Result<AskedLogin, WireError> {
    match login {
        Some(proto::AskedLogin { engine, attempt, claim, clock }) => {
            Ok(AskedLogin { engine, attempt, claim, clock })
        }
        None => invalid("login"),
    }
}

fn left(left: Option<proto::LeftBehind>) -> Result<LeftBehind, WireError> {
    let proto::LeftBehind { displaced, orphans, used } = left.unwrap_or_default();
    let orphan = |proto::Orphan { room: of, count }: proto::Orphan| match count {
        0 => invalid("count of a membership"),
        count => Ok((room(&of)?, count)),
    };
    let orphans = orphans.into_iter().map(orphan).collect::<Result<_, _>>()?;
    let used = match (used.is_empty(), used.try_into()) {
        (true, _) => None,
        (false, Ok(used)) => Some(Box::new(UsedRates(used))),
        (false, Err(_)) => return invalid("list of rates"),
    };
    Ok(LeftBehind { displaced, orphans, used })
}

fn denial(denial: i32) -> Result<Denial, WireError> {
    match proto::Denial::try_from(denial) {
        Ok(proto::Denial::Overtaken) => Ok(Denial::Overtaken),
        Ok(proto::Denial::Displaced) => Ok(Denial::Displaced),
        Ok(proto::Denial::NoGreaterClaim) => Ok(Denial::NoGreaterClaim),
        Ok(proto::Denial::None) | Err(_) => invalid("denial"),
    }
}
