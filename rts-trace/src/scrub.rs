//! Removes secrets and payloads from a trace. Filler replaces them. It has the same length, is
//! UTF-8 exactly if the original was, and differs where keys and tokens differ. So the cores behave
//! in the same way.

use std::collections::BTreeMap;

use bytes::Bytes;
use rts_proto::wire::ResumeKey;
use rts_proto::{LinkId, Payload, Reply};

use crate::filler::{Chain, letter, same_class, same_class_and_control};
use crate::record::Content;

/// Whether payloads and tokens are kept. Keys that resume sessions never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Filler replaces every payload and token.
    #[default]
    Scrubbed,
    /// Payloads and tokens stay in the trace. Protect the file as well as the secrets in it.
    Kept,
}

/// How the bytes of a field are replaced.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// UTF-8 stays UTF-8, and other bytes stay invalid.
    Text,
    /// Like `Text`, and control characters stay control characters.
    SecretText,
    /// Any bytes may replace these.
    Binary,
    Token,
    Key,
    Message(&'static [(u64, Field)]),
}

const PAYLOAD: &[(u64, Field)] = &[(3, Field::Text), (4, Field::Binary)];
/// The confidential fields of `rts.v1.Frame`, by their numbers in the schema.
const FRAME: &[(u64, Field)] = &[
    (2, Field::Message(&[(3, Field::Token), (4, Field::Message(&[(2, Field::Key)]))])),
    (3, Field::Message(&[(3, Field::Key)])),
    (7, Field::Message(PAYLOAD)),
    (8, Field::Message(PAYLOAD)),
    (10, Field::Message(PAYLOAD)),
    (11, Field::Message(PAYLOAD)),
    (23, Field::Message(PAYLOAD)),
    (26, Field::Message(&[(2, Field::SecretText), (3, Field::SecretText)])),
    (28, Field::Message(PAYLOAD)),
    (29, Field::Message(&[(3, Field::Binary)])),
];

/// Removes the secrets from everything that is recorded.
pub(crate) struct Scrubber {
    /// `None` changes nothing: a trace that is replayed was scrubbed before.
    secrets: Option<Secrets>,
    /// The salt for pseudonyms of keys and tokens. It is in no file.
    salt: [u8; 32],
    /// The incoming streams of open links.
    streams: BTreeMap<LinkId, Walker>,
}

impl Scrubber {
    pub(crate) fn new(secrets: Secrets, salt: [u8; 32]) -> Self {
        Self { secrets: Some(secrets), salt, streams: BTreeMap::new() }
    }

    pub(crate) fn none() -> Self {
        Self { secrets: None, salt: [0; 32], streams: BTreeMap::new() }
    }

    pub(crate) fn is_scrubbing(&self) -> bool {
        self.secrets == Some(Secrets::Scrubbed)
    }

    /// A link begins.
    pub(crate) fn open(&mut self, link: LinkId) {
        self.streams.insert(link, Walker::default());
    }

    /// Scrubs the next bytes that arrive on a link. On a link that the core has given up, bytes
    /// have no effect and cannot be decoded.
    pub(crate) fn received(&mut self, link: LinkId, bytes: &[u8]) -> Vec<u8> {
        let Some(secrets) = self.secrets else { return bytes.to_vec() };
        match self.streams.get_mut(&link) {
            Some(walker) => walker.walk(bytes, secrets, &self.salt),
            None => vec![0; bytes.len()],
        }
    }

    /// Scrubs bytes that begin with a frame, such as a transmission of a core. The last frame may
    /// be incomplete.
    pub(crate) fn frames(&self, bytes: &[u8]) -> Vec<u8> {
        match self.secrets {
            Some(secrets) => Walker::default().walk(bytes, secrets, &self.salt),
            None => bytes.to_vec(),
        }
    }

    /// The link has ended.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.streams.remove(&link);
    }

    pub(crate) fn key(&self, key: &ResumeKey) -> [u8; 16] {
        if self.secrets.is_none() {
            return key.0;
        }
        let mut chain = Chain::new(&self.salt);
        key.0.map(|byte| chain.next(byte))
    }

    pub(crate) fn token(&self, token: &[u8]) -> Vec<u8> {
        if !self.is_scrubbing() {
            return token.to_vec();
        }
        let mut chain = Chain::new(&self.salt);
        token.iter().map(|byte| letter(chain.next(*byte))).collect()
    }

    /// Scrubs a token that the application gave.
    pub(crate) fn token_text(&self, token: &str) -> String {
        String::from_utf8_lossy(&self.token(token.as_bytes())).into_owned()
    }

    pub(crate) fn content(&self, payload: &Payload) -> Content {
        let keep = !self.is_scrubbing();
        match payload {
            Payload::Text(text) if keep => Content::Text(text.as_str().to_owned()),
            Payload::Text(text) => {
                let bytes = text.bytes().map(same_class).collect();
                Content::Text(String::from_utf8(bytes).expect("UTF-8 stays UTF-8"))
            }
            Payload::Binary(bytes) if keep => Content::Binary(bytes.to_vec()),
            Payload::Binary(bytes) => Content::Binary(vec![0; bytes.len()]),
        }
    }

    /// Scrubs a signature or a URL.
    pub(crate) fn secret_text(&self, text: &str) -> String {
        if !self.is_scrubbing() {
            return text.to_owned();
        }
        let bytes = text.bytes().map(same_class_and_control).collect();
        String::from_utf8(bytes).expect("UTF-8 stays UTF-8")
    }

    pub(crate) fn reply(&self, reply: &Reply) -> Vec<u8> {
        if self.is_scrubbing() { vec![0; reply.len()] } else { reply.to_vec() }
    }

    /// The scrubbed content, for a digest.
    pub(crate) fn content_bytes(&self, payload: &Payload) -> Bytes {
        match self.content(payload) {
            Content::Text(text) => text.into(),
            Content::Binary(bytes) => bytes.into(),
        }
    }
}

/// Walks through a stream of frames byte by byte, because it may be cut anywhere. Invalid protobuf
/// is left as it is up to the end of its frame.
#[derive(Default)]
struct Walker {
    state: State,
    /// The remaining lengths of the frame, and of the open messages in it.
    levels: Vec<Level>,
}

struct Level {
    left: u64,
    fields: &'static [(u64, Field)],
}

#[derive(Default)]
enum State {
    /// In a varint with this meaning.
    #[default]
    Start,
    Varint {
        of: Meaning,
        value: u64,
        shift: u32,
    },
    Skip {
        left: u64,
    },
    Replace {
        left: u64,
        field: Field,
        chain: Option<Chain>,
    },
    /// Nothing is decoded until the frame ends.
    Lost,
}

#[derive(Clone, Copy)]
enum Meaning {
    FrameLength,
    Tag,
    Value,
    Length(Option<Field>),
}

impl Walker {
    fn walk(&mut self, bytes: &[u8], secrets: Secrets, salt: &[u8; 32]) -> Vec<u8> {
        bytes.iter().map(|byte| self.step(*byte, secrets, salt)).collect()
    }

    fn step(&mut self, byte: u8, secrets: Secrets, salt: &[u8; 32]) -> u8 {
        if matches!(self.state, State::Start) {
            let of = if self.levels.is_empty() { Meaning::FrameLength } else { Meaning::Tag };
            self.state = State::Varint { of, value: 0, shift: 0 };
        }
        let is_framed = !self.levels.is_empty();
        for level in &mut self.levels {
            level.left = level.left.saturating_sub(1);
        }
        let mut said = byte;
        match &mut self.state {
            State::Start | State::Lost => {}
            State::Varint { of, value, shift } => {
                *value |= u64::from(byte & 0x7F).checked_shl(*shift).unwrap_or(0);
                *shift += 7;
                if byte & 0x80 == 0 {
                    let (of, value) = (*of, *value);
                    self.varint_read(of, value, salt);
                } else if *shift >= 70 {
                    self.state = State::Lost;
                }
            }
            State::Skip { left } => {
                *left -= 1;
                if *left == 0 {
                    self.state = State::Start;
                }
            }
            State::Replace { left, field, chain } => {
                said = replaced(byte, *field, chain.as_mut(), secrets);
                *left -= 1;
                if *left == 0 {
                    self.state = State::Start;
                }
            }
        }
        if is_framed {
            self.leave_levels();
        }
        said
    }

    fn varint_read(&mut self, of: Meaning, value: u64, salt: &[u8; 32]) {
        let room = self.levels.last().map_or(u64::MAX, |level| level.left);
        self.state = match of {
            Meaning::FrameLength => {
                self.levels.push(Level { left: value, fields: FRAME });
                State::Start
            }
            Meaning::Value => State::Start,
            Meaning::Tag => {
                let fields = self.levels.last().map_or(FRAME, |level| level.fields);
                let field = fields.iter().find(|(number, _)| *number == value >> 3);
                match value & 7 {
                    0 => State::Varint { of: Meaning::Value, value: 0, shift: 0 },
                    1 if room >= 8 => State::Skip { left: 8 },
                    2 => {
                        let of = Meaning::Length(field.map(|(_, field)| *field));
                        State::Varint { of, value: 0, shift: 0 }
                    }
                    5 if room >= 4 => State::Skip { left: 4 },
                    _ => State::Lost,
                }
            }
            Meaning::Length(_) if value > room => State::Lost,
            Meaning::Length(_) if value == 0 => State::Start,
            Meaning::Length(None) => State::Skip { left: value },
            Meaning::Length(Some(Field::Message(fields))) => {
                self.levels.push(Level { left: value, fields });
                State::Start
            }
            Meaning::Length(Some(field)) => {
                let chain = matches!(field, Field::Token | Field::Key).then(|| Chain::new(salt));
                State::Replace { left: value, field, chain }
            }
        };
    }

    /// Messages and the frame end where their lengths say, in any state.
    fn leave_levels(&mut self) {
        if self.levels.first().is_some_and(|frame| frame.left == 0) {
            self.levels.clear();
            self.state = State::Start;
        }
        while self.levels.last().is_some_and(|level| level.left == 0) {
            self.levels.pop();
            if !matches!(self.state, State::Lost | State::Start) {
                self.state = State::Lost;
            }
        }
    }
}

fn replaced(byte: u8, field: Field, chain: Option<&mut Chain>, secrets: Secrets) -> u8 {
    match (field, chain) {
        (Field::Key, Some(chain)) => chain.next(byte),
        _ if secrets == Secrets::Kept => byte,
        (Field::Token, Some(chain)) => letter(chain.next(byte)),
        (Field::Text, _) => same_class(byte),
        (Field::SecretText, _) => same_class_and_control(byte),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cuts_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            let mut scrubber = Scrubber::new(Secrets::Scrubbed, [7; 32]);
            scrubber.open(LinkId(1));
            let whole = scrubber.received(LinkId(1), &bytes);
            let (a, b) = bytes.split_at(at.index(bytes.len() + 1));
            scrubber.open(LinkId(1));
            let mut parts = scrubber.received(LinkId(1), a);
            parts.extend(scrubber.received(LinkId(1), b));
            prop_assert_eq!(parts.len(), bytes.len());
            prop_assert_eq!(parts, whole);
        }
    }
}
