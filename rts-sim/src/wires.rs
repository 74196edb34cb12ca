//! The middlebox of a run: a newer version on one side, and links that change bytes.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use rts_testkit::{EngineIndex, Middlebox, Piece, Side};

use super::flips::Flips;
use super::newer::Newer;

/// Shared between the world, which sends frames through it, and the run, which changes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wires(Rc<RefCell<Changes>>);

#[derive(Debug, Default)]
struct Changes {
    /// The side with a newer version, if any.
    newer: Option<Newer>,
    /// The links that change bytes, if any.
    flips: Option<Flips>,
}

impl Wires {
    pub(crate) fn new(newer: Option<Newer>) -> Self {
        Self(Rc::new(RefCell::new(Changes { newer, flips: None })))
    }

    pub(crate) fn harm(&self, flips: Flips) {
        self.0.borrow_mut().flips = Some(flips);
    }

    pub(crate) fn heal(&self) {
        self.0.borrow_mut().flips = None;
    }
}

impl Middlebox for Wires {
    fn pass(&mut self, who: EngineIndex, to: Side, frames: Bytes) -> Vec<Piece> {
        let Changes { newer, flips } = &mut *self.0.borrow_mut();
        let mut pieces = match newer.as_mut().filter(|newer| newer.side != to) {
            None => vec![Piece { bytes: frames, mark: None }],
            Some(newer) => newer.say(frames),
        };
        if let Some(flips) = flips {
            for piece in &mut pieces {
                piece.bytes = flips.pass(who, std::mem::take(&mut piece.bytes));
            }
        }
        pieces
    }
}
