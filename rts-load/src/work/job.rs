//! The kinds of load.

use std::time::Duration;

use super::error::RunError;
use crate::client::PAYLOAD_HEAD_BYTES;

/// A job.
#[derive(Clone, Debug)]
pub enum Job {
    /// Messages from senders to receivers, in pairs.
    P2p(P2p),
    /// One speaker, many members.
    Room(Room),
    /// Messages of one sender to many receivers in turn.
    Bot(Bot),
    /// Clients log in, one after another.
    Connect(Connect),
    /// Clients are logged in and idle.
    Idle(Idle),
    /// All clients lose their link at one moment, and reconnect.
    Storm(Storm),
}

/// See [`Job::P2p`].
#[derive(Clone, Debug)]
pub struct P2p {
    /// Senders, each with a receiver of its own.
    pub pairs: usize,
    /// Further clients that are logged in and idle.
    pub idle: usize,
    /// Bytes of a message.
    pub payload_bytes: usize,
    /// When messages are sent.
    pub pace: Pace,
    /// The time before the measurement.
    pub warm_up: Duration,
    /// The time of the measurement.
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
    /// The time before the measurement.
    pub warm_up: Duration,
    /// The time of the measurement.
    pub duration: Duration,
}

/// See [`Job::Bot`].
#[derive(Clone, Debug)]
pub struct Bot {
    /// Receivers. The sender sends to one after the other.
    pub users: usize,
    /// Bytes of a message.
    pub payload_bytes: usize,
    /// When messages are sent.
    pub pace: Pace,
    /// The time before the measurement.
    pub warm_up: Duration,
    /// The time of the measurement.
    pub duration: Duration,
}

/// See [`Job::Connect`].
#[derive(Clone, Debug)]
pub struct Connect {
    /// The number of clients.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
}

/// See [`Job::Idle`].
#[derive(Clone, Debug)]
pub struct Idle {
    /// The number of clients.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
    /// The time for which they stay.
    pub duration: Duration,
}

/// See [`Job::Storm`].
#[derive(Clone, Debug)]
pub struct Storm {
    /// The number of clients.
    pub clients: usize,
    /// Logins that may be under way at once.
    pub at_once: usize,
    /// Whether clients resume their sessions, if the protocol can. Otherwise they log in anew.
    pub resume: bool,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Closed loop: each sender has this number of open messages, and sends the next when one is
    /// done.
    Window(usize),
    /// Open loop: this number a second, over all senders, at planned moments that do not depend on
    /// the server.
    PerSecond(u32),
}

impl Job {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::P2p(_) => "p2p",
            Self::Room(_) => "room",
            Self::Bot(_) => "bot",
            Self::Connect(_) => "connect",
            Self::Idle(_) => "idle",
            Self::Storm(_) => "storm",
        }
    }

    pub(super) fn check(&self) -> Result<(), RunError> {
        let clients = match self {
            Self::P2p(p2p) => p2p.pairs,
            Self::Room(room) => room.members,
            Self::Bot(bot) => bot.users,
            Self::Connect(Connect { clients, at_once })
            | Self::Idle(Idle { clients, at_once, .. })
            | Self::Storm(Storm { clients, at_once, .. }) => *clients.min(at_once),
        };
        if clients == 0 {
            return Err(RunError::Nothing("at least one client is needed"));
        }
        match self {
            Self::P2p(P2p { payload_bytes, pace, .. })
            | Self::Room(Room { payload_bytes, pace, .. })
            | Self::Bot(Bot { payload_bytes, pace, .. }) => {
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
