//! The outer layer: version, app id, and base64 around a message and its signature.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
// The strict preset of the crate: it requires padding and zero trailing bits. So each pair of
// message and signature has exactly one text.
use base64::engine::general_purpose::STANDARD;

use crate::TokenError;
use crate::bytes::{Reader, put_bytes16};
use crate::limits::{APP_ID_BYTES, MAX_TOKEN_BYTES, SIGNATURE_BYTES, VERSION};
use crate::token::is_app_id;

/// The parts of a token's text, not decoded.
pub(crate) struct Text<'a> {
    pub(crate) app_id: &'a str,
    base64: &'a str,
}

/// The content of a token's text. The message is as received: not checked, not parsed.
pub(crate) struct Envelope<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) msg: Vec<u8>,
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

pub(crate) fn split_text(token: &str) -> Result<Text<'_>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong { bytes: token.len() });
    }
    let rest = token.strip_prefix(VERSION).ok_or(TokenError::Version)?;
    let (app_id, base64) = rest.split_at_checked(APP_ID_BYTES).ok_or(TokenError::AppIdMalformed)?;
    if !is_app_id(app_id.as_bytes()) {
        return Err(TokenError::AppIdMalformed);
    }
    Ok(Text { app_id, base64 })
}

impl<'a> Envelope<'a> {
    pub(crate) fn decode(text: Text<'a>) -> Result<Self, TokenError> {
        let bytes = STANDARD.decode(text.base64).map_err(|_| TokenError::Base64)?;
        let mut reader = Reader::new(&bytes);
        let msg = reader.bytes16()?;
        let signature = reader.bytes16()?;
        reader.end()?;
        let signature = signature
            .try_into()
            .map_err(|_| TokenError::SignatureLength { bytes: signature.len() })?;
        Ok(Self { app_id: text.app_id, msg: msg.into(), signature })
    }
}

pub(crate) fn encode(app_id: &str, msg: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> String {
    let mut bytes = Vec::with_capacity(2 + msg.len() + 2 + SIGNATURE_BYTES);
    put_bytes16(&mut bytes, msg);
    put_bytes16(&mut bytes, signature);

    let mut token = String::new();
    token.push_str(VERSION);
    token.push_str(app_id);
    STANDARD.encode_string(&bytes, &mut token);
    token
}
