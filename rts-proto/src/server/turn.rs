//! A shard's turn: it handles inputs and deadlines, and at the end of a burst sends what it owes.

use core::fmt;
use core::time::Duration;

use super::command::Command;
use super::deadlines::{Due, Timer};
use super::io::{Input, Output};
use super::shard::Server;
use super::shared::MovesTime;
use crate::{CloseCode, Instant, LinkId, ProtocolError, TargetId};

impl Server {
    /// Handles an input. A `now` before the latest one counts as the latest one.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.observer.is_some() {
            self.observe_input(now, &input);
        }
        match input {
            // Its broadcasts may join those of the previous input.
            Input::Received(..) | Input::Peer(..) => self.pass_time(now),
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
            Input::HandedOver(link, opened) => self.link_handed_over(link, &opened),
            Input::Peer(from, entries) => self.entries_arrived(from, entries),
            Input::Request(id, app_id, request) => self.request_came(id, &app_id, *request),
            Input::HomesChanged { table, serve_after } => self.homes_changed(*table, serve_after),
            Input::PeerCongested(shard, is_congested) => {
                self.shared.outbox.set_congested(shard, is_congested);
            }
        }
        self.finish();
    }

    /// The next output. [`Output::Wait`] ends a drain.
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

    /// Closes every link. Each link is given its own wait before a reconnect, from zero to
    /// `retry_after_max`, so that the clients do not reconnect together. Links that are accepted
    /// later are closed in the same way.
    pub fn shutdown(&mut self, now: Instant, retry_after_max: Duration) {
        self.begin(now, &Command::Shutdown { retry_after_max }).act(|server| {
            server.retry_after_max = Some(retry_after_max);
            for link in server.links.sorted() {
                server.turn_away(link, CloseCode::Shutdown, retry_after_max);
            }
        });
    }

    /// Begins a command, after all earlier input.
    pub(super) fn begin(&mut self, now: Instant, command: &Command<'_>) -> Begun<'_> {
        if let Some(observer) = &mut self.observer {
            observer.command(now, command);
        }
        self.advance(now);
        Begun(self)
    }

    /// Finishes the earlier input, including its broadcasts. Then time moves on.
    fn advance(&mut self, now: Instant) {
        self.shared.settle();
        self.finish();
        self.pass_time(now);
    }

    /// Does what the latest step has left: ends the sessions without space, handles the entries of
    /// this shard for itself, takes steps of a change of homes, and begins and ends fences.
    #[inline]
    fn finish(&mut self) {
        // Nearly no step leaves anything.
        while self.is_unfinished() {
            self.finish_now();
        }
    }

    #[inline]
    fn is_unfinished(&self) -> bool {
        let shared = &self.shared;
        shared.outbox.has_overrun()
            || !shared.to_self.is_empty()
            || shared.homes.have_news()
            || self.fences.are_due()
    }

    #[cold]
    #[inline(never)]
    fn finish_now(&mut self) {
        self.end_overrun();
        self.handle_own_entries();
        self.change_homes();
        self.go_on_with_fences();
    }

    /// Moves time on. Everything that is due by now is handled before the new input. Broadcasts may
    /// stay in the fan-out.
    #[inline]
    fn pass_time(&mut self, now: Instant) {
        self.shared.pass_time(InTurn, now);
        while let Some((deadline, due)) = self.shared.deadlines.pop_due(self.shared.now()) {
            self.has_come_due(deadline, due);
            self.finish();
        }
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.late_acks_due(&mut shared.sessions, now);
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
            Due::Leaving(number) => self.give_up_leaving(number),
            Due::Departed(number) => self.shared.sessions.forget_departed(number),
            Due::Request(id) => self.pending.timed_out(&mut self.shared, id),
            Due::Homes => self.shared.homes.look_again(),
        }
    }

    /// The end of a burst: sends what is owed. Ending a session that has no space for its results
    /// makes results for others, so this repeats until there are none. It ends, because a round is
    /// repeated only if it ended a session.
    fn flush(&mut self) {
        self.end_burst_of_fences();
        while !self.shared.outbox.is_flushed() {
            let shared = &mut self.shared;
            let now = shared.now();
            shared.outbox.flush(&mut shared.sessions, now);
            self.finish();
            self.end_burst_of_fences();
        }
        let (links, shared) = (&self.links, &mut self.shared);
        shared.outbox.end_burst(&mut shared.sessions, |link: LinkId| !links.is_congested(link));
    }

    /// What has waited for the end of the burst begins a fence.
    #[inline]
    fn end_burst_of_fences(&mut self) {
        if self.fences.end_burst() {
            self.finish();
        }
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

    // Most shards have no observer, so this code is kept off their path.
    #[cold]
    fn poll_observed(&mut self) -> Output {
        let output = self.poll();
        if let Some(observer) = &mut self.observer {
            observer.output(&output);
        }
        output
    }

    #[cold]
    fn observe_input(&mut self, now: Instant, input: &Input) {
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

/// Lets a turn alone move time on.
struct InTurn;

impl MovesTime for InTurn {}

/// A command that has begun and was shown to the observer. Only [`act`](Self::act) does its work,
/// so that every command is shown.
#[must_use]
pub(super) struct Begun<'a>(&'a mut Server);

impl Begun<'_> {
    /// Does the command's work, and ends the sessions without space for its messages.
    pub(super) fn act<T: fmt::Debug>(self, work: impl FnOnce(&mut Server) -> T) -> T {
        let Self(server) = self;
        let returned = work(server);
        server.finish();
        if let Some(observer) = &mut server.observer {
            observer.returned(&returned);
        }
        returned
    }
}
