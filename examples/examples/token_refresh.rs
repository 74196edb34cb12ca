//! A token that has expired, and the engine that gets a fresh one by itself.
//!
//!     cargo run -p rts-examples --example token_refresh                     on tokio
//!     cargo run -p rts-examples --example token_refresh --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use std::time::{Duration, SystemTime};

use rts_client::{Engine, LoginError, TokenRequest};
use rts_examples::{APP_ID, block_on, fresh_token, server, token};

fn main() -> anyhow::Result<()> {
    let server = server()?;
    block_on(run(&server))?
}

/// In an app, this asks the app's own back end, which knows who is asking.
async fn fetch_token(request: TokenRequest) -> anyhow::Result<String> {
    println!("the engine wants a token for {}: {:?}", request.uid(), request.reason());
    fresh_token(request.uid())
}

async fn run(server: &str) -> anyhow::Result<()> {
    // An app that slept for long has an old token.
    let expired = token("alice", SystemTime::now() - Duration::from_secs(60))?;

    let without = Engine::builder(server, APP_ID).build()?;
    let refused = without.login(&expired, "alice").await;
    anyhow::ensure!(matches!(refused, Err(LoginError::TokenRefused)), "{refused:?}");
    println!("without a token provider the login fails");
    without.close().await;

    // With a provider, the engine replaces a refused token at once. It also replaces each token
    // shortly before it expires, so that it can log in anew whenever the link was lost for long.
    let engine = Engine::builder(server, APP_ID).token_provider(fetch_token).build()?;
    engine.login(&expired, "alice").await?;
    println!("with a token provider it works");
    engine.send("alice", "still here").await?;
    engine.close().await;
    Ok(())
}
