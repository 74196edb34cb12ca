//! Waits for a condition that an event announces.

use event_listener::Event;

/// Waits until the condition is met. Each change of it must be followed by a notification.
pub(crate) async fn until(event: &Event, is_so: impl Fn() -> bool) {
    until_some(event, || is_so().then_some(())).await;
}

/// Waits until there is a value. Each change of that must be followed by a notification.
pub(crate) async fn until_some<T>(event: &Event, value: impl Fn() -> Option<T>) -> T {
    loop {
        let changed = event.listen();
        if let Some(value) = value() {
            return value;
        }
        changed.await;
    }
}
