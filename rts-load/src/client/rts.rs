//! RTS itself, over TCP or WebSocket. Frames of the hot path are encoded and decoded by hand.

use bytes::Bytes;
use rts_proto::limits::ACK_FRAMES_MAX;
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume, VERSION};
use rts_proto::{AppId, RoomId, RoomState, UserId};

use super::{Client, Heard, ROOM, Role, due_ns, user, varint, websocket};
use crate::target::{Scheme, Target};

/// Tags of kinds, as they begin a frame: a field number of `proto/rts/v1/rts.proto` times 8, plus
/// 2.
const ACK: u8 = 4 << 3 | 2;
const PING: u8 = 5 << 3 | 2;
const PONG: u8 = 6 << 3 | 2;
const SEND: u8 = 7 << 3 | 2;
const DELIVERY: u8 = 8 << 3 | 2;
const SEND_RESULTS: u8 = 9 << 3 | 2;
const BROADCAST: u8 = 10 << 3 | 2;
const ROOM_DELIVERY: u8 = 11 << 3 | 2;
const BROADCAST_RESULTS: u8 = 12 << 3 | 2;

/// Sweeps between two heartbeats: less than the 5 s of §2.5.
const SWEEPS_PER_HEARTBEAT: u32 = 16;

pub(crate) struct Rts {
    app_id: AppId,
    uid: UserId,
    token: Bytes,
    role: Role,
    /// The session, once there is one.
    session: Option<Accepted>,
    received: u64,
    acked: u64,
    /// Whether the acknowledgement must not wait (§4.4).
    is_ack_awaited: bool,
    sweeps_in_silence: u32,
    /// Over WebSocket: the bytes of this turn that are not yet in a message.
    websocket: Option<websocket::Layer>,
    /// `user-N` of the receiver, or the room.
    to: String,
}

impl Client for Rts {
    fn new(target: &Target, number: u32, role: Role) -> Self {
        let uid = user(number);
        let token = target.token(&uid);
        let is_websocket = target.scheme == Scheme::RtsWebSocket;
        Self {
            app_id: AppId::new(target.app_id()).expect("the target has checked it"),
            uid: UserId::new(&uid).expect("our own names are well formed"),
            token: token.into(),
            role,
            session: None,
            received: 0,
            acked: 0,
            is_ack_awaited: false,
            sweeps_in_silence: 0,
            websocket: is_websocket.then(|| websocket::Layer::new("/", "rts.v1")),
            to: role.channel(number),
        }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        if let Some(layer) = &mut self.websocket {
            layer.open(out);
        }
        let resume = self.session.as_ref().map(|session| Resume {
            session: session.session,
            key: session.key,
            received: self.received,
        });
        let login = Login {
            app_id: self.app_id.clone(),
            uid: self.uid.clone(),
            token: self.token.clone(),
            resume,
            claim: self.session.as_ref().map_or(0, |session| session.claim),
            // Left out, because no login of the load is late.
            engine: 0,
            attempt: 0,
        };
        self.say(out, |out| {
            out.extend_from_slice(&Frame::Hello { version: VERSION, features: 0 }.encode());
            out.extend_from_slice(&Frame::Login(login).encode());
        });
    }

    fn hear(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let Some(mut layer) = self.websocket.take() else {
            return self.hear_stream(input, out, hear);
        };
        let used = layer.hear(input);
        let arrived = std::mem::take(&mut layer.arrived);
        self.websocket = Some(layer);
        let frames = self.hear_stream(&arrived, out, hear)?;
        if let Some(layer) = &mut self.websocket {
            layer.arrived = arrived;
            layer.arrived.drain(..frames);
        }
        used
    }

    fn aim(&mut self, to: u32) {
        self.to = user(to);
    }

    fn send(&mut self, id: u64, payload: &[u8], out: &mut Vec<u8>) {
        let tag = if self.role == Role::Speaker { BROADCAST } else { SEND };
        let to = std::mem::take(&mut self.to);
        // Id, receiver and binary payload: fields 1, 2 and 4 of both kinds.
        let body_len = 1
            + varint::len(id)
            + 1
            + varint::len(to.len() as u64)
            + to.len()
            + 1
            + varint::len(payload.len() as u64)
            + payload.len();
        self.say(out, |out| {
            varint::put(out, (1 + varint::len(body_len as u64) + body_len) as u64);
            out.push(tag);
            varint::put(out, body_len as u64);
            out.push(0x08);
            varint::put(out, id);
            out.push(0x12);
            varint::put(out, to.len() as u64);
            out.extend_from_slice(to.as_bytes());
            out.push(0x22);
            varint::put(out, payload.len() as u64);
            out.extend_from_slice(payload);
        });
        self.to = to;
    }

    fn has_results(&self) -> bool {
        true
    }

    fn end_burst(&mut self, out: &mut Vec<u8>) {
        if self.received > self.acked {
            self.acked = self.received;
            self.is_ack_awaited = false;
            let received = self.received;
            self.say(out, |out| {
                out.extend_from_slice(&[3 + varint::len(received) as u8, ACK]);
                out.extend_from_slice(&[1 + varint::len(received) as u8, 0x08]);
                varint::put(out, received);
            });
        }
        if let Some(layer) = &mut self.websocket {
            layer.end_burst(out);
        }
    }

    fn owes(&self) -> bool {
        self.is_ack_awaited || self.websocket.as_ref().is_some_and(websocket::Layer::owes)
    }

    fn sweep(&mut self, out: &mut Vec<u8>) {
        self.sweeps_in_silence += 1;
        self.is_ack_awaited = self.received > self.acked;
        if self.session.is_some() && self.sweeps_in_silence >= SWEEPS_PER_HEARTBEAT {
            self.say(out, |out| out.extend_from_slice(&[2, PING, 0]));
        }
    }

    fn forget(&mut self) {
        self.session = None;
    }
}

impl Rts {
    fn say(&mut self, out: &mut Vec<u8>, say: impl FnOnce(&mut Vec<u8>)) {
        self.sweeps_in_silence = 0;
        match &mut self.websocket {
            Some(layer) => say(&mut layer.said),
            None => say(out),
        }
    }

    /// Takes whole frames from the stream.
    fn hear_stream(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some((len, prefix_len)) = varint::get(&input[used..]) {
            let start = used + prefix_len;
            let Some(frame) = input.get(start..start + len as usize) else { break };
            used = start + frame.len();
            self.hear_frame(frame, out, hear)?;
        }
        Ok(used)
    }

    fn hear_frame(
        &mut self,
        frame: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<(), String> {
        match frame.first() {
            Some(kind @ &(DELIVERY | ROOM_DELIVERY)) => {
                self.received += 1;
                self.is_ack_awaited |=
                    *kind == DELIVERY || self.received - self.acked >= ACK_FRAMES_MAX;
                let payload = field(body(frame)?, 4).ok_or("a delivery without our payload")?;
                hear(Heard::Delivered { due_ns: due_ns(payload) });
            }
            Some(&SEND_RESULTS) => {
                self.received += 1;
                results(body(frame)?, 1, 2, hear)?;
            }
            Some(&BROADCAST_RESULTS) => {
                self.received += 1;
                results(body(frame)?, 2, 3, hear)?;
            }
            Some(&(ACK | PONG)) => {}
            _ => self.hear_rare(frame, out, hear)?,
        }
        Ok(())
    }

    fn hear_rare(
        &mut self,
        frame: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<(), String> {
        let frame = Frame::decode(Bytes::copy_from_slice(frame));
        let Some(frame) = frame.map_err(|error| error.to_string())? else { return Ok(()) };
        self.received += u64::from(frame.is_sequenced());
        match frame {
            Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => {
                if !accepted.resumed {
                    self.received = 0;
                }
                self.acked = self.received;
                let is_resumed = accepted.resumed;
                self.session = Some(accepted);
                if matches!(self.role, Role::Member | Role::Speaker) && !is_resumed {
                    let room = RoomId::new(ROOM).expect("our own name is well formed");
                    let join = Frame::Join { room, ticket: 1, business_id: None };
                    self.say(out, |out| out.extend_from_slice(&join.encode()));
                } else {
                    hear(Heard::Ready);
                }
            }
            Frame::LoginAnswer(LoginAnswer::Refused(code)) => {
                return Err(format!("login refused: {code}"));
            }
            Frame::JoinAnswer { state: RoomState::Joined, .. } => hear(Heard::Ready),
            Frame::JoinAnswer { state, .. } => return Err(format!("join refused: {state}")),
            Frame::Close { code, reason, .. } => {
                return Err(format!("closed: {code}, {}", String::from_utf8_lossy(&reason)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The content of a frame: a tag of one byte, a length, and the message.
fn body(frame: &[u8]) -> Result<&[u8], String> {
    let rest = frame.get(1..).unwrap_or_default();
    let (_, len) = varint::get(rest).ok_or("a frame that ends too soon")?;
    Ok(&rest[len..])
}

/// The field with this number, if its type has a length.
fn field(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    while let Some((key, len)) = varint::get(message) {
        message = &message[len..];
        let (value, len) = varint::get(message)?;
        message = &message[len..];
        if key & 7 == 2 {
            let content = message.get(..value as usize)?;
            if key >> 3 == wanted {
                return Some(content);
            }
            message = &message[value as usize..];
        }
    }
    None
}

/// Reports every id of a frame of results. Its code and its packed ids have these field numbers.
fn results(
    mut message: &[u8],
    code_field: u64,
    ids_field: u64,
    hear: &mut impl FnMut(Heard),
) -> Result<(), String> {
    let ids = field(message, ids_field);
    let mut code = 0;
    while let Some((key, len)) = varint::get(message) {
        let (value, value_len) = varint::get(&message[len..]).ok_or("results that end too soon")?;
        message = &message[len + value_len..];
        if key == code_field << 3 {
            code = value as u32;
        }
        if key & 7 == 2 {
            message = message.get(value as usize..).ok_or("results that end too soon")?;
        }
    }
    let mut ids = ids.ok_or("results without ids")?;
    while let Some((id, len)) = varint::get(ids) {
        hear(Heard::Result { id, code });
        ids = &ids[len..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rts_proto::{MessageConfig, MessageId, Payload, SendCode};

    use super::*;

    fn client(role: Role) -> Rts {
        let app_id = "123456781234567812345678";
        let target = Target::new("rts://127.0.0.1:1", app_id, "key", 0, false).expect("loopback");
        Rts::new(&target, 1, role)
    }

    fn decode(bytes: &[u8]) -> Frame {
        let (len, prefix) = varint::get(bytes).expect("a length");
        assert_eq!(bytes.len(), prefix + len as usize, "the length is right");
        let frame = Frame::decode(Bytes::copy_from_slice(&bytes[prefix..]));
        frame.expect("well formed").expect("a known kind")
    }

    #[test]
    fn core_reads_frames_written_by_hand() {
        let payload = vec![7; 300];
        let mut out = Vec::new();
        client(Role::Sender { to: 2 }).send(300, &payload, &mut out);
        let Frame::Send { id, to, payload: sent, config } = decode(&out) else { panic!("a Send") };
        assert_eq!(
            (id, &*to, config),
            (MessageId(300), &b"user-2"[..], MessageConfig::ReliableOrdered)
        );
        assert_eq!(sent, Payload::binary(payload));
        let mut bot = client(Role::Sender { to: 2 });
        for to in [70, 8] {
            out.clear();
            bot.aim(to);
            bot.send(1, b"hi", &mut out);
            let Frame::Send { to: sent, .. } = decode(&out) else { panic!("a Send") };
            assert_eq!(&sent[..], user(to).as_bytes());
        }
        let mut client = client(Role::Receiver);
        client.received = 300;
        client.is_ack_awaited = true;
        out.clear();
        client.end_burst(&mut out);
        assert_eq!(decode(&out), Frame::Ack { received: 300 });
        assert!(!client.owes());
    }

    #[test]
    fn reads_frames_of_the_core_in_any_pieces() {
        let ids = vec![MessageId(1), MessageId(300)];
        let results = Frame::SendResults { code: SendCode::ReceiverNotFound, ids }.encode();
        let mut payload = 99_u64.to_le_bytes().to_vec();
        payload.resize(200, 0);
        let delivery = Frame::Delivery {
            from: UserId::new("bob").expect("well formed"),
            payload: Payload::binary(payload),
            config: MessageConfig::ReliableOrdered,
        };
        let stream = [results, delivery.encode()].concat();
        for cut in 0..stream.len() {
            let mut client = client(Role::Receiver);
            let mut heard = Vec::new();
            let mut hear = |what| heard.push(format!("{what:?}"));
            let used = client.hear(&stream[..cut], &mut Vec::new(), &mut hear).expect("no error");
            client.hear(&stream[used..], &mut Vec::new(), &mut hear).expect("no error");
            assert_eq!(
                heard,
                [
                    "Result { id: 1, code: 3 }",
                    "Result { id: 300, code: 3 }",
                    "Delivered { due_ns: 99 }"
                ],
                "cut at {cut}"
            );
            assert_eq!(client.received, 2);
        }
    }
}
