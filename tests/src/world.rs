//! The cores, and what moves between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{self, Client, Event, Parameters, RoomEvent};
use rts_proto::limits::{FRAME_BYTES_MAX, WINDOW_BYTES_MAX};
use rts_proto::server::{self, Server, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, LinkId, LoginCode, MessageConfig, Payload, RoomKey};

use crate::net::{Arrival, Net, Side};

/// A run of more steps than this does not end by itself.
const STEPS_MAX: usize = 1_000_000;
/// The token that the server takes; all others are refused.
const GOOD_TOKEN: &str = "good";

/// How a driver goes about its work. None of it may change what happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// Ticks only those whose deadline has come; otherwise everybody at every step.
    pub ticks_late: bool,
    /// Takes an engine's outputs only when everything that arrived has been fed in. (A server that is
    /// drained late gets its verdicts late, which is another input.)
    pub drains_late: bool,
}

/// One user's engine, by its place in the world.
pub type Person = usize;

/// One server, its engines, and the time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    /// What can go wrong.
    pub net: Net,
    /// How the drivers work.
    pub habits: Habits,
    server: Server,
    engines: Vec<Client>,
    /// What each engine called back, in order, with the time.
    events: Vec<Vec<(Instant, Event)>>,
    /// Links are numbered by each engine; the network and the server number them anew.
    routes: BTreeMap<LinkId, (Person, LinkId)>,
    last_claim: u64,
    /// Whom the server does not let in, by user id, and the code that it says.
    refusals: BTreeMap<String, LoginCode>,
    tokens: BTreeSet<String>,
    frozen: BTreeSet<Person>,
    kept_out: BTreeSet<Person>,
}

impl World {
    /// A server with this configuration, and engines for users of one app. `seed` feeds all jitter.
    #[must_use]
    pub fn new(config: server::Config, engines: usize, seed: u64) -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("24 characters");
        let engine = |index: usize| {
            let config =
                client::Config { app_id: app_id.clone(), parameters: Parameters::default() };
            Client::new(config, seed.wrapping_mul(31).wrapping_add(index as u64))
        };
        Self {
            now: Instant::ORIGIN,
            net: Net::new(),
            habits: Habits::default(),
            server: Server::new(config, seed),
            engines: (0..engines).map(engine).collect(),
            events: vec![Vec::new(); engines],
            routes: BTreeMap::new(),
            last_claim: 0,
            refusals: BTreeMap::new(),
            tokens: BTreeSet::from([GOOD_TOKEN.to_owned()]),
            frozen: BTreeSet::new(),
            kept_out: BTreeSet::new(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The server's figures.
    #[must_use]
    pub fn stats(&self) -> server::Stats {
        self.server.stats()
    }

    /// Lets this token in, or no longer.
    pub fn accept_token(&mut self, token: &str, accepted: bool) {
        if accepted {
            self.tokens.insert(token.to_owned());
        } else {
            self.tokens.remove(token);
        }
    }

    /// The server refuses this user with this code; `Ok` lets it in again.
    pub fn refuse(&mut self, uid: &str, code: LoginCode) {
        self.refusals.insert(uid.to_owned(), code);
    }

    /// Makes a call on an engine.
    pub fn call<R>(&mut self, who: Person, call: impl FnOnce(&mut Client, Instant) -> R) -> R {
        let returned = call(&mut self.engines[who], self.now);
        self.drain_engine(who);
        returned
    }

    /// Logs in with the good token, and waits for the result.
    pub fn log_in(&mut self, who: Person, uid: &str) {
        self.call(who, |engine, now| engine.login(now, GOOD_TOKEN, uid)).expect("login");
        self.run_for(Duration::from_millis(200));
        assert!(self.engines[who].is_logged_in(), "{:?}", self.events[who]);
    }

    /// A reliable text; its number.
    pub fn send(&mut self, who: Person, to: &str, text: &str) -> u64 {
        self.send_as(who, to, Payload::text(text), MessageConfig::ReliableOrdered)
    }

    /// Any message; its number.
    pub fn send_as(
        &mut self,
        who: Person,
        to: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> u64 {
        self.call(who, |engine, now| engine.send_message(now, to, payload, config)).expect("send").0
    }

    /// Creates and joins a room, and waits for it.
    pub fn join(&mut self, who: Person, room: &str) -> RoomKey {
        let key = self.call(who, |engine, now| engine.create_room(now, room)).expect("room");
        self.call(who, |engine, now| engine.join_room(now, key)).expect("join");
        self.run_for(Duration::from_millis(200));
        key
    }

    /// A text to a room; its number.
    pub fn broadcast(&mut self, who: Person, room: RoomKey, text: &str) -> u64 {
        let payload = Payload::text(text);
        self.call(who, |engine, now| engine.send_room_message(now, room, payload)).expect("room").0
    }

    /// Breaks every link of this engine.
    pub fn cut(&mut self, who: Person) {
        for (link, (person, _)) in &self.routes {
            if *person == who {
                self.net.cut(self.now, *link);
            }
        }
    }

    /// Breaks this engine's links and lets it make no new one.
    pub fn keep_out(&mut self, who: Person) {
        self.kept_out.insert(who);
        self.cut(who);
    }

    /// Lets the engine make links again.
    pub fn let_in(&mut self, who: Person) {
        self.kept_out.remove(&who);
    }

    /// This engine's process stops for ever, and nobody is told.
    pub fn freeze(&mut self, who: Person) {
        self.frozen.insert(who);
    }

    /// A server that has forgotten everything takes the place of this one.
    pub fn restart_server(&mut self, config: server::Config) {
        for link in self.routes.keys() {
            self.net.cut(self.now, *link);
        }
        self.server = Server::new(config, self.now.as_micros());
    }

    /// Moves the clock on, and does all that happens in the meantime.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..STEPS_MAX {
            while let Some((link, side, arrival)) = self.net.take(self.now) {
                self.arrive(link, side, arrival);
            }
            self.tick();
            let next = self.next_moment().filter(|next| *next <= end);
            match next {
                Some(next) => self.now = self.now.max(next),
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("still busy at {} after {STEPS_MAX} steps", self.now);
    }

    /// What an engine called back since this was asked last.
    pub fn take_events(&mut self, who: Person) -> Vec<Event> {
        std::mem::take(&mut self.events[who]).into_iter().map(|(_, event)| event).collect()
    }

    /// The same with the time of each.
    pub fn take_timed_events(&mut self, who: Person) -> Vec<(Instant, Event)> {
        std::mem::take(&mut self.events[who])
    }

    /// The texts that an engine received from users, in order, since events were taken.
    #[must_use]
    pub fn texts(&self, who: Person) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::MessageReceived { payload: Payload::Text(text), .. } => Some(text.to_string()),
            _ => None,
        };
        self.events[who].iter().filter_map(|(_, event)| text(event)).collect()
    }

    /// The texts that an engine received in rooms, in order, since events were taken.
    #[must_use]
    pub fn room_texts(&self, who: Person) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Room {
                event: RoomEvent::MessageReceived { payload: Payload::Text(text), .. },
                ..
            } => Some(text.to_string()),
            _ => None,
        };
        self.events[who].iter().filter_map(|(_, event)| text(event)).collect()
    }

    /// The results that an engine got for messages to users: number and code.
    #[must_use]
    pub fn results(&self, who: Person) -> Vec<(u64, u32)> {
        let result = |event: &Event| match event {
            Event::MessageSendResult { id, code } => Some((id.0, code.code())),
            _ => None,
        };
        self.events[who].iter().filter_map(|(_, event)| result(event)).collect()
    }

    /// The connection states that an engine reported.
    #[must_use]
    pub fn states(&self, who: Person) -> Vec<(Instant, u32)> {
        let state = |(at, event): &(Instant, Event)| match event {
            Event::ConnectionStateChanged(state) => Some((*at, state.code())),
            _ => None,
        };
        self.events[who].iter().filter_map(state).collect()
    }

    fn next_moment(&mut self) -> Option<Instant> {
        let awake: Vec<_> =
            (0..self.engines.len()).filter(|who| !self.frozen.contains(who)).collect();
        let engines: Vec<_> =
            awake.into_iter().filter_map(|who| self.engine_deadline(who)).collect();
        let server = self.server_deadline();
        engines.into_iter().chain(server).chain(self.net.next_arrival()).min()
    }

    fn tick(&mut self) {
        self.drain_server();
        if self.is_due(Self::server_deadline) {
            self.server.handle_input(self.now, server::Input::Tick);
            self.drain_server();
            let next = self.server_deadline();
            assert!(next.is_none_or(|next| next > self.now), "{:?}", self.server.wake_reason());
        }
        for who in 0..self.engines.len() {
            self.drain_engine(who);
            if self.frozen.contains(&who) || !self.is_due(|world| world.engine_deadline(who)) {
                continue;
            }
            self.engines[who].handle_input(self.now, client::Input::Tick);
            self.drain_engine(who);
            let next = self.engine_deadline(who);
            assert!(
                next.is_none_or(|next| next > self.now),
                "{:?}",
                self.engines[who].wake_reason()
            );
            let stored = self.engines[who].stored_bytes();
            assert!(stored <= WINDOW_BYTES_MAX + FRAME_BYTES_MAX, "{stored} bytes");
        }
        self.drain_server();
    }

    fn is_due(&mut self, deadline: impl Fn(&mut Self) -> Option<Instant>) -> bool {
        !self.habits.ticks_late || deadline(self).is_some_and(|deadline| deadline <= self.now)
    }

    fn server_deadline(&mut self) -> Option<Instant> {
        match self.server.poll_output() {
            server::Output::Wait(deadline) => deadline,
            other => panic!("not drained: {other:?}"),
        }
    }

    fn engine_deadline(&mut self, who: Person) -> Option<Instant> {
        match self.engines[who].poll_output() {
            client::Output::Wait(deadline) => deadline,
            other => panic!("not drained: {other:?}"),
        }
    }

    fn arrive(&mut self, link: LinkId, side: Side, arrival: Arrival) {
        let Some((who, own)) = self.routes.get(&link).copied() else { return };
        if side == Side::Client && self.frozen.contains(&who) {
            return;
        }
        match (side, arrival) {
            (Side::Server, Arrival::Bytes(bytes)) => {
                self.server.handle_input(self.now, server::Input::Received(link, bytes));
            }
            (Side::Server, Arrival::End) => {
                self.server.handle_input(self.now, server::Input::Disconnected(link));
            }
            (Side::Client, Arrival::Bytes(bytes)) => {
                self.engines[who].handle_input(self.now, client::Input::Received(own, bytes));
            }
            (Side::Client, Arrival::End) => {
                self.engines[who].handle_input(self.now, client::Input::Disconnected(own));
            }
        }
        self.drain_server();
        if !self.habits.drains_late {
            self.drain_engine(who);
        }
    }

    fn drain_engine(&mut self, who: Person) {
        loop {
            match self.engines[who].poll_output() {
                client::Output::Connect(own) => self.connect(who, own),
                client::Output::Transmit(own, bytes) => {
                    if let Some(link) = self.find(who, own) {
                        self.net.write(self.now, link, Side::Server, bytes);
                    }
                }
                client::Output::Disconnect(own) => {
                    if let Some(link) = self.find(who, own) {
                        self.net.close(self.now, link, Side::Client);
                    }
                }
                client::Output::Event(event) => self.events[who].push((self.now, event)),
                client::Output::Wait(_) => return,
            }
        }
    }

    fn connect(&mut self, who: Person, own: LinkId) {
        if self.net.refuses || self.kept_out.contains(&who) {
            self.engines[who].handle_input(self.now, client::Input::Disconnected(own));
            return;
        }
        if self.net.is_silent {
            return;
        }
        // By engine and attempt, so that what arrives at one moment arrives in one order, whenever
        // the engines were drained.
        let link = LinkId(own.0 * self.engines.len() as u64 + who as u64);
        self.routes.insert(link, (who, own));
        self.net.open(link);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&link.0.to_le_bytes());
        self.server.handle_input(self.now, server::Input::Accepted(link, ResumeKey(key)));
        self.drain_server();
        self.engines[who].handle_input(self.now, client::Input::Connected(own));
    }

    fn find(&self, who: Person, own: LinkId) -> Option<LinkId> {
        self.routes.iter().rev().find(|(_, route)| **route == (who, own)).map(|(link, _)| *link)
    }

    fn drain_server(&mut self) {
        loop {
            match self.server.poll_output() {
                server::Output::Transmit(link, bytes) => {
                    self.net.write(self.now, link, Side::Client, bytes);
                }
                server::Output::Disconnect(link, _) => {
                    self.net.close(self.now, link, Side::Server);
                }
                server::Output::Authenticate(login, credentials) => {
                    let verdict = self.judge(&credentials);
                    self.server.handle_input(self.now, server::Input::Verdict(login, verdict));
                }
                server::Output::Wait(_) => return,
            }
        }
    }

    fn judge(&mut self, credentials: &server::Credentials) -> Verdict {
        match self.refusals.get(credentials.uid.as_str()) {
            None | Some(LoginCode::Ok) => {}
            Some(code) => return Verdict::Refuse(*code),
        }
        let token = String::from_utf8_lossy(&credentials.token);
        if !self.tokens.contains(&*token) {
            return Verdict::Refuse(LoginCode::InvalidToken);
        }
        self.last_claim = (self.last_claim + 1).max(self.now.as_micros());
        Verdict::Accept { claim: self.last_claim }
    }
}
