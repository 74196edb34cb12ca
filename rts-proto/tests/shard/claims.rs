//! Claims order the logins of one user: which session stays, which one ends, and the claim of the
//! new session (§3.4, §3.5).

use rts_proto::server::Config;
use rts_proto::wire::{Frame, Login, LoginAnswer};
use rts_proto::{CloseCode, LoginCode};

use crate::support::{Shard, login, resume};

/// The outcome for the present session, with the claim of the new one.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    /// The login continues with a new session.
    Replaces(u64),
    Displaces(u64),
}

/// Logs in when the present session has the claim 1,000.
fn login_with(claim: u64, clock: u64) -> Outcome {
    let mut shard = Shard::new(Config::default());
    shard.clock = 1_000;
    let (present, first) = shard.log_in(login("alice"));
    assert_eq!(first.claim, 1_000);
    shard.clock = clock;
    let asked = Login { claim, ..login("alice") };
    let link = shard.link();
    shard.say(link, Frame::Login(asked));
    if let Some(code) = shard.closed(link) {
        assert_eq!((code, shard.closed(present)), (Some(CloseCode::Displaced), None));
        return Outcome::Refused;
    }
    let second = Shard::accepted(&shard.frames_to(link));
    assert!(!second.resumed && second.session != first.session);
    let code = shard.closed(present).flatten().expect("one session a user");
    // A displaced login also gets this answer later. A continued login does not.
    let late = shard.link();
    shard.say(late, Frame::Login(Login { claim: 0, ..resume("alice", &first, 0) }));
    let is_displaced = shard.closed(late) == Some(Some(CloseCode::Displaced));
    match code {
        CloseCode::Replaced if !is_displaced => Outcome::Replaces(second.claim),
        CloseCode::Displaced if is_displaced => Outcome::Displaces(second.claim),
        code => panic!("{code:?}, and displaced later: {is_displaced}"),
    }
}

#[test]
fn new_login_has_a_greater_claim_than_earlier_ones() {
    assert_eq!(login_with(0, 2_000), Outcome::Displaces(2_000));
    assert_eq!(login_with(0, 1_001), Outcome::Displaces(1_001));
    // The clock stands still, or was set back.
    assert_eq!(login_with(0, 1_000), Outcome::Displaces(1_001));
    assert_eq!(login_with(0, 10), Outcome::Displaces(1_001));
}

#[test]
fn continued_login_keeps_its_claim_until_a_greater_one() {
    assert_eq!(login_with(999, 2_000), Outcome::Refused);
    assert_eq!(login_with(1_000, 2_000), Outcome::Replaces(1_000));
    assert_eq!(login_with(1_001, 2_000), Outcome::Displaces(1_001));
}

#[test]
fn claim_ahead_of_the_clock_is_ignored() {
    assert_eq!(login_with(2_000, 2_000), Outcome::Displaces(2_000));
    assert_eq!(login_with(2_001, 2_000), Outcome::Displaces(2_000));
    assert_eq!(login_with(1_500, 1_499), Outcome::Displaces(1_499));
    assert_eq!(login_with(1_000, 999), Outcome::Displaces(1_001));
}

#[test]
fn login_without_a_greater_claim_is_refused() {
    let mut shard = Shard::new(Config::default());
    shard.clock = u64::MAX - 1;
    let (first, accepted) = shard.log_in(login("alice"));
    assert_eq!(accepted.claim, u64::MAX - 1);
    let (second, accepted) = shard.log_in(login("alice"));
    assert_eq!(accepted.claim, u64::MAX);
    assert_eq!(shard.closed(first), Some(Some(CloseCode::Displaced)));
    let third = shard.link();
    shard.say(third, Frame::Login(login("alice")));
    let refused = Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::ServerError));
    assert_eq!(shard.frames_to(third), [refused]);
    // The last login is valid, and continues over another link.
    assert_eq!(shard.closed(second), None);
    let (_, resumed) = shard.log_in(resume("alice", &accepted, 0));
    assert!(resumed.resumed);
}
