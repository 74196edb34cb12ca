//! The trace of a run. The oracles judge the trace alone.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::{CommandError, PostProgress, Report, Stats};
use rts_proto::{
    BroadcastCode, CallId, CloseCode, Instant, LoginCode, MessageConfig, MessageId, OnlineStatus,
    Payload, RoomKey,
};
use rts_testkit::{EngineIndex, Side};

use super::newer::Unknown;
use super::peer_entry::PeerEntry;
use super::plan::{Command, ParamsKind, Step};

/// Lines that a report shows.
pub(crate) const LINES_SHOWN: usize = 200;

/// The facts about a token, known because the run made it. None of them come from a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenFacts {
    pub(crate) app: usize,
    pub(crate) user: usize,
    /// Unix time in seconds; 0 is never.
    pub(crate) expire_at: u64,
    pub(crate) issued_at: u32,
    /// The number of rotations of the app's key at the time of the signature.
    pub(crate) key: u64,
    pub(crate) is_damaged: bool,
}

/// A call of an application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Login {
        uid: String,
        token_is_empty: bool,
    },
    Logout,
    Refresh,
    Send {
        to: String,
        serial: u64,
        bytes: usize,
        is_binary: bool,
        config: MessageConfig,
    },
    Status {
        uid: String,
    },
    CreateRoom {
        room: String,
    },
    JoinRoom {
        key: RoomKey,
    },
    LeaveRoom {
        key: RoomKey,
    },
    /// The returned results of the broadcasts that were open.
    DestroyRoom {
        key: RoomKey,
        results: Vec<(MessageId, BroadcastCode)>,
    },
    Broadcast {
        key: RoomKey,
        serial: u64,
        bytes: usize,
        is_binary: bool,
    },
    SetBusinessId {
        is_good: bool,
    },
    SetSendTimeout {
        ms: u64,
    },
    /// The signature holds the serial.
    SetServerParams {
        serial: u64,
        kind: ParamsKind,
        url: String,
    },
    ServerSend {
        serial: u64,
        bytes: usize,
        is_binary: bool,
    },
    Destroy,
    NetworkChanged,
}

/// A post of the server to the app server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) app: usize,
    pub(crate) uid: String,
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) signature: String,
    pub(crate) payload: Payload,
}

/// The server's answer to a command of a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Queued for this number of sessions.
    Queued(usize),
    Refused(CommandError),
    /// Ended this number of memberships.
    Ended(usize),
    /// Ended this number of sessions, with tokens from before this second of Unix time.
    Revoked {
        issued_before: u32,
        ended: usize,
    },
    Status(OnlineStatus),
    Members(Option<Vec<String>>),
    /// A node of a cluster did not answer.
    Unanswered,
}

/// A user with a session, or a room, that a shard knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) app: usize,
    pub(crate) name: String,
    pub(crate) is_room: bool,
    pub(crate) shard: usize,
    /// Whether the shard may act. One that may not has what it had when its lease ended.
    pub(crate) acts: bool,
    /// The shard that must have it. In a cluster, users may be anywhere, and so may rooms while
    /// their homes move.
    pub(crate) home: Option<usize>,
}

/// What is lost with nodes that were removed from the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The numbers of the nodes, which their shards have.
    pub(crate) nodes: Vec<usize>,
    /// The users of an app whose homes were in them.
    pub(crate) users: BTreeSet<(usize, String)>,
    /// The rooms of an app whose homes were in them.
    pub(crate) rooms: BTreeSet<(usize, String)>,
}

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// The faults have stopped: from here on, everything must come right.
    Healing,
    /// Everything must have come right. The questions that follow must succeed.
    Healed,
    /// The questions are answered.
    Asked,
    /// Every grace period is over; the server's state must agree with the engines'.
    Settled,
    /// All engines are gone, and every grace period is over.
    Empty,
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A new engine of this app.
    Engine {
        who: EngineIndex,
        app: usize,
    },
    /// The value that the call returned, such as an id.
    Call {
        who: EngineIndex,
        call: Call,
        returned: i64,
    },
    /// The events before this entry were called back before the call returned.
    Returned {
        who: EngineIndex,
    },
    Event {
        who: EngineIndex,
        event: Event,
    },
    Judged {
        app: usize,
        uid: String,
        facts: Option<TokenFacts>,
        wall: u64,
        code: LoginCode,
    },
    Closed {
        who: EngineIndex,
        code: Option<CloseCode>,
    },
    Dialled {
        who: EngineIndex,
    },
    /// An engine has a new session.
    SessionBegan {
        who: EngineIndex,
    },
    Frozen {
        who: EngineIndex,
        on: bool,
    },
    /// Frames on the engine's present link do not arrive any more.
    WayUpDead {
        who: EngineIndex,
    },
    /// The engine's link became congested, or is no longer congested.
    Congested {
        who: EngineIndex,
        on: bool,
    },
    TargetChecked {
        app: usize,
        url: String,
        is_allowed: bool,
    },
    Posted {
        call: CallId,
        /// The number of the node that makes the post.
        node: usize,
        post: Posted,
    },
    AppServerSaid {
        call: CallId,
        progress: PostProgress,
    },
    PostAbandoned {
        call: CallId,
    },
    /// A back end asks a node of a cluster to carry out a command. `Commanded` follows. It revokes
    /// tokens from before this second of Unix time, if it does.
    Requested {
        app: usize,
        serial: u64,
        command: Command,
        issued_before: u32,
    },
    /// A command of a back end was carried out. A message holds its serial.
    Commanded {
        app: usize,
        serial: u64,
        command: Command,
        answer: Answer,
    },
    /// A report to a back end.
    Reported {
        app: usize,
        report: Report,
    },
    /// An extension of a newer version arrived at an engine or the server.
    Unknown {
        at: Side,
        what: Unknown,
    },
    /// The link of an engine moves to another shard.
    HandedOver {
        who: EngineIndex,
        from: usize,
        to: usize,
    },
    /// The entries of a shard arrived at another.
    EntriesArrived {
        from: usize,
        to: usize,
        entries: Vec<PeerEntry>,
    },
    /// A mailbox became congested, or is no longer congested.
    MailboxCongested {
        from: usize,
        to: usize,
        on: bool,
    },
    /// A node of the cluster may not act any more, or acts again.
    NodeFrozen {
        node: usize,
        on: bool,
    },
    /// A node of the cluster has another view.
    NodeHasView {
        node: usize,
        epoch: u64,
        members: usize,
    },
    /// The shards of a node decide by the homes of a view. Other nodes may act, and are not in it.
    NodeServes {
        node: usize,
        epoch: u64,
        outside: Vec<usize>,
    },
    /// Nodes were removed from the cluster, and with them what homes knew about some names.
    NodesRemoved(Removed),
    /// The process of a node of the cluster has ended.
    NodeEnded {
        node: usize,
        /// The number of its shards, if it had some.
        number: Option<usize>,
    },
    /// The users with a session, and the rooms, of all shards.
    Located(Vec<Located>),
    /// A new server without any state took the place of the last one.
    Restarted,
    Fault(Step),
    Phase(Phase),
    Gauges {
        server: Stats,
        open_links: usize,
        open_questions: usize,
        /// The most bytes that ever waited on one link towards a client.
        waiting_bytes_most: usize,
        /// Whether homes of a cluster move, or a node is not known to serve them.
        homes_move: bool,
        /// What nodes of a cluster have sent each other and not acknowledged.
        on_their_way: usize,
    },
}

/// An entry with its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) entry: Entry,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10} ", self.at.to_string())?;
        match &self.entry {
            Entry::Call { who, call, returned } => write!(f, "#{who} {call:?} = {returned}"),
            Entry::Returned { who } => write!(f, "#{who}   returned"),
            Entry::Event { who, event } => {
                write!(f, "#{who}   {event:?}")?;
                shown(f, payload(event))
            }
            Entry::Posted { call, post, .. } => {
                write!(f, "{call:?} {post:?}")?;
                shown(f, Some(&post.payload))
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// Payloads of a simulation are not secret, and their first bytes name their send.
fn shown(f: &mut fmt::Formatter<'_>, payload: Option<&Payload>) -> fmt::Result {
    let Some(payload) = payload else { return Ok(()) };
    let bytes = payload.as_bytes();
    write!(f, " {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(12)]))
}

pub(crate) fn payload(event: &Event) -> Option<&Payload> {
    match event {
        Event::MessageReceived { payload, .. }
        | Event::Room {
            event:
                RoomEvent::MessageReceived { payload, .. }
                | RoomEvent::UserMessageReceived { payload, .. },
            ..
        } => Some(payload),
        _ => None,
    }
}

/// The function that prints a line.
pub type Print = fn(&dyn fmt::Display);

/// The lines of one run: their hash, and the last of them.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: Fnv,
    lines: u64,
    last: VecDeque<Line>,
    /// Called with each line, if set.
    print: Option<Print>,
}

impl Trace {
    pub(crate) fn new(print: Option<Print>) -> Self {
        Self { print, ..Self::default() }
    }

    pub(crate) fn push(&mut self, line: Line) {
        self.lines += 1;
        line.hash(&mut self.hash);
        if let Some(print) = self.print {
            print(&line);
        }
        if self.last.len() == LINES_SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    pub(crate) fn last(&self) -> impl Iterator<Item = &Line> {
        self.last.iter()
    }
}

/// FNV-1a, which gives one value on every machine and in every build.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// Hashes formatted text without a string in between.
impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

impl Line {
    fn hash(&self, hash: &mut Fnv) {
        use fmt::Write as _;
        hash.write_u64(self.at.as_micros());
        // Writing into a hash cannot fail.
        let _ = write!(hash, "{:?}", self.entry);
        let payload = match &self.entry {
            Entry::Event { event, .. } => payload(event),
            Entry::Posted { post, .. } => Some(&post.payload),
            _ => None,
        };
        if let Some(payload) = payload {
            payload.as_bytes().hash(hash);
        }
    }
}
