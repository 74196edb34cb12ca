//! Details for developers: of each message, join and call with an unusual result, and of rooms.
//! They are made at the level `All` only.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{
    Ban, Config, Detail, Input, JoinRefusal, Notice, NoticeLevel, Output, PostProgress, Report,
};
use rts_proto::wire::{Frame, SetServerParams};
use rts_proto::{
    AppId, BroadcastCode, CallId, LeaveReason, LinkId, MessageConfig, MessageId, Payload, RoomId,
    RoomState, SendCode, ServerParamsCode, TargetId,
};

use crate::support::{APP, Shard, login, message, user};

fn app_id() -> AppId {
    AppId::new(APP).expect("well formed")
}

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

fn join(id: &str) -> Frame {
    Frame::Join { room: room(id), ticket: 1, business_id: None }
}

fn broadcast(id: u64, to: &str) -> Frame {
    Frame::Broadcast { id: MessageId(id), room: room(to), payload: Payload::text("x") }
}

/// A shard with all notices, and alice on it.
fn with_notices(config: Config) -> (Shard, LinkId) {
    let mut shard = Shard::new(config);
    shard.server.take_notice(NoticeLevel::All);
    let (alice, _) = shard.log_in(login("alice"));
    shard.noticed();
    (shard, alice)
}

fn detail(link: LinkId, uid: &str, detail: Detail) -> Notice {
    Notice::Detail { link: Some(link), app_id: app_id(), uid: user(uid), detail }
}

fn not_delivered(to: &str, id: u64, config: MessageConfig, code: SendCode) -> Detail {
    Detail::NotDelivered { to: to.to_owned(), id: MessageId(id), config, code }
}

fn reported(report: Report) -> Notice {
    Notice::Reported { app_id: app_id(), report }
}

/// The notices of the level `All` only.
fn details(shard: &mut Shard) -> Vec<Notice> {
    let is_more =
        |notice: &Notice| matches!(notice, Notice::Detail { .. } | Notice::Reported { .. });
    shard.noticed().into_iter().filter(is_more).collect()
}

#[test]
fn level_sessions_has_no_details() {
    for level in [NoticeLevel::Off, NoticeLevel::Sessions] {
        let (mut shard, alice) = with_notices(Config::default());
        shard.server.take_notice(level);
        shard.say(alice, message(1, "nobody", "x"));
        shard.say(alice, join("lobby"));
        shard.say(alice, broadcast(1, "hall"));
        shard.say(alice, Frame::ServerSend { id: MessageId(2), payload: Payload::text("x") });
        shard.frames_to(alice);
        assert_eq!(details(&mut shard), [], "{level:?}");
    }
}

#[test]
fn undelivered_message_has_a_detail_with_receiver_and_result() {
    let (reliable, unreliable) = (MessageConfig::ReliableOrdered, MessageConfig::UnreliableOrdered);
    let mut config = Config::default();
    config.sends_per_second = 4;
    let (mut shard, alice) = with_notices(config);
    let (bob, _) = shard.log_in(login("bob"));
    shard.hang_up(bob);
    shard.noticed();
    let longest = "x".repeat(128);
    let send = |id, to: &str, config| {
        let to = Bytes::copy_from_slice(to.as_bytes());
        Frame::Send { id: MessageId(id), to, payload: Payload::text("secret"), config }
    };
    for (id, to, named, config, code) in [
        (1, "dave", "dave", reliable, SendCode::ReceiverNotLoggedIn),
        (2, &*"x".repeat(4_000), &*longest, reliable, SendCode::ReceiverNotFound),
        (3, "bob", "bob", unreliable, SendCode::Broken),
    ] {
        shard.say(alice, send(id, to, config));
        let expected = detail(alice, "alice", not_delivered(named, id, config, code));
        assert_eq!(details(&mut shard), [expected]);
    }
    // A message that waits for bob has no result yet. The next one is over the rate.
    shard.say(alice, send(4, "bob", reliable));
    assert_eq!(details(&mut shard), []);
    shard.say(alice, send(5, "bob", reliable));
    let over_rate = not_delivered("bob", 5, reliable, SendCode::OverRate);
    assert_eq!(details(&mut shard), [detail(alice, "alice", over_rate)]);
    // Bob's session ends with an unacknowledged message.
    shard.server.put_out(shard.now, &app_id(), &user("bob"));
    shard.tick();
    let lost = not_delivered("bob", 4, reliable, SendCode::Timeout);
    let offline = Report::UserOffline { uid: user("bob"), reason: LeaveReason::Kicked };
    let expected = [detail(alice, "alice", lost), reported(offline)];
    assert_eq!(details(&mut shard), expected);
}

#[test]
fn full_receiver_is_the_detail_of_result_2() {
    let mut config = Config::default();
    config.sends_per_second = 0;
    let (mut shard, alice) = with_notices(config);
    let (bob, _) = shard.log_in(login("bob"));
    shard.noticed();
    let text = "x".repeat(60_000);
    let refused = (1..).find(|id| {
        shard.say(alice, message(*id, "bob", &text));
        shard.frames_to(bob);
        shard.frames_to(alice).iter().any(|frame| matches!(frame, Frame::SendResults { .. }))
    });
    let id = refused.expect("a window has a bound");
    let full = not_delivered("bob", id, MessageConfig::ReliableOrdered, SendCode::Broken);
    assert_eq!(details(&mut shard), [detail(alice, "alice", full)]);
}

#[test]
fn refused_broadcast_has_a_detail_with_room_and_result() {
    let mut config = Config::default();
    config.broadcasts_per_second = 1;
    let (mut shard, alice) = with_notices(config);
    for (id, code) in [(1, BroadcastCode::NotInRoom), (2, BroadcastCode::OverRate)] {
        shard.say(alice, broadcast(id, "hall"));
        let refused = Detail::NotBroadcast { room: room("hall"), id: MessageId(id), code };
        assert_eq!(details(&mut shard), [detail(alice, "alice", refused)]);
    }
}

#[test]
fn details_cover_joins_leaves_and_refused_joins() {
    let mut config = Config::default();
    config.room_members_max = NonZeroUsize::MIN;
    let (mut shard, alice) = with_notices(config);
    let (bob, _) = shard.log_in(login("bob"));
    shard.noticed();
    shard.say(alice, join("lobby"));
    let (lobby, uid) = (|| room("lobby"), user("alice"));
    let joined = Report::MemberJoined { room: lobby(), uid: uid.clone(), business_id: None };
    let expected = [reported(Report::RoomCreated { room: lobby() }), reported(joined)];
    assert_eq!(details(&mut shard), expected);
    let refused = |refusal, state| Detail::JoinRefused { room: lobby(), state, refusal };
    shard.say(bob, join("lobby"));
    let full = refused(JoinRefusal::RoomFull, RoomState::JoinFailed);
    assert_eq!(details(&mut shard), [detail(bob, "bob", full)]);

    shard.say(alice, Frame::Leave { room: lobby(), ticket: 2 });
    let left = Report::MemberLeft { room: lobby(), uid, reason: LeaveReason::Left };
    let expected = [reported(left), reported(Report::RoomEmptied { room: lobby() })];
    assert_eq!(details(&mut shard), expected);

    let ban = Ban::Room(lobby());
    shard.server.ban(shard.now, &app_id(), &ban, Duration::from_secs(600)).expect("few bans");
    shard.say(bob, join("lobby"));
    let banned = refused(JoinRefusal::Banned, RoomState::RoomBanned);
    assert_eq!(details(&mut shard), [detail(bob, "bob", banned)]);
}

#[test]
fn refused_join_has_its_reason_in_the_detail() {
    for (joins_per_second, entered, refusal) in
        [(0, 128, JoinRefusal::TooManyRooms), (1, 256, JoinRefusal::OverRate)]
    {
        let mut config = Config::default();
        config.joins_per_second = joins_per_second;
        let (mut shard, alice) = with_notices(config);
        for number in 1..=entered {
            shard.say(alice, join(&format!("room{number}")));
            shard.frames_to(alice);
            if refusal == JoinRefusal::OverRate {
                let room = room(&format!("room{number}"));
                shard.say(alice, Frame::Leave { room, ticket: 2 });
                shard.frames_to(alice);
            }
        }
        shard.noticed();
        shard.say(alice, join("one_more"));
        let (room, state) = (room("one_more"), RoomState::JoinFailed);
        let refused = Detail::JoinRefused { room, state, refusal };
        assert_eq!(details(&mut shard), [detail(alice, "alice", refused)]);
    }
}

#[test]
fn failed_posts_have_details_without_payload() {
    let (mut shard, alice) = with_notices(Config::default());
    let send = |id| Frame::ServerSend { id: MessageId(id), payload: Payload::text("secret") };
    let not_posted =
        |id, code| detail(alice, "alice", Detail::NotPosted { id: MessageId(id), code });
    shard.say(alice, send(1));
    assert_eq!(details(&mut shard), [not_posted(1, SendCode::NoServerParams)]);
    for (ticket, is_allowed) in [(1, false), (2, true)] {
        let (signature, url) =
            (Bytes::from_static(b"signature"), Bytes::from_static(b"https://a.example/"));
        shard.say(alice, Frame::SetServerParams(SetServerParams { ticket, signature, url }));
        shard.input(Input::TargetChecked(TargetId(ticket), is_allowed));
        let refused = Detail::ServerParamsRefused { code: ServerParamsCode::Unknown };
        let expected = (!is_allowed).then(|| detail(alice, "alice", refused));
        assert_eq!(details(&mut shard), Vec::from_iter(expected));
    }
    shard.say(alice, send(2));
    assert_eq!(details(&mut shard), []);
    shard.input(Input::AppServerReplied(CallId(1), PostProgress::NotReached));
    assert_eq!(details(&mut shard), [not_posted(2, SendCode::ServerNotReached)]);
}

#[test]
fn notices_show_no_payload_token_or_signature() {
    let (mut shard, alice) = with_notices(Config::default());
    let (signature, url) = (Bytes::from_static(b"secret"), Bytes::from_static(b"secret"));
    let set = SetServerParams { ticket: 1, signature, url };
    let to = Bytes::from_static(b"nobody");
    let (id, config) = (MessageId(1), MessageConfig::ReliableOrdered);
    shard.say(alice, Frame::SetServerParams(set));
    shard.say(alice, Frame::Send { id, to, payload: Payload::text("secret"), config });
    shard.say(alice, Frame::ServerSend { id, payload: Payload::text("secret") });
    shard.say(alice, Frame::Broadcast { id, room: room("hall"), payload: Payload::text("secret") });
    shard.input(Input::TargetChecked(TargetId(1), false));
    shard.accepts_tokens = false;
    let link = shard.link();
    let token = Bytes::from_static(b"secret");
    shard.say(link, Frame::Login(rts_proto::wire::Login { token, ..login("bob") }));
    let notices = shard.noticed();
    assert_eq!(notices.len(), 5, "{notices:?}");
    for notice in notices {
        let shown = format!("{notice:?} {:?}", Output::Notice(notice.clone()));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
