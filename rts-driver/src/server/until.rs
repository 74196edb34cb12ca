//! Waits for a condition that an event announces.

use event_listener::Event;

/// Waits until the condition is met. Each change of it must be followed by a notification.
pub(crate) async fn until(event: &Event, is_so: impl Fn() -> bool) {
    loop {
        let changed = event.listen();
        if is_so() {
            return;
        }
        changed.await;
    }
}
