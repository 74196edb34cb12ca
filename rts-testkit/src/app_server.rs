//! The simulated app server, as the world's server core reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::{Post, PostProgress, Target};
use rts_proto::{AppId, CallId, Instant, Payload, Reply};

/// The URL that the operator allows to every app. Each app may also use [`AppServer::url_of`].
pub const APP_SERVER_URL: &str = "https://app.example/rts";

/// How the app server answers a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Status 200 with the message as its reply.
    Echoes,
    /// Status 200 with the longest reply.
    AnswersAtLength,
    /// Status 200 with one byte more than that.
    AnswersTooMuch,
    /// A status other than 200.
    Fails,
    /// Begins to answer and never ends.
    Drips,
    /// Begins to answer, and breaks the answer off after twice the delay.
    BreaksOff,
    /// Never answers.
    IsSilent,
    /// Cannot be reached.
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

/// The simulated app server.
#[derive(Debug)]
pub struct AppServer {
    /// How the app server answers posts from now on.
    pub manner: Manner,
    /// The time from a post to its answer.
    pub delay: Duration,
    /// Whether the operator allows the server's URL.
    pub is_allowed: bool,
    /// Whether abandoned posts are answered nevertheless, as happens when an answer crosses the
    /// order to abandon its post.
    pub answers_late: bool,
    /// Every post, in order.
    pub posts: Vec<Post>,
    /// The posts that the server abandoned.
    pub abandoned: Vec<CallId>,
    /// The answers that are due, by time, then by call.
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

    /// The URL that the operator allows to this app only.
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
        let answers = |bytes| Some(PostProgress::Answered(Reply::new(bytes)));
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
            // The end comes after the beginning, even if the delay is zero.
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

    /// Drops the answers to some calls: the callers that waited for them are gone.
    pub(crate) fn forget_callers(&mut self, are_gone: impl Fn(CallId) -> bool) {
        self.answers.retain(|(_, call), _| !are_gone(*call));
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
