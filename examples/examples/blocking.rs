//! The core without a runtime: one thread, and a blocking socket whose time-out is the clock. For
//! big messages one would write in a second thread, because the other side may be writing too.
//! `cargo run -p rts-examples --example blocking` Add `-- rts://127.0.0.1:7600` to use a server
//! that `rts serve --dev` started.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use rts_examples::{APP_ID, fresh_token, server};
use rts_proto::client::{Client, Config, Event, Input, Output};
use rts_proto::{AppId, LinkId, LoginCode, MessageConfig::ReliableOrdered, Payload};

type Link = Option<(LinkId, TcpStream)>;

fn main() -> anyhow::Result<()> {
    let (server, clock, mut link) = (server()?, rts_engine::Clock::start(), Link::None);
    let config = Config::new(AppId::new(APP_ID)?);
    let mut alice = Client::new(config, getrandom::u64()?);
    alice.login(clock.now(), &fresh_token("alice")?, "alice")?;
    while !alice.is_destroyed() {
        let input = match (alice.poll_output(), &mut link) {
            (Output::Connect(id), _) => {
                let stream = TcpStream::connect(server.trim_start_matches("rts://"));
                link = stream.inspect_err(|e| println!("{e}")).ok().map(|s| (id, s));
                Some(if link.is_some() { Input::Connected(id) } else { Input::Disconnected(id) })
            }
            (Output::Transmit(id, bytes), Some((_, stream))) => {
                stream.write_all(&bytes).err().map(|_| Input::Disconnected(id))
            }
            (Output::Transmit(..), None) => None,
            (Output::Disconnect(_), _) => {
                link = None;
                None
            }
            (Output::Event(event), _) => {
                println!("{event:?}");
                match event {
                    Event::LoginResult { code: LoginCode::Ok, .. } => {
                        let note = Payload::text("a note to myself");
                        alice.send_message(clock.now(), "alice", note, ReliableOrdered)?;
                    }
                    Event::LoginResult { code, .. } => anyhow::bail!("refused: {code}"),
                    Event::MessageSendResult { .. } => alice.destroy(clock.now()),
                    _ => {}
                }
                None
            }
            (Output::Wait(deadline), link) => {
                Some(wait(link, deadline.map(|deadline| deadline.since(clock.now())))?)
            }
        };
        if let Some(input) = input {
            alice.handle_input(clock.now(), input);
        }
    }
    Ok(())
}

/// Reads, for `time` at most.
fn wait(link: &mut Link, time: Option<Duration>) -> anyhow::Result<Input> {
    let Some((id, stream)) = link.as_mut().filter(|_| time != Some(Duration::ZERO)) else {
        std::thread::sleep(time.unwrap_or_default());
        return Ok(Input::Tick);
    };
    stream.set_read_timeout(time)?;
    let mut buffer = [0; 4_096];
    Ok(match stream.read(&mut buffer) {
        Ok(length @ 1..) => Input::Received(*id, Bytes::copy_from_slice(&buffer[..length])),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Input::Tick
        }
        Ok(0) | Err(_) => Input::Disconnected(*id),
    })
}
