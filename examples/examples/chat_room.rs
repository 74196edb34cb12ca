//! Three people in a room. Each waits for the others, greets them, hears them out, and leaves.
//!
//!     cargo run -p rts-examples --example chat_room                     on tokio
//!     cargo run -p rts-examples --example chat_room --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use futures_lite::future::try_zip;
use rts_client::{Event, RoomEvent};
use rts_examples::{block_on, log_in, server, words};

const OTHERS: usize = 2;

fn main() -> anyhow::Result<()> {
    let server = server()?;
    block_on(try_zip(
        visit(&server, "alice"),
        try_zip(visit(&server, "bob"), visit(&server, "carol")),
    ))??;
    Ok(())
}

async fn visit(server: &str, name: &str) -> anyhow::Result<()> {
    let (engine, mut events) = log_in(server, name).await?;
    let room = engine.join("lobby").await?;
    println!("{name} is in the room");
    let (mut seen, mut heard) = (0, 0);
    while heard < OTHERS {
        let Some(event) = events.next().await else { anyhow::bail!("the engine ended") };
        let Event::Room { event, .. } = event else { continue };
        match event {
            // Also for those who were there before.
            RoomEvent::UserJoined(uid) => {
                println!("{name} sees {uid}");
                seen += 1;
                if seen == OTHERS {
                    room.send(format!("hello from {name}")).await?;
                    println!("{name} was heard");
                }
            }
            RoomEvent::Message { from, payload } => {
                println!("{name} hears {from}: {}", words(&payload));
                heard += 1;
            }
            _ => {}
        }
    }
    room.leave().await;
    println!("{name} has left");
    engine.close().await;
    Ok(())
}
