//! What a step may be about.

use fastrand::Rng;
use rts_proto::AppId;
use rts_testkit::{APP_SERVER_URL, AppServer};

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

/// What an engine does whose links change what passes over them.
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

/// What somebody calls `setServerParams` with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ParamsKind {
    /// A url that the operator lists for every app.
    Good,
    /// One that it lists for this app alone.
    OfThisApp,
    /// One that it lists for another app.
    OfAnotherApp,
    /// One that it does not list.
    NotListed,
    NoSignature,
    /// What cannot be a url.
    NoUrl,
}

impl ParamsKind {
    /// Whether the engine itself sees that they are no good.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(self, Self::NoSignature | Self::NoUrl)
    }

    /// Whether the operator lists the url.
    pub(crate) fn is_listed(self) -> bool {
        matches!(self, Self::Good | Self::OfThisApp)
    }

    /// The url for an engine of this app.
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
