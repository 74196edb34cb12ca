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
/// Timers of runtimes need not be good for years.
const SLEEP_MAX: Duration = Duration::from_secs(86_400);

/// How long a token lasts from now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Token {
    /// Until another one is wanted; `None` if it does not expire, or cannot be read: that is for
    /// the server to judge.
    left: Option<Duration>,
}

impl Token {
    pub(super) fn read(token: &str, is_of_provider: bool, unix_now: u64) -> Self {
        Self { left: Life::of(token).map(|life| life.left_at(unix_now, is_of_provider)) }
    }
}

/// What a token says of itself, in Unix seconds.
#[derive(Clone, Copy, Debug)]
struct Life {
    issued_at: u64,
    expire_at: u64,
}

impl Life {
    fn of(token: &str) -> Option<Self> {
        let read = rts_token::inspect(token).ok()?;
        let (issued_at, expire_at) = (read.claims().issued_at(), read.claims().expire_at());
        (expire_at > 0).then_some(Self { issued_at: issued_at.into(), expire_at: expire_at.into() })
    }

    fn seconds(self) -> u64 {
        self.expire_at.saturating_sub(self.issued_at)
    }

    fn lead(self) -> u64 {
        (self.seconds() / 10).min(LEAD_MAX.as_secs())
    }

    /// The time until another token is wanted. If a token of the provider is not valid by the
    /// system's time, then that time is wrong: the token is new, and has its whole life before it.
    fn left_at(self, unix_now: u64, is_of_provider: bool) -> Duration {
        let is_valid = (self.issued_at..self.expire_at).contains(&unix_now);
        let from = if is_of_provider && !is_valid { self.issued_at } else { unix_now };
        Duration::from_secs(self.expire_at.saturating_sub(self.lead()).saturating_sub(from))
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
/// A first login whose second token is refused has failed. For a login that was live, the provider
/// is asked again and again, with growing waits.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// When another token is wanted.
    replace_at: Option<Instant>,
    has_given_up: bool,
    /// Tokens that were refused one after the other.
    refused: u32,
    /// Asks that failed one after the other.
    failed: u32,
    not_before: Option<Instant>,
}

impl Schedule {
    /// `was_live`: whether the login was accepted at some time.
    pub(super) fn next(&mut self, status: LoginStatus, was_live: bool, now: Instant) -> Next {
        match status {
            LoginStatus::LoggedIn => {
                self.refused = 0;
                self.has_given_up = false;
                self.before_expiry(now)
            }
            LoginStatus::LoggingIn => self.before_expiry(now),
            LoginStatus::TokenRefused => self.after_refusal(was_live, now),
            _ => Next::Wait,
        }
    }

    fn before_expiry(&self, now: Instant) -> Next {
        let Some(replace_at) = self.replace_at else { return Next::Wait };
        match replace_at.saturating_duration_since(now).max(self.pause(now)) {
            Duration::ZERO => Next::Ask(TokenReason::Expiring),
            time => Next::Sleep(time.min(SLEEP_MAX)),
        }
    }

    fn after_refusal(&mut self, was_live: bool, now: Instant) -> Next {
        if self.has_given_up {
            return Next::Wait;
        }
        if self.refused > 0 && !was_live {
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

    /// The login has another token.
    pub(super) fn supplied(&mut self, token: Token, now: Instant) {
        self.replace_at = token.left.and_then(|left| now.checked_add(left));
        self.has_given_up = false;
        self.failed = 0;
    }

    /// The provider gave a token, of use or not.
    pub(super) fn answered(&mut self, now: Instant) {
        self.failed = 0;
        self.not_before = self.not_before.max(Some(now + PAUSE));
    }

    /// The provider failed. True when that ends the login.
    pub(super) fn failed(&mut self, why: TokenReason, was_live: bool, now: Instant) -> bool {
        self.wait(self.failed, now);
        self.failed += 1;
        self.has_given_up = why == TokenReason::Refused && !was_live;
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

    const HOUR: Life = Life { issued_at: 1_000, expire_at: 4_600 };
    const EXPIRED: Token = Token { left: Some(Duration::ZERO) };
    const ASK_EXPIRING: Next = Next::Ask(TokenReason::Expiring);
    const ASK_REFUSED: Next = Next::Ask(TokenReason::Refused);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn with_token(token: Token, now: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.supplied(token, now);
        schedule
    }

    impl Schedule {
        /// The provider gave a token that lasts for 90 s.
        fn answered_with_a_token(&mut self, now: Instant) {
            self.answered(now);
            self.supplied(Token { left: Some(seconds(90)) }, now);
        }
    }

    #[test]
    fn a_token_is_replaced_a_minute_before_its_end_or_after_nine_tenths() {
        for is_of_provider in [false, true] {
            assert_eq!(HOUR.left_at(1_000, is_of_provider), seconds(3_540));
            assert_eq!(HOUR.left_at(4_539, is_of_provider), seconds(1));
            assert_eq!(HOUR.left_at(4_540, is_of_provider), Duration::ZERO);
            let short = Life { issued_at: 1_000, expire_at: 1_100 };
            assert_eq!(short.left_at(1_000, is_of_provider), seconds(90));
        }
    }

    #[test]
    fn a_token_that_is_not_valid_now_has_expired_unless_the_provider_has_just_given_it() {
        for unix_now in [0, 999, 4_600, 9_999] {
            assert_eq!(HOUR.left_at(unix_now, true), seconds(3_540));
        }
        assert_eq!(HOUR.left_at(9_999, false), Duration::ZERO);
        let backward = Life { issued_at: 2_000, expire_at: 1_000 };
        assert_eq!(backward.left_at(2_000, true), Duration::ZERO);
    }

    #[test]
    fn asks_when_the_token_is_to_be_replaced_and_not_before() {
        let now = Instant::now();
        let mut schedule = with_token(Token { left: Some(seconds(90)) }, now);
        let mut next = |now| schedule.next(LoginStatus::LoggedIn, true, now);
        assert_eq!(next(now), Next::Sleep(seconds(90)));
        assert_eq!(next(now + seconds(89)), Next::Sleep(seconds(1)));
        assert_eq!(next(now + seconds(90)), ASK_EXPIRING);
    }

    #[test]
    fn a_token_without_an_end_is_never_replaced() {
        let now = Instant::now();
        let next = with_token(Token::default(), now).next(LoginStatus::LoggedIn, true, now);
        assert_eq!(next, Next::Wait);
    }

    #[test]
    fn a_provider_that_gives_expired_tokens_is_asked_every_10_seconds() {
        let now = Instant::now();
        let mut schedule = with_token(EXPIRED, now);
        schedule.answered(now);
        let mut next = |now| schedule.next(LoginStatus::LoggedIn, true, now);
        assert_eq!(next(now), Next::Sleep(seconds(10)));
        assert_eq!(next(now + seconds(10)), ASK_EXPIRING);
    }

    #[test]
    fn a_provider_that_fails_before_expiry_is_asked_again_with_growing_waits() {
        let mut now = Instant::now();
        let mut schedule = with_token(EXPIRED, now);
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(schedule.next(LoginStatus::LoggedIn, true, now), ASK_EXPIRING);
            assert!(!schedule.failed(TokenReason::Expiring, true, now), "the login is live");
            let next = schedule.next(LoginStatus::LoggedIn, true, now);
            assert_eq!(next, Next::Sleep(seconds(wait)));
            now += seconds(wait);
        }
    }

    #[test]
    fn a_first_login_gets_a_second_token_and_no_third() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        assert_eq!(schedule.next(LoginStatus::LoggingIn, false, now), Next::Wait);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, false, now), ASK_REFUSED);
        schedule.answered_with_a_token(now);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, false, now), Next::GiveUp);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, false, now), Next::Wait);
    }

    #[test]
    fn a_first_login_fails_with_its_provider() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        assert_eq!(schedule.next(LoginStatus::TokenRefused, false, now), ASK_REFUSED);
        assert!(schedule.failed(TokenReason::Refused, false, now));
        assert_eq!(schedule.next(LoginStatus::TokenRefused, false, now), Next::Wait);
    }

    #[test]
    fn a_login_that_was_live_gets_token_after_token() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        assert_eq!(schedule.next(LoginStatus::TokenRefused, true, now), ASK_REFUSED);
        schedule.answered_with_a_token(now);
        let refused_again = schedule.next(LoginStatus::TokenRefused, true, now);
        assert_eq!(refused_again, Next::Sleep(seconds(10)));
        let later = now + seconds(10);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, true, later), ASK_REFUSED);
        assert!(!schedule.failed(TokenReason::Refused, true, later));
        let next = schedule.next(LoginStatus::TokenRefused, true, later);
        assert_eq!(next, Next::Sleep(seconds(1)));
    }

    #[test]
    fn token_of_application_restarts_requests() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.next(LoginStatus::TokenRefused, false, now);
        schedule.failed(TokenReason::Refused, false, now);
        schedule.supplied(Token::default(), now);
        assert_eq!(schedule.next(LoginStatus::LoggedIn, true, now), Next::Wait);
        assert_eq!(schedule.next(LoginStatus::TokenRefused, true, now), ASK_REFUSED);
    }
}
