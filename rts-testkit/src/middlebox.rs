//! What stands between engines and the server, and changes what they write.

use std::fmt;

use bytes::Bytes;

use crate::{Person, Side};

/// Changes what engines and the server write to each other, as a bad link does, or a peer of
/// another version. [`World::middlebox`](crate::World::middlebox) puts one in.
pub trait Middlebox: fmt::Debug {
    /// What goes on towards `to` in place of these frames. The link is that of this engine, or of a
    /// stranger, whose number is no place in the world.
    fn pass(&mut self, who: Person, to: Side, frames: Bytes) -> Vec<Piece>;
}

/// Some of the bytes that go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes.
    pub bytes: Bytes,
    /// With a number, [`Happening::Marked`](crate::Happening::Marked) says when they have arrived.
    pub mark: Option<u32>,
}
