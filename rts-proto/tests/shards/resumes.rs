//! A client comes back at another node of a cluster, and its session moves there.

mod crashes;
mod removals;

use rts_proto::limits::{LEAVING_MAX, SESSION_GRACE};
use rts_proto::server::{Config, Report};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume, ResumeKey};
use rts_proto::{CloseCode, LinkId, MessageId, OnlineStatus, RoomId, SendCode, UserId};

use crate::support::{
    Node, broadcast, delivery, join, login, message, room_delivery, without_acks,
};

/// Alice at node 0, and Bob, whose session is at node 0 too, without a link. His home is node 1.
struct Story {
    cluster: Node,
    alice: UserId,
    bob: UserId,
    at_alice: LinkId,
    had: Accepted,
    /// Frames that Bob has received.
    received: u64,
}

/// The nodes that a story holds back: what one of them sends the other does not arrive.
type Held<'a> = &'a [(usize, usize)];

impl Story {
    fn begin(rooms: &[RoomId]) -> Self {
        Self::in_cluster(Node::cluster(&[1, 1, 1, 1], &Config::default()), rooms)
    }

    fn in_cluster(mut cluster: Node, rooms: &[RoomId]) -> Self {
        let (alice, bob) = (cluster.user_at(2, "alice"), cluster.user_at(1, "bob"));
        let at_alice = cluster.log_in_at(0, login(&alice)).0;
        let (at_bob, had) = cluster.log_in_at(0, login(&bob));
        let mut received = 0;
        for (ticket, room) in (1..).zip(rooms) {
            for link in [at_alice, at_bob] {
                cluster.say(link, join(room, ticket));
                cluster.end_burst();
            }
        }
        received += sequenced(&cluster.frames_to(at_bob));
        cluster.say(at_bob, Frame::Ack { received });
        cluster.frames_to(at_alice);
        let story = Self { cluster, alice, bob, at_alice, had, received };
        story.with_link_lost(at_bob)
    }

    fn with_link_lost(mut self, link: LinkId) -> Self {
        self.cluster.hang_up(link);
        self
    }

    /// What the client says to go on with its session.
    fn resume(&self, had: &Accepted) -> Frame {
        let (session, key) = (had.session, had.key);
        let resume = Some(Resume { session, key, received: self.received });
        Frame::Login(Login { resume, claim: had.claim, ..login(&self.bob) })
    }

    /// Bob comes back at a node. His session moves when all that this leads to has arrived.
    fn come_back(&mut self, node: usize) -> LinkId {
        let resume = self.resume(&self.had);
        self.cluster.link_at(node, &[resume])
    }

    /// Everything arrives but what these nodes send each other.
    fn settle_without(&mut self, held: Held<'_>) {
        self.cluster.holds_entries = true;
        for _ in 0..50 {
            let nodes = self.cluster.len();
            (0..nodes).for_each(|node| self.cluster.tick(node));
            for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
                while !held.contains(&(from, to)) && self.cluster.deliver(from, to) {}
            }
        }
    }

    fn let_all_arrive(&mut self) {
        self.cluster.holds_entries = false;
        self.cluster.end_burst();
    }

    /// The frames to Bob on this link behind the answer to his login.
    fn resumed_on(&mut self, link: LinkId) -> (Accepted, Vec<Frame>) {
        let frames = self.cluster.frames_to(link);
        match &frames[..] {
            [_, Frame::LoginAnswer(LoginAnswer::Accepted(accepted)), rest @ ..] => {
                (accepted.clone(), without_acks(rest.to_vec()))
            }
            other => panic!("not logged in: {other:?}"),
        }
    }

    fn alice_says(&mut self, frame: Frame) {
        self.cluster.say(self.at_alice, frame);
        self.cluster.tick(0);
    }

    /// What the back end was told of Bob: whether he is online.
    fn statuses_reported(&self) -> Vec<bool> {
        let status = |report: &Report| match report {
            Report::UserOnline { uid } => (*uid == self.bob).then_some(true),
            Report::UserOffline { uid, .. } => (*uid == self.bob).then_some(false),
            _ => None,
        };
        self.cluster.reports.iter().filter_map(status).collect()
    }

    fn alice_hears(&mut self) -> Vec<Frame> {
        without_acks(self.cluster.frames_to(self.at_alice))
    }
}

fn sequenced(frames: &[Frame]) -> u64 {
    frames.iter().filter(|frame| frame.is_sequenced()).count() as u64
}

fn sent(code: SendCode, ids: &[u64]) -> Frame {
    Frame::SendResults { code, ids: ids.iter().map(|id| MessageId(*id)).collect() }
}

/// Rooms whose homes are the nodes 0 to 3.
fn rooms() -> Vec<RoomId> {
    let cluster = Node::cluster(&[1, 1, 1, 1], &Config::default());
    (0..4).map(|node| cluster.room_at(node)).collect()
}

#[test]
fn session_moves_with_its_frames_its_rooms_and_its_counts() {
    for node in 1..4 {
        let mut story = Story::begin(&rooms());
        let bob = story.bob.clone();
        story.alice_says(message(1, &bob, "unread"));
        story.let_all_arrive();
        let link = story.come_back(node);
        let (has, frames) = story.resumed_on(link);
        assert!(has.resumed && has.claim == story.had.claim, "at {node}");
        assert_eq!(has.received, 4, "his joins");
        assert_eq!(frames, [delivery(&story.alice, "unread")]);
        assert_eq!(story.alice_hears(), [], "nobody saw him leave or come back");
        story.cluster.say(link, Frame::Ack { received: story.received + 1 });
        assert_eq!(story.alice_hears(), [sent(SendCode::Ok, &[1])]);
        for room in rooms() {
            story.alice_says(broadcast(&room, 2, "still here?"));
            let expected = room_delivery(&story.alice, &room, "still here?");
            let frames = without_acks(story.cluster.frames_to(link));
            assert_eq!(frames.last(), Some(&expected), "{room}");
            story.cluster.say(link, broadcast(&room, 1, "yes"));
            let expected = room_delivery(&bob, &room, "yes");
            assert!(story.alice_hears().contains(&expected), "{room}");
        }
        assert_eq!(story.cluster.stats_of_all().sessions, 2);
    }
}

#[test]
fn messages_and_broadcasts_come_in_order_while_the_session_moves() {
    let all = rooms();
    // A home of the user or of a room, or the former shard, is slow.
    for held in [[(0, 1), (0, 3)], [(1, 0), (2, 0)], [(0, 2), (1, 2)], [(2, 3), (1, 3)]] {
        let mut story = Story::begin(&all);
        let bob = story.bob.clone();
        story.cluster.holds_entries = true;
        let link = story.come_back(3);
        for id in 1..6 {
            let texts = [format!("m{id}"), format!("b{id}")];
            story.alice_says(message(id, &bob, &texts[0]));
            all.iter().for_each(|room| story.alice_says(broadcast(room, 10 * id, &texts[1])));
            // Some of it arrives before the next ones.
            story.cluster.deliver_any(id as usize * 3);
            story.settle_without(&held[..(id as usize) % 3]);
        }
        story.let_all_arrive();
        let (has, frames) = story.resumed_on(link);
        assert!(has.resumed, "held {held:?}");
        let messages: Vec<Frame> =
            (1..6).map(|id| delivery(&story.alice, &format!("m{id}"))).collect();
        let is_message = |frame: &&Frame| matches!(frame, Frame::Delivery { .. });
        assert!(frames.iter().filter(is_message).eq(&messages), "held {held:?}: {frames:?}");
        for room in &all {
            let of_room = |frame: &&Frame| matches!(frame, Frame::RoomDelivery { room: of, .. } if of == room);
            let broadcasts: Vec<Frame> =
                (1..6).map(|id| room_delivery(&story.alice, room, &format!("b{id}"))).collect();
            assert!(frames.iter().filter(of_room).eq(&broadcasts), "held {held:?}: {frames:?}");
        }
    }
}

#[test]
fn what_the_client_says_next_does_not_overtake_what_it_has_said() {
    let mut story = Story::begin(&[]);
    let (alice, bob) = (story.alice.clone(), story.bob.clone());
    // He comes back at node 0 first, says something, and goes on at node 3.
    let first = story.come_back(0);
    let (has, _) = story.resumed_on(first);
    story.cluster.holds_entries = true;
    story.cluster.say(first, message(1, &alice, "first"));
    story.cluster.tick(0);
    let resume = story.resume(&has);
    let second = story.cluster.link_at(3, &[resume]);
    // What node 0 sends to the home of alice is slow.
    story.settle_without(&[(0, 2)]);
    assert!(story.cluster.under_way(0, 2) > 0, "the message is on its way");
    story.let_all_arrive();
    let (has, _) = story.resumed_on(second);
    assert!(has.resumed);
    story.cluster.say(second, message(2, &alice, "second"));
    let expected = [delivery(&bob, "first"), delivery(&bob, "second")];
    assert_eq!(story.alice_hears(), expected);
    story.cluster.say(story.at_alice, Frame::Ack { received: 2 });
    let results = without_acks(story.cluster.frames_to(second));
    assert_eq!(results, [sent(SendCode::Ok, &[1, 2])], "the first one over its former shard");
}

#[test]
fn result_of_a_message_follows_the_session() {
    let mut story = Story::begin(&[]);
    let alice = story.alice.clone();
    let first = story.come_back(3);
    let (has, _) = story.resumed_on(first);
    story.cluster.say(first, message(1, &alice, "from node 3"));
    story.cluster.end_burst();
    let resume = story.resume(&has);
    let second = story.cluster.link_at(2, &[resume]);
    let (has, _) = story.resumed_on(second);
    let resume = story.resume(&has);
    let third = story.cluster.link_at(3, &[resume]);
    assert!(story.resumed_on(third).0.resumed, "it may come back to a former node");
    story.cluster.say(story.at_alice, Frame::Ack { received: 1 });
    story.cluster.end_burst();
    let results = without_acks(story.cluster.frames_to(third));
    assert_eq!(results, [sent(SendCode::Ok, &[1])]);
}

#[test]
fn client_that_missed_the_answer_finds_its_session_with_the_former_number() {
    for node in 0..4 {
        let mut story = Story::begin(&rooms());
        let bob = story.bob.clone();
        story.alice_says(message(1, &bob, "unread"));
        let lost = story.come_back(3);
        story.let_all_arrive();
        assert!(story.resumed_on(lost).0.resumed);
        story.cluster.hang_up(lost);
        let link = story.come_back(node);
        let (has, frames) = story.resumed_on(link);
        assert!(has.resumed, "at {node}");
        assert_eq!(frames, [delivery(&story.alice, "unread")], "at {node}");
    }
}

#[test]
fn two_links_that_resume_at_two_nodes_get_the_session_one_after_the_other() {
    let mut story = Story::begin(&rooms());
    story.cluster.holds_entries = true;
    let links = [2, 3].map(|node| story.come_back(node));
    story.let_all_arrive();
    let answers = links.map(|link| story.resumed_on(link).0);
    assert!(answers.iter().all(|accepted| accepted.resumed), "{answers:?}");
    let closed = links.map(|link| story.cluster.closed(link));
    assert!(closed.contains(&None) && closed.contains(&Some(Some(CloseCode::Replaced))));
    assert_eq!(story.cluster.stats_of_all().sessions, 2);
}

#[test]
fn client_without_the_key_begins_a_session() {
    let mut story = Story::begin(&[]);
    story.had.key = ResumeKey([9; 16]);
    let link = story.come_back(3);
    let (has, _) = story.resumed_on(link);
    assert!(!has.resumed);
    assert_eq!(story.cluster.stats_of_all().sessions, 2);
}

/// The session of a client without its key stays as it is, and nothing waits for it.
#[test]
fn wrong_key_has_no_effect_at_the_home() {
    let mut story = Story::begin(&[]);
    story.had.key = ResumeKey([9; 16]);
    story.cluster.holds_entries = true;
    story.come_back(3);
    story.cluster.tick(3);
    assert!(story.cluster.deliver(3, 0), "it asks the shard of the session");
    story.cluster.tick(0);
    assert_eq!(story.cluster.under_way(0, 1), 0, "which asks no home");
    assert_eq!(story.cluster.status_of_all(&story.bob), OnlineStatus::Online);
}

#[test]
fn session_that_cannot_move_in_time_is_not_resumed() {
    let mut story = Story::begin(&rooms());
    let bob = story.bob.clone();
    story.alice_says(message(1, &bob, "unread"));
    story.let_all_arrive();
    let link = story.come_back(3);
    // A room does not answer.
    story.settle_without(&[(2, 0)]);
    assert!(story.cluster.closed(link).is_none());
    story.cluster.wait(LEAVING_MAX);
    story.let_all_arrive();
    let (has, _) = story.resumed_on(link);
    assert!(!has.resumed && has.claim == story.had.claim, "it is the same login");
    assert_eq!(story.statuses_reported(), [true], "the next session replaces it");
    assert!(story.alice_hears().contains(&sent(SendCode::Timeout, &[1])));
    for (ticket, room) in (7..).zip(rooms()) {
        story.cluster.say(link, join(&room, ticket));
    }
    story.cluster.end_burst();
    story.cluster.wait(SESSION_GRACE / 2);
    story.cluster.say(story.at_alice, Frame::Ping);
    story.cluster.say(link, Frame::Ping);
    story.cluster.wait(SESSION_GRACE / 2);
    let seen = story.alice_hears();
    let left = |frame: &Frame| matches!(frame, Frame::MemberLeft { .. });
    assert!(!seen.iter().any(left), "it came back to its rooms: {seen:?}");
}

/// Each step of a move, by what has not arrived: its nodes are 3, where the client comes back, 0
/// with the session, 1 as the home of the user, and 2 as the home of a room.
const STOPS: [Held<'static>; 7] =
    [&[(3, 0)], &[(0, 1)], &[(1, 0)], &[(0, 2)], &[(2, 0)], &[(0, 3)], &[(3, 1)]];

#[test]
fn homes_may_move_while_the_session_moves() {
    for stop in STOPS {
        for to in 0..4 {
            let mut story = Story::begin(&rooms());
            let bob = story.bob.clone();
            story.alice_says(message(1, &bob, "unread"));
            let link = story.come_back(3);
            story.settle_without(stop);
            story.cluster.move_homes_to(to);
            story.let_all_arrive();
            let (has, frames) = story.resumed_on(link);
            assert!(has.resumed, "{stop:?} to {to}");
            assert_eq!(frames, [delivery(&story.alice, "unread")], "{stop:?} to {to}");
            for room in rooms() {
                story.alice_says(broadcast(&room, 2, "b"));
                let expected = room_delivery(&story.alice, &room, "b");
                assert_eq!(without_acks(story.cluster.frames_to(link)), [expected], "{stop:?}");
            }
        }
    }
}
