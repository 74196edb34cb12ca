//! A bot that sends back what it gets, and somebody who talks to it.
//!
//!     cargo run -p rts-examples --example echo                     on tokio
//!     cargo run -p rts-examples --example echo --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use futures_lite::future::or;
use rts_client::{Engine, Event, Events};
use rts_examples::{block_on, log_in, server, words};

fn main() -> anyhow::Result<()> {
    let server = server()?;
    block_on(async {
        let bot = log_in(&server, "echo").await?;
        let alice = log_in(&server, "alice").await?;
        or(talk(alice), echo(bot)).await
    })?
}

async fn echo((engine, mut events): (Engine, Events)) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        if let Event::Message { from, payload } = event {
            // Not awaited: the answer is on its way, and this bot does not look at its result.
            engine.send(from, payload);
        }
    }
    Ok(())
}

async fn talk((engine, mut events): (Engine, Events)) -> anyhow::Result<()> {
    for text in ["hello", "is anybody there?", "goodbye"] {
        engine.send("echo", text).await?;
        println!("alice says {text:?}, and the bot has it");
        let answer = loop {
            match events.next().await {
                Some(Event::Message { payload, .. }) => break payload,
                Some(_) => {}
                None => anyhow::bail!("the engine ended"),
            }
        };
        println!("the bot says {}", words(&answer));
    }
    engine.close().await;
    Ok(())
}
