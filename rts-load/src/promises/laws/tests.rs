//! A right history passes. Each wrong one differs from it by one fault, which is reported.

use super::{Law, violations};
use crate::promises::history::{Client, Entry, History, Message, Record, Room, To, User, What};

const LOBBY: Room = Room(1);

/// Records of several clients, in the order of their moments.
#[derive(Clone)]
struct Story {
    users: Vec<User>,
    records: Vec<(usize, What)>,
    /// Places in `records`, as moments.
    outages: Vec<std::ops::Range<u64>>,
    faults: Vec<std::ops::Range<u64>>,
    /// When the links of all clients came up or went down.
    links: Vec<u64>,
}

impl Story {
    fn laws(&self) -> Vec<Law> {
        let of_client = |client: usize| -> Vec<Record> {
            let records = self.records.iter().zip(0..);
            let own = records.filter(|((index, _), _)| *index == client);
            own.map(|((_, what), at)| Record { at, what: *what }).collect()
        };
        let records: Vec<Vec<Record>> = (0..self.users.len()).map(of_client).collect();
        let users = self.users.iter().zip(&records);
        let clients = users
            .map(|(user, records)| Client { user: *user, records, links: &self.links })
            .collect();
        let found = violations(&History { clients, outages: &self.outages, faults: &self.faults });
        found.into_iter().map(|violation| violation.law).collect()
    }

    fn place(&self, client: usize, what: What) -> usize {
        let wanted = (client, what);
        self.records.iter().position(|record| *record == wanted).expect("it is in the story")
    }

    fn remove(mut self, client: usize, what: What) -> Self {
        self.records.remove(self.place(client, what));
        self
    }

    fn add(mut self, client: usize, what: What) -> Self {
        self.records.push((client, what));
        self
    }

    fn repeat(mut self, client: usize, what: What) -> Self {
        let place = self.place(client, what);
        self.records.insert(place, (client, what));
        self
    }

    fn before(mut self, client: usize, next: What, what: What) -> Self {
        let place = self.place(client, next);
        self.records.insert(place, (client, what));
        self
    }

    fn replace(mut self, client: usize, what: What, new: What) -> Self {
        let place = self.place(client, what);
        self.records[place].1 = new;
        self
    }

    fn swap(mut self, first: (usize, What), second: (usize, What)) -> Self {
        let (first, second) = (self.place(first.0, first.1), self.place(second.0, second.1));
        self.records.swap(first, second);
        self
    }
}

fn sent(to: To, number: u32, id: u32) -> What {
    What::Sent { to, number, id: Some(id) }
}

fn result(id: u32, code: u32) -> What {
    What::Result { room: None, id, code }
}

fn broadcast_result(id: u32) -> What {
    What::Result { room: Some(LOBBY), id, code: 200 }
}

fn message(client: u32, number: u32) -> What {
    let message = Some(Message { client, number });
    What::Received { room: None, from: User(client), message }
}

fn broadcast(client: u32, number: u32) -> What {
    let message = Some(Message { client, number });
    What::Received { room: Some(LOBBY), from: User(client), message }
}

const BOB: To = To::User(User(1));
const ALL: To = To::Room(LOBBY);

/// Clients 0, 1 and 2 of users of the same numbers talk; then client 3 displaces client 1.
fn right() -> Story {
    let mut records = Vec::new();
    for client in 0..3 {
        records.extend([(client, What::LoginCalled), (client, What::LoginResult(0))]);
        records.extend([
            (client, What::JoinCalled(LOBBY, true)),
            (client, What::Joined(LOBBY, Entry::First)),
        ]);
        records.extend((0..client).map(|other| (client, What::UserJoined(LOBBY, user(other)))));
        records.extend((0..client).map(|other| (other, What::UserJoined(LOBBY, user(client)))));
    }
    records.extend([
        // Messages: delivered, delivered, refused, unknown but delivered.
        (0, sent(BOB, 1, 1)),
        (0, sent(BOB, 2, 2)),
        (1, message(0, 1)),
        (1, message(0, 2)),
        (0, result(1, 0)),
        (0, result(2, 0)),
        (0, sent(BOB, 3, 3)),
        (0, result(3, 4)),
        (0, sent(BOB, 4, 4)),
        (0, result(4, 1)),
        (1, message(0, 4)),
        // Broadcasts of two senders, which the third member sees in the order of the others.
        (0, sent(ALL, 5, 1)),
        (1, sent(ALL, 1, 1)),
        (0, broadcast_result(1)),
        (1, broadcast_result(1)),
        (2, broadcast(0, 5)),
        (2, broadcast(1, 1)),
        (0, broadcast(1, 1)),
        (1, broadcast(0, 5)),
        (0, sent(ALL, 6, 2)),
        (0, broadcast_result(2)),
        (1, broadcast(0, 6)),
        (2, broadcast(0, 6)),
        // A leave, and a return.
        (2, What::LeaveCalled(LOBBY)),
        (2, What::Left(LOBBY)),
        (0, What::UserLeft(LOBBY, User(2))),
        (1, What::UserLeft(LOBBY, User(2))),
        (2, What::JoinCalled(LOBBY, true)),
        (2, What::Joined(LOBBY, Entry::First)),
        (2, What::UserJoined(LOBBY, User(0))),
        (0, What::UserJoined(LOBBY, User(2))),
        // Another login of user 1.
        (3, What::LoginCalled),
        (3, What::LoginResult(0)),
        (1, What::LoggedOut(1)),
    ]);
    Story {
        users: vec![User(0), User(1), User(2), User(1)],
        records,
        outages: Vec::new(),
        faults: Vec::new(),
        links: Vec::new(),
    }
}

fn user(client: usize) -> User {
    User(u32::try_from(client).expect("few"))
}

#[track_caller]
fn breaks(story: Story, law: Law) {
    let laws = story.laws();
    assert!(!laws.is_empty() && laws.iter().all(|found| *found == law), "{law:?}: {laws:?}");
}

#[test]
fn right_history_breaks_no_law() {
    assert_eq!(right().laws(), []);
}

#[test]
fn send_has_exactly_one_result_and_the_next_id() {
    breaks(right().remove(0, result(4, 1)), Law::OneResult);
    breaks(right().add(0, result(4, 1)), Law::OneResult);
    breaks(right().add(0, result(9, 0)), Law::OneResult);
    breaks(right().remove(0, broadcast_result(2)), Law::OneResult);
    let story = right().replace(0, sent(BOB, 4, 4), sent(BOB, 4, 5));
    breaks(story.replace(0, result(4, 1), result(5, 1)), Law::Ids);
}

#[test]
fn success_means_received() {
    breaks(right().remove(1, message(0, 2)), Law::NotLost);
    let unknown = right().remove(1, message(0, 4));
    assert_eq!(unknown.laws(), [], "an unknown outcome promises nothing");
}

#[test]
fn refused_message_never_arrives() {
    breaks(right().before(1, message(0, 4), message(0, 3)), Law::RefusedNotReceived);
    // The call itself was refused.
    let call = What::Sent { to: BOB, number: 4, id: None };
    let story = right().replace(0, sent(BOB, 4, 4), call).remove(0, result(4, 1));
    breaks(story, Law::RefusedNotReceived);
    let code = What::Result { room: Some(LOBBY), id: 2, code: 5 };
    breaks(right().replace(0, broadcast_result(2), code), Law::RefusedNotReceived);
}

#[test]
fn message_arrives_once() {
    breaks(right().repeat(1, message(0, 1)), Law::NotDoubled);
    breaks(right().repeat(2, broadcast(0, 6)), Law::NotDoubled);
    // A message is for one client of the user, and not for the next one too.
    breaks(right().add(3, message(0, 1)), Law::NotDoubled);
}

#[test]
fn messages_of_one_sender_keep_their_order() {
    breaks(right().swap((1, message(0, 1)), (1, message(0, 2))), Law::NotReordered);
}

#[test]
fn what_arrives_was_sent() {
    breaks(right().before(1, message(0, 4), message(0, 7)), Law::NothingInvented);
    breaks(right().before(2, broadcast(0, 6), message(0, 1)), Law::NothingInvented);
    breaks(right().before(0, broadcast(1, 1), broadcast(0, 5)), Law::NothingInvented);
    let unreadable = What::Received { room: None, from: User(0), message: None };
    breaks(right().before(1, message(0, 4), unreadable), Law::NothingInvented);
    let foreign = What::Received {
        room: None,
        from: User(2),
        message: Some(Message { client: 0, number: 4 }),
    };
    breaks(right().replace(1, message(0, 4), foreign), Law::NothingInvented);
}

#[test]
fn broadcast_that_succeeded_reaches_every_member() {
    breaks(right().remove(2, broadcast(0, 6)), Law::BroadcastNotLost);
    // Client 1 is displaced later: what was sent before the last broadcast that it got is due.
    breaks(right().remove(1, broadcast(0, 5)), Law::BroadcastNotLost);
    assert_eq!(right().remove(1, broadcast(0, 6)).laws(), [], "its session ended");
    // A leave without a link is not answered by the server.
    let mut story = right().remove(2, broadcast(0, 6));
    let left = story.place(2, What::Left(LOBBY)) as u64;
    story.links.push(left);
    assert_eq!(story.laws(), []);
    // A link that broke before the join has no effect.
    story.links = vec![0];
    breaks(story, Law::BroadcastNotLost);
}

#[test]
fn members_are_notified_of_broadcasts_that_they_lost_with_the_server() {
    // The server ends before the last broadcast.
    let restarted = |back: Vec<(usize, What)>| {
        let mut story = right();
        let place = story.place(0, sent(ALL, 6, 2));
        story.outages.push(place as u64..(place + back.len()) as u64);
        story.records.splice(place..place, back);
        story
    };
    let joined = |how| (0..3).map(move |client| (client, What::Joined(LOBBY, how)));
    let others = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    let others = others.map(|(to, other)| (to, What::UserJoined(LOBBY, user(other))));
    let anew = joined(Entry::Anew).chain(others).collect();
    assert_eq!(restarted(anew).laws(), []);
    breaks(restarted(joined(Entry::Resumed).collect()), Law::GapReported);
    breaks(restarted(Vec::new()), Law::GapReported);
}

/// What is forgiven then, and what is not.
#[test]
fn part_of_a_cluster_may_fail() {
    let during = |story: Story, from: What, to: What| {
        let mut failed = story.clone();
        failed.faults.push(story.place(0, from) as u64..story.place(0, to) as u64 + 1);
        failed
    };
    // A broadcast with result 200 is never lost.
    let (last, its_result) = (sent(ALL, 6, 2), broadcast_result(2));
    breaks(during(right().remove(2, broadcast(0, 6)), last, its_result), Law::BroadcastNotLost);
    // A message with an unknown result comes late. One with result 0 never does.
    let late = |number| right().swap((1, message(0, 2)), (1, message(0, number)));
    let unknown = late(4).replace(0, result(2, 0), result(2, 1));
    breaks(unknown.clone(), Law::NotReordered);
    assert_eq!(during(unknown, sent(BOB, 2, 2), result(2, 1)).laws(), []);
    breaks(during(late(1), sent(BOB, 1, 1), result(2, 0)), Law::NotReordered);
    breaks(during(right().remove(1, message(0, 2)), sent(BOB, 1, 1), result(2, 0)), Law::NotLost);
    // A member whose end the failed node had yet to report.
    let (joined, left) = (What::UserJoined(LOBBY, User(2)), What::UserLeft(LOBBY, User(2)));
    let unreported = right().remove(0, left);
    breaks(unreported.clone(), Law::NoticesAlternate);
    assert_eq!(during(unreported, last, its_result).laws(), []);
    breaks(during(right().remove(0, joined), last, its_result), Law::NoticesAlternate);
}

#[test]
fn members_see_broadcasts_in_one_order() {
    // A fourth user, in the room from the beginning on.
    let with_fourth = |seen: [What; 3]| {
        let mut story = right();
        let start = story.place(0, sent(ALL, 5, 1));
        let client = story.users.len();
        story.users.push(User(4));
        let records = [
            What::LoginCalled,
            What::LoginResult(0),
            What::JoinCalled(LOBBY, true),
            What::Joined(LOBBY, Entry::First),
        ];
        let records = records.map(|what| (client, what));
        story.records.splice(start..start, records);
        story.records.extend(seen.map(|what| (client, what)));
        story
    };
    let [first, second, third] = [broadcast(0, 5), broadcast(1, 1), broadcast(0, 6)];
    assert_eq!(with_fourth([first, second, third]).laws(), []);
    breaks(with_fourth([second, first, third]), Law::RoomOrder);
}

/// No two members contradict each other.
#[test]
fn order_is_one_for_all_members_together() {
    let members: Vec<[Record; 2]> = [(1, 2), (2, 3), (3, 1)]
        .map(|(first, second)| {
            [first, second].map(|number| Record { at: 0, what: broadcast(0, number) })
        })
        .into();
    let of = |members: &[[Record; 2]]| {
        let clients =
            members.iter().map(|records| Client { user: User(1), records, links: &[] }).collect();
        let mut found = Vec::new();
        super::order::check(&History { clients, outages: &[], faults: &[] }, &mut found);
        found
    };
    assert_eq!(of(&members[..2]), []);
    let found = of(&members);
    assert_eq!(found.len(), 1, "{found:?}");
    for step in ["client 0 saw", "client 1 saw", "client 2 saw"] {
        assert!(found[0].what.contains(step), "{found:?}");
    }
}

#[test]
fn join_and_leave_have_one_answer() {
    let joined = What::Joined(LOBBY, Entry::First);
    breaks(right().repeat(0, joined), Law::OneAnswer);
    breaks(right().repeat(2, What::Left(LOBBY)), Law::OneAnswer);
    breaks(right().add(2, What::LeaveCalled(LOBBY)), Law::OneAnswer);
    breaks(right().add(3, What::JoinCalled(LOBBY, true)), Law::OneAnswer);
    breaks(right().add(2, What::JoinCalled(LOBBY, true)), Law::OneAnswer);
    breaks(right().add(3, joined), Law::OneAnswer);
    let refused = right().add(3, What::JoinCalled(LOBBY, true));
    assert_eq!(refused.add(3, What::State(LOBBY, -1001)).laws(), [], "a refusal is an answer");
}

#[test]
fn leave_overtakes_answer_of_join() {
    let overtaken = right().add(3, What::JoinCalled(LOBBY, true)).add(3, What::LeaveCalled(LOBBY));
    let joined = What::Joined(LOBBY, Entry::First);
    let left = |story: Story| story.add(3, What::Left(LOBBY));
    assert_eq!(left(overtaken.clone()).laws(), []);
    assert_eq!(left(overtaken.clone().add(3, joined)).laws(), []);
    assert_eq!(overtaken.clone().add(3, What::State(LOBBY, -1001)).laws(), []);
    let again = left(overtaken.add(3, What::JoinCalled(LOBBY, true)));
    assert_eq!(again.clone().add(3, joined).laws(), []);
    breaks(again, Law::OneAnswer);
}

#[test]
fn joins_and_leaves_of_a_user_alternate() {
    let (joined, left) = (What::UserJoined(LOBBY, User(2)), What::UserLeft(LOBBY, User(2)));
    breaks(right().repeat(0, joined), Law::NoticesAlternate);
    breaks(right().remove(0, left), Law::NoticesAlternate);
    breaks(right().repeat(1, left), Law::NoticesAlternate);
    let stopped = right().remove(0, left).before(0, joined, What::State(LOBBY, -2013));
    assert_eq!(stopped.laws(), [], "there were no notices any more");
    let returned = right().remove(0, left).add(0, What::Joined(LOBBY, Entry::Anew));
    breaks(returned.add(0, joined).add(0, joined), Law::NoticesAlternate);
}

#[test]
fn displaced_client_is_notified_once_and_hears_nothing_more() {
    let end = What::LoggedOut(1);
    breaks(right().remove(1, end), Law::Displaced);
    breaks(right().repeat(1, end), Law::Displaced);
    breaks(right().replace(1, end, What::LoggedOut(2)), Law::Displaced);
    breaks(right().add(0, end), Law::Displaced);
    let late = right().swap((1, end), (3, What::LoginResult(0)));
    assert_eq!(late.laws(), [], "the order of two clients' records is no law");
    breaks(right().add(1, What::UserJoined(LOBBY, User(7))), Law::NothingWithoutLogin);
}

#[test]
fn login_has_one_result() {
    breaks(right().add(3, What::LoginResult(0)), Law::OneLoginResult);
    breaks(right().add(3, What::LoginCalled), Law::OneLoginResult);
}
