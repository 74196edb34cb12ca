//! When the token provider is asked next.

use std::time::{Duration, Instant};

use rts_driver::client::LoginStatus;

use super::request::TokenReason;

/// A token is replaced this long before it expires, or after nine tenths of its life if that is
/// later.
const LEAD_MAX: Duration = Duration::from_secs(60);
/// The provider is not asked again sooner than this after it gave a token.
const PAUSE: Duration = Duration::from_secs(10);
/// The wait after failures doubles from one second up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The system's time may be set while nothing happens, so it is looked at this often.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What a token says of itself, in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) issued_at: u64,
    pub(super) expire_at: u64,
}

impl Lifetime {
    /// When another token is wanted.
    fn replaced_at(self) -> u64 {
        let tenth = self.expire_at.saturating_sub(self.issued_at) / 10;
        self.expire_at.saturating_sub(tenth.min(LEAD_MAX.as_secs()))
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until something changes.
    Wait,
    /// Look again after this time.
    Sleep(Duration),
    /// Ask the provider.
    Ask(TokenReason),
    /// The login has failed: a token of the provider was refused as well.
    GiveUp,
}

/// About one login.
///
/// A first login whose second token is refused has failed. A login that was live is worth more
/// patience: the provider is asked again and again, with growing waits.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Of the present token; `None` if it does not expire or cannot be read.
    lifetime: Option<Lifetime>,
    was_live: bool,
    has_given_up: bool,
    /// Tokens that were refused one after the other.
    refused: u32,
    /// Asks that failed one after the other.
    failed: u32,
    not_before: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(lifetime: Option<Lifetime>) -> Self {
        Self { lifetime, ..Self::default() }
    }

    pub(super) fn next(&mut self, status: LoginStatus, now: Instant, unix_now: u64) -> Next {
        match status {
            LoginStatus::LoggedIn => {
                self.was_live = true;
                self.refused = 0;
                self.before_expiry(now, unix_now)
            }
            LoginStatus::LoggingIn => self.before_expiry(now, unix_now),
            LoginStatus::TokenRefused => self.after_refusal(now),
            LoginStatus::Idle
            | LoginStatus::Refused(_)
            | LoginStatus::LoggedOut(_)
            | LoginStatus::ServerAbnormal
            | LoginStatus::Destroyed => Next::Wait,
        }
    }

    fn before_expiry(&self, now: Instant, unix_now: u64) -> Next {
        let Some(lifetime) = self.lifetime else { return Next::Wait };
        let left = Duration::from_secs(lifetime.replaced_at().saturating_sub(unix_now));
        match left.max(self.pause(now)) {
            Duration::ZERO => Next::Ask(TokenReason::Expiring),
            time => Next::Sleep(time.min(SLEEP_MAX)),
        }
    }

    fn after_refusal(&mut self, now: Instant) -> Next {
        if self.has_given_up {
            return Next::Wait;
        }
        if self.refused > 0 && !self.was_live {
            self.has_given_up = true;
            return Next::GiveUp;
        }
        match if self.refused > 0 { self.pause(now) } else { Duration::ZERO } {
            Duration::ZERO => {
                self.wait(self.refused, now);
                self.refused += 1;
                Next::Ask(TokenReason::Refused)
            }
            time => Next::Sleep(time),
        }
    }

    /// There is another token.
    pub(super) fn supplied(&mut self, lifetime: Option<Lifetime>, now: Instant) {
        self.lifetime = lifetime;
        self.has_given_up = false;
        self.failed = 0;
        self.not_before = self.not_before.max(Some(now + PAUSE));
    }

    /// The provider failed. True when that ends the login.
    pub(super) fn failed(&mut self, why: TokenReason, now: Instant) -> bool {
        self.wait(self.failed, now);
        self.failed += 1;
        self.has_given_up = why == TokenReason::Refused && !self.was_live;
        self.has_given_up
    }

    /// Waits 1, 2, 4, ... s.
    fn wait(&mut self, before: u32, now: Instant) {
        let wait = Duration::from_secs(1 << before.min(6)).min(BACKOFF_MAX);
        self.not_before = Some(now + wait);
    }

    fn pause(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |then| then.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Lifetime = Lifetime { issued_at: 1_000, expire_at: 4_600 };
    const ASK_EXPIRING: Next = Next::Ask(TokenReason::Expiring);
    const ASK_REFUSED: Next = Next::Ask(TokenReason::Refused);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_of_an_hour_is_replaced_a_minute_before_its_end() {
        let (mut schedule, now) = (Schedule::new(Some(HOUR)), Instant::now());
        let mut next = |unix| schedule.next(LoginStatus::LoggedIn, now, unix);
        assert_eq!(next(1_000), Next::Sleep(seconds(60)), "the system's time may be set");
        assert_eq!(next(4_539), Next::Sleep(seconds(1)));
        assert_eq!(next(4_540), ASK_EXPIRING);
    }

    #[test]
    fn a_short_token_is_replaced_after_nine_tenths_of_its_life() {
        let short = Lifetime { issued_at: 1_000, expire_at: 1_100 };
        let (mut schedule, now) = (Schedule::new(Some(short)), Instant::now());
        assert_eq!(schedule.next(LoginStatus::LoggedIn, now, 1_089), Next::Sleep(seconds(1)));
        assert_eq!(schedule.next(LoginStatus::LoggedIn, now, 1_090), ASK_EXPIRING);
    }

    #[test]
    fn a_token_without_an_end_is_never_replaced() {
        let mut schedule = Schedule::new(None);
        let next = schedule.next(LoginStatus::LoggedIn, Instant::now(), u64::MAX);
        assert_eq!(next, Next::Wait);
    }

    #[test]
    fn a_provider_that_gives_expired_tokens_is_asked_every_10_seconds() {
        let (mut schedule, now) = (Schedule::new(Some(HOUR)), Instant::now());
        schedule.supplied(Some(HOUR), now);
        let mut next = |now| schedule.next(LoginStatus::LoggedIn, now, 9_000);
        assert_eq!(next(now), Next::Sleep(seconds(10)));
        assert_eq!(next(now + seconds(10)), ASK_EXPIRING);
    }

    #[test]
    fn a_provider_that_fails_before_expiry_is_asked_again_with_growing_waits() {
        let (mut schedule, mut now) = (Schedule::new(Some(HOUR)), Instant::now());
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(schedule.next(LoginStatus::LoggedIn, now, 4_599), ASK_EXPIRING);
            assert!(!schedule.failed(TokenReason::Expiring, now), "the login is live");
            let next = schedule.next(LoginStatus::LoggedIn, now, 4_599);
            assert_eq!(next, Next::Sleep(seconds(wait)));
            now += seconds(wait);
        }
    }

    #[test]
    fn a_first_login_gets_a_second_token_and_no_third() {
        let (mut schedule, now) = (Schedule::new(None), Instant::now());
        assert_eq!(schedule.next(LoginStatus::LoggingIn, now, 0), Next::Wait);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), ASK_REFUSED);
        schedule.supplied(None, now);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), Next::GiveUp);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), Next::Wait);
    }

    #[test]
    fn a_first_login_fails_with_its_provider() {
        let (mut schedule, now) = (Schedule::new(None), Instant::now());
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), ASK_REFUSED);
        assert!(schedule.failed(TokenReason::Refused, now));
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), Next::Wait);
    }

    #[test]
    fn a_login_that_was_live_gets_token_after_token() {
        let (mut schedule, now) = (Schedule::new(None), Instant::now());
        schedule.next(LoginStatus::LoggedIn, now, 0);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), ASK_REFUSED);
        schedule.supplied(None, now);
        let refused_again = schedule.next(LoginStatus::TokenRefused, now, 0);
        assert_eq!(refused_again, Next::Sleep(seconds(10)));
        let later = now + seconds(10);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, later, 0), ASK_REFUSED);
        assert!(!schedule.failed(TokenReason::Refused, later));
        let next = schedule.next(LoginStatus::TokenRefused, later, 0);
        assert_eq!(next, Next::Sleep(seconds(1)));
    }

    #[test]
    fn a_token_of_the_application_itself_ends_the_giving_up() {
        let (mut schedule, now) = (Schedule::new(None), Instant::now());
        schedule.next(LoginStatus::TokenRefused, now, 0);
        schedule.failed(TokenReason::Refused, now);
        schedule.supplied(None, now);
        assert_eq!(schedule.next(LoginStatus::LoggedIn, now, 0), Next::Wait);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, now, 0), ASK_REFUSED);
    }
}
