//! The next inputs of the core: those of all links, as one burst.

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::FixedState;
use rts_proto::LinkId;
use rts_proto::server::Input;

use crate::server::gate::LinkGuard;
use crate::server::notice_log::LinkFacts;

pub(super) struct Batch {
    inputs: Vec<Input>,
    /// Frames among the inputs, and input that counts as frames.
    frames: usize,
    /// Links before login that have bytes among the inputs.
    before_login: Vec<LinkId>,
    /// Facts for the log about links that are gone, or about to be closed.
    gone: HashMap<LinkId, LinkFacts, FixedState>,
    /// Guards of links that are gone. These links count against the limits until the core has the
    /// input.
    guards: Vec<LinkGuard>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            inputs: Vec::new(),
            frames: 0,
            before_login: Vec::new(),
            gone: HashMap::default(),
            guards: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, input: Input) {
        self.inputs.push(input);
    }

    /// Bytes came from a link, with the ends of this number of frames in them.
    pub(super) fn received(&mut self, id: LinkId, bytes: Bytes, frames: usize) {
        self.inputs.push(Input::Received(id, bytes));
        self.frames += frames;
    }

    /// Adds a link before login. Its bytes in this batch may log it in.
    pub(super) fn add_before_login(&mut self, id: LinkId) {
        self.before_login.push(id);
    }

    /// Counts input that costs as much as this number of frames.
    pub(super) fn count_frames(&mut self, frames: usize) {
        self.frames += frames;
    }

    pub(super) fn disconnected(&mut self, id: LinkId, facts: LinkFacts, guard: LinkGuard) {
        self.guards.push(guard);
        self.closed(id, facts);
    }

    /// The client closed the link. Its remaining bytes are still written.
    pub(super) fn closed(&mut self, id: LinkId, facts: LinkFacts) {
        self.gone.insert(id, facts);
        self.inputs.push(Input::Disconnected(id));
    }

    /// Facts about a link that is gone, until [`release_gone`](Self::release_gone).
    pub(super) fn facts_of_gone(&self, id: LinkId) -> Option<LinkFacts> {
        self.gone.get(&id).cloned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// The inputs, in order. The next turn counts its frames from zero.
    pub(super) fn drain_inputs(&mut self) -> impl Iterator<Item = Input> + '_ {
        self.frames = 0;
        self.inputs.drain(..)
    }

    pub(super) fn drain_before_login(&mut self) -> impl Iterator<Item = LinkId> + '_ {
        self.before_login.drain(..)
    }

    /// Stops counting links that are gone, after the core had the input.
    pub(super) fn release_gone(&mut self) {
        self.gone.clear();
        self.guards.clear();
    }
}

impl Extend<Input> for Batch {
    fn extend<I: IntoIterator<Item = Input>>(&mut self, inputs: I) {
        self.inputs.extend(inputs);
    }
}
