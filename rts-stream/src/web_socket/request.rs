//! A client's half of the handshake: RFC 6455, 4.1, and §12.5.

use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::http;
use tungstenite::http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};

use super::headers::{SUBPROTOCOL, lists, lists_any, only};
use crate::address::Address;
use crate::error::LayerError;
use crate::http::Head;

/// The reason if the server's answer is not HTTP.
pub(super) const NOT_HTTP: &str = "the server does not speak HTTP here; if it speaks RTS, the address \
    must begin with rts:// or rtss://";

/// The parts of the request that the answer must match.
pub(super) struct Request {
    accept: String,
}

impl Request {
    pub(super) fn new(address: &Address, down: &mut Vec<u8>) -> Result<Self, LayerError> {
        let error = |error: &dyn std::fmt::Display| LayerError::Upgrade(error.to_string());
        let request = http::Request::builder()
            .uri(address.path())
            .header(HOST, address.host_header())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, generate_key())
            .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
            .body(())
            .map_err(|e| error(&e))?;
        let (bytes, key) = generate_request(request).map_err(|e| error(&e))?;
        down.extend(bytes);
        Ok(Self { accept: derive_accept_key(key.as_bytes()) })
    }

    /// Whether the answer, whose head is complete, opens the WebSocket.
    pub(super) fn check_answer(&self, head: &Head) -> Result<(), LayerError> {
        let no = |why: &str| Err(LayerError::Upgrade(why.to_owned()));
        match head.status() {
            None => return no(NOT_HTTP),
            Some(101) => {}
            Some(status) => return no(&explain(status)),
        }
        let Ok(Some((_, answer))) = Response::try_parse(&head.unfolded()) else {
            return no("the head of the server's answer is not well formed HTTP/1.1");
        };
        let headers = answer.headers();
        let is = |name: HeaderName, wanted: &str| only(headers, name).is_some_and(|v| v == wanted);
        if !lists(headers, UPGRADE, "websocket")
            || !lists(headers, CONNECTION, "upgrade")
            || !is(SEC_WEBSOCKET_ACCEPT, &self.accept)
        {
            return no("the answer of the server is not one to this request");
        }
        if !is(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
            return no("the server speaks something else over it than RTS");
        }
        if lists_any(headers, SEC_WEBSOCKET_EXTENSIONS) {
            return no("the server uses an extension that was not offered");
        }
        Ok(())
    }
}

/// The reason for a status that opens no WebSocket.
fn explain(status: u16) -> String {
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
