//! One connection to one NATS server, until it is lost.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_nats::{Client, Event, HeaderMap, Message, Request, RequestErrorKind, ServerError};
use async_nats::{Statistics, Subscriber};
use bytes::Bytes;
use futures_core::Stream as _;
use rts_cluster::view::Incarnation;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::config::{NatsConfig, NatsUrl};
use super::error::NatsError;
use super::subjects;
use crate::cluster::bus::{PACKET_BYTES_MAX, SendError};

/// Bytes of packets that may wait to be written. The trunks of a node send again what is lost.
pub(super) const QUEUE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// The time for the first messages of a node to itself.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The time for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// What is sent over a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) server: String,
    client: Client,
    statistics: Arc<Statistics>,
    /// Bytes of all packets that were given to the client.
    given: AtomicU64,
    /// The last thing for which the server says that a permission is missing.
    refused: watch::Receiver<Option<String>>,
    everything: String,
    stream: String,
}

/// What comes over a connection.
#[derive(Debug)]
pub(super) struct Received {
    own: Subscriber,
    all: Subscriber,
    events: mpsc::UnboundedReceiver<Event>,
    refused: watch::Sender<Option<String>>,
}

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum LinkEvent {
    Packet(Bytes),
    /// It is lost, or ends soon.
    Lost(&'static str),
}

/// Connects to a server and subscribes to the subjects of a node. Packets reach the node when this
/// returns: its messages to itself have arrived.
pub(super) async fn open(
    config: &NatsConfig,
    url: &NatsUrl,
    node: Incarnation,
) -> Result<(Link, Received), NatsError> {
    let server = url.to_string();
    let options = {
        let config = config.clone();
        let options = tokio::task::spawn_blocking(move || config.options()).await;
        options.map_err(|error| NatsError::Unreachable {
            server: server.clone(),
            cause: error.to_string(),
        })??
    };
    let (report, events) = mpsc::unbounded_channel();
    let options = options.event_callback(move |event| {
        let report = report.clone();
        async move { drop(report.send(event)) }
    });
    let client = options
        .connect(url.address())
        .await
        .map_err(|error| NatsError::connect(config.login.name(), server.clone(), &error))?;
    let is = client.max_payload();
    if is < PACKET_BYTES_MAX {
        return Err(NatsError::MaxPayload { server, is });
    }
    let down = |_| NatsError::Unreachable { server: server.clone(), cause: LOST.to_owned() };
    let own = client.subscribe(subjects::inbox(&config.cluster, node)).await.map_err(down)?;
    let all = client.subscribe(subjects::all(&config.cluster)).await.map_err(down)?;
    let (refused, watched) = watch::channel(None);
    let link = Link {
        statistics: client.statistics(),
        client,
        server: server.clone(),
        given: AtomicU64::new(0),
        refused: watched,
        everything: subjects::everything(&config.cluster),
        stream: subjects::stream(&config.cluster),
    };
    let mut received = Received { own, all, events, refused };
    let probe = link.probe(
        &mut received,
        subjects::inbox(&config.cluster, node),
        subjects::all(&config.cluster),
    );
    let silent = |_| NatsError::Timeout { server, request: subjects::all(&config.cluster) };
    timeout(PROBE_TIMEOUT, probe).await.map_err(silent)??;
    Ok((link, received))
}

const LOST: &str = "the connection was lost";

impl Link {
    /// Sends an empty message to the node itself over each subject, and waits for both.
    async fn probe(
        &self,
        received: &mut Received,
        own: String,
        all: String,
    ) -> Result<(), NatsError> {
        let lost = |cause: &str| NatsError::Unreachable {
            server: self.server.clone(),
            cause: cause.to_owned(),
        };
        for subject in [own.clone(), all] {
            // The reply subject tells it from the probes of other nodes.
            let sent = self.client.publish_with_reply(subject, own.clone(), Bytes::new()).await;
            sent.map_err(|_| lost(LOST))?;
        }
        let is_probe = |message: &Message| {
            message.payload.is_empty() && message.reply.as_ref().is_some_and(|reply| **reply == own)
        };
        let (mut on_own, mut on_all) = (false, false);
        while !(on_own && on_all) {
            tokio::select! {
                message = next(&mut received.own) => {
                    on_own |= message.as_ref().is_some_and(is_probe);
                }
                message = next(&mut received.all) => {
                    on_all |= message.as_ref().is_some_and(is_probe);
                }
                event = received.events.recv() => match received.outcome(event) {
                    Some(LinkEvent::Lost(why)) => return Err(lost(why)),
                    Some(LinkEvent::Packet(_)) | None => {
                        if let Some(what) = received.refused.borrow().clone() {
                            return Err(self.permission(what));
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// Queues a packet.
    pub(super) fn send(&self, subject: String, packet: Bytes) -> Result<(), SendError> {
        let (bytes, max) = (packet.len(), self.client.max_payload().min(PACKET_BYTES_MAX));
        if bytes > max {
            return Err(SendError::TooLarge { bytes, max });
        }
        let counted = (bytes + subject.len()) as u64;
        let given = self.given.load(Ordering::Relaxed);
        let waiting = given.saturating_sub(self.statistics.out_bytes.load(Ordering::Relaxed));
        if waiting + counted > QUEUE_BYTES_MAX {
            return Err(SendError::Full);
        }
        match at_once(self.client.publish(subject, packet)) {
            Some(Ok(())) => {
                self.given.fetch_add(counted, Ordering::Relaxed);
                Ok(())
            }
            Some(Err(_)) => Err(SendError::Down),
            None => Err(SendError::Full),
        }
    }

    /// Sends a request, and waits for its answer.
    pub(super) async fn request(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Reply, NatsError> {
        let server = || self.server.clone();
        let mut refused = self.refused.clone();
        refused.mark_unchanged();
        let request = Request::new().headers(headers).payload(payload).timeout(None);
        let answer =
            timeout(REQUEST_TIMEOUT, self.client.send_request(subject.to_owned(), request));
        let refusal = async {
            let is_of_it = |what: &Option<String>| {
                what.as_ref().is_some_and(|what| what.contains(&format!("\"{subject}\"")))
            };
            loop {
                if refused.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                let what = refused.borrow_and_update().clone();
                if is_of_it(&what) {
                    return what.unwrap_or_default();
                }
            }
        };
        tokio::select! {
            answer = answer => match answer {
                Ok(Ok(message)) => Ok(Reply::Message(message.payload)),
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                    Ok(Reply::Nobody)
                }
                Ok(Err(_)) => Err(NatsError::Down),
                Err(_) => Err(NatsError::Timeout { server: server(), request: subject.to_owned() }),
            },
            what = refusal => Err(self.permission(what)),
        }
    }

    fn permission(&self, what: String) -> NatsError {
        NatsError::Permission {
            server: self.server.clone(),
            what,
            everything: self.everything.clone(),
            stream: self.stream.clone(),
        }
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Reply {
    Message(Bytes),
    /// Nobody listens to its subject.
    Nobody,
}

impl Received {
    /// Waits for the next event. Cancel safe.
    pub(super) async fn next(&mut self) -> LinkEvent {
        loop {
            let message = tokio::select! {
                message = next(&mut self.own) => message,
                message = next(&mut self.all) => message,
                event = self.events.recv() => match self.outcome(event) {
                    Some(event) => return event,
                    None => continue,
                },
            };
            match message {
                // A probe.
                Some(message) if message.payload.is_empty() => {}
                Some(message) => return LinkEvent::Packet(message.payload),
                None => return LinkEvent::Lost(LOST),
            }
        }
    }

    fn outcome(&self, event: Option<Event>) -> Option<LinkEvent> {
        match event {
            Some(Event::ServerError(ServerError::Other(what))) => {
                if what.to_lowercase().starts_with("permissions violation") {
                    self.refused.send_replace(Some(what));
                }
                None
            }
            Some(Event::LameDuckMode) => Some(LinkEvent::Lost("the server is shutting down")),
            Some(Event::Disconnected | Event::Closed) | None => Some(LinkEvent::Lost(LOST)),
            Some(_) => None,
        }
    }
}

async fn next(subscriber: &mut Subscriber) -> Option<Message> {
    std::future::poll_fn(|cx| Pin::new(&mut *subscriber).poll_next(cx)).await
}

/// The output of a future that is ready at once. It does not count as work of the task, so the
/// runtime does not make it wait.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let future = pin!(tokio::task::unconstrained(future));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
