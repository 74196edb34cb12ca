//! The server's side: the frames that it has and sent on its session, and its answers.

use bytes::Bytes;
use rts_proto::client::Input;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Accepted, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    BroadcastCode, LinkId, MessageConfig, MessageId, OnlineStatus, Payload, RoomId, RoomState,
    SendCode, UserId,
};

use super::{Asked, World};
use crate::script::Script;

/// The server's side of a session.
#[derive(Default)]
pub(super) struct Session {
    number: u64,
    /// The newest resume key. The previous one is valid until the client has sent a frame (§3.3).
    key: u8,
    is_confirmed: bool,
    /// The sequenced frames that the server has, in order.
    has: Vec<Frame>,
    /// The sequenced frames that the server sent, in order. The client has the first `arrived` of
    /// them, and acknowledged the first `acknowledged`.
    sent: Vec<Bytes>,
    arrived: usize,
    acknowledged: usize,
}

impl World {
    /// Opens the link that the client waits for, or fails it. The server answers the login normally
    /// or without its former state, or the answer is lost, or the server sends no answer.
    pub(super) fn connect(&mut self, how: u8) {
        let Some(link) = self.link.filter(|_| !self.is_up && self.login_resumes.is_none()) else {
            return;
        };
        if how.is_multiple_of(8) {
            self.link = None;
            return self.client.handle_input(self.now, Input::Disconnected(link));
        }
        self.client.handle_input(self.now, Input::Connected(link));
        self.drain();
        let Some(asked) = self.login_resumes else { return };
        if how % 8 == 1 || self.link != Some(link) {
            return;
        }
        let resumed = how % 8 != 2 && self.resumes(asked);
        if !resumed {
            self.last_session += 1;
            self.session = Some(Session { number: self.last_session, ..Session::default() });
        }
        let session = self.session.as_mut().expect("there is one");
        session.key = session.key.wrapping_add(1);
        session.is_confirmed = false;
        let accepted = Accepted {
            session: session.number,
            key: ResumeKey([session.key; 16]),
            resumed,
            received: session.has.len() as u64,
            claim: 1,
            sends_per_second: 0,
            broadcasts_per_second: 0,
            server_sends_per_second: 0,
        };
        if how % 8 == 3 {
            // The client never reads this answer.
            return;
        }
        let again: Vec<Bytes> = session.sent[session.arrived..].to_vec();
        self.is_up = true;
        self.receive(Frame::Hello { version: 1, features: 0 }.encode());
        self.receive(Frame::LoginAnswer(LoginAnswer::Accepted(accepted)).encode());
        for bytes in again {
            self.arrive(bytes);
        }
    }

    /// Whether the login asks for the server's session. Its count must then be true.
    fn resumes(&mut self, asked: Option<(u64, ResumeKey, u64)>) -> bool {
        let (Some((number, key, received)), Some(session)) = (asked, &mut self.session) else {
            return false;
        };
        let former = session.key.wrapping_sub(1);
        let is_good = key == ResumeKey([session.key; 16])
            || !session.is_confirmed && key == ResumeKey([former; 16]);
        if number != session.number || !is_good {
            return false;
        }
        assert_eq!(received, session.arrived as u64, "the client counts");
        session.acknowledged = session.arrived;
        true
    }

    fn receive(&mut self, bytes: Bytes) {
        if let Some(link) = self.link {
            self.client.handle_input(self.now, Input::Received(link, bytes));
            self.drain();
        }
    }

    /// A sequenced frame of the server reaches the client.
    fn arrive(&mut self, bytes: Bytes) {
        if !self.is_up {
            return;
        }
        if let Some(session) = &mut self.session {
            session.arrived += 1;
        }
        self.receive(bytes);
    }

    pub(super) fn say(&mut self, frame: Frame) {
        if self.is_up {
            self.receive(frame.encode());
        }
    }

    /// The server sends a sequenced frame. It arrives if there is a link.
    fn say_sequenced(&mut self, frame: Frame) {
        let Some(session) = &mut self.session else { return };
        let bytes = frame.encode();
        session.sent.push(bytes.clone());
        self.arrive(bytes);
    }

    pub(super) fn deliver(&mut self) {
        if self.is_up {
            self.last_delivery += 1;
            self.say_sequenced(Frame::Delivery {
                from: UserId::new("bob").expect("well formed"),
                payload: Payload::text(self.last_delivery.to_string()),
                config: MessageConfig::ReliableOrdered,
            });
        }
    }

    /// Answers the sends and broadcasts that the server has, each with a code that the script
    /// chooses.
    pub(super) fn answer_sends(&mut self, script: &mut Script<'_>) {
        let undecided: Vec<Asked> =
            self.seen.iter().filter(|asked| !self.decided.contains_key(asked)).copied().collect();
        for asked in undecided.into_iter().take(3) {
            match asked {
                Asked::Send(id) => {
                    let code = script.pick(&[SendCode::Ok, SendCode::ReceiverNotLoggedIn]);
                    self.decided.insert(asked, code.code());
                    self.say_sequenced(Frame::SendResults { code, ids: vec![id] });
                }
                Asked::Broadcast(id) => {
                    let code = script.pick(&[BroadcastCode::Ok, BroadcastCode::NotInRoom]);
                    self.decided.insert(asked, code.code());
                    let room = RoomId::new("room").expect("well formed");
                    let ids = vec![self.wire_ids[&id]];
                    self.say_sequenced(Frame::BroadcastResults { room, code, ids });
                }
            }
        }
    }

    /// Answers the joins, leaves and queries that the server has, from the last on.
    pub(super) fn answer_others(&mut self) {
        let Some(session) = &self.session else { return };
        let frames: Vec<Frame> = session.has.iter().rev().take(4).cloned().collect();
        for frame in frames {
            match frame {
                Frame::Join { ticket, .. } => self.say_sequenced(Frame::JoinAnswer {
                    ticket,
                    state: RoomState::Joined,
                    members: Vec::new(),
                }),
                Frame::Leave { ticket, .. } => self.say_sequenced(Frame::LeaveAnswer { ticket }),
                Frame::StatusQuery { query, .. } => {
                    let status = OnlineStatus::Online;
                    self.say_sequenced(Frame::StatusAnswer { query, status });
                }
                _ => {}
            }
        }
    }

    pub(super) fn acknowledge(&mut self) {
        if let Some(session) = &self.session {
            self.say(Frame::Ack { received: session.has.len() as u64 });
        }
    }

    pub(super) fn written(&mut self, link: LinkId, bytes: Bytes) {
        assert_eq!(self.link, Some(link), "for the link that there is");
        self.decoder.push(bytes);
        let frame = self.decoder.next(FRAME_BYTES_MAX).expect("a client speaks well");
        let frame = frame.expect("whole frames");
        if let Frame::Login(login) = &frame {
            let resume = login.resume.as_ref();
            self.login_resumes = Some(resume.map(|r| (r.session, r.key, r.received)));
        }
        if self.is_deaf || !self.is_up {
            return;
        }
        let session = self.session.as_mut().expect("it is logged in");
        session.is_confirmed = true;
        if let Frame::Ack { received } = &frame {
            let received = usize::try_from(*received).expect("small");
            assert!(received >= session.acknowledged, "less than before");
            assert_eq!(received, session.arrived, "the client counts");
            session.acknowledged = received;
        }
        let asked = match &frame {
            Frame::Send { id, .. } => Some(Asked::Send(*id)),
            Frame::Broadcast { id: wire, payload: Payload::Text(text), .. } => {
                let own = MessageId(text.parse().expect("a number"));
                self.wire_ids.insert(own, *wire);
                Some(Asked::Broadcast(own))
            }
            _ => None,
        };
        if let Some(asked) = asked {
            assert!(self.seen.insert(asked), "{asked:?} is sent again, and had arrived");
        }
        if frame.is_sequenced() {
            session.has.push(frame);
        }
    }
}
