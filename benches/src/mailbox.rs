//! What a mailbox between two shards costs alone: entries that no core makes or reads.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use rts_driver::Runtime as _;
use rts_driver::server::Mailboxes;
use rts_proto::server::{Entry, Input, SessionNumber, ShardId};
use rts_transport_tokio::Tokio;

use crate::figures::{Cost, Moment};

/// Sends this number of bursts, and takes each at once, in one thread: nobody waits, and nobody is
/// woken. Counts entries.
#[must_use]
pub fn in_one_thread(bursts: u64, entries: usize) -> Cost {
    let mailboxes = Mailboxes::new(2);
    let (mut taken, mut count) = (VecDeque::new(), 0);
    let begin = Moment::now();
    for _ in 0..bursts {
        mailboxes.send(ShardId::FIRST, second(), burst(entries));
        mailboxes.take(second(), &mut taken);
        count += entries_of(&mut taken);
    }
    assert_eq!(count, bursts * entries as u64);
    begin.cost(count)
}

/// Sends bursts from thread to thread. After `bursts_per_answer` of them the sender waits for an
/// answer of one entry. Both threads sleep when they have nothing to do, like the reactors of
/// shards. Counts answers.
///
/// # Panics
///
/// If the system cannot start a thread.
#[must_use]
pub fn between_threads(answers: u64, bursts_per_answer: u64, entries: usize) -> Cost {
    let mailboxes = Arc::new(Mailboxes::new(2));
    let asked = bursts_per_answer * entries as u64;
    let answering = Arc::clone(&mailboxes);
    let answerer = async move {
        for _ in 0..answers {
            receive(&answering, second(), asked).await;
            answering.send(second(), ShardId::FIRST, burst(1));
        }
    };
    let (done, is_done) = std::sync::mpsc::channel();
    let asker = async move {
        let begin = Moment::now();
        for _ in 0..answers {
            for _ in 0..bursts_per_answer {
                mailboxes.send(ShardId::FIRST, second(), burst(entries));
            }
            receive(&mailboxes, ShardId::FIRST, 1).await;
        }
        // The other end waits for this.
        let _ = done.send(begin.cost(answers));
    };
    Tokio::start_task_thread("answerer", answerer).expect("a thread");
    Tokio::start_task_thread("asker", asker).expect("a thread");
    is_done.recv().expect("the asker ends with its cost")
}

/// Waits until this number of entries has come.
async fn receive(mailboxes: &Mailboxes, own: ShardId, count: u64) {
    let (mut taken, mut received) = (VecDeque::new(), 0);
    loop {
        mailboxes.take(own, &mut taken);
        received += entries_of(&mut taken);
        if received >= count {
            assert_eq!(received, count);
            return;
        }
        mailboxes.woken(own).await;
    }
}

fn second() -> ShardId {
    ShardId::new(1).expect("valid")
}

fn burst(entries: usize) -> Vec<Entry> {
    let session = SessionNumber::from_number(1).expect("not zero");
    vec![Entry::Push { session, frame: Bytes::new() }; entries]
}

fn entries_of(inputs: &mut VecDeque<Input>) -> u64 {
    let entries = inputs.drain(..).map(|input| match input {
        Input::Peer(_, entries) => entries.len() as u64,
        other => panic!("not from a mailbox: {other:?}"),
    });
    entries.sum()
}
