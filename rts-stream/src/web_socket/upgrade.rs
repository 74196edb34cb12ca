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
use crate::error::{LayerError, UpgradeRefusal};
use crate::http::answer;

/// The answer to a load balancer that prepends such a header, for the clients behind it.
pub(super) const PROXY_PROTOCOL: &str = "A header of the PROXY protocol came before the request, and it is \
    not understood here: switch it off at the proxy or load balancer in front.";

/// Headers that may occur only once: two readers could pick different ones. `Host` is required.
static ONCE: [HeaderName; 5] =
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
    match judge(head, path, origins) {
        Ok(response) => {
            write_response(&mut *down, &response).expect("a vector takes headers in ASCII");
            Ok(())
        }
        Err(refusal) => {
            let (status, headers) = status_line(refusal);
            down.extend(answer(status, headers, &refusal.to_string()));
            Err(refusal.into())
        }
    }
}

/// The status of the answer with its name, and the headers that RFC 9110 requires with it.
fn status_line(refusal: UpgradeRefusal) -> (&'static str, &'static str) {
    match (refusal.status(), refusal) {
        (403, _) => ("403 Forbidden", ""),
        (404, _) => ("404 Not Found", ""),
        (405, _) => ("405 Method Not Allowed", "Allow: GET\r\n"),
        (426, UpgradeRefusal::WrongVersion) => {
            ("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n")
        }
        (426, _) => ("426 Upgrade Required", "Upgrade: websocket\r\n"),
        (_, _) => ("400 Bad Request", ""),
    }
}

fn judge(
    head: &[u8],
    path: &str,
    origins: &Origins,
) -> Result<tungstenite::handshake::server::Response, UpgradeRefusal> {
    let mut request = match Request::try_parse(head) {
        Ok(Some((_, request))) => request,
        // Proxies speak HTTP/1.0 unless they are configured otherwise. The parser does not know it.
        Ok(None) | Err(_) if is_http_1_0(head) => return Err(UpgradeRefusal::NoUpgrade),
        Ok(None) | Err(_) if head.starts_with(b"GET ") => return Err(UpgradeRefusal::Malformed),
        Ok(None) | Err(_) => return Err(UpgradeRefusal::NotGet),
    };
    if request.uri().path() != path || request.uri().query().is_some() {
        return Err(UpgradeRefusal::WrongPath);
    }
    check_form(&request)?;
    if !lists(request.headers(), CONNECTION, "upgrade")
        || !lists(request.headers(), UPGRADE, "websocket")
    {
        return Err(UpgradeRefusal::NoUpgrade);
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
        return Err(UpgradeRefusal::OriginNotAllowed);
    }
    if !lists_exactly(headers, SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(UpgradeRefusal::NoSubprotocol);
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn is_http_1_0(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"GET ") && line.ends_with(b" HTTP/1.0")
}

/// Refuses forms that two readers could understand differently.
fn check_form(request: &Request) -> Result<(), UpgradeRefusal> {
    let headers = request.headers();
    if let Some(name) = ONCE.iter().find(|name| lines(headers, *name) > 1) {
        return Err(UpgradeRefusal::RepeatedHeader { header: name.as_str() });
    }
    let host = only(headers, HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| is_host(host)) else {
        return Err(UpgradeRefusal::BadHost);
    };
    // A request to a proxy has the host twice (RFC 9112, 3.2.2).
    if !names(request.uri(), host) {
        return Err(UpgradeRefusal::TwoHosts);
    }
    let has_length = match lines(headers, CONTENT_LENGTH) {
        0 => false,
        _ => only(headers, CONTENT_LENGTH).is_none_or(|length| length != "0"),
    };
    if has_length || headers.contains_key(TRANSFER_ENCODING) {
        return Err(UpgradeRefusal::Body);
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

/// Only these two headers are not checked before.
fn explain(error: Error) -> UpgradeRefusal {
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
            UpgradeRefusal::WrongVersion
        }
        _ => UpgradeRefusal::BadKey,
    }
}
