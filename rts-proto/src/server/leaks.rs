//! A shard forgets users and links that are gone. The test fills every store, ends everything, and
//! lets all time pass.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::ban::Ban;
use super::config::Config;
use super::io::{Input, NoticeLevel, Output, Verdict};
use super::shard::Server;
use super::testing::{KEY, app_id, login as login_of, other_app_id, room_id as room, uid};
use crate::kept::{Kept, filled};
use crate::limits::{
    LOGINS_PER_SECOND, MEMBER_LISTS_WINDOW_BYTES_MAX, PAYLOAD_BYTES_MAX, POSTS_PER_USER_MAX,
};
use crate::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, Resume, SetServerParams, VERSION};
use crate::{AppId, Instant, LinkId, LoginId, MessageConfig, MessageId, Payload, TargetId};

/// All stores of a shard. A new part, or a new field of [`Shared`], has to be added here.
fn kept(server: &Server) -> Kept {
    let Server {
        shared,
        links,
        users,
        tallies,
        rooms,
        welcomes,
        bans,
        targets,
        posts,
        back_end_rates,
        pending,
        fences,
        resumes,
        random: _,
        retry_after_max: _,
        to_drain: _,
        observer: _,
    } = server;
    let of_users = [links.kept(), users.kept(), tallies.kept(), targets.kept(), posts.kept()];
    let of_rooms =
        [rooms.kept(), welcomes.kept(), bans.kept(), back_end_rates.kept(), pending.kept()];
    let of_moves = [fences.kept(), resumes.kept()];
    [shared.kept(), of_users.concat(), of_rooms.concat(), of_moves.concat()].concat()
}

/// Stores that are empty whenever an input is handled, or always in a node with one shard.
const EMPTY_BETWEEN_INPUTS: [&str; 20] = [
    "apps with owners",
    "bytes held for owners",
    "apps with grants",
    "apps with asking logins",
    "entries to itself",
    "entries ahead",
    "entries to unserved homes",
    "bytes of held entries",
    "departed sessions",
    "bundles",
    "entries for other shards",
    "acknowledged sends",
    "overrun sessions",
    "moving links",
    "decided bans",
    "requests of back ends",
    "shards that a fence awaits",
    "behind fences",
    "reserved sessions",
    "apps with arrived sessions",
];

/// A shard, and a driver that answers nothing by itself.
struct World {
    server: Server,
    now: Instant,
    last_link: u64,
    /// The driver's latest questions: a login and params.
    login: Option<LoginId>,
    target: Option<TargetId>,
    /// The answer to the latest accepted login.
    accepted: Option<Accepted>,
}

impl World {
    fn new() -> Self {
        let config = Config { reported_apps: [app_id()].into(), ..Config::default() };
        let mut server = Server::new(config, 1);
        server.take_notice(NoticeLevel::All);
        let now = Instant::from_millis(1);
        Self { server, now, last_link: 0, login: None, target: None, accepted: None }
    }

    fn input(&mut self, input: Input) {
        self.server.handle_input(self.now, input);
    }

    /// Ends a burst. Returns the moment until which the shard waits.
    fn tick(&mut self) -> Option<Instant> {
        self.input(Input::Tick);
        loop {
            match self.server.poll_output() {
                Output::Authenticate(login, _) => self.login = Some(login),
                Output::CheckTarget(target, _) => self.target = Some(target),
                Output::Transmit(_, bytes) => self.hear(bytes),
                Output::Wait(until) => return until,
                _ => {}
            }
        }
    }

    fn hear(&mut self, bytes: Bytes) {
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        while let Some(frame) = decoder.next(2 * PAYLOAD_BYTES_MAX).expect("well-formed") {
            if let Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) = frame {
                self.accepted = Some(accepted);
            }
        }
    }

    fn say(&mut self, link: LinkId, frame: Frame) {
        self.input(Input::Received(link, frame.encode()));
    }

    fn link(&mut self) -> LinkId {
        self.last_link += 1;
        let link = LinkId(self.last_link);
        self.input(Input::Accepted(link, KEY));
        link
    }

    fn ask_login(&mut self, login: Login) -> LinkId {
        let link = self.link();
        self.say(link, Frame::Hello { version: VERSION, features: 0 });
        self.say(link, Frame::Login(login));
        self.tick();
        link
    }

    /// A login whose token is good.
    fn log_in(&mut self, login: Login) -> LinkId {
        let link = self.ask_login(login);
        let asked = self.login.take().expect("the driver is asked");
        let verdict = Verdict::Accept { claim: link.0, issued_at: 1 };
        self.input(Input::Verdict(asked, verdict));
        self.tick();
        link
    }

    fn log_in_and_join(&mut self, user: &str, name: &str) -> LinkId {
        let link = self.log_in(login_of(user));
        self.join(link, name);
        link
    }

    fn join(&mut self, link: LinkId, name: &str) {
        self.say(link, Frame::Join { room: room(name), ticket: link.0, business_id: None });
    }

    fn send(&mut self, link: LinkId, to: &str) {
        let (to, payload) = (Bytes::copy_from_slice(to.as_bytes()), Payload::text("hi"));
        let config = MessageConfig::ReliableOrdered;
        self.say(link, Frame::Send { id: MessageId(1), to, payload, config });
    }

    fn send_to_server(&mut self, link: LinkId, id: u64) {
        self.say(link, Frame::ServerSend { id: MessageId(id), payload: Payload::text("hi") });
    }

    fn ask_params(&mut self, link: LinkId) {
        let (signature, url) =
            (Bytes::from_static(b"s"), Bytes::from_static(b"https://a.example/"));
        self.say(link, Frame::SetServerParams(SetServerParams { ticket: 1, signature, url }));
        self.tick();
    }

    fn unicast(&mut self, app: &AppId, to: &str, bytes_len: usize) {
        let payload = Payload::binary(alloc::vec![0; bytes_len]);
        let sent = self.server.unicast(self.now, app, uid("system"), &uid(to), payload);
        assert!(sent.is_ok());
    }

    fn ban(&mut self, app: &AppId, ban: &Ban) {
        assert!(self.server.ban(self.now, app, ban, Duration::from_secs(10)).is_ok());
    }

    /// Users with entries in every store, up to the middle of a burst.
    fn live(&mut self) {
        self.open_links();
        self.talk();
        self.use_app_server();
        self.be_governed();
        self.be_displaced_and_resume();
        self.wait_for_a_welcome();
        self.leave_a_burst_open();
    }

    /// Links in every phase before a session.
    fn open_links(&mut self) {
        self.link();
        let greeted = self.link();
        self.say(greeted, Frame::Hello { version: VERSION, features: 0 });
        // One of these waits for its turn, and one for a verdict.
        for _ in 0..=LOGINS_PER_SECOND {
            self.log_in(login_of("often"));
        }
        self.ask_login(login_of("unjudged"));
    }

    /// Bob's link is lost while a message to him is not acknowledged, and he is in a room.
    fn talk(&mut self) {
        let alice = self.log_in_and_join("alice", "lobby");
        let bob = self.log_in_and_join("bob", "lobby");
        self.send(alice, "bob");
        self.send(bob, "alice");
        self.tick();
        self.say(alice, Frame::Ack { received: 1 });
        self.input(Input::Disconnected(bob));
        self.send(alice, "bob");
        let left = self.log_in_and_join("leaver", "lobby");
        self.say(left, Frame::Leave { room: room("lobby"), ticket: 2 });
        self.say(left, Frame::Logout);
        self.tick();
    }

    /// One user's params are never decided. Another user's posts are never answered, and more
    /// messages wait.
    fn use_app_server(&mut self) {
        let undecided = self.log_in(login_of("undecided"));
        self.ask_params(undecided);
        self.target = None;
        self.send_to_server(undecided, 1);
        let poster = self.log_in(login_of("poster"));
        self.ask_params(poster);
        let target = self.target.take().expect("the driver is asked");
        self.input(Input::TargetChecked(target, true));
        (1..=POSTS_PER_USER_MAX as u64 + 1).for_each(|id| self.send_to_server(poster, id));
        self.tick();
    }

    /// Kicks, bans of every kind, and logins that the back end ends.
    fn be_governed(&mut self) {
        for user in ["kicked", "banned", "out", "revoked"] {
            self.log_in_and_join(user, "den");
        }
        let (app, other) = (app_id(), other_app_id());
        self.server.kick(self.now, &app, &room("den"), &uid("kicked"));
        self.ban(&app, &Ban::Room(room("den")));
        self.ban(&app, &Ban::UserInRoom(room("lobby"), uid("banned")));
        self.ban(&app, &Ban::User(uid("banned")));
        self.ban(&app, &Ban::Login(uid("banned")));
        self.ban(&other, &Ban::Login(uid("banned")));
        self.log_in(login_of("banned"));
        assert!(self.server.put_out(self.now, &app, &uid("out")));
        assert_eq!(self.server.revoke(self.now, &app, Some(&uid("revoked")), 2), 1);
        self.unicast(&other, "nobody", 1);
        self.tick();
    }

    /// A membership whose user never returns, and a session that is resumed over another link.
    fn be_displaced_and_resume(&mut self) {
        self.log_in_and_join("carol", "lobby");
        self.log_in(login_of("carol"));
        let login = Login { app_id: other_app_id(), ..login_of("alice") };
        let first = self.log_in(login.clone());
        self.join(first, "lobby");
        let Accepted { session, key, claim, .. } = self.accepted.take().expect("logged in");
        let resume = Some(Resume { session, key, received: 0 });
        self.ask_login(Login { resume, claim, ..login });
        assert!(self.accepted.as_ref().is_some_and(|accepted| accepted.resumed));
    }

    /// A joiner whose window is half full, on a link that is not read.
    fn wait_for_a_welcome(&mut self) {
        let slow = self.log_in(login_of("slow"));
        for _ in 0..=MEMBER_LISTS_WINDOW_BYTES_MAX / PAYLOAD_BYTES_MAX {
            self.unicast(&app_id(), "slow", PAYLOAD_BYTES_MAX);
        }
        self.join(slow, "lobby");
        self.tick();
        self.input(Input::Congested(slow, true));
    }

    /// Output that is sent at the end of the burst only.
    fn leave_a_burst_open(&mut self) {
        let last = self.log_in_and_join("last", "lobby");
        self.tick();
        self.send(last, "alice");
        self.say(last, Frame::Ping);
        assert!(self.server.put_out(self.now, &app_id(), &uid("poster")));
        let (id, payload) = (MessageId(1), Payload::text("hi"));
        self.say(last, Frame::Broadcast { id, room: room("lobby"), payload });
    }

    fn links(&self) -> impl Iterator<Item = LinkId> + use<> {
        (1..=self.last_link).map(LinkId)
    }

    /// Moves time on until the shard has no deadline.
    fn let_all_time_pass(&mut self) {
        while let Some(until) = self.tick() {
            self.now = self.now.max(until);
        }
    }
}

#[test]
fn whole_life_uses_every_store() {
    let mut world = World::new();
    world.live();
    let empty = kept(&world.server).into_iter().filter(|(_, count)| *count == 0);
    let empty: Vec<&str> = empty.map(|(name, _)| name).collect();
    assert_eq!(empty, EMPTY_BETWEEN_INPUTS);
}

#[test]
fn no_entries_remain_after_any_end() {
    let ways: [fn(&mut World); 5] = [
        |_| {},
        |world| world.links().for_each(|link| world.input(Input::Disconnected(link))),
        |world| world.links().for_each(|link| world.say(link, Frame::Logout)),
        |world| world.server.shutdown(world.now, Duration::from_secs(5)),
        |world| {
            world.server.revoke(world.now, &app_id(), None, u32::MAX);
            world.server.revoke(world.now, &other_app_id(), None, u32::MAX);
        },
    ];
    for (way, go) in ways.into_iter().enumerate() {
        let mut world = World::new();
        world.live();
        go(&mut world);
        world.let_all_time_pass();
        assert_eq!(filled(kept(&world.server)), [], "way {way}");
    }
}
