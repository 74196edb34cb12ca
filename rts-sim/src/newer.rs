//! One side with a newer version: its frames have unknown fields, and unknown kinds of frames come
//! between them. The other side must skip both (§1.4).

use bytes::Bytes;
use fastrand::Rng;
use rts_proto::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use rts_testkit::{Piece, Side};

/// An extension of a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// An unknown field of a frame.
    Field,
    /// An unknown kind of frame.
    Kind,
}

impl Unknown {
    /// The extension that a mark stands for.
    pub(crate) fn of(mark: u32) -> Self {
        if mark == Self::Field as u32 { Self::Field } else { Self::Kind }
    }
}

/// Frames with field numbers up to this one are the handshake. No frame may come before them on a
/// link (§2.1, §2.4).
const HELLO: u64 = 1;
const LOGIN: u64 = 2;
/// The field `resume` of `Login`, the only message within a message.
const RESUME: u64 = 4;
/// Frames with field numbers up to this one may come while the smaller limit of frames applies
/// (§1.2).
const LOGIN_ANSWER: u64 = 3;
const CLOSE: u64 = 33;
/// Field numbers without a use yet: keys of one byte, of two, and the largest possible.
const NEW_FIELDS: [u64; 4] = [10, 15, 16, 536_870_911];
/// Kinds that may be skipped: the first, some others, and the last.
const NEW_KINDS: [u64; 4] = [512, 600, 100_000, 536_870_911];
/// One frame in this many has an unknown field, and before one in this many comes an unknown kind.
const FIELD_IN: u32 = 2;
const KIND_IN: u32 = 8;
/// One unknown kind in this many has the largest allowed length.
const LONGEST_IN: u32 = 500;
/// The most bytes of other unknown kinds, and of unknown fields.
const SHORT_BYTES_MAX: usize = 40;

#[derive(Debug)]
pub(crate) struct Newer {
    /// The side with the newer version.
    pub(crate) side: Side,
    random: Rng,
}

impl Newer {
    pub(crate) fn new(side: Side, seed: u64) -> Self {
        Self { side, random: Rng::with_seed(seed) }
    }

    /// The bytes that replace these frames. Each piece has a mark for the extension in it.
    pub(crate) fn say(&mut self, frames: Bytes) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut rest = frames;
        while !rest.is_empty() {
            let mut body = &rest[..];
            let len = usize::try_from(take_number(&mut body)).expect("a core's frame");
            let frame = rest.split_to(rest.len() - body.len() + len);
            self.say_frame(frame, &mut out);
        }
        out
    }

    fn say_frame(&mut self, frame: Bytes, out: &mut Vec<Piece>) {
        let mut body = &frame[..];
        let (_frame_len, key) = (take_number(&mut body), take_number(&mut body));
        let _body_len = take_number(&mut body);
        let kind = key >> 3;
        let bytes_max = match kind {
            HELLO | LOGIN | LOGIN_ANSWER | CLOSE => FRAME_BYTES_MAX_BEFORE_LOGIN,
            _ => FRAME_BYTES_MAX,
        };
        if !matches!(kind, HELLO | LOGIN) && self.random.u32(0..KIND_IN) == 0 {
            out.push(piece(delimited(&self.new_kind(bytes_max)), Some(Unknown::Kind)));
        }
        let longer = encode(kind, &self.with_new_field(kind, body));
        if longer.len() <= bytes_max && self.random.u32(0..FIELD_IN) == 0 {
            out.push(piece(delimited(&longer), Some(Unknown::Field)));
        } else {
            out.push(piece(frame, None));
        }
    }

    fn new_kind(&mut self, bytes_max: usize) -> Vec<u8> {
        let kind = NEW_KINDS[self.random.usize(0..NEW_KINDS.len())];
        let len = match self.random.u32(0..LONGEST_IN) {
            0 => bytes_max - (encode(kind, &vec![0; bytes_max]).len() - bytes_max),
            _ => self.random.usize(0..SHORT_BYTES_MAX),
        };
        let body: Vec<u8> = (0..len).map(|_| self.random.u8(..)).collect();
        encode(kind, &body)
    }

    /// Adds an unknown field to a frame; in a login that resumes, perhaps inside `resume`.
    fn with_new_field(&mut self, kind: u64, body: &[u8]) -> Vec<u8> {
        if kind == LOGIN
            && let Some((before, resume, after)) = around_resume(body)
            && self.random.bool()
        {
            return [before, &encode(RESUME, &self.among(resume)), after].concat();
        }
        self.among(body)
    }

    /// Adds an unknown field before or after the others.
    fn among(&mut self, fields: &[u8]) -> Vec<u8> {
        let new = self.new_field();
        if self.random.bool() { [&new, fields].concat() } else { [fields, &new].concat() }
    }

    fn new_field(&mut self) -> Vec<u8> {
        let number = NEW_FIELDS[self.random.usize(0..NEW_FIELDS.len())];
        match self.random.u32(0..4) {
            0 => {
                let value = self.random.u64(..) >> self.random.u32(0..64);
                [varint(number << 3), varint(value)].concat()
            }
            1 => [&varint(number << 3 | 1)[..], &self.random.u64(..).to_le_bytes()].concat(),
            2 => {
                let len = self.random.usize(0..SHORT_BYTES_MAX);
                let value: Vec<u8> = (0..len).map(|_| self.random.u8(..)).collect();
                encode(number, &value)
            }
            _ => [&varint(number << 3 | 5)[..], &self.random.u32(..).to_le_bytes()].concat(),
        }
    }
}

fn piece(bytes: Bytes, new: Option<Unknown>) -> Piece {
    Piece { bytes, mark: new.map(|what| what as u32) }
}

/// Encodes a field of bytes. A frame is one too.
fn encode(number: u64, bytes: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2)[..], &varint(bytes.len() as u64), bytes].concat()
}

/// A frame with its length prefix.
fn delimited(frame: &[u8]) -> Bytes {
    [&varint(frame.len() as u64)[..], frame].concat().into()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// The parts of a login before, in and after its `resume`, if the login has one.
fn around_resume(login: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut rest = login;
    while !rest.is_empty() {
        let before = &login[..login.len() - rest.len()];
        let key = take_number(&mut rest);
        let len = match key & 7 {
            0 => {
                take_number(&mut rest);
                0
            }
            1 => 8,
            2 => usize::try_from(take_number(&mut rest)).expect("a core's frame"),
            5 => 4,
            kind => unreachable!("no such kind of field: {kind}"),
        };
        let (value, after) = rest.split_at(len);
        if key >> 3 == RESUME {
            return Some((before, value, after));
        }
        rest = after;
    }
    None
}

/// Takes a varint from a frame that a core encoded.
fn take_number(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().expect("a whole frame");
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use rts_proto::wire::{Decoder, Frame, Login, Resume, ResumeKey, VERSION};
    use rts_proto::{AppId, MessageConfig, MessageId, Payload, UserId};

    use super::*;

    const ROUNDS: u64 = 2_000;

    fn frames() -> Vec<Frame> {
        let config = MessageConfig::ReliableOrdered;
        let longest = Payload::binary(vec![0xFF; 65_536]);
        let to = Bytes::from_static(b"bob");
        vec![
            Frame::Hello { version: VERSION, features: 0 },
            Frame::Ping,
            Frame::Ack { received: 300 },
            Frame::Send { id: MessageId(1), to, payload: Payload::text("hi"), config },
            Frame::Delivery {
                from: UserId::new("alice").expect("a user id"),
                payload: longest,
                config,
            },
            Frame::Logout,
        ]
    }

    #[test]
    fn frames_of_newer_version_keep_meaning_and_limits() {
        let mut newer = Newer::new(Side::Server, 1);
        let (mut fields, mut kinds, mut longest) = (0, 0, 0);
        for round in 0..ROUNDS {
            for frame in frames() {
                let mut decoder = Decoder::new();
                let mut read = Vec::new();
                let two = [frame.clone().encode(), Frame::Pong.encode()].concat();
                for Piece { bytes, mark } in newer.say(two.into()) {
                    let unknown = mark.map(Unknown::of);
                    fields += u32::from(unknown == Some(Unknown::Field));
                    kinds += u32::from(unknown == Some(Unknown::Kind));
                    longest = longest.max(bytes.len());
                    decoder.push(bytes);
                    while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("readable") {
                        read.push(frame);
                    }
                }
                assert_eq!(read, [frame, Frame::Pong], "round {round}");
            }
        }
        assert!(fields > 0 && kinds > 0, "{fields} fields, {kinds} kinds");
        assert_eq!(longest, FRAME_BYTES_MAX + varint(FRAME_BYTES_MAX as u64).len());
    }

    #[test]
    fn resume_in_login_gets_new_fields() {
        let resume = Resume { session: 300, key: ResumeKey([4 << 3 | 2; 16]), received: 0 };
        let login = Frame::Login(Login {
            app_id: AppId::new("123456781234567812345678").expect("an app id"),
            uid: UserId::new("alice").expect("a user id"),
            token: Bytes::from_static(b"token"),
            resume: Some(resume),
            claim: 1,
            engine: 2,
            attempt: 0,
        });
        let own_len = resume_len(&login.clone().encode());
        let mut newer = Newer::new(Side::Client, 1);
        let mut longer = 0;
        for round in 0..ROUNDS {
            for Piece { bytes, .. } in newer.say(login.clone().encode()) {
                longer += u32::from(resume_len(&bytes) > own_len);
                let mut decoder = Decoder::new();
                decoder.push(bytes);
                let read = decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN);
                assert_eq!(read, Ok(Some(login.clone())), "round {round}");
            }
        }
        assert!(longer > 0);
    }

    /// The length of `resume` in a login with its length prefix.
    fn resume_len(mut frame: &[u8]) -> usize {
        for _ in 0..3 {
            take_number(&mut frame);
        }
        around_resume(frame).expect("it resumes").1.len()
    }
}
