//! Lists of members for joiners have a budget for each user (§6.3). Otherwise a few bytes of joins,
//! repeated, would be answered with megabytes of names.

use std::time::Duration;

use rts_proto::server::{Ban, Config};
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{AppId, LinkId, RoomId, RoomState};

use crate::support::{APP, Shard, login, resume, user};

/// The numbers of §6.3 and §8.3.
const LISTED_MAX: usize = 500;
const BUDGET_BYTES: usize = 8_388_608;
const BUDGET_BYTES_PER_SECOND: usize = 131_072;
const WINDOW_BYTES: usize = 1_048_576;
const ROOMS_PER_USER_MAX: usize = 128;

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

/// One user: its link and its frames. It can acknowledge them.
struct Member {
    link: LinkId,
    accepted: Accepted,
    received: u64,
    ticket: u64,
    heard: Vec<Frame>,
}

impl Member {
    fn new(shard: &mut Shard, uid: &str) -> Self {
        let (link, accepted) = shard.log_in(login(uid));
        Self { link, accepted, received: 0, ticket: 0, heard: Vec::new() }
    }

    fn join(&mut self, shard: &mut Shard, id: &str) {
        self.ticket += 1;
        let (room, ticket) = (room(id), self.ticket);
        shard.say(self.link, Frame::Join { room, ticket, business_id: None });
    }

    fn leave(&mut self, shard: &mut Shard, id: &str) {
        self.ticket += 1;
        shard.say(self.link, Frame::Leave { room: room(id), ticket: self.ticket });
    }

    fn receive(&mut self, shard: &mut Shard) {
        let frames = shard.frames_to(self.link);
        self.received += frames.iter().filter(|frame| frame.is_sequenced()).count() as u64;
        self.heard.extend(frames);
    }

    /// Reads and acknowledges all present frames.
    fn read(&mut self, shard: &mut Shard) {
        loop {
            let before = self.received;
            self.receive(shard);
            if self.received == before {
                return;
            }
            shard.say(self.link, Frame::Ack { received: self.received });
            shard.wait(Duration::from_millis(1));
        }
    }

    /// The states and numbers of names of the join answers since the last call.
    fn answers(&mut self) -> Vec<(RoomState, usize)> {
        let answer = |frame| match frame {
            Frame::JoinAnswer { state, members, .. } => Some((state, members.len())),
            _ => None,
        };
        std::mem::take(&mut self.heard).into_iter().filter_map(answer).collect()
    }
}

/// This number of users with the longest names, in this number of rooms.
fn crowd(shard: &mut Shard, members: usize, rooms: usize) {
    let mut group: Vec<_> =
        (0..members).map(|number| Member::new(shard, &format!("{number:0>128}"))).collect();
    for room in 0..rooms {
        for member in &mut group {
            member.join(shard, &format!("room-{room}"));
        }
        shard.wait(Duration::from_secs(5));
        group.iter_mut().for_each(|member| member.read(shard));
    }
}

fn listed_bytes(members: usize) -> usize {
    members * 131 + 24
}

#[test]
fn member_lists_have_a_budget_and_then_a_rate() {
    let mut config = Config::default();
    config.joins_per_second = 10_000;
    let mut shard = Shard::new(config);
    crowd(&mut shard, LISTED_MAX, 1);
    let mut alice = Member::new(&mut shard, "alice");
    let begin = shard.now;
    // Joins and leaves without a pause. No other rate applies.
    let mut listed = 0;
    loop {
        alice.join(&mut shard, "room-0");
        shard.tick();
        alice.receive(&mut shard);
        shard.say(alice.link, Frame::Ack { received: alice.received });
        match alice.answers()[..] {
            [(RoomState::Joined, LISTED_MAX)] => listed += listed_bytes(LISTED_MAX),
            [] => break,
            ref other => panic!("{other:?}"),
        }
        alice.leave(&mut shard, "room-0");
    }
    assert_eq!(shard.now, begin);
    let most = BUDGET_BYTES - listed_bytes(LISTED_MAX)..=BUDGET_BYTES;
    assert!(most.contains(&listed), "{listed} bytes at once");

    // The answer comes when the budget is sufficient, and not earlier.
    let missing = listed + listed_bytes(LISTED_MAX) - BUDGET_BYTES;
    let until =
        Duration::from_micros((missing * 1_000_000).div_ceil(BUDGET_BYTES_PER_SECOND) as u64);
    shard.wait(until - Duration::from_micros(1));
    alice.receive(&mut shard);
    assert_eq!(alice.answers(), []);
    shard.wait(Duration::from_micros(1));
    alice.receive(&mut shard);
    assert_eq!(alice.answers(), [(RoomState::Joined, LISTED_MAX)]);
}

/// Otherwise fresh logins, five a second, would each get the members of 128 rooms.
#[test]
fn relogin_gets_member_lists_within_the_budget_only() {
    let mut config = Config::default();
    config.logins_per_second = 0;
    let mut shard = Shard::new(config);
    crowd(&mut shard, LISTED_MAX, 1);
    let (mut listed, mut joins) = (0, 0);
    let begin = shard.now;
    while shard.now.since(begin) < Duration::from_secs(60) {
        let mut alice = Member::new(&mut shard, "alice");
        alice.join(&mut shard, "room-0");
        joins += 1;
        alice.read(&mut shard);
        listed += alice.answers().iter().map(|(_, members)| listed_bytes(*members)).sum::<usize>();
        shard.wait(Duration::from_millis(100));
    }
    let budget = BUDGET_BYTES + 61 * BUDGET_BYTES_PER_SECOND;
    assert!((budget / 2..=budget).contains(&listed), "{listed} bytes for {joins} joins");
}

#[test]
fn reader_of_many_large_rooms_gets_all_members() {
    let mut shard = Shard::new(Config::default());
    let (members, rooms) = (65, ROOMS_PER_USER_MAX);
    assert!(rooms * listed_bytes(members - 1) > WINDOW_BYTES, "more than a window");
    crowd(&mut shard, members, rooms);
    let name = format!("{:0>128}", 0);
    let mut back = Member::new(&mut shard, &name);
    for number in 0..rooms {
        back.join(&mut shard, &format!("room-{number}"));
    }
    for _ in 0..20 {
        back.receive(&mut shard);
        shard.wait(Duration::from_millis(1));
    }
    assert_eq!(shard.closed(back.link), None);
    let first = back.answers();
    let bytes = first.len() * listed_bytes(members - 1);
    assert!((WINDOW_BYTES / 3..=WINDOW_BYTES / 2).contains(&bytes), "{bytes} before any Ack");
    shard.say(back.link, Frame::Ack { received: back.received });
    back.read(&mut shard);
    let answers = [first, back.answers()].concat();
    assert_eq!(answers, vec![(RoomState::Joined, members - 1); rooms]);
}

/// Two of Alice's answers wait for an acknowledgement, because others list many names. One is for a
/// room with names, and one for the lobby, where she is alone.
fn waits_for_answers() -> (Shard, Member) {
    let mut shard = Shard::new(Config::default());
    crowd(&mut shard, 400, 1);
    let mut alice = Member::new(&mut shard, "alice");
    let listed = WINDOW_BYTES / 2 / listed_bytes(400);
    for number in 0..=listed {
        if number > 0 {
            alice.leave(&mut shard, "room-0");
        }
        alice.join(&mut shard, "room-0");
    }
    alice.join(&mut shard, "lobby");
    for _ in 0..20 {
        alice.receive(&mut shard);
        shard.wait(Duration::from_millis(1));
    }
    assert_eq!(alice.answers(), vec![(RoomState::Joined, 400); listed]);
    (shard, alice)
}

#[test]
fn waiting_answer_comes_after_an_acknowledging_resume() {
    let (mut shard, mut alice) = waits_for_answers();
    shard.hang_up(alice.link);
    alice.link = shard.link();
    let login = resume("alice", &alice.accepted, alice.received);
    shard.say(alice.link, Frame::Login(login));
    alice.read(&mut shard);
    assert_eq!(alice.answers(), [(RoomState::Joined, 400), (RoomState::Joined, 0)]);
}

/// Ends her membership of the room.
type End = fn(&mut Shard, &mut Member, &AppId);

#[test]
fn waiting_answer_precedes_the_end_of_its_membership() {
    let app = AppId::new(APP).expect("well formed");
    let state_of = |frame: &Frame| match frame {
        Frame::JoinAnswer { state, members, .. } => Some((*state, members.len())),
        Frame::RoomNotice { state, .. } => Some((*state, 0)),
        Frame::LeaveAnswer { .. } => Some((RoomState::JoinFailed, 1)),
        _ => None,
    };
    let ends: [(&str, End, (RoomState, usize)); 4] = [
        ("leave", |shard, alice, _| alice.leave(shard, "room-0"), (RoomState::JoinFailed, 1)),
        (
            "kick",
            |shard, _, app| {
                assert!(shard.server.kick(shard.now, app, &room("room-0"), &user("alice")));
            },
            (RoomState::Kicked, 0),
        ),
        (
            "dismiss",
            |shard, _, app| {
                assert!(shard.server.dismiss(shard.now, app, &room("room-0")) > 0);
            },
            (RoomState::Dismissed, 0),
        ),
        (
            "ban",
            |shard, _, app| {
                let (ban, time) = (Ban::Room(room("room-0")), Duration::from_secs(60));
                shard.server.ban(shard.now, app, &ban, time).expect("it has room");
            },
            (RoomState::Kicked, 0),
        ),
    ];
    for (what, end, expected) in ends {
        let (mut shard, mut alice) = waits_for_answers();
        end(&mut shard, &mut alice, &app);
        alice.receive(&mut shard);
        let heard: Vec<_> = alice.heard.iter().filter_map(state_of).collect();
        assert_eq!(heard, [(RoomState::Joined, 0), expected], "{what}");
        alice.heard.clear();
        // The other waiting answer has its turn.
        shard.say(alice.link, Frame::Ack { received: alice.received });
        alice.read(&mut shard);
        assert_eq!(alice.answers(), [(RoomState::Joined, 0)], "{what}");
    }
}
