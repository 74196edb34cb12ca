//! The threads and timers of tokio, with clients in memory in place of sockets.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rts_driver::Runtime;
use rts_transport_tokio::Tokio;

use super::client::Client;

/// Threads wake each other as in a server on tokio. A link from client to shard is a call.
#[derive(Debug)]
pub(super) enum Memory {}

/// The clients that connect.
#[derive(Debug)]
pub(super) struct Arrivals(Mutex<VecDeque<Client>>);

impl Arrivals {
    pub(super) fn new(clients: impl Iterator<Item = Client>) -> Self {
        Self(Mutex::new(clients.collect()))
    }
}

impl Runtime for Memory {
    type Listener = Arrivals;
    type Stream = Client;
    type Detached = Client;

    fn is_present() -> bool {
        Tokio::is_present()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        Tokio::spawn(task);
    }

    fn start_task_thread(
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        Tokio::start_task_thread(name, task)
    }

    fn detach(stream: Client) -> io::Result<Client> {
        Ok(stream)
    }

    fn attach(detached: Client) -> io::Result<Client> {
        Ok(detached)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        Tokio::yield_now()
    }

    fn sleep_until(moment: Instant) -> impl Future<Output = ()> + Send + 'static {
        Tokio::sleep_until(moment)
    }

    async fn connect(_authority: String) -> io::Result<Client> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept(arrivals: &Arrivals) -> io::Result<(Client, SocketAddr)> {
        let next = arrivals.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match next {
            Some(client) => Ok((client, ([127, 0, 0, 1], 1).into())),
            None => std::future::pending().await,
        }
    }
}
