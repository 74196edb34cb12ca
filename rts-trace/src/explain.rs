//! Explains a trace in words.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use rts_proto::client::{self, Event};
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server;
use rts_proto::wire::{Decoder, Frame, LoginAnswer};
use rts_proto::{Instant, LinkId, MessageId};

use crate::format::TraceError;
use crate::message::{Direction, Messages, Story};
use crate::replay::{Observer, Replayed, replay};

/// One event of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The time since the beginning.
    pub at: Instant,
    /// The event, in words.
    pub what: String,
}

/// A trace in words.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The result of the replay.
    pub replayed: Replayed,
    /// All events, in order.
    pub lines: Vec<Line>,
    /// The story of each message to a user: those that this engine sent, or those that passed this
    /// server.
    pub stories: Vec<Story>,
}

/// Replays a trace and explains it.
///
/// # Errors
///
/// See [`replay`].
pub fn explain(input: impl Read) -> Result<Explained, TraceError> {
    let mut narrator = Narrator::default();
    let replayed = replay(input, &mut narrator)?;
    let Narrator { lines, messages, .. } = narrator;
    Ok(Explained { replayed, lines, stories: messages.into_stories() })
}

#[derive(Default)]
struct Narrator {
    lines: Vec<Line>,
    links: BTreeMap<LinkId, Streams>,
    messages: Messages,
}

#[derive(Default)]
struct Streams {
    inbound: Decoder,
    outbound: Decoder,
}

impl Narrator {
    fn say(&mut self, at: Instant, what: String) {
        self.lines.push(Line { at, what });
    }

    /// Bytes of a link. Complete frames are explained at once, and the rest when it arrives.
    fn bytes(&mut self, at: Instant, link: LinkId, direction: Direction, bytes: &Bytes) {
        let Some(streams) = self.links.get_mut(&link) else { return };
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
            self.say(at, format!("link {link} {arrow} {}", in_words(&frame)));
            self.messages.frame(at, link, direction, &frame);
        }
        if let Some(error) = broken {
            self.say(at, format!("link {link} brought {error}"));
            self.links.remove(&link);
        }
    }

    fn opened(&mut self, link: LinkId) {
        self.links.insert(link, Streams::default());
    }

    fn ended(&mut self, at: Instant, link: LinkId, how: &str) {
        if self.links.remove(&link).is_some() {
            self.say(at, format!("link {link} {how}"));
        }
        self.messages.link_ended(at, link);
    }
}

impl Observer for Narrator {
    fn client_called(&mut self, at: Instant, call: &str, returned: &str) {
        let returned = if returned == "()" { String::new() } else { format!(": {returned}") };
        self.say(at, format!("call {call}{returned}"));
    }

    fn client_sent(&mut self, at: Instant, id: MessageId, to: &str) {
        self.messages.asked(at, id, to);
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
                    self.messages.result_called_back(at, *id, *code);
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
        }
    }

    fn server_output(&mut self, at: Instant, output: &server::Output) {
        match output {
            server::Output::Transmit(link, bytes) => self.bytes(at, *link, Direction::Out, bytes),
            server::Output::Disconnect(link, code) => {
                let why = code.map_or(String::new(), |code| format!(" with {code:?}"));
                self.ended(at, *link, &format!("is closed{why}"));
            }
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
                self.say(at, format!("the back end is told: {report:?}"))
            }
            server::Output::Notice(_) | server::Output::Wait(_) => {}
        }
    }
}

/// A frame, without its payload.
fn in_words(frame: &Frame) -> String {
    let text = String::from_utf8_lossy;
    match frame {
        Frame::Login(login) => match &login.resume {
            Some(resume) => format!(
                "Login as {}, to resume session {} with {} frames received",
                login.uid, resume.session, resume.received
            ),
            None => format!("Login as {}", login.uid),
        },
        Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => {
            let how = if accepted.resumed { "resumed" } else { "new" };
            format!(
                "LoginAnswer: session {}, {how}, {} frames received",
                accepted.session, accepted.received
            )
        }
        Frame::LoginAnswer(LoginAnswer::Refused(code)) => format!("LoginAnswer: {}", code.code()),
        Frame::Ack { received } => format!("Ack of {received}"),
        Frame::Send { id, to, payload, config } => {
            format!("Send {id} to {}, {payload:?}, {config:?}", text(to))
        }
        Frame::Delivery { from, payload, config } => {
            format!("Delivery from {from}, {payload:?}, {config:?}")
        }
        Frame::SendResults { code, ids } => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("SendResults: {} for {}", code.code(), ids.join(" "))
        }
        Frame::Close { code, reason, .. } => format!("Close with {code}: {}", text(reason)),
        other => format!("{other:?}"),
    }
}
