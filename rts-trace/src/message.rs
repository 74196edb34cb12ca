//! The story of each message to a user.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{
    Deliveries, Delivery, Entry, Moved, Outcome, PassedOn, SessionNumber, ShardId,
};
use rts_proto::wire::{Decoder, Frame, LoginAnswer};
use rts_proto::{Instant, LinkId, MessageId, SendCode};

/// The direction of bytes on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// A link of one shard. A link that is handed over is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    /// The shard, if its node has several.
    pub(crate) shard: Option<ShardId>,
    pub(crate) id: LinkId,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.id)?;
        match self.shard {
            Some(shard) => write!(f, " of shard {}", shard.number()),
            None => Ok(()),
        }
    }
}

/// One message, from its call to its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Its number, as its sender counts.
    pub id: MessageId,
    /// The sender, in the trace of a server; `None` for the engine itself.
    pub from: Option<String>,
    /// The receiver.
    pub to: String,
    /// The time when it was sent, or first reached the server.
    pub at: Instant,
    /// Its events, in order.
    pub steps: Vec<(Instant, String)>,
    /// Its result, and the time of the result.
    pub result: Option<(Instant, SendCode)>,
    /// Its number among the sequenced frames of the session that carries it, until it is
    /// acknowledged.
    number: Option<u64>,
    /// The link over which it was last sent.
    link: Option<Link>,
    /// It came from a shard whose trace is not read. Its result goes there.
    is_foreign: bool,
}

/// "message 17 to bob: sent, link lost before ack, resumed, sent again, delivered, result 0 after
/// 3.2 s"
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}", self.id)?;
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        write!(f, " to {}: ", self.to)?;
        for (_, step) in &self.steps {
            write!(f, "{step}, ")?;
        }
        match self.result {
            Some((at, code)) => write!(
                f,
                "{}, result {} after {}",
                meaning(code),
                code.code(),
                seconds(at.since(self.at))
            ),
            None => f.write_str("no result yet"),
        }
    }
}

impl Story {
    fn new(id: MessageId, from: Option<String>, to: String, at: Instant) -> Self {
        Self {
            id,
            from,
            to,
            at,
            steps: Vec::new(),
            result: None,
            number: None,
            link: None,
            is_foreign: false,
        }
    }

    fn step(&mut self, at: Instant, what: &str) {
        self.steps.push((at, what.to_owned()));
    }
}

/// The sender and the number of a message.
type Key = (Option<String>, MessageId);

/// Builds the stories from the frames on the links.
#[derive(Default)]
pub(crate) struct Messages {
    stories: Vec<Story>,
    by_key: BTreeMap<Key, usize>,
    /// Stories without a result.
    open: BTreeSet<usize>,
    links: BTreeMap<Link, Stream>,
    /// The users of sessions.
    sessions: BTreeMap<u64, String>,
}

#[derive(Default)]
struct Stream {
    /// The user of a server's link.
    uid: Option<String>,
    /// The number of sequenced frames that this engine has sent in this link's session.
    sent: u64,
}

impl Messages {
    pub(crate) fn into_stories(self) -> Vec<Story> {
        self.stories
    }

    /// The application of this engine sent the message.
    pub(crate) fn asked(&mut self, at: Instant, id: MessageId, to: &str) {
        self.begin(Story::new(id, None, to.to_owned(), at));
    }

    fn begin(&mut self, story: Story) {
        let index = self.stories.len();
        self.by_key.insert((story.from.clone(), story.id), index);
        self.open.insert(index);
        self.stories.push(story);
    }

    pub(crate) fn result_called_back(&mut self, at: Instant, id: MessageId, code: SendCode) {
        self.ended(at, (None, id), code);
    }

    fn ended(&mut self, at: Instant, key: Key, code: SendCode) {
        if let Some(index) = self.by_key.get(&key)
            && self.open.remove(index)
        {
            self.stories[*index].result = Some((at, code));
        }
    }

    pub(crate) fn frame(&mut self, at: Instant, id: Link, direction: Direction, frame: &Frame) {
        let is_sequenced = frame.is_sequenced();
        let link = self.links.entry(id).or_default();
        if direction == Direction::Out && is_sequenced {
            link.sent += 1;
        }
        let sent = link.sent;
        match (direction, frame) {
            (Direction::Out, Frame::Send { id: message, .. }) => {
                self.went_out(at, id, *message, is_sequenced.then_some(sent));
            }
            (Direction::In, Frame::LoginAnswer(LoginAnswer::Accepted(accepted))) => {
                link.sent = if accepted.resumed { accepted.received } else { 0 };
                let what = if accepted.resumed { "resumed" } else { "the session was lost" };
                self.came_back(at, what);
                if accepted.resumed {
                    self.acknowledged(at, accepted.received, "had arrived before");
                }
            }
            (Direction::In, Frame::Ack { received }) => {
                self.acknowledged(at, *received, "at the server");
            }
            (Direction::In, Frame::Login(login)) => link.uid = Some(login.uid.to_string()),
            (Direction::In, Frame::Send { id: message, to, .. }) => {
                if let Some(from) = link.uid.clone() {
                    let to = String::from_utf8_lossy(to).into_owned();
                    let mut story = Story::new(*message, Some(from), to, at);
                    story.step(at, &format!("arrived on {id}"));
                    self.begin(story);
                }
            }
            (Direction::Out, Frame::LoginAnswer(LoginAnswer::Accepted(accepted))) => {
                if let Some(uid) = &link.uid {
                    self.sessions.insert(accepted.session, uid.clone());
                }
            }
            (Direction::Out, Frame::SendResults { code, ids }) => {
                let uid = link.uid.clone();
                for message in ids.iter().filter(|_| uid.is_some()) {
                    self.ended(at, (uid.clone(), *message), *code);
                }
            }
            _ => {}
        }
    }

    /// A shard sends another one this.
    pub(crate) fn sent(&mut self, at: Instant, to: ShardId, entry: &Entry) {
        if let Some(deliveries) = messages(entry) {
            for Delivery { session, id, .. } in deliveries.iter() {
                if let Some(index) = self.open_story(session, id) {
                    self.stories[index].step(at, &format!("given to shard {}", to.number()));
                }
            }
            return;
        }
        for (session, id, code) in results(entry) {
            if let Some(index) = self.open_story(session, id)
                && self.stories[index].is_foreign
            {
                self.stories[index].result = Some((at, code));
                self.open.remove(&index);
            }
        }
    }

    /// A shard got this from another one.
    pub(crate) fn heard(&mut self, at: Instant, from: ShardId, entry: &Entry) {
        if let Some(deliveries) = messages(entry) {
            for delivery in deliveries.iter() {
                match self.open_story(delivery.session, delivery.id) {
                    Some(index) => self.stories[index].step(at, "arrived there"),
                    None => self.begin_foreign(at, from, delivery),
                }
            }
            return;
        }
        for (session, id, _) in results(entry) {
            if let Some(index) = self.open_story(session, id) {
                self.stories[index].step(at, &format!("answered by shard {}", from.number()));
            }
        }
    }

    fn begin_foreign(
        &mut self,
        at: Instant,
        shard: ShardId,
        Delivery { session, id, to, frame, .. }: Delivery<'_>,
    ) {
        let mut decoder = Decoder::new();
        decoder.push(Bytes::copy_from_slice(frame));
        let Ok(Some(Frame::Delivery { from, .. })) = decoder.next(FRAME_BYTES_MAX) else { return };
        self.sessions.insert(session.number(), from.to_string());
        let mut story = Story::new(id, Some(from.to_string()), to.to_owned(), at);
        story.is_foreign = true;
        story.step(at, &format!("came from shard {}", shard.number()));
        self.begin(story);
    }

    /// The story of a message of this session that has no result.
    fn open_story(&self, session: SessionNumber, id: MessageId) -> Option<usize> {
        let from = self.sessions.get(&session.number())?;
        let index = self.by_key.get(&(Some(from.clone()), id))?;
        self.open.contains(index).then_some(*index)
    }

    fn went_out(&mut self, at: Instant, link: Link, id: MessageId, number: Option<u64>) {
        let Some(index) = self.by_key.get(&(None, id)) else { return };
        let story = &mut self.stories[*index];
        story.step(at, if story.link.is_some() { "sent again" } else { "sent" });
        story.link = Some(link);
        story.number = number;
    }

    /// The engine has a link again. Pending messages stay pending, or never left this session.
    fn came_back(&mut self, at: Instant, what: &str) {
        for index in &self.open {
            let story = &mut self.stories[*index];
            if story.from.is_none() && at > story.at {
                story.step(at, what);
            }
        }
    }

    fn acknowledged(&mut self, at: Instant, received: u64, what: &str) {
        for index in &self.open {
            let story = &mut self.stories[*index];
            if story.from.is_none() && story.number.is_some_and(|number| number <= received) {
                story.number = None;
                story.step(at, what);
            }
        }
    }

    pub(crate) fn link_ended(&mut self, at: Instant, link: Link) {
        self.links.remove(&link);
        for index in &self.open {
            let story = &mut self.stories[*index];
            if story.link == Some(link) && story.number.is_some() {
                story.step(at, "link lost before ack");
            } else if story.link == Some(link) {
                story.step(at, "link lost before the result");
            }
        }
    }
}

/// The messages to users in an entry.
fn messages(entry: &Entry) -> Option<&Deliveries> {
    match entry {
        Entry::Deliver(messages) | Entry::PassedOn(PassedOn::Deliver(messages)) => Some(messages),
        Entry::Moved(moved) => match &**moved {
            Moved::Held(PassedOn::Deliver(messages)) => Some(messages),
            _ => None,
        },
        _ => None,
    }
}

/// The results of messages in an entry.
fn results(entry: &Entry) -> Vec<(SessionNumber, MessageId, SendCode)> {
    match entry {
        Entry::Outcomes(outcomes) => outcomes
            .iter()
            .filter_map(|(session, outcome)| match outcome {
                Outcome::Send(code, id) => Some((*session, *id, *code)),
                Outcome::Broadcast(..) => None,
            })
            .collect(),
        Entry::NotDelivered { session, id, code, .. } => vec![(*session, *id, *code)],
        _ => Vec::new(),
    }
}

/// The meaning of a result, in a word or two.
fn meaning(code: SendCode) -> &'static str {
    match code {
        SendCode::Ok => "delivered",
        SendCode::Timeout => "outcome unknown",
        SendCode::Broken => "not sent",
        SendCode::ReceiverNotFound => "no such receiver",
        SendCode::ReceiverNotLoggedIn => "receiver not logged in",
        SendCode::OverRate => "over the rate",
        SendCode::TooLong => "too long",
        _ => "refused",
    }
}

/// Seconds in readable form.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
