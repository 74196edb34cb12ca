//! Health of the server. A probe connects to each listener, which must accept. Each shard, with its
//! links and its core, must make a turn.
//!
//! The node recognises the probe by its address. A probe needs no place, and does not wait behind
//! the handshakes of strangers. A server that is full or under attack is healthy.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use rts_transport_tokio::server::Node;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::cluster;
use crate::member::Standing;

/// Longest time for a listener to accept.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Why a server answers no questions about its cluster.
pub(super) const NO_CLUSTER: &str =
    "this server is in no cluster: its configuration has no [cluster]";
/// Requests within this time share one answer, so that they cost little.
const FRESH: Duration = Duration::from_secs(1);

/// Probes all listeners for clients, and their shards. A node of a cluster is also asked whether it
/// may serve.
#[derive(Debug)]
pub(crate) struct Health {
    /// Names and addresses of the listeners.
    listeners: Vec<(String, SocketAddr)>,
    node: Node,
    cluster: Option<Standing>,
    last: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Health {
    pub(crate) fn new(
        listeners: Vec<(String, SocketAddr)>,
        node: Node,
        cluster: Option<Standing>,
    ) -> Self {
        Self { listeners, node, cluster, last: Mutex::default() }
    }

    /// Whether this process works. Answers 200, or 503 with the problems. A node of a cluster that
    /// waits for the others works: starting it again would not help.
    pub(super) async fn answer(&self) -> Response {
        Self::answer_of(&self.problems().await)
    }

    /// Whether clients should be sent here. Answers 200, or 503 with the problems.
    pub(super) async fn answer_ready(&self) -> Response {
        let mut problems = self.problems().await;
        if let Some(standing) = self.cluster.as_ref().filter(|standing| !standing.is_ready()) {
            problems.extend(cluster::problems(standing));
        }
        Self::answer_of(&problems)
    }

    /// What this node knows of its cluster; 404 without one.
    pub(super) async fn answer_cluster(&self) -> Response {
        match &self.cluster {
            Some(standing) => Json(self.describe(standing).await).into_response(),
            None => refuse(StatusCode::NOT_FOUND, &[NO_CLUSTER.to_owned()]),
        }
    }

    pub(super) async fn describe(&self, standing: &Standing) -> Value {
        cluster::describe(standing, self.node.sessions()).await
    }

    /// What this node knows of its cluster, if it is in one.
    pub(super) fn cluster(&self) -> Option<&Standing> {
        self.cluster.as_ref()
    }

    fn answer_of(problems: &[String]) -> Response {
        match problems {
            [] => Json(json!({"status": "ok"})).into_response(),
            _ => failing(problems),
        }
    }

    async fn problems(&self) -> Vec<String> {
        // Concurrent requests wait for this answer.
        let mut last = self.last.lock().await;
        if let Some((at, problems)) = &*last
            && at.elapsed() < FRESH
        {
            return problems.clone();
        }
        let mut problems = Vec::new();
        for (name, address) in &self.listeners {
            let what = match timeout(PROBE_TIMEOUT, self.probe(*address)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => format!("cannot be connected to: {error}"),
                Err(_) => format!("does not answer within {} s", PROBE_TIMEOUT.as_secs()),
            };
            problems.push(format!("the listener {name} {what}"));
        }
        if timeout(PROBE_TIMEOUT, self.node.next_turn()).await.is_err() {
            let seconds = PROBE_TIMEOUT.as_secs();
            problems.push(format!("what carries messages does not answer within {seconds} s"));
        }
        if !problems.is_empty() {
            tracing::warn!(?problems, "not healthy");
        }
        *last = Some((Instant::now(), problems.clone()));
        problems
    }

    /// Connects to the listener, and returns when it has accepted the connection.
    async fn probe(&self, address: SocketAddr) -> io::Result<()> {
        let address = reachable(address);
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // The shard has to know the probe's address before the probe connects.
        socket.bind(SocketAddr::new(address.ip(), 0))?;
        let expected = self.node.expect(socket.local_addr()?);
        let mut stream = socket.connect(address).await?;
        // The end of the connection is an answer, with an error or without.
        let _ = stream.read(&mut [0]).await;
        drop(expected);
        Ok(())
    }
}

/// 503 with the problems.
pub(super) fn failing(problems: &[String]) -> Response {
    refuse(StatusCode::SERVICE_UNAVAILABLE, problems)
}

/// This status with the problems.
pub(super) fn refuse(status: StatusCode, problems: &[String]) -> Response {
    let body = Json(json!({"status": "failing", "problems": problems}));
    (status, body).into_response()
}

/// The address to connect to: loopback in place of the unspecified address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rts_proto::server::{Credentials, Server, Verdict};
    use rts_transport_tokio::LoginCode;
    use rts_transport_tokio::server::{Acceptor, Authenticate, LinkLimits};
    use tokio::net::TcpListener;

    use super::*;

    struct Nobody;

    impl Authenticate for Nobody {
        fn authenticate(&self, _: &Credentials) -> Verdict {
            Verdict::Refuse(LoginCode::InvalidToken)
        }
    }

    fn node() -> Node {
        Node::new(Server::new(Default::default(), 1), Arc::new(Nobody))
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        (listener, address)
    }

    #[tokio::test]
    async fn names_listeners_that_do_not_accept() {
        let (well, well_address) = listener().await;
        let (_stuck, stuck_address) = listener().await;
        let (gone, gone_address) = listener().await;
        drop(gone);
        let node = node();
        // A server without a free place is healthy.
        let mut limits = LinkLimits::default();
        limits.links_max = 0;
        node.set_link_limits(limits);
        let serving = node.clone();
        tokio::spawn(async move { serving.serve(well, Acceptor::plain()).await });
        let named = |name: &str, address| (name.to_owned(), address);
        let listeners = vec![
            named("one", well_address),
            named("two", stuck_address),
            named("three", gone_address),
        ];
        let health = Health::new(listeners, node, None);
        let problems = health.problems().await;
        let [stuck, gone] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(stuck, "the listener two does not answer within 2 s");
        assert!(gone.starts_with("the listener three cannot be connected to: "), "{gone}");
        assert_eq!(health.answer().await.status(), 503);
    }

    #[tokio::test]
    async fn names_shard_that_makes_no_turn() {
        let (accepting, address) = listener().await;
        tokio::spawn(async move { while accepting.accept().await.is_ok() {} });
        let health = Health::new(vec![("one".to_owned(), address)], node(), None);
        let problems = health.problems().await;
        assert_eq!(problems, ["what carries messages does not answer within 2 s"]);
    }

    #[tokio::test]
    async fn unspecified_address_is_probed_at_loopback() {
        for (of, at) in
            [("0.0.0.0:5", "127.0.0.1:5"), ("[::]:5", "[::1]:5"), ("[::2]:5", "[::2]:5")]
        {
            let address: SocketAddr = of.parse().expect("an address");
            assert_eq!(reachable(address).to_string(), at);
        }
    }
}
