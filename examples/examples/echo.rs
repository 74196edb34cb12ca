//! A bot that sends back what it gets, and somebody who talks to it.
//!
//!     cargo run -p rts-examples --example echo                     on tokio
//!     cargo run -p rts-examples --example echo --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use futures_lite::future::or;
use rts_examples::rts::{Engine, Event, Events, MessageConfig, Payload};
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
        if let Event::MessageReceived { from, payload } = event {
            // The answer's result would come as an event. This bot does not look at it.
            match payload {
                Payload::Text(text) => {
                    engine.send_message(from.as_str(), text, MessageConfig::ReliableOrdered)?
                }
                Payload::Binary(bytes) => engine.send_binary_message(
                    from.as_str(),
                    bytes,
                    MessageConfig::ReliableOrdered,
                )?,
            };
        }
    }
    Ok(())
}

async fn talk((engine, mut events): (Engine, Events)) -> anyhow::Result<()> {
    for text in ["hello", "is anybody there?", "goodbye"] {
        let sent = engine.send_message("echo", text, MessageConfig::ReliableOrdered)?;
        println!("alice says {text:?}; her message {} has the result {:?}", sent.id(), sent.await);
        let answer = loop {
            match events.next().await {
                Some(Event::MessageReceived { payload, .. }) => break payload,
                Some(_) => {}
                None => anyhow::bail!("the engine ended"),
            }
        };
        println!("the bot says {}", words(&answer));
    }
    engine.destroy();
    engine.closed().await;
    Ok(())
}
