//! Why a proxy did not make the connection.

/// Why a proxy did not make the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFailure {
    /// The proxy answered `CONNECT` with this status of HTTP, which is not one from 200 to 299.
    #[error("the proxy {}", explain_status(*.0))]
    HttpStatus(u16),
    /// The answer to `CONNECT` is not HTTP.
    #[error("the proxy does not speak HTTP; is it a socks5:// one?")]
    NotHttp,
    /// The first answer is not SOCKS5.
    #[error("the proxy does not speak SOCKS5; is it an http:// one?")]
    NotSocks5,
    /// SOCKS5: the proxy accepts no way to log in that was offered.
    #[error("the proxy wants another way to log in than it was offered (SOCKS5)")]
    NoCommonLogin,
    /// SOCKS5: the proxy refuses the user and the password.
    #[error("the proxy refuses this user and password (SOCKS5)")]
    LoginRefused,
    /// SOCKS5: the proxy's reply is one of the failures of RFC 1928.
    #[error("the proxy {}", explain_reply(*.0))]
    Socks5(Socks5Reply),
    /// A later answer violates SOCKS5: another version, an unassigned reply, or an unknown kind of
    /// address.
    #[error("the proxy broke the rules of SOCKS5")]
    BadSocks5,
}

/// The failures that a SOCKS5 proxy can reply: RFC 1928, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Socks5Reply {
    /// General SOCKS server failure.
    GeneralFailure = 1,
    /// Connection not allowed by ruleset.
    NotAllowed = 2,
    /// Network unreachable.
    NetworkUnreachable = 3,
    /// Host unreachable.
    HostUnreachable = 4,
    /// Connection refused.
    ConnectionRefused = 5,
    /// TTL expired.
    TtlExpired = 6,
    /// Command not supported.
    CommandNotSupported = 7,
    /// Address type not supported.
    AddressTypeNotSupported = 8,
}

impl Socks5Reply {
    const ALL: [Self; 8] = [
        Self::GeneralFailure,
        Self::NotAllowed,
        Self::NetworkUnreachable,
        Self::HostUnreachable,
        Self::ConnectionRefused,
        Self::TtlExpired,
        Self::CommandNotSupported,
        Self::AddressTypeNotSupported,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reply with this number. `None` for success, and for numbers that are not assigned.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reply| reply.number() == number)
    }
}

fn explain_status(status: u16) -> String {
    match status {
        407 => {
            "wants another user or password than it was given, written USER:PASSWORD@ before its \
                host (HTTP 407)"
                .to_owned()
        }
        403 => "does not allow connections to this server and port (HTTP 403)".to_owned(),
        _ => format!("could not connect to the server (HTTP {status})"),
    }
}

fn explain_reply(reply: Socks5Reply) -> String {
    let words = match reply {
        Socks5Reply::GeneralFailure => "failed",
        Socks5Reply::NotAllowed => "does not allow connections to this server and port",
        Socks5Reply::NetworkUnreachable => "has no way to the server's network",
        Socks5Reply::HostUnreachable => "cannot reach the server, or cannot find its name",
        Socks5Reply::ConnectionRefused => "reached the server, which refused the connection",
        Socks5Reply::TtlExpired => "did not reach the server in time",
        Socks5Reply::CommandNotSupported | Socks5Reply::AddressTypeNotSupported => {
            "cannot make such connections"
        }
    };
    format!("{words} (SOCKS5 {})", reply.number())
}
