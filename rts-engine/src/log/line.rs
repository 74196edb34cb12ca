//! One line of the log.

use rts_proto::client::LogLevel;
use rts_proto::{LinkId, UserId};
use tracing::field::display;

/// The target of lines that the engine's own level does not select.
pub(super) const DECISIONS: &str = "rts::engine";
/// The target of lines that it selects. A filter for the target above also matches these.
const OWN: &str = "rts::engine::log";

/// The content of a line: a constant text, and values. A value that is `None` is not in the line.
#[derive(Default)]
pub(super) struct Said {
    pub(super) text: &'static str,
    pub(super) link: Option<LinkId>,
    pub(super) user: Option<UserId>,
    pub(super) room: Option<String>,
    /// The number of a message.
    pub(super) id: Option<u64>,
    /// The contract's number.
    pub(super) code: Option<i64>,
    pub(super) resumed: Option<bool>,
    pub(super) frames_resent: Option<u32>,
    /// The time from now.
    pub(super) in_ms: Option<u64>,
    /// The number of attempts before.
    pub(super) attempts: Option<usize>,
    pub(super) why: Option<String>,
}

pub(crate) struct Line {
    engine: u64,
    /// Its level, if the engine's own level selects it.
    own_level: Option<LogLevel>,
    said: Said,
}

macro_rules! write_line {
    ($level:ident, $target:expr, $line:expr) => {{
        let Line { engine, said, .. } = $line;
        let Said { text, link, user, room, id, code, resumed, .. } = said;
        let Said { frames_resent, in_ms, attempts, why, .. } = said;
        let (link, user, room) =
            (link.map(display), user.as_ref().map(display), room.as_ref().map(display));
        tracing::$level!(
            target: $target,
            engine, link, user, room, id, code, resumed, frames_resent, in_ms, attempts, why,
            "{text}"
        );
    }};
}

impl Line {
    pub(super) fn new(engine: u64, own_level: Option<LogLevel>, said: Said) -> Self {
        Self { engine, own_level, said }
    }

    pub(crate) fn write(self) {
        match self.own_level {
            Some(LogLevel::Error) => write_line!(error, OWN, &self),
            Some(LogLevel::Warn) => write_line!(warn, OWN, &self),
            Some(LogLevel::Info) => write_line!(info, OWN, &self),
            Some(LogLevel::Debug) => write_line!(debug, OWN, &self),
            _ => write_line!(debug, DECISIONS, &self),
        }
    }
}
