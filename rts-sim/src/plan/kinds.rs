//! The arguments of steps.

use fastrand::Rng;
use rts_proto::AppId;
use rts_testkit::{APP_SERVER_URL, AppServer};

/// The kind of token for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Good,
    /// Valid for this number of seconds.
    Brief(u64),
    Expired,
    OfAnotherUser,
    OfAnotherApp,
    CutOff,
    Tampered,
}

/// The actions of a peer that breaks the rules.
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
    ComesAndGoes,
    ManyLogins,
}

impl Attack {
    pub(crate) const ALL: [Self; 16] = [
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
        Self::ComesAndGoes,
        Self::ManyLogins,
    ];
}

/// The actions of an engine whose links change bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Login,
    Send { bytes: usize },
    Status,
    Join,
    Leave,
    Broadcast { bytes: usize },
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

    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self {
            latency_ms: [1, 5, 30, 100, 500, 2_000][rng.usize(0..6)],
            jitter_ms: [0, 1, 20, 200, 1_000][rng.usize(0..5)],
            chunk_bytes: [1, 7, 100, 1_400, 65_536, usize::MAX][rng.usize(0..6)],
            is_ragged: rng.bool(),
            bytes_per_second: [0, 0, 0, 0, 500, 5_000, 50_000][rng.usize(0..7)],
        }
    }
}

/// A call with invalid arguments.
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

/// The arguments of a call of `setServerParams`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ParamsKind {
    /// A URL that the operator lists for every app.
    Good,
    /// A URL that the operator lists for this app alone.
    OfThisApp,
    /// A URL that the operator lists for another app.
    OfAnotherApp,
    /// A URL that the operator does not list.
    NotListed,
    NoSignature,
    /// A text that is not a URL.
    NoUrl,
}

impl ParamsKind {
    /// Whether the engine itself refuses them.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(self, Self::NoSignature | Self::NoUrl)
    }

    /// Whether the operator lists the URL.
    pub(crate) fn is_listed(self) -> bool {
        matches!(self, Self::Good | Self::OfThisApp)
    }

    /// The URL for an engine of this app.
    pub(crate) fn url(self, own: &AppId, other: &AppId) -> String {
        match self {
            Self::Good | Self::NoSignature => APP_SERVER_URL.to_owned(),
            Self::OfThisApp => AppServer::url_of(own),
            Self::OfAnotherApp => AppServer::url_of(other),
            Self::NotListed => "https://elsewhere.example/rts".to_owned(),
            Self::NoUrl => "https://äpp.example/rts".to_owned(),
        }
    }
}
