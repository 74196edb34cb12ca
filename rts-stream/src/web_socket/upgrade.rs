//! A server's half of the handshake: RFC 6455, 4.2, and §12.5.

use std::sync::Arc;

use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::HeaderValue;
use tungstenite::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use tungstenite::http::uri::{Authority, Uri};

use super::headers::{SUBPROTOCOL, lines, lists, lists_exactly, only};
use crate::error::LayerError;
use crate::http::answer;

/// The answer to a load balancer that prepends such a header, for the clients behind it.
pub(super) const PROXY_PROTOCOL: &str = "A header of the PROXY protocol came before the request, and it is \
    not understood here: switch it off at the proxy or load balancer in front.";

/// Headers that may occur only once: two readers could pick different ones. `Host` is required.
const ONCE: [HeaderName; 5] =
    [HOST, ORIGIN, AUTHORIZATION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION];

/// The origins whose pages may open a WebSocket. Programs, which send no origin, always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Pages of any origin.
    Any,
    /// Pages of these origins, each as `https://chat.example.com` or `http://localhost:8000`. An
    /// empty list refuses all pages.
    Only(Arc<[String]>),
}

impl Origins {
    fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Only(origins) => origins
                .iter()
                .any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())),
        }
    }
}

/// Answers a request whose head is complete: with 101, or with the reason for a refusal.
pub(super) fn answer_request(
    head: &[u8],
    path: &str,
    origins: &Origins,
    down: &mut Vec<u8>,
) -> Result<(), LayerError> {
    if head.starts_with(b"PROXY ") {
        down.extend(answer("400 Bad Request", "", PROXY_PROTOCOL));
        return Err(LayerError::SpeaksProxyProtocol);
    }
    let refused = match judge(head, path, origins) {
        Ok(response) => {
            return write_response(&mut *down, &response)
                .map_err(|error| LayerError::Upgrade(error.to_string()));
        }
        Err(refused) => refused,
    };
    let Refused { status, headers, text } = refused;
    down.extend(answer(status, headers, &text));
    Err(LayerError::Upgrade(text))
}

struct Refused {
    status: &'static str,
    headers: &'static str,
    text: String,
}

fn refuse(status: &'static str, text: impl Into<String>) -> Refused {
    Refused { status, headers: "", text: text.into() }
}

fn judge(
    head: &[u8],
    path: &str,
    origins: &Origins,
) -> Result<tungstenite::handshake::server::Response, Refused> {
    let mut request = match Request::try_parse(head) {
        Ok(Some((_, request))) => request,
        // Proxies speak HTTP/1.0 unless they are configured otherwise. The parser does not know it.
        Ok(None) | Err(_) if is_http_1_0(head) => return Err(no_upgrade()),
        Ok(None) | Err(_) if head.starts_with(b"GET ") => {
            return Err(refuse(
                "400 Bad Request",
                "This is not a well-formed request of HTTP/1.1.",
            ));
        }
        Ok(None) | Err(_) => {
            let text =
                "Only GET requests of HTTP/1.1 are answered here, and only those for a WebSocket.";
            return Err(Refused {
                status: "405 Method Not Allowed",
                headers: "Allow: GET\r\n",
                text: text.to_owned(),
            });
        }
    };
    if request.uri().path() != path || request.uri().query().is_some() {
        return Err(refuse(
            "404 Not Found",
            "There is no WebSocket at this path. Its address has no query: a token does not belong in it.",
        ));
    }
    check_form(&request)?;
    if !lists(request.headers(), CONNECTION, "upgrade")
        || !lists(request.headers(), UPGRADE, "websocket")
    {
        return Err(no_upgrade());
    }
    // These headers may be lists over several lines, in which one element was found. The function
    // that answers expects the plain form.
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    let mut response = create_response(&request).map_err(explain)?;
    let headers = request.headers();
    if let Some(origin) = headers.get(ORIGIN)
        && !origins.allow(origin)
    {
        let text = "Pages of this origin are not allowed here; the server's operator can list it in `origins`.";
        return Err(refuse("403 Forbidden", text));
    }
    if !lists_exactly(headers, SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        let text = format!("The subprotocol {SUBPROTOCOL} must be among those that are offered.");
        return Err(refuse("400 Bad Request", text));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn is_http_1_0(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"GET ") && line.ends_with(b" HTTP/1.0")
}

/// Refuses forms that two readers could understand differently.
fn check_form(request: &Request) -> Result<(), Refused> {
    let headers = request.headers();
    if let Some(name) = ONCE.into_iter().find(|name| lines(headers, name) > 1) {
        return Err(refuse(
            "400 Bad Request",
            format!("The header {name} is there more than once."),
        ));
    }
    let host = only(headers, HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| is_host(host)) else {
        return Err(refuse("400 Bad Request", "The header Host must be there, with a host in it."));
    };
    // A request to a proxy has the host twice (RFC 9112, 3.2.2).
    if !names(request.uri(), host) {
        let text = "The address of the request and its header Host name two hosts.";
        return Err(refuse("400 Bad Request", text));
    }
    let has_length = match lines(headers, CONTENT_LENGTH) {
        0 => false,
        _ => only(headers, CONTENT_LENGTH).is_none_or(|length| length != "0"),
    };
    if has_length || headers.contains_key(TRANSFER_ENCODING) {
        return Err(refuse("400 Bad Request", "A request for a WebSocket has no body."));
    }
    Ok(())
}

/// Whether this is a host with an optional port: no user, and no list.
fn is_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let port =
        host.strip_prefix(authority.host()).map(|port| port.strip_prefix(':').unwrap_or(port));
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    !host.contains(['@', ',']) && port.is_some_and(|port| port.is_empty() || is_port(port))
}

/// Whether a request with this address is for this host. The default port of a scheme may be
/// omitted.
fn names(address: &Uri, host: &str) -> bool {
    let port = match address.scheme_str() {
        None => return address.authority().is_none(),
        Some("http" | "ws") => ":80",
        Some("https" | "wss") => ":443",
        Some(_) => return false,
    };
    let plain = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    address.authority().is_some_and(|named| plain(named.as_str()) == plain(host))
}

/// The answer to a plain request, or to a WebSocket request that a proxy has made plain.
fn no_upgrade() -> Refused {
    Refused {
        status: "426 Upgrade Required",
        headers: "Upgrade: websocket\r\n",
        text: "Only a WebSocket can be opened here, with a request of HTTP/1.1 and its headers Upgrade and \
               Connection. If there is a proxy in front, it has to pass them on; nginx does with: \
               proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
               proxy_set_header Connection \"upgrade\";"
            .to_owned(),
    }
}

fn explain(error: Error) -> Refused {
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => Refused {
            status: "426 Upgrade Required",
            headers: "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n",
            text: "Only version 13 of WebSocket is spoken here.".to_owned(),
        },
        other => refuse("400 Bad Request", format!("This opens no WebSocket: {other}.")),
    }
}
