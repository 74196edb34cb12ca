//! What is under way in a world, and what happens when it arrives.

use bytes::Bytes;

use super::{World, ms};
use crate::membership::{CasResult, Question, Revision};
use crate::node::Input;
use crate::view::{Incarnation, View, ViewId, ViewRef};

/// Something under way.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Packet {
        from: u64,
        to: u64,
        packet: Bytes,
    },
    Read {
        by: u64,
        question: Question,
    },
    Cas {
        by: u64,
        question: Question,
        expected: Option<Revision>,
        view: View,
    },
    Vote {
        by: u64,
        question: Question,
        view: ViewId,
        remove: Incarnation,
    },
    Answer {
        to: u64,
        input: Input,
    },
    /// The shards of a node serve a view.
    Serve {
        by: u64,
        incarnation: Incarnation,
        view: ViewRef,
    },
    /// The bus goes away from a node, which notices it.
    Disconnected(u64),
    /// A node gets a connection to the bus.
    Connected(u64),
}

impl World {
    pub(super) fn happen(&mut self, due: Due) {
        let (now, to) = (
            self.now,
            match &due {
                Due::Packet { to, .. } => *to,
                Due::Answer { to, .. } => *to,
                Due::Read { by, .. } | Due::Cas { by, .. } => *by,
                Due::Vote { by, .. } | Due::Serve { by, .. } => *by,
                Due::Disconnected(name) | Due::Connected(name) => *name,
            },
        );
        let is_off = self.is_off(to);
        let Some(node) = self.nodes.get_mut(&to) else { return };
        match due {
            // What comes to a node that is paused waits for it.
            Due::Packet { .. }
            | Due::Answer { .. }
            | Due::Serve { .. }
            | Due::Disconnected(_)
            | Due::Connected(_)
                if now < node.paused_until =>
            {
                self.due.push((node.paused_until, due));
            }
            Due::Packet { from, packet, .. } => {
                if !self.is_cut(from, to) {
                    self.input(to, Input::Packet(packet));
                }
            }
            Due::Answer { input, .. } => self.input(to, input),
            Due::Disconnected(name) => self.disconnect(name),
            Due::Connected(name) => self.connect(name),
            Due::Serve { incarnation, view, .. } => {
                if incarnation == node.incarnation() {
                    node.served.insert(view.id);
                    self.input(to, Input::Served(view.epoch));
                }
            }
            Due::Read { by, question } => {
                let input = match is_off || now < self.register_down_until {
                    true => Input::ReadFailed(question),
                    false => Input::Read(question, self.register.clone()),
                };
                self.due.push((now + ms(1), Due::Answer { to: by, input }));
            }
            Due::Vote { by, question, view, remove } => {
                let vote = if is_off { None } else { self.vote(view, remove) };
                let input = Input::Voted(question, vote);
                self.due.push((now + ms(1), Due::Answer { to: by, input }));
            }
            Due::Cas { by, question, expected, view } => {
                let result = match is_off {
                    true => CasResult::Unknown,
                    false => self.set(expected, view),
                };
                self.due.push((
                    now + ms(1),
                    Due::Answer { to: by, input: Input::Cas(question, result) },
                ));
            }
        }
    }
}
