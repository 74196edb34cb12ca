//! The log of an engine: each decision that a developer may ask about, without payloads and tokens.
//!
//! Every line is at level debug and has the target `rts::engine`. Lines that the engine's own level
//! (`logLevel`) selects are at their own level instead, with the target `rts::engine::log`. Lines
//! are collected under the engine's lock and written when it is free, because the log's subscriber
//! is code of the application.

mod line;
mod progress;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};

use rts_proto::client::{Client, Event, LogLevel};
use rts_proto::{Instant, LinkId, UserId};
use tracing::{Level, enabled};

pub(crate) use line::Line;

use line::{DECISIONS, Said};
use progress::Progress;

/// Engines of this process, whose lines have their numbers: one user may have several.
static ENGINES: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Log {
    /// The engine's number.
    engine: u64,
    /// Whether a subscriber reads lines at level debug.
    wants_decisions: bool,
    /// Whether the events come from a call of the application, not from the server.
    in_call: bool,
    /// The user of the last login.
    user: Option<UserId>,
    progress: Progress,
    lines: Vec<Line>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            engine: ENGINES.fetch_add(1, Ordering::Relaxed) + 1,
            wants_decisions: false,
            in_call: false,
            user: None,
            progress: Progress::default(),
            lines: Vec::new(),
        }
    }

    /// Whether a subscriber reads lines at level debug. Asked without the lock: it may run code of
    /// the application.
    pub(crate) fn is_wanted() -> bool {
        enabled!(target: DECISIONS, Level::DEBUG)
    }

    pub(crate) fn engine(&self) -> u64 {
        self.engine
    }

    /// Something is about to happen.
    pub(crate) fn begin(&mut self, wants_decisions: bool, client: &Client) {
        self.wants_decisions = wants_decisions;
        self.in_call = false;
        if self.is_on(client) {
            self.user = client.user().cloned();
        }
    }

    /// It is a call of the application.
    pub(crate) fn begin_call(&mut self) {
        self.in_call = true;
    }

    pub(crate) fn happened(&mut self, client: &Client, event: &Event) {
        if self.is_on(client)
            && let Some((level, said)) = words::of_event(event, self.in_call)
        {
            self.say(client, level, said);
        }
    }

    /// Logs changes of the connection state.
    pub(crate) fn look_at(&mut self, client: &Client, now: Instant) {
        if self.is_on(client) {
            for said in self.progress.news(client, now) {
                self.say(client, LogLevel::Debug, said);
            }
        }
    }

    /// How a link ended, which the core does not know. The line about it comes when the core has
    /// given the link up.
    pub(crate) fn link_ended(&mut self, client: &Client, link: LinkId, why: &str) {
        if self.is_on(client) {
            self.progress.link_ended(link, why);
        }
    }

    /// The link is read from now on, or not.
    pub(crate) fn reading(&mut self, client: &Client, is_read: bool) {
        if self.is_on(client) {
            let (level, said) = words::of_reading(is_read);
            self.say(client, level, said);
        }
    }

    /// To be written when the lock is free.
    pub(crate) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    fn is_on(&self, client: &Client) -> bool {
        self.wants_decisions || client.log_level() != LogLevel::Off
    }

    fn say(&mut self, client: &Client, level: LogLevel, said: Said) {
        let own_level = (level <= client.log_level()).then_some(level);
        if own_level.is_none() && !self.wants_decisions {
            return;
        }
        let said = Said {
            user: said.user.or_else(|| client.user().cloned()).or_else(|| self.user.clone()),
            link: said.link.or_else(|| client.link()),
            ..said
        };
        self.lines.push(Line::new(self.engine, own_level, said));
    }
}
