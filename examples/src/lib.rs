//! What the examples need and are not about: a server, tokens, a runtime. The examples themselves
//! are in `examples/`.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use rts_client::{Engine, Events, Payload};
use rts_server::{Config, DEV_APP_KEY, Server};
use rts_token::{AppKey, Expiry, Token};

pub use rts_server::DEV_APP_ID as APP_ID;

/// The address of a server: the first argument, as `rts serve --dev` prints it, or else a server in
/// this process.
pub fn server() -> anyhow::Result<String> {
    if let Some(address) = std::env::args().nth(1) {
        return Ok(address);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let config = Config::development("127.0.0.1:0".parse()?);
    let server = runtime.block_on(Server::bind(&config))?;
    let address = format!("rts://{}", server.local_addr());
    std::thread::spawn(move || runtime.block_on(server.run(std::future::pending())));
    Ok(address)
}

/// A token for this user. An app's own back end does this, because it has the app's key.
pub fn token(uid: &str, expires: SystemTime) -> anyhow::Result<String> {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH)?;
        u32::try_from(since.as_secs()).context("the clock is after the year 2106")
    };
    let nonce = getrandom::u32().map_err(|error| anyhow!("no random number: {error}"))?;
    let token = Token::new(APP_ID, uid, Expiry::At(seconds(expires)?))?
        .with_nonce(nonce)
        .with_issued_at(seconds(SystemTime::now())?);
    Ok(token.sign(&AppKey::new(DEV_APP_KEY)?))
}

/// A token for the next hour.
pub fn fresh_token(uid: &str) -> anyhow::Result<String> {
    token(uid, SystemTime::now() + Duration::from_secs(3_600))
}

/// An engine that is logged in, and its events. The engine retries while no server answers.
pub async fn log_in(server: &str, uid: &str) -> anyhow::Result<(Engine, Events)> {
    let engine = Engine::builder(server, APP_ID).build()?;
    let events = engine.events();
    engine.login(&fresh_token(uid)?, uid).await?;
    Ok((engine, events))
}

/// A payload for the screen.
pub fn words(payload: &Payload) -> String {
    match payload.as_text() {
        Some(text) => format!("{text:?}"),
        None => format!("{} bytes", payload.len()),
    }
}

/// Runs an example on its runtime.
#[cfg(feature = "smol")]
pub fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(smol::block_on(future))
}

/// Runs an example on its runtime.
#[cfg(not(feature = "smol"))]
pub fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Runtime::new()?.block_on(future))
}
