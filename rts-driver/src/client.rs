//! The loop of one engine: one task, which also sees to the links that are being closed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_lite::future::yield_now;
use rts_engine::{Action, Address, AddressError, Driver, Engine, EngineError, Events};
use rts_proto::LinkId;
use rts_proto::client::Input;
use rts_trace::Recorder;

use crate::alarm::Alarm;
use crate::link::{Link, Step};
use crate::queue::{Pushed, Queue};
use crate::runtime::Runtime;

/// After so many turns others get theirs: an engine that always has something to do must not keep its thread.
const TURNS_MAX: u32 = 64;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Where the server is cannot be understood.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The app id or the parameters are wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Called outside a runtime, where there has to be one (tokio).
    #[error("an engine needs a runtime: call this inside of one")]
    NoRuntime,
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// Makes an engine for the server at `address`, such as `rts://127.0.0.1:7600`. Nothing is connected
/// before [`Engine::login`]. `parameters` is a JSON object, such as `{}`.
///
/// The engine lives in a task on the runtime. When the runtime is shut down, it is destroyed: every
/// [`Sent`](rts_engine::Sent) completes and [`Events`] ends.
///
/// # Errors
///
/// An address, app id or parameters that cannot be used; no runtime; no random numbers.
pub fn connect<R: Runtime>(
    address: &str,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(address, |seed| Engine::new(app_id, parameters, seed))
}

/// Like [`connect`], with a recording: see [`Engine::recorded`].
///
/// # Errors
///
/// See [`connect`].
pub fn connect_recorded<R: Runtime>(
    address: &str,
    app_id: &str,
    parameters: &str,
    recorder: Recorder,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(address, |seed| Engine::recorded(app_id, parameters, seed, recorder))
}

fn start<R: Runtime>(
    address: &str,
    make: impl FnOnce(u64) -> Result<(Engine, Events, Driver), EngineError>,
) -> Result<(Engine, Events), ConnectError> {
    let address: Address = address.parse()?;
    if !R::is_present() {
        return Err(ConnectError::NoRuntime);
    }
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let (engine, events, driver) = make(seed)?;
    R::spawn(run::<R>(driver, address));
    Ok((engine, events))
}

async fn run<R: Runtime>(driver: Driver, address: Address) {
    let mut current = Current::<R>::None;
    let mut closing = Closing::default();
    let mut alarm = Alarm::<R>::new();
    for turn in 1_u32.. {
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
                        closing.links.push(Box::pin(link.finish::<R>()));
                    }
                }
            }
        }
        if driver.is_finished() {
            break;
        }
        driver.deliver();
        driver.tick();
        if turn % TURNS_MAX == 0 {
            yield_now().await;
        }
        let (deadline, reading) = (driver.deadline(), driver.wants_read());
        let input = poll_fn(|context| {
            let is_due = alarm.poll_ring(context, deadline).is_ready();
            let has_changed = driver.poll_changed(context).is_ready();
            let _ = closing.poll(context);
            match current.poll_next(context, reading) {
                Poll::Ready(input) => Poll::Ready(Some(input)),
                Poll::Pending if is_due || has_changed => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if let Some(input) = input {
            driver.handle(input);
        }
    }
    poll_fn(|context| closing.poll(context)).await;
}

/// Links that are being closed, each for a second at most.
#[derive(Default)]
struct Closing {
    links: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Closing {
    /// Ready when all are closed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.links.retain_mut(|link| link.as_mut().poll(context).is_pending());
        if self.links.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The one link that the core has, or wants to have.
enum Current<R: Runtime> {
    None,
    Connecting(LinkId, Pin<Box<dyn Future<Output = io::Result<R::Stream>> + Send>>),
    Up(LinkId, Link<R::Stream>),
}

impl<R: Runtime> Current<R> {
    fn connecting(id: LinkId, address: &Address) -> Self {
        Self::Connecting(id, Box::pin(R::connect(address.authority().to_owned())))
    }

    fn link(&mut self, wanted: LinkId) -> Option<&mut Link<R::Stream>> {
        match self {
            Self::Up(id, link) if *id == wanted => Some(link),
            _ => None,
        }
    }

    /// Gives up a link, and returns it if it was up.
    fn take(&mut self, unwanted: LinkId) -> Option<Link<R::Stream>> {
        match self {
            Self::Connecting(id, _) | Self::Up(id, _) if *id == unwanted => {}
            _ => return None,
        }
        match std::mem::replace(self, Self::None) {
            Self::Up(_, link) => Some(link),
            Self::None | Self::Connecting(..) => None,
        }
    }

    /// What the core is to be told next.
    fn poll_next(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<Input> {
        let (id, stream) = match self {
            Self::None => return Poll::Pending,
            Self::Connecting(id, connecting) => (*id, ready!(connecting.as_mut().poll(context))),
            Self::Up(id, link) => match ready!(link.poll_step(context, reading)) {
                Step::Received(bytes) => return Poll::Ready(Input::Received(*id, bytes)),
                Step::Ending | Step::Gone => (*id, Err(io::ErrorKind::NotConnected.into())),
            },
        };
        Poll::Ready(match stream {
            Ok(stream) => {
                *self = Self::Up(id, Link::new(stream, Arc::new(Queue::default())));
                Input::Connected(id)
            }
            Err(_) => {
                *self = Self::None;
                Input::Disconnected(id)
            }
        })
    }
}
