//! From the types of the crate to those of protobuf.

use bytes::Bytes;

use super::generated as proto;
use super::packet::{Kind, Packet};
use crate::membership::{Beat, Change, Echo, Wish};
use crate::trunk;
use crate::view::{Member, MemberState, Rest, View, ViewId};

impl From<Packet> for proto::Packet {
    fn from(packet: Packet) -> Self {
        use proto::packet::Kind as To;
        let kind = match packet.kind {
            Kind::Beat(beat) => To::Beat(beat.into()),
            Kind::Trunk(trunk::Packet::Batch { first, ack, entries }) => {
                To::Batch(proto::Batch { first, ack, entries })
            }
            Kind::Trunk(trunk::Packet::Ack { ack }) => To::Ack(proto::Ack { ack }),
            Kind::Trunk(trunk::Packet::Nack { expected }) => To::Nack(proto::Nack { expected }),
        };
        Self {
            from: packet.from.0,
            to: packet.to.map_or(0, |to| to.0),
            kind: Some(kind),
            cluster: packet.cluster.as_str().to_owned(),
        }
    }
}

impl From<Beat> for proto::Beat {
    fn from(beat: Beat) -> Self {
        Self {
            node: Some(beat.node.into()),
            epoch: beat.view.map_or(0, |view| view.epoch.0),
            view: beat.view.map(|view| id_bytes(view.id)).unwrap_or_default(),
            is_settled: beat.is_settled,
            is_served: beat.is_served,
            number: beat.number,
            wish: match beat.wish {
                Wish::Be(state) => proto::MemberState::from(state).into(),
                Wish::Leave => proto::MemberState::None.into(),
            },
            echoes: beat.echoes.into_iter().map(Into::into).collect(),
            votes: beat.votes.into_iter().map(Into::into).collect(),
            dead: beat.dead.into_iter().map(|node| node.0).collect(),
            clock: beat.clock,
        }
    }
}

impl From<Echo> for proto::Echo {
    fn from(Echo { of, number }: Echo) -> Self {
        Self { of: of.0, number }
    }
}

impl From<Change> for proto::Change {
    fn from(change: Change) -> Self {
        use proto::change::Kind as To;
        Self {
            kind: Some(match change {
                Change::Add(member) => To::Add(member.into()),
                Change::Remove(node) => To::Remove(node.0),
                Change::Set(node, state) => {
                    let state = proto::MemberState::from(state).into();
                    To::Set(proto::SetState { node: node.0, state })
                }
            }),
        }
    }
}

impl From<Member> for proto::Member {
    fn from(member: Member) -> Self {
        Self {
            name: member.name.as_str().to_owned(),
            incarnation: member.incarnation.0,
            shards: member.shards.into(),
            version: member.version.into(),
            state: proto::MemberState::from(member.state).into(),
        }
    }
}

impl From<MemberState> for proto::MemberState {
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Joining => Self::Joining,
            MemberState::Up => Self::Up,
            MemberState::Draining => Self::Draining,
        }
    }
}

fn id_bytes(id: ViewId) -> Bytes {
    id.0.to_be_bytes().to_vec().into()
}

impl From<&View> for proto::View {
    fn from(view: &View) -> Self {
        let Rest { numbers, next_number, removed } = view.rest();
        Self {
            id: id_bytes(view.id()),
            parent: view.parent().map(id_bytes).unwrap_or_default(),
            epoch: view.epoch().0,
            seed: view.seed(),
            members: view.members().iter().cloned().map(Into::into).collect(),
            numbers: numbers.into_iter().map(Into::into).collect(),
            next_number: next_number.into(),
            removed: removed.into_iter().map(|node| node.0).collect(),
        }
    }
}
