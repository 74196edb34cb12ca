//! A server's half of the handshake: RFC 6455, 4.2, and §12.5.

use std::sync::Arc;

use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::HeaderValue;
use tungstenite::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::SUBPROTOCOL;
use crate::error::LayerError;
use crate::http::answer;

/// The origins whose pages may open a WebSocket. Programs, which have no origin, always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Pages of any origin.
    Any,
    /// Pages of these, each as `https://chat.example.com` or `http://localhost:8000`; with an empty list, of none.
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

/// Answers a request, whose head is complete, with 101, or with what is wrong with it.
pub(super) fn answer_request(
    head: &[u8],
    path: &str,
    origins: &Origins,
    down: &mut Vec<u8>,
) -> Result<(), LayerError> {
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
    let request = match Request::try_parse(head) {
        Ok(Some((_, request))) => request,
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
            "There is nothing at this path. A token, by the way, never belongs into an address.",
        ));
    }
    let mut response = create_response(&request).map_err(explain)?;
    // What may be there only once: two of it could be read in two ways.
    let headers = request.headers();
    if [HOST, ORIGIN].iter().any(|name| headers.get_all(name).iter().count() > 1)
        || headers.get(HOST).is_none()
    {
        return Err(refuse("400 Bad Request", "Host must be there once, and Origin at most once."));
    }
    if let Some(origin) = headers.get(ORIGIN)
        && !origins.allow(origin)
    {
        let text = "Pages of this origin are not allowed here; the server's operator can list it in `origins`.";
        return Err(refuse("403 Forbidden", text));
    }
    let mut offered = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(',').map(str::trim));
    if !offered.any(|name| name == SUBPROTOCOL) {
        let text = format!("The subprotocol {SUBPROTOCOL} must be among those that are offered.");
        return Err(refuse("400 Bad Request", text));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn explain(error: Error) -> Refused {
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => Refused {
            status: "426 Upgrade Required",
            headers: "Sec-WebSocket-Version: 13\r\n",
            text: "Only version 13 of WebSocket is spoken here.".to_owned(),
        },
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader,
        ) => Refused {
            status: "426 Upgrade Required",
            headers: "Upgrade: websocket\r\n",
            text: "Only a WebSocket can be opened here.".to_owned(),
        },
        other => refuse("400 Bad Request", format!("This opens no WebSocket: {other}.")),
    }
}
