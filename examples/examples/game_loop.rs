//! The core inside a game: looked at once a frame, never waited for. To use a server of
//! `rts serve --dev`: `cargo run -p rts-examples --example game_loop -- rts://127.0.0.1:7600`.

use std::io::{self, ErrorKind::WouldBlock, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};

use rts_examples::{APP_ID, fresh_token, server};
use rts_proto::client::Input::{self, Connected, Disconnected, Received};
use rts_proto::client::{Client, Config, Event, Output};
use rts_proto::{AppId, LinkId, MessageConfig::UnreliableUnordered, Payload};

fn main() -> anyhow::Result<()> {
    let (server, clock, mut link, mut seen) = (server()?, rts_engine::Clock::start(), None, 0);
    let config = Config::new(AppId::new(APP_ID)?);
    let mut client = Client::new(config, getrandom::u64()?);
    client.login(clock.now(), &fresh_token("player")?, "player")?;
    while seen < 10 {
        if let Some(input) = link.as_mut().and_then(Link::look) {
            client.handle_input(clock.now(), input);
        }
        client.handle_input(clock.now(), Input::Tick);
        // The game sends the player's position, here to the player. An old position is worthless.
        if client.is_logged_in() {
            let position = Payload::text(format!("x = {}", clock.now()));
            client.send_message(clock.now(), "player", position, UnreliableUnordered)?;
        }
        loop {
            match (client.poll_output(), &mut link) {
                (Output::Wait(_), _) => break,
                (Output::Connect(id), _) => link = Some(Link::connecting(id, &server)),
                (Output::Transmit(_, bytes), Some(link)) => link.unsent.extend(bytes),
                (Output::Transmit(..), None) => {}
                (Output::Disconnect(_), _) => link = None,
                (Output::Event(event), _) => {
                    println!("{event:?}");
                    seen += u32::from(matches!(event, Event::MessageReceived { .. }));
                }
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(16)); // The rest of the frame.
    }
    Ok(())
}

struct Link {
    id: LinkId,
    connecting: Receiver<io::Result<TcpStream>>,
    stream: Option<TcpStream>,
    unsent: Vec<u8>,
}

impl Link {
    /// Name lookup and connecting block, so they have a thread.
    fn connecting(id: LinkId, server: &str) -> Self {
        let authority = server.trim_start_matches("rts://").to_owned();
        let (sender, connecting) = sync_channel(1);
        std::thread::spawn(move || sender.send(TcpStream::connect(authority)));
        Self { id, connecting, stream: None, unsent: Vec::new() }
    }

    /// Writes and reads as far as possible without blocking.
    fn look(&mut self) -> Option<Input> {
        let Some(stream) = &mut self.stream else {
            self.stream = self.connecting.try_recv().ok()?.inspect_err(|e| println!("{e}")).ok();
            let is_up = self.stream.as_ref().is_some_and(|s| s.set_nonblocking(true).is_ok());
            return Some(if is_up { Connected(self.id) } else { Disconnected(self.id) });
        };
        // A permanent failure shows in reading, too.
        let written = stream.write(&self.unsent).unwrap_or(0);
        self.unsent.drain(..written);
        let mut buffer = [0; 65_536];
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => Some(Received(self.id, buffer[..length].to_vec().into())),
            Err(error) if error.kind() == WouldBlock => None,
            _ => Some(Disconnected(self.id)),
        }
    }
}
