//! Accepting links, also while the system fails to.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::runtime::Runtime;
use crate::server::log::LogThrottle;

/// After the system had no room for a link: how long until the next try. It would fail again and
/// again until another link is closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The next link. Never fails: it waits until accepting works again, and tells the log now and
/// then. Cancel safe.
pub(crate) async fn accept<R: Runtime>(
    listener: &R::Listener,
    throttle: &mut LogThrottle,
) -> (R::Stream, SocketAddr) {
    loop {
        match R::accept(listener).await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_one_link(&error) => {}
            Err(error) => {
                if let Some(left_out) = throttle.allow(Instant::now()) {
                    let left_out = (left_out > 0).then_some(left_out);
                    tracing::warn!(%error, left_out, "cannot accept a link; retrying");
                }
                R::sleep_until(Instant::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client went away before it was accepted. The next one may be fine.
fn is_about_one_link(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
