//! What next homes have to know survives the way as well.

use rts_proto::LoginId;
use rts_proto::limits::{ID_BYTES_MAX, RESUMES_PER_USER_MAX, ROOMS_PER_USER_MAX};
use rts_proto::server::{
    AskedLogin, AskedResume, Candidate, HomesStep, LeftBehind, MovedOwner, NodeNumber, Ownership,
    PassedOn, ShardId, Tenure, UsedRates,
};

use rts_proto::wire::ResumeKey;

use super::*;
use crate::limits::SHARDS_OF_CLUSTER_MAX;

const LOGIN: AskedLogin =
    AskedLogin { engine: u64::MAX, attempt: u64::MAX, claim: u64::MAX, clock: u64::MAX };

fn longest_uid() -> UserId {
    UserId::new(&"u".repeat(ID_BYTES_MAX)).expect("a valid id")
}

fn longest_room() -> RoomId {
    RoomId::new(&"r".repeat(ID_BYTES_MAX)).expect("a valid id")
}

fn shard(node: usize, number: usize) -> ShardId {
    let node = NodeNumber::new(node).expect("a valid number");
    ShardId::of_node(node, number).expect("a valid number")
}

fn moved(moved: Moved) -> Entry {
    Entry::Moved(Box::new(moved))
}

/// An owner for whom this many logins ask. The first few resume its session.
fn user(asked: usize) -> Entry {
    let (shard, login) = (shard(63, 63), LoginId(u64::MAX));
    let resume = |place| {
        let key = ResumeKey([255; 16]);
        let resume = AskedResume { key, received: u64::MAX, next: session(u64::MAX) };
        (place < RESUMES_PER_USER_MAX).then(|| Box::new(resume))
    };
    let candidate = |place| Candidate { shard, login, asked: LOGIN, resume: resume(place) };
    let owner = MovedOwner {
        shard,
        tenure: Tenure(u64::MAX),
        candidates: (0..asked).map(candidate).collect(),
    };
    let left = LeftBehind {
        displaced: Some(u64::MAX),
        orphans: vec![(longest_room(), u32::MAX); ROOMS_PER_USER_MAX],
        used: Some(Box::new(UsedRates([u64::MAX; 7]))),
    };
    moved(Moved::User { uid: longest_uid(), owner: Some(owner), left })
}

fn members(count: usize) -> Entry {
    let members = vec![(longest_uid(), MovedMember::Here(session(u64::MAX))); count];
    moved(Moved::Members { room: longest_room(), used: u64::MAX, members })
}

#[test]
fn largest_user_and_part_of_a_room_fit_into_a_piece_and_larger_ones_are_refused() {
    let most = SHARDS_OF_CLUSTER_MAX + RESUMES_PER_USER_MAX;
    for entry in [user(most), members(NOTICE_MEMBERS_MAX)] {
        assert_eq!(sent(vec![entry.clone()]), [[entry]]);
    }
    let too_many_logins = refused(user(most + 1), |_| ());
    assert_eq!(too_many_logins, WireError::Invalid("list of logins"));
    let too_many_members = refused(members(NOTICE_MEMBERS_MAX + 1), |_| ());
    assert_eq!(too_many_members, WireError::Invalid("list of members"));
}

#[test]
fn member_waits_for_the_time_that_remains() {
    let waits = |until| {
        let member = (uid(), MovedMember::WaitsUntil(Instant::from_millis(until)));
        moved(Moved::Members { room: room(), used: 0, members: vec![member] })
    };
    assert_eq!(sent(vec![waits(5_700)]), [[waits(1_700)]]);
    assert_eq!(sent(vec![waits(4_000)]), [[waits(1_000)]], "no time remains");
}

#[test]
fn held_messages_become_parts_that_fit() {
    let held = |count| {
        let mut deliveries = Deliveries::default();
        for id in 0..count {
            let (config, frame) = (MessageConfig::ReliableOrdered, frame(FRAME_BYTES_MAX));
            deliveries.push(session(1), MessageId(id), config, &uid(), &frame);
        }
        moved(Moved::Held(PassedOn::Deliver(deliveries)))
    };
    assert_eq!(sent(vec![held(1)]), [[held(1)]]);
    let pieces = sent(vec![held(9)]);
    assert!(pieces.len() > 1, "{}", pieces.len());
    assert!(meaning(&pieces) == meaning(&[vec![held(9)]]));
}

#[test]
fn invalid_values_of_moved_homes_are_named() {
    let reached = || Entry::HomesReached { epoch: 1, step: HomesStep::Switched };
    refuses!(reached(), HomesReached.step = 0, "step");
    refuses!(reached(), HomesReached.step = 4, "step");
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    refuses!(user(0), MovedUser.uid = text(""), "user");
    let owner = |shard, candidates| Some(proto::MovedOwner { shard, tenure: 1, candidates });
    refuses!(user(0), MovedUser.owner = owner(64 * 64, vec![]), "shard");
    let candidate = Candidate { shard: shard(0, 0), login: LoginId(1), asked: LOGIN, resume: None };
    let ask = Entry::Ownership(Ownership::Ask { uid: uid(), candidate });
    refuses!(ask, Ask.candidate = None, "login");
    let asked =
        |shard, login| vec![proto::Candidate { shard, login: 1, asked: login, resume: None }];
    refuses!(user(0), MovedUser.owner = owner(1, asked(1, None)), "login");
    let login = proto::AskedLogin::default();
    refuses!(user(0), MovedUser.owner = owner(1, asked(u32::MAX, Some(login))), "shard");
    let member = |presence| {
        let uid = text("bob");
        vec![proto::MovedMember { uid, presence }]
    };
    refuses!(members(1), MovedMembers.members = member(None), "presence");
    let no_session = Some(proto::moved_member::Presence::Session(0));
    refuses!(members(1), MovedMembers.members = member(no_session), "session");
    refuses!(members(1), MovedMembers.members = vec![proto::MovedMember::default()], "presence");
    refuses!(members(1), MovedMembers.room = text("a b"), "room");
    let orphan = || {
        let orphan = PassedOn::Orphan { room: room(), uid: uid(), waits: true };
        moved(Moved::Held(orphan))
    };
    refuses!(orphan(), HeldOrphan.room = text(""), "room");
    assert_eq!(read_again(Kind::HeldDeliver(text("x"))), Err(WireError::Invalid("length")));
}
