//! Nodes crash at each step of a session that moves.

use std::time::Duration;

use rts_proto::LinkId;
use rts_proto::limits::SESSION_GRACE;
use rts_proto::server::Config;
use rts_proto::wire::{Frame, LoginAnswer};

use super::{Held, STOPS, Story, rooms};
use crate::support::{Node, delivery, login, message, user, without_acks};

/// The node is removed while the session moves. Bob is in rooms of all nodes.
fn removed_at(stop: Held<'_>, node: usize) -> (Story, LinkId) {
    let mut story = Story::begin(&rooms());
    let link = story.come_back(3);
    story.settle_without(stop);
    story.cluster.remove_node(node, 7, Duration::ZERO);
    story.let_all_arrive();
    (story, link)
}

#[test]
fn session_moves_though_the_home_of_its_user_crashes() {
    for stop in STOPS {
        let (mut story, link) = removed_at(stop, 1);
        let frames = story.cluster.frames_to(link);
        let is_resumed = |frame: &Frame| matches!(frame, Frame::LoginAnswer(LoginAnswer::Accepted(a)) if a.resumed);
        // A room at that node may have had an answer for the session: it logs in again then.
        let has_session = frames.iter().any(is_resumed);
        let may_be_new = matches!(stop, [(0, 1) | (1, 0)]);
        assert!(has_session || may_be_new, "{stop:?}: {frames:?}");
        assert_eq!(story.cluster.stats_of_all().sessions, 2, "{stop:?}");
    }
}

#[test]
fn client_gets_in_and_nobody_stays_behind_if_the_former_node_crashes() {
    for stop in STOPS {
        let mut story = Story::in_cluster(Node::cluster(&[1; 5], &Config::default()), &rooms());
        let (alice, bob) = (story.alice.clone(), story.bob.clone());
        let witness = story.cluster.log_in_at(4, login(&user("carol"))).0;
        let link = story.come_back(3);
        story.settle_without(stop);
        story.cluster.remove_node(0, 7, Duration::ZERO);
        story.let_all_arrive();
        let frames = story.cluster.frames_to(link);
        let is_in = |frame: &Frame| matches!(frame, Frame::LoginAnswer(LoginAnswer::Accepted(_)));
        assert!(frames.iter().any(is_in), "{stop:?}: {frames:?}");
        assert_eq!(story.cluster.stats_of_all().sessions, 2, "{stop:?}");
        let reported = story.statuses_reported();
        assert!(
            reported.chunks(2).all(|pair| pair[0] && pair.get(1) != Some(&true)),
            "{reported:?}"
        );
        assert_eq!(reported.last(), Some(&true), "{stop:?}");
        story.cluster.say(link, Frame::Logout);
        // What waited for the two, and was not joined again, is over.
        for _ in 0..3 {
            story.cluster.say(witness, Frame::Ping);
            story.cluster.wait(SESSION_GRACE / 2);
        }
        for room in rooms() {
            assert_eq!(story.cluster.members_of_all(&room), None, "{stop:?}: {alice} or {bob}");
        }
    }
}

#[test]
fn user_is_free_again_if_the_next_node_crashes() {
    for stop in STOPS {
        let (mut story, _) = removed_at(stop, 3);
        let link = story.come_back(2);
        let (has, _) = story.resumed_on(link);
        let was_there = matches!(stop, [(0, 3) | (3, 1)]);
        assert!(!has.resumed || !was_there, "{stop:?}");
        let reported = story.statuses_reported();
        let alternates = reported.chunks(2).all(|pair| pair[0] && pair.get(1) != Some(&true));
        assert!(alternates && reported.last() == Some(&true), "{stop:?}: {reported:?}");
        assert_eq!(story.cluster.stats_of_all().sessions, 2, "{stop:?}");
        let bob = story.bob.clone();
        story.alice_says(message(9, &bob, "there?"));
        let frames = without_acks(story.cluster.frames_to(link));
        assert!(frames.contains(&delivery(&story.alice, "there?")), "{stop:?}: {frames:?}");
    }
}
