//! Bounds for a log, for a shard and its embedder: safe text from outside, a throttle for one line,
//! and a rate limit for lines about addresses.

mod rate_limit;
mod sanitized;
pub(crate) mod targets;
mod throttle;

pub use rate_limit::LogRateLimiter;
pub use sanitized::Sanitized;
pub use throttle::LogThrottle;
