//! The loop of one engine: one task, which also sees to the links that are being closed.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rts_engine::{Driver, Engine, EngineError, Events};
use rts_proto::LinkId;
use rts_proto::client::{Input, Output};
use rts_stream::{Connector, ConnectorError, LinkError};
use rts_trace::Recorder;

use crate::alarm::Alarm;
use crate::link::{Link, Step};
use crate::runtime::Runtime;

/// After so many turns others get theirs: an engine that always has something to do must not keep
/// its thread.
const TURNS_MAX: u32 = 64;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no way to the server: its address, or what is needed for TLS.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
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

/// Makes an engine for the server of the connector. Nothing is connected before [`Engine::login`].
/// `parameters` is a JSON object, such as `{}`.
///
/// The engine lives in a task on the runtime. When the runtime is shut down, it is destroyed: every
/// [`Sent`](rts_engine::Sent) completes and [`Events`] ends.
///
/// # Errors
///
/// An app id or parameters that cannot be used; no runtime; no random numbers.
pub fn connect<R: Runtime>(
    connector: Connector,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(connector, |seed| Engine::new(app_id, parameters, seed))
}

/// Like [`connect`], with a recording: see [`Engine::recorded`].
///
/// # Errors
///
/// See [`connect`].
pub fn connect_recorded<R: Runtime>(
    connector: Connector,
    app_id: &str,
    parameters: &str,
    recorder: Recorder,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(connector, |seed| Engine::recorded(app_id, parameters, seed, recorder))
}

fn start<R: Runtime>(
    connector: Connector,
    make: impl FnOnce(u64) -> Result<(Engine, Events, Driver), EngineError>,
) -> Result<(Engine, Events), ConnectError> {
    if !R::is_present() {
        return Err(ConnectError::NoRuntime);
    }
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let (engine, events, driver) = make(seed)?;
    R::spawn(run::<R>(driver, connector));
    Ok((engine, events))
}

async fn run<R: Runtime>(driver: Driver, connector: Connector) {
    let mut current = Current::<R>::None;
    let mut closing = Closing::default();
    let mut alarm = Alarm::<R>::new();
    for turn in (1..=TURNS_MAX).cycle() {
        loop {
            match driver.poll_output() {
                Output::Connect(id) => current = Current::connecting(id, &connector),
                Output::Transmit(id, bytes) => {
                    if current.link(id).is_some_and(|link| link.push(bytes).is_err()) {
                        current = Current::None;
                        driver.handle_input(Input::Disconnected(id));
                    }
                }
                // A new link need not wait until the old one is closed.
                Output::Disconnect(id) => {
                    if let Some(link) = current.take(id) {
                        closing.links.push(Box::pin(link.finish::<R>()));
                    }
                }
                // The application has it.
                Output::Event(_) => {}
                Output::Wait(_) => break,
            }
        }
        if driver.is_finished() {
            break;
        }
        driver.deliver();
        driver.tick();
        if turn == TURNS_MAX {
            R::yield_now().await;
        }
        let (deadline, reading) = (driver.deadline(), driver.wants_read());
        let news = poll_fn(|context| {
            let is_due = alarm.poll_ring(context, deadline).is_ready();
            let has_changed = driver.poll_changed(context).is_ready();
            let _ = closing.poll(context);
            match current.poll_next(context, reading) {
                Poll::Ready(news) => Poll::Ready(Some(news)),
                Poll::Pending if is_due || has_changed => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        match news {
            Some(News::Input(input)) => driver.handle_input(input),
            Some(News::Failed(id, error, link)) => {
                driver.link_failed(id, format!("no link to {}: {error}", connector.address()));
                closing.links.extend(link.map(|link| Box::pin(link.finish::<R>()) as Finishing));
            }
            None => {}
        }
    }
    poll_fn(|context| closing.poll(context)).await;
}

/// Links that are being closed, each for a second at most.
#[derive(Default)]
struct Closing {
    links: Vec<Finishing>,
}

type Finishing = Pin<Box<dyn Future<Output = ()> + Send>>;

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
    Connecting(LinkId, Pin<Box<dyn Future<Output = Established<R>> + Send>>),
    Up(LinkId, Link<R::Stream>),
}

/// A link whose layers are open; or why there is none, and what may have something left to say.
type Established<R> =
    Result<Link<<R as Runtime>::Stream>, (LinkError, Option<Link<<R as Runtime>::Stream>>)>;

/// What became of the link.
enum News<R: Runtime> {
    Input(Input),
    /// It is over, and this is why. The link may have something left to say.
    Failed(LinkId, LinkError, Option<Link<R::Stream>>),
}

impl<R: Runtime> Current<R> {
    fn connecting(id: LinkId, connector: &Connector) -> Self {
        Self::Connecting(id, Box::pin(establish::<R>(connector.clone())))
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
    fn poll_next(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<News<R>> {
        Poll::Ready(match self {
            Self::None => return Poll::Pending,
            Self::Connecting(id, connecting) => {
                let id = *id;
                match ready!(connecting.as_mut().poll(context)) {
                    Ok(link) => {
                        *self = Self::Up(id, link);
                        News::Input(Input::Connected(id))
                    }
                    Err((error, link)) => {
                        *self = Self::None;
                        News::Failed(id, error, link)
                    }
                }
            }
            Self::Up(id, link) => {
                let id = *id;
                match ready!(link.poll_step(context, reading)) {
                    Step::Received(bytes) => News::Input(Input::Received(id, bytes)),
                    Step::Over(Some(error)) => News::Failed(id, error.into(), self.take(id)),
                    Step::Over(None) | Step::Gone => {
                        *self = Self::None;
                        News::Input(Input::Disconnected(id))
                    }
                }
            }
        })
    }
}

async fn establish<R: Runtime>(connector: Connector) -> Established<R> {
    let stream = match R::connect(connector.dial()).await {
        Ok(stream) => stream,
        Err(error) => {
            return Err((LinkError::Connect { at: connector.dial_in_words(), error }, None));
        }
    };
    let mut link = Link::new(stream, connector.layers());
    match link.open().await {
        Ok(()) => Ok(link),
        Err(error) => Err((error, Some(link))),
    }
}
