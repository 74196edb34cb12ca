//! The app's own server, as the world's server core sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::{Post, PostProgress, Target};
use rts_proto::{AppId, CallId, Instant, Payload, Reply};

/// The url that the operator allows to every app; to each it allows [`AppServer::url_of`] too.
pub const APP_SERVER_URL: &str = "https://app.example/rts";

/// What the app's server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Status 200 with the message as its reply.
    Echoes,
    /// Status 200 with the longest reply.
    AnswersAtLength,
    /// Status 200 with one byte more than that.
    AnswersTooMuch,
    /// Another status.
    Fails,
    /// Begins to answer and never ends.
    Drips,
    /// Begins to answer, and after as long again it breaks off.
    BreaksOff,
    /// Never answers.
    IsSilent,
    /// Is not there.
    IsAway,
}

impl Manner {
    /// Every manner.
    pub const ALL: [Self; 8] = [
        Self::Echoes,
        Self::AnswersAtLength,
        Self::AnswersTooMuch,
        Self::Fails,
        Self::Drips,
        Self::BreaksOff,
        Self::IsSilent,
        Self::IsAway,
    ];
}

/// The app's server.
#[derive(Debug)]
pub struct AppServer {
    /// What it does from now on.
    pub manner: Manner,
    /// How long it takes.
    pub delay: Duration,
    /// Whether the operator allows its url.
    pub is_allowed: bool,
    /// Whether answers to posts that were given up arrive all the same, as they do when both happen
    /// at once.
    pub answers_late: bool,
    /// Every post, in order.
    pub posts: Vec<Post>,
    /// Those that were given up.
    pub abandoned: Vec<CallId>,
    /// What is still to be said, by time and in order.
    answers: BTreeMap<(Instant, CallId), PostProgress>,
}

impl AppServer {
    pub(crate) fn new() -> Self {
        Self {
            manner: Manner::Echoes,
            delay: Duration::from_millis(5),
            is_allowed: true,
            answers_late: false,
            posts: Vec::new(),
            abandoned: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// The texts that were posted, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let text = |post: &Post| post.payload.as_text().map(str::to_owned);
        self.posts.iter().filter_map(text).collect()
    }

    /// The url that the operator allows to this app and to no other.
    #[must_use]
    pub fn url_of(app: &AppId) -> String {
        format!("{APP_SERVER_URL}/{app}")
    }

    pub(crate) fn allows(&self, target: &Target) -> bool {
        let is_listed =
            *target.url == *APP_SERVER_URL || *target.url == *Self::url_of(&target.app_id);
        self.is_allowed && is_listed
    }

    pub(crate) fn post(&mut self, now: Instant, call: CallId, post: Post) {
        let answers = |bytes| Some(PostProgress::Answered(Reply(bytes)));
        let answer = match self.manner {
            Manner::Echoes => answers(match &post.payload {
                Payload::Text(text) => text.clone().into_bytes(),
                Payload::Binary(bytes) => bytes.clone(),
            }),
            Manner::AnswersAtLength => answers(vec![b'a'; REPLY_BYTES_MAX].into()),
            Manner::AnswersTooMuch => answers(vec![b'a'; REPLY_BYTES_MAX + 1].into()),
            Manner::Fails => Some(PostProgress::AnsweredBadly),
            Manner::Drips | Manner::BreaksOff => Some(PostProgress::Begun),
            Manner::IsSilent => None,
            Manner::IsAway => Some(PostProgress::NotReached),
        };
        self.posts.push(post);
        self.answers.extend(answer.map(|answer| ((now + self.delay, call), answer)));
        if self.manner == Manner::BreaksOff {
            // Later than its beginning, however short the delay is.
            let at = now + 2 * self.delay.max(Duration::from_micros(1));
            self.answers.insert((at, call), PostProgress::AnsweredBadly);
        }
    }

    pub(crate) fn abandon(&mut self, call: CallId) {
        self.abandoned.push(call);
        if !self.answers_late {
            self.answers.retain(|(_, answered), _| *answered != call);
        }
    }

    /// Nobody waits for an answer any more, and calls are numbered anew.
    pub(crate) fn forget_callers(&mut self) {
        self.answers.clear();
    }

    pub(crate) fn next_answer(&self) -> Option<Instant> {
        self.answers.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn take(&mut self, now: Instant) -> Option<(CallId, PostProgress)> {
        let first = self.answers.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((_, call), answer) = first.remove_entry();
        Some((call, answer))
    }
}
