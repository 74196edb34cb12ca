//! The few requests to JetStream that a register needs, as JSON.

use serde::Deserialize;

/// JetStream is off, in the server or for the account.
const OFF: [u64; 2] = [10_076, 10_039];
const STREAM_NOT_FOUND: u64 = 10_059;
const NO_MESSAGE: u64 = 10_037;
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// What servers of a cluster answer while they start, or while they elect a leader: JetStream is
/// not ready, has no leader, or has too few servers for the replicas.
const FOR_A_MOMENT: [u64; 3] = [10_005, 10_008, 10_009];

/// An error of JetStream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub struct ApiError {
    /// The number of the error in NATS.
    #[serde(default)]
    err_code: u64,
    /// Its description in NATS.
    #[serde(default)]
    description: String,
}

impl ApiError {
    pub(super) fn is_off(&self) -> bool {
        OFF.contains(&self.err_code)
    }

    /// Whether it goes away when the servers of NATS have found each other.
    pub(super) fn is_for_a_moment(&self) -> bool {
        FOR_A_MOMENT.contains(&self.err_code)
    }

    pub(super) fn is_no_stream(&self) -> bool {
        self.err_code == STREAM_NOT_FOUND
    }

    pub(super) fn is_no_message(&self) -> bool {
        self.err_code == NO_MESSAGE
    }

    pub(super) fn is_wrong_sequence(&self) -> bool {
        self.err_code == WRONG_LAST_SEQUENCE
    }
}

/// An answer, or the error in its place.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer<T> {
    Error { error: ApiError },
    Good(T),
}

/// The answer to `STREAM.INFO` and `STREAM.CREATE`.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) config: StreamConfig,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamConfig {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    max_msgs: i64,
    #[serde(default)]
    max_age: i64,
    #[serde(default)]
    storage: String,
    #[serde(default)]
    pub(super) num_replicas: u8,
}

impl StreamConfig {
    /// What keeps the stream from being a register of these subjects.
    pub(super) fn fault(&self, subjects: &str) -> Option<&'static str> {
        match self {
            _ if self.subjects != [subjects] => Some("it stores other subjects"),
            _ if self.max_msgs_per_subject != 1 => Some("max_msgs_per_subject is not 1"),
            _ if self.max_msgs > 0 => Some("it has max_msgs"),
            _ if self.max_age != 0 => Some("it has max_age, after which it would forget the view"),
            _ if self.storage != "file" => Some("its storage is not file"),
            _ => None,
        }
    }
}

/// The request to make the stream.
pub(super) fn create(stream: &str, subjects: &str, replicas: u8) -> String {
    serde_json::json!({
        "name": stream,
        "subjects": [subjects],
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "max_msgs_per_subject": 1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_consumers": -1,
        "discard": "old",
        "deny_delete": true,
        "deny_purge": true,
    })
    .to_string()
}

/// The request for the last message of a subject.
pub(super) fn last_of(subject: &str) -> String {
    serde_json::json!({ "last_by_subj": subject }).to_string()
}

/// The answer to `STREAM.MSG.GET`.
#[derive(Debug, Deserialize)]
pub(super) struct Got {
    pub(super) message: Stored,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub(super) seq: u64,
    /// In base64. Absent if it is empty.
    #[serde(default)]
    pub(super) data: String,
}

/// The answer to a message for the stream.
#[derive(Debug, Deserialize)]
pub(super) struct PubAck {
    pub(super) stream: String,
}
