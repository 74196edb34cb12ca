//! Recorded cores that are linked to each other, and their traces.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{self, Client};
use rts_proto::server::{self, Placement, PostProgress, Server, ShardId, Shards, Verdict};
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

/// Two engines and the shards of a node, all recorded. Links pass bytes on at once, in pieces, and
/// shards pass entries on at once.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    servers: Vec<Server>,
    pub(crate) engines: Vec<Client>,
    /// Of the engines, then of the shards.
    pub(crate) traces: Vec<Memory>,
    /// The shard of each link.
    shards: BTreeMap<LinkId, ShardId>,
    /// The engine's present link, and its number at the server.
    links: Vec<Option<(LinkId, LinkId)>>,
    last_link: u64,
    piece: usize,
    /// The server refuses every login.
    pub(crate) refuses: bool,
}

impl Pair {
    pub(crate) fn new(secrets: Secrets, piece: usize, shards: usize) -> Self {
        let traces: Vec<Memory> = (0..ENGINES + shards).map(|_| Memory::default()).collect();
        let engine = |who: usize| {
            let config = client::Config::new(app());
            Client::observed(config, who as u64, Box::new(traces[who].recorder(secrets)))
        };
        let server = |own| {
            let mut config = server::Config::default();
            config.placement = placement(own, shards);
            Server::observed(config, 7, Box::new(traces[ENGINES + own].recorder(secrets)))
        };
        Self {
            now: Instant::from_millis(5),
            engines: (0..ENGINES).map(engine).collect(),
            servers: (0..shards).map(server).collect(),
            traces,
            shards: BTreeMap::new(),
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
            self.link_input(other, server::Input::Disconnected(other));
            self.engines[who].handle_input(self.now, client::Input::Disconnected(own));
        }
        self.settle();
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        for server in &mut self.servers {
            server.handle_input(self.now, server::Input::Tick);
        }
        for engine in &mut self.engines {
            engine.handle_input(self.now, client::Input::Tick);
        }
        self.settle();
    }

    /// Passes on all bytes, and ends the burst, until no core has output.
    pub(super) fn settle(&mut self) {
        loop {
            while self.drain_engines() | self.drain_servers() {}
            for server in &mut self.servers {
                server.handle_input(self.now, server::Input::Tick);
            }
            for engine in &mut self.engines {
                engine.handle_input(self.now, client::Input::Tick);
            }
            if !(self.drain_engines() | self.drain_servers()) {
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
                        let turn = self.last_link as usize % self.servers.len();
                        self.shards.insert(other, shard(turn));
                        self.link_input(other, server::Input::Accepted(other, key));
                        self.engines[who].handle_input(self.now, client::Input::Connected(own));
                    }
                    client::Output::Transmit(own, bytes) => {
                        if let Some((_, other)) = self.links[who].filter(|(link, _)| *link == own) {
                            for piece in bytes.chunks(self.piece) {
                                let piece = Bytes::copy_from_slice(piece);
                                self.link_input(other, server::Input::Received(other, piece));
                            }
                        }
                    }
                    client::Output::Disconnect(own) => {
                        if let Some((_, other)) = self.links[who].take_if(|(link, _)| *link == own)
                        {
                            self.link_input(other, server::Input::Disconnected(other));
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

    /// Gives an input to the shard of its link.
    fn link_input(&mut self, link: LinkId, input: server::Input) {
        self.input(self.shards[&link], input);
    }

    fn input(&mut self, shard: ShardId, input: server::Input) {
        self.servers[shard.number()].handle_input(self.now, input);
    }

    /// All shards have much to take, or no longer so.
    pub(crate) fn congest(&mut self, is_congested: bool) {
        for own in 0..self.servers.len() {
            for other in (0..self.servers.len()).filter(|other| *other != own) {
                self.input(shard(own), server::Input::PeerCongested(shard(other), is_congested));
            }
        }
        self.settle();
    }

    fn drain_servers(&mut self) -> bool {
        let mut busy = false;
        for number in 0..self.servers.len() {
            busy |= self.drain_server(shard(number));
        }
        busy
    }

    fn drain_server(&mut self, own: ShardId) -> bool {
        let mut busy = false;
        loop {
            match self.servers[own.number()].poll_output() {
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
                    self.input(own, server::Input::Verdict(login, verdict));
                }
                server::Output::CheckTarget(target, _) => {
                    self.input(own, server::Input::TargetChecked(target, true));
                }
                server::Output::PostToAppServer(call, post) => {
                    let progress = match post.payload {
                        Payload::Text(_) => {
                            PostProgress::Answered(Reply::new(Bytes::from_static(b"canary")))
                        }
                        Payload::Binary(_) => PostProgress::NotReached,
                    };
                    self.input(own, server::Input::AppServerReplied(call, progress));
                }
                server::Output::HandOver(link, to, opened) => {
                    self.shards.insert(link, to);
                    self.input(to, server::Input::HandedOver(link, opened));
                }
                server::Output::Peer(to, entries) => {
                    self.input(to, server::Input::Peer(own, entries));
                }
                server::Output::AbandonPost(_)
                | server::Output::Respond(..)
                | server::Output::Report(..)
                | server::Output::Notice(_) => {}
                server::Output::Wait(_) => return busy,
            }
            busy = true;
        }
    }
}

impl Shards for Pair {
    fn placement(&self) -> Placement {
        placement(0, self.servers.len())
    }

    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        call(&mut self.servers[shard.number()], self.now)
    }
}

pub(crate) fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("an app id")
}

fn shard(number: usize) -> ShardId {
    ShardId::new(number).expect("few shards")
}

/// With two shards, alice's is 0 and bob's is 1.
fn placement(own: usize, shards: usize) -> Placement {
    let with = |seed| Placement::new(shard(own), shards, seed).expect("one of them");
    let are_apart = |placement: &Placement| {
        let [alice, bob] = NAMES.map(|uid| placement.of_user(&app(), uid).number());
        (alice, bob) == (0, shards - 1)
    };
    (0..).map(with).find(are_apart).expect("hashes reach every shard")
}
