//! A bus over NATS: the connection at hand, and the task that replaces it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rts_cluster::limits::{BEAT, SUSPECT};
use rts_cluster::view::Incarnation;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::arbiter::NatsArbiter;
use super::config::NatsConfig;
use super::error::NatsError;
use super::link::{Link, LinkEvent, Received, open};
use super::subjects;
use crate::cluster::bus::{Bus, BusEvent, SendError, To};
use crate::outage::Outage;

/// Events that may wait for the node.
const EVENTS_MAX: usize = 4_096;
/// The time between two attempts to connect, which doubles with each up to the greatest. Each time
/// is drawn between its half and its whole.
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3);
// After an outage, nodes wait for those that connect later.
const _: () = assert!(RETRY_AFTER_MAX.as_millis() + 2 * BEAT.as_millis() < SUSPECT.as_millis());

/// The bus of one node over NATS. Dropping it closes the connection.
#[derive(Debug)]
pub struct NatsBus {
    config: Arc<NatsConfig>,
    link: watch::Receiver<Option<Arc<Link>>>,
    events: mpsc::Receiver<BusEvent>,
    again: Arc<Notify>,
    /// Ends with this value.
    _keeper: JoinSet<()>,
}

impl NatsBus {
    /// Connects to one of the servers. On a tokio runtime with time and IO. Takes at most some
    /// seconds for each server. Dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// No server can be used. The error of a server that answered comes before those of others.
    pub async fn open(config: NatsConfig, node: Incarnation) -> Result<Self, NatsError> {
        let config = Arc::new(config);
        let mut keeper = Keeper {
            config: config.clone(),
            node,
            // Nodes of one configuration spread over its servers.
            turn: random() as usize,
            link: watch::Sender::new(None),
            outage: Outage::default(),
        };
        let mut found = Err(NatsError::NoServer);
        for _ in &config.servers {
            match keeper.try_next().await {
                Ok(opened) => {
                    found = Ok(opened);
                    break;
                }
                Err(NatsError::Unreachable { .. })
                    if !matches!(&found, Err(NatsError::NoServer)) => {}
                Err(error) => found = Err(error),
            }
        }
        let (link, received) = found?;
        let (report, events) = mpsc::channel(EVENTS_MAX);
        let again = Arc::new(Notify::new());
        let watched = keeper.link.subscribe();
        keeper.link.send_replace(Some(link.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let again = again.clone();
            async move { keeper.keep((link, received), &report, &again).await }
        });
        Ok(Self { config, link: watched, events, again, _keeper: tasks })
    }

    /// The register of the cluster, which is reached over the connection of this bus, and only
    /// while the bus exists.
    #[must_use]
    pub fn arbiter(&self) -> NatsArbiter {
        NatsArbiter::new(self.config.clone(), self.link.clone())
    }
}

impl Bus for NatsBus {
    fn send(&mut self, to: To, packet: Bytes) -> Result<(), SendError> {
        let link = self.link.borrow();
        let link = link.as_ref().ok_or(SendError::Down)?;
        let cluster = &self.config.cluster;
        let subject = match to {
            To::Node(node) => subjects::inbox(cluster, node),
            To::All => subjects::all(cluster),
        };
        link.send(subject, packet)
    }

    async fn next(&mut self) -> BusEvent {
        match self.events.recv().await {
            Some(event) => event,
            // Its task has panicked.
            None => std::future::pending().await,
        }
    }

    fn reconnect(&mut self) {
        self.again.notify_one();
    }
}

/// Holds a connection, and replaces it.
struct Keeper {
    config: Arc<NatsConfig>,
    node: Incarnation,
    /// The server of the next attempt, counted on and on.
    turn: usize,
    link: watch::Sender<Option<Arc<Link>>>,
    outage: Outage,
}

impl Keeper {
    /// Serves until the bus is dropped.
    async fn keep(
        mut self,
        mut opened: (Arc<Link>, Received),
        report: &mpsc::Sender<BusEvent>,
        again: &Notify,
    ) {
        loop {
            let (link, mut received) = opened;
            let server = link.server.clone();
            self.link.send_replace(Some(link));
            if report.send(BusEvent::Up).await.is_err() {
                return;
            }
            let why = loop {
                tokio::select! {
                    event = received.next() => match event {
                        // A full queue loses it, as a bus may.
                        LinkEvent::Packet(packet) => drop(report.try_send(BusEvent::Packet(packet))),
                        LinkEvent::Lost(why) => break why,
                    },
                    () = again.notified() => break "nobody was heard over the connection",
                }
            };
            self.link.send_replace(None);
            drop(received);
            let why = format!("NATS at {server}: {why}");
            tracing::warn!("{why}; connecting again");
            if report.send(BusEvent::Down { why }).await.is_err() {
                return;
            }
            opened = self.reopen(report).await;
            tracing::info!(server = opened.0.server, "connected to NATS again");
        }
    }

    /// Tries all servers in turn until one can be used.
    async fn reopen(&mut self, report: &mpsc::Sender<BusEvent>) -> (Arc<Link>, Received) {
        let mut wait = RETRY_AFTER;
        loop {
            tokio::time::sleep(jittered(wait)).await;
            wait = (2 * wait).min(RETRY_AFTER_MAX);
            match self.try_next().await {
                Ok(opened) => {
                    self.outage.worked(Instant::now());
                    return opened;
                }
                Err(error) => {
                    let why = error.to_string();
                    if let Some(left_out) = self.outage.failed(&why, Instant::now()) {
                        tracing::warn!(left_out, "{why}");
                    }
                    // The node may have another cause by now; a full queue has newer ones.
                    drop(report.try_send(BusEvent::Down { why }));
                }
            }
        }
    }

    async fn try_next(&mut self) -> Result<(Arc<Link>, Received), NatsError> {
        let servers = &self.config.servers;
        let url = &servers[self.turn % servers.len()];
        self.turn = self.turn.wrapping_add(1);
        let (link, received) = open(&self.config, url, self.node).await?;
        Ok((Arc::new(link), received))
    }
}

/// A time between the half of this one and the whole.
fn jittered(time: Duration) -> Duration {
    time / 2 + (time / 2).mul_f64(random() as f64 / u64::MAX as f64)
}

/// Random bits, or a constant if the system has none: here they only spread load.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}
