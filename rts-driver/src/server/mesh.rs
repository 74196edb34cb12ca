//! The mesh between the shards of a node: a mailbox for each pair of shards, in both directions. A
//! shard sends the entries of a burst together, and wakes the other shard once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rts_proto::server::{Entry, Input, ShardId};

use crate::server::ready_queue::ReadyQueue;

/// Entries in a mailbox at which its sender is told that the receiver is congested. The sender then
/// refuses messages for it, and still sends what must not be lost.
const CONGESTED_ENTRIES: usize = 65_536;
/// Bytes of frames in a mailbox at which the same happens.
const CONGESTED_BYTES: usize = 8 * 1_024 * 1_024;

/// All mailboxes of a node.
#[derive(Debug)]
pub(crate) struct Mesh {
    shards: Vec<Inboxes>,
}

/// The mailboxes of one shard.
#[derive(Debug)]
struct Inboxes {
    /// Wakes the reactor of the shard.
    ready: Arc<ReadyQueue>,
    /// By sender.
    from: Vec<Mutex<Mailbox>>,
    /// The senders whose mailbox has entries.
    has_mail: ShardSet,
    /// Shards that were congested and no longer are.
    relieved: ShardSet,
}

#[derive(Debug, Default)]
struct Mailbox {
    bursts: VecDeque<Vec<Entry>>,
    entries: usize,
    frame_bytes: usize,
    is_congested: bool,
}

/// Shards, as a set that many threads share.
#[derive(Debug, Default)]
struct ShardSet(AtomicU64);

impl ShardSet {
    /// Returns whether the set was without this shard.
    fn insert(&self, shard: ShardId) -> bool {
        let bit = 1 << shard.number();
        self.0.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    /// Removes and returns all shards.
    fn take(&self) -> impl Iterator<Item = ShardId> + use<> {
        let bits = match self.is_empty() {
            true => 0,
            false => self.0.swap(0, Ordering::AcqRel),
        };
        let shards = (0..ShardId::COUNT_MAX).filter(move |number| bits & (1 << number) != 0);
        shards.filter_map(ShardId::new)
    }
}

impl Mesh {
    /// Between shards with these ready queues.
    pub(crate) fn new(ready: &[Arc<ReadyQueue>]) -> Self {
        let inboxes = |ready: &Arc<ReadyQueue>, count| Inboxes {
            ready: Arc::clone(ready),
            from: (0..count).map(|_| Mutex::default()).collect(),
            has_mail: ShardSet::default(),
            relieved: ShardSet::default(),
        };
        Self { shards: ready.iter().map(|of_shard| inboxes(of_shard, ready.len())).collect() }
    }

    /// Puts entries into a mailbox, and wakes the receiver. Returns whether the receiver is
    /// congested, if it was not before.
    pub(crate) fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>) -> bool {
        let inboxes = &self.shards[to.number()];
        let frame_bytes: usize = entries.iter().map(Entry::frame_bytes).sum();
        let mut mailbox = lock(&inboxes.from[from.number()]);
        mailbox.entries += entries.len();
        mailbox.frame_bytes += frame_bytes;
        mailbox.bursts.push_back(entries);
        let is_congested =
            mailbox.entries >= CONGESTED_ENTRIES || mailbox.frame_bytes >= CONGESTED_BYTES;
        let was_congested = std::mem::replace(&mut mailbox.is_congested, is_congested);
        drop(mailbox);
        if inboxes.has_mail.insert(from) {
            inboxes.ready.notify();
        }
        is_congested && !was_congested
    }

    /// Takes all that is in a shard's mailboxes: inputs of its core, in the order of each sender.
    pub(crate) fn take(&self, own: ShardId, into: &mut VecDeque<Input>) {
        let inboxes = &self.shards[own.number()];
        for from in inboxes.has_mail.take() {
            let mailbox = std::mem::take(&mut *lock(&inboxes.from[from.number()]));
            into.extend(mailbox.bursts.into_iter().map(|entries| Input::Peer(from, entries)));
            if mailbox.is_congested {
                let sender = &self.shards[from.number()];
                sender.relieved.insert(own);
                sender.ready.notify();
            }
        }
        let relieved = inboxes.relieved.take();
        into.extend(relieved.map(|shard| Input::PeerCongested(shard, false)));
    }
}

/// No code that can panic runs under this lock.
fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use futures_lite::future::block_on;
    use rts_proto::server::SessionNumber;

    use super::*;

    fn shard(number: usize) -> ShardId {
        ShardId::new(number).expect("valid")
    }

    fn entry(number: u64) -> Entry {
        let session = SessionNumber::from_number(number).expect("not zero");
        Entry::Push { session, frame: Bytes::new() }
    }

    fn mesh(shards: usize) -> (Mesh, Vec<Arc<ReadyQueue>>) {
        let ready: Vec<_> = (0..shards).map(|_| Arc::default()).collect();
        (Mesh::new(&ready), ready)
    }

    fn taken(mesh: &Mesh, own: usize) -> Vec<Input> {
        let mut inputs = VecDeque::new();
        mesh.take(shard(own), &mut inputs);
        inputs.into()
    }

    fn is_notified(ready: &ReadyQueue) -> bool {
        block_on(std::future::poll_fn(|context: &mut Context<'_>| {
            Poll::Ready(ready.poll_ready(context, &mut VecDeque::new()).is_ready())
        }))
    }

    #[test]
    fn entries_of_each_sender_come_in_their_order_and_once() {
        let (mesh, _ready) = mesh(3);
        for number in 1..=3 {
            mesh.send(shard(0), shard(2), vec![entry(number)]);
            mesh.send(shard(1), shard(2), vec![entry(10 * number), entry(10 * number + 1)]);
        }
        let of = |from, numbers: &[u64]| {
            Input::Peer(shard(from), numbers.iter().map(|number| entry(*number)).collect())
        };
        let first = [of(0, &[1]), of(0, &[2]), of(0, &[3])];
        let second = [of(1, &[10, 11]), of(1, &[20, 21]), of(1, &[30, 31])];
        assert_eq!(taken(&mesh, 2), [first, second].concat());
        assert_eq!(taken(&mesh, 2), []);
        assert_eq!(taken(&mesh, 0), []);
    }

    #[test]
    fn receiver_is_woken_once_until_it_takes() {
        let (mesh, ready) = mesh(2);
        assert!(!is_notified(&ready[1]));
        mesh.send(shard(0), shard(1), vec![entry(1)]);
        assert!(is_notified(&ready[1]));
        mesh.send(shard(0), shard(1), vec![entry(2)]);
        assert!(!is_notified(&ready[1]) && !is_notified(&ready[0]));
        assert_eq!(taken(&mesh, 1).len(), 2);
        mesh.send(shard(0), shard(1), vec![entry(3)]);
        assert!(is_notified(&ready[1]));
    }

    #[test]
    fn sender_is_told_once_that_a_receiver_is_congested_and_once_that_it_is_not() {
        let (mesh, ready) = mesh(2);
        let full = CONGESTED_ENTRIES as u64;
        assert!(!mesh.send(shard(0), shard(1), (1..full).map(entry).collect()));
        assert!(mesh.send(shard(0), shard(1), vec![entry(1)]));
        assert!(!mesh.send(shard(0), shard(1), vec![entry(1)]));
        assert!(!is_notified(&ready[0]));
        assert_eq!(taken(&mesh, 1).len(), 3);
        assert!(is_notified(&ready[0]));
        assert_eq!(taken(&mesh, 0), [Input::PeerCongested(shard(1), false)]);
        assert_eq!(taken(&mesh, 0), []);
        assert!(!mesh.send(shard(0), shard(1), vec![entry(1)]));
    }

    #[test]
    fn many_bytes_congest_a_receiver_too() {
        let (mesh, _ready) = mesh(2);
        let push = |bytes_len| {
            let session = SessionNumber::from_number(1).expect("not zero");
            vec![Entry::Push { session, frame: vec![0; bytes_len].into() }]
        };
        assert!(!mesh.send(shard(0), shard(1), push(CONGESTED_BYTES - 1)));
        assert!(mesh.send(shard(0), shard(1), push(1)));
    }

    #[test]
    fn threads_lose_and_swap_nothing() {
        const SENT: u64 = 20_000;
        let (mesh, _ready) = mesh(3);
        let mesh = &mesh;
        std::thread::scope(|scope| {
            for from in [0, 1] {
                scope.spawn(move || {
                    for number in 1..=SENT {
                        mesh.send(shard(from), shard(2), vec![entry(number)]);
                    }
                });
            }
            let mut last = [0, 0];
            while last != [SENT, SENT] {
                for input in taken(mesh, 2) {
                    let Input::Peer(from, entries) = input else { continue };
                    let next = last[from.number()] + 1;
                    assert_eq!(entries, [entry(next)]);
                    last[from.number()] = next;
                }
            }
        });
    }
}
