//! From the types of protobuf to those of the crate, with all checks.

use bytes::Bytes;

use super::generated as proto;
use super::packet::{Kind, Packet, WireError};
use crate::limits::{BEAT_LIST_MAX, REMOVED_MAX, SHARDS_MAX};
use crate::membership::{Beat, Change, Echo, Wish};
use crate::trunk;
use crate::view::{
    ClusterName, Epoch, Incarnation, Member, MemberState, NodeName, Rest, View, ViewId, ViewRef,
};

fn invalid<T>(what: &'static str) -> Result<T, WireError> {
    Err(WireError::Invalid(what))
}

pub(super) fn packet(packet: proto::Packet) -> Result<Option<Packet>, WireError> {
    use proto::packet::Kind as From;
    let cluster =
        ClusterName::new(&packet.cluster).map_err(|_| WireError::Invalid("name of the cluster"))?;
    let from = incarnation(packet.from)?;
    let to = (packet.to != 0).then_some(Incarnation(packet.to));
    let kind = match packet.kind {
        None => return Ok(None),
        Some(From::Beat(beat)) => Kind::Beat(self::beat(beat)?),
        Some(From::Batch(proto::Batch { first, ack, entries })) => {
            // A number that counts on from here must not wrap.
            if entries.is_empty() || first.checked_add(entries.len() as u64).is_none() {
                return invalid("entries");
            }
            Kind::Trunk(trunk::Packet::Batch { first, ack, entries })
        }
        Some(From::Ack(proto::Ack { ack })) => Kind::Trunk(trunk::Packet::Ack { ack }),
        Some(From::Nack(proto::Nack { expected })) => Kind::Trunk(trunk::Packet::Nack { expected }),
    };
    if let Kind::Beat(beat) = &kind
        && beat.node.incarnation != from
    {
        return invalid("sender");
    }
    Ok(Some(Packet { cluster, from, to, kind }))
}

fn beat(beat: proto::Beat) -> Result<Beat, WireError> {
    if [beat.echoes.len(), beat.votes.len(), beat.dead.len()].iter().any(|len| *len > BEAT_LIST_MAX)
    {
        return invalid("list");
    }
    let view = match (beat.epoch, &beat.view[..]) {
        (0, []) => None,
        (0, _) => return invalid("view"),
        (epoch, _) => Some(ViewRef { epoch: Epoch(epoch), id: view_id(&beat.view)? }),
    };
    Ok(Beat {
        node: member(beat.node.ok_or(WireError::Invalid("node"))?)?,
        view,
        is_settled: beat.is_settled,
        is_served: beat.is_served,
        number: beat.number,
        wish: match beat.wish {
            0 => Wish::Leave,
            state => Wish::Be(self::state(state)?),
        },
        echoes: beat.echoes.into_iter().map(echo).collect::<Result<_, _>>()?,
        votes: beat.votes.into_iter().map(change).collect::<Result<_, _>>()?,
        dead: beat.dead.into_iter().map(incarnation).collect::<Result<_, _>>()?,
        clock: beat.clock,
    })
}

fn echo(proto::Echo { of, number }: proto::Echo) -> Result<Echo, WireError> {
    Ok(Echo { of: incarnation(of)?, number })
}

fn change(change: proto::Change) -> Result<Change, WireError> {
    use proto::change::Kind as From;
    Ok(match change.kind.ok_or(WireError::Invalid("change"))? {
        From::Add(new) => Change::Add(member(new)?),
        From::Remove(node) => Change::Remove(incarnation(node)?),
        From::Set(set) => Change::Set(incarnation(set.node)?, state(set.state)?),
    })
}

fn member(member: proto::Member) -> Result<Member, WireError> {
    let shards = u8::try_from(member.shards).unwrap_or(0);
    if !(1..=SHARDS_MAX).contains(&shards) {
        return invalid("number of shards");
    }
    Ok(Member {
        name: NodeName::new(&member.name).map_err(|_| WireError::Invalid("name"))?,
        incarnation: incarnation(member.incarnation)?,
        shards,
        version: u16::try_from(member.version).map_err(|_| WireError::Invalid("version"))?,
        state: state(member.state)?,
    })
}

fn state(state: i32) -> Result<MemberState, WireError> {
    match proto::MemberState::try_from(state) {
        Ok(proto::MemberState::Joining) => Ok(MemberState::Joining),
        Ok(proto::MemberState::Up) => Ok(MemberState::Up),
        Ok(proto::MemberState::Draining) => Ok(MemberState::Draining),
        Ok(proto::MemberState::None) | Err(_) => invalid("state"),
    }
}

fn incarnation(number: u64) -> Result<Incarnation, WireError> {
    if number == 0 { invalid("incarnation") } else { Ok(Incarnation(number)) }
}

pub(super) fn view(view: proto::View) -> Result<View, WireError> {
    let members = view.members.into_iter().map(member).collect::<Result<Vec<_>, _>>()?;
    let parent = if view.parent.is_empty() { None } else { Some(view_id(&view.parent)?) };
    let id = view_id(&view.id)?;
    let number = |number: u32| u8::try_from(number).map_err(|_| WireError::Invalid("numbers"));
    let numbers = view.numbers.into_iter().map(number).collect::<Result<_, _>>()?;
    let next_number = number(view.next_number)?;
    if view.removed.len() > REMOVED_MAX {
        return invalid("list of removed nodes");
    }
    let removed = view.removed.into_iter().map(incarnation).collect::<Result<_, _>>()?;
    let rest = Rest { numbers, next_number, removed };
    View::restored(id, parent, Epoch(view.epoch), view.seed, members, rest)
        .map_err(|_| WireError::Invalid("members"))
}

fn view_id(bytes: &Bytes) -> Result<ViewId, WireError> {
    let bytes = <[u8; 16]>::try_from(&bytes[..]).map_err(|_| WireError::Invalid("view"))?;
    Ok(ViewId(u128::from_be_bytes(bytes)))
}
