//! Rates belong to users: the rate of entering rooms (§6.13), and rates that no login refills
//! (§8.3).

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::Config;
use rts_proto::wire::{Frame, SetServerParams};
use rts_proto::{
    BroadcastCode, LeaveReason, LinkId, MessageId, OnlineStatus, Payload, RoomId, RoomState,
    SendCode, ServerParamsCode, UserId,
};

use crate::support::{Shard, login, message, user};

/// The numbers of §8.1 and §8.3.
const JOINS_BURST_MIN: u32 = 256;
const LOGINS_PER_SECOND: u32 = 5;

/// The time of one entered room at this rate.
const A_JOIN: Duration = Duration::from_millis(1_000 / 20);

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

/// Joins, and returns the state and the members of the answer.
fn join(shard: &mut Shard, link: LinkId, id: &str) -> (RoomState, Vec<UserId>) {
    shard.say(link, Frame::Join { room: room(id), ticket: 1, business_id: None });
    let answers = shard.frames_to(link);
    let answer = answers.into_iter().find_map(|frame| match frame {
        Frame::JoinAnswer { state, members, .. } => Some((state, members)),
        _ => None,
    });
    answer.expect("an answer")
}

/// Leaves, and gets the answer.
fn leave(shard: &mut Shard, link: LinkId, id: &str) {
    shard.say(link, Frame::Leave { room: room(id), ticket: 2 });
    assert!(shard.frames_to(link).contains(&Frame::LeaveAnswer { ticket: 2 }));
}

/// Enters and leaves the hall this number of times. Returns how many joins succeeded.
fn enter_and_leave(shard: &mut Shard, link: LinkId, times: u32) -> u32 {
    let entered = (0..times).filter(|_| {
        let (state, _) = join(shard, link, "hall");
        leave(shard, link, "hall");
        state == RoomState::Joined
    });
    u32::try_from(entered.count()).expect("not more than were tried")
}

/// The notices of joins and leaves.
fn membership_notices(shard: &mut Shard, link: LinkId) -> Vec<Frame> {
    let is_notice =
        |frame: &Frame| matches!(frame, Frame::MemberJoined { .. } | Frame::MemberLeft { .. });
    shard.frames_to(link).into_iter().filter(is_notice).collect()
}

#[test]
fn enters_256_rooms_at_once_and_refuses_more_without_notice() {
    let mut shard = Shard::new(Config::default());
    let [witness, alice] = ["witness", "alice"].map(|uid| shard.log_in(login(uid)).0);
    join(&mut shard, witness, "hall");
    assert_eq!(enter_and_leave(&mut shard, alice, JOINS_BURST_MIN + 100), JOINS_BURST_MIN);
    let notices = membership_notices(&mut shard, witness);
    assert_eq!(notices.len(), 2 * JOINS_BURST_MIN as usize);

    shard.wait(A_JOIN - Duration::from_micros(1));
    assert_eq!(enter_and_leave(&mut shard, alice, 1), 0);
    shard.wait(Duration::from_micros(1));
    assert_eq!(enter_and_leave(&mut shard, alice, 2), 1);
    assert_eq!(membership_notices(&mut shard, witness).len(), 2);
    // The rate belongs to one user.
    assert_eq!(enter_and_leave(&mut shard, witness, 1), 1);
}

#[test]
fn leave_uses_no_rate_and_is_announced() {
    let mut shard = Shard::new(Config::default());
    let [witness, alice] = ["witness", "alice"].map(|uid| shard.log_in(login(uid)).0);
    join(&mut shard, witness, "room");
    join(&mut shard, alice, "room");
    enter_and_leave(&mut shard, alice, JOINS_BURST_MIN);
    membership_notices(&mut shard, witness);
    leave(&mut shard, alice, "room");
    let (uid, reason) = (user("alice"), LeaveReason::Left);
    let left = Frame::MemberLeft { room: room("room"), uid, reason };
    assert_eq!(membership_notices(&mut shard, witness), [left]);
}

#[test]
fn join_of_a_joined_room_has_a_short_answer() {
    let mut shard = Shard::new(Config::default());
    let [alice, bob] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)).0);
    join(&mut shard, bob, "room");
    assert_eq!(join(&mut shard, alice, "room"), (RoomState::Joined, vec![user("bob")]));
    shard.frames_to(bob);
    for _ in 0..2 * JOINS_BURST_MIN {
        assert_eq!(join(&mut shard, alice, "room"), (RoomState::Joined, Vec::new()));
    }
    assert_eq!(shard.frames_to(bob), []);
}

#[test]
fn returning_user_rejoins_without_rate_and_gets_members() {
    let mut shard = Shard::new(Config::default());
    let [alice, bob] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)).0);
    for id in ["one", "two"] {
        join(&mut shard, bob, id);
        join(&mut shard, alice, id);
    }
    enter_and_leave(&mut shard, alice, JOINS_BURST_MIN);
    shard.frames_to(bob);
    let (back, _) = shard.log_in(login("alice"));
    for id in ["one", "two"] {
        assert_eq!(join(&mut shard, back, id), (RoomState::Joined, vec![user("bob")]));
    }
    assert_eq!(join(&mut shard, back, "three").0, RoomState::JoinFailed);
    assert_eq!(membership_notices(&mut shard, bob), []);
}

#[test]
fn rates_of_joins_and_logins_can_be_switched_off() {
    let mut config = Config::default();
    config.joins_per_second = 0;
    config.logins_per_second = 0;
    let mut shard = Shard::new(config);
    let (alice, _) = shard.log_in(login("alice"));
    let times = 2 * JOINS_BURST_MIN;
    assert_eq!(enter_and_leave(&mut shard, alice, times), times);
    for _ in 0..100 {
        shard.log_in(login("alice"));
    }
    assert_eq!(shard.server.stats().users_remembered, 0);
}

/// How a session ends before the user's next one.
#[derive(Clone, Copy, Debug)]
enum Before {
    Logout,
    AnotherLogin,
    Breach,
}

/// Uses the rate once. Returns whether that was within the rate.
type Attempt = fn(&mut Shard, LinkId) -> bool;

fn answer<T>(shard: &mut Shard, link: LinkId, wanted: impl FnMut(Frame) -> Option<T>) -> T {
    shard.frames_to(link).into_iter().find_map(wanted).expect("an answer")
}

const ATTEMPTS: [(&str, Attempt); 6] = [
    ("send", |shard, link| {
        shard.say(link, message(1, "nobody", "x"));
        answer(shard, link, |frame| match frame {
            Frame::SendResults { code, .. } => Some(code != SendCode::OverRate),
            _ => None,
        })
    }),
    ("broadcast", |shard, link| {
        let payload = Payload::text("x");
        shard.say(link, Frame::Broadcast { id: MessageId(1), room: room("room"), payload });
        answer(shard, link, |frame| match frame {
            Frame::BroadcastResults { code, .. } => Some(code != BroadcastCode::OverRate),
            _ => None,
        })
    }),
    ("status", |shard, link| {
        let uid = Bytes::from_static(b"nobody");
        shard.say(link, Frame::StatusQuery { query: 1, uid });
        answer(shard, link, |frame| match frame {
            Frame::StatusAnswer { status, .. } => Some(status == OnlineStatus::Offline),
            _ => None,
        })
    }),
    ("server send", |shard, link| {
        shard.say(link, Frame::ServerSend { id: MessageId(1), payload: Payload::text("x") });
        answer(shard, link, |frame| match frame {
            Frame::ServerSendResult { code, .. } => Some(code != SendCode::OverRate),
            _ => None,
        })
    }),
    ("server params", |shard, link| {
        let set = SetServerParams { ticket: 1, signature: Bytes::new(), url: Bytes::new() };
        shard.say(link, Frame::SetServerParams(set));
        answer(shard, link, |frame| match frame {
            Frame::ServerParamsAnswer { code, .. } => Some(code != ServerParamsCode::OverRate),
            _ => None,
        })
    }),
    ("join", |shard, link| enter_and_leave(shard, link, 1) == 1),
];

#[test]
fn login_does_not_refill_rates() {
    for before in [Before::Logout, Before::AnotherLogin, Before::Breach] {
        for (what, attempt) in ATTEMPTS {
            let mut shard = Shard::new(Config::default());
            let (first, _) = shard.log_in(login("alice"));
            let passed = (0..).take_while(|_| attempt(&mut shard, first)).count();
            assert!(passed >= 10, "{what}: {passed}");
            match before {
                Before::Logout => shard.say(first, Frame::Logout),
                Before::AnotherLogin => {}
                Before::Breach => shard.say(first, Frame::Pong),
            }
            let (second, _) = shard.log_in(login("alice"));
            assert!(!attempt(&mut shard, second), "{what} after {before:?}");
            shard.wait(Duration::from_millis(100));
            assert!(attempt(&mut shard, second), "{what} later");
            // The rate of another user is unchanged.
            let (bob, _) = shard.log_in(login("bob"));
            assert!(attempt(&mut shard, bob), "{what} of another user");
        }
    }
}

#[test]
fn used_rates_are_forgotten_when_full_again() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    enter_and_leave(&mut shard, alice, JOINS_BURST_MIN);
    shard.say(alice, Frame::Logout);
    shard.tick();
    assert_eq!(shard.server.stats().users_remembered, 1);
    let full = A_JOIN * JOINS_BURST_MIN;
    shard.wait(full - Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.server.stats().users_remembered, 1);
    shard.wait(Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.server.stats().users_remembered, 0);
    let (alice, _) = shard.log_in(login("alice"));
    assert_eq!(enter_and_leave(&mut shard, alice, JOINS_BURST_MIN + 1), JOINS_BURST_MIN);
}

#[test]
fn remembers_used_rates_up_to_the_bound_of_users() {
    let mut config = Config::default();
    config.users_remembered_max = 2;
    let mut shard = Shard::new(config);
    for uid in ["alice", "bob", "carol"] {
        for _ in 0..LOGINS_PER_SECOND {
            shard.log_in(login(uid));
        }
    }
    assert_eq!(shard.server.stats().users_remembered, 2);
    // A user that is not remembered does not wait.
    shard.log_in(login("carol"));
    let link = shard.link();
    shard.say(link, Frame::Login(login("bob")));
    assert_eq!(shard.frames_to(link), []);
}
