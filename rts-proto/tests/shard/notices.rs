//! Notices of logins and closed links: each comes once, with user and reason, and only on request.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{
    Ban, Config, Credentials, Forbidden, Input, Notice, NoticeLevel, Rate, Refusal, Resumption,
};
use rts_proto::wire::{Frame, Login};
use rts_proto::{
    AppId, CloseCode, LeaveReason, LinkId, LoginCode, MessageId, Payload, RoomId, RoomState, UserId,
};

use crate::support::{APP, HELLO, Shard, login, message, resume, user};

fn app_id() -> AppId {
    AppId::new(APP).expect("well formed")
}

fn alice() -> Option<(AppId, UserId)> {
    Some((app_id(), user("alice")))
}

fn shard(config: Config) -> Shard {
    let mut shard = Shard::new(config);
    shard.server.take_notice(NoticeLevel::Sessions);
    shard
}

fn logged_in(link: LinkId, resumption: Resumption) -> Notice {
    Notice::LoggedIn { link, app_id: app_id(), uid: user("alice"), resumption }
}

fn lost(link: LinkId, user: Option<(AppId, UserId)>) -> Notice {
    Notice::LinkLost { link, user }
}

fn closed(link: LinkId, user: Option<(AppId, UserId)>, code: CloseCode, reason: &str) -> Notice {
    Notice::Closed { link, user, code, reason: reason.to_owned() }
}

#[test]
fn no_notices_at_the_default_level() {
    let mut shard = Shard::new(Config::default());
    let (link, _) = shard.log_in(login("alice"));
    shard.say_bytes(link, Bytes::from_static(b"\x01\xff"));
    assert_eq!(shard.noticed(), []);
}

#[test]
fn logins_returns_and_logouts_are_noticed() {
    let mut shard = shard(Config::default());
    let (first, accepted) = shard.log_in(login("alice"));
    assert_eq!(shard.noticed(), [logged_in(first, Resumption::NotAsked)]);
    shard.hang_up(first);
    assert_eq!(shard.noticed(), [lost(first, alice())]);
    let (second, _) = shard.log_in(resume("alice", &accepted, 0));
    let resumed = Resumption::Resumed { frames_resent: 0 };
    assert_eq!(shard.noticed(), [logged_in(second, resumed)]);
    shard.say(second, Frame::Logout);
    let (app_id, uid) = (app_id(), user("alice"));
    let reason = LeaveReason::Left;
    assert_eq!(shard.noticed(), [Notice::SessionEnded { app_id, uid, reason }]);
}

#[test]
fn login_notice_distinguishes_impossible_resumes() {
    let mut shard = shard(Config::default());
    let (bob, accepted) = shard.log_in(login("alice"));
    let (sender, _) = shard.log_in(login("bob"));
    for id in 1..=3 {
        shard.say(sender, message(id, "alice", "x"));
        shard.frames_to(bob);
    }
    shard.hang_up(bob);
    shard.say(sender, message(4, "alice", "never sent before"));
    shard.noticed();
    // One of the three messages arrived.
    let (second, _) = shard.log_in(resume("alice", &accepted, 1));
    let resumed = Resumption::Resumed { frames_resent: 2 };
    assert_eq!(shard.noticed(), [logged_in(second, resumed)]);
    shard.say(second, Frame::Logout);
    shard.noticed();
    let (third, _) = shard.log_in(resume("alice", &accepted, 1));
    assert_eq!(shard.noticed(), [logged_in(third, Resumption::Impossible)]);
}

#[test]
fn lost_link_is_noticed_unless_the_server_closed_it() {
    let mut shard = shard(Config::default());
    let stranger = shard.link();
    shard.hang_up(stranger);
    assert_eq!(shard.noticed(), [lost(stranger, None)]);
    let (link, _) = shard.log_in(login("alice"));
    shard.say(link, HELLO);
    shard.noticed();
    shard.hang_up(link);
    assert_eq!(shard.noticed(), []);
}

#[test]
fn queued_logins_and_congested_links_are_noticed() {
    let mut config = Config::default();
    config.logins_per_second = 1;
    let mut shard = shard(config);
    let (link, _) = shard.log_in(login("alice"));
    shard.noticed();
    let waiting = shard.link();
    shard.say(waiting, Frame::Login(login("alice")));
    let (app_id, uid) = (app_id(), user("alice"));
    let queued = Notice::LoginQueued { link: waiting, app_id: app_id.clone(), uid: uid.clone() };
    assert_eq!(shard.noticed(), [queued]);
    for is_congested in [true, false] {
        shard.input(Input::Congested(link, is_congested));
        let (app_id, uid) = (app_id.clone(), uid.clone());
        assert_eq!(shard.noticed(), [Notice::Congested { link, app_id, uid, is_congested }]);
    }
}

#[test]
fn refusal_notice_has_credentials_and_reason() {
    let mut config = Config::default();
    config.reserved_uids = [user("system")].into();
    let mut shard = shard(config);
    for (uid, is_good, code, refusal) in [
        ("alice", false, LoginCode::InvalidToken, Refusal::Verdict),
        // Only a user with a valid token learns that its id is reserved.
        ("system", false, LoginCode::InvalidToken, Refusal::Verdict),
        ("system", true, LoginCode::BadUserId, Refusal::ReservedUid),
    ] {
        shard.accepts_tokens = is_good;
        let link = shard.link();
        shard.say(link, Frame::Login(login(uid)));
        let shown =
            Credentials { app_id: app_id(), uid: user(uid), token: Bytes::from_static(b"token") };
        let credentials = Box::new(shown);
        let refused = Notice::LoginRefused { link, credentials, code, refusal };
        assert_eq!(shard.noticed(), [refused]);
    }
}

#[test]
fn login_without_a_greater_claim_is_noticed() {
    let mut shard = shard(Config::default());
    shard.clock = u64::MAX;
    shard.log_in(login("alice"));
    shard.noticed();
    let link = shard.link();
    shard.say(link, Frame::Login(login("alice")));
    let refusal = Refusal::NoGreaterClaim;
    assert!(matches!(
        &shard.noticed()[..],
        [Notice::LoginRefused { link: of, code: LoginCode::ServerError, refusal: by, .. }]
            if *of == link && *by == refusal
    ));
}

#[test]
fn displacement_notice_names_the_existing_links() {
    for is_broken in [false, true] {
        let mut shard = shard(Config::default());
        let (first, accepted) = shard.log_in(login("alice"));
        if is_broken {
            shard.hang_up(first);
        }
        shard.noticed();
        let (by, _) = shard.log_in(login("alice"));
        let link = (!is_broken).then_some(first);
        let (app_id, uid) = (app_id(), user("alice"));
        let mut expected = vec![Notice::Displaced { link, by: Some(by), app_id, uid }];
        let reason = "logged in elsewhere";
        expected.extend(link.map(|link| closed(link, alice(), CloseCode::Displaced, reason)));
        expected.push(logged_in(by, Resumption::NotAsked));
        assert_eq!(shard.noticed(), expected);
        // A later reconnect of the displaced client is refused, with a notice that names its user.
        let late = shard.link();
        shard.say(late, Frame::Login(Login { claim: 0, ..resume("alice", &accepted, 0) }));
        assert_eq!(shard.noticed(), [closed(late, alice(), CloseCode::Displaced, reason)]);
    }
}

#[test]
fn broken_rule_notice_names_the_user_if_known() {
    let mut shard = shard(Config::default());
    let stranger = shard.link();
    shard.say(stranger, HELLO);
    let rule = "a Hello frame where none is allowed (§2.1)";
    assert_eq!(shard.noticed(), [closed(stranger, None, CloseCode::UnexpectedFrame, rule)]);

    let (link, _) = shard.log_in(login("alice"));
    shard.noticed();
    shard.say(link, HELLO);
    let (app_id, uid) = (app_id(), user("alice"));
    let over = Notice::SessionEnded { app_id, uid, reason: LeaveReason::Dropped };
    let closed_for = closed(link, alice(), CloseCode::UnexpectedFrame, rule);
    assert_eq!(shard.noticed(), [closed_for, over]);

    // A login that waits for its verdict has a user.
    shard.decides = false;
    let link = shard.link();
    shard.say(link, Frame::Login(login("alice")));
    shard.say(link, HELLO);
    assert_eq!(shard.noticed(), [closed(link, alice(), CloseCode::UnexpectedFrame, rule)]);
}

#[test]
fn a_shutdown_is_not_noticed_link_by_link() {
    let mut shard = shard(Config::default());
    shard.log_in(login("alice"));
    shard.noticed();
    let now = shard.now;
    shard.server.shutdown(now, Duration::ZERO);
    shard.tick();
    assert_eq!(shard.noticed(), []);
}

/// A rate, the number of uses that it allows, and the frames of the nth use.
type Rated = (Rate, u64, fn(u64) -> Vec<Frame>);

fn rates() -> [Rated; 6] {
    fn room(id: &str) -> RoomId {
        RoomId::new(id).expect("well formed")
    }
    fn enter(id: &str) -> Frame {
        Frame::Join { room: room(id), ticket: 1, business_id: None }
    }
    fn broadcast(id: u64) -> Frame {
        Frame::Broadcast { id: MessageId(id), room: room("room"), payload: Payload::text("x") }
    }
    [
        (Rate::Sends, 3, |id| vec![message(id, "nobody", "x")]),
        (Rate::Broadcasts, 2, |id| vec![broadcast(id)]),
        (Rate::RoomBroadcasts, 1, |id| vec![enter("room"), broadcast(id)]),
        (Rate::ServerSends, 4, |id| {
            vec![Frame::ServerSend { id: MessageId(id), payload: Payload::text("x") }]
        }),
        (Rate::StatusQueries, 5, |query| {
            vec![Frame::StatusQuery { query, uid: Bytes::from_static(b"nobody") }]
        }),
        // The number of rooms that may be entered at once.
        (Rate::Joins, 256, |_| vec![enter("hall"), Frame::Leave { room: room("hall"), ticket: 2 }]),
    ]
}

#[test]
fn over_rate_is_noticed_every_ten_seconds() {
    for (rate, allowed, frames) in rates() {
        let mut config = Config::default();
        config.sends_per_second = 3;
        config.broadcasts_per_second = if rate == Rate::Broadcasts { 2 } else { 100 };
        config.room_broadcasts_per_second = 1;
        config.server_sends_per_second = 4;
        config.status_queries_per_second = 5;
        config.joins_per_second = 1;
        let mut shard = shard(config);
        let (link, _) = shard.log_in(login("alice"));
        shard.noticed();
        let mut number = 0;
        let mut again = |shard: &mut Shard, times: u64| {
            for _ in 0..times {
                number += 1;
                frames(number).into_iter().for_each(|frame| shard.say(link, frame));
                shard.frames_to(link);
            }
            shard.noticed()
        };
        assert_eq!(again(&mut shard, allowed), [], "{rate:?}: as often as it may");
        let (app_id, uid) = (app_id(), user("alice"));
        let over = Notice::OverRate { link: Some(link), app_id, uid, rate };
        assert_eq!(again(&mut shard, 10), std::slice::from_ref(&over));
        shard.wait(Duration::from_micros(9_999_999));
        assert_eq!(again(&mut shard, allowed + 1), [], "{rate:?}");
        shard.wait(Duration::from_micros(1));
        assert_eq!(again(&mut shard, 2), [over]);
    }
}

#[test]
fn refusals_by_a_ban_are_noticed_every_ten_seconds() {
    let room = RoomId::new("lobby").expect("well formed");
    let enter = Frame::Join { room: room.clone(), ticket: 1, business_id: None };
    let join = |state| Forbidden::Join { room: room.clone(), state };
    for (ban, frame, forbidden) in [
        (Ban::User(user("alice")), message(1, "bob", "x"), Forbidden::Send),
        (Ban::User(user("alice")), enter.clone(), join(RoomState::UserBanned)),
        (Ban::UserInRoom(room.clone(), user("alice")), enter.clone(), join(RoomState::UserBanned)),
        (Ban::Room(room.clone()), enter.clone(), join(RoomState::RoomBanned)),
    ] {
        let mut shard = shard(Config::default());
        let (link, _) = shard.log_in(login("alice"));
        shard.server.ban(shard.now, &app_id(), &ban, Duration::from_secs(600)).expect("few bans");
        shard.noticed();
        let again = |shard: &mut Shard| {
            shard.say(link, frame.clone());
            shard.frames_to(link);
            shard.noticed()
        };
        let (app_id, uid) = (app_id(), user("alice"));
        let banned = Notice::Banned { link: Some(link), app_id, uid, forbidden };
        assert_eq!(again(&mut shard), std::slice::from_ref(&banned));
        shard.wait(Duration::from_micros(9_999_999));
        assert_eq!(again(&mut shard), [], "{ban:?}");
        shard.wait(Duration::from_micros(1));
        assert_eq!(again(&mut shard), [banned]);
    }
}
