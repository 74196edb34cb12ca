//! The inner layer: converts the signed message between bytes and fields.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::str;

use crate::bytes::{Reader, put_bytes16, put_len16};
use crate::limits::MAX_PRIVILEGES;
use crate::{Expiry, Token, TokenError};

pub(crate) fn pack(token: &Token) -> Vec<u8> {
    let mut out = Vec::with_capacity(token.msg_bytes());
    out.extend(token.nonce().to_le_bytes());
    out.extend(token.issued_at().to_le_bytes());
    out.extend(token.expire_at().to_le_bytes());
    put_bytes16(&mut out, token.room_id());
    put_bytes16(&mut out, token.user_id().as_bytes());
    put_len16(&mut out, token.privileges().len());
    for (privilege, expire_at) in token.privileges() {
        out.extend(privilege.to_le_bytes());
        out.extend(expire_at.to_le_bytes());
    }
    out
}

/// The fields of `msg`. The caller checks the signature.
pub(crate) fn unpack(app_id: &str, msg: &[u8]) -> Result<Token, TokenError> {
    let mut reader = Reader::new(msg);
    let nonce = reader.u32()?;
    let issued_at = reader.u32()?;
    let expire_at = reader.u32()?;
    let room_id = reader.bytes16()?;
    // Ids are ASCII, so bytes that are not UTF-8 are malformed in the same way.
    let user_id = str::from_utf8(reader.bytes16()?).map_err(|_| TokenError::UserIdMalformed)?;
    let privileges = unpack_privileges(&mut reader)?;
    reader.end()?;

    let expiry = match expire_at {
        0 => Expiry::Never,
        at => Expiry::At(at),
    };
    Ok(Token::new(app_id, user_id, expiry)?
        .with_nonce(nonce)
        .with_issued_at(issued_at)
        .with_room_id(room_id)?
        .with_received_privileges(privileges))
}

fn unpack_privileges(reader: &mut Reader<'_>) -> Result<BTreeMap<u16, u32>, TokenError> {
    let count = reader.u16()?;
    if usize::from(count) > MAX_PRIVILEGES {
        return Err(TokenError::TooManyPrivileges);
    }
    let mut privileges = BTreeMap::new();
    for _ in 0..count {
        let privilege = reader.u16()?;
        let expire_at = reader.u32()?;
        // In any order: some minters write them in the order of the grants.
        if privileges.insert(privilege, expire_at).is_some() {
            return Err(TokenError::PrivilegeTwice);
        }
    }
    Ok(privileges)
}
