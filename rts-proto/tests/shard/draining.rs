//! Emptying a shard, link by link.

use std::time::Duration;

use rts_proto::server::{Config, Input};
use rts_proto::wire::Frame;
use rts_proto::{CloseCode, LinkId};

use crate::support::{Shard, key, login, message, resume};

const JITTER: Duration = Duration::from_millis(100);

/// Logs in these users, the first one over the oldest link.
fn with_users<const N: usize>(names: [&str; N]) -> (Shard, [LinkId; N]) {
    let mut shard = Shard::new(Config::default());
    let links = names.map(|name| shard.log_in(login(name)).0);
    (shard, links)
}

fn is_closed(shard: &Shard, link: LinkId) -> bool {
    match shard.closed(link) {
        None => false,
        Some(code) => {
            assert_eq!(code, Some(CloseCode::Shutdown), "{link}");
            true
        }
    }
}

#[test]
fn each_step_closes_the_oldest_links_up_to_its_bound() {
    let (mut shard, links) = with_users(["alice", "bob", "carol", "dave"]);
    let open = |shard: &Shard| links.iter().filter(|link| !is_closed(shard, **link)).count();
    for (links_max, closed, left) in [(0, 0, 4), (1, 1, 3), (2, 2, 1), (2, 1, 0), (2, 0, 0)] {
        assert_eq!(shard.server.drain(shard.now, links_max, JITTER), closed);
        shard.tick();
        assert_eq!(open(&shard), left);
        assert!(links[..4 - left].iter().all(|link| is_closed(&shard, *link)));
    }
    assert_eq!(shard.server.sessions(), 4, "their clients may resume them elsewhere");
}

#[test]
fn link_that_has_ended_does_not_count() {
    let (mut shard, [alice, bob, carol]) = with_users(["alice", "bob", "carol"]);
    assert_eq!(shard.server.drain(shard.now, 0, JITTER), 0);
    shard.hang_up(alice);
    assert_eq!(shard.server.drain(shard.now, 1, JITTER), 1);
    shard.tick();
    assert!(is_closed(&shard, bob) && !is_closed(&shard, carol));
}

#[test]
fn links_before_login_and_new_ones_are_turned_away() {
    let (mut shard, [alice]) = with_users(["alice"]);
    let before = shard.link();
    assert_eq!(shard.server.drain(shard.now, 0, JITTER), 0);
    let after = LinkId(9);
    shard.input(Input::Accepted(after, key(9)));
    shard.tick();
    for link in [before, after] {
        assert!(is_closed(&shard, link));
        let close = shard.frames_to(link).pop();
        let Some(Frame::Close { retry_after_ms, .. }) = close else { panic!("{close:?}") };
        assert!(u128::from(retry_after_ms) <= JITTER.as_millis(), "{retry_after_ms} ms");
    }
    shard.say(alice, message(1, "alice", "she stays"));
    assert!(!is_closed(&shard, alice));
}

#[test]
fn reopened_shard_takes_links_and_resumes_sessions() {
    let mut shard = Shard::new(Config::default());
    let (alice, accepted) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    assert_eq!(shard.server.drain(shard.now, 1, JITTER), 1);
    shard.tick();
    assert!(is_closed(&shard, alice));
    shard.server.reopen(shard.now);
    let again = shard.link();
    shard.say(again, Frame::Login(resume("alice", &accepted, 0)));
    assert!(Shard::accepted(&shard.frames_to(again)).resumed);
    assert!(!is_closed(&shard, bob));
    // A later drain counts anew.
    assert_eq!(shard.server.drain(shard.now, 9, JITTER), 2);
}
