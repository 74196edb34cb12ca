//! A token that has expired, a fresh one, and one in time.
//!
//!     cargo run -p rts-examples --example token_refresh                     on tokio
//!     cargo run -p rts-examples --example token_refresh --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use std::time::{Duration, SystemTime};

use rts_examples::rts::{LoginCode, MessageConfig, connect};
use rts_examples::{APP_ID, block_on, fresh_token, login_result, server, token};

fn main() -> anyhow::Result<()> {
    let server = server()?;
    block_on(run(&server))?
}

async fn run(server: &str) -> anyhow::Result<()> {
    let engine = connect(server, APP_ID)?;
    let mut events = engine.events();

    // An app that slept for long has an old token. The login is refused, and waits for a better
    // one: there is no second call of `login`.
    let expired = token("alice", SystemTime::now() - Duration::from_secs(60))?;
    engine.login(&expired, "alice")?;
    let refused = login_result(&mut events).await?;
    println!("with the old token: {refused:?}");
    anyhow::ensure!(refused == LoginCode::InvalidToken);
    engine.update_login_token(&fresh_token("alice")?);
    let accepted = login_result(&mut events).await?;
    println!("with a fresh token: {accepted:?}");
    anyhow::ensure!(accepted == LoginCode::Ok);

    // A live login never ends because its token expired. But should the link be lost for longer
    // than half a minute, the engine logs in anew by itself, with the latest token that it was
    // given. So give it one before the last expires.
    engine.update_login_token(&fresh_token("alice")?);
    let sent = engine.send_message("alice", "still here", MessageConfig::ReliableOrdered)?;
    println!("and a message to herself: {:?}", sent.await);

    engine.destroy();
    engine.closed().await;
    Ok(())
}
