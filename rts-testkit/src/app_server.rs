//! The app's own server, as the world's server core sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::server::{Post, PostProgress, Target};
use rts_proto::{CallId, Instant, Payload, Reply};

/// The one url that the operator allows.
pub const APP_SERVER_URL: &str = "https://app.example/rts";

/// What the app's server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Status 200 with the message as its reply.
    Echoes,
    /// Status 200 with the longest reply.
    AnswersAtLength,
    /// Another status.
    Fails,
    /// Begins to answer and never ends.
    Drips,
    /// Never answers.
    IsSilent,
    /// Is not there.
    IsAway,
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
    /// Every post, in order.
    pub posts: Vec<Post>,
    /// Those that were given up.
    pub abandoned: Vec<CallId>,
    answers: BTreeMap<(Instant, CallId), PostProgress>,
}

impl AppServer {
    pub(crate) fn new() -> Self {
        Self {
            manner: Manner::Echoes,
            delay: Duration::from_millis(5),
            is_allowed: true,
            posts: Vec::new(),
            abandoned: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    /// The texts that were posted, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let text = |post: &Post| match &post.payload {
            Payload::Text(text) => Some(text.to_string()),
            Payload::Binary(_) => None,
        };
        self.posts.iter().filter_map(text).collect()
    }

    pub(crate) fn allows(&self, target: &Target) -> bool {
        self.is_allowed && &*target.url == APP_SERVER_URL
    }

    pub(crate) fn post(&mut self, now: Instant, call: CallId, post: Post) {
        let at = now + self.delay;
        let answer = match self.manner {
            Manner::Echoes => Some(PostProgress::Answered(Reply(match &post.payload {
                Payload::Text(text) => text.clone().into_bytes(),
                Payload::Binary(bytes) => bytes.clone(),
            }))),
            Manner::AnswersAtLength => {
                Some(PostProgress::Answered(Reply(vec![b'a'; 65_536].into())))
            }
            Manner::Fails => Some(PostProgress::AnsweredBadly),
            Manner::Drips => Some(PostProgress::Begun),
            Manner::IsSilent => None,
            Manner::IsAway => Some(PostProgress::NotReached),
        };
        self.posts.push(post);
        self.answers.extend(answer.map(|answer| ((at, call), answer)));
    }

    pub(crate) fn abandon(&mut self, call: CallId) {
        self.abandoned.push(call);
        self.answers.retain(|(_, answered), _| *answered != call);
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
