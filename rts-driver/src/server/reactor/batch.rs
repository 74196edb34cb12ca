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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::server::gate::Gate;
    use crate::server::link_end::LinkEnd;
    use crate::server::notice_log::Peer;

    const ALICE: LinkId = LinkId(1);
    const BOB: LinkId = LinkId(2);

    fn address(link: LinkId) -> SocketAddr {
        ([192, 0, 2, 1], u16::try_from(link.0).expect("small")).into()
    }

    fn facts(link: LinkId) -> LinkFacts {
        let peer = Peer { address: address(link), is_exempt: false };
        LinkFacts { peer, end: Some(LinkEnd::Closed) }
    }

    #[test]
    fn inputs_come_in_order_and_their_frames_count_once() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        let bytes = Bytes::from_static(b"two frames");
        batch.received(ALICE, bytes.clone(), 2);
        batch.push(Input::Congested(BOB, true));
        batch.count_frames(3);
        batch.extend([Input::Tick]);
        assert_eq!(batch.frames(), 5);
        let inputs: Vec<Input> = batch.drain_inputs().collect();
        let expected = [Input::Received(ALICE, bytes), Input::Congested(BOB, true), Input::Tick];
        assert_eq!(inputs, expected);
        assert!(batch.is_empty());
        assert_eq!(batch.frames(), 0);
    }

    #[test]
    fn link_is_counted_until_the_core_knows_that_it_is_gone() {
        let gate = Arc::new(Gate::default());
        let guard = gate.admit(address(ALICE), None).expect("no limit");
        let mut batch = Batch::new();
        batch.disconnected(ALICE, facts(ALICE), guard);
        let inputs: Vec<Input> = batch.drain_inputs().collect();
        assert_eq!(inputs, [Input::Disconnected(ALICE)]);
        assert!(!gate.is_empty());
        batch.release_gone();
        assert!(gate.is_empty());
    }

    #[test]
    fn facts_of_a_gone_link_stay_until_its_notices_are_out() {
        let mut batch = Batch::new();
        batch.closed(ALICE, facts(ALICE));
        drop(batch.drain_inputs());
        let found = batch.facts_of_gone(ALICE).expect("it is gone");
        assert_eq!(found.peer.address, address(ALICE));
        assert!(batch.facts_of_gone(BOB).is_none());
        batch.release_gone();
        assert!(batch.facts_of_gone(ALICE).is_none());
    }

    #[test]
    fn links_before_login_are_asked_about_once() {
        let mut batch = Batch::new();
        batch.add_before_login(ALICE);
        batch.add_before_login(BOB);
        assert!(batch.drain_before_login().eq([ALICE, BOB]));
        assert_eq!(batch.drain_before_login().count(), 0);
    }
}
