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

/// Times of one engine, and the level of its log. The defaults are the contract's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// A reliable message or a broadcast without an answer for this long gets its result.
    pub send_timeout: Duration,
    /// A login that the server does not answer for this long, while it could, has failed.
    pub login_timeout: Duration,
    /// An attempt to connect that takes longer is given up.
    pub connect_timeout: Duration,
    /// A heartbeat is sent after this long without sending, or without a sign that what was sent
    /// has arrived.
    pub heartbeat: Duration,
    /// Silent for this long: the link is dead, and state 4. It is dead as well when a heartbeat or
    /// a sequenced frame is unanswered for this long.
    pub reconnecting_after: Duration,
    /// Silent for this long: state 1.
    pub disconnected_after: Duration,
    /// Silent for this long: state 6.
    pub lost_after: Duration,
    /// No wait between two attempts to connect is longer.
    pub backoff_max: Duration,
    /// How soon a changed network must answer a heartbeat before the link counts as dead.
    pub probe_timeout: Duration,
    /// What the engine's handles write to the log.
    pub log_level: LogLevel,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            send_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            reconnecting_after: Duration::from_secs(10),
            disconnected_after: Duration::from_secs(12),
            lost_after: Duration::from_secs(22),
            backoff_max: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(2),
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

    /// Every key of a time, in the order of the fields.
    pub const KEYS: [&'static str; 9] = [
        "sendTimeoutMs",
        "loginTimeoutMs",
        "connectTimeoutMs",
        "heartbeatMs",
        "reconnectingAfterMs",
        "disconnectedAfterMs",
        "lostAfterMs",
        "backoffMaxMs",
        "probeTimeoutMs",
    ];

    /// The key of the log's level, whose value is one of the [names](LogLevel::NAMES).
    pub const LOG_LEVEL_KEY: &'static str = "logLevel";

    /// Changes what the JSON object names and leaves the rest. What cannot be used is ignored and
    /// comes back as a warning; only a text that is no JSON object at all is an error, and then
    /// nothing is changed.
    pub(super) fn update(&mut self, json: &str) -> Result<Vec<Ignored>, ParametersError> {
        let object = match serde_json::from_str(json) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(ParametersError { what: "this is another JSON value".into() }),
            Err(error) => return Err(ParametersError { what: error.to_string() }),
        };
        let mut ignored = Vec::new();
        for (key, value) in &object {
            if key == Self::LOG_LEVEL_KEY {
                match value.as_str().and_then(LogLevel::from_name) {
                    Some(level) => self.log_level = level,
                    None => {
                        let names = LogLevel::NAMES.map(|(name, _)| name).join(", ");
                        let message = format!("parameter {key:?} must be one of {names}");
                        ignored.push((WarningCode::BadParameter, message));
                    }
                }
                continue;
            }
            let Some(field) = self.field(key) else {
                let message = format!(
                    "unknown parameter {key:?}; known: {}, logLevel",
                    Self::KEYS.join(", ")
                );
                ignored.push((WarningCode::UnknownParameter, message));
                continue;
            };
            match value.as_u64().map(Duration::from_millis) {
                Some(time) if (Self::MIN..=Self::MAX).contains(&time) => *field = time,
                _ => {
                    let message = format!(
                        "parameter {key:?} must be a whole number of milliseconds from {} to {}",
                        Self::MIN.as_millis(),
                        Self::MAX.as_millis(),
                    );
                    ignored.push((WarningCode::BadParameter, message));
                }
            }
        }
        Ok(ignored)
    }

    fn field(&mut self, key: &str) -> Option<&mut Duration> {
        let fields = [
            &mut self.send_timeout,
            &mut self.login_timeout,
            &mut self.connect_timeout,
            &mut self.heartbeat,
            &mut self.reconnecting_after,
            &mut self.disconnected_after,
            &mut self.lost_after,
            &mut self.backoff_max,
            &mut self.probe_timeout,
        ];
        Self::KEYS.iter().zip(fields).find(|(name, _)| **name == key).map(|(_, field)| field)
    }
}
