//! Why a WebSocket was not opened, on both sides.

/// Why a client's request opened no WebSocket (§12.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The path of the address is too long for a request.
    #[error("the path of the address is too long for a request of HTTP")]
    PathTooLong,
    /// The answer is not HTTP/1.
    #[error(
        "the server does not speak HTTP here; if it speaks RTS, the address must begin with rts:// \
         or rtss://"
    )]
    NotHttp,
    /// The server, or a proxy in between, answered with this status instead of 101.
    #[error("{}", explain_status(*.0))]
    Status(u16),
    /// The status is 101, but the head of the answer is malformed.
    #[error("the head of the server's answer is not well formed HTTP/1.1")]
    BadHead,
    /// The status is 101, but the header `Upgrade` or `Connection` is not that of a WebSocket.
    #[error("the answer of the server is not one to this request: Upgrade or Connection is wrong")]
    NotUpgraded,
    /// `Sec-WebSocket-Accept` does not match the key of the request.
    #[error("the answer of the server is not one to this request: Sec-WebSocket-Accept is wrong")]
    BadAccept,
    /// The answer does not select the subprotocol of RTS.
    #[error("the server speaks something else over it than RTS")]
    BadSubprotocol,
    /// The answer selects an extension.
    #[error("the server uses an extension that was not offered")]
    Extension,
}

/// Why a server refused a client's request for a WebSocket (§12.5). The answer explains it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeRefusal {
    /// The first bytes are not those of a request of HTTP.
    #[error("this is no request of HTTP")]
    NotHttp,
    /// The request is malformed.
    #[error("This is not a well-formed request of HTTP/1.1.")]
    Malformed,
    /// The method is not GET.
    #[error("Only GET requests of HTTP/1.1 are answered here, and only those for a WebSocket.")]
    NotGet,
    /// The path is another one, or has a query.
    #[error(
        "There is no WebSocket at this path. Its address has no query: a token does not belong in it."
    )]
    WrongPath,
    /// A header that may occur only once occurs again.
    #[error("The header {header} is there more than once.")]
    RepeatedHeader {
        /// Its name, in lower case.
        header: &'static str,
    },
    /// `Host` is missing or malformed.
    #[error("The header Host must be there, with a host in it.")]
    BadHost,
    /// The request's target has another host than `Host`.
    #[error("The address of the request and its header Host name two hosts.")]
    TwoHosts,
    /// The request has a body.
    #[error("A request for a WebSocket has no body.")]
    Body,
    /// The request is plain, or a proxy has made it plain.
    #[error(
        "Only a WebSocket can be opened here, with a request of HTTP/1.1 and its headers Upgrade and \
         Connection. If there is a proxy in front, it has to pass them on; nginx does with: \
         proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection \"upgrade\";"
    )]
    NoUpgrade,
    /// The version of WebSocket is not 13.
    #[error("Only version 13 of WebSocket is spoken here.")]
    WrongVersion,
    /// `Sec-WebSocket-Key` is missing or malformed.
    #[error("The header Sec-WebSocket-Key must be there, with 16 bytes in base64.")]
    BadKey,
    /// Pages of this origin are not allowed.
    #[error(
        "Pages of this origin are not allowed here; the server's operator can list it in `origins`."
    )]
    OriginNotAllowed,
    /// The subprotocol of RTS was not offered.
    #[error("The subprotocol rts.v1 must be among those that are offered.")]
    NoSubprotocol,
}

impl UpgradeRefusal {
    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::RepeatedHeader { .. }
            | Self::BadHost
            | Self::TwoHosts
            | Self::Body
            | Self::BadKey
            | Self::NoSubprotocol => 400,
            Self::OriginNotAllowed => 403,
            Self::WrongPath => 404,
            Self::NotHttp | Self::NotGet => 405,
            Self::NoUpgrade | Self::WrongVersion => 426,
        }
    }
}

/// The reason for a status that opens no WebSocket.
fn explain_status(status: u16) -> String {
    match status {
        300..=399 => format!(
            "the server sends to another address (HTTP {status}), and redirects are not followed: \
             use that address"
        ),
        400 => {
            "the server refuses the request (HTTP 400); if it speaks RTS, the address must begin \
                with rts://, rtss:// or wss://"
                .to_owned()
        }
        401 | 407 => format!("a proxy in between asks for a password (HTTP {status})"),
        403 => "the server does not allow it from here (HTTP 403)".to_owned(),
        404 => "the server has none at this path (HTTP 404)".to_owned(),
        426 => "the server got the request without its headers Upgrade and Connection, or as \
                HTTP/1.0 (HTTP 426): a proxy in between has to pass them on (nginx: \
                proxy_http_version 1.1, and proxy_set_header for both)"
            .to_owned(),
        502..=504 => format!("a proxy in between does not reach the server (HTTP {status})"),
        _ => format!("the server answers with HTTP {status}"),
    }
}
