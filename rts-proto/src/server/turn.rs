//! A shard's turn: it takes in what happened, does what time brought, and at the end of a burst
//! sends what is owed.

use core::fmt;
use core::time::Duration;

use super::command::Command;
use super::deadlines::{Due, Timer};
use super::io::{Input, Output};
use super::shard::Server;
use crate::{CloseCode, Instant, LinkId, ProtocolError, TargetId};

impl Server {
    /// Takes in what happened. An earlier `now` than before counts as the latest one.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.observer.is_some() {
            self.tell_input(now, &input);
        }
        match input {
            // Broadcasts in it may go on with those of the input before.
            Input::Received(..) => self.pass_time(now),
            _ => self.advance(now),
        }
        match input {
            Input::Tick => self.flush(),
            Input::Accepted(link, key) => self.link_accepted(link, key),
            Input::Received(link, bytes) => self.link_received(link, &bytes),
            Input::Disconnected(link) => self.link_lost(link),
            Input::Congested(link, is_congested) => self.link_congested(link, is_congested),
            Input::Verdict(login, verdict) => self.login_judged(login, verdict),
            Input::TargetChecked(target, is_allowed) => self.target_checked(target, is_allowed),
            Input::AppServerReplied(call, progress) => {
                self.posts.progressed(&mut self.shared, call, progress);
            }
        }
        self.end_overrun();
    }

    /// The next thing to do. [`Output::Wait`] ends a drain.
    pub fn poll_output(&mut self) -> Output {
        match self.observer {
            Some(_) => self.poll_observed(),
            None => self.poll(),
        }
    }

    /// Which timer the deadline of [`Output::Wait`] is for.
    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.next_timer().map(|(_, timer)| timer)
    }

    /// Closes every link, each with its own wish of when to come back, from zero to
    /// `retry_after_max`, so that the clients do not come back together. Links that are accepted
    /// afterwards are closed in the same way.
    pub fn shutdown(&mut self, now: Instant, retry_after_max: Duration) {
        self.begin(now, &Command::Shutdown { retry_after_max }).act(|server| {
            server.retry_after_max = Some(retry_after_max);
            for link in server.links.sorted() {
                server.turn_away(link, CloseCode::Shutdown, retry_after_max);
            }
        });
    }

    /// Begins a command, behind all that came before it.
    pub(super) fn begin(&mut self, now: Instant, command: &Command<'_>) -> Begun<'_> {
        if let Some(observer) = &mut self.observer {
            observer.command(now, command);
        }
        self.advance(now);
        Begun(self)
    }

    /// What came in before is done with, broadcasts too; then time moves on.
    fn advance(&mut self, now: Instant) {
        self.shared.settle();
        self.end_overrun();
        self.pass_time(now);
    }

    /// Time moves on, and what is due by now has happened before anything that comes in now.
    /// Broadcasts may go on waiting.
    #[inline]
    fn pass_time(&mut self, now: Instant) {
        self.shared.now = self.shared.now.max(now);
        while let Some((deadline, due)) = self.shared.deadlines.pop_due(self.shared.now) {
            self.has_come_due(deadline, due);
            self.end_overrun();
        }
        let shared = &mut self.shared;
        shared.outbox.late_acks_due(&mut shared.sessions, shared.now);
    }

    fn has_come_due(&mut self, deadline: Instant, due: Due) {
        match due {
            Due::LoginDeadline(link) => self.misbehaved(link, ProtocolError::LoginTimeout),
            Due::SessionGrace(number) => self.grace_due(number),
            Due::OrphanedMembership(whose) => {
                let (app_id, room, uid) = *whose;
                self.membership_due(deadline, &app_id, &room, &uid);
            }
            Due::Tombstone(number) => self.shared.sessions.forget_buried(number),
            Due::BanExpiry(whose) => self.bans.expired(&whose.0, &whose.1),
            Due::Tally(whose) => self.tally_due(&whose.0, &whose.1),
            Due::BackEndRate(app_id) => self.back_end_rates.look_at(&mut self.shared, &app_id),
            Due::Welcome(number) => self.welcomes.go_on(&mut self.shared, &self.rooms, number),
            Due::Post(call) => self.posts.has_come_due(&mut self.shared, call),
        }
    }

    /// The end of a burst: sends what is owed. Ending a session that has no room for its results
    /// makes results for others, so this goes on until there are none. It comes to an end: another
    /// round follows only one that ended a session.
    fn flush(&mut self) {
        while !self.shared.outbox.is_flushed() {
            let shared = &mut self.shared;
            shared.outbox.flush(&mut shared.sessions, shared.now);
            self.end_overrun();
        }
        let (links, shared) = (&self.links, &mut self.shared);
        shared.outbox.end_burst(&shared.sessions, |link: LinkId| !links.is_congested(link));
    }

    fn target_checked(&mut self, target: TargetId, is_allowed: bool) {
        let shared = &mut self.shared;
        if let Some(decided) = self.targets.decide(shared, target, is_allowed) {
            let number = decided.session;
            self.posts.decided(shared, decided);
            self.targets.ask_driver(shared, number);
        }
    }

    fn poll(&mut self) -> Output {
        match self.shared.outbox.poll() {
            Some(output) => output,
            None => Output::Wait(self.next_timer().map(|(deadline, _)| deadline)),
        }
    }

    // Most shards have no observer: what it costs is kept off their path.
    #[cold]
    fn poll_observed(&mut self) -> Output {
        let output = self.poll();
        if let Some(observer) = &mut self.observer {
            observer.output(&output);
        }
        output
    }

    #[cold]
    fn tell_input(&mut self, now: Instant, input: &Input) {
        if let Some(observer) = &mut self.observer {
            observer.input(now, input);
        }
    }

    fn next_timer(&self) -> Option<(Instant, Timer)> {
        let outbox = self.shared.outbox.next_timer();
        let first = self.shared.deadlines.next_timer();
        [outbox, first].into_iter().flatten().min()
    }
}

/// A command that has begun, and that the observer has seen: what it does is done by
/// [`act`](Self::act) only, so that no command can be forgotten there.
#[must_use]
pub(super) struct Begun<'a>(&'a mut Server);

impl Begun<'_> {
    /// Does the command's work, and ends the sessions that have no room for what they get of it.
    pub(super) fn act<T: fmt::Debug>(self, work: impl FnOnce(&mut Server) -> T) -> T {
        let Self(server) = self;
        let returned = work(server);
        server.end_overrun();
        if let Some(observer) = &mut server.observer {
            observer.returned(&returned);
        }
        returned
    }
}
