//! Peers that break the rules of the protocol, without harm to anybody else.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Decoder, Frame, Login, LoginAnswer, Resume, ResumeKey, VERSION};
use rts_proto::{
    AppId, Instant, LinkId, MessageConfig, MessageId, OnlineStatus, Payload, RoomId, RoomState,
    UserId,
};
use rts_testkit::{EngineIndex, World};

use super::names::MALLORY;
use super::oracles::Violation;
use super::plan::Attack;
use super::spotter::Spotter;

/// The time after which a login has certainly succeeded.
const LOGGED_IN_AFTER: Duration = Duration::from_secs(1);
/// The number of times that a peer joins and leaves a room on one link: over its rate, and fewer
/// frames than a window holds.
const COMINGS_AND_GOINGS: u64 = 300;
/// Simultaneous logins of one user: more than the server admits and queues.
const LOGINS: usize = 20;
/// The most of those that may be let in: 5 at once, 5 that were queued, and a few more because the
/// network spreads them over time.
const LOGINS_LET_IN_MAX: usize = 16;
/// The number of sessions that end while they join.
const SHORT_SESSIONS: usize = 4;

#[derive(Debug)]
pub(crate) struct Attackers {
    has_rates: bool,
    /// Whether links move from shard to shard.
    has_mailboxes: bool,
    links: Vec<LinkId>,
    /// The links on which a second login came with the first one, in one piece.
    hasty: Vec<LinkId>,
    /// The links of a first and of a second login that both used up the rate of joins.
    over_rate: Vec<[LinkId; 2]>,
    /// The links of simultaneous logins of one user.
    together: Vec<Vec<LinkId>>,
}

impl Attackers {
    pub(crate) fn new(has_rates: bool, has_mailboxes: bool) -> Self {
        Self {
            has_rates,
            has_mailboxes,
            links: Vec::new(),
            hasty: Vec::new(),
            over_rate: Vec::new(),
            together: Vec::new(),
        }
    }

    pub(crate) fn is_one(&self, who: EngineIndex) -> bool {
        World::is_stranger(who)
    }

    pub(crate) fn is_its_name(&self, uid: &UserId) -> bool {
        uid.as_str() == MALLORY
    }

    /// Closes the peers' links. None of the peers may have received frames for others (I33).
    pub(crate) fn leave(
        &mut self,
        world: &mut World,
        spotter: &mut Spotter,
    ) -> Result<(), Violation> {
        for links in self.over_rate.drain(..) {
            spotter.attacker_refused(links.map(|link| joins_refused(world, link)));
        }
        for links in self.together.drain(..) {
            let let_in = links.into_iter().filter(|link| is_let_in(world, *link)).count();
            if self.has_rates && let_in > LOGINS_LET_IN_MAX {
                return Err(format!("§3.9: {let_in} logins of one user were let in at once"));
            }
        }
        for link in self.hasty.drain(..) {
            if is_let_in(world, link) {
                return Err("§3.1: a peer was let in that did not wait for its answer".to_owned());
            }
        }
        for link in self.links.drain(..) {
            let mut decoder = Decoder::new();
            decoder.push(Bytes::copy_from_slice(world.received(link)));
            while let Ok(Some(frame)) = decoder.next(FRAME_BYTES_MAX) {
                let is_foreign = match &frame {
                    Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => accepted.resumed,
                    Frame::Delivery { .. } | Frame::RoomDelivery { .. } => true,
                    _ => false,
                };
                if is_foreign {
                    return Err(format!("I33: a peer that is nobody got {frame:?}"));
                }
            }
            world.hang_up(link);
        }
        Ok(())
    }

    pub(crate) fn attack(&mut self, world: &mut World, now: Instant, app: &str, how: Attack) {
        let link = world.stranger();
        self.links.push(link);
        let hello = Frame::Hello { version: VERSION, features: 0 };
        let room = |number: u64| RoomId::new(&format!("full-{number}")).expect("a room id");
        let send = |number: u64| Frame::Send {
            id: MessageId(number),
            to: Bytes::from_static(b"nobody"),
            payload: Payload::text("x"),
            config: MessageConfig::ReliableOrdered,
        };
        match how {
            Attack::SaysNothing => {}
            Attack::Garbage => {
                let mut random = fastrand::Rng::with_seed(now.as_micros());
                let garbage: Vec<u8> = (0..random.usize(1..3_000)).map(|_| random.u8(..)).collect();
                world.say(link, Bytes::from(garbage));
            }
            Attack::HugeLength => {
                say(world, link, [hello]);
                world.say(link, Bytes::from_static(&[0xff, 0xff, 0xff, 0x7f]));
            }
            Attack::SendBeforeLogin => say(world, link, [hello, send(1)]),
            Attack::WrongVersion => {
                say(world, link, [Frame::Hello { version: VERSION + 1, features: 0 }]);
            }
            Attack::ForeignResume => {
                // Resume keys in use, of other users' sessions.
                for (number, key) in world.resume_keys().into_iter().enumerate().take(8) {
                    let resume = Resume { session: number as u64 + 1, key, received: 0 };
                    let link = world.stranger();
                    self.links.push(link);
                    let login = login(world, app, Some(resume));
                    say(world, link, [Frame::Hello { version: VERSION, features: 0 }, login]);
                }
                let resume = Resume { session: 1, key: ResumeKey([0; 16]), received: u64::MAX };
                let login = login(world, app, Some(resume));
                say(world, link, [hello, login]);
            }
            Attack::LoginTwice => {
                let login = login(world, app, None);
                let frames = [hello, login.clone(), login];
                if self.has_mailboxes {
                    self.joins_and_is_gone(world, now, app);
                }
                // The bytes behind a login move with their link.
                if self.has_mailboxes && arrives_in_one_piece(world) {
                    self.hasty.push(link);
                    let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::encode).collect();
                    return world.say(link, bytes.into());
                }
                say(world, link, frames);
            }
            Attack::FutureAck => self.after_login(world, link, app, [Frame::Ack { received: 7 }]),
            Attack::FallingAck => {
                let join = Frame::Join { room: room(0), ticket: 1, business_id: None };
                let acks = [1, 0].map(|received| Frame::Ack { received });
                self.after_login(world, link, app, [join]);
                world.run_for(LOGGED_IN_AFTER);
                say(world, link, acks);
            }
            Attack::ServersFrames => {
                let status = OnlineStatus::Online;
                let answer = Frame::StatusAnswer { query: 1, status };
                let from = UserId::new("user-0").expect("a user id");
                let (payload, config) = (Payload::text("x"), MessageConfig::ReliableOrdered);
                let delivery = Frame::Delivery { from, payload, config };
                self.after_login(world, link, app, [answer, delivery]);
            }
            Attack::EmptyFrame => {
                self.after_login(world, link, app, []);
                world.say(link, Bytes::from_static(&[0]));
            }
            Attack::UnknownKinds => {
                self.after_login(world, link, app, []);
                // Field 600, which must be skipped, and field 40, which must be understood.
                world.say(link, Bytes::from_static(&[3, 0xc2, 0x25, 0]));
                world.say(link, Bytes::from_static(&[3, 0xc2, 0x02, 0]));
            }
            Attack::ManyJoins => {
                let joins =
                    (0..2_000).map(|n| Frame::Join { room: room(n), ticket: n, business_id: None });
                self.after_login(world, link, app, joins);
            }
            Attack::ComesAndGoes => {
                let first = self.come_and_go(world, link, app);
                let link = world.stranger();
                self.links.push(link);
                let second = self.come_and_go(world, link, app);
                self.over_rate.push([first, second]);
            }
            Attack::ManyLogins => {
                let mut together = Vec::new();
                for _ in 0..LOGINS {
                    let link = world.stranger();
                    self.links.push(link);
                    together.push(link);
                    let login = login(world, app, None);
                    say(world, link, [Frame::Hello { version: VERSION, features: 0 }, login]);
                }
                self.together.push(together);
            }
            Attack::FloodOfSends => {
                self.after_login(world, link, app, (1..=2_000).map(send));
                let bytes = vec![b'x'; FRAME_BYTES_MAX + 1];
                world.say(link, Bytes::from(bytes));
            }
        }
    }

    fn come_and_go(&mut self, world: &mut World, link: LinkId, app: &str) -> LinkId {
        let room = RoomId::new("revolving-door").expect("a room id");
        let frames = (0..COMINGS_AND_GOINGS).flat_map(|n| {
            let (ticket, leaves) = (2 * n, room.clone());
            let join = Frame::Join { room: room.clone(), ticket, business_id: None };
            [join, Frame::Leave { room: leaves, ticket: ticket + 1 }]
        });
        self.after_login(world, link, app, frames);
        world.run_for(LOGGED_IN_AFTER);
        link
    }

    /// Sessions that join, leave and join again without waiting for answers, and end before the
    /// last answer is there. Only peers that break rules do so.
    fn joins_and_is_gone(&mut self, world: &mut World, now: Instant, app: &str) {
        let mut random = fastrand::Rng::with_seed(now.as_micros());
        let rooms = ["door-1", "door-2", "door-3", "door-4"];
        let rooms = rooms.map(|id| RoomId::new(id).expect("a room id"));
        for _ in 0..SHORT_SESSIONS {
            let link = world.stranger();
            self.links.push(link);
            let join = |ticket| {
                let of = move |room: RoomId| Frame::Join { room, ticket, business_id: None };
                rooms.clone().map(of)
            };
            let leaves = rooms.clone().map(|room| Frame::Leave { room, ticket: 2 });
            self.after_login(world, link, app, join(1).into_iter().chain(leaves));
            world.run_for(Duration::from_micros(random.u64(1..1_000)));
            say(world, link, join(3));
            world.run_for(Duration::from_micros(random.u64(1..40_000)));
            say(world, link, [Frame::Logout]);
        }
    }

    fn after_login(
        &mut self,
        world: &mut World,
        link: LinkId,
        app: &str,
        frames: impl IntoIterator<Item = Frame>,
    ) {
        let login = login(world, app, None);
        say(world, link, [Frame::Hello { version: VERSION, features: 0 }, login]);
        world.run_for(LOGGED_IN_AFTER);
        say(world, link, frames);
    }
}

fn arrives_in_one_piece(world: &World) -> bool {
    world.net.chunk_bytes == NonZeroUsize::MAX && !world.net.is_ragged
}

/// The number of joins that the server refused on a link.
fn joins_refused(world: &World, link: LinkId) -> usize {
    let is_refusal =
        |frame: &Frame| matches!(frame, Frame::JoinAnswer { state: RoomState::JoinFailed, .. });
    received(world, link).filter(is_refusal).count()
}

fn is_let_in(world: &World, link: LinkId) -> bool {
    received(world, link).any(|frame| matches!(frame, Frame::LoginAnswer(LoginAnswer::Accepted(_))))
}

fn received(world: &World, link: LinkId) -> impl Iterator<Item = Frame> {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::copy_from_slice(world.received(link)));
    std::iter::from_fn(move || decoder.next(FRAME_BYTES_MAX).ok().flatten())
}

fn login(world: &mut World, app: &str, resume: Option<Resume>) -> Frame {
    let app_id = AppId::new(app).expect("an app id");
    let token = world.token_of(&app_id, MALLORY, 0).into();
    let uid = UserId::new(MALLORY).expect("a user id");
    Frame::Login(Login { app_id, uid, token, resume, claim: 0, attempt: 1, engine: 1 })
}

fn say(world: &mut World, link: LinkId, frames: impl IntoIterator<Item = Frame>) {
    for frame in frames {
        world.say(link, frame.encode());
    }
}
