//! Logins of one user have a rate, and wait for their turn over it (§3.9).

use std::time::Duration;

use rts_proto::server::Config;
use rts_proto::wire::{Frame, LoginAnswer};
use rts_proto::{CloseCode, LinkId};

use crate::support::{Shard, login, resume};

/// The numbers of §8.1 and §8.3.
const LOGINS_PER_SECOND: u32 = 5;
const LOGINS_WAITING_MAX: usize = 5;

/// The time of one login at this rate.
const A_LOGIN: Duration = Duration::from_millis(1_000 / LOGINS_PER_SECOND as u64);

/// Logs in over a new link. Returns whether it succeeded at once.
fn ask(shard: &mut Shard, uid: &str) -> (LinkId, bool) {
    let link = shard.link();
    shard.say(link, Frame::Login(login(uid)));
    let is_in = is_in(shard, link);
    (link, is_in)
}

fn is_in(shard: &mut Shard, link: LinkId) -> bool {
    let answers = shard.frames_to(link);
    answers.iter().any(|frame| matches!(frame, Frame::LoginAnswer(LoginAnswer::Accepted(_))))
}

#[test]
fn logins_over_the_rate_wait_and_the_newest_wins() {
    let mut shard = Shard::new(Config::default());
    for _ in 0..LOGINS_PER_SECOND {
        assert!(ask(&mut shard, "alice").1);
    }
    let waiting: Vec<LinkId> = (0..LOGINS_WAITING_MAX)
        .map(|_| {
            let (link, is_in) = ask(&mut shard, "alice");
            assert!(!is_in);
            link
        })
        .collect();
    let (one_more, _) = ask(&mut shard, "alice");
    assert_eq!(shard.closed(one_more), Some(Some(CloseCode::Busy)));
    assert!(ask(&mut shard, "bob").1, "others do not wait");

    for (place, link) in waiting.iter().enumerate() {
        shard.wait(A_LOGIN - Duration::from_micros(1));
        assert!(!is_in(&mut shard, *link), "{place}");
        shard.wait(Duration::from_micros(1));
        assert!(is_in(&mut shard, *link), "{place}");
        for earlier in &waiting[..place] {
            assert_eq!(shard.closed(*earlier), Some(Some(CloseCode::Displaced)));
        }
    }
    // A client that was asked to reconnect does so, and is the newest.
    shard.wait(A_LOGIN);
    assert!(ask(&mut shard, "alice").1);
    assert_eq!(shard.closed(waiting[LOGINS_WAITING_MAX - 1]), Some(Some(CloseCode::Displaced)));
}

#[test]
fn lost_link_frees_its_place_in_the_queue() {
    let mut shard = Shard::new(Config::default());
    let links: Vec<LinkId> = (0..LOGINS_PER_SECOND as usize + LOGINS_WAITING_MAX)
        .map(|_| ask(&mut shard, "alice").0)
        .collect();
    for gone in &links[LOGINS_PER_SECOND as usize..] {
        shard.hang_up(*gone);
    }
    let (waits, _) = ask(&mut shard, "alice");
    assert_eq!(shard.closed(waits), None);
    shard.wait(A_LOGIN);
    assert!(is_in(&mut shard, waits));
}

#[test]
fn queued_link_may_send_nothing() {
    let mut shard = Shard::new(Config::default());
    for _ in 0..LOGINS_PER_SECOND {
        ask(&mut shard, "alice");
    }
    let (waits, _) = ask(&mut shard, "alice");
    shard.say(waits, Frame::Ping);
    assert_eq!(shard.closed(waits), Some(Some(CloseCode::UnexpectedFrame)));
}

#[test]
fn resumes_and_refused_tokens_take_no_turn() {
    let mut shard = Shard::new(Config::default());
    shard.accepts_tokens = false;
    for _ in 0..10 * LOGINS_PER_SECOND {
        assert!(!ask(&mut shard, "alice").1);
    }
    shard.accepts_tokens = true;
    let (mut link, mut accepted) = shard.log_in(login("alice"));
    for _ in 0..10 * LOGINS_PER_SECOND {
        shard.hang_up(link);
        (link, accepted) = shard.log_in(resume("alice", &accepted, 0));
        assert!(accepted.resumed);
    }
    assert!(ask(&mut shard, "alice").1);
}
