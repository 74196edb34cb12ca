//! Entries about the owners of users, from and to the types of protobuf.

use bytes::Bytes;
use rts_proto::server::{
    AskedLogin, AskedResume, Candidate, Denial, LeftBehind, Ownership, PassedOn, Tenure, UsedRates,
};
use rts_proto::{LoginId, RoomId};

use super::super::generated as proto;
use super::super::generated::entry::Kind;
use super::super::packet::WireError;
use super::values::{self, deliveries, id, invalid, room, session, shard, shard_number, uid};

/// The kind of an entry about an owner.
pub(super) fn kind(entry: Ownership) -> Kind {
    match entry {
        Ownership::Ask { uid, candidate } => {
            let (uid, candidate) = (id(uid.as_str()), Some(to_candidate(candidate)));
            Kind::Ask(proto::Ask { uid, candidate })
        }
        Ownership::Grant { uid, tenure: Tenure(tenure), left } => {
            let (uid, left) = (id(uid.as_str()), Some(to_left(left)));
            Kind::Grant(proto::Grant { uid, tenure, left })
        }
        Ownership::Deny { uid, login: LoginId(login), denial } => {
            let (uid, denial) = (id(uid.as_str()), to_denial(denial).into());
            Kind::Deny(proto::Deny { uid, login, denial })
        }
        Ownership::Revoke { uid, tenure: Tenure(tenure), login, resume } => {
            let (uid, login) = (id(uid.as_str()), Some(to_login(login)));
            let resume = resume.map(|resume| to_resume(&resume));
            Kind::Revoke(proto::Revoke { uid, tenure, login, resume })
        }
        Ownership::Release { uid, tenure: Tenure(number), left, next } => {
            let (uid, left) = (id(uid.as_str()), Some(to_left(left)));
            let next = next
                .map(|(shard, LoginId(login))| proto::Mover { shard: shard_number(shard), login });
            Kind::Release(proto::Tenure { uid, number, left, next })
        }
        Ownership::Keep { uid, tenure: Tenure(tenure), denial } => {
            let (uid, denial) = (id(uid.as_str()), to_denial(denial).into());
            Kind::Keep(proto::Keep { uid, tenure, denial })
        }
    }
}

pub(super) fn to_candidate(candidate: Candidate) -> proto::Candidate {
    let Candidate { shard, login: LoginId(login), asked, resume } = candidate;
    let resume = resume.map(|resume| to_resume(&resume));
    proto::Candidate { shard: shard_number(shard), login, asked: Some(to_login(asked)), resume }
}

fn to_resume(resume: &AskedResume) -> proto::AskedResume {
    let AskedResume { key, received, next } = resume;
    let key = Bytes::copy_from_slice(&key.0);
    proto::AskedResume { key, received: *received, next: next.number() }
}

fn to_login(AskedLogin { engine, attempt, claim, clock }: AskedLogin) -> proto::AskedLogin {
    proto::AskedLogin { engine, attempt, claim, clock }
}

pub(super) fn to_left(left: LeftBehind) -> proto::LeftBehind {
    let LeftBehind { displaced, orphans, used } = left;
    let orphan =
        |(room, count): (RoomId, u32)| proto::OrphanRoom { room: id(room.as_str()), count };
    let orphans = orphans.into_iter().map(orphan).collect();
    let used = used.map(|used| used.0.to_vec()).unwrap_or_default();
    proto::LeftBehind { displaced, orphans, used }
}

fn to_denial(denial: Denial) -> proto::Denial {
    match denial {
        Denial::Overtaken => proto::Denial::Overtaken,
        Denial::Displaced => proto::Denial::Displaced,
        Denial::NoGreaterClaim => proto::Denial::NoGreaterClaim,
        Denial::NotResumed => proto::Denial::NotResumed,
        Denial::PutOut => proto::Denial::PutOut,
    }
}

pub(super) fn ask(ask: proto::Ask) -> Result<Ownership, WireError> {
    let asking = candidate(ask.candidate.unwrap_or_default())?;
    Ok(Ownership::Ask { uid: uid(&ask.uid)?, candidate: asking })
}

pub(super) fn grant(grant: proto::Grant) -> Result<Ownership, WireError> {
    let (uid, left) = (uid(&grant.uid)?, left(grant.left)?);
    Ok(Ownership::Grant { uid, tenure: Tenure(grant.tenure), left })
}

pub(super) fn deny(denied: &proto::Deny) -> Result<Ownership, WireError> {
    let (uid, denial) = (uid(&denied.uid)?, denial(denied.denial)?);
    Ok(Ownership::Deny { uid, login: LoginId(denied.login), denial })
}

pub(super) fn revoke(revoke: proto::Revoke) -> Result<Ownership, WireError> {
    let (uid, login) = (uid(&revoke.uid)?, asked_login(revoke.login)?);
    let resume = asked_resume(revoke.resume)?;
    Ok(Ownership::Revoke { uid, tenure: Tenure(revoke.tenure), login, resume })
}

pub(super) fn release(tenure: proto::Tenure) -> Result<Ownership, WireError> {
    let (uid, left) = (uid(&tenure.uid)?, left(tenure.left)?);
    let mover = |next: proto::Mover| Ok((shard(next.shard)?, LoginId(next.login)));
    let next = tenure.next.map(mover).transpose()?;
    Ok(Ownership::Release { uid, tenure: Tenure(tenure.number), left, next })
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

pub(super) fn passed_orphan(orphan: &proto::Orphan) -> Result<PassedOn, WireError> {
    let (room, uid) = (room(&orphan.room)?, uid(&orphan.uid)?);
    Ok(PassedOn::Orphan { room, uid, waits: orphan.waits })
}

/// An absent one has no login, which is an error.
pub(super) fn candidate(candidate: proto::Candidate) -> Result<Candidate, WireError> {
    let proto::Candidate { shard: of, login, asked, resume } = candidate;
    let (asked, resume) = (asked_login(asked)?, asked_resume(resume)?);
    Ok(Candidate { shard: shard(of)?, login: LoginId(login), asked, resume })
}

fn asked_resume(resume: Option<proto::AskedResume>) -> Result<Option<Box<AskedResume>>, WireError> {
    let Some(proto::AskedResume { key, received, next }) = resume else { return Ok(None) };
    let (key, next) = (values::key(&key)?, session(next)?);
    Ok(Some(Box::new(AskedResume { key, received, next })))
}

fn asked_login(login: Option<proto::AskedLogin>) -> Result<AskedLogin, WireError> {
    match login {
        Some(proto::AskedLogin { engine, attempt, claim, clock }) => {
            Ok(AskedLogin { engine, attempt, claim, clock })
        }
        None => invalid("login"),
    }
}

pub(super) fn left(left: Option<proto::LeftBehind>) -> Result<LeftBehind, WireError> {
    let proto::LeftBehind { displaced, orphans, used } = left.unwrap_or_default();
    let orphan = |proto::OrphanRoom { room: of, count }: proto::OrphanRoom| match count {
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
        Ok(proto::Denial::NotResumed) => Ok(Denial::NotResumed),
        Ok(proto::Denial::PutOut) => Ok(Denial::PutOut),
        Ok(proto::Denial::None) | Err(_) => invalid("denial"),
    }
}
