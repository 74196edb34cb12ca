//! Accepts links, also while the system has no room for them.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::runtime::Runtime;
use crate::server::log::LogThrottle;

/// Pause after the system had no room for a link. Until another link is closed, further attempts
/// would fail too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts the next link. Never fails: it waits until accepting works again, and logs the failure
/// now and then. Cancel safe.
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

/// The client closed the link before it was accepted. The next one may work.
fn is_about_one_link(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
