//! The configuration that a seed expands to: the kinds of calls and faults, their frequency, and
//! the number of engines.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use rts_proto::server;
use rts_testkit::Side;

use super::names::app_id;
use super::shape::Shape;

/// The most engines of a run without a crowd.
pub const ENGINES_MAX: usize = 24;
/// The engines of a crowd, which are all cut off together.
pub const CROWD: RangeInclusive<usize> = 130..=200;
/// One run in this many has a crowd.
const CROWD_IN: u32 = 40;
/// One other run in this many has links that change bytes.
const HARM_IN: u32 = 10;
/// One run of a cluster in this many has nothing that goes wrong: nodes drain, one after the other.
const CALM_IN: u32 = 16;
/// Apps of one run. Users and rooms have the same names in all of them.
pub const APPS_MAX: usize = 3;
/// The number of apps with reports, from the first on.
pub(crate) const APPS_REPORTED: usize = 2;
/// Rooms of one app.
pub const ROOMS_MAX: usize = 4;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}

kinds! {
    /// The calls of applications and back ends.
    CallKind {
        /// `login`
        Login,
        /// `logout`
        Logout,
        /// `updateLoginToken`
        Refresh,
        /// A reliable message.
        Send,
        /// An unreliable message.
        SendUnreliable,
        /// Many messages at one moment.
        Burst,
        /// `getPeerOnlineStatus`
        Status,
        /// `createRoom` and `joinRoom`
        Join,
        /// `leaveRoom`
        Leave,
        /// `destroy` of a room
        DestroyRoom,
        /// A broadcast.
        Broadcast,
        /// `setBusinessId`
        BusinessId,
        /// `setRuntimeParameters`
        Parameters,
        /// `setServerParams`
        ServerParams,
        /// `sendServerMessage` and `sendServerBinaryMessage`
        ServerSend,
        /// The back end of an app sends to users, in rooms, and to members.
        BackEndMessage,
        /// The back end kicks, dismisses, bans, and lifts bans.
        BackEndRemoval,
        /// The back end asks for online statuses and for the members of rooms.
        BackEndQuestion,
        /// `destroy`, and another engine in its place
        Destroy,
        /// The device reports a changed network.
        NetworkChanged,
        /// Calls with invalid arguments.
        Nonsense,
    }
}

kinds! {
    /// What goes wrong.
    FaultKind {
        /// A link breaks.
        Cut,
        /// A link breaks off in the middle of what is written.
        BreakOff,
        /// Every link breaks at one moment.
        CutAll,
        /// One direction of a link is dead.
        HalfOpen,
        /// The bytes of a dead link arrive late, perhaps after the link was replaced.
        Zombie,
        /// No bytes pass for one engine.
        Stall,
        /// No bytes pass for any engine.
        Silence,
        /// Connecting fails for one engine.
        KeepOut,
        /// Connecting fails for everybody.
        Refuse,
        /// A process is frozen.
        Freeze,
        /// The server is lost with all its state.
        Crash,
        /// The server shuts down in an orderly way, and another one takes its place.
        Drain,
        /// The wall clock is set.
        WallJump,
        /// Tokens are signed with another key.
        RotateKey,
        /// Tokens that expire soon, are for others, or are truncated.
        BadTokens,
        /// Judging a token takes a while.
        SlowVerdicts,
        /// The server cannot check tokens, or refuses a user.
        Refusals,
        /// Latency, jitter, chunks and bandwidth change.
        Weather,
        /// The app server gives an invalid answer, a late one, half of one, or none.
        AppServer,
        /// A peer that breaks the rules of the protocol.
        Attack,
        /// Two engines log in as one user at about the same time.
        Rivals,
    }
}

/// The configuration of one run.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Engines, each with the number of its app and of its user.
    pub engines: Vec<(usize, usize)>,
    /// Rooms in use.
    pub rooms: usize,
    /// The length of the phase with faults.
    pub duration: Duration,
    /// The approximate number of calls in that phase.
    pub calls: usize,
    /// The approximate number of faults in that phase.
    pub faults: usize,
    /// The calls that occur, and their frequency relative to each other.
    pub call_weights: Vec<(CallKind, u32)>,
    /// The faults that occur, and their frequency relative to each other.
    pub fault_weights: Vec<(FaultKind, u32)>,
    /// The rates of the server, relative to the contract's; 0 is no limit.
    pub rate: u32,
    /// Members of one room.
    pub room_members_max: usize,
    /// The side with a newer version, if any.
    pub newer: Option<Side>,
    /// The engines whose links change bytes, if any.
    pub harm: Option<Harm>,
    /// The shards of the server.
    pub shape: Shape,
    /// Whether nodes drain and nothing goes wrong.
    pub is_calm: bool,
}

/// Links that change bytes in transit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harm {
    /// Engines with such links, beside all others.
    pub engines: usize,
    /// The number of changed bytes of a million.
    pub per_million: u32,
}

impl Harm {
    fn draw(apart: &mut Rng) -> Self {
        let per_million = [1, 10, 100, 1_000, 10_000][apart.usize(0..5)];
        Self { engines: apart.usize(1..=3), per_million }
    }
}

impl Swarm {
    /// The configuration of a seed. `rng` then draws the steps. Draws from `apart` do not affect
    /// the steps.
    pub(crate) fn draw(seed: u64, rng: &mut Rng, apart: &mut Rng, shape: Shape) -> Self {
        let is_calm =
            Rng::with_seed(seed.rotate_left(4) ^ 0xCA11_CA11_CA11_CA11).u32(0..CALM_IN) == 0;
        let drawn = Self::draw_usual(rng, apart, shape);
        if is_calm && shape.is_cluster() { drawn.calmed() } else { drawn }
    }

    fn draw_usual(rng: &mut Rng, apart: &mut Rng, shape: Shape) -> Self {
        let apps = 1 + rng.usize(0..APPS_MAX);
        let engines = match rng.u32(0..20) {
            0 => rng.usize(12..=ENGINES_MAX),
            1..6 => rng.usize(6..12),
            _ => rng.usize(2..6),
        };
        // Sometimes fewer users than engines, so that logins displace each other.
        let users = if rng.u32(0..3) == 0 { 1 + engines / 2 } else { engines };
        let engine = |index: usize| (index % apps, (index / apps) % users);
        let calls = match rng.u32(0..10) {
            0 => rng.usize(10..100),
            1..8 => rng.usize(200..2_000),
            _ => rng.usize(2_000..6_000),
        };
        let minutes = match rng.u32(0..10) {
            0..4 => rng.u64(1..4),
            4..8 => rng.u64(4..12),
            _ => rng.u64(12..36),
        };
        let faults = match rng.u32(0..8) {
            0 => 0,
            1..6 => rng.usize(1..40),
            _ => rng.usize(40..200),
        };
        let swarm = Self {
            engines: (0..engines).map(engine).collect(),
            rooms: 1 + rng.usize(0..ROOMS_MAX),
            duration: Duration::from_secs(minutes * 60),
            calls,
            faults,
            call_weights: call_weights(rng),
            fault_weights: subset(rng, FaultKind::ALL, |_| 1),
            rate: [0, 0, 1, 1, 1][rng.usize(0..5)],
            room_members_max: if rng.u32(0..10) == 0 { 2 } else { 10_000 },
            newer: (apart.u32(0..8) == 0).then(|| Side::BOTH[apart.usize(0..2)]),
            harm: None,
            shape,
            is_calm: false,
        };
        if apart.u32(0..CROWD_IN) == 0 {
            return swarm.crowded(apart);
        }
        let harm = (apart.u32(0..HARM_IN) == 0).then(|| Harm::draw(apart));
        Self { harm, ..swarm }
    }

    /// Many users of one app, who send little and have no faults but storms.
    fn crowded(self, apart: &mut Rng) -> Self {
        Self {
            engines: (0..apart.usize(CROWD)).map(|user| (0, user)).collect(),
            duration: Duration::from_secs(apart.u64(1..4) * 60),
            calls: apart.usize(20..200),
            faults: apart.usize(1..4),
            call_weights: vec![(CallKind::Send, 4), (CallKind::Status, 1), (CallKind::Login, 1)],
            fault_weights: Vec::new(),
            // All users send at once in the end.
            rate: 0,
            room_members_max: 10_000,
            ..self
        }
    }

    /// Users of one app, of whom each has one engine, in a cluster whose nodes drain.
    fn calmed(self) -> Self {
        let engines = self.engines.len().min(ENGINES_MAX);
        Self {
            engines: (0..engines).map(|user| (0, user)).collect(),
            rooms: 1,
            faults: 0,
            call_weights: Vec::new(),
            fault_weights: Vec::new(),
            rate: 0,
            room_members_max: 10_000,
            newer: None,
            harm: None,
            shape: self.shape.calmed(),
            is_calm: true,
            ..self
        }
    }

    pub(crate) fn is_crowd(&self) -> bool {
        self.engines.len() > ENGINES_MAX
    }

    /// Whether the server has rates.
    pub(crate) fn has_rates(&self) -> bool {
        self.rate > 0
    }

    /// The server's configuration.
    pub(crate) fn server(&self) -> server::Config {
        let mut config = server::Config::default();
        config.room_members_max =
            NonZeroUsize::new(self.room_members_max).expect("a room has room");
        config.reported_apps = (0..APPS_REPORTED).map(app_id).collect();
        config.sends_per_second *= self.rate;
        config.broadcasts_per_second *= self.rate;
        config.backend_sends_per_second *= self.rate;
        config.server_sends_per_second *= self.rate;
        config.status_queries_per_second *= self.rate;
        config.joins_per_second *= self.rate;
        config.logins_per_second *= self.rate;
        config.room_broadcasts_per_second *= self.rate;
        config.large_room_broadcasts_per_second *= self.rate;
        config
    }
}

/// Logins and sends occur in every run, or nothing would happen.
fn call_weights(rng: &mut Rng) -> Vec<(CallKind, u32)> {
    let usual = |kind| match kind {
        CallKind::Send => 30,
        CallKind::Broadcast => 20,
        CallKind::ServerSend => 12,
        CallKind::SendUnreliable | CallKind::Status | CallKind::BackEndMessage => 6,
        CallKind::Login | CallKind::Join => 5,
        CallKind::Burst | CallKind::Leave | CallKind::ServerParams => 2,
        CallKind::Refresh
        | CallKind::BackEndRemoval
        | CallKind::BackEndQuestion
        | CallKind::Logout
        | CallKind::DestroyRoom
        | CallKind::BusinessId
        | CallKind::Parameters
        | CallKind::Destroy
        | CallKind::NetworkChanged
        | CallKind::Nonsense => 1,
    };
    let mut weights = subset(rng, CallKind::ALL, usual);
    for needed in [CallKind::Login, CallKind::Send] {
        if !weights.iter().any(|(kind, _)| *kind == needed) {
            weights.push((needed, usual(needed)));
        }
    }
    weights
}

/// Each kind occurs with a chance that is drawn too, with about its usual weight.
fn subset<K: Copy>(rng: &mut Rng, all: &[K], usual: impl Fn(K) -> u32) -> Vec<(K, u32)> {
    let of_ten = rng.u32(2..=10);
    let mut chosen = Vec::new();
    for kind in all {
        if rng.u32(0..10) < of_ten {
            chosen.push((*kind, usual(*kind) * rng.u32(1..=4)));
        }
    }
    chosen
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apps = self.engines.iter().map(|(app, _)| app + 1).max().unwrap_or(0);
        let users = self.engines.iter().map(|(_, user)| user + 1).max().unwrap_or(0);
        writeln!(
            f,
            "{} engines of {users} users in {apps} apps, {} rooms each of at most {} members",
            self.engines.len(),
            self.rooms,
            self.room_members_max,
        )?;
        let rates = if self.rate == 0 { "no rates" } else { "the contract's rates" };
        let minutes = self.duration.as_secs() / 60;
        writeln!(
            f,
            "{minutes} min, about {} calls and {} faults, {rates}",
            self.calls, self.faults
        )?;
        match self.newer {
            None => {}
            Some(Side::Client) => writeln!(f, "the engines are of a newer version")?,
            Some(Side::Server) => writeln!(f, "the server is of a newer version")?,
        }
        if let Some(Harm { engines, per_million }) = self.harm {
            writeln!(f, "{engines} more whose links change {per_million} bytes of a million")?;
        }
        writeln!(f, "{}", self.shape)?;
        writeln!(f, "calls: {:?}", self.call_weights)?;
        write!(f, "faults: {:?}", self.fault_weights)
    }
}
