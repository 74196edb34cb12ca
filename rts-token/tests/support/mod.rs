//! Shared code of the tests. It does not use the crate's own encoding, so that both cannot have the
//! same mistake.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

pub(crate) mod reference;

use sha2::{Digest, Sha256};

pub(crate) const APP_ID: &str = "123456781234567812345678";
pub(crate) const OTHER_APP_ID: &str = "ABCDEFGHabcdefgh12345678";
pub(crate) const KEY: &[u8] = b"app key";
pub(crate) const UID: &str = "alice";
pub(crate) const NOW: u64 = 1_700_000_000;

/// For login, no room: nonce 12345678, issued 1700000000, expires 1700086400.
pub(crate) const LOGIN_VECTOR: &str = "001123456781234567812345678FwBOYbwAAPFTZYBCVWUAAAUAYWxpY2UA\
     ACAAG1qGMriGfbjy1d8zUi8hKfCURsZMSP2v8KhktaEFlUo=";

/// For the room `room_1@a.b-c`: nonce 99999999, issued 1700000000, expires 2147483647, privileges
/// 0 to 3 until 2147483647 and 4 for ever.
pub(crate) const ROOM_VECTOR: &str = "001123456781234567812345678QQD/4PUFAPFTZf///38MAHJvb21fMUBhL\
     mItYwUAYWxpY2UFAAAA////fwEA////fwIA////fwMA////fwQAAAAAACAASnz1dghZ/9CWtrmMOzx99OLwCO5xz4R9QU\
     JYqMzPsGE=";

/// A message written field by field, valid or invalid.
#[derive(Clone, Debug)]
pub(crate) struct Msg {
    pub(crate) nonce: u32,
    pub(crate) issued_at: u32,
    pub(crate) expire_at: u32,
    pub(crate) room_id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) privileges: Vec<(u16, u32)>,
}

impl Msg {
    pub(crate) fn for_user(user_id: impl AsRef<[u8]>) -> Self {
        Self {
            nonce: 7,
            issued_at: 1_700_000_000,
            expire_at: 0,
            room_id: Vec::new(),
            user_id: user_id.as_ref().to_vec(),
            privileges: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [self.nonce, self.issued_at, self.expire_at] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend(behind_length(&self.room_id));
        out.extend(behind_length(&self.user_id));
        out.extend_from_slice(&(self.privileges.len() as u16).to_le_bytes());
        for (privilege, expire_at) in &self.privileges {
            out.extend_from_slice(&privilege.to_le_bytes());
            out.extend_from_slice(&expire_at.to_le_bytes());
        }
        out
    }

    /// The token of this message, with a correct signature even if its fields are wrong.
    pub(crate) fn token(&self) -> String {
        token_of(&self.bytes())
    }
}

/// The token of any message bytes, with a correct signature.
pub(crate) fn token_of(msg: &[u8]) -> String {
    let mut payload = behind_length(msg);
    payload.extend(behind_length(&hmac_sha256(KEY, msg)));
    text_of(&payload)
}

/// The token text around any payload.
pub(crate) fn text_of(payload: &[u8]) -> String {
    format!("001{APP_ID}{}", base64(payload))
}

pub(crate) fn behind_length(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("tests write short fields");
    [&len.to_le_bytes()[..], bytes].concat()
}

/// RFC 2104, from its definition, for keys up to one block.
pub(crate) fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64, "longer keys are hashed first, which no test needs");
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(data);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

pub(crate) const BASE64_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            let used = digit <= group.len();
            out.push(if used { char::from(BASE64_ALPHABET[value as usize]) } else { '=' });
        }
    }
    out
}
