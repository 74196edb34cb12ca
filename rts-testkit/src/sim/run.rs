//! Plays a plan: the calls and faults, then the healing, then the end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rts_proto::client::Parameters;
use rts_proto::server::Verdict;
use rts_proto::{AppId, Instant, LoginCode, MessageConfig, RoomKey};

use super::attack::Attackers;
use super::oracles::{Oracles, Violation};
use super::plan::{Nonsense, Plan, Slot, Step, TokenKind, Weather};
use super::situations::Situations;
use super::spotter::Spotter;
use super::trace::{Call, Entry, Line, Phase, TokenFacts, Trace};
use super::{model, payload};
use crate::{Happening, Person, World};

/// Within this time after the faults everybody is back.
const HEALED_AFTER: Duration = Duration::from_secs(30);
/// Questions after the healing are answered within this time.
const ASKED_FOR: Duration = Duration::from_secs(5);
/// More messages than a client lets out at once after a return.
const HELD_BACK: usize = 60;
/// Longer than any of them may take.
const HELD_BACK_FOR: Duration = Duration::from_secs(12);
/// Longer than any grace.
const SETTLED_AFTER: Duration = Duration::from_secs(62);
/// Whom one engine asks after the healing, at most: fewer than the rate of status queries.
const PEERS_ASKED: usize = 6;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) violation: Option<Violation>,
    pub(crate) trace: Trace,
    pub(crate) situations: Situations,
    /// Calls that applications made.
    pub(crate) calls: u64,
    pub(crate) simulated: Duration,
}

/// Plays it. A panic is a violation too.
pub(crate) fn play(plan: &Plan, is_shown: bool) -> Played {
    let mut run = Run::new(plan, is_shown);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.play()));
    let violation = match outcome {
        Ok(played) => played.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(format!("I40: panicked: {}", text.unwrap_or_default()))
        }
    };
    Played {
        violation,
        simulated: run.world.now().since(Instant::ORIGIN),
        trace: run.trace,
        situations: run.spotter.counts,
        calls: run.calls,
    }
}

/// Somebody who has an engine.
struct Place {
    person: Person,
    app: usize,
    user: usize,
    rooms: BTreeMap<usize, RoomKey>,
    is_frozen: bool,
}

struct Run<'a> {
    plan: &'a Plan,
    world: World,
    places: Vec<Place>,
    trace: Trace,
    oracles: Oracles,
    spotter: Spotter,
    attackers: Attackers,
    tokens: BTreeMap<Vec<u8>, TokenFacts>,
    keys: BTreeMap<usize, u64>,
    refused: Vec<usize>,
    last_serial: u64,
    calls: u64,
    /// The server is stopping, and no other one is there yet.
    is_draining: bool,
    /// Some link may have more on it than it carries in an hour.
    was_narrow: bool,
}

/// All apps have ids of one length that differ at the end.
fn app_id(app: usize) -> String {
    format!("simulation00000000000{app:03}")
}

fn uid(user: usize) -> String {
    format!("user-{user}")
}

fn room_id(room: usize) -> String {
    format!("room-{room}")
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, is_shown: bool) -> Self {
        Self {
            plan,
            world: World::new(plan.swarm.server(), 0, plan.seed),
            places: Vec::new(),
            trace: Trace::new(is_shown),
            oracles: Oracles::new(),
            spotter: Spotter::default(),
            attackers: Attackers::default(),
            tokens: BTreeMap::new(),
            keys: BTreeMap::new(),
            refused: Vec::new(),
            last_serial: 0,
            calls: 0,
            is_draining: false,
            was_narrow: false,
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        for (app, user) in self.plan.swarm.engines.clone() {
            let person = self.new_engine(app)?;
            let rooms = BTreeMap::new();
            self.places.push(Place { person, app, user, rooms, is_frozen: false });
        }
        let plan = self.plan;
        for (at, step) in &plan.steps {
            self.run_until(Instant::ORIGIN + *at)?;
            self.take(*step)?;
        }
        self.run_until(Instant::ORIGIN + plan.swarm.duration)?;
        self.heal()?;
        self.ask()?;
        self.settle()?;
        self.end()
    }

    fn new_engine(&mut self, app: usize) -> Result<Person, Violation> {
        let person = self.world.add(&app_id(app), Parameters::default());
        self.note(Entry::Engine { who: person, app })?;
        Ok(person)
    }

    fn run_until(&mut self, moment: Instant) -> Result<(), Violation> {
        let wait = self.world.until(moment);
        self.world.run_for(wait);
        self.collect()
    }

    fn run_for(&mut self, time: Duration) -> Result<(), Violation> {
        self.run_until(self.world.now() + time)
    }

    fn note(&mut self, entry: Entry) -> Result<(), Violation> {
        self.note_at(self.world.now(), entry)
    }

    fn note_at(&mut self, at: Instant, entry: Entry) -> Result<(), Violation> {
        let line = Line { at, entry };
        self.spotter.see(&self.oracles.model, &line);
        let seen = self.oracles.see(&line);
        self.trace.push(line);
        seen
    }

    /// Brings what happened in the world into the trace.
    fn collect(&mut self) -> Result<(), Violation> {
        for (at, happening) in self.world.take_log() {
            let entry = match happening {
                Happening::Event(who, event) => Entry::Event { who, event },
                Happening::Dialled(who) => Entry::Dialled { who },
                // No app of a run has a back end that wants to know.
                Happening::Reported(_) => continue,
                Happening::Closed(who, code) => {
                    if self.attackers.is_one(who) {
                        self.spotter.attacker_closed(code);
                        continue;
                    }
                    Entry::Closed { who, code }
                }
                Happening::Judged(asked, _) if self.attackers.is_its_name(&asked.uid) => continue,
                Happening::Judged(asked, verdict) => {
                    let number = asked.app_id.as_str().get(21..).and_then(|n| n.parse().ok());
                    let code = match verdict {
                        Verdict::Accept { .. } => LoginCode::Ok,
                        Verdict::Refuse(code) => code,
                    };
                    Entry::Judged {
                        app: number.unwrap_or(usize::MAX),
                        uid: asked.uid.as_str().to_owned(),
                        facts: self.tokens.get(&asked.token[..]).copied(),
                        wall: self.world.wall_seconds_at(at),
                        code,
                    }
                }
            };
            self.note_at(at, entry)?;
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), Violation> {
        if let Some(slot) = step.slot()
            && step.is_call()
        {
            // A process that stands still calls nothing.
            if self.places[slot].is_frozen {
                return Ok(());
            }
            return self.call(slot, step);
        }
        self.note(Entry::Fault(step))?;
        self.fault(step)?;
        self.collect()?;
        self.gauge()
    }

    fn made(&mut self, who: Person, call: Call, returned: i64) -> Result<(), Violation> {
        self.calls += 1;
        // What the engine called back is in the log and comes after the call that caused it.
        self.note(Entry::Call { who, call, returned })?;
        self.collect()
    }

    fn call(&mut self, slot: Slot, step: Step) -> Result<(), Violation> {
        let Place { person: who, app, user, .. } = self.places[slot];
        match step {
            Step::Login { token, .. } => {
                let token = self.token(slot, token);
                self.login(who, &token, uid(user))
            }
            Step::Logout { .. } => {
                self.world.call(who, |engine, now| engine.logout(now));
                self.made(who, Call::Logout, 0)?;
                self.note(Entry::Returned { who })
            }
            Step::Refresh { token, .. } => {
                let token = self.token(slot, token);
                self.world.call(who, |engine, now| engine.update_login_token(now, &token));
                self.made(who, Call::Refresh, 0)
            }
            Step::Send { to, bytes, is_binary, config, .. } => {
                self.send(who, uid(to), bytes, is_binary, config)
            }
            Step::Status { of, .. } => self.ask_status(who, uid(of)),
            Step::Join { room, .. } => {
                let key = match self.places[slot].rooms.get(&room) {
                    Some(key) => *key,
                    None => {
                        let Some(key) = self.create_room(who, room_id(room))? else {
                            return Ok(());
                        };
                        self.places[slot].rooms.insert(room, key);
                        key
                    }
                };
                let joined = self.world.call(who, |engine, now| engine.join_room(now, key));
                let returned = joined.map_or_else(|error| error.code().into(), |()| 0);
                self.made(who, Call::JoinRoom { key }, returned)
            }
            Step::Leave { room, .. } => {
                let Some(key) = self.places[slot].rooms.get(&room).copied() else { return Ok(()) };
                self.world.call(who, |engine, now| engine.leave_room(now, key));
                self.made(who, Call::LeaveRoom { key }, 0)
            }
            Step::DestroyRoom { room, .. } => {
                let Some(key) = self.places[slot].rooms.remove(&room) else { return Ok(()) };
                self.world.call(who, |engine, now| engine.destroy_room(now, key));
                self.made(who, Call::DestroyRoom { key }, 0)?;
                self.note(Entry::Returned { who })?;
                // The handle is dead for good, and says so.
                self.broadcast(who, key, app, 20, false)
            }
            Step::Broadcast { room, bytes, is_binary, .. } => {
                let Some(key) = self.places[slot].rooms.get(&room).copied() else { return Ok(()) };
                self.broadcast(who, key, app, bytes, is_binary)
            }
            Step::BusinessId { is_empty, .. } => {
                let id = if is_empty { "" } else { "a.tag" };
                self.set_business_id(who, id)
            }
            Step::SendTimeout { ms, .. } => {
                let json = format!("{{\"sendTimeoutMs\":{ms}}}");
                let set = self.world.call(who, |e, now| e.set_runtime_parameters(now, &json));
                // Below the least time there is it is ignored, with a warning.
                let in_bounds = Duration::from_millis(ms) >= Parameters::MIN;
                if in_bounds {
                    return self.made(who, Call::SetSendTimeout { ms }, i64::from(set.is_err()));
                }
                self.world.take_events(who);
                Ok(())
            }
            Step::Destroy { .. } => {
                self.destroy(who)?;
                let person = self.new_engine(app)?;
                self.places[slot].person = person;
                self.places[slot].rooms.clear();
                Ok(())
            }
            Step::NetworkChanged { .. } => {
                self.world.call(who, |engine, now| {
                    engine.handle_input(now, rts_proto::client::Input::NetworkChanged);
                });
                self.made(who, Call::NetworkChanged, 0)
            }
            Step::Nonsense { what, .. } => self.nonsense(slot, what),
            _ => Ok(()),
        }
    }

    fn login(&mut self, who: Person, token: &str, uid: String) -> Result<(), Violation> {
        let done = self.world.call(who, |engine, now| engine.login(now, token, &uid));
        let returned = done.map_or_else(|error| error.code().into(), |()| 0);
        self.made(who, Call::Login { uid, token_is_empty: token.is_empty() }, returned)
    }

    fn send(
        &mut self,
        who: Person,
        to: String,
        bytes: usize,
        is_binary: bool,
        config: MessageConfig,
    ) -> Result<(), Violation> {
        let app = self.oracles.model.engines[who].app;
        self.last_serial += 1;
        let serial = self.last_serial;
        let content = payload::make(app, serial, bytes, is_binary);
        let sent = self.world.call(who, |e, now| e.send_message(now, &to, content, config));
        let returned = sent.map_or_else(|error| error.code().into(), |id| id.0.cast_signed());
        self.made(who, Call::Send { to, serial, bytes, is_binary, config }, returned)
    }

    fn broadcast(
        &mut self,
        who: Person,
        key: RoomKey,
        app: usize,
        bytes: usize,
        is_binary: bool,
    ) -> Result<(), Violation> {
        self.last_serial += 1;
        let serial = self.last_serial;
        let content = payload::make(app, serial, bytes, is_binary);
        let sent = self.world.call(who, |e, now| e.send_room_message(now, key, content));
        let returned = sent.map_or_else(|error| error.code().into(), |id| id.0.cast_signed());
        self.made(who, Call::Broadcast { key, serial, bytes, is_binary }, returned)
    }

    fn ask_status(&mut self, who: Person, uid: String) -> Result<(), Violation> {
        self.world.call(who, |engine, now| engine.get_peer_online_status(now, &uid));
        self.made(who, Call::Status { uid }, 0)
    }

    fn create_room(&mut self, who: Person, room: String) -> Result<Option<RoomKey>, Violation> {
        let made = self.world.call(who, |engine, now| engine.create_room(now, &room));
        let returned = made.map_or_else(|error| error.code().into(), |key| key.0.cast_signed());
        self.made(who, Call::CreateRoom { room }, returned)?;
        Ok(made.ok())
    }

    fn set_business_id(&mut self, who: Person, id: &str) -> Result<(), Violation> {
        let set = self.world.call(who, |engine, _| engine.set_business_id(id));
        let returned = set.map_or_else(|error| error.code().into(), |()| 0);
        let is_good = rts_proto::BusinessId::new(id).is_ok() || id.is_empty();
        self.made(who, Call::SetBusinessId { is_good }, returned)
    }

    fn destroy(&mut self, who: Person) -> Result<(), Violation> {
        self.world.call(who, |engine, now| engine.destroy(now));
        self.made(who, Call::Destroy, 0)?;
        self.note(Entry::Returned { who })
    }

    fn nonsense(&mut self, slot: Slot, what: Nonsense) -> Result<(), Violation> {
        let Place { person: who, user, .. } = self.places[slot];
        match what {
            Nonsense::EmptyToken => self.login(who, "", uid(user)),
            Nonsense::BadUser => {
                let token = self.token(slot, TokenKind::Good);
                self.login(who, &token, "not a user".to_owned())
            }
            Nonsense::EmptyReceiver => {
                self.send(who, String::new(), 20, false, MessageConfig::ReliableOrdered)
            }
            Nonsense::BadReceiver => {
                self.send(who, "not a user".to_owned(), 20, false, MessageConfig::ReliableOrdered)
            }
            Nonsense::BadRoom => self.create_room(who, "no.room".to_owned()).map(drop),
            Nonsense::RoomTwice => {
                let room = self.places[slot].rooms.keys().next().copied().unwrap_or(0);
                let made = self.create_room(who, room_id(room))?;
                if let Some(key) = made {
                    self.places[slot].rooms.insert(room, key);
                }
                Ok(())
            }
            Nonsense::BadBusinessId => self.set_business_id(who, "not a tag"),
        }
    }

    /// A token, and what there is to know of it.
    fn token(&mut self, slot: Slot, kind: TokenKind) -> String {
        let Place { app, user, .. } = self.places[slot];
        let other = (0..self.places.len()).find(|other| self.places[*other].app != app);
        let (app, user) = match (kind, other) {
            (TokenKind::OfAnotherApp, Some(other)) => (self.places[other].app, user),
            (TokenKind::OfAnotherUser | TokenKind::OfAnotherApp, _) => (app, user + 1),
            _ => (app, user),
        };
        let wall = self.world.wall_seconds();
        let expire_at = match kind {
            TokenKind::Brief(seconds) => wall + seconds,
            TokenKind::Expired => wall.saturating_sub(10).max(1),
            _ => 0,
        };
        let seconds = u32::try_from(expire_at).unwrap_or(u32::MAX);
        let app_id = AppId::new(&app_id(app)).expect("an app id");
        let mut token = self.world.token_of(&app_id, &uid(user), seconds);
        match kind {
            TokenKind::CutOff => token.truncate(token.len() - 8),
            TokenKind::Tampered => {
                // In the signed bytes: a letter for another one.
                let at = token.len() / 2;
                let swapped = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                token.replace_range(at..=at, swapped);
            }
            _ => {}
        }
        let is_damaged = matches!(kind, TokenKind::CutOff | TokenKind::Tampered);
        let key = self.keys.get(&app).copied().unwrap_or(0);
        let facts = TokenFacts { app, user, expire_at, key, is_damaged };
        self.tokens.insert(token.clone().into_bytes(), facts);
        token
    }

    fn fault(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Cut { who } => self.world.cut(self.places[who].person),
            Step::CutAll => self.world.cut_all(),
            Step::HalfOpen { who, to } => self.world.half_open(self.places[who].person, to),
            Step::Unstick => self.world.unstick(),
            Step::Stall { who, on: true } => self.world.stall(self.places[who].person),
            Step::Stall { who, on: false } => self.world.unstall(self.places[who].person),
            Step::Silence { on } => self.world.net.is_silent = on,
            Step::KeepOut { who, on: true } => self.world.keep_out(self.places[who].person),
            Step::KeepOut { who, on: false } => self.world.let_in(self.places[who].person),
            Step::RefuseAll { on } => self.world.net.refuses = on,
            Step::Freeze { who, on } => self.freeze(who, on)?,
            Step::Crash => self.restart(),
            Step::Drain { retry_after_ms } => {
                self.is_draining = true;
                self.world.shut_down_server(Duration::from_millis(retry_after_ms));
            }
            Step::WallJump { seconds } => self.world.jump_wall(seconds),
            Step::RotateKey { app, keep_previous } => {
                if let Some(place) = self.places.iter().find(|place| place.app == app) {
                    self.world.rotate_key(place.person, keep_previous);
                    *self.keys.entry(app).or_default() += 1;
                }
            }
            Step::VerdictDelay { ms } => self.world.verdict_delay = Duration::from_millis(ms),
            Step::Refuse { user, code } => {
                self.refused.push(user);
                self.world.refuse(&uid(user), code);
            }
            Step::Weather(weather) => self.set_weather(weather),
            Step::Attack { app, how } => {
                let now = self.world.now();
                self.attackers.attack(&mut self.world, now, &app_id(app), how);
            }
            _ => {}
        }
        Ok(())
    }

    fn set_weather(&mut self, weather: Weather) {
        self.was_narrow |= weather.bytes_per_second > 0;
        let net = &mut self.world.net;
        net.latency = Duration::from_millis(weather.latency_ms);
        net.jitter = Duration::from_millis(weather.jitter_ms);
        net.chunk_bytes = weather.chunk_bytes;
        net.is_ragged = weather.is_ragged;
        net.bytes_per_second = weather.bytes_per_second;
    }

    fn freeze(&mut self, slot: Slot, on: bool) -> Result<(), Violation> {
        let place = &mut self.places[slot];
        if place.is_frozen == on {
            return Ok(());
        }
        place.is_frozen = on;
        let who = place.person;
        self.note(Entry::Frozen { who, on })?;
        if on {
            self.world.freeze(who);
        } else {
            self.world.thaw(who);
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.is_draining = false;
        self.world.restart_server(self.plan.swarm.server());
    }

    /// All faults stop, and everybody who wants to be logged in gets a good token.
    fn heal(&mut self) -> Result<(), Violation> {
        self.attackers.leave(&mut self.world)?;
        self.set_weather(Weather::FAIR);
        self.world.unstick();
        self.world.net.is_silent = false;
        self.world.net.refuses = false;
        self.world.verdict_delay = Duration::ZERO;
        for user in std::mem::take(&mut self.refused) {
            self.world.refuse(&uid(user), LoginCode::Ok);
        }
        if self.is_draining {
            self.restart();
        }
        // A wider link is another link: what is on a narrow one stays as slow as it was written.
        if self.was_narrow {
            self.world.cut_all();
        }
        self.note(Entry::Phase(Phase::Healing))?;
        // Engines that were destroyed still have goodbyes on their way.
        for who in 0..self.oracles.model.engines.len() {
            self.world.unstall(who);
            self.world.let_in(who);
        }
        for slot in 0..self.places.len() {
            let who = self.places[slot].person;
            self.freeze(slot, false)?;
            self.collect()?;
            let json = "{\"sendTimeoutMs\":10000}";
            let _ = self.world.call(who, |e, now| e.set_runtime_parameters(now, json));
            self.made(who, Call::SetSendTimeout { ms: 10_000 }, 0)?;
            let token = self.token(slot, TokenKind::Good);
            self.world.call(who, |engine, now| engine.update_login_token(now, &token));
            self.made(who, Call::Refresh, 0)?;
        }
        self.run_for(HEALED_AFTER)?;
        self.note(Entry::Phase(Phase::Healed))
    }

    /// Everybody speaks to everybody, and in every room; before that, over links that have just broken, to itself, more
    /// than the server takes at once.
    fn ask(&mut self) -> Result<(), Violation> {
        let live: Vec<(Person, usize, String)> = (0..model_apps(&self.places))
            .flat_map(|app| {
                let live = self.oracles.model.live(app);
                live.map(move |(who, uid)| (who, app, uid.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        self.world.cut_all();
        self.run_for(Duration::from_millis(1))?;
        for (who, _, own) in &live {
            for _ in 0..HELD_BACK {
                self.send(*who, own.clone(), 20, false, MessageConfig::ReliableOrdered)?;
            }
        }
        self.run_for(HELD_BACK_FOR)?;
        for (index, (who, app, _)) in live.iter().enumerate() {
            let peers = live.iter().cycle().skip(index).take(live.len());
            let peers = peers.filter(|(_, other, _)| other == app).take(PEERS_ASKED);
            for (_, _, peer) in peers {
                self.send(*who, peer.clone(), 40, false, MessageConfig::ReliableOrdered)?;
                self.ask_status(*who, peer.clone())?;
            }
            let engine: &model::Engine = &self.oracles.model.engines[*who];
            let rooms: Vec<RoomKey> = engine.joined().map(|(key, _)| key).collect();
            for key in rooms {
                self.broadcast(*who, key, *app, 40, true)?;
            }
        }
        self.run_for(ASKED_FOR)?;
        self.note(Entry::Phase(Phase::Asked))
    }

    fn settle(&mut self) -> Result<(), Violation> {
        self.run_for(SETTLED_AFTER)?;
        self.note(Entry::Phase(Phase::Settled))?;
        self.gauge()
    }

    /// Some log out first, all are destroyed, and nothing is left.
    fn end(&mut self) -> Result<(), Violation> {
        for slot in 0..self.places.len() {
            let who = self.places[slot].person;
            if slot % 2 == 0 {
                self.call(slot, Step::Logout { who: slot })?;
            }
            self.destroy(who)?;
        }
        self.run_for(SETTLED_AFTER)?;
        self.note(Entry::Phase(Phase::Empty))?;
        self.gauge()
    }

    fn gauge(&mut self) -> Result<(), Violation> {
        let mut open_questions = 0;
        for who in 0..self.oracles.model.engines.len() {
            open_questions += self.world.call(who, |engine, _| engine.open_questions());
        }
        let server = self.world.stats();
        let open_links = self.world.net.open_links();
        self.note(Entry::Gauges { server, open_links, open_questions })
    }
}

fn model_apps(places: &[Place]) -> usize {
    places.iter().map(|place| place.app + 1).max().unwrap_or(0)
}
