//! An engine, and a server whose frames the test chooses.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Client, Config, Event, Input, Output};
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Accepted, Decoder, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, CloseCode, Instant, LinkId, MessageConfig, MessageId, Payload, RoomKey, RoomState,
    SendCode,
};

pub(crate) const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

pub(crate) struct Stage {
    pub(crate) engine: Client,
    pub(crate) now: Instant,
    pub(crate) link: LinkId,
    pub(crate) connects: usize,
    pub(crate) events: Vec<Event>,
    said: Vec<Frame>,
}

impl Stage {
    /// An engine that is logging in, with the link up.
    pub(crate) fn new() -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("well formed");
        let config = Config::new(app_id);
        let mut stage = Self {
            engine: Client::new(config, 1),
            now: Instant::from_millis(1),
            link: LinkId(0),
            connects: 0,
            events: Vec::new(),
            said: Vec::new(),
        };
        stage.engine.login(stage.now, "token", "alice").expect("accepted");
        stage.drain();
        stage.input(Input::Connected(stage.link));
        stage
    }

    /// An engine that is logged in.
    pub(crate) fn logged_in() -> Self {
        Self::accepted(session(1))
    }

    pub(crate) fn accepted(answer: Accepted) -> Self {
        let mut stage = Self::new();
        stage.welcomed(answer);
        stage.sent_frames();
        stage.events.clear();
        stage
    }

    /// The server accepts the login with this answer.
    pub(crate) fn welcomed(&mut self, answer: Accepted) {
        self.receives(HELLO);
        self.receives(Frame::LoginAnswer(LoginAnswer::Accepted(answer)));
    }

    /// The link breaks. Returns the login of the engine over another link.
    pub(crate) fn cut(&mut self) -> Frame {
        let connects = self.connects;
        self.input(Input::Disconnected(self.link));
        while self.connects == connects {
            self.now = self.drain().expect("it comes back");
            self.input(Input::Tick);
        }
        self.sent_frames();
        self.input(Input::Connected(self.link));
        self.sent_frames().pop().expect("a login")
    }

    pub(crate) fn receives(&mut self, frame: Frame) {
        self.input(Input::Received(self.link, frame.encode()));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
        self.drain();
    }

    /// Processes all outputs. The moment until which the engine waits.
    pub(crate) fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.engine.poll_output() {
                Output::Connect(link) => {
                    self.link = link;
                    self.connects += 1;
                }
                Output::Event(event) => self.events.push(event),
                Output::Transmit(_, bytes) => {
                    let mut decoder = Decoder::new();
                    decoder.push(bytes);
                    while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("well formed") {
                        self.said.push(frame);
                    }
                }
                Output::Disconnect(_) => {}
                Output::Wait(deadline) => return deadline,
            }
        }
    }

    /// The engine's frames since the last call.
    pub(crate) fn sent_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.said)
    }

    /// Time passes, and the engine gets a tick at the end of it.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.input(Input::Tick);
    }

    pub(crate) fn sends(&mut self, text: &str) -> MessageId {
        let config = MessageConfig::ReliableOrdered;
        let id = self.engine.send_message(self.now, "bob", Payload::text(text), config);
        self.drain();
        id.expect("accepted")
    }

    /// Results of messages since the last call.
    pub(crate) fn results(&mut self) -> Vec<(MessageId, SendCode)> {
        let result = |event| match event {
            Event::MessageSendResult { id, code } => Some((id, code)),
            _ => None,
        };
        std::mem::take(&mut self.events).into_iter().filter_map(result).collect()
    }

    pub(crate) fn joined(&mut self, room: &str) -> RoomKey {
        let key = self.engine.create_room(self.now, room).expect("a room");
        self.engine.join_room(self.now, key).expect("accepted");
        // The first number that this engine uses on the wire.
        self.receives(Frame::JoinAnswer {
            ticket: 1,
            state: RoomState::Joined,
            members: Vec::new(),
        });
        self.events.clear();
        key
    }
}

/// The answer that begins the session with this number.
pub(crate) fn session(number: u64) -> Accepted {
    Accepted {
        session: number,
        key: ResumeKey([1; 16]),
        resumed: false,
        received: 0,
        claim: 1,
        sends_per_second: 0,
        broadcasts_per_second: 0,
        server_sends_per_second: 0,
    }
}

pub(crate) fn close(code: CloseCode) -> Frame {
    Frame::Close { code: code.code(), reason: Bytes::new(), retry_after_ms: 0 }
}
