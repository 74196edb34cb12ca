//! The encoding of both layers: little-endian integers, and bytes after a u16 length.

use alloc::vec::Vec;

use crate::TokenError;

/// Reads little-endian fields off the front of a slice, never past its end.
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(crate) fn bytes16(&mut self) -> Result<&'a [u8], TokenError> {
        let len = usize::from(self.u16()?);
        let (taken, left) = self.left.split_at_checked(len).ok_or(TokenError::LengthOverrun)?;
        self.left = left;
        Ok(taken)
    }

    /// Both layers end with their last field, so no bytes may follow.
    pub(crate) fn end(self) -> Result<(), TokenError> {
        if self.left.is_empty() { Ok(()) } else { Err(TokenError::Rest) }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, TokenError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, TokenError> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TokenError> {
        let (taken, left) = self.left.split_first_chunk().ok_or(TokenError::LengthOverrun)?;
        self.left = left;
        Ok(*taken)
    }
}

pub(crate) fn put_bytes16(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len16(out, bytes.len());
    out.extend_from_slice(bytes);
}

pub(crate) fn put_len16(out: &mut Vec<u8>, len: usize) {
    let len = u16::try_from(len).expect("every length is under a limit that fits in a u16");
    out.extend(len.to_le_bytes());
}
