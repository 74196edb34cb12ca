//! A server core, and clients whose frames the test chooses.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{Config, Input, Notice, Output, Server, Verdict};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, Resume, ResumeKey};
use rts_proto::{
    AppId, CloseCode, Instant, LinkId, LoginCode, MessageConfig, MessageId, Payload, UserId,
};

pub(crate) const APP: &str = "123456781234567812345678";
pub(crate) const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

/// A server core with its links.
pub(crate) struct Shard {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    /// Whether tokens are good.
    pub(crate) accepts_tokens: bool,
    /// Whether the driver answers.
    pub(crate) decides: bool,
    heard: BTreeMap<LinkId, Vec<Frame>>,
    pieces: BTreeMap<LinkId, Vec<Bytes>>,
    closed: BTreeMap<LinkId, Option<CloseCode>>,
    noticed: Vec<Notice>,
    last_link: u64,
    /// The claim that the driver gives to the next login.
    pub(crate) clock: u64,
    /// When the credentials were issued.
    pub(crate) issued_at: u32,
}

impl Shard {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            server: Server::new(config, 1),
            now: Instant::from_millis(1),
            accepts_tokens: true,
            decides: true,
            heard: BTreeMap::new(),
            pieces: BTreeMap::new(),
            closed: BTreeMap::new(),
            noticed: Vec::new(),
            last_link: 0,
            clock: 1_001,
            issued_at: 0,
        }
    }

    /// A link that has sent its Hello. Its key is its number, 16 times.
    pub(crate) fn link(&mut self) -> LinkId {
        self.last_link += 1;
        let id = LinkId(self.last_link);
        self.input(Input::Accepted(id, key(self.last_link as u8)));
        self.say(id, HELLO);
        assert_eq!(self.frames_to(id), [HELLO]);
        id
    }

    /// A new link with a successful login. Returns the link and the answer.
    pub(crate) fn log_in(&mut self, login: Login) -> (LinkId, Accepted) {
        let link = self.link();
        self.say(link, Frame::Login(login));
        (link, Self::accepted(&self.frames_to(link)))
    }

    /// The login answer: the first frame on a link after the Hello.
    pub(crate) fn accepted(frames: &[Frame]) -> Accepted {
        match frames {
            [Frame::LoginAnswer(LoginAnswer::Accepted(accepted)), ..] => accepted.clone(),
            other => panic!("not logged in: {other:?}"),
        }
    }

    /// A new link whose login the server closes. Returns the code.
    pub(crate) fn log_in_refused(&mut self, login: Login) -> Option<CloseCode> {
        let link = self.link();
        self.say(link, Frame::Login(login));
        *self.closed.get(&link).expect("closed")
    }

    pub(crate) fn say(&mut self, link: LinkId, frame: Frame) {
        self.say_bytes(link, frame.encode());
    }

    pub(crate) fn say_bytes(&mut self, link: LinkId, bytes: Bytes) {
        self.input(Input::Received(link, bytes));
    }

    pub(crate) fn hang_up(&mut self, link: LinkId) {
        self.input(Input::Disconnected(link));
    }

    /// The end of a burst.
    pub(crate) fn tick(&mut self) {
        self.input(Input::Tick);
    }

    /// Time passes, without a tick.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Ends the burst. Returns the server's frames on a link since the last call.
    pub(crate) fn frames_to(&mut self, link: LinkId) -> Vec<Frame> {
        self.tick();
        self.heard.remove(&link).unwrap_or_default()
    }

    /// The pieces in which the server sent the frames since the last call.
    pub(crate) fn pieces(&mut self, link: LinkId) -> Vec<Bytes> {
        self.pieces.remove(&link).unwrap_or_default()
    }

    /// Whether the server closed the link, and with which code.
    pub(crate) fn closed(&self, link: LinkId) -> Option<Option<CloseCode>> {
        self.closed.get(&link).copied()
    }

    /// The notices since the last call.
    pub(crate) fn noticed(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.noticed)
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.server.handle_input(self.now, input);
        loop {
            match self.server.poll_output() {
                Output::Transmit(link, bytes) => {
                    self.pieces.entry(link).or_default().push(bytes.clone());
                    let mut decoder = Decoder::new();
                    decoder.push(bytes);
                    while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("frames") {
                        self.heard.entry(link).or_default().push(frame);
                    }
                }
                Output::Disconnect(link, code) => drop(self.closed.insert(link, code)),
                Output::Authenticate(..) if !self.decides => {}
                Output::Authenticate(login, _) => {
                    let verdict = match self.accepts_tokens {
                        true => Verdict::Accept { claim: self.clock, issued_at: self.issued_at },
                        false => Verdict::Refuse(LoginCode::InvalidToken),
                    };
                    // At its end, the clock stands still.
                    self.clock = self.clock.saturating_add(1);
                    self.server.handle_input(self.now, Input::Verdict(login, verdict));
                }
                Output::CheckTarget(..)
                | Output::HandOver(..)
                | Output::Peer(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Respond(..)
                | Output::Report(..) => {}
                Output::Notice(notice) => self.noticed.push(notice),
                Output::Wait(_) => return,
            }
        }
    }
}

pub(crate) fn key(byte: u8) -> ResumeKey {
    ResumeKey([byte; 16])
}

pub(crate) fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

/// A new login of an engine without a number.
pub(crate) fn login(uid: &str) -> Login {
    Login {
        app_id: AppId::new(APP).expect("well formed"),
        uid: user(uid),
        token: Bytes::from_static(b"token"),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    }
}

/// A login that resumes a session.
pub(crate) fn resume(uid: &str, accepted: &Accepted, received: u64) -> Login {
    let resume = Resume { session: accepted.session, key: accepted.key, received };
    Login { resume: Some(resume), claim: accepted.claim, ..login(uid) }
}

pub(crate) fn message(id: u64, to: &str, text: &str) -> Frame {
    Frame::Send {
        id: MessageId(id),
        to: Bytes::copy_from_slice(to.as_bytes()),
        payload: Payload::text(text),
        config: MessageConfig::ReliableOrdered,
    }
}

pub(crate) fn delivery(from: &str, text: &str) -> Frame {
    Frame::Delivery {
        from: user(from),
        payload: Payload::text(text),
        config: MessageConfig::ReliableOrdered,
    }
}
