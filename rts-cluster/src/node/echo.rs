//! Whether the other nodes hear this one.

use std::time::Duration;

use rts_proto::Instant;

use crate::limits::{UNHEARD, UNHEARD_MAX};
use crate::membership::Beat;
use crate::view::Incarnation;

/// The answers to the beats of a node.
#[derive(Debug)]
pub(super) struct Echoes {
    own: Incarnation,
    /// The greatest number of an answered beat. Others repeat their answer to the last beat that
    /// they heard.
    answered: u64,
    since: Instant,
    silence: Duration,
}

impl Echoes {
    pub(super) fn new(own: Incarnation, now: Instant) -> Self {
        Self { own, answered: 0, since: now, silence: UNHEARD }
    }

    /// Takes a beat of another node.
    pub(super) fn heard(&mut self, now: Instant, beat: &Beat) {
        let echo = beat.echoes.iter().find(|echo| echo.of == self.own);
        if let Some(echo) = echo.filter(|echo| echo.number > self.answered) {
            (self.answered, self.since, self.silence) = (echo.number, now, UNHEARD);
        }
    }

    /// The connection is new.
    pub(super) fn connected(&mut self, now: Instant) {
        self.since = now;
    }

    /// The moment at which another connection is due.
    pub(super) fn deadline(&self) -> Instant {
        self.since + self.silence
    }

    /// Whether another connection is due. If so, the next one is due later.
    pub(super) fn is_silent(&mut self, now: Instant) -> bool {
        let is_silent = self.deadline() <= now;
        if is_silent {
            self.since = now;
            self.silence = (2 * self.silence).min(UNHEARD_MAX);
        }
        is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Echo;
    use crate::testing::{beat, member};

    const OWN: Incarnation = Incarnation(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn answer(of: u64, number: u64) -> Beat {
        let echoes = vec![Echo { of: Incarnation(of), number }];
        Beat { echoes, ..beat(member("b", 2)) }
    }

    #[test]
    fn new_answers_count_and_repeated_ones_and_those_to_others_do_not() {
        let mut echoes = Echoes::new(OWN, at(0));
        echoes.heard(at(1_000), &answer(1, 1));
        assert_eq!(echoes.deadline(), at(2_500));
        echoes.heard(at(1_500), &answer(1, 1));
        echoes.heard(at(1_500), &answer(3, 2));
        assert_eq!(echoes.deadline(), at(2_500));
        assert!(!echoes.is_silent(at(2_499)));
        assert!(echoes.is_silent(at(2_500)));
    }

    #[test]
    fn time_doubles_until_an_answer_comes() {
        let mut echoes = Echoes::new(OWN, at(0));
        let mut now = 0;
        for silence in [1_500, 3_000, 6_000, 12_000, 24_000, 30_000, 30_000] {
            now += silence;
            assert!(!echoes.is_silent(at(now - 1)), "{silence}");
            assert!(echoes.is_silent(at(now)), "{silence}");
            echoes.connected(at(now));
        }
        echoes.heard(at(now), &answer(1, 1));
        assert_eq!(echoes.deadline(), at(now + 1_500));
    }
}
