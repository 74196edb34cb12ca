//! Errors of NATS, with their remedies.

use std::error::Error;
use std::path::PathBuf;

use async_nats::{ConnectError, ConnectErrorKind};
use rts_cluster::wire::WireError;
use rts_transport_tokio::explain_tls;

use super::jetstream::ApiError;
use crate::causes::root_cause;
use crate::cluster::bus::PACKET_BYTES_MAX;

/// What is wrong with NATS, where, and what would be right. It shows no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// No server is configured.
    #[error("no NATS server is configured: at least one URL is needed")]
    NoServer,
    /// There is no connection to the server.
    #[error(
        "cannot connect to NATS at {server}: {cause}. Check that nats-server runs there, and that \
         no firewall is between"
    )]
    Unreachable {
        /// The URL.
        server: String,
        /// The cause.
        cause: String,
    },
    /// No TLS with the server.
    #[error("no TLS with NATS at {server}: {cause}")]
    Tls {
        /// The URL.
        server: String,
        /// The cause.
        cause: String,
    },
    /// The server knows no such login.
    #[error(
        "NATS at {server} refuses the login: compare {login} with the users and accounts in the \
         configuration of nats-server"
    )]
    Refused {
        /// The URL.
        server: String,
        /// What this node logs in with.
        login: String,
    },
    /// The file with the login cannot be used.
    #[error("{}: {what}", path.display())]
    LoginFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file for TLS cannot be used.
    #[error("TLS to NATS: {0}")]
    TlsFile(String),
    /// The server takes no large messages.
    #[error(
        "NATS at {server} takes messages of at most {is} bytes, and {PACKET_BYTES_MAX} are needed: \
         raise max_payload in the configuration of nats-server, or remove it"
    )]
    MaxPayload {
        /// The URL.
        server: String,
        /// Its `max_payload`, in bytes.
        is: usize,
    },
    /// The account lacks a permission.
    #[error(
        "NATS at {server} refuses: {what}. Its user needs to publish and subscribe to {everything}, \
         and to publish to $JS.API.STREAM.*.{stream} and $JS.API.STREAM.MSG.GET.{stream}"
    )]
    Permission {
        /// The URL.
        server: String,
        /// What it refuses, in its own words.
        what: String,
        /// All subjects of the cluster.
        everything: String,
        /// The stream of the register.
        stream: String,
    },
    /// The server has no JetStream.
    #[error(
        "NATS at {server} has no JetStream for this user: add `jetstream {{ store_dir: \"DIRECTORY\" \
         }}` to the configuration of nats-server, and `jetstream: enabled` to the account if there \
         are accounts"
    )]
    JetStreamOff {
        /// The URL.
        server: String,
    },
    /// The stream of the register is not as it has to be.
    #[error(
        "the stream {stream} of NATS is not the register of a cluster: {what}. Choose another name \
         for this cluster; or, while none of its nodes runs, remove the stream"
    )]
    Stream {
        /// Its name.
        stream: String,
        /// What is wrong.
        what: String,
    },
    /// The register's value is not a view.
    #[error(
        "message {revision} of the stream {stream} of NATS is not a view of a cluster: {error}. \
         Choose another name for this cluster; or, while none of its nodes runs, remove the stream"
    )]
    Foreign {
        /// The stream.
        stream: String,
        /// The sequence number of the message.
        revision: u64,
        /// What is wrong with the value.
        error: WireError,
    },
    /// JetStream refused a request.
    #[error("JetStream of NATS at {server} refuses {request}: {error}")]
    Api {
        /// The URL.
        server: String,
        /// The subject of the request.
        request: String,
        /// Its answer.
        error: ApiError,
    },
    /// An answer that cannot be understood.
    #[error("NATS at {server} answers {request} with something that is not JetStream's")]
    Answer {
        /// The URL.
        server: String,
        /// The subject of the request.
        request: String,
    },
    /// No answer came.
    #[error(
        "no answer from NATS at {server} to {request}: the connection is slow, or the stream has no \
         leader at the moment"
    )]
    Timeout {
        /// The URL.
        server: String,
        /// The subject of the request.
        request: String,
    },
    /// Other nodes read the register all the time.
    #[error("the register of the cluster is busy")]
    Busy,
    /// There is no connection at the moment.
    #[error("not connected to NATS at the moment")]
    Down,
}

impl NatsError {
    /// Whether it may go away by itself, such as an outage.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Busy | Self::Down => true,
            Self::Api { error, .. } => error.is_for_a_moment(),
            _ => false,
        }
    }

    /// Why an attempt to connect failed.
    pub(super) fn connect(login: String, server: String, error: &ConnectError) -> Self {
        let chain = std::iter::successors(Some(error as &dyn Error), |&error| error.source());
        let of_tls = chain.clone().find_map(explain_tls);
        match (error.kind(), of_tls) {
            (ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication, _) => {
                Self::Refused { server, login }
            }
            (_, Some(cause)) => Self::Tls { server, cause },
            (ConnectErrorKind::Tls, None) => Self::Tls { server, cause: root_cause(error) },
            (ConnectErrorKind::TimedOut, None) => {
                Self::Unreachable { server, cause: "no answer in time".to_owned() }
            }
            (_, None) => Self::Unreachable { server, cause: root_cause(error) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u64) -> NatsError {
        let error = serde_json::from_value(serde_json::json!({ "err_code": code }));
        let (server, request) = (String::new(), String::new());
        NatsError::Api { server, request, error: error.expect("an error of JetStream") }
    }

    #[test]
    fn error_of_servers_that_elect_a_leader_passes() {
        assert!([10_005, 10_008, 10_009].map(api).iter().all(NatsError::passes));
        // One server cannot have several replicas, and the storage is full.
        assert!(![10_074, 10_047].map(api).iter().any(NatsError::passes));
    }
}
