//! Three people in a room. Each waits for the others, greets them, hears them out, and leaves.
//!
//!     cargo run -p rts-examples --example chat_room                     on tokio
//!     cargo run -p rts-examples --example chat_room --features smol     on smol
//!
//! Add `-- rts://127.0.0.1:7600` to use a server that `rts serve --dev` started.

use futures_lite::future::try_zip;
use rts_examples::rts::{Event, RoomEvent};
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
    let room = engine.create_room("lobby")?;
    room.join()?;
    let (mut seen, mut heard) = (0, 0);
    while let Some(event) = events.next().await {
        let Event::Room { event, .. } = event else { continue };
        match event {
            RoomEvent::Joined { .. } => println!("{name} is in the room"),
            // Also for those who were there before.
            RoomEvent::UserJoined(uid) => {
                println!("{name} sees {uid}");
                seen += 1;
                if seen == OTHERS {
                    // Its result comes as an event, below.
                    room.send_message(format!("hello from {name}"))?;
                }
            }
            RoomEvent::MessageReceived { from, payload } => {
                println!("{name} hears {from}: {}", words(&payload));
                heard += 1;
                if heard == OTHERS {
                    room.leave();
                }
            }
            RoomEvent::MessageSendResult { code, .. } => println!("{name} was heard: {code}"),
            RoomEvent::UserLeft { uid, .. } => println!("{name} sees {uid} leave"),
            RoomEvent::Left => break,
            other => anyhow::bail!("{name} did not expect {other:?}"),
        }
    }
    engine.destroy();
    engine.closed().await;
    Ok(())
}
