//! How a node gets to NATS.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};
use rts_cluster::view::ClusterName;

use super::error::NatsError;
use super::subjects;
use crate::NatsPassword;
use crate::causes::file_trouble;
use crate::tls::client_config;

/// The time for one attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The time between two pings of a connection. Two without an answer end it.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Messages that may wait to be written, or to be taken from one subscription.
const QUEUE_MESSAGES_MAX: usize = 4_096;

/// The URL of a NATS server: `nats://HOST:PORT`, or `tls://HOST:PORT`, which demands TLS. The
/// default port is 4222.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl(ServerAddr);

/// A text that is not the URL of a NATS server. `Display` does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NatsUrlError {
    /// Not such a URL.
    #[error("a NATS URL is nats://HOST:PORT or tls://HOST:PORT")]
    Invalid,
    /// User or password in the URL, where logs would show them.
    #[error("a NATS URL has no user and no password: they have keys of their own")]
    HasLogin,
}

impl FromStr for NatsUrl {
    type Err = NatsUrlError;

    fn from_str(text: &str) -> Result<Self, NatsUrlError> {
        let is_known = text.starts_with("nats://") || text.starts_with("tls://");
        let address: ServerAddr = text.parse().map_err(|_| NatsUrlError::Invalid)?;
        let url = address.clone().into_inner();
        if address.has_user_pass() || address.password().is_some() {
            return Err(NatsUrlError::HasLogin);
        }
        let has_more = !matches!(url.path(), "" | "/") || url.query().is_some();
        if !is_known || address.host().is_empty() || has_more || url.fragment().is_some() {
            return Err(NatsUrlError::Invalid);
        }
        Ok(Self(address))
    }
}

impl NatsUrl {
    pub(super) fn address(&self) -> &ServerAddr {
        &self.0
    }

    /// Whether what is sent there can be read by others, unless the server demands TLS.
    pub(crate) fn may_be_plain(&self) -> bool {
        let is_loopback = self.0.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.0.scheme() != "tls" && !is_loopback.is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host();
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{host}{close}:{}", self.0.scheme(), self.0.port())
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a node logs in to NATS. Files are read at each connect, so they can be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsLogin {
    /// Not at all.
    #[default]
    None,
    /// With a name and a password.
    User {
        /// The name.
        user: String,
        /// The password.
        password: NatsPassword,
    },
    /// With a token.
    Token(NatsPassword),
    /// With an NKey, whose seed is in this file.
    NkeySeedFile(PathBuf),
    /// With a JWT and its key, which are in this file.
    CredsFile(PathBuf),
}

impl NatsLogin {
    /// What an operator has to compare with the accounts of NATS.
    pub(super) fn name(&self) -> String {
        match self {
            Self::None => "that it has no login".to_owned(),
            Self::User { .. } => "user and password".to_owned(),
            Self::Token(_) => "token".to_owned(),
            Self::NkeySeedFile(path) | Self::CredsFile(path) => path.display().to_string(),
        }
    }
}

/// How a node gets to NATS. No other servers are used, also if those of this list name some.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// The name of the cluster, which is part of all subjects.
    pub cluster: ClusterName,
    /// At least one server. All of them form one NATS cluster.
    pub servers: Vec<NatsUrl>,
    /// How the node logs in.
    pub login: NatsLogin,
    /// The certificate authorities to trust, in PEM; those of the system without a file. A file
    /// demands TLS of all servers.
    pub ca_file: Option<PathBuf>,
    /// The certificate of the node with its chain, and its private key, both files in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The NATS servers that store the register, when this node makes it: 1, 3 or 5.
    pub replicas: u8,
}

impl NatsConfig {
    /// The options of a connection. Reads files.
    pub(super) fn options(&self) -> Result<ConnectOptions, NatsError> {
        let options = match &self.login {
            NatsLogin::None => ConnectOptions::new(),
            NatsLogin::User { user, password } => {
                ConnectOptions::with_user_and_password(user.clone(), password.expose().to_owned())
            }
            NatsLogin::Token(token) => ConnectOptions::with_token(token.expose().to_owned()),
            NatsLogin::NkeySeedFile(path) => {
                ConnectOptions::with_nkey(login_file(path)?.trim().to_owned())
            }
            NatsLogin::CredsFile(path) => {
                // The error could show the content of the file.
                ConnectOptions::with_credentials(&login_file(path)?).map_err(|_| {
                    let what = "this is not a creds file with a JWT and an NKey seed".to_owned();
                    NatsError::LoginFile { path: path.clone(), what }
                })?
            }
        };
        let identity = self.identity.as_ref();
        let identity = identity.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let tls = client_config(self.ca_file.as_deref(), identity).map_err(NatsError::TlsFile)?;
        Ok(options
            .name("rts")
            .tls_client_config(tls)
            .require_tls(self.ca_file.is_some())
            .ignore_discovered_servers()
            .custom_inbox_prefix(subjects::replies(&self.cluster))
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_EVERY)
            .client_capacity(QUEUE_MESSAGES_MAX)
            .subscription_capacity(QUEUE_MESSAGES_MAX)
            // A lost connection is replaced by this crate. The client's own attempt to get another
            // one, which it makes at least once, then ends by itself.
            .max_reconnects(1))
    }
}

fn login_file(path: &Path) -> Result<String, NatsError> {
    let error = |error| NatsError::LoginFile { path: path.to_owned(), what: file_trouble(&error) };
    fs::read_to_string(path).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_scheme_host_and_port() {
        for (text, shown) in [
            ("nats://10.0.0.5:4222", "nats://10.0.0.5:4222"),
            ("nats://nats.internal", "nats://nats.internal:4222"),
            ("tls://nats.internal:443/", "tls://nats.internal:443"),
            ("nats://[2001:db8::1]:1", "nats://[2001:db8::1]:1"),
        ] {
            let url = text.parse::<NatsUrl>().expect(text);
            assert_eq!(url.to_string(), shown);
        }
        for invalid in [
            "",
            "10.0.0.5:4222",
            "ws://a:1",
            "http://a",
            "nats://",
            "nats://a:b",
            "nats://a/b",
            "nats://a?b",
            "nats://a#b",
        ] {
            assert_eq!(invalid.parse::<NatsUrl>(), Err(NatsUrlError::Invalid), "{invalid:?}");
        }
        for secret in ["nats://canary@a", "nats://canary:canary@a:1", "nats://:canary@a:1"] {
            let error = secret.parse::<NatsUrl>().expect_err(secret);
            assert_eq!(error, NatsUrlError::HasLogin);
            assert!(!error.to_string().contains("canary"));
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let password = NatsPassword::new("canary").expect("a password");
        let login = NatsLogin::User { user: "rts".to_owned(), password };
        assert!(!format!("{login:?} {}", login.name()).contains("canary"));
    }
}
