//! Drawn entries.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rts_proto::limits::{FRAME_BYTES_MAX, NOTICE_MEMBERS_MAX};
use rts_proto::server::{
    AskedLogin, AskedResume, Candidate, Deliveries, Denial, Entered, Entry, HomesStep, JoinPermit,
    JoinRefusal, LeftBehind, MemberEnd, Moved, MovedFrames, MovedMember, MovedOwner, MovedParams,
    MovedPost, MovedSession, Names, NodeNumber, Outcome, Ownership, PassedOn, ResumeAsked,
    SessionContent, SessionNumber, SessionPart, ShardId, Tenure, UsedRates,
};
use rts_proto::wire::ResumeKey;
use rts_proto::{
    AppId, BroadcastCode, BusinessId, Instant, LeaveReason, LoginId, MessageConfig, MessageId,
    Payload, RoomId, RoomState, SendCode, ServerParams, UserId,
};

use super::back_ends::{requests, responses};

/// A frame of this length, without its prefix.
pub(super) fn frame(len: usize) -> Bytes {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(len as u64, &mut bytes);
    bytes.resize(bytes.len() + len, 7);
    bytes.into()
}

pub(super) fn session(number: u64) -> SessionNumber {
    SessionNumber::from_number(number).expect("a valid number")
}

fn sessions() -> impl Strategy<Value = SessionNumber> {
    prop_oneof![1..9_u64, Just(u64::MAX)].prop_map(session)
}

pub(super) fn frames() -> impl Strategy<Value = Bytes> {
    prop_oneof![8 => 1..200_usize, 1 => 1..=FRAME_BYTES_MAX].prop_map(frame)
}

pub(super) fn uids() -> impl Strategy<Value = UserId> {
    "[a-z]{1,3}|[a-z]{128}".prop_map(|text| UserId::new(&text).expect("a valid id"))
}

pub(super) fn rooms() -> impl Strategy<Value = RoomId> {
    "[a-z]{1,3}|[a-z]{128}".prop_map(|text| RoomId::new(&text).expect("a valid id"))
}

fn ids() -> impl Strategy<Value = MessageId> {
    prop_oneof![0..99_u64, any::<u64>()].prop_map(MessageId)
}

pub(super) fn one_of<T: Copy + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn refusals() -> impl Strategy<Value = JoinRefusal> {
    one_of(&[
        JoinRefusal::Banned,
        JoinRefusal::RoomFull,
        JoinRefusal::TooManyRooms,
        JoinRefusal::OverRate,
        JoinRefusal::ShardBusy,
    ])
}

fn names() -> impl Strategy<Value = Names> {
    let lengths = prop_oneof![8 => 0..4_usize, 1 => Just(NOTICE_MEMBERS_MAX)];
    let names = lengths.prop_flat_map(|len| vec(uids(), len));
    (names, any::<bool>()).prop_map(|(names, has_no_notices)| Names { names, has_no_notices })
}

fn logins() -> impl Strategy<Value = AskedLogin> {
    (any::<u64>(), 0..9_u64, any::<u64>(), any::<u64>())
        .prop_map(|(engine, attempt, claim, clock)| AskedLogin { engine, attempt, claim, clock })
}

fn candidates() -> impl Strategy<Value = Candidate> {
    (shards(), any::<u64>().prop_map(LoginId), logins(), resumes())
        .prop_map(|(shard, login, asked, resume)| Candidate { shard, login, asked, resume })
}

fn resumes() -> impl Strategy<Value = Option<Box<AskedResume>>> {
    let resume = (any::<[u8; 16]>(), any::<u64>(), sessions()).prop_map(|(key, received, next)| {
        Box::new(AskedResume { key: ResumeKey(key), received, next })
    });
    proptest::option::of(resume)
}

fn params() -> impl Strategy<Value = ServerParams> {
    ("[a-z]{1,9}", "[a-z]{1,9}|[a-z]{2048}").prop_map(|(signature, url)| {
        ServerParams::new(signature.as_bytes(), url.as_bytes()).expect("valid params")
    })
}

fn parts() -> impl Strategy<Value = Entry> {
    let short = vec((1..200_usize).prop_map(frame), 1..3);
    let piece = prop_oneof![8 => short, 1 => Just(vec![frame(FRAME_BYTES_MAX)])];
    let piece = (piece, proptest::option::of((sessions(), ids())));
    let window = piece.prop_map(|(frames, origin)| {
        let (count, bytes) = (frames.len() as u32, frames.concat().into());
        MovedFrames { bytes, frames: count, origin }
    });
    let known = prop_oneof![
        any::<u64>().prop_map(MovedParams::Asked),
        params().prop_map(MovedParams::Known),
    ];
    let payload = prop_oneof![
        "[a-z]{0,9}".prop_map(|text| Payload::text(text.as_str())),
        vec(any::<u8>(), 0..9).prop_map(|bytes| Payload::Binary(bytes.into())),
    ];
    let post = (ids(), known, payload)
        .prop_map(|(id, params, payload)| Box::new(MovedPost { id, params, payload }));
    let numbers = (sessions(), any::<u64>(), any::<[u8; 16]>(), any::<u32>(), any::<u64>());
    let counts = (any::<u64>(), any::<u64>(), any::<u32>());
    let lists = (vec(rooms(), 0..4), vec((rooms(), any::<u64>(), any::<u64>()), 0..4), left());
    let asked = (proptest::option::of(params()), vec((any::<u64>(), params()), 0..3));
    let session = (uids(), numbers, counts, lists, asked).prop_map(
        |(uid, (session, tenure, key, issued_at, claim), counts, lists, (params, undecided))| {
            let (received, acked, frames_resent) = counts;
            let (rooms, welcomes, left) = lists;
            Box::new(MovedSession {
                uid,
                session,
                tenure: Tenure(tenure),
                key: ResumeKey(key),
                issued_at,
                claim,
                received,
                acked,
                frames_resent,
                rooms,
                welcomes,
                left,
                params,
                undecided,
            })
        },
    );
    let content = prop_oneof![
        vec(rooms(), 0..9).prop_map(SessionContent::Rooms),
        vec(window, 0..2).prop_map(SessionContent::Frames),
        post.prop_map(SessionContent::Post),
        session.prop_map(SessionContent::Session),
        Just(SessionContent::Revoked),
    ];
    (sessions(), content)
        .prop_map(|(next, content)| Entry::SessionMoved(Box::new(SessionPart { next, content })))
}

fn moving_sessions() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (uids(), sessions(), candidates()).prop_map(|(uid, session, candidate)| {
            Entry::Resume(Box::new(ResumeAsked { uid, session, candidate }))
        }),
        parts(),
        sessions().prop_map(Entry::Taken),
        any::<u64>().prop_map(Entry::Fence),
        any::<u64>().prop_map(Entry::Fenced),
        (rooms(), sessions(), uids(), sessions())
            .prop_map(|(room, session, uid, next)| Entry::Switch { room, session, uid, next }),
        (rooms(), sessions()).prop_map(|(room, session)| Entry::Switched { room, session }),
    ]
}

fn left() -> impl Strategy<Value = LeftBehind> {
    let used = any::<[u64; 7]>().prop_map(|used| Box::new(UsedRates(used)));
    let orphans = vec((rooms(), 1..3_u32), 0..4);
    (proptest::option::of(any::<u64>()), orphans, proptest::option::of(used))
        .prop_map(|(displaced, orphans, used)| LeftBehind { displaced, orphans, used })
}

const DENIALS: &[Denial] = &[
    Denial::Overtaken,
    Denial::Displaced,
    Denial::NoGreaterClaim,
    Denial::NotResumed,
    Denial::PutOut,
];

fn ownership() -> impl Strategy<Value = Entry> {
    let tenure = || any::<u64>().prop_map(Tenure);
    let login_id = || any::<u64>().prop_map(LoginId);
    let denial = || one_of(DENIALS);
    prop_oneof![
        (uids(), candidates()).prop_map(|(uid, candidate)| Ownership::Ask { uid, candidate }),
        (uids(), tenure(), left()).prop_map(|(uid, tenure, left)| Ownership::Grant {
            uid,
            tenure,
            left
        }),
        (uids(), login_id(), denial()).prop_map(|(uid, login, denial)| Ownership::Deny {
            uid,
            login,
            denial
        }),
        (uids(), tenure(), logins(), resumes()).prop_map(|(uid, tenure, login, resume)| {
            Ownership::Revoke { uid, tenure, login, resume }
        }),
        (uids(), tenure(), left(), proptest::option::of((shards(), login_id())))
            .prop_map(|(uid, tenure, left, next)| Ownership::Release { uid, tenure, left, next }),
        (uids(), tenure(), denial()).prop_map(|(uid, tenure, denial)| Ownership::Keep {
            uid,
            tenure,
            denial
        }),
    ]
    .prop_map(Entry::Ownership)
}

fn passed_on() -> impl Strategy<Value = PassedOn> {
    prop_oneof![
        requests().prop_map(PassedOn::Request),
        deliveries().prop_map(PassedOn::Deliver),
        (sessions(), any::<u64>(), uids())
            .prop_map(|(session, query, uid)| PassedOn::QueryStatus { session, query, uid }),
        (rooms(), uids(), any::<bool>()).prop_map(|(room, uid, waits)| PassedOn::Orphan {
            room,
            uid,
            waits
        }),
    ]
}

fn homes_reached() -> impl Strategy<Value = Entry> {
    let step = one_of(&[HomesStep::Switched, HomesStep::HandedOver, HomesStep::Settled]);
    (any::<u64>(), step).prop_map(|(epoch, step)| Entry::HomesReached { epoch, step })
}

pub(super) fn shards() -> impl Strategy<Value = ShardId> {
    (0..NodeNumber::COUNT, 0..ShardId::COUNT_MAX).prop_map(|(node, number)| {
        let node = NodeNumber::new(node).expect("a valid number");
        ShardId::of_node(node, number).expect("a valid number")
    })
}

fn moved() -> impl Strategy<Value = Entry> {
    let owner = (shards(), any::<u64>(), vec(candidates(), 0..4)).prop_map(
        |(shard, tenure, candidates)| MovedOwner { shard, tenure: Tenure(tenure), candidates },
    );
    let member = prop_oneof![
        sessions().prop_map(MovedMember::Here),
        moments().prop_map(MovedMember::WaitsUntil),
    ];
    prop_oneof![
        (uids(), proptest::option::of(owner), left()).prop_map(|(uid, owner, left)| Moved::User {
            uid,
            owner,
            left
        }),
        passed_on().prop_map(Moved::Held),
        (rooms(), any::<u64>(), vec((uids(), member), 0..9))
            .prop_map(|(room, used, members)| Moved::Members { room, used, members }),
    ]
    .prop_map(|moved| Entry::Moved(Box::new(moved)))
}

fn deliveries() -> impl Strategy<Value = Deliveries> {
    let message = (sessions(), ids(), one_of(MessageConfig::ALL), uids(), frames());
    vec(message, 0..40).prop_map(|messages| {
        let mut deliveries = Deliveries::default();
        for (session, id, config, to, frame) in messages {
            deliveries.push(session, id, config, &to, &frame);
        }
        deliveries
    })
}

fn outcomes() -> impl Strategy<Value = Entry> {
    let outcome = prop_oneof![
        (one_of(SendCode::ALL), ids()).prop_map(|(code, id)| Outcome::Send(code, id)),
        (rooms(), one_of(BroadcastCode::ALL), ids())
            .prop_map(|(room, code, id)| Outcome::Broadcast(room, code, id)),
    ];
    let lengths = prop_oneof![8 => 0..40_usize, 1 => 0..4_000_usize];
    // Many copies of a few are drawn faster than many.
    (vec((sessions(), outcome), 1..9), lengths).prop_map(|(few, len)| {
        let all = few.iter().cycle().take(len).cloned();
        Entry::Outcomes(all.collect())
    })
}

fn push_to_each() -> impl Strategy<Value = Entry> {
    let lengths = prop_oneof![8 => 0..4_u64, 1 => 0..9_000_u64];
    let frames = vec((proptest::option::of(sessions()), frames()), 0..9);
    (lengths, frames).prop_map(|(len, frames)| {
        let sessions = (1..=len).map(session).collect();
        Entry::PushToEach { sessions, frames }
    })
}

fn ends() -> impl Strategy<Value = MemberEnd> {
    prop_oneof![
        one_of(LeaveReason::ALL).prop_map(MemberEnd::Ends),
        moments().prop_map(MemberEnd::WaitsUntil),
    ]
}

fn moments() -> impl Strategy<Value = Instant> {
    prop_oneof![any::<u64>(), 0..9_000_000_u64].prop_map(Instant::from_micros)
}

fn joins() -> impl Strategy<Value = Entry> {
    let business_id = proptest::option::of("[a-z]{1,9}");
    let permit = prop_oneof![Just(JoinPermit::Charged), refusals().prop_map(JoinPermit::Refused)];
    (rooms(), sessions(), uids(), any::<u64>(), business_id, permit).prop_map(
        |(room, session, uid, ticket, business_id, permit)| {
            let business_id = business_id.map(|id| BusinessId::new(&id).expect("a valid id"));
            Entry::Join { room, session, uid, ticket, business_id, permit }
        },
    )
}

/// Any entry. A new kind belongs into this list.
fn entry() -> impl Strategy<Value = Entry> {
    let of_session = || (rooms(), sessions(), uids(), any::<u64>());
    let answer = || (rooms(), sessions(), any::<u64>());
    let entered = one_of(&[Entered::New, Entered::Back, Entered::Already]);
    let app_id = "[a-z]{24}".prop_map(|text| AppId::new(&text).expect("a valid id"));
    prop_oneof![
        app_id.prop_map(Entry::InApp),
        deliveries().prop_map(Entry::Deliver),
        ownership(),
        passed_on().prop_map(Entry::PassedOn),
        homes_reached(),
        moved(),
        moving_sessions(),
        requests().prop_map(Entry::Request),
        responses().prop_map(Entry::Response),
        outcomes(),
        push_to_each(),
        joins(),
        (sessions(), any::<u64>(), uids()).prop_map(|(session, query, uid)| Entry::QueryStatus {
            session,
            query,
            uid
        }),
        (rooms(), uids(), any::<bool>()).prop_map(|(room, uid, waits)| Entry::Orphan {
            room,
            uid,
            waits
        }),
        (rooms(), uids()).prop_map(|(room, uid)| Entry::PutOut { room, uid }),
        of_session().prop_map(|(room, session, uid, ticket)| {
            Entry::Leave { room, session, uid, ticket }
        }),
        of_session().prop_map(|(room, session, uid, ticket)| {
            Entry::AskNames { room, session, uid, ticket }
        }),
        (rooms(), sessions(), uids(), ends()).prop_map(|(room, session, uid, end)| Entry::Gone {
            room,
            session,
            uid,
            end
        }),
        (rooms(), sessions(), uids(), ids(), frames()).prop_map(
            |(room, session, uid, id, frame)| Entry::Broadcast { room, session, uid, id, frame }
        ),
        (sessions(), ids(), uids(), one_of(MessageConfig::ALL), one_of(SendCode::ALL)).prop_map(
            |(session, id, to, config, code)| Entry::NotDelivered { session, id, to, config, code }
        ),
        (sessions(), rooms(), ids(), one_of(BroadcastCode::ALL))
            .prop_map(|(session, room, id, code)| Entry::NotBroadcast { session, room, id, code }),
        (sessions(), frames()).prop_map(|(session, frame)| Entry::Push { session, frame }),
        (answer(), entered, names(), any::<bool>()).prop_map(
            |((room, session, ticket), entered, names, is_charged)| {
                Entry::Joined { room, session, ticket, entered, names, is_charged }
            }
        ),
        (answer(), one_of(RoomState::ALL), refusals(), any::<bool>()).prop_map(
            |((room, session, ticket), state, refusal, is_charged)| {
                Entry::JoinRefused { room, session, ticket, state, refusal, is_charged }
            }
        ),
        (answer(), names()).prop_map(|((room, session, ticket), names)| {
            Entry::Names { room, session, ticket, names }
        }),
        answer().prop_map(|(room, session, ticket)| Entry::Left { room, session, ticket }),
        (rooms(), sessions(), proptest::option::of(frames()))
            .prop_map(|(room, session, notice)| Entry::Removed { room, session, notice }),
    ]
}

pub(super) fn entries() -> impl Strategy<Value = Vec<Entry>> {
    vec(entry(), 0..12)
}
