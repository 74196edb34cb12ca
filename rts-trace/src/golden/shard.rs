//! The story of shard 1 of a node with two shards: a link that comes and one that goes, and every
//! entry of shard 0 once.

use std::time::Duration;

use rts_proto::server::{
    Config, Deliveries, Entered, Entry, Input, JoinPermit, JoinRefusal, MemberEnd, Names, Opened,
    Outcome, Output, Placement, Server, SessionNumber, ShardId, Verdict,
};
use rts_proto::wire::{Frame, Login, ResumeKey};
use rts_proto::{
    AppId, BroadcastCode, BusinessId, Instant, LeaveReason, LinkId, LoginId, MessageConfig,
    MessageId, OnlineStatus, Payload, RoomId, RoomState, SendCode, UserId,
};

use crate::Recorder;

const ALICE: LinkId = LinkId(1);
const BOB: LinkId = LinkId(2);
const ALICE_AGAIN: LinkId = LinkId(3);
const SEED: u64 = 3;

pub(super) struct Shard {
    pub(super) core: Server,
    pub(super) now: Instant,
    /// The last login that the core asked about.
    pub(super) login: LoginId,
}

impl Shard {
    pub(super) fn input(&mut self, input: Input) {
        self.core.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Authenticate(login, _) => self.login = login,
                Output::Wait(_) => return,
                _ => {}
            }
        }
    }

    pub(super) fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.input(Input::Tick);
    }

    /// Entries of shard 0, and the tick that ends the burst.
    pub(super) fn hear(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.hear_from(shard(0), entries);
    }

    /// Entries of another shard, and the tick that ends the burst.
    pub(super) fn hear_from(&mut self, from: ShardId, entries: impl IntoIterator<Item = Entry>) {
        let entries = [Entry::InApp(app())].into_iter().chain(entries).collect();
        self.input(Input::Peer(from, entries));
        self.wait(1);
    }

    /// Shard 0 hands over a link, and its login succeeds.
    pub(super) fn take_over(&mut self, link: LinkId, uid: &UserId) {
        let login_deadline = self.now + Duration::from_secs(10);
        let bytes = login(uid).encode();
        let opened = Opened { key: ResumeKey([link.0 as u8; 16]), login_deadline, bytes };
        self.input(Input::HandedOver(link, Box::new(opened)));
        let claim = 1_700_000_000_000_000 + link.0;
        let verdict = Verdict::Accept { claim, issued_at: 1_790_000_000 };
        self.input(Input::Verdict(self.login, verdict));
        self.wait(1);
    }

    fn receive(&mut self, link: LinkId, frames: impl IntoIterator<Item = Frame>) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::encode).collect();
        self.input(Input::Received(link, bytes.into()));
        self.wait(1);
    }
}

pub(super) fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

pub(super) fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn shard(number: usize) -> ShardId {
    ShardId::new(number).expect("a node can have it")
}

fn placement() -> Placement {
    Placement::new(shard(1), 2, SEED).expect("one of two")
}

/// A user of shard 0 or 1.
fn user_of(number: usize, name: &str) -> UserId {
    let mut names = (0..).map(|count| user(&format!("{name}{count}")));
    names
        .find(|uid| placement().of_user(&app(), uid.as_str()) == shard(number))
        .expect("hashes reach both shards")
}

/// A room of shard 0 or 1.
fn room_of(number: usize) -> RoomId {
    let name = |count| RoomId::new(&format!("room{count}")).expect("well formed");
    let mut names = (0..).map(name);
    names
        .find(|room| placement().of_room(&app(), room) == shard(number))
        .expect("hashes reach both")
}

/// A session of shard 0.
pub(super) fn session(number: u64) -> SessionNumber {
    SessionNumber::from_number(number).expect("not zero")
}

fn login(uid: &UserId) -> Frame {
    Frame::Login(Login {
        app_id: app(),
        uid: uid.clone(),
        token: format!("token of {uid}").into(),
        resume: None,
        claim: 0,
        engine: 7,
        attempt: 1,
    })
}

pub(super) fn delivery(from: &UserId, text: &str) -> bytes::Bytes {
    let (config, payload) = (MessageConfig::ReliableOrdered, Payload::text(text));
    Frame::Delivery { from: from.clone(), payload, config }.encode()
}

fn room_delivery(from: &UserId, room: &RoomId, text: &str) -> bytes::Bytes {
    let (from, room, payload) = (from.clone(), room.clone(), Payload::text(text));
    Frame::RoomDelivery { from, room, payload }.encode()
}

pub(super) fn record(recorder: Recorder) {
    let mut config = Config::default();
    config.placement = placement();
    let mut shard = Shard {
        core: Server::observed(config, 7, Box::new(recorder)),
        now: Instant::from_millis(5),
        login: LoginId(0),
    };
    let (alice, bob) = (user_of(1, "alice"), user_of(0, "bob"));
    links(&mut shard, &alice, &bob);
    for_users(&mut shard, &alice, &bob);
    for_rooms(&mut shard, &bob);
    for_sessions(&mut shard, &alice, &bob);
    displacement(&mut shard, &alice);
    the_end(&mut shard);
}

/// Shard 0 hands over the link of alice. The link of bob goes there.
fn links(shard: &mut Shard, alice: &UserId, bob: &UserId) {
    shard.take_over(ALICE, alice);
    shard.input(Input::Accepted(BOB, ResumeKey([2; 16])));
    shard.receive(BOB, [Frame::Hello { version: 1, features: 0 }, login(bob)]);
}

fn for_users(shard: &mut Shard, alice: &UserId, bob: &UserId) {
    let mut deliveries = Deliveries::default();
    for (id, to) in [(1, alice), (2, &user_of(1, "nobody"))] {
        let (config, frame) = (MessageConfig::ReliableOrdered, delivery(bob, "hi alice"));
        deliveries.push(session(1), MessageId(id), config, to, &frame);
    }
    shard.hear([
        Entry::Deliver(deliveries),
        Entry::QueryStatus { session: session(1), query: 3, uid: alice.clone() },
    ]);
    shard.receive(ALICE, [Frame::Ack { received: 1 }]);
}

fn for_rooms(shard: &mut Shard, bob: &UserId) {
    let room = room_of(1);
    let join = |number, uid: &UserId, permit| Entry::Join {
        room: room.clone(),
        session: session(number),
        uid: uid.clone(),
        ticket: 4,
        business_id: Some(BusinessId::new("tag").expect("well formed")),
        permit,
    };
    let carol = user_of(0, "carol");
    shard.hear([
        join(1, bob, JoinPermit::Charged),
        join(1, bob, JoinPermit::Charged),
        join(2, &carol, JoinPermit::Refused(JoinRefusal::TooManyRooms)),
        join(2, &carol, JoinPermit::Refused(JoinRefusal::OverRate)),
        join(2, &carol, JoinPermit::Charged),
    ]);
    let by_bob = (room.clone(), session(1), bob.clone());
    let (room, session, uid) = by_bob.clone();
    let frame = room_delivery(bob, &room, "hi all");
    let broadcast = Entry::Broadcast { room, session, uid, id: MessageId(1), frame };
    let (room, session, uid) = by_bob.clone();
    let ask = Entry::AskNames { room, session, uid, ticket: 4 };
    shard.hear([broadcast, ask]);
    let (room, session, uid) = by_bob.clone();
    let until = shard.now + Duration::from_secs(20);
    let waits = Entry::Gone { room, session, uid, end: MemberEnd::WaitsUntil(until) };
    let (room, ..) = by_bob;
    let end = MemberEnd::Ends(LeaveReason::Dropped);
    let gone =
        Entry::Gone { room: room.clone(), session: self::session(2), uid: carol.clone(), end };
    let leave =
        Entry::Leave { room: room.clone(), session: self::session(2), uid: carol, ticket: 5 };
    let put_out = Entry::PutOut { room, uid: bob.clone() };
    shard.hear([waits, gone, leave, put_out]);
}

/// Answers to questions of alice's session.
fn for_sessions(shard: &mut Shard, alice: &UserId, bob: &UserId) {
    let room = room_of(0);
    // The first session of shard 1.
    let session = session(1 << 26 | 1);
    let send = |id, payload| Frame::Send {
        id: MessageId(id),
        to: bob.as_str().as_bytes().to_vec().into(),
        payload,
        config: MessageConfig::ReliableOrdered,
    };
    let question = Frame::StatusQuery { query: 1, uid: bob.as_str().as_bytes().to_vec().into() };
    let join = Frame::Join { room: room.clone(), ticket: 6, business_id: None };
    shard.receive(
        ALICE,
        [send(1, Payload::text("hi")), send(2, Payload::text("again")), question, join],
    );
    let names = || Names { names: vec![bob.clone()], has_no_notices: false };
    let joined = |entered| Entry::Joined {
        room: room.clone(),
        session,
        ticket: 6,
        entered,
        names: names(),
        is_charged: true,
    };
    let status = Frame::StatusAnswer { query: 1, status: OnlineStatus::Online };
    shard.hear([
        Entry::Push { session, frame: status.encode() },
        joined(Entered::New),
        joined(Entered::Back),
        joined(Entered::Already),
        Entry::Names { room: room.clone(), session, ticket: 6, names: names() },
    ]);
    let payload = Payload::text("hi all");
    shard.receive(ALICE, [Frame::Broadcast { id: MessageId(1), room: room.clone(), payload }]);
    let not_delivered = Entry::NotDelivered {
        session,
        id: MessageId(2),
        to: bob.clone(),
        config: MessageConfig::ReliableOrdered,
        code: SendCode::Broken,
    };
    let (id, code) = (MessageId(2), BroadcastCode::OverRate);
    shard.hear([
        Entry::Outcomes(vec![
            (session, Outcome::Send(SendCode::Ok, MessageId(1))),
            (session, Outcome::Broadcast(room.clone(), BroadcastCode::Ok, MessageId(1))),
        ]),
        not_delivered,
        Entry::NotBroadcast { session, room: room.clone(), id, code },
        Entry::PushToEach {
            sessions: vec![session],
            frames: vec![
                (None, room_delivery(bob, &room, "hello alice")),
                (Some(session), room_delivery(alice, &room, "hi all")),
            ],
        },
    ]);
    removals(shard, session, &room);
}

/// The session cannot join rooms, leaves one and is removed from one.
fn removals(shard: &mut Shard, session: SessionNumber, room: &RoomId) {
    let room = || room.clone();
    let refused = |refusal| {
        let state = RoomState::UserBanned;
        Entry::JoinRefused { room: room(), session, ticket: 7, state, refusal, is_charged: false }
    };
    let notice = Frame::RoomNotice { room: room(), state: RoomState::Kicked };
    shard.hear([
        refused(JoinRefusal::Banned),
        refused(JoinRefusal::RoomFull),
        refused(JoinRefusal::ShardBusy),
        Entry::Left { room: room(), session, ticket: 8 },
        Entry::Removed { room: room(), session, notice: Some(notice.encode()) },
    ]);
}

/// Alice logs in again, over another link. Her membership in a room of shard 0 waits for her, and
/// ends before she returns to it.
fn displacement(shard: &mut Shard, alice: &UserId) {
    let room = room_of(0);
    shard.receive(ALICE, [Frame::Join { room: room.clone(), ticket: 9, business_id: None }]);
    let joined = Entry::Joined {
        room,
        session: session(1 << 26 | 1),
        ticket: 9,
        entered: Entered::New,
        names: Names::default(),
        is_charged: true,
    };
    shard.hear([joined]);
    shard.take_over(ALICE_AGAIN, alice);
    shard.hear([Entry::Orphan { room: room_of(0), uid: alice.clone(), waits: false }]);
}

fn the_end(shard: &mut Shard) {
    shard.input(Input::PeerCongested(self::shard(0), true));
    let payload = Payload::text("too late");
    let to = user_of(0, "bob").as_str().as_bytes().to_vec().into();
    let config = MessageConfig::ReliableOrdered;
    shard.receive(ALICE_AGAIN, [Frame::Send { id: MessageId(3), to, payload, config }]);
    shard.input(Input::PeerCongested(self::shard(0), false));
    shard.core.charge(shard.now, &app(), 2).expect("below the rate");
    shard.wait(1);
    shard.core.shutdown(shard.now, Duration::from_secs(1));
    shard.wait(1);
}
