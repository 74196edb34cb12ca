//! A shard and its peers in memory. Of the peers, only the bytes exist.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{Config, Entry, Input, Output, Placement, Server, ShardId, Verdict};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, Resume, ResumeKey, VERSION};
use rts_proto::{
    AppId, CloseCode, Instant, LinkId, MessageConfig, MessageId, Payload, RoomId, UserId,
};

/// The room of all members.
const ROOM: &str = "room";

/// A shard without rates, and its logged-in users: user n is on link n + 1.
#[derive(Debug)]
pub struct Hall {
    server: Server,
    now: Instant,
    app_id: AppId,
    links: u64,
    deadline: Option<Instant>,
    /// Entries for other shards.
    entries: Vec<Vec<Entry>>,
}

impl Hall {
    /// A shard with this number of users.
    #[must_use]
    pub fn new(users: u64) -> Self {
        let mut hall = Self::in_node(Placement::ALONE);
        for user in 0..users {
            hall.log_in(user, None);
        }
        hall
    }

    /// A shard of a node, with the first user that belongs to it. Returns that user too. The user
    /// is on link 1.
    #[must_use]
    pub fn with_own_user(placement: Placement) -> (Self, u64) {
        let mut hall = Self::in_node(placement);
        let shard_of = |user| placement.of_user(&hall.app_id, uid(user).as_str());
        let user = (0..).find(|user| shard_of(*user) == placement.own()).expect("endless");
        hall.log_in(user, None);
        (hall, user)
    }

    fn in_node(placement: Placement) -> Self {
        let mut config = without_rates();
        config.placement = placement;
        Self {
            server: Server::new(config, 1),
            now: Instant::from_millis(1),
            app_id: AppId::new("123456781234567812345678").expect("well formed"),
            links: 0,
            deadline: None,
            entries: Vec::new(),
        }
    }

    /// Opens a new link for this user, and returns the answer to its login.
    pub fn log_in(&mut self, user: u64, resume: Option<Resume>) -> Accepted {
        self.links += 1;
        let link = LinkId(self.links);
        let uid = uid(user);
        let login = Login {
            app_id: self.app_id.clone(),
            uid,
            token: Bytes::from_static(b"good"),
            resume,
            claim: 0,
            engine: 0,
            attempt: 0,
        };
        self.input(Input::Accepted(link, ResumeKey([user as u8; 16])));
        let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
        self.input(Input::Received(link, [hello, Frame::Login(login).encode()].concat().into()));
        let mut answer = None;
        self.drain(|to, bytes| {
            if to == link {
                answer = answer_in(&bytes).or(answer.take());
            }
        });
        answer.expect("every login here is good")
    }

    /// Makes the first `members` users join the room. Returns the number of sequenced frames that
    /// each received meanwhile, all of them acknowledged.
    pub fn join_all(&mut self, members: u64) -> Vec<u64> {
        let room = RoomId::new(ROOM).expect("well formed");
        let join = Frame::Join { room, ticket: 1, business_id: None }.encode();
        let mut received = vec![0; members as usize];
        for user in 0..members {
            self.receive(user, join.clone());
            self.tick();
            self.drain(|LinkId(link), bytes| received[link as usize - 1] += sequenced_in(bytes));
        }
        for (user, received) in received.iter().enumerate() {
            self.receive(user as u64, ack(*received));
        }
        received
    }

    /// Receives bytes from a user that has only had one link.
    pub fn receive(&mut self, user: u64, bytes: Bytes) {
        self.input(Input::Received(LinkId(user + 1), bytes));
    }

    /// The end of a burst.
    pub fn tick(&mut self) {
        self.input(Input::Tick);
    }

    /// Moves the time on, and ticks the shard at each of its deadlines.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain(|_, _| {});
            match self.deadline.filter(|deadline| *deadline <= end) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => break,
            }
            self.tick();
        }
        self.now = end;
    }

    /// Calls `transmit` with each output for a link.
    pub fn drain(&mut self, mut transmit: impl FnMut(LinkId, Bytes)) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(link, bytes) => transmit(link, bytes),
                Output::Authenticate(login, _) => {
                    let verdict = Verdict::Accept { claim: self.now.as_micros(), issued_at: 0 };
                    self.server.handle_input(self.now, Input::Verdict(login, verdict));
                }
                Output::CheckTarget(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Respond(..)
                | Output::HandOver(..)
                | Output::Report(..)
                | Output::Notice(_) => {}
                Output::Peer(_, entries) => self.entries.push(entries),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                // A resume closes the link before it, and silence closes any.
                Output::Disconnect(_, Some(CloseCode::Replaced | CloseCode::Silent)) => {}
                Output::Disconnect(link, code) => panic!("{link} was closed: {code:?}"),
            }
        }
    }

    /// Gives the drained entries for the other shard of a node of two to it.
    pub fn pass_entries(&mut self, other: &mut Self) {
        let own: ShardId = self.server.placement().own();
        for entries in self.entries.drain(..) {
            other.input(Input::Peer(own, entries));
        }
    }

    fn input(&mut self, input: Input) {
        self.server.handle_input(self.now, input);
    }
}

/// The configuration of a shard without rates.
pub(crate) fn without_rates() -> Config {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config.broadcasts_per_second = 0;
    config.status_queries_per_second = 0;
    config.joins_per_second = 0;
    config.logins_per_second = 0;
    config.room_broadcasts_per_second = 0;
    config.large_room_broadcasts_per_second = 0;
    config
}

/// A message to a user.
#[must_use]
pub fn send(id: u64, to: u64, payload: &Bytes) -> Bytes {
    let payload = Payload::binary(payload.clone());
    let to = Bytes::copy_from_slice(uid(to).as_str().as_bytes());
    let config = MessageConfig::ReliableOrdered;
    Frame::Send { id: MessageId(id), to, payload, config }.encode()
}

/// A message to the room.
#[must_use]
pub fn broadcast(id: u64, payload: &Bytes) -> Bytes {
    let room = RoomId::new(ROOM).expect("well formed");
    let payload = Payload::binary(payload.clone());
    Frame::Broadcast { id: MessageId(id), room, payload }.encode()
}

/// An acknowledgement of this number of frames.
#[must_use]
pub fn ack(received: u64) -> Bytes {
    // Length, the field of an `Ack`, its length, and the field of the number, of at most ten bytes.
    let mut frame = [0; 14];
    let (mut len, mut rest) = (4, received);
    while rest >= 0x80 {
        frame[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    frame[len] = rest as u8;
    len += 1;
    frame[..4].copy_from_slice(&[len as u8 - 1, 0x22, len as u8 - 3, 0x08]);
    Bytes::copy_from_slice(&frame[..len])
}

/// The number of sequenced frames among these whole frames.
fn sequenced_in(bytes: Bytes) -> u64 {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    let frames = std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("well formed"));
    frames.filter(Frame::is_sequenced).count() as u64
}

fn uid(user: u64) -> UserId {
    UserId::new(&format!("user-{user}")).expect("well formed")
}

fn answer_in(bytes: &Bytes) -> Option<Accepted> {
    // The answer to a login is shorter than 128 bytes, so its length is one byte.
    match Frame::decode(bytes.slice(1..)) {
        Ok(Some(Frame::LoginAnswer(LoginAnswer::Accepted(accepted)))) => Some(accepted),
        _ => None,
    }
}
