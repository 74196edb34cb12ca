//! The mailboxes of a node without its shards, so that their cost can be measured alone.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;

use rts_proto::server::{Entry, Input, NodeNumber, ShardId};

use crate::server::mesh::Mesh;
use crate::server::ready_queue::ReadyQueue;

/// The mailboxes between shards, for measurements. The caller takes the part of the shards.
#[derive(Debug)]
pub struct Mailboxes {
    mesh: Mesh,
    ready: Vec<Arc<ReadyQueue>>,
}

impl Mailboxes {
    /// Between this number of shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let ready: Vec<_> = (0..shards).map(|_| Arc::default()).collect();
        Self { mesh: Mesh::new(NodeNumber::ALONE, &ready), ready }
    }

    /// Puts a burst of entries into a mailbox, and wakes the receiver. Returns whether the receiver
    /// is congested, if it was not before.
    pub fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>) -> bool {
        self.mesh.send(from, to, entries)
    }

    /// Takes all that is in the mailboxes of a shard.
    pub fn take(&self, own: ShardId, into: &mut VecDeque<Input>) {
        while let Some(shard) = self.mesh.next_relieved(own) {
            into.push_back(Input::PeerCongested(shard, false));
        }
        while self.mesh.take(own, &mut |input| into.push_back(input)) {}
    }

    /// Waits until a shard is woken, as its reactor does. Cancel safe.
    pub async fn woken(&self, own: ShardId) {
        let ready = &self.ready[own.number()];
        poll_fn(|context| ready.poll_ready(context, &mut VecDeque::new())).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};
    use rts_proto::server::SessionNumber;

    use super::*;

    #[test]
    fn receiver_is_woken_and_takes_what_was_sent() {
        let [one, other] = [0, 1].map(|number| ShardId::new(number).expect("valid"));
        let mailboxes = Mailboxes::new(2);
        assert_eq!(block_on(poll_once(mailboxes.woken(other))), None);
        let session = SessionNumber::from_number(1).expect("not zero");
        let entries = vec![Entry::Push { session, frame: Default::default() }];
        assert!(!mailboxes.send(one, other, entries.clone()));
        block_on(mailboxes.woken(other));
        let mut inputs = VecDeque::new();
        mailboxes.take(other, &mut inputs);
        assert_eq!(inputs, [Input::Peer(one, entries)]);
    }
}
