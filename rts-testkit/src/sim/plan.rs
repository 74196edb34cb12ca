//! A run as a list of steps. All chance is in here: the same plan plays the same way, and what is left of it after
//! steps are taken out is a plan too.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use rts_proto::{LoginCode, MessageConfig};

use super::swarm::{CallKind, FaultKind, Swarm};
use crate::Side;

/// Somebody who has an engine; another one after it destroyed the first.
pub(crate) type Slot = usize;

/// Which token somebody shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Good,
    /// Good for so many seconds.
    Brief(u64),
    Expired,
    OfAnotherUser,
    OfAnotherApp,
    CutOff,
    Tampered,
}

/// What a peer without manners does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    Garbage,
    HugeLength,
    SendBeforeLogin,
    LoginTwice,
    FutureAck,
    FallingAck,
    ServersFrames,
    EmptyFrame,
    UnknownKinds,
    ForeignResume,
    ManyJoins,
    FloodOfSends,
    WrongVersion,
    SaysNothing,
}

impl Attack {
    pub(crate) const ALL: [Self; 14] = [
        Self::Garbage,
        Self::HugeLength,
        Self::SendBeforeLogin,
        Self::LoginTwice,
        Self::FutureAck,
        Self::FallingAck,
        Self::ServersFrames,
        Self::EmptyFrame,
        Self::UnknownKinds,
        Self::ForeignResume,
        Self::ManyJoins,
        Self::FloodOfSends,
        Self::WrongVersion,
        Self::SaysNothing,
    ];
}

/// How the network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) latency_ms: u64,
    pub(crate) jitter_ms: u64,
    pub(crate) chunk_bytes: usize,
    pub(crate) is_ragged: bool,
    pub(crate) bytes_per_second: u32,
}

impl Weather {
    pub(crate) const FAIR: Self = Self {
        latency_ms: 10,
        jitter_ms: 0,
        chunk_bytes: usize::MAX,
        is_ragged: false,
        bytes_per_second: 0,
    };

    fn draw(rng: &mut Rng) -> Self {
        Self {
            latency_ms: [1, 5, 30, 100, 500, 2_000][rng.usize(0..6)],
            jitter_ms: [0, 1, 20, 200, 1_000][rng.usize(0..5)],
            chunk_bytes: [1, 7, 100, 1_400, 65_536, usize::MAX][rng.usize(0..6)],
            is_ragged: rng.bool(),
            bytes_per_second: [0, 0, 0, 0, 500, 5_000, 50_000][rng.usize(0..7)],
        }
    }
}

/// A call that nobody should make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nonsense {
    EmptyToken,
    BadUser,
    EmptyReceiver,
    BadReceiver,
    BadRoom,
    RoomTwice,
    BadBusinessId,
}

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Login { who: Slot, token: TokenKind },
    Logout { who: Slot },
    Refresh { who: Slot, token: TokenKind },
    Send { who: Slot, to: usize, bytes: usize, is_binary: bool, config: MessageConfig },
    Status { who: Slot, of: usize },
    Join { who: Slot, room: usize },
    Leave { who: Slot, room: usize },
    DestroyRoom { who: Slot, room: usize },
    Broadcast { who: Slot, room: usize, bytes: usize, is_binary: bool },
    BusinessId { who: Slot, is_empty: bool },
    SendTimeout { who: Slot, ms: u64 },
    Destroy { who: Slot },
    NetworkChanged { who: Slot },
    Nonsense { who: Slot, what: Nonsense },
    Cut { who: Slot },
    CutAll,
    HalfOpen { who: Slot, to: Side },
    Unstick,
    Stall { who: Slot, on: bool },
    Silence { on: bool },
    KeepOut { who: Slot, on: bool },
    RefuseAll { on: bool },
    Freeze { who: Slot, on: bool },
    Crash,
    Drain { retry_after_ms: u64 },
    WallJump { seconds: i64 },
    RotateKey { app: usize, keep_previous: bool },
    VerdictDelay { ms: u64 },
    Refuse { user: usize, code: LoginCode },
    Weather(Weather),
    Attack { app: usize, how: Attack },
}

impl Step {
    /// Whether it is something that an application does.
    pub(crate) fn is_call(&self) -> bool {
        self.slot().is_some()
            && !matches!(
                self,
                Self::Cut { .. }
                    | Self::HalfOpen { .. }
                    | Self::Stall { .. }
                    | Self::KeepOut { .. }
                    | Self::Freeze { .. }
            )
    }

    /// Whom it is about, if it is about one.
    pub(crate) fn slot(&self) -> Option<Slot> {
        match *self {
            Self::Login { who, .. }
            | Self::Logout { who }
            | Self::Refresh { who, .. }
            | Self::Send { who, .. }
            | Self::Status { who, .. }
            | Self::Join { who, .. }
            | Self::Leave { who, .. }
            | Self::DestroyRoom { who, .. }
            | Self::Broadcast { who, .. }
            | Self::BusinessId { who, .. }
            | Self::SendTimeout { who, .. }
            | Self::Destroy { who }
            | Self::NetworkChanged { who }
            | Self::Nonsense { who, .. }
            | Self::Cut { who }
            | Self::HalfOpen { who, .. }
            | Self::Stall { who, .. }
            | Self::KeepOut { who, .. }
            | Self::Freeze { who, .. } => Some(who),
            Self::CutAll
            | Self::Unstick
            | Self::Silence { .. }
            | Self::RefuseAll { .. }
            | Self::Crash
            | Self::Drain { .. }
            | Self::WallJump { .. }
            | Self::RotateKey { .. }
            | Self::VerdictDelay { .. }
            | Self::Refuse { .. }
            | Self::Weather(_)
            | Self::Attack { .. } => None,
        }
    }
}

/// A whole run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) swarm: Swarm,
    /// Each with its moment after the beginning, in order.
    pub(crate) steps: Vec<(Duration, Step)>,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let swarm = Swarm::draw(&mut rng);
        let mut draw = Draw { rng, swarm: &swarm, steps: Vec::new() };
        draw.opening();
        for _ in 0..swarm.calls {
            draw.call();
        }
        if !swarm.fault_weights.is_empty() {
            for _ in 0..swarm.faults {
                draw.fault();
            }
        }
        let mut steps = draw.steps;
        // Stable: what was drawn together stays in its order.
        steps.sort_by_key(|(at, _)| *at);
        Self { seed, swarm, steps }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in &self.steps {
            writeln!(f, "{:9.3} {step:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

struct Draw<'a> {
    rng: Rng,
    swarm: &'a Swarm,
    steps: Vec<(Duration, Step)>,
}

impl Draw<'_> {
    /// Most begin by logging in and joining a room.
    fn opening(&mut self) {
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
        }
    }

    fn moment(&mut self) -> Duration {
        let millis = u64::try_from(self.swarm.duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..millis))
    }

    fn who(&mut self) -> Slot {
        self.rng.usize(0..self.swarm.engines.len())
    }

    /// Mostly the one where the others are.
    fn room(&mut self) -> usize {
        if self.rng.u32(0..4) > 0 { 0 } else { self.rng.usize(0..self.swarm.rooms) }
    }

    /// Whoever is gone comes back, mostly.
    fn return_soon(&mut self, at: Duration, who: Slot, room: usize) {
        if self.rng.u32(0..6) == 0 {
            return;
        }
        let soon = at + Duration::from_millis(self.rng.u64(0..40_000));
        self.steps.push((soon, Step::Login { who, token: TokenKind::Good }));
        let later = soon + Duration::from_millis(self.rng.u64(0..3_000));
        self.steps.push((later, Step::Join { who, room }));
    }

    /// Somebody of the same app, or nobody at all.
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

    fn size(&mut self) -> usize {
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

    fn call(&mut self) {
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

    fn burst(&mut self, at: Duration, who: Slot, room: usize) {
        let (to, count) = (self.user(who), self.rng.u64(2..140));
        let bytes = [20, 20, 1_000, 30_000][self.rng.usize(0..4)];
        let in_room = self.rng.bool();
        let apart_ms = [0, 0, 10, 40][self.rng.usize(0..4)];
        for number in 0..count {
            let at = at + Duration::from_millis(apart_ms * number);
            let is_binary = number % 3 == 0;
            let config = match number % 7 {
                6 => MessageConfig::UnreliableOrdered,
                _ => MessageConfig::ReliableOrdered,
            };
            let step = match in_room {
                true => Step::Broadcast { who, room, bytes, is_binary },
                false => Step::Send { who, to, bytes, is_binary, config },
            };
            self.steps.push((at, step));
        }
    }

    fn fault(&mut self) {
        let (at, who) = (self.moment(), self.who());
        let weights = &self.swarm.fault_weights;
        let kind = pick(&mut self.rng, weights);
        // Mostly short, now and then longer than any grace.
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
            FaultKind::CutAll => Step::CutAll,
            FaultKind::HalfOpen => {
                let to = Side::BOTH[self.rng.usize(0..2)];
                Step::HalfOpen { who, to }
            }
            FaultKind::Zombie => both(Step::HalfOpen { who, to: Side::Server }, Step::Unstick),
            FaultKind::Stall => both(Step::Stall { who, on: true }, Step::Stall { who, on: false }),
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
                let retry_after_ms = self.rng.u64(0..30_000);
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
