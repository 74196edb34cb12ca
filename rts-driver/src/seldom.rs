//! What happens again and again is said now and then.

use std::time::{Duration, Instant};

/// At most so often one thing is said.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what happens, and says when it is time to say so: at once the first time, and then with
/// how often it was left out.
#[derive(Debug, Default)]
pub struct Seldom {
    said: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// It happened. `Some` if it is to be said, with how often it happened since without being
    /// said.
    pub fn happened(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < EVERY) {
            self.left_out += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_the_next_after_a_while_with_what_was_left_out() {
        let (start, mut seldom) = (Instant::now(), Seldom::default());
        assert_eq!(seldom.happened(start), Some(0));
        let just_before = start + EVERY - Duration::from_nanos(1);
        assert_eq!(seldom.happened(start), None);
        assert_eq!(seldom.happened(just_before), None);
        assert_eq!(seldom.happened(start + EVERY), Some(2));
        assert_eq!(seldom.happened(start + EVERY * 2), Some(0));
    }
}
