//! Whether the server works: each listener is connected to, and has to see that we go away again.
//!
//! That takes the task that accepts, and a turn of the shard's one task with all its links and its
//! core.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// A listener that takes longer is not well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Questions within this time get the same answer, so that asking costs little.
const FRESH: Duration = Duration::from_secs(1);
/// What a listener says to one who goes away without a word, in bytes at most.
const LAST_WORDS_BYTES_MAX: u64 = 4_096;

/// Asks all listeners for clients.
#[derive(Debug)]
pub(crate) struct Health {
    /// What they are called, and where they are.
    listeners: Vec<(String, SocketAddr)>,
    last: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Health {
    pub(crate) fn new(listeners: Vec<(String, SocketAddr)>) -> Self {
        Self { listeners, last: Mutex::default() }
    }

    /// 200, or 503 with what is wrong.
    pub(super) async fn answer(&self) -> Response {
        let problems = self.problems().await;
        if problems.is_empty() {
            return Json(json!({"status": "ok"})).into_response();
        }
        let body = Json(json!({"status": "failing", "problems": problems}));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    }

    async fn problems(&self) -> Vec<String> {
        // Those who ask meanwhile wait for this answer.
        let mut last = self.last.lock().await;
        if let Some((at, problems)) = &*last
            && at.elapsed() < FRESH
        {
            return problems.clone();
        }
        let mut problems = Vec::new();
        for (name, address) in &self.listeners {
            let what = match timeout(PROBE_TIMEOUT, probe(*address)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => format!("cannot be connected to: {error}"),
                Err(_) => format!("does not answer within {} s", PROBE_TIMEOUT.as_secs()),
            };
            problems.push(format!("the listener {name} {what}"));
        }
        if !problems.is_empty() {
            tracing::warn!(?problems, "not healthy");
        }
        *last = Some((Instant::now(), problems.clone()));
        problems
    }
}

async fn probe(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(reachable(address)).await?;
    stream.shutdown().await?;
    // An end is an answer, however it comes.
    let _ = stream.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut Vec::new()).await;
    Ok(())
}

/// The address of all interfaces is not one to connect to.
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
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    #[tokio::test]
    async fn a_listener_that_accepts_nobody_and_one_that_is_gone_are_named() {
        let (well, well_address) = listener().await;
        let (_stuck, stuck_address) = listener().await;
        let (gone, gone_address) = listener().await;
        drop(gone);
        tokio::spawn(async move { while well.accept().await.is_ok() {} });
        let named = |name: &str, address| (name.to_owned(), address);
        let health = Health::new(vec![
            named("one", well_address),
            named("two", stuck_address),
            named("three", gone_address),
        ]);
        let problems = health.problems().await;
        let [stuck, gone] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(stuck, "the listener two does not answer within 2 s");
        assert!(gone.starts_with("the listener three cannot be connected to: "), "{gone}");
        assert_eq!(health.answer().await.status(), 503);
    }

    #[tokio::test]
    async fn all_addresses_are_asked_at_loopback() {
        for (of, at) in
            [("0.0.0.0:5", "127.0.0.1:5"), ("[::]:5", "[::1]:5"), ("[::2]:5", "[::2]:5")]
        {
            let address: SocketAddr = of.parse().expect("an address");
            assert_eq!(reachable(address).to_string(), at);
        }
    }
}
