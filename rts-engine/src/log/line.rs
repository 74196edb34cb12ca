//! One line of the log.

use rts_proto::client::LogLevel;
use rts_proto::{LinkId, UserId};
use tracing::field::display;

/// Every line that the engine's own level does not ask for.
pub(super) const DECISIONS: &str = "rts::engine";
/// Those that it asks for. Who chooses lines by the target above gets these too.
const OWN: &str = "rts::engine::log";

/// What a line says: a text that is always the same, and values. A value that is `None` is not in
/// the line.
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
    /// From now.
    pub(super) in_ms: Option<u64>,
    /// How many there were before.
    pub(super) attempts: Option<usize>,
    pub(super) why: Option<String>,
}

pub(crate) struct Line {
    engine: u64,
    /// The engine's own level asks for it.
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
            Some(LogLevel::Off) | None => write_line!(debug, DECISIONS, &self),
        }
    }
}
