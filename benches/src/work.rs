//! The closed set of measured works. Each is prepared once, and then done any number of times.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::LinkId;
use rts_proto::limits::{FRAME_BYTES_MAX, SESSION_GRACE};
use rts_proto::server::Placement;
use rts_proto::wire::{Decoder, Frame, Resume};

use crate::hall::{self, Hall};

/// Bytes of a message.
pub const PAYLOAD_BYTES: usize = 100;
/// Messages that arrive together.
const BURST: u64 = 32;
/// Broadcasts that arrive together.
const BROADCASTS: u64 = 16;
/// The number of users of [`Work::Timers`].
const IDLE_USERS: u64 = 100_000;
const MEMBERS: u64 = 1_000;
const HEARTBEAT_MS: u64 = 5_000;

/// A measured work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Decodes a `Send` frame.
    Decode,
    /// Encodes a `Delivery` frame.
    Encode,
    /// A message in, its delivery out, its acknowledgement in, its result out; one at a time.
    P2p,
    /// [`P2p`](Self::P2p) with 32 messages in one burst; counts one message.
    P2pBurst,
    /// [`P2p`](Self::P2p) beside 15,000 idle users.
    P2pBesideIdle,
    /// [`P2p`](Self::P2p) to a user of another shard.
    P2pOverShards,
    /// [`P2pBurst`](Self::P2pBurst) to a user of another shard.
    P2pBurstOverShards,
    /// A broadcast to 1,000 members and their acknowledgements; counts one member.
    FanOut,
    /// [`FanOut`](Self::FanOut) with 16 broadcasts in one burst; counts one broadcast to one
    /// member.
    FanOutBurst,
    /// Resumes a session over a new link.
    Resume,
    /// A millisecond over 100,000 sessions: 20 heartbeats, and about three timers that are due.
    Timers,
    /// A tick at which one of 10,000 silent sessions ends.
    OneDue,
    /// A tick at which one of 1,000,000 silent sessions ends.
    OneDueOfAMillion,
}

/// All works, with their names.
pub const WORKS: [(&str, Work); 13] = [
    ("decode", Work::Decode),
    ("encode", Work::Encode),
    ("p2p", Work::P2p),
    ("p2p_burst", Work::P2pBurst),
    ("p2p_beside_idle", Work::P2pBesideIdle),
    ("p2p_over_shards", Work::P2pOverShards),
    ("p2p_burst_over_shards", Work::P2pBurstOverShards),
    ("fan_out", Work::FanOut),
    ("fan_out_burst", Work::FanOutBurst),
    ("resume", Work::Resume),
    ("timers", Work::Timers),
    ("one_due", Work::OneDue),
    ("one_due_of_a_million", Work::OneDueOfAMillion),
];

impl std::str::FromStr for Work {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = WORKS.iter().find(|(known, _)| *known == name);
        let names = || WORKS.map(|(name, _)| name).join(", ");
        found
            .map(|(_, work)| *work)
            .ok_or_else(|| format!("no work {name:?}; there are {}", names()))
    }
}

impl Work {
    /// Prepares the work. Returns a function that does it once, and the number of things that this
    /// counts as.
    #[must_use]
    pub fn prepare(self) -> (Box<dyn FnMut()>, u64) {
        match self {
            Self::Decode => (decode(), 1),
            Self::Encode => (encode(), 1),
            Self::P2p => (p2p(2, 1), 1),
            Self::P2pBurst => (p2p(2, BURST), BURST),
            Self::P2pBesideIdle => (p2p(15_000, 1), 1),
            Self::P2pOverShards => (p2p_over_shards(1), 1),
            Self::P2pBurstOverShards => (p2p_over_shards(BURST), BURST),
            Self::FanOut => (fan_out(1), MEMBERS),
            Self::FanOutBurst => (fan_out(BROADCASTS), BROADCASTS * MEMBERS),
            Self::Resume => (resume(), 1),
            Self::Timers => (timers(), 1),
            Self::OneDue => (one_due(10_000), 1),
            Self::OneDueOfAMillion => (one_due(1_000_000), 1),
        }
    }
}

fn payload() -> Bytes {
    Bytes::from(vec![b'x'; PAYLOAD_BYTES])
}

fn decode() -> Box<dyn FnMut()> {
    let bytes = hall::send(1_000, 1, &payload());
    Box::new(move || {
        let mut decoder = Decoder::new();
        decoder.push(bytes.clone());
        let frame = decoder.next(FRAME_BYTES_MAX).expect("well formed");
        assert!(std::hint::black_box(frame).is_some());
    })
}

fn encode() -> Box<dyn FnMut()> {
    let sent = hall::send(1_000, 1, &payload());
    let Ok(Some(Frame::Send { payload, config, .. })) = Frame::decode(sent.slice(1..)) else {
        panic!("a message is a Send, and its length is one byte")
    };
    let from = rts_proto::UserId::new("user-1").expect("well formed");
    Box::new(move || {
        let frame = Frame::Delivery { from: from.clone(), payload: payload.clone(), config };
        std::hint::black_box(frame.encode());
    })
}

/// User 0 sends to user 1 and gets the results; both acknowledge, as a client does.
fn p2p(users: u64, burst: u64) -> Box<dyn FnMut()> {
    let mut hall = Hall::new(users);
    let messages = messages(1, burst);
    let (mut deliveries, mut results) = (0, 0);
    Box::new(move || {
        deliveries += burst;
        hall.receive(0, messages.clone());
        hall.tick();
        hall.drain(discard);
        hall.receive(1, hall::ack(deliveries));
        hall.tick();
        hall.drain(discard);
        results += 1;
        hall.receive(0, hall::ack(results));
    })
}

/// Messages to this user.
fn messages(to: u64, count: u64) -> Bytes {
    // A shard does not check that ids differ, so the bytes can be used again.
    vec![hall::send(1_000, to, &payload()); count as usize].concat().into()
}

/// A user of one shard sends to a user of another one, and gets the results. Both acknowledge.
fn p2p_over_shards(burst: u64) -> Box<dyn FnMut()> {
    let mut shards = Placement::of_node(2, 1).map(Hall::with_own_user);
    let (Some((mut sender, _)), Some((mut receiver, to))) = (shards.next(), shards.next()) else {
        panic!("a node of two shards")
    };
    let messages = messages(to, burst);
    let (mut deliveries, mut results) = (0, 0);
    Box::new(move || {
        deliveries += burst;
        sender.receive(0, messages.clone());
        sender.tick();
        sender.drain(discard);
        sender.pass_entries(&mut receiver);
        receiver.tick();
        receiver.drain(discard);
        receiver.receive(0, hall::ack(deliveries));
        receiver.tick();
        receiver.drain(discard);
        receiver.pass_entries(&mut sender);
        sender.tick();
        sender.drain(discard);
        results += 1;
        sender.receive(0, hall::ack(results));
    })
}

/// User 0 broadcasts. The others acknowledge, and user 0 acknowledges its results.
fn fan_out(burst: u64) -> Box<dyn FnMut()> {
    let members = MEMBERS + 1;
    let mut hall = Hall::new(members);
    let mut received = hall.join_all(members);
    let broadcasts = vec![hall::broadcast(1_000, &payload()); burst as usize];
    let broadcasts = Bytes::from(broadcasts.concat());
    Box::new(move || {
        hall.receive(0, broadcasts.clone());
        hall.tick();
        hall.drain(discard);
        for (user, received) in received.iter_mut().enumerate() {
            *received += if user == 0 { 1 } else { burst };
            hall.receive(user as u64, hall::ack(*received));
        }
    })
}

fn resume() -> Box<dyn FnMut()> {
    let mut hall = Hall::new(999);
    let mut session = hall.log_in(999, None);
    Box::new(move || {
        let resume = Resume { session: session.session, key: session.key, received: 0 };
        session = hall.log_in(999, Some(resume));
        assert!(session.resumed, "it is alive and the key is right");
    })
}

/// Moves on by a millisecond. Each user sends once in 5 s.
fn timers() -> Box<dyn FnMut()> {
    let mut hall = Hall::new(IDLE_USERS);
    let ping = Frame::Ping.encode();
    let mut next = 0;
    let mut pass = move || {
        for _ in 0..IDLE_USERS / HEARTBEAT_MS {
            hall.receive(next % IDLE_USERS, ping.clone());
            next += 1;
        }
        hall.pass(Duration::from_millis(1));
    };
    // Runs until the timers are spread evenly.
    for _ in 0..12 * HEARTBEAT_MS {
        pass();
    }
    Box::new(pass)
}

/// All users sent once, one after the other, so their sessions end one after the other. When none
/// is left, nothing is due.
fn one_due(users: u64) -> Box<dyn FnMut()> {
    let mut hall = Hall::new(users);
    let (ping, apart) = (Frame::Ping.encode(), SESSION_GRACE / users as u32);
    for user in 0..users {
        hall.receive(user, ping.clone());
        hall.pass(apart);
    }
    Box::new(move || hall.pass(apart))
}

fn discard(_: LinkId, bytes: Bytes) {
    std::hint::black_box(bytes);
}
