//! A run as a list of steps. All random choices are made here. One plan always gives one run, and a
//! plan without some of its steps is a plan too.

mod calm;
mod cluster;
mod command;
mod draining;
mod draw;
mod harm;
mod journeys;
mod kinds;
mod outages;
mod removal;
mod storm;

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use rts_proto::{LoginCode, MessageConfig};
use rts_testkit::{Break, Manner, Side};

pub(crate) use command::{Banned, Command};
pub(crate) use kinds::{Act, Attack, Nonsense, ParamsKind, TokenKind, Weather};

use super::shape::{Shape, Size};
use super::swarm::Swarm;
use draw::Draw;

/// The slot of an engine. After `destroy`, a new engine takes the slot.
pub(crate) type Slot = usize;

/// One step of a run.
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
    ServerParams { who: Slot, kind: ParamsKind },
    ServerSend { who: Slot, bytes: usize, is_binary: bool },
    Command { app: usize, command: Command },
    Destroy { who: Slot },
    NetworkChanged { who: Slot },
    Nonsense { who: Slot, what: Nonsense },
    Cut { who: Slot },
    Hop { who: Slot, node: usize },
    BreakOff { who: Slot, to: Side, bytes: u64, how: Break },
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
    AppServer { manner: Manner, delay_ms: u64, answers_late: bool },
    Attack { app: usize, how: Attack },
    Harmed { number: usize, act: Act },
    NodeStarts { node: usize },
    NodeCrashes { node: usize, is_certified: bool },
    NodeDrains { node: usize, links_per_second: u32 },
    NodeReopens { node: usize },
    NodeRetires { node: usize, links_per_second: u32, patience_ms: u64 },
    NodePauses { node: usize, ms: u64 },
    NodesPart { one_side: u8, ms: u64 },
    NodesMute { nodes: u8, ms: u64 },
    RegisterDown { ms: u64 },
    RegisterAway { node: usize, ms: u64 },
    RegisterForgets { changes: usize },
    BusAway { is_up: bool },
    NodeWallJump { node: usize, seconds: i64 },
    NodeBus { node: usize, is_up: bool },
}

impl Step {
    /// The app server without faults.
    pub(crate) const USUAL_APP_SERVER: Self =
        Self::AppServer { manner: Manner::Echoes, delay_ms: 5, answers_late: false };

    /// Whether the step is a call of an application.
    pub(crate) fn is_call(&self) -> bool {
        self.slot().is_some()
            && !matches!(
                self,
                Self::Cut { .. }
                    | Self::Hop { .. }
                    | Self::BreakOff { .. }
                    | Self::HalfOpen { .. }
                    | Self::Stall { .. }
                    | Self::KeepOut { .. }
                    | Self::Freeze { .. }
            )
    }

    /// The slot that the step is about, if there is one.
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
            | Self::ServerParams { who, .. }
            | Self::ServerSend { who, .. }
            | Self::Destroy { who }
            | Self::NetworkChanged { who }
            | Self::Nonsense { who, .. }
            | Self::Cut { who }
            | Self::Hop { who, .. }
            | Self::BreakOff { who, .. }
            | Self::HalfOpen { who, .. }
            | Self::Stall { who, .. }
            | Self::KeepOut { who, .. }
            | Self::Freeze { who, .. } => Some(who),
            Self::Command { .. }
            | Self::CutAll
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
            | Self::AppServer { .. }
            | Self::Attack { .. }
            | Self::Harmed { .. }
            | Self::NodeStarts { .. }
            | Self::NodeCrashes { .. }
            | Self::NodeDrains { .. }
            | Self::NodeReopens { .. }
            | Self::NodeRetires { .. }
            | Self::NodePauses { .. }
            | Self::NodesPart { .. }
            | Self::NodesMute { .. }
            | Self::RegisterDown { .. }
            | Self::RegisterAway { .. }
            | Self::RegisterForgets { .. }
            | Self::BusAway { .. }
            | Self::NodeWallJump { .. }
            | Self::NodeBus { .. } => None,
        }
    }
}

/// A whole run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) swarm: Swarm,
    /// The steps in order, each with its time since the beginning.
    pub(crate) steps: Vec<(Duration, Step)>,
}

impl Plan {
    pub(crate) fn draw(seed: u64, size: Size) -> Self {
        let mut rng = Rng::with_seed(seed);
        let shape = Shape::draw(seed, size);
        let swarm = Swarm::draw(seed, &mut rng, &mut Rng::with_seed(!seed), shape);
        if swarm.is_calm {
            let (mut steps, duration) = calm::steps(seed, &swarm);
            steps.sort_by_key(|(at, _)| *at);
            return Self { seed, swarm: Swarm { duration, ..swarm }, steps };
        }
        let mut draw = Draw { rng, swarm: &swarm, steps: Vec::new() };
        draw.opening();
        for _ in 0..swarm.calls {
            draw.call();
        }
        if swarm.is_crowd() {
            draw.storms();
        }
        if !swarm.fault_weights.is_empty() {
            for _ in 0..swarm.faults {
                draw.fault();
            }
        }
        if let Some(harm) = swarm.harm {
            draw.harmed(harm);
        }
        let mut steps = draw.steps;
        if swarm.shape.is_cluster() {
            steps.retain(|(_, step)| !cluster::is_missing(step));
            steps.extend(cluster::steps(seed, &swarm));
            steps.extend(journeys::steps(seed, &swarm));
            steps.extend(outages::steps(seed, &swarm));
            steps.extend(draining::steps(seed, &swarm));
        }
        // The sort is stable, so simultaneous steps stay in the order in which they were drawn.
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
