//! The loop of one engine: one task, and one more for each link that is being closed.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use rts_engine::{Action, Address, AddressError, Driver, Engine, EngineError, Events};
use rts_proto::LinkId;
use rts_proto::client::Input;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::link::{Link, Step};
use crate::queue::{Pushed, Queue};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Where the server is cannot be understood.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The app id or the parameters are wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Called outside a tokio runtime.
    #[error("an engine needs a tokio runtime: call this inside of one")]
    NoRuntime,
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// Makes an engine for the server at `address`, such as `rts://127.0.0.1:7600`. Nothing is connected
/// before [`Engine::login`]. `parameters` is a JSON object, such as `{}`.
///
/// The engine lives in a task on the current runtime. When the runtime is shut down, it is destroyed: every
/// [`Sent`](crate::Sent) completes and [`Events`] ends.
///
/// # Errors
///
/// An address, app id or parameters that cannot be used; no runtime; no random numbers.
pub fn connect(
    address: &str,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    let address: Address = address.parse()?;
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let (engine, events, driver) = Engine::new(app_id, parameters, seed)?;
    runtime.spawn(run(driver, address));
    Ok((engine, events))
}

async fn run(driver: Driver, address: Address) {
    let mut current = Current::None;
    let mut closing = JoinSet::new();
    loop {
        while let Some(action) = driver.next_action() {
            match action {
                Action::Connect(id) => current = Current::connecting(id, &address),
                Action::Transmit(id, bytes) => {
                    if current
                        .link(id)
                        .is_some_and(|link| link.queue().push(bytes) == Pushed::Overflow)
                    {
                        current = Current::None;
                        driver.handle(Input::Disconnected(id));
                    }
                }
                // A new link need not wait until the old one is closed.
                Action::Disconnect(id) => {
                    if let Some(link) = current.take(id) {
                        closing.spawn(link.finish());
                    }
                }
            }
        }
        if driver.is_finished() {
            break;
        }
        driver.deliver();
        driver.tick();
        // An engine that always has something to do must not keep its thread.
        tokio::task::coop::consume_budget().await;
        tokio::select! {
            () = driver.changed() => {}
            () = sleep_until(driver.deadline()) => {}
            input = current.next(driver.wants_read()) => driver.handle(input),
            Some(_) = closing.join_next() => {}
        }
    }
    closing.join_all().await;
}

pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// The one link that the core has, or wants to have.
enum Current {
    None,
    Connecting(LinkId, Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Up(LinkId, Link<TcpStream>),
}

impl Current {
    fn connecting(id: LinkId, address: &Address) -> Self {
        let authority = address.authority().to_owned();
        Self::Connecting(
            id,
            Box::pin(async move {
                let stream = TcpStream::connect(authority).await?;
                // Small messages must not wait for others; a link without this works all the same.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }),
        )
    }

    fn link(&mut self, wanted: LinkId) -> Option<&mut Link<TcpStream>> {
        match self {
            Self::Up(id, link) if *id == wanted => Some(link),
            _ => None,
        }
    }

    /// Gives up a link, and returns it if it was up.
    fn take(&mut self, unwanted: LinkId) -> Option<Link<TcpStream>> {
        match self {
            Self::Connecting(id, _) | Self::Up(id, _) if *id == unwanted => {}
            _ => return None,
        }
        match std::mem::replace(self, Self::None) {
            Self::Up(_, link) => Some(link),
            Self::None | Self::Connecting(..) => None,
        }
    }

    /// What the core is to be told next. Cancel safe: all progress is kept here.
    async fn next(&mut self, reading: bool) -> Input {
        let (id, stream) = match self {
            Self::None => pending().await,
            Self::Connecting(id, connecting) => (*id, connecting.await),
            Self::Up(id, link) => match link.step(reading).await {
                Step::Received(bytes) => return Input::Received(*id, bytes),
                Step::Ending | Step::Gone => (*id, Err(io::ErrorKind::NotConnected.into())),
            },
        };
        match stream {
            Ok(stream) => {
                *self = Self::Up(id, Link::new(stream, Arc::new(Queue::default())));
                Input::Connected(id)
            }
            Err(_) => {
                *self = Self::None;
                Input::Disconnected(id)
            }
        }
    }
}
