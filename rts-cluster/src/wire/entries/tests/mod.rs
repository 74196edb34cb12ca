//! Entries survive the way, whole or in pieces, and no bytes do harm.

mod back_ends;
mod drawn;
mod meaning;
mod moved;

use proptest::prelude::*;
use prost::Message as _;
use rts_proto::limits::{FRAME_BYTES_MAX, NOTICE_MEMBERS_MAX};
use rts_proto::server::{Deliveries, JoinPermit, MemberEnd, Moved, MovedMember, Names, Outcome};
use rts_proto::{AppId, MessageConfig, MessageId, RoomId, SendCode, UserId};

use super::proto::entry::Kind;
use super::*;
use crate::limits::{ENTRIES_BYTES_MAX, SESSIONS_OF_ENTRY_MAX};
use drawn::{entries, frame, session};
use meaning::meaning;

/// The moments of sending and of arrival, by the clocks of two nodes.
const SENT: Instant = Instant::from_millis(5_000);
const ARRIVED: Instant = Instant::from_millis(1_000);

fn route() -> Route {
    Route::new(63, 0).expect("valid numbers")
}

fn uid() -> UserId {
    UserId::new("bob").expect("a valid id")
}

fn room() -> RoomId {
    RoomId::new("lobby").expect("a valid id")
}

/// The pieces as they arrive.
fn sent(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let pieces = encode(route(), entries, SENT);
    pieces.into_iter().map(arrived).collect()
}

fn arrived(piece: Bytes) -> Vec<Entry> {
    assert!(piece.len() <= ENTRIES_BYTES_MAX, "{}", piece.len());
    assert_eq!(Route::read(&piece), Ok(route()));
    let (read, entries) = decode(piece, ARRIVED).expect("a correct piece");
    assert_eq!(read, route());
    entries
}

/// The same entry by the clock of the other node.
fn by_other_clock(entry: Entry) -> Entry {
    match entry {
        Entry::Gone { room, session, uid, end: MemberEnd::WaitsUntil(until) } => {
            let end = MemberEnd::WaitsUntil(ARRIVED + until.since(SENT));
            Entry::Gone { room, session, uid, end }
        }
        Entry::Moved(mut moved) => {
            if let Moved::Members { members, .. } = &mut *moved {
                members.iter_mut().for_each(|(_, member)| *member = moved_by_other_clock(*member));
            }
            Entry::Moved(moved)
        }
        other => other,
    }
}

fn moved_by_other_clock(member: MovedMember) -> MovedMember {
    match member {
        MovedMember::WaitsUntil(until) => MovedMember::WaitsUntil(ARRIVED + until.since(SENT)),
        MovedMember::Here(_) => member,
    }
}

fn push(frame_len: usize) -> Entry {
    Entry::Push { session: session(1), frame: frame(frame_len) }
}

fn push_to_each(sessions: usize, frames: Vec<Bytes>) -> Entry {
    let sessions = (1..=sessions as u64).map(session).collect();
    let frames = frames.into_iter().map(|frame| (None, frame)).collect();
    Entry::PushToEach { sessions, frames }
}

#[test]
fn membership_waits_for_the_time_that_remains() {
    let gone = |until| Entry::Gone {
        room: room(),
        session: session(1),
        uid: uid(),
        end: MemberEnd::WaitsUntil(Instant::from_millis(until)),
    };
    assert_eq!(sent(vec![gone(5_700)]), [[gone(1_700)]]);
    assert_eq!(sent(vec![gone(4_000)]), [[gone(1_000)]], "no time remains");
}

#[test]
fn no_entries_make_no_piece() {
    assert!(encode(route(), vec![], SENT).is_empty());
}

#[test]
fn piece_is_limited_to_the_byte_and_each_one_names_the_app() {
    let app = || Entry::InApp(AppId::new(&"a".repeat(24)).expect("a valid id"));
    let entries = |last: usize| vec![app(), push(60_000), push(60_000), push(last)];
    let bytes = |last| encode(route(), entries(last), SENT)[0].len();
    let fits = 5_000 + ENTRIES_BYTES_MAX - bytes(5_000);
    assert_eq!(bytes(fits), ENTRIES_BYTES_MAX);
    assert_eq!(sent(entries(fits)), [entries(fits)]);
    let two = [vec![app(), push(60_000), push(60_000)], vec![app(), push(fits + 1)]];
    assert_eq!(sent(entries(fits + 1)), two);
}

#[test]
fn message_in_a_large_burst_costs_its_22_bytes_receiver_and_frame() {
    let mut deliveries = Deliveries::default();
    for id in 0..1_000 {
        let config = MessageConfig::ReliableOrdered;
        deliveries.push(session(1), MessageId(id), config, &uid(), &frame(10));
    }
    let pieces = encode(route(), vec![Entry::Deliver(deliveries)], SENT);
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    assert_eq!((pieces.len(), bytes), (1, 1_000 * (22 + 3 + 11) + 10));
}

#[test]
fn large_entries_of_many_parts_become_several_ones() {
    let many = vec![frame(FRAME_BYTES_MAX); 5];
    let parts: Vec<_> = sent(vec![push_to_each(3, many)]).into_iter().flatten().collect();
    let one = push_to_each(3, vec![frame(FRAME_BYTES_MAX)]);
    assert_eq!(parts, vec![one; 5], "a frame and the sessions");

    let receivers = |count| {
        let parts = sent(vec![push_to_each(count, vec![frame(1)])]).into_iter().flatten();
        let count = |entry| match entry {
            Entry::PushToEach { sessions, .. } => sessions.len(),
            other => panic!("unexpected: {other:?}"),
        };
        parts.map(count).collect::<Vec<_>>()
    };
    assert_eq!(receivers(SESSIONS_OF_ENTRY_MAX), [SESSIONS_OF_ENTRY_MAX]);
    assert_eq!(receivers(SESSIONS_OF_ENTRY_MAX + 1), [SESSIONS_OF_ENTRY_MAX, 1]);

    let outcome = (session(1), Outcome::Send(SendCode::Ok, MessageId(1)));
    let pieces = sent(vec![Entry::Outcomes(vec![outcome; 20_000])]);
    assert!(pieces.len() > 1, "{}", pieces.len());
}

#[test]
fn largest_entry_fits_into_a_piece() {
    let longest = |first: char| UserId::new(&first.to_string().repeat(128)).expect("a valid id");
    let names = vec![longest('u'); NOTICE_MEMBERS_MAX];
    let names = Names { names, has_no_notices: true };
    let entry = |names| Entry::Names { room: room(), session: session(1), ticket: 1, names };
    assert_eq!(sent(vec![entry(names.clone())]).len(), 1);
    let largest = push_to_each(SESSIONS_OF_ENTRY_MAX, vec![frame(FRAME_BYTES_MAX)]);
    assert_eq!(sent(vec![largest]).len(), 1);
}

/// What is said of an entry after this change of its protobuf message.
fn refused(entry: Entry, change: impl FnOnce(&mut Kind)) -> WireError {
    let mut kinds = Vec::new();
    into::kinds(entry, SENT, |kind| kinds.push(kind));
    change(&mut kinds[0]);
    read_again(kinds.remove(0)).expect_err("it is invalid")
}

fn read_again(kind: Kind) -> Result<(Route, Vec<Entry>), WireError> {
    let entries = vec![proto::Entry { kind: Some(kind) }];
    let piece = proto::Entries { from_shard: 0, to_shard: 1, entries };
    decode(piece.encode_to_vec().into(), ARRIVED)
}

/// Changes a field of the protobuf message of an entry, and expects an error with this name.
macro_rules! refuses {
    ($entry:expr, $kind:ident.$field:ident = $value:expr, $name:literal) => {
        let refused = refused($entry, |kind| match kind {
            Kind::$kind(message) => message.$field = $value,
            other => panic!("unexpected: {other:?}"),
        });
        assert_eq!(refused, WireError::Invalid($name), "{}", stringify!($kind.$field));
    };
}
use refuses;

#[test]
fn invalid_values_are_named() {
    let (session, id) = (session(1), MessageId(1));
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let join = || {
        let (business_id, permit) = (None, JoinPermit::Charged);
        Entry::Join { room: room(), session, uid: uid(), ticket: 1, business_id, permit }
    };
    refuses!(join(), Join.room = text("a b"), "room");
    refuses!(join(), Join.session = 0, "session");
    refuses!(join(), Join.uid = text(""), "user");
    refuses!(join(), Join.business_id = text("a b"), "business id");
    refuses!(join(), Join.refused = 9, "refusal");
    let gone = || {
        let end = MemberEnd::Ends(rts_proto::LeaveReason::Left);
        Entry::Gone { room: room(), session, uid: uid(), end }
    };
    refuses!(gone(), Gone.end = None, "end");
    refuses!(gone(), Gone.end = Some(proto::gone::End::Ends(2)), "reason");
    let not_delivered = || {
        let (config, code) = (MessageConfig::ReliableOrdered, SendCode::Broken);
        Entry::NotDelivered { session, id, to: uid(), config, code }
    };
    refuses!(not_delivered(), NotDelivered.config = 3, "delivery guarantee");
    refuses!(not_delivered(), NotDelivered.code = 6, "result");
    let names = Names::default();
    let joined = || Entry::Joined {
        room: room(),
        session,
        ticket: 1,
        entered: rts_proto::server::Entered::New,
        names: names.clone(),
        is_charged: true,
    };
    refuses!(joined(), Joined.entered = 0, "kind of membership");
    refuses!(joined(), Joined.names = None, "list of names");
    let list = |len| {
        let names = vec![text("bob"); len];
        Some(proto::MemberNames { names, has_no_notices: false })
    };
    refuses!(joined(), Joined.names = list(NOTICE_MEMBERS_MAX + 1), "list of names");
    let join_refused = || Entry::JoinRefused {
        room: room(),
        session,
        ticket: 1,
        state: rts_proto::RoomState::UserBanned,
        refusal: rts_proto::server::JoinRefusal::Banned,
        is_charged: true,
    };
    refuses!(join_refused(), JoinRefused.state = 1, "state");
    refuses!(join_refused(), JoinRefused.refusal = 0, "refusal");
    refuses!(push(1), Push.frame = text("\u{2}x"), "frame");
    let outcomes = || Entry::Outcomes(vec![(session, Outcome::Send(SendCode::Ok, id))]);
    let outcome = |code, room| vec![proto::Outcome { session: 1, id: 1, code, room: text(room) }];
    refuses!(outcomes(), Outcomes.outcomes = outcome(6, ""), "result");
    refuses!(outcomes(), Outcomes.outcomes = outcome(0, "lobby"), "result");
    assert_eq!(read_again(Kind::InApp(text("app"))), Err(WireError::Invalid("app")));
    assert_eq!(read_again(Kind::Deliver(text("x"))), Err(WireError::Invalid("length")));
}

#[test]
fn shards_have_numbers_below_64() {
    assert_eq!(Route::new(63, 5).map(|route| (route.from(), route.to())), Some((63, 5)));
    assert_eq!((Route::new(64, 0), Route::new(0, 64)), (None, None));
}

/// As a later version may send them.
#[test]
fn entries_around_an_unknown_kind_and_with_unknown_fields_are_read() {
    let field = [0xC0, 0x3E, 1];
    let entry = |bytes: &[u8]| {
        let bytes = [bytes, &field].concat();
        [&[26, bytes.len() as u8][..], &bytes].concat()
    };
    let app_id = AppId::new("123456781234567812345678").expect("a valid id");
    let known = [Entry::InApp(app_id), push(1), push(2)];
    let mut kinds = Vec::new();
    for known in &known {
        into::kinds(known.clone(), SENT, |kind| kinds.push(proto::Entry { kind: Some(kind) }));
    }
    let [app, a, b] = &kinds[..] else { panic!("{kinds:?}") };
    let mut piece = proto::Entries { from_shard: 63, to_shard: 0, entries: vec![] }.encode_to_vec();
    let unknown = [0xCA, 0x3E, 2, 1, 2];
    for part in [entry(&app.encode_to_vec()), entry(&a.encode_to_vec()), entry(&unknown)] {
        piece.extend(part);
    }
    piece.extend([&entry(&b.encode_to_vec())[..], &field].concat());
    assert_eq!(decode(piece.into(), ARRIVED), Ok((route(), known.to_vec())));
}

#[test]
fn shards_are_checked_and_unknown_kinds_are_left_out() {
    let piece = |from_shard, to_shard| -> Bytes {
        let entries = vec![proto::Entry { kind: None }];
        proto::Entries { from_shard, to_shard, entries }.encode_to_vec().into()
    };
    assert_eq!(decode(piece(63, 0), ARRIVED), Ok((route(), vec![])));
    for (from, to) in [(64, 0), (0, 64), (u32::MAX, 0)] {
        let refused = WireError::Invalid("shard");
        assert_eq!(decode(piece(from, to), ARRIVED), Err(refused.clone()));
        assert_eq!(Route::read(&piece(from, to)), Err(refused));
    }
    let malformed = Bytes::from_static(&[0xFF]);
    assert_eq!(Route::read(&malformed), Err(WireError::Malformed));
    assert_eq!(decode(malformed, ARRIVED), Err(WireError::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However many they are, entries mean the same when they arrive.
    #[test]
    fn entries_mean_the_same_when_they_arrive(entries in entries()) {
        let expected: Vec<_> = entries.iter().cloned().map(by_other_clock).collect();
        let pieces = sent(entries);
        prop_assert!(meaning(&pieces) == meaning(&[expected]));
    }

    /// Changed bytes are refused, or are other entries.
    #[test]
    fn changed_bytes_do_no_harm(
        entries in entries(),
        at in any::<prop::sample::Index>(),
        changed in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        for piece in encode(route(), entries, SENT) {
            let (mut bytes, at) = (piece.to_vec(), at.index(piece.len()));
            bytes[at] = changed;
            if is_cut {
                bytes.truncate(at);
            }
            if let Ok((route, entries)) = decode(bytes.into(), SENT) {
                let again = encode(route, entries.clone(), SENT).into_iter();
                let again: Vec<_> = again.map(|piece| decode(piece, SENT)).collect();
                let again: Result<Vec<_>, _> =
                    again.into_iter().map(|read| read.map(|(_, entries)| entries)).collect();
                prop_assert_eq!(again.map(|pieces| meaning(&pieces)), Ok(meaning(&[entries])));
            }
        }
    }
}
