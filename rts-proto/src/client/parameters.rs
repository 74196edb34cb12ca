//! What can be set for one engine, at its creation and while it runs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use super::event::WarningCode;

/// What an engine writes to its log, which is `tracing` for the handles. The core has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing: all that is logged is called back too.
    #[default]
    Off,
    /// What keeps a login from beginning or going on.
    Error,
    /// Also warnings, silence, and rooms that one is out of.
    Warn,
    /// Also logins, and the states of connection and rooms.
    Info,
    /// Also the result of each message, without what was said.
    Debug,
}

impl LogLevel {
    /// Every level with its name, from the quietest.
    pub const NAMES: [(&'static str, Self); 5] = [
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
pub enum Timing {
    /// A reliable message or a broadcast without an answer for this long gets its result: 10 s.
    Send,
    /// A login that the server does not answer for this long, while it could, has failed: 10 s.
    Login,
    /// An attempt to connect that takes longer is given up: 10 s.
    Connect,
    /// A heartbeat is sent after this long without sending, or without a sign that what was sent
    /// has arrived: 5 s.
    Heartbeat,
    /// Silent for this long: the link is dead, and state 4. It is dead as well when a heartbeat or
    /// a sequenced frame is unanswered for this long: 10 s.
    Reconnecting,
    /// Silent for this long: state 1: 12 s.
    Disconnected,
    /// Silent for this long: state 6: 22 s.
    Lost,
    /// No wait between two attempts to connect is longer: 5 s.
    BackoffMax,
    /// How soon a changed network must answer a heartbeat before the link counts as dead: 2 s.
    Probe,
}

impl Timing {
    /// Every time, in the order of the recordings.
    pub const ALL: [Self; 9] = [
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

    /// Its key in the JSON object of `setRuntimeParameters`, which is in milliseconds.
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

/// A time that an engine cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "parameter {:?} must be a whole number of milliseconds from {} to {}",
    .0.key(), Parameters::MIN.as_millis(), Parameters::MAX.as_millis()
)]
pub struct TimingError(Timing);

impl TimingError {
    /// Which time was refused.
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
            times: Timing::ALL.map(|timing| Duration::from_secs(timing.default_seconds())),
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

/// A parameter that was ignored, and why.
pub(super) type Ignored = (WarningCode, String);

impl Parameters {
    /// No time may be shorter; a shorter one would make the engine spin.
    pub const MIN: Duration = Duration::from_millis(10);
    /// No time may be longer.
    pub const MAX: Duration = Duration::from_secs(3_600);

    /// The key of the log's level, whose value is one of the [names](LogLevel::NAMES).
    pub const LOG_LEVEL_KEY: &'static str = "logLevel";

    /// One of the times.
    #[must_use]
    pub const fn get(&self, timing: Timing) -> Duration {
        self.times[timing as usize]
    }

    /// Sets one of the times.
    ///
    /// # Errors
    ///
    /// Shorter than [`MIN`](Self::MIN), or longer than [`MAX`](Self::MAX). Then nothing changes.
    pub fn set(&mut self, timing: Timing, value: Duration) -> Result<(), TimingError> {
        if !(Self::MIN..=Self::MAX).contains(&value) {
            return Err(TimingError(timing));
        }
        self.times[timing as usize] = value;
        Ok(())
    }

    /// What the engine's handles write to the log.
    #[must_use]
    pub const fn log_level(&self) -> LogLevel {
        self.log_level
    }

    /// Sets what the engine's handles write to the log.
    pub fn set_log_level(&mut self, level: LogLevel) {
        self.log_level = level;
    }

    /// Changes what the JSON object names and leaves the rest. What cannot be used is ignored and
    /// comes back as a warning; only a text that is no JSON object at all is an error, and then
    /// nothing is changed.
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
                let names = LogLevel::NAMES.map(|(name, _)| name).join(", ");
                (WarningCode::BadParameter, format!("parameter {key:?} must be one of {names}"))
            })?;
            self.set_log_level(level);
            return Ok(());
        }
        let Some(timing) = Timing::ALL.into_iter().find(|timing| timing.key() == key) else {
            let known = Timing::ALL.map(Timing::key).join(", ");
            let message = format!("unknown parameter {key:?}; known: {known}, logLevel");
            return Err((WarningCode::UnknownParameter, message));
        };
        // A value that is no whole number is as invalid as one that is too small.
        let value = value.as_u64().map_or(Duration::ZERO, Duration::from_millis);
        self.set(timing, value).map_err(|error| (WarningCode::BadParameter, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_between_10_milliseconds_and_an_hour() {
        let mut parameters = Parameters::default();
        for timing in Timing::ALL {
            for allowed in [Duration::from_millis(10), Duration::from_secs(3_600)] {
                assert_eq!(parameters.set(timing, allowed), Ok(()));
                assert_eq!(parameters.get(timing), allowed);
            }
            for refused in [Duration::from_micros(9_999), Duration::from_millis(3_600_001)] {
                let error = parameters.set(timing, refused).expect_err("out of range");
                assert_eq!(error.timing(), timing);
                assert!(error.to_string().contains(timing.key()), "{error}");
                assert_eq!(parameters.get(timing), Duration::from_secs(3_600));
            }
        }
    }

    #[test]
    fn each_time_has_a_place_of_its_own() {
        let mut parameters = Parameters::default();
        for (n, timing) in Timing::ALL.into_iter().enumerate() {
            parameters.set(timing, Duration::from_secs(100 + n as u64)).expect("in range");
        }
        let seconds = Timing::ALL.map(|timing| parameters.get(timing).as_secs());
        assert_eq!(seconds, [100, 101, 102, 103, 104, 105, 106, 107, 108]);
    }
}
