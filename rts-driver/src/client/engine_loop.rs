//! The loop of one engine: one task, which also finishes closing links.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use rts_engine::{Driver, LinkOutput};
use rts_proto::LinkId;
use rts_proto::client::Input;
use rts_stream::Connector;
use tracing::field::display;

use super::current_link::{CurrentLink, LinkNews};
use super::no_link::NoLink;
use crate::runtime::Runtime;
use crate::timer::Timer;

/// The target of an engine's log lines.
const ENGINE: &str = "rts::engine";

/// Turns before the task yields. An engine that always has work must not block its thread.
const TURNS_MAX: u32 = 64;

/// If there are several servers, the first link goes to any of them. A link that breaks may have a
/// session there, so the next one goes to the same server. After a failed attempt, and if the
/// engine gives a link up, it goes to another one: the server is silent, or has sent the client
/// away.
pub(super) async fn run<R: Runtime>(driver: Driver, mut connector: Connector) {
    connector.choose(random());
    let mut current = CurrentLink::<R>::None;
    let mut closing = Closing::default();
    let mut timer = Timer::<R>::new();
    for turn in (1..=TURNS_MAX).cycle() {
        while let Some(output) = driver.poll_link_output() {
            match output {
                LinkOutput::Connect(id) => {
                    log_connecting(driver.engine_number(), id, &connector);
                    current = CurrentLink::connecting(id, &connector);
                }
                LinkOutput::Transmit(id, bytes) => {
                    if current.link(id).is_some_and(|link| link.push(bytes).is_err()) {
                        current = CurrentLink::None;
                        driver.handle_input(Input::Disconnected(id));
                    }
                }
                // A new link does not wait until the old one is closed.
                LinkOutput::Disconnect(id) => {
                    if current.id() == Some(id) {
                        connector.choose_another(random());
                    }
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
        if turn == TURNS_MAX {
            R::yield_now().await;
        }
        let (deadline, reading) = (driver.deadline(), driver.wants_read());
        let news = poll_fn(|context| {
            let is_due = timer.poll_deadline(context, deadline).is_ready();
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
            Some(LinkNews::Input(input)) => {
                if let Input::Connected(link) = input {
                    let engine = driver.engine_number();
                    tracing::debug!(target: ENGINE, engine, %link, "connected");
                }
                driver.handle_input(input);
            }
            Some(LinkNews::Ended(id, how)) => {
                let how =
                    how.map_or("closed by the server".to_owned(), |how| format!("broken: {how}"));
                driver.link_ended(id, &how);
            }
            Some(LinkNews::Failed(id, error, link)) => {
                driver.link_failed(id, NoLink::new(connector.address().clone(), error));
                connector.choose_another(random());
                closing.links.extend(link.map(|link| Box::pin(link.finish::<R>()) as Finishing));
            }
            None => {}
        }
    }
    poll_fn(|context| closing.poll(context)).await;
}

/// A random number, or 0 if there is none: the choice of a server is no secret.
fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Logs the addresses of the server and the proxy. Neither contains a secret: the proxy is shown
/// without its password.
fn log_connecting(engine: u64, link: LinkId, connector: &Connector) {
    let (address, proxy) = (connector.address(), connector.proxy().map(display));
    tracing::debug!(target: ENGINE, engine, %link, %address, proxy, "connecting");
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
