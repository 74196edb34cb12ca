//! Alice sends herself a message, in a direct way and through a room. Only `run` knows the runtime.

use anyhow::Context as _;
use rts_client::{Engine, Event, Payload, RoomEvent, SendError};

fn main() -> anyhow::Result<()> {
    run(talk())
}

#[cfg(feature = "tokio")]
fn run<T>(app: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new()?.block_on(app)
}

#[cfg(all(feature = "smol", not(feature = "tokio")))]
fn run<T>(app: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    smol::block_on(app)
}

async fn talk() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("give an address")?;
    let token = std::env::var("RTS_TOKEN").context("put alice's token into RTS_TOKEN")?;
    let engine = Engine::builder(address, "123456781234567812345678").build()?;
    let mut events = engine.events();
    engine.login(&token, "alice").await?;
    let room = engine.join("lobby").await?;
    room.send("hello room").await?;
    engine.send("alice", "hello alice").await?;
    let error = engine.send("nobody", "hello?").await.expect_err("nobody is there");
    anyhow::ensure!(matches!(error, SendError::NotDelivered(_)), "{error}");
    println!("to nobody: {error}");
    while let Some(event) = events.next().await {
        match event {
            Event::Message { from, payload: Payload::Text(text) } => {
                println!("{from}: {text}");
                break;
            }
            Event::Room { room, event: RoomEvent::Joined { .. } } => println!("in {room}"),
            _ => {}
        }
    }
    engine.close().await;
    Ok(())
}
