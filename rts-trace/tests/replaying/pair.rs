//! Recorded cores that are linked to each other, and their traces.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{self, Client};
use rts_proto::server::{self, PostProgress, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, LinkId, LoginCode, Payload, Reply};
use rts_trace::{Recorder, Replayed, Secrets, replay};

pub(crate) const ENGINES: usize = 2;
pub(crate) const NAMES: [&str; ENGINES] = ["alice", "bob"];

/// A file in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(crate) fn recorder(&self, secrets: Secrets) -> Recorder {
        Recorder::new(self.clone(), secrets, [42; 32]).expect("memory takes everything")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }

    pub(crate) fn replayed(&self) -> Replayed {
        replay(self.bytes().as_slice(), &mut ()).expect("a whole trace")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Recorded cores, with links that pass bytes on at once, in pieces.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) server: server::Server,
    pub(crate) engines: Vec<Client>,
    pub(crate) traces: Vec<Memory>,
    /// The engine's present link, and its number at the server.
    links: Vec<Option<(LinkId, LinkId)>>,
    last_link: u64,
    piece: usize,
    /// The server refuses every login.
    pub(crate) refuses: bool,
}

impl Pair {
    pub(crate) fn new(secrets: Secrets, piece: usize) -> Self {
        let traces: Vec<Memory> = (0..=ENGINES).map(|_| Memory::default()).collect();
        let engine = |who: usize| {
            let config =
                client::Config::new(AppId::new("123456781234567812345678").expect("an app id"));
            Client::observed(config, who as u64, Box::new(traces[who].recorder(secrets)))
        };
        let server_config = server::Config::default();
        let recorder = Box::new(traces[ENGINES].recorder(secrets));
        Self {
            now: Instant::from_millis(5),
            engines: (0..ENGINES).map(engine).collect(),
            server: server::Server::observed(server_config, 7, recorder),
            traces,
            links: vec![None; ENGINES],
            last_link: 0,
            piece,
            refuses: false,
        }
    }

    pub(crate) fn call<R>(
        &mut self,
        who: usize,
        call: impl FnOnce(&mut Client, Instant) -> R,
    ) -> R {
        let returned = call(&mut self.engines[who], self.now);
        self.settle();
        returned
    }

    pub(crate) fn cut(&mut self, who: usize) {
        if let Some((own, other)) = self.links[who].take() {
            self.server.handle_input(self.now, server::Input::Disconnected(other));
            self.engines[who].handle_input(self.now, client::Input::Disconnected(own));
        }
        self.settle();
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.server.handle_input(self.now, server::Input::Tick);
        for engine in &mut self.engines {
            engine.handle_input(self.now, client::Input::Tick);
        }
        self.settle();
    }

    /// Passes on all bytes, and ends the burst, until no core has output.
    pub(super) fn settle(&mut self) {
        loop {
            while self.drain_engines() | self.drain_server() {}
            self.server.handle_input(self.now, server::Input::Tick);
            for engine in &mut self.engines {
                engine.handle_input(self.now, client::Input::Tick);
            }
            if !(self.drain_engines() | self.drain_server()) {
                return;
            }
        }
    }

    fn drain_engines(&mut self) -> bool {
        let mut busy = false;
        for who in 0..ENGINES {
            loop {
                match self.engines[who].poll_output() {
                    client::Output::Connect(own) => {
                        self.last_link += 1;
                        let other = LinkId(self.last_link);
                        self.links[who] = Some((own, other));
                        let key = ResumeKey([100 + self.last_link as u8; 16]);
                        let accepted = server::Input::Accepted(other, key);
                        self.server.handle_input(self.now, accepted);
                        self.engines[who].handle_input(self.now, client::Input::Connected(own));
                    }
                    client::Output::Transmit(own, bytes) => {
                        if let Some((_, other)) = self.links[who].filter(|(link, _)| *link == own) {
                            for piece in bytes.chunks(self.piece) {
                                let piece = Bytes::copy_from_slice(piece);
                                let input = server::Input::Received(other, piece);
                                self.server.handle_input(self.now, input);
                            }
                        }
                    }
                    client::Output::Disconnect(own) => {
                        if let Some((_, other)) = self.links[who].take_if(|(link, _)| *link == own)
                        {
                            let input = server::Input::Disconnected(other);
                            self.server.handle_input(self.now, input);
                        }
                    }
                    client::Output::Event(_) => {}
                    client::Output::Wait(_) => break,
                }
                busy = true;
            }
        }
        busy
    }

    fn drain_server(&mut self) -> bool {
        let mut busy = false;
        loop {
            match self.server.poll_output() {
                server::Output::Transmit(link, bytes) => {
                    let at = |own: &Option<(LinkId, LinkId)>| own.is_some_and(|own| own.1 == link);
                    let Some(who) = self.links.iter().position(at) else { continue };
                    let Some((own, _)) = self.links[who] else { continue };
                    for piece in bytes.chunks(self.piece) {
                        let piece = Bytes::copy_from_slice(piece);
                        let input = client::Input::Received(own, piece);
                        self.engines[who].handle_input(self.now, input);
                    }
                }
                server::Output::Disconnect(link, _) => {
                    let at = |own: &Option<(LinkId, LinkId)>| own.is_some_and(|own| own.1 == link);
                    let Some(who) = self.links.iter().position(at) else { continue };
                    if let Some((own, _)) = self.links[who].take() {
                        let input = client::Input::Disconnected(own);
                        self.engines[who].handle_input(self.now, input);
                    }
                }
                server::Output::Authenticate(login, _) => {
                    let verdict = match self.refuses {
                        true => Verdict::Refuse(LoginCode::InvalidToken),
                        false => Verdict::Accept { claim: self.now.as_micros(), issued_at: 0 },
                    };
                    self.server.handle_input(self.now, server::Input::Verdict(login, verdict));
                }
                server::Output::CheckTarget(target, _) => {
                    let input = server::Input::TargetChecked(target, true);
                    self.server.handle_input(self.now, input);
                }
                server::Output::PostToAppServer(call, post) => {
                    let progress = match post.payload {
                        Payload::Text(_) => {
                            PostProgress::Answered(Reply(Bytes::from_static(b"canary")))
                        }
                        Payload::Binary(_) => PostProgress::NotReached,
                    };
                    let input = server::Input::AppServerReplied(call, progress);
                    self.server.handle_input(self.now, input);
                }
                server::Output::AbandonPost(_)
                | server::Output::Report(..)
                | server::Output::Notice(_) => {}
                server::Output::Wait(_) => return busy,
            }
            busy = true;
        }
    }
}
