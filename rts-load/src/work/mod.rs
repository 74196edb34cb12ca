//! What is done to a server. One file for each kind of work.

mod crowd;
mod messages;
mod presence;

use std::time::Duration;

use crate::client::{Client, Floor, Mqtt, Nats, PAYLOAD_HEAD_BYTES, Redis, Relay, Rts};
use crate::machine::ServerProcess;
use crate::net::Net;
use crate::report::Report;
use crate::target::{Scheme, Target};

/// What to do.
#[derive(Clone, Debug)]
pub enum Job {
    /// Messages from senders to receivers, in pairs.
    P2p(P2p),
    /// One speaker, many members.
    Room(Room),
    /// Clients log in, one after another.
    Connect(Connect),
    /// Clients are there and do nothing.
    Idle(Idle),
    /// All clients lose their link in one moment, and come back.
    Storm(Storm),
}

/// See [`Job::P2p`].
#[derive(Clone, Debug)]
pub struct P2p {
    /// Senders, each with a receiver of its own.
    pub pairs: usize,
    /// Clients that are there beside them and do nothing.
    pub idle: usize,
    /// Bytes of a message.
    pub payload_bytes: usize,
    /// When messages are sent.
    pub pace: Pace,
    /// Before it is measured.
    pub warm_up: Duration,
    /// How long it is measured.
    pub duration: Duration,
}

/// See [`Job::Room`].
#[derive(Clone, Debug)]
pub struct Room {
    /// Members beside the speaker.
    pub members: usize,
    /// Bytes of a broadcast.
    pub payload_bytes: usize,
    /// When broadcasts are sent.
    pub pace: Pace,
    /// Before it is measured.
    pub warm_up: Duration,
    /// How long it is measured.
    pub duration: Duration,
}

/// See [`Job::Connect`].
#[derive(Clone, Debug)]
pub struct Connect {
    /// How many.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
}

/// See [`Job::Idle`].
#[derive(Clone, Debug)]
pub struct Idle {
    /// How many.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
    /// How long they are there.
    pub duration: Duration,
}

/// See [`Job::Storm`].
#[derive(Clone, Debug)]
pub struct Storm {
    /// How many.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
    /// Whether they go on with their sessions, where the protocol has that; otherwise they log in
    /// anew.
    pub resume: bool,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Closed loop: each sender has this number under way, and sends the next when one is done.
    Window(usize),
    /// Open loop: this number a second, all senders together, on schedule whatever the server does.
    PerSecond(u32),
}

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Sockets, or waiting for them.
    #[error("{0}; does the server run, and may this process open enough files?")]
    Io(#[from] std::io::Error),
    /// A client lost its link.
    #[error("client {client} of {scheme}: {why}")]
    Lost {
        /// Which.
        client: usize,
        /// Of which protocol.
        scheme: &'static str,
        /// As the server or the system said.
        why: String,
    },
    /// Nothing happened any more.
    #[error("only {ready} of {clients} clients were ready after {}s without progress", STUCK_AFTER.as_secs())]
    Stuck {
        /// So many were.
        ready: usize,
        /// Of so many.
        clients: usize,
    },
    /// There must be somebody, and something to send.
    #[error("{0}")]
    Nothing(&'static str),
}

/// Clients that are not ready by then never will be.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(20);

/// Does a job, and calls `progress` now and then with what is going on and how much of it is done,
/// from 0 to 1.
///
/// # Errors
///
/// No server, a client that was turned away, a job of nothing.
pub fn run(
    target: &Target,
    job: &Job,
    server: Option<ServerProcess>,
    progress: &mut dyn FnMut(&'static str, f64),
) -> Result<Report, RunError> {
    job.check()?;
    match target.scheme {
        Scheme::Rts | Scheme::RtsWebSocket => run_with::<Rts>(target, job, server, progress),
        Scheme::Redis => run_with::<Redis>(target, job, server, progress),
        Scheme::Nats | Scheme::NatsRequest => run_with::<Nats>(target, job, server, progress),
        Scheme::Mqtt0 | Scheme::Mqtt1 | Scheme::MqttRequest => {
            run_with::<Mqtt>(target, job, server, progress)
        }
        Scheme::Relay => run_with::<Relay>(target, job, server, progress),
        Scheme::Floor => run_with::<Floor>(target, job, server, progress),
    }
}

fn run_with<C: Client>(
    target: &Target,
    job: &Job,
    server: Option<ServerProcess>,
    progress: &mut dyn FnMut(&'static str, f64),
) -> Result<Report, RunError> {
    let mut run = Run { net: Net::<C>::new(target.address)?, target, server, progress };
    let report = match job {
        Job::P2p(p2p) => run.p2p(p2p)?,
        Job::Room(room) => run.room(room)?,
        Job::Connect(connect) => run.connect(connect)?,
        Job::Idle(idle) => run.idle(idle)?,
        Job::Storm(storm) => run.storm(storm)?,
    };
    Ok(Report { work: job.name(), scheme: target.scheme.name(), ..report })
}

/// A job that is being done.
struct Run<'a, C> {
    net: Net<C>,
    target: &'a Target,
    server: Option<ServerProcess>,
    progress: &'a mut dyn FnMut(&'static str, f64),
}

impl Job {
    fn name(&self) -> &'static str {
        match self {
            Self::P2p(_) => "p2p",
            Self::Room(_) => "room",
            Self::Connect(_) => "connect",
            Self::Idle(_) => "idle",
            Self::Storm(_) => "storm",
        }
    }

    fn check(&self) -> Result<(), RunError> {
        let clients = match self {
            Self::P2p(p2p) => p2p.pairs,
            Self::Room(room) => room.members,
            Self::Connect(Connect { clients, at_once })
            | Self::Idle(Idle { clients, at_once, .. })
            | Self::Storm(Storm { clients, at_once, .. }) => *clients.min(at_once),
        };
        if clients == 0 {
            return Err(RunError::Nothing("at least one client is needed"));
        }
        match self {
            Self::P2p(P2p { payload_bytes, pace, .. })
            | Self::Room(Room { payload_bytes, pace, .. }) => {
                if *payload_bytes < PAYLOAD_HEAD_BYTES {
                    return Err(RunError::Nothing(
                        "a payload has at least 16 bytes: a time and a number",
                    ));
                }
                match pace {
                    Pace::Window(0) | Pace::PerSecond(0) => {
                        Err(RunError::Nothing("a window, or a rate, of at least 1 is needed"))
                    }
                    Pace::Window(_) | Pace::PerSecond(_) => Ok(()),
                }
            }
            Self::Connect(_) | Self::Idle(_) | Self::Storm(_) => Ok(()),
        }
    }
}
