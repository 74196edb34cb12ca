//! Middleboxes between engines and the server, which change frames in transit.

use std::fmt;

use bytes::Bytes;

use crate::{EngineIndex, Side};

/// Changes the frames between engines and the server, as a bad link or a peer of another version
/// does. [`World::middlebox`](crate::World::middlebox) installs one.
pub trait Middlebox: fmt::Debug {
    /// Returns the pieces that are passed on to `to` in place of these frames. `who` is the engine
    /// of the link, or a stranger, whose number is no engine's.
    fn pass(&mut self, who: EngineIndex, to: Side, frames: Bytes) -> Vec<Piece>;
}

/// A piece of the bytes that are passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes.
    pub bytes: Bytes,
    /// If set, [`Happening::Marked`](crate::Happening::Marked) with this number reports when the
    /// bytes have arrived.
    pub mark: Option<u32>,
}
