//! Settings of one engine, at its creation and while it runs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use core::{array, fmt};

use serde_json::Value;

use super::event::WarningCode;

/// The level of an engine's log. Its driver writes the log with `tracing`; the core does not log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LogLevel {
    /// Nothing. All logged facts are also events.
    #[default]
    Off,
    /// Failures that prevent a login or end it.
    Error,
    /// Also warnings, silence, and ended memberships.
    Warn,
    /// Also logins, and states of connection and rooms.
    Info,
    /// Also the result of each message, without its payload.
    Debug,
}

impl LogLevel {
    /// Every level with its name, from the quietest one.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
    }
}

/// One of the times of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timing {
    /// The time after which a reliable message or a broadcast without an answer gets its result: 10
    /// s.
    Send,
    /// The time after which a login fails that the server does not answer, while a link is up: 10
    /// s.
    Login,
    /// The longest attempt to connect: 10 s.
    Connect,
    /// The longest time without a sent frame, or without a sign that sent frames arrive, before a
    /// heartbeat: 5 s.
    Heartbeat,
    /// Silence after which the link is dead, and state 4 is reported. The link is also dead when a
    /// heartbeat or a sequenced frame is unanswered for this long: 10 s.
    Reconnecting,
    /// Silence after which state 1 is reported: 12 s.
    Disconnected,
    /// Silence after which state 6 is reported: 22 s.
    Lost,
    /// The longest wait between two attempts to connect: 5 s.
    BackoffMax,
    /// The time within which a link must bring bytes after a network change: 2 s.
    Probe,
}

impl Timing {
    /// Every time, in the order of recordings.
    pub const ALL: &'static [Self] = &[
        Self::Send,
        Self::Login,
        Self::Connect,
        Self::Heartbeat,
        Self::Reconnecting,
        Self::Disconnected,
        Self::Lost,
        Self::BackoffMax,
        Self::Probe,
    ];

    /// The key of the time in the JSON object of `setRuntimeParameters`. Values are in
    /// milliseconds.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Send => "sendTimeoutMs",
            Self::Login => "loginTimeoutMs",
            Self::Connect => "connectTimeoutMs",
            Self::Heartbeat => "heartbeatMs",
            Self::Reconnecting => "reconnectingAfterMs",
            Self::Disconnected => "disconnectedAfterMs",
            Self::Lost => "lostAfterMs",
            Self::BackoffMax => "backoffMaxMs",
            Self::Probe => "probeTimeoutMs",
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Send => "the longest wait for the result of a message",
            Self::Login => "the longest wait for the answer to a login",
            Self::Connect => "the longest attempt to connect",
            Self::Heartbeat => "the time before a heartbeat",
            Self::Reconnecting => "the silence after which the engine reconnects",
            Self::Disconnected => "the silence after which the engine counts as disconnected",
            Self::Lost => "the silence after which the connection counts as lost",
            Self::BackoffMax => "the longest wait between attempts to connect",
            Self::Probe => "the longest check of a link after a change of the network",
        }
    }

    const fn default_seconds(self) -> u64 {
        match self {
            Self::Send | Self::Login | Self::Connect | Self::Reconnecting => 10,
            Self::Heartbeat | Self::BackoffMax => 5,
            Self::Disconnected => 12,
            Self::Lost => 22,
            Self::Probe => 2,
        }
    }
}

/// In words, such as "the longest wait for the result of a message".
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_words())
    }
}

/// A time outside of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be from 10 ms to an hour")]
pub struct TimingError(Timing);

impl TimingError {
    /// The time that was refused.
    #[must_use]
    pub const fn timing(&self) -> Timing {
        self.0
    }
}

/// Times of one engine, and the level of its log. The defaults are the contract's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    times: [Duration; Timing::ALL.len()],
    log_level: LogLevel,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            times: array::from_fn(|n| Duration::from_secs(Timing::ALL[n].default_seconds())),
            log_level: LogLevel::default(),
        }
    }
}

/// Why a text is not a set of parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameters must be one JSON object, such as {{\"sendTimeoutMs\":10000}}: {what}")]
pub struct ParametersError {
    what: String,
}

/// The code and the message for an ignored parameter.
pub(super) type Ignored = (WarningCode, String);

impl Parameters {
    /// The shortest value of a time. A shorter one would make the engine spin.
    pub const MIN: Duration = Duration::from_millis(10);
    /// The longest value of a time.
    pub const MAX: Duration = Duration::from_secs(3_600);

    /// The key of the log's level. Its value is one of the [names](LogLevel::NAMES).
    pub const LOG_LEVEL_KEY: &'static str = "logLevel";

    /// The value of a time.
    #[must_use]
    pub const fn get(&self, timing: Timing) -> Duration {
        self.times[timing as usize]
    }

    /// Sets the value of a time, in whole milliseconds. A fraction of one is cut off.
    ///
    /// # Errors
    ///
    /// The value is shorter than [`MIN`](Self::MIN) or longer than [`MAX`](Self::MAX). Then nothing
    /// changes.
    pub fn set(&mut self, timing: Timing, value: Duration) -> Result<(), TimingError> {
        if !(Self::MIN..=Self::MAX).contains(&value) {
            return Err(TimingError(timing));
        }
        let millis = value.as_secs() * 1_000 + u64::from(value.subsec_millis());
        self.times[timing as usize] = Duration::from_millis(millis);
        Ok(())
    }

    /// The level of the engine's log.
    #[must_use]
    pub const fn log_level(&self) -> LogLevel {
        self.log_level
    }

    /// Sets the level of the engine's log.
    pub fn set_log_level(&mut self, level: LogLevel) {
        self.log_level = level;
    }

    /// Changes the parameters that the JSON object names, and no other. Unknown keys and invalid
    /// values are ignored and returned as warnings. A text that is not a JSON object is an error,
    /// and changes nothing.
    pub(super) fn update(&mut self, json: &str) -> Result<Vec<Ignored>, ParametersError> {
        let object = match serde_json::from_str(json) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(ParametersError { what: "this is another JSON value".into() }),
            Err(error) => return Err(ParametersError { what: error.to_string() }),
        };
        let updates = object.iter().map(|(key, value)| self.update_one(key, value));
        Ok(updates.filter_map(Result::err).collect())
    }

    fn update_one(&mut self, key: &str, value: &Value) -> Result<(), Ignored> {
        if key == Self::LOG_LEVEL_KEY {
            let level = value.as_str().and_then(LogLevel::from_name).ok_or_else(|| {
                let names: Vec<_> = LogLevel::NAMES.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                (WarningCode::BadParameter, format!("parameter {key:?} must be one of {names}"))
            })?;
            self.set_log_level(level);
            return Ok(());
        }
        let Some(timing) = Timing::ALL.iter().copied().find(|timing| timing.key() == key) else {
            let known: Vec<_> = Timing::ALL.iter().map(|timing| timing.key()).collect();
            let known = known.join(", ");
            let message = format!("unknown parameter {key:?}; known: {known}, logLevel");
            return Err((WarningCode::UnknownParameter, message));
        };
        // A value that is not a whole number is refused like one that is too small.
        let value = value.as_u64().map_or(Duration::ZERO, Duration::from_millis);
        self.set(timing, value).map_err(|_| {
            let (min, max) = (Self::MIN.as_millis(), Self::MAX.as_millis());
            let bounds = format!("a whole number of milliseconds from {min} to {max}");
            (WarningCode::BadParameter, format!("parameter {key:?} must be {bounds}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_from_10_milliseconds_to_an_hour() {
        let mut parameters = Parameters::default();
        for timing in Timing::ALL.iter().copied() {
            for allowed in [Duration::from_millis(10), Duration::from_secs(3_600)] {
                assert_eq!(parameters.set(timing, allowed), Ok(()));
                assert_eq!(parameters.get(timing), allowed);
            }
            for refused in [Duration::from_micros(9_999), Duration::from_millis(3_600_001)] {
                let error = parameters.set(timing, refused).expect_err("out of range");
                assert_eq!(error.timing(), timing);
                assert_eq!(error.to_string(), format!("{timing} must be from 10 ms to an hour"));
                assert_eq!(parameters.get(timing), Duration::from_secs(3_600));
            }
        }
    }

    #[test]
    fn each_time_has_a_place_of_its_own() {
        let mut parameters = Parameters::default();
        for (n, timing) in Timing::ALL.iter().copied().enumerate() {
            parameters.set(timing, Duration::from_secs(100 + n as u64)).expect("in range");
        }
        let seconds = Timing::ALL.iter().map(|timing| parameters.get(*timing).as_secs());
        assert!(seconds.eq([100, 101, 102, 103, 104, 105, 106, 107, 108]));
    }

    #[test]
    fn fraction_of_a_millisecond_is_cut_off() {
        let mut parameters = Parameters::default();
        parameters.set(Timing::Send, Duration::from_micros(10_500)).expect("in range");
        assert_eq!(parameters.get(Timing::Send), Duration::from_millis(10));
    }
}
