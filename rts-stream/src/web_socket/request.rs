//! A client's half of the handshake: RFC 6455, 4.1, and §12.5.

use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::http;
use tungstenite::http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};

use super::SUBPROTOCOL;
use super::headers::{lists, only};
use crate::address::Address;
use crate::error::LayerError;
use crate::http::Head;

/// What was asked, as far as the answer has to fit it.
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
        let Ok(Some((_, answer))) = Response::try_parse(head.bytes()) else {
            return no("the server does not speak HTTP here; if it speaks RTS, the address must \
                       begin with rts:// or rtss://");
        };
        match answer.status().as_u16() {
            101 => {}
            403 => return no("the server does not allow it from here (HTTP 403)"),
            400 => {
                return no("the server takes no such request (HTTP 400); if it speaks RTS, the \
                           address must begin with rts://, rtss:// or wss://");
            }
            404 => return no("there is none at this path of the server (HTTP 404)"),
            426 => {
                return no(
                    "the server got the request without its headers Upgrade and Connection, or as \
                           HTTP/1.0 (HTTP 426): a proxy in between has to pass them on (nginx: \
                           proxy_http_version 1.1, and proxy_set_header for both)",
                );
            }
            502..=504 => {
                return no(&format!(
                    "a proxy in between does not reach the server (HTTP {})",
                    answer.status().as_u16()
                ));
            }
            status => return no(&format!("the server answers with HTTP {status}")),
        }
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
        if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
            return no("the server uses an extension that was not offered");
        }
        Ok(())
    }
}
