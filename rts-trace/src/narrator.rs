//! Describes what cores do, line by line.

use std::collections::BTreeMap;

use bytes::Bytes;
use rts_proto::client::{self, Event};
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{self, Entry, ShardId};
use rts_proto::wire::Decoder;
use rts_proto::{Instant, LinkId, MessageId};

use crate::mesh::Mesh;
use crate::message::{Direction, Link, Messages};
use crate::replay::Observer;
use crate::words::{entry_in_words, frame_in_words, response_in_words};

/// One event of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The time since the beginning.
    pub at: Instant,
    /// The shard, if its node has several.
    pub shard: Option<ShardId>,
    /// The event, in words.
    pub what: String,
}

/// Describes what cores do.
#[derive(Default)]
pub(crate) struct Narrator {
    pub(crate) lines: Vec<Line>,
    pub(crate) messages: Messages,
    pub(crate) mesh: Mesh,
    links: BTreeMap<Link, Streams>,
}

/// Describes what one core does.
pub(crate) struct Voice<'a> {
    pub(crate) narrator: &'a mut Narrator,
    /// The shard, if its node has several.
    pub(crate) shard: Option<ShardId>,
}

#[derive(Default)]
struct Streams {
    inbound: Decoder,
    outbound: Decoder,
}

impl Voice<'_> {
    fn say(&mut self, at: Instant, what: String) {
        self.narrator.lines.push(Line { at, shard: self.shard, what });
    }

    fn link(&self, id: LinkId) -> Link {
        Link { shard: self.shard, id }
    }

    /// Bytes of a link. Complete frames are explained at once, and the rest when it arrives.
    fn bytes(&mut self, at: Instant, link: LinkId, direction: Direction, bytes: &Bytes) {
        let of_shard = self.link(link);
        let Some(streams) = self.narrator.links.get_mut(&of_shard) else { return };
        let decoder = match direction {
            Direction::In => &mut streams.inbound,
            Direction::Out => &mut streams.outbound,
        };
        decoder.push(bytes.clone());
        let mut frames = Vec::new();
        let broken = loop {
            match decoder.next(FRAME_BYTES_MAX) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        for frame in frames {
            let arrow = match direction {
                Direction::In => "<-",
                Direction::Out => "->",
            };
            self.say(at, format!("link {link} {arrow} {}", frame_in_words(&frame)));
            self.narrator.messages.frame(at, of_shard, direction, &frame);
        }
        if let Some(error) = broken {
            self.say(at, format!("link {link} brought {error}"));
            self.narrator.links.remove(&of_shard);
        }
    }

    fn opened(&mut self, link: LinkId) {
        self.narrator.links.insert(self.link(link), Streams::default());
    }

    fn ended(&mut self, at: Instant, link: LinkId, how: &str) {
        let of_shard = self.link(link);
        if self.narrator.links.remove(&of_shard).is_some() {
            self.say(at, format!("link {link} {how}"));
        }
        self.narrator.messages.link_ended(at, of_shard);
    }

    /// Another shard sent this.
    fn heard(&mut self, at: Instant, from: ShardId, entries: &[Entry]) {
        if let Some(own) = self.shard {
            self.narrator.mesh.heard(from, own);
        }
        for entry in entries {
            for words in entry_in_words(entry) {
                self.say(at, format!("from shard {}: {words}", from.number()));
            }
            self.narrator.messages.heard(at, from, entry);
        }
    }

    /// This shard sends another one this.
    fn sends(&mut self, at: Instant, to: ShardId, entries: &[Entry]) {
        if let Some(own) = self.shard {
            self.narrator.mesh.sent(own, to);
        }
        for entry in entries {
            for words in entry_in_words(entry) {
                self.say(at, format!("to shard {}: {words}", to.number()));
            }
            self.narrator.messages.sent(at, to, entry);
        }
    }
}

impl Observer for Voice<'_> {
    fn client_called(&mut self, at: Instant, call: &str, returned: &str) {
        let returned = if returned == "()" { String::new() } else { format!(": {returned}") };
        self.say(at, format!("call {call}{returned}"));
    }

    fn client_sent(&mut self, at: Instant, id: MessageId, to: &str) {
        self.narrator.messages.asked(at, id, to);
    }

    fn client_input(&mut self, at: Instant, input: &client::Input) {
        match input {
            client::Input::Tick => {}
            client::Input::Connected(link) => self.say(at, format!("link {link} is up")),
            client::Input::Received(link, bytes) => self.bytes(at, *link, Direction::In, bytes),
            client::Input::Disconnected(link) => self.ended(at, *link, "is down"),
            client::Input::NetworkChanged => self.say(at, "another network".into()),
        }
    }

    fn client_output(&mut self, at: Instant, output: &client::Output) {
        match output {
            client::Output::Connect(link) => {
                self.opened(*link);
                self.say(at, format!("link {link} is being made"));
            }
            client::Output::Transmit(link, bytes) => self.bytes(at, *link, Direction::Out, bytes),
            client::Output::Disconnect(link) => self.ended(at, *link, "is given up"),
            client::Output::Event(event) => {
                self.say(at, format!("event {event:?}"));
                if let Event::MessageSendResult { id, code } = event {
                    self.narrator.messages.result_called_back(at, *id, *code);
                }
            }
            client::Output::Wait(_) => {}
        }
    }

    fn server_called(&mut self, at: Instant, call: &str, returned: &str) {
        self.say(at, format!("command {call}: {returned}"));
    }

    fn server_input(&mut self, at: Instant, input: &server::Input) {
        match input {
            server::Input::Tick => {}
            server::Input::Accepted(link, _) => {
                self.opened(*link);
                self.say(at, format!("link {link} was accepted"));
            }
            server::Input::Received(link, bytes) => self.bytes(at, *link, Direction::In, bytes),
            server::Input::Disconnected(link) => self.ended(at, *link, "is down"),
            server::Input::Congested(link, true) => {
                self.say(at, format!("much waits to be written on link {link}"));
            }
            server::Input::Congested(link, false) => {
                self.say(at, format!("link {link} is written again"));
            }
            server::Input::Verdict(login, verdict) => {
                self.say(at, format!("login {login}: {verdict:?}"));
            }
            server::Input::TargetChecked(target, allowed) => {
                self.say(at, format!("target {target} is allowed: {allowed}"));
            }
            server::Input::AppServerReplied(call, progress) => {
                self.say(at, format!("post {call}: {progress:?}"));
            }
            server::Input::HandedOver(link, opened) => {
                self.narrator.mesh.took_over(*link);
                self.opened(*link);
                self.say(at, format!("link {link} was handed over"));
                self.bytes(at, *link, Direction::In, &opened.bytes);
            }
            server::Input::Peer(from, entries) => self.heard(at, *from, entries),
            server::Input::PeerCongested(shard, true) => {
                self.say(at, format!("much waits for shard {}", shard.number()));
            }
            server::Input::PeerCongested(shard, false) => {
                self.say(at, format!("shard {} takes entries again", shard.number()));
            }
            server::Input::Request(id, _, request) => {
                self.say(at, format!("request {}: {request:?}", id.0));
            }
            server::Input::HomesChanged { table, serve_after } => {
                let (epoch, nodes) = (table.epoch(), table.nodes().count());
                let text = format!("homes of epoch {epoch} in {nodes} nodes");
                self.say(
                    at,
                    match *serve_after > at {
                        true => format!("{text}, lost ones are served at {serve_after}"),
                        false => text,
                    },
                );
            }
        }
    }

    fn server_output(&mut self, at: Instant, output: &server::Output) {
        match output {
            server::Output::Transmit(link, bytes) => self.bytes(at, *link, Direction::Out, bytes),
            server::Output::Disconnect(link, code) => {
                let why = code.map_or(String::new(), |code| format!(" with {code:?}"));
                self.ended(at, *link, &format!("is closed{why}"));
            }
            server::Output::HandOver(link, shard, _) => {
                self.narrator.mesh.handed_over(*link);
                self.ended(at, *link, &format!("is handed over to shard {}", shard.number()));
            }
            server::Output::Peer(to, entries) => self.sends(at, *to, entries),
            server::Output::Authenticate(login, credentials) => {
                self.say(at, format!("login {login} of {} is to be checked", credentials.uid));
            }
            server::Output::CheckTarget(target, _) => {
                self.say(at, format!("target {target} is to be checked"));
            }
            server::Output::PostToAppServer(call, post) => {
                self.say(at, format!("post {call} of message {} of {}", post.id, post.uid));
            }
            server::Output::AbandonPost(call) => self.say(at, format!("post {call} is stopped")),
            server::Output::Report(_, report) => {
                self.say(at, format!("report to the back end: {report:?}"))
            }
            server::Output::Respond(request, response) => {
                let response = response_in_words(response);
                self.say(at, format!("request {} has the response {response}", request.0));
            }
            server::Output::Notice(_) | server::Output::Wait(_) => {}
        }
    }
}
