//! All random choices of a run.

use std::time::Duration;

use fastrand::Rng;
use rts_proto::{LoginCode, MessageConfig};
use rts_testkit::{Break, Manner, Side};

use super::{Attack, Command, Nonsense, ParamsKind, Slot, Step, TokenKind, Weather};
use crate::swarm::{CallKind, FaultKind, Swarm};

pub(super) struct Draw<'a> {
    pub(super) rng: Rng,
    pub(super) swarm: &'a Swarm,
    pub(super) steps: Vec<(Duration, Step)>,
}

impl Draw<'_> {
    /// Most begin by logging in and joining a room.
    pub(super) fn opening(&mut self) {
        for who in 0..self.swarm.engines.len() {
            if self.rng.u32(0..10) > 0 {
                let at = Duration::from_millis(self.rng.u64(0..500));
                self.steps.push((at, Step::Login { who, token: TokenKind::Good }));
            }
            if self.rng.u32(0..10) > 1 {
                let at = Duration::from_millis(self.rng.u64(400..3_000));
                let room = self.room();
                self.steps.push((at, Step::Join { who, room }));
            }
            let at = Duration::from_millis(self.rng.u64(400..3_000));
            self.params_too(at, who);
        }
    }

    /// Most engines that will send to the app server set their params first.
    fn params_too(&mut self, at: Duration, who: Slot) {
        if self.has(CallKind::ServerSend) && self.rng.u32(0..10) > 1 {
            self.steps.push((at, Step::ServerParams { who, kind: ParamsKind::Good }));
        }
    }

    fn has(&self, wanted: CallKind) -> bool {
        self.swarm.call_weights.iter().any(|(kind, _)| *kind == wanted)
    }

    pub(super) fn moment(&mut self) -> Duration {
        let millis = u64::try_from(self.swarm.duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..millis))
    }

    fn who(&mut self) -> Slot {
        self.rng.usize(0..self.swarm.engines.len())
    }

    /// A room, mostly the one with the most members.
    fn room(&mut self) -> usize {
        if self.rng.u32(0..4) > 0 { 0 } else { self.rng.usize(0..self.swarm.rooms) }
    }

    /// An engine that is gone mostly returns.
    fn return_soon(&mut self, at: Duration, who: Slot, room: usize) {
        if self.rng.u32(0..6) == 0 {
            return;
        }
        let soon = at + Duration::from_millis(self.rng.u64(0..40_000));
        self.steps.push((soon, Step::Login { who, token: TokenKind::Good }));
        let later = soon + Duration::from_millis(self.rng.u64(0..3_000));
        self.steps.push((later, Step::Join { who, room }));
        self.params_too(later, who);
    }

    /// A user of the same app, or one that does not exist.
    fn user(&mut self, who: Slot) -> usize {
        let (app, _) = self.swarm.engines[who];
        for _ in 0..4 {
            let (other_app, user) = self.swarm.engines[self.who()];
            if other_app == app {
                return user;
            }
        }
        self.rng.usize(0..=self.swarm.engines.len())
    }

    pub(super) fn size(&mut self) -> usize {
        match self.rng.u32(0..200) {
            0 => [0, 1, 65_535, 65_536, 65_537, 300_000][self.rng.usize(0..6)],
            1..4 => self.rng.usize(0..65_536),
            4..20 => self.rng.usize(100..2_000),
            _ => self.rng.usize(14..60),
        }
    }

    fn token(&mut self) -> TokenKind {
        let bad = self.swarm.fault_weights.iter().any(|(kind, _)| *kind == FaultKind::BadTokens);
        if !bad || self.rng.bool() {
            return TokenKind::Good;
        }
        match self.rng.u32(0..10) {
            0 => TokenKind::Expired,
            1 => TokenKind::OfAnotherUser,
            2 => TokenKind::OfAnotherApp,
            3 => TokenKind::CutOff,
            4 => TokenKind::Tampered,
            _ => TokenKind::Brief(self.rng.u64(0..300)),
        }
    }

    fn config(&mut self) -> MessageConfig {
        [MessageConfig::UnreliableOrdered, MessageConfig::UnreliableUnordered][self.rng.usize(0..2)]
    }

    pub(super) fn call(&mut self) {
        let (at, who) = (self.moment(), self.who());
        let weights = &self.swarm.call_weights;
        let kind = pick(&mut self.rng, weights);
        let room = self.room();
        let is_binary = self.rng.u32(0..3) == 0;
        let step = match kind {
            CallKind::Login => Step::Login { who, token: self.token() },
            CallKind::Logout => {
                self.return_soon(at, who, room);
                Step::Logout { who }
            }
            CallKind::Refresh => Step::Refresh { who, token: self.token() },
            CallKind::Send => Step::Send {
                who,
                to: self.user(who),
                bytes: self.size(),
                is_binary,
                config: MessageConfig::ReliableOrdered,
            },
            CallKind::SendUnreliable => Step::Send {
                who,
                to: self.user(who),
                bytes: self.size(),
                is_binary,
                config: self.config(),
            },
            CallKind::Burst => return self.burst(at, who, room),
            CallKind::Status => Step::Status { who, of: self.user(who) },
            CallKind::Join => Step::Join { who, room },
            CallKind::Leave => {
                let back = [0, 0, 5, 20, 3_000, 30_000][self.rng.usize(0..6)];
                let soon = at + Duration::from_millis(back);
                if self.rng.u32(0..3) > 0 {
                    self.steps.push((soon, Step::Join { who, room }));
                }
                Step::Leave { who, room }
            }
            CallKind::DestroyRoom => {
                let soon = at + Duration::from_millis(self.rng.u64(0..5_000));
                self.steps.push((soon, Step::Join { who, room }));
                Step::DestroyRoom { who, room }
            }
            CallKind::Broadcast => Step::Broadcast { who, room, bytes: self.size(), is_binary },
            CallKind::BusinessId => Step::BusinessId { who, is_empty: self.rng.bool() },
            CallKind::Parameters => {
                Step::SendTimeout { who, ms: [1, 500, 3_000, 10_000, 20_000][self.rng.usize(0..5)] }
            }
            CallKind::ServerParams => Step::ServerParams { who, kind: self.params() },
            CallKind::ServerSend => Step::ServerSend { who, bytes: self.size(), is_binary },
            CallKind::BackEndMessage => return self.back_end_messages(at, who, room),
            CallKind::BackEndRemoval => {
                let (app, _) = self.swarm.engines[who];
                let user = self.user(who);
                let command = self.removal(at, app, user, room);
                Step::Command { app, command }
            }
            CallKind::BackEndQuestion => {
                let (app, _) = self.swarm.engines[who];
                let command = match self.rng.bool() {
                    true => Command::Status { of: self.user(who) },
                    false => Command::Members { room },
                };
                Step::Command { app, command }
            }
            CallKind::Destroy => {
                self.return_soon(at, who, room);
                Step::Destroy { who }
            }
            CallKind::NetworkChanged => Step::NetworkChanged { who },
            CallKind::Nonsense => {
                let all = [
                    Nonsense::EmptyToken,
                    Nonsense::BadUser,
                    Nonsense::EmptyReceiver,
                    Nonsense::BadReceiver,
                    Nonsense::BadRoom,
                    Nonsense::RoomTwice,
                    Nonsense::BadBusinessId,
                ];
                Step::Nonsense { who, what: all[self.rng.usize(0..all.len())] }
            }
        };
        self.steps.push((at, step));
    }

    /// Mostly one message, and sometimes more than the server's rate.
    fn back_end_messages(&mut self, at: Duration, who: Slot, room: usize) {
        let (app, _) = self.swarm.engines[who];
        let (bytes, is_binary) = (self.size(), self.rng.bool());
        let to = self.user(who);
        let (first, few) = (self.rng.usize(0..3), self.rng.usize(1..5));
        let (command, times) = match self.rng.u32(0..120) {
            0 => (Command::RoomUnicast { room, first: 0, count: 601, bytes: 20, is_binary }, 1),
            1 => (Command::RoomUnicast { room, first: 0, count: 400, bytes: 20, is_binary }, 2),
            2 => (Command::Broadcast { room, bytes: 20, is_binary }, 110),
            3..40 => (Command::Unicast { to, bytes, is_binary }, 1),
            40..80 => (Command::Broadcast { room, bytes, is_binary }, 1),
            _ => (Command::RoomUnicast { room, first, count: few, bytes, is_binary }, 1),
        };
        self.steps.extend((0..times).map(|_| (at, Step::Command { app, command })));
    }

    fn params(&mut self) -> ParamsKind {
        match self.rng.u32(0..12) {
            0..5 => ParamsKind::Good,
            5..8 => ParamsKind::OfThisApp,
            8 => ParamsKind::OfAnotherApp,
            9 => ParamsKind::NotListed,
            10 => ParamsKind::NoSignature,
            _ => ParamsKind::NoUrl,
        }
    }

    fn burst(&mut self, at: Duration, who: Slot, room: usize) {
        let to = self.user(who);
        // Sometimes more than an engine accepts, or than a window holds.
        let (count, bytes) = match self.rng.u32(0..24) {
            0 => (self.rng.u64(700..2_300), 20),
            1 => (self.rng.u64(30..140), 65_536),
            _ => (self.rng.u64(2..140), [20, 20, 1_000, 30_000][self.rng.usize(0..4)]),
        };
        // To a user, to a room, or to the app server.
        let whither = self.rng.u32(0..if self.has(CallKind::ServerSend) { 3 } else { 2 });
        let apart_ms = [0, 0, 10, 40][self.rng.usize(0..4)];
        for number in 0..count {
            let at = at + Duration::from_millis(apart_ms * number);
            let is_binary = number % 3 == 0;
            let config = match number % 7 {
                6 => MessageConfig::UnreliableOrdered,
                _ => MessageConfig::ReliableOrdered,
            };
            let step = match whither {
                0 => Step::Send { who, to, bytes, is_binary, config },
                1 => Step::Broadcast { who, room, bytes, is_binary },
                _ => Step::ServerSend { who, bytes, is_binary },
            };
            self.steps.push((at, step));
        }
    }

    /// Unreliable messages to an engine that does not read, until its link is congested.
    fn flood(&mut self, at: Duration, to: Slot) {
        let (app, user) = self.swarm.engines[to];
        let who = self.who();
        if who == to || self.swarm.engines[who].0 != app {
            return;
        }
        let config = self.config();
        for number in 0..90 {
            let at = at + Duration::from_millis(100 + number);
            let send = Step::Send { who, to: user, bytes: 60_000, is_binary: true, config };
            self.steps.push((at, send));
        }
    }

    pub(super) fn fault(&mut self) {
        let (at, who) = (self.moment(), self.who());
        let weights = &self.swarm.fault_weights;
        let kind = pick(&mut self.rng, weights);
        // Mostly short, and sometimes longer than any grace period.
        let millis = match self.rng.u32(0..4) {
            0 => self.rng.u64(1..1_000),
            1 | 2 => self.rng.u64(1_000..16_000),
            _ => self.rng.u64(16_000..120_000),
        };
        let until = at + Duration::from_millis(millis);
        let mut both = |on: Step, off: Step| {
            self.steps.push((until, off));
            on
        };
        let step = match kind {
            FaultKind::Cut => Step::Cut { who },
            FaultKind::BreakOff => {
                let to = Side::BOTH[self.rng.usize(0..2)];
                let most = [400, 4_000, 60_000][self.rng.usize(0..3)];
                // The fault `HalfOpen` covers the third kind of break, silence.
                let how = if self.rng.bool() { Break::Closed } else { Break::Reset };
                Step::BreakOff { who, to, bytes: self.rng.u64(0..most), how }
            }
            FaultKind::CutAll => Step::CutAll,
            FaultKind::HalfOpen => {
                let to = Side::BOTH[self.rng.usize(0..2)];
                Step::HalfOpen { who, to }
            }
            FaultKind::Zombie => both(Step::HalfOpen { who, to: Side::Server }, Step::Unstick),
            FaultKind::Stall => {
                let (on, off) = (Step::Stall { who, on: true }, Step::Stall { who, on: false });
                let on = both(on, off);
                if self.rng.u32(0..4) == 0 {
                    self.flood(at, who);
                }
                on
            }
            FaultKind::Silence => both(Step::Silence { on: true }, Step::Silence { on: false }),
            FaultKind::KeepOut => {
                both(Step::KeepOut { who, on: true }, Step::KeepOut { who, on: false })
            }
            FaultKind::Refuse => {
                self.steps.push((at, Step::Cut { who }));
                self.steps.push((until, Step::RefuseAll { on: false }));
                Step::RefuseAll { on: true }
            }
            FaultKind::Freeze => {
                both(Step::Freeze { who, on: true }, Step::Freeze { who, on: false })
            }
            FaultKind::Crash => Step::Crash,
            FaultKind::Drain => {
                // The longest back-off of 5 s is added to this delay. Both and a login must fit
                // into the time to heal.
                let retry_after_ms = self.rng.u64(0..24_000);
                both(Step::Drain { retry_after_ms }, Step::Crash)
            }
            FaultKind::WallJump => {
                let all = [-300_000_000, -3_600, -1, 1, 60, 3_600, 300_000_000];
                Step::WallJump { seconds: all[self.rng.usize(0..all.len())] }
            }
            FaultKind::RotateKey => {
                let (app, _) = self.swarm.engines[who];
                Step::RotateKey { app, keep_previous: self.rng.bool() }
            }
            FaultKind::BadTokens => {
                let token = self.token();
                Step::Refresh { who, token }
            }
            FaultKind::SlowVerdicts => {
                let ms = [10, 300, 2_000, 6_000][self.rng.usize(0..4)];
                both(Step::VerdictDelay { ms }, Step::VerdictDelay { ms: 0 })
            }
            FaultKind::Refusals => {
                let (_, user) = self.swarm.engines[who];
                let all = [LoginCode::ServerError, LoginCode::BadUserId, LoginCode::Unknown];
                let code = all[self.rng.usize(0..3)];
                both(Step::Refuse { user, code }, Step::Refuse { user, code: LoginCode::Ok })
            }
            FaultKind::Weather => {
                let weather = Weather::draw(&mut self.rng);
                self.steps.push((until, Step::Weather(Weather::FAIR)));
                Step::Weather(weather)
            }
            FaultKind::AppServer => {
                let manner = Manner::ALL[self.rng.usize(0..Manner::ALL.len())];
                let delay_ms = [0, 5, 300, 3_000, 4_990, 5_000, 6_000][self.rng.usize(0..7)];
                let answers_late = self.rng.bool();
                self.steps.push((until, Step::USUAL_APP_SERVER));
                Step::AppServer { manner, delay_ms, answers_late }
            }
            FaultKind::Attack => {
                let (app, _) = self.swarm.engines[who];
                Step::Attack { app, how: Attack::ALL[self.rng.usize(0..Attack::ALL.len())] }
            }
            FaultKind::Rivals => {
                for (other, rival) in self.swarm.engines.iter().enumerate() {
                    if *rival == self.swarm.engines[who] {
                        let soon = at + Duration::from_millis(self.rng.u64(0..100));
                        let login = Step::Login { who: other, token: TokenKind::Good };
                        self.steps.push((at, Step::Logout { who: other }));
                        self.steps.push((soon, login));
                    }
                }
                return;
            }
        };
        self.steps.push((at, step));
    }
}

fn pick<K: Copy>(rng: &mut Rng, weights: &[(K, u32)]) -> K {
    let total: u32 = weights.iter().map(|(_, weight)| *weight).sum();
    let mut drawn = rng.u32(0..total.max(1));
    for (kind, weight) in weights {
        match drawn.checked_sub(*weight) {
            Some(rest) => drawn = rest,
            None => return *kind,
        }
    }
    weights[0].0
}
