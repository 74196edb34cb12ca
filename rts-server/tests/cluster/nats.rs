//! Packets and the register, and a nats-server that ends, freezes and comes back.

use bytes::Bytes;
use rts_cluster::membership::{CasResult, Revision};
use rts_cluster::view::{ClusterName, Incarnation, ViewId};
use rts_server::cluster::{Arbiter, Bus, BusEvent, NatsBus, PACKET_BYTES_MAX, SendError, To};
use rustix::process::Signal;

use crate::support::{
    NatsServer, config, first_view, member, open, packet, until_down, until_heard, until_up, within,
};

const ONE: Bytes = Bytes::from_static(b"to one");
const ALL: Bytes = Bytes::from_static(b"to all");

#[tokio::test]
async fn packets_reach_one_node_or_all() {
    let server = NatsServer::start();
    let mut first = open(&server, 1).await;
    let mut second = open(&server, 2).await;
    first.send(To::Node(Incarnation(2)), ONE).expect("queued");
    first.send(To::All, ALL).expect("queued");
    let mut at_second = [packet(&mut second).await, packet(&mut second).await];
    at_second.sort();
    assert_eq!(at_second, [ALL, ONE]);
    assert_eq!(packet(&mut first).await, ALL, "the other one was not for it");
}

#[tokio::test]
async fn clusters_of_two_names_do_not_hear_each_other() {
    let server = NatsServer::start();
    let mut here = open(&server, 1).await;
    let mut elsewhere = config(&[server.url()]);
    elsewhere.cluster = ClusterName::new("other").expect("a valid name");
    let mut there = NatsBus::open(elsewhere, Incarnation(1)).await.expect("it connects");
    assert_eq!(within(there.next()).await, BusEvent::Up);
    here.send(To::All, ONE).expect("queued");
    assert_eq!(packet(&mut here).await, ONE);
    there.send(To::All, ALL).expect("queued");
    assert_eq!(packet(&mut there).await, ALL);
    assert_eq!(there.arbiter().read().await.expect("it is read"), None);
    assert_eq!(there.arbiter().cas(None, first_view()).await, CasResult::Done);
    assert_eq!(here.arbiter().read().await.expect("it is read"), None);
}

#[tokio::test]
async fn largest_packet_arrives_and_a_larger_one_is_refused() {
    let server = NatsServer::start();
    let mut bus = open(&server, 1).await;
    let largest = Bytes::from(vec![7; PACKET_BYTES_MAX]);
    bus.send(To::All, largest.clone()).expect("queued");
    assert!(packet(&mut bus).await == largest);
    let (bytes, max) = (PACKET_BYTES_MAX + 1, PACKET_BYTES_MAX);
    let refused = bus.send(To::All, vec![7; bytes].into());
    assert_eq!(refused, Err(SendError::TooLarge { bytes, max }));
}

#[tokio::test]
async fn register_is_set_only_as_expected() {
    let server = NatsServer::start();
    let (one, other) = (open(&server, 1).await, open(&server, 2).await);
    let (one, other) = (one.arbiter(), other.arbiter());
    assert_eq!(one.read().await.expect("it is read"), None);
    let first = first_view();
    assert_eq!(one.cas(None, first.clone()).await, CasResult::Done);
    assert_eq!(other.cas(None, first.clone()).await, CasResult::Conflict);
    let (revision, found) = other.read().await.expect("it is read").expect("it is set");
    assert_eq!(found, first);
    let next = first.next(ViewId(2), vec![member("a", 1), member("b", 2)]).expect("valid");
    let wrong = Revision(revision.0 + 1);
    assert_eq!(other.cas(Some(wrong), next.clone()).await, CasResult::Conflict);
    assert_eq!(other.cas(Some(revision), next.clone()).await, CasResult::Done);
    assert_eq!(one.cas(Some(revision), next.clone()).await, CasResult::Conflict);
    let (later, found) = one.read().await.expect("it is read").expect("it is set");
    assert!(later > revision);
    assert_eq!(found, next);
}

#[tokio::test]
async fn arbiter_votes_once_in_a_view() {
    let server = NatsServer::start();
    let (one, other) = (open(&server, 1).await, open(&server, 2).await);
    let (one, other) = (one.arbiter(), other.arbiter());
    let [a, b] = [Incarnation(1), Incarnation(2)];
    assert_eq!(one.vote(ViewId(1), b).await, None, "nobody has made the stream yet");
    assert_eq!(one.read().await.expect("it is read"), None);
    assert_eq!(one.vote(ViewId(1), b).await, Some(b));
    assert_eq!(other.vote(ViewId(1), a).await, Some(b));
    assert_eq!(one.vote(ViewId(1), b).await, Some(b), "an answer may have been lost");
    assert_eq!(other.vote(ViewId(2), a).await, Some(a));
    assert_eq!(one.vote(ViewId(2), b).await, Some(a));
    assert_eq!(one.read().await.expect("it is read"), None, "a vote is no view");
}

/// A stream that has lost its end gives the numbers of the lost messages again.
#[tokio::test]
async fn register_is_not_set_to_the_successor_of_another_value_of_that_revision() {
    let server = NatsServer::start();
    let bus = open(&server, 1).await;
    let arbiter = bus.arbiter();
    assert_eq!(arbiter.read().await.expect("it is read"), None);
    let first = first_view();
    assert_eq!(arbiter.cas(None, first.clone()).await, CasResult::Done);
    let (revision, _) = arbiter.read().await.expect("it is read").expect("it is set");
    let lost = first.next(ViewId(2), vec![member("a", 1), member("b", 2)]).expect("valid");
    let next = lost.next(ViewId(3), vec![member("b", 2)]).expect("valid");
    assert_eq!(arbiter.cas(Some(revision), next).await, CasResult::Conflict);
    assert_eq!(arbiter.cas(Some(revision), lost).await, CasResult::Done);
}

#[tokio::test]
async fn reads_leave_the_revision_as_it_is() {
    let server = NatsServer::start();
    let bus = open(&server, 1).await;
    let arbiter = bus.arbiter();
    assert_eq!(arbiter.read().await.expect("it is read"), None);
    assert_eq!(arbiter.read().await.expect("it is read"), None);
    assert_eq!(arbiter.cas(None, first_view()).await, CasResult::Done);
    let one = arbiter.read().await.expect("it is read");
    let other = arbiter.read().await.expect("it is read");
    assert_eq!(one, other);
}

#[tokio::test]
async fn of_many_changes_at_once_one_is_done() {
    let server = NatsServer::start();
    let mut buses = Vec::new();
    for node in 1..=8 {
        buses.push(open(&server, node).await);
    }
    buses[0].arbiter().read().await.expect("it makes the stream");
    let tasks = buses.iter().map(|bus| {
        let arbiter = bus.arbiter();
        tokio::spawn(async move { arbiter.cas(None, first_view()).await })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut done = 0;
    for task in tasks {
        match within(task).await.expect("no panic") {
            CasResult::Done => done += 1,
            CasResult::Conflict => {}
            CasResult::Unknown => panic!("nothing was wrong"),
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn server_that_was_killed_and_started_again_is_used_again() {
    let mut server = NatsServer::start();
    let mut first = open(&server, 1).await;
    let mut second = open(&server, 2).await;
    let arbiter = first.arbiter();
    assert_eq!(arbiter.read().await.expect("it is read"), None);
    assert_eq!(arbiter.cas(None, first_view()).await, CasResult::Done);
    let before = arbiter.read().await.expect("it is read");
    server.kill();
    let why = until_down(&mut first).await;
    assert!(why.contains(&server.url()), "{why}");
    assert_eq!(first.send(To::All, ONE), Err(SendError::Down));
    let why = until_down(&mut first).await;
    assert!(why.contains("cannot connect to NATS") && why.contains("refused"), "{why}");
    assert!(arbiter.read().await.is_err());
    server.start_again();
    until_up(&mut first).await;
    until_up(&mut second).await;
    until_heard(&mut first, &mut second, "again").await;
    let after = within(async {
        loop {
            if let Ok(found) = arbiter.read().await {
                return found;
            }
        }
    });
    assert_eq!(after.await, before, "the register was kept");
}

#[tokio::test]
async fn full_queue_is_an_error_and_goes_away() {
    let server = NatsServer::start();
    let mut bus = open(&server, 1).await;
    let mut other = open(&server, 2).await;
    server.signal(Signal::STOP);
    let large = Bytes::from(vec![7; 256 * 1_024]);
    // The system's socket buffers take some of it.
    let mut sent = 0;
    let full = loop {
        match bus.send(To::Node(Incarnation(9)), large.clone()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1_000, "256 MiB wait");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, SendError::Full);
    server.signal(Signal::CONT);
    until_heard(&mut bus, &mut other, "again").await;
}

#[tokio::test]
async fn node_that_hears_nobody_gets_another_server() {
    let first = NatsServer::with("cluster { name: c, listen: \"127.0.0.1:-1\" }");
    let second = NatsServer::with("cluster { name: c, listen: \"127.0.0.1:-1\" }");
    let urls = [first.url(), second.url()];
    let bus = NatsBus::open(config(&urls), Incarnation(1)).await;
    let mut bus = bus.expect("it connects");
    assert_eq!(within(bus.next()).await, BusEvent::Up);
    let mut used = Vec::new();
    for _ in 0..2 {
        bus.reconnect();
        let why = until_down(&mut bus).await;
        used.push(urls.iter().position(|url| why.contains(url)).expect("one of them"));
        until_up(&mut bus).await;
    }
    used.sort_unstable();
    assert_eq!(used, [0, 1]);
}

#[tokio::test]
async fn lost_server_is_replaced_by_another_one() {
    let mut servers = [NatsServer::with(""), NatsServer::with("")];
    let urls = [servers[0].url(), servers[1].url()];
    let bus = NatsBus::open(config(&urls), Incarnation(1)).await;
    let mut bus = bus.expect("it connects");
    servers[0].kill();
    // Now or after one reconnect, it uses the second one.
    bus.reconnect();
    until_down(&mut bus).await;
    until_up(&mut bus).await;
    bus.send(To::All, ONE).expect("queued");
    assert_eq!(packet(&mut bus).await, ONE);
}
