use proptest::prelude::*;

use super::generated as proto;
use super::*;
use crate::limits::SHARDS_MAX;
use crate::membership::{Beat, Change, Echo, Wish};
use crate::testing::{cluster_name, member};
use crate::trunk;
use crate::view::{Epoch, Incarnation, Member, MemberState, ViewId, ViewRef};

const NODE: Incarnation = Incarnation(7);

fn beat() -> Beat {
    Beat {
        node: member("a", NODE.0),
        view: Some(ViewRef { epoch: Epoch(3), id: ViewId(u128::MAX) }),
        is_settled: true,
        is_served: true,
        number: 9,
        wish: Wish::Be(MemberState::Up),
        echoes: vec![Echo { of: Incarnation(8), number: 5 }],
        votes: vec![
            Change::Remove(Incarnation(8)),
            Change::Set(NODE, MemberState::Draining),
            Change::Add(Member { state: MemberState::Joining, ..member("c", 9) }),
        ],
        dead: vec![Incarnation(4)],
        clock: u64::MAX,
    }
}

/// A packet of a kind that this version does not know.
fn packet() -> proto::Packet {
    proto::Packet { from: NODE.0, to: 0, kind: None, cluster: cluster_name().to_string() }
}

fn to_all(kind: Kind) -> Packet {
    Packet { cluster: cluster_name(), from: NODE, to: None, kind }
}

fn check(packet: &Packet) {
    assert_eq!(Packet::decode(packet.clone().encode()), Ok(Some(packet.clone())));
}

/// What is said of a beat after this change of its protobuf message.
fn refused(change: impl FnOnce(&mut proto::Beat)) -> WireError {
    let mut beat = proto::Beat::from(beat());
    change(&mut beat);
    let kind = Some(proto::packet::Kind::Beat(beat));
    let packet = proto::Packet { kind, ..packet() };
    Packet::decode(packet.encode_to_vec().into()).expect_err("it is invalid")
}

#[test]
fn packets_are_read_as_they_were_written() {
    check(&to_all(Kind::Beat(beat())));
    let first = Beat { view: None, wish: Wish::Leave, echoes: vec![], votes: vec![], ..beat() };
    check(&to_all(Kind::Beat(Beat { dead: vec![], ..first })));
    check(&to_all(Kind::Beat(Beat { dead: vec![Incarnation(4); 128], ..beat() })));
    let entries = vec![Bytes::from_static(b"one"), Bytes::new()];
    for packet in [
        trunk::Packet::Batch { first: 0, ack: u64::MAX, entries },
        trunk::Packet::Ack { ack: 0 },
        trunk::Packet::Nack { expected: 1 },
    ] {
        let kind = Kind::Trunk(packet);
        check(&Packet { to: Some(Incarnation(u64::MAX)), ..to_all(kind) });
    }
}

#[test]
fn views_are_read_as_they_were_written() {
    let members = vec![member("a", 1), Member { shards: SHARDS_MAX, ..member("b", 2) }];
    let first = View::first(ViewId(0), u64::MAX, members.clone()).expect("a valid view");
    let second = first.next(ViewId(u128::MAX), members).expect("a valid view");
    for view in [first, second] {
        assert_eq!(View::decode(view.encode()), Ok(view));
    }
}

#[test]
fn unknown_kinds_are_skipped_and_other_bytes_are_refused() {
    assert_eq!(Packet::decode(packet().encode_to_vec().into()), Ok(None));
    let nobody = proto::Packet { from: 0, ..packet() };
    let refused = Err(WireError::Invalid("incarnation"));
    assert_eq!(Packet::decode(nobody.encode_to_vec().into()), refused);
    assert_eq!(Packet::decode(Bytes::from_static(&[0xff])), Err(WireError::Malformed));
    assert_eq!(View::decode(Bytes::from_static(&[0xff])), Err(WireError::Malformed));
    assert_eq!(Packet::decode(Bytes::new()), Err(WireError::Invalid("name of the cluster")));
    assert_eq!(View::decode(Bytes::new()), Err(WireError::Invalid("view")));
}

#[test]
fn invalid_values_of_a_beat_are_named() {
    let node = |change: fn(&mut proto::Member)| {
        refused(|beat| change(beat.node.as_mut().expect("it has one")))
    };
    let invalid = WireError::Invalid;
    assert_eq!(refused(|beat| beat.node = None), invalid("node"));
    assert_eq!(node(|node| node.name = "A".to_owned()), invalid("name"));
    assert_eq!(node(|node| node.incarnation = 0), invalid("incarnation"));
    assert_eq!(node(|node| node.incarnation = 8), invalid("sender"));
    assert_eq!(node(|node| node.shards = 0), invalid("number of shards"));
    assert_eq!(node(|node| node.shards = 65), invalid("number of shards"));
    assert_eq!(node(|node| node.shards = 256 + 1), invalid("number of shards"));
    assert_eq!(node(|node| node.version = 65_536), invalid("version"));
    assert_eq!(node(|node| node.state = 0), invalid("state"));
    assert_eq!(refused(|beat| beat.wish = 9), invalid("state"));
    assert_eq!(refused(|beat| beat.votes[0].kind = None), invalid("change"));
    assert_eq!(refused(|beat| beat.epoch = 0), invalid("view"));
    assert_eq!(refused(|beat| beat.view = Bytes::new()), invalid("view"));
    assert_eq!(refused(|beat| beat.view = vec![1; 15].into()), invalid("view"));
    assert_eq!(refused(|beat| beat.dead = vec![1; 129]), invalid("list"));
}

#[test]
fn batch_has_entries_whose_numbers_do_not_wrap() {
    let decode = |first, count| {
        let batch = proto::Batch { first, ack: 0, entries: vec![Bytes::new(); count] };
        let kind = Some(proto::packet::Kind::Batch(batch));
        let packet = proto::Packet { kind, ..packet() };
        Packet::decode(packet.encode_to_vec().into()).is_ok()
    };
    assert!(decode(u64::MAX - 2, 2));
    assert!(!decode(u64::MAX - 1, 2));
    assert!(!decode(0, 0));
}

#[test]
fn members_of_a_view_that_cannot_be_one_are_refused() {
    let view = View::first(ViewId(1), 1, vec![member("a", 1)]).expect("a valid view");
    let mut twice = proto::View::from(&view);
    twice.members.push(twice.members[0].clone());
    let bytes = Bytes::from(twice.encode_to_vec());
    assert_eq!(View::decode(bytes), Err(WireError::Invalid("members")));
}

#[test]
fn members_of_a_view_have_numbers_of_their_own() {
    let view = View::first(ViewId(1), 1, vec![member("a", 1), member("b", 2)]);
    let view = view.expect("a valid view");
    let refused = |numbers: &[u32], next_number| {
        let numbers = numbers.to_vec();
        let message = proto::View { numbers, next_number, ..proto::View::from(&view) };
        View::decode(message.encode_to_vec().into()).err()
    };
    assert_eq!(refused(&[63, 0], 63), None);
    for numbers in [&[0, 0][..], &[0], &[0, 1, 2], &[0, 64]] {
        assert_eq!(refused(numbers, 0), Some(WireError::Invalid("members")), "{numbers:?}");
    }
    assert_eq!(refused(&[0, 1], 64), Some(WireError::Invalid("members")));
    assert_eq!(refused(&[0, 256], 0), Some(WireError::Invalid("numbers")));
}

proptest! {
    /// Any bytes are refused or read. What is read is written as what reads the same.
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Some(packet)) = Packet::decode(bytes.clone().into()) {
            check(&packet);
        }
        if let Ok(view) = View::decode(bytes.into()) {
            prop_assert_eq!(View::decode(view.encode()), Ok(view));
        }
    }
}
