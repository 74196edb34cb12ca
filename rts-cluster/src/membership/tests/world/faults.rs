//! Faults of the nodes, the bus and the register.

use std::collections::BTreeSet;

use super::{World, ms};
use crate::membership::Wish;
use crate::node::Input;

/// A fault, or the end of one.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Start(u64),
    Crash {
        node: u64,
        is_certified: bool,
    },
    Pause {
        node: u64,
        ms: u64,
    },
    Partition {
        one_side: BTreeSet<u64>,
        ms: u64,
    },
    RegisterDown {
        ms: u64,
    },
    Lose {
        of_10: u64,
    },
    Disturb {
        of_10: u64,
    },
    Leave(u64),
    /// The packets for this node alone are lost.
    Close {
        node: u64,
        ms: u64,
    },
    /// From now on, shards serve the views of their nodes late.
    ServeLate {
        ms: u64,
    },
    /// The register loses its last change.
    Forget,
}

impl World {
    pub(crate) fn break_it(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Start(node) => self.start(node),
            Fault::Crash { node, is_certified } => {
                self.crash(node);
                if is_certified {
                    self.certify();
                }
            }
            Fault::Pause { node, ms: millis } => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.paused_until = now + ms(millis);
                }
            }
            Fault::Partition { one_side, ms: millis } => {
                (self.one_side, self.partition_until) = (one_side, now + ms(millis));
            }
            Fault::RegisterDown { ms: millis } => self.register_down_until = now + ms(millis),
            Fault::Lose { of_10 } => self.lose_of_10 = of_10,
            Fault::Disturb { of_10 } => self.disturb_of_10 = of_10,
            Fault::Close { node, ms: millis } => self.closed = Some((node, now + ms(millis))),
            Fault::ServeLate { ms: millis } => self.serve_late = ms(millis),
            Fault::Forget => self.forget_last_change(),
            Fault::Leave(node) => self.input(node, Input::Wish(Wish::Leave)),
        }
    }
}
