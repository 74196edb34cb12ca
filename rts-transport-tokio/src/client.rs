//! The loop of one engine: one task for the engine, one for each link.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rts_engine::{Action, Address, AddressError, Driver, Engine, EngineError, Events};
use rts_proto::LinkId;
use rts_proto::client::Input;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::AbortHandle;

use crate::queue::{LINGER, Queue};

/// Bytes taken from a link in one go.
const READ_BYTES: usize = 64 * 1_024;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Where the server is cannot be understood.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The app id or the parameters are wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// Makes an engine for the server at `address`, such as `rts://127.0.0.1:7600`. Nothing is connected
/// before [`Engine::login`]. `parameters` is a JSON object, such as `{}`.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn connect(
    address: &str,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    let address: Address = address.parse()?;
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let (engine, events, driver) = Engine::new(app_id, parameters, seed)?;
    tokio::spawn(run(driver, Arc::new(address)));
    Ok((engine, events))
}

/// A link as the engine's task sees it.
struct Link {
    queue: Arc<Queue>,
    task: AbortHandle,
}

async fn run(driver: Driver, address: Arc<Address>) {
    let mut links: HashMap<LinkId, Link> = HashMap::new();
    loop {
        while let Some(action) = driver.next_action() {
            match action {
                Action::Connect(id) => {
                    let queue = Arc::new(Queue::default());
                    let link = link(id, Arc::clone(&address), Arc::clone(&queue), driver.clone());
                    let task = tokio::spawn(link).abort_handle();
                    links.insert(id, Link { queue, task });
                }
                Action::Transmit(id, bytes) => {
                    if let Some(link) = links.get(&id)
                        && !link.queue.push(bytes)
                    {
                        link.task.abort();
                        driver.handle(Input::Disconnected(id));
                    }
                }
                Action::Disconnect(id) => {
                    if let Some(link) = links.remove(&id) {
                        tokio::spawn(linger(link));
                    }
                }
            }
        }
        links.retain(|_, link| !link.task.is_finished());
        if driver.is_finished() {
            return;
        }
        let deadline = driver.deadline();
        tokio::select! {
            () = driver.changed() => {}
            () = sleep_until(deadline) => {}
        }
        // The clock decides, not the timer: a timer may be early or late.
        if driver.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            driver.handle(Input::Tick);
        }
    }
}

pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// What was transmitted before is written out, if that does not take too long.
async fn linger(link: Link) {
    link.queue.close();
    tokio::time::sleep(LINGER).await;
    link.task.abort();
}

async fn link(id: LinkId, address: Arc<Address>, queue: Arc<Queue>, driver: Driver) {
    if let Ok(stream) = TcpStream::connect(address.authority()).await {
        // Small messages must not wait for others; a link without this works all the same.
        let _ = stream.set_nodelay(true);
        driver.handle(Input::Connected(id));
        let (reader, writer) = stream.into_split();
        // Reading never waits for writing: two sides that both only wrote would wait for ever.
        let writing = queue.write_to(writer);
        let reading = read(id, reader, &driver);
        tokio::select! {
            _ = writing => {}
            () = reading => {}
        }
    }
    driver.handle(Input::Disconnected(id));
}

async fn read(id: LinkId, mut reader: OwnedReadHalf, driver: &Driver) {
    let mut buffer = BytesMut::new();
    loop {
        while !driver.wants_read() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        buffer.reserve(READ_BYTES);
        match reader.read_buf(&mut buffer).await {
            Ok(1..) => {
                let bytes: Bytes = buffer.split().freeze();
                driver.handle(Input::Received(id, bytes));
            }
            Ok(0) | Err(_) => return,
        }
    }
}
