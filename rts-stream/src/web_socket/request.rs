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
use crate::error::UpgradeError;
use crate::http::Head;

/// The parts of the request that the answer must match.
pub(super) struct Request {
    accept: String,
}

impl Request {
    pub(super) fn new(address: &Address, down: &mut Vec<u8>) -> Result<Self, UpgradeError> {
        let request = http::Request::builder()
            .uri(address.path())
            .header(HOST, address.host_header())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, generate_key())
            .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
            .body(())
            // The bytes of a path and a host are valid in HTTP, or they would be no address.
            .map_err(|_| UpgradeError::PathTooLong)?;
        let (bytes, key) = generate_request(request).expect("its headers are there, in ASCII");
        down.extend(bytes);
        Ok(Self { accept: derive_accept_key(key.as_bytes()) })
    }

    /// Whether the answer, whose head is complete, opens the WebSocket.
    pub(super) fn check_answer(&self, head: &Head) -> Result<(), UpgradeError> {
        match head.status() {
            None => return Err(UpgradeError::NotHttp),
            Some(101) => {}
            Some(status) => return Err(UpgradeError::Status(status)),
        }
        let Ok(Some((_, answer))) = Response::try_parse(&head.unfolded()) else {
            return Err(UpgradeError::BadHead);
        };
        let headers = answer.headers();
        let is = |name: HeaderName, wanted: &str| only(headers, name).is_some_and(|v| v == wanted);
        if !lists(headers, UPGRADE, "websocket") || !lists(headers, CONNECTION, "upgrade") {
            return Err(UpgradeError::NotUpgraded);
        }
        if !is(SEC_WEBSOCKET_ACCEPT, &self.accept) {
            return Err(UpgradeError::BadAccept);
        }
        if !is(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
            return Err(UpgradeError::BadSubprotocol);
        }
        if lists_any(headers, SEC_WEBSOCKET_EXTENSIONS) {
            return Err(UpgradeError::Extension);
        }
        Ok(())
    }
}
