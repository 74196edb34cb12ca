//! Reads an input as a script of small steps, so that the fuzzer gets past the handshake.

use bytes::Bytes;
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume, ResumeKey, SetServerParams};
use rts_proto::{
    AppId, BroadcastCode, BusinessId, LeaveReason, LoginCode, MessageConfig, MessageId,
    OnlineStatus, Payload, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

pub(crate) const APPS: [&str; 2] = ["123456781234567812345678", "abcdefghabcdefghabcdefgh"];
/// The last ones are not user ids.
pub(crate) const USERS: [&str; 5] = ["alice", "bob", "carol@x.y-z", "bad uid", ""];
/// The last ones are not room ids.
pub(crate) const ROOMS: [&str; 4] = ["lobby", "a@b-c", "bad.room", ""];
/// The last ones are not signatures.
pub(crate) const SIGNATURES: [&str; 4] = ["signature", "s", "line\nbreak", ""];
/// The last ones are not URLs. The core rejects only the empty one.
pub(crate) const URLS: [&str; 3] = ["https://app.example/rts", "not a url", ""];
/// Lengths around the limits: zero, small, a quarter of a window after some, the limit, and one
/// more.
const PAYLOADS: [usize; 6] = [0, 1, 200, 40_000, 65_536, 65_537];

/// Reads an input from its beginning. Past its end are zeros.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// Up to `len` bytes, as far as the input goes.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn long(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// Mostly small numbers, sometimes the largest.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            0xFF => u64::MAX,
            0xFE => u64::from(self.long()),
            small => u64::from(small),
        }
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A length in one byte, then a text of that length. It is empty if it is not UTF-8.
    pub(crate) fn text(&mut self) -> &'a str {
        let len = usize::from(self.byte());
        core::str::from_utf8(self.bytes(len)).unwrap_or_default()
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }

    pub(crate) fn payload(&mut self) -> Payload {
        let len = self.pick(&PAYLOADS);
        match self.flag() {
            true => Payload::binary(vec![0xFF; len]),
            false => Payload::text("x".repeat(len)),
        }
    }

    pub(crate) fn reply(&mut self) -> Reply {
        Reply::new(vec![0xFF; self.pick(&PAYLOADS[..5])])
    }

    pub(crate) fn set_server_params(&mut self) -> Frame {
        Frame::SetServerParams(SetServerParams {
            ticket: self.number(),
            signature: Bytes::from_static(self.pick(&SIGNATURES).as_bytes()),
            url: Bytes::from_static(self.pick(&URLS).as_bytes()),
        })
    }

    pub(crate) fn config(&mut self) -> MessageConfig {
        self.pick(MessageConfig::ALL)
    }

    pub(crate) fn app_id(&mut self) -> AppId {
        AppId::new(self.pick(&APPS)).expect("well formed")
    }

    pub(crate) fn uid(&mut self) -> UserId {
        UserId::new(self.pick(&USERS[..3])).expect("well formed")
    }

    pub(crate) fn room(&mut self) -> RoomId {
        RoomId::new(self.pick(&ROOMS[..2])).expect("well formed")
    }

    fn ids(&mut self) -> Vec<MessageId> {
        (0..self.byte() % 8).map(|_| MessageId(self.number())).collect()
    }

    fn key(&mut self) -> ResumeKey {
        ResumeKey([self.byte(); 16])
    }

    pub(crate) fn login(&mut self) -> Frame {
        Frame::Login(Login {
            app_id: self.app_id(),
            uid: self.uid(),
            token: Bytes::from_static(b"token"),
            resume: self.flag().then(|| Resume {
                session: self.number(),
                key: self.key(),
                received: self.number(),
            }),
            claim: self.number(),
            engine: u64::from(self.byte() % 3),
            attempt: self.number(),
        })
    }

    pub(crate) fn login_answer(&mut self) -> Frame {
        Frame::LoginAnswer(match self.pick(LoginCode::ALL) {
            LoginCode::Ok => LoginAnswer::Accepted(Accepted {
                session: self.number(),
                key: self.key(),
                resumed: self.flag(),
                received: self.number(),
                claim: self.number(),
                sends_per_second: self.byte().into(),
                broadcasts_per_second: self.byte().into(),
                server_sends_per_second: self.byte().into(),
            }),
            refused => LoginAnswer::Refused(refused),
        })
    }

    /// A frame of any kind, with values that the other side may know.
    pub(crate) fn frame(&mut self) -> Frame {
        let kind = self.byte();
        if kind == 0xFF {
            return Frame::RoomUnicast {
                from: self.uid(),
                room: self.room(),
                payload: self.payload(),
            };
        }
        match kind % 27 {
            0 => Frame::Hello { version: 1, features: self.number() },
            1 => self.login(),
            2 => self.login_answer(),
            3 => Frame::Ack { received: self.number() },
            4 => Frame::Ping,
            5 => Frame::Pong,
            6 => Frame::Send {
                id: MessageId(self.number()),
                to: Bytes::from_static(self.pick(&USERS).as_bytes()),
                payload: self.payload(),
                config: self.config(),
            },
            7 => {
                Frame::Delivery { from: self.uid(), payload: self.payload(), config: self.config() }
            }
            8 => Frame::SendResults { code: self.pick(SendCode::ALL), ids: self.ids() },
            9 => Frame::Broadcast {
                id: MessageId(self.number()),
                room: self.room(),
                payload: self.payload(),
            },
            10 => {
                Frame::RoomDelivery { from: self.uid(), room: self.room(), payload: self.payload() }
            }
            11 => Frame::BroadcastResults {
                room: self.room(),
                code: self.pick(BroadcastCode::ALL),
                ids: self.ids(),
            },
            12 => Frame::Join {
                room: self.room(),
                ticket: self.number(),
                business_id: self.flag().then(|| BusinessId::new("tag").expect("well formed")),
            },
            13 => Frame::JoinAnswer {
                ticket: self.number(),
                state: self.pick(RoomState::ALL),
                members: (0..self.byte() % 4).map(|_| self.uid()).collect(),
            },
            14 => Frame::Leave { room: self.room(), ticket: self.number() },
            15 => Frame::LeaveAnswer { ticket: self.number() },
            16 => Frame::MemberJoined { room: self.room(), uid: self.uid() },
            17 => Frame::MemberLeft {
                room: self.room(),
                uid: self.uid(),
                reason: self.pick(LeaveReason::ALL),
            },
            18 => Frame::RoomNotice { room: self.room(), state: self.pick(RoomState::ALL) },
            19 => Frame::StatusQuery {
                query: self.number(),
                uid: Bytes::from_static(self.pick(&USERS).as_bytes()),
            },
            20 => {
                Frame::StatusAnswer { query: self.number(), status: self.pick(OnlineStatus::ALL) }
            }
            21 => Frame::Logout,
            22 => Frame::Close {
                code: self.byte().into(),
                reason: Bytes::from_static(b"why"),
                retry_after_ms: self.long(),
            },
            23 => self.set_server_params(),
            24 => Frame::ServerParamsAnswer {
                ticket: self.number(),
                code: self.pick(ServerParamsCode::ALL),
            },
            25 => Frame::ServerSend { id: MessageId(self.number()), payload: self.payload() },
            _ => Frame::ServerSendResult {
                id: MessageId(self.number()),
                code: self.pick(SendCode::ALL),
                reply: self.reply(),
            },
        }
    }
}
