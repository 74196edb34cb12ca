//! The cost of links that ping, or that do not read unsequenced frames (§2.9).

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Config, Input};
use rts_proto::wire::Frame;
use rts_proto::{LinkId, MessageId, Payload, SendCode};

use crate::support::{Shard, login};

fn pongs(shard: &mut Shard, link: LinkId) -> usize {
    shard.frames_to(link).iter().filter(|frame| **frame == Frame::Pong).count()
}

#[test]
fn all_pings_of_a_burst_have_one_answer() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    for _ in 0..100 {
        shard.say_bytes(alice, Frame::Ping.encode().repeat(100).into());
    }
    assert_eq!(pongs(&mut shard, alice), 1);
}

#[test]
fn pings_of_a_burst_have_one_answer_on_each_link() {
    let mut shard = Shard::new(Config::default());
    let links = ["alice", "bob"].map(|uid| shard.log_in(login(uid)).0);
    for burst in 0..4 {
        for _ in 0..3 {
            for link in links {
                shard.say(link, Frame::Ping);
            }
        }
        for link in links {
            assert_eq!(pongs(&mut shard, link), 1, "burst {burst}, {link}");
        }
    }
}

#[test]
fn answers_pings_of_four_bursts_a_second() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    for second in 0..3 {
        for burst in 0..6 {
            shard.say(alice, Frame::Ping);
            assert_eq!(pongs(&mut shard, alice), usize::from(burst < 4), "{second}: {burst}");
        }
        shard.wait(Duration::from_secs(1));
    }
}

#[test]
fn congested_link_gets_no_unsequenced_frames() {
    let config = rts_proto::MessageConfig::UnreliableOrdered;
    let mut shard = Shard::new(Config::default());
    let [alice, bob] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)).0);
    let send = |shard: &mut Shard, config| {
        let (id, to, payload) = (MessageId(1), Bytes::from_static(b"bob"), Payload::text("x"));
        shard.frames_to(alice);
        shard.say(alice, Frame::Send { id, to, payload, config });
        shard.frames_to(alice).into_iter().find_map(|frame| match frame {
            Frame::SendResults { code, .. } => Some(code),
            _ => None,
        })
    };
    for (is_congested, code) in
        [(false, SendCode::Ok), (true, SendCode::Broken), (false, SendCode::Ok)]
    {
        shard.input(Input::Congested(bob, is_congested));
        assert_eq!(send(&mut shard, config), Some(code));
        shard.say(bob, Frame::Ping);
        assert_eq!(pongs(&mut shard, bob), usize::from(!is_congested));
    }
    // The window has its own bound. A new link counts as read until it is congested.
    shard.input(Input::Congested(bob, true));
    assert_eq!(send(&mut shard, rts_proto::MessageConfig::ReliableOrdered), None);
    shard.hang_up(bob);
    let (bob, _) = shard.log_in(login("bob"));
    assert_eq!(send(&mut shard, config), Some(SendCode::Ok));
    shard.say(bob, Frame::Ping);
    assert_eq!(pongs(&mut shard, bob), 1);
}
