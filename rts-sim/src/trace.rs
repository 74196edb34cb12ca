//! What a run leaves behind. Everything that is judged is judged from this alone.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::{CommandError, PostProgress, Report, Stats};
use rts_proto::{
    BroadcastCode, CallId, CloseCode, Instant, LoginCode, MessageConfig, MessageId, OnlineStatus,
    Payload, RoomKey,
};
use rts_testkit::{Person, Side};

use super::newer::Unknown;
use super::plan::{Command, ParamsKind, Step};

/// Lines that a report shows.
pub(crate) const LINES_SHOWN: usize = 200;

/// What is known of a token because the run made it: nothing here comes from a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenFacts {
    pub(crate) app: usize,
    pub(crate) user: usize,
    /// In Unix seconds; 0 is never.
    pub(crate) expire_at: u64,
    pub(crate) issued_at: u32,
    /// How often its app's key had been rotated when it was signed.
    pub(crate) key: u64,
    pub(crate) is_damaged: bool,
}

/// What an application called.
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
    /// What it returned: the results of the broadcasts that were open.
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
    /// The signature says the serial.
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

/// What the server posted to the app's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) app: usize,
    pub(crate) uid: String,
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) signature: String,
    pub(crate) payload: Payload,
}

/// What the server answered to a command of an app's back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// For so many sessions.
    Queued(usize),
    Refused(CommandError),
    /// So many memberships.
    Ended(usize),
    /// So many sessions, of tokens from before this second of Unix time.
    Revoked {
        issued_before: u32,
        ended: usize,
    },
    Status(OnlineStatus),
    Members(Option<Vec<String>>),
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// Faults have stopped: from here on everything must come right.
    Healing,
    /// It must have by now. What follows are questions that must be answered well.
    Healed,
    /// The questions are answered.
    Asked,
    /// Every grace is over; what the server holds must be what the engines believe.
    Settled,
    /// All engines are gone, and every grace is over.
    Empty,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An engine of this app.
    Engine {
        who: Person,
        app: usize,
    },
    /// What the call returned; for calls that give an id, the id.
    Call {
        who: Person,
        call: Call,
        returned: i64,
    },
    /// What a call called back before it returned is before this.
    Returned {
        who: Person,
    },
    Event {
        who: Person,
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
        who: Person,
        code: Option<CloseCode>,
    },
    Dialled {
        who: Person,
    },
    Frozen {
        who: Person,
        on: bool,
    },
    /// What it says over its present link does not arrive any more.
    WayUpDead {
        who: Person,
    },
    /// The server was told that much waits on its link, or no longer.
    Congested {
        who: Person,
        on: bool,
    },
    TargetChecked {
        app: usize,
        url: String,
        is_allowed: bool,
    },
    Posted {
        call: CallId,
        post: Posted,
    },
    AppServerSaid {
        call: CallId,
        progress: PostProgress,
    },
    PostAbandoned {
        call: CallId,
    },
    /// What the back end of an app wanted. A message has the serial in it.
    Commanded {
        app: usize,
        serial: u64,
        command: Command,
        answer: Answer,
    },
    /// What it was told.
    Reported {
        app: usize,
        report: Report,
    },
    /// What only a newer version knows arrived at an engine or the server.
    Unknown {
        at: Side,
        what: Unknown,
    },
    /// Another server is there, which knows nothing.
    Restarted,
    Fault(Step),
    Phase(Phase),
    Gauges {
        server: Stats,
        open_links: usize,
        open_questions: usize,
        /// The most that ever waited on one link towards a client.
        waiting_bytes_most: usize,
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
            Entry::Posted { call, post } => {
                write!(f, "{call:?} {post:?}")?;
                shown(f, Some(&post.payload))
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// Payloads of a simulation are no secret, and their beginning says what they are.
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

/// What prints a line.
pub type Print = fn(&dyn fmt::Display);

/// The lines of one run: their fingerprint, and the last of them.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: Fnv,
    lines: u64,
    last: VecDeque<Line>,
    /// Gets each line as it is pushed.
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

/// FNV-1a: the same on every machine, in debug and release.
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

/// Lets what formats be hashed without a string in between.
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
