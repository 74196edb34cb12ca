//! Tokens for a development server, and the clock that dates tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use rts_server::DEV_APP_ID;
use rts_token::{AppKey, Expiry, Token};

/// Validity of a development token: one day.
const DEV_TOKEN_SECONDS: u64 = 86_400;

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The current second, for a token.
pub(crate) fn issued_now() -> anyhow::Result<u32> {
    u32::try_from(unix_now()).context("the clock is after the year 2106")
}

/// The expiry of a development token.
pub(crate) fn dev_expiry() -> anyhow::Result<u32> {
    u32::try_from(unix_now() + DEV_TOKEN_SECONDS).context("the clock is after the year 2106")
}

/// A token for the development app, signed with this key.
pub(crate) fn dev_token(key: &str, uid: &str, expire_at: u32) -> anyhow::Result<String> {
    let nonce = getrandom::u32().map_err(|error| anyhow!("no random number: {error}"))?;
    let token = Token::new(DEV_APP_ID, uid, Expiry::At(expire_at))?
        .with_nonce(nonce)
        .with_issued_at(issued_now()?);
    Ok(token.sign(&AppKey::new(key)?))
}
