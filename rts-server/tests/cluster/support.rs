//! What the tests wait for.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use rts_cluster::view::{ClusterName, Incarnation, Member, MemberState, NodeName, View, ViewId};
use rts_server::cluster::{Bus, BusEvent, NatsBus, NatsConfig, NatsLogin, To};

pub(crate) use crate::nats_server::{LIMIT, NatsServer};

/// Of a cluster with the name `test`, over these servers.
pub(crate) fn config(urls: &[String]) -> NatsConfig {
    NatsConfig {
        cluster: ClusterName::new("test").expect("a valid name"),
        servers: urls.iter().map(|url| url.parse().expect("a valid URL")).collect(),
        login: NatsLogin::None,
        ca_file: None,
        identity: None,
        replicas: 1,
    }
}

pub(crate) async fn open(server: &NatsServer, node: u64) -> NatsBus {
    let bus = NatsBus::open(config(&[server.url()]), Incarnation(node)).await;
    let mut bus = bus.expect("it connects");
    assert_eq!(within(bus.next()).await, BusEvent::Up);
    bus
}

/// Waits for a future that is ready soon unless something is broken.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it is ready within a minute")
}

/// The next packet.
pub(crate) async fn packet(bus: &mut NatsBus) -> Bytes {
    match within(bus.next()).await {
        BusEvent::Packet(packet) => packet,
        event => panic!("{event:?} instead of a packet"),
    }
}

/// Waits until the bus is up, and returns the causes that it reported before.
pub(crate) async fn until_up(bus: &mut NatsBus) -> Vec<String> {
    let mut causes = Vec::new();
    loop {
        match within(bus.next()).await {
            BusEvent::Up => return causes,
            BusEvent::Down { why } => causes.push(why),
            BusEvent::Packet(_) => {}
        }
    }
}

pub(crate) async fn until_down(bus: &mut NatsBus) -> String {
    loop {
        if let BusEvent::Down { why } = within(bus.next()).await {
            return why;
        }
    }
}

/// Sends packets from one bus until the other has one of them.
pub(crate) async fn until_heard(from: &mut NatsBus, to: &mut NatsBus, text: &'static str) {
    let hear =
        async { while to.next().await != BusEvent::Packet(Bytes::from_static(text.as_bytes())) {} };
    let send = async {
        loop {
            let _ = from.send(To::All, Bytes::from_static(text.as_bytes()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(async {
        tokio::select! {
            () = hear => {}
            () = send => {}
        }
    })
    .await;
}

pub(crate) fn member(name: &str, incarnation: u64) -> Member {
    Member {
        name: NodeName::new(name).expect("a valid name"),
        incarnation: Incarnation(incarnation),
        shards: 1,
        version: 1,
        state: MemberState::Up,
    }
}

pub(crate) fn first_view() -> View {
    View::first(ViewId(1), 7, vec![member("a", 1)]).expect("a valid view")
}
