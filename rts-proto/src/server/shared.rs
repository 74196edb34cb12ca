//! The state that every part of a shard may use: its rules, the time, its sessions, its deadlines
//! and its outbox. A use case passes this to a part, together with other parts that the part needs.

use super::allowance::Allowance;
use super::config::Config;
use super::deadlines::Deadlines;
use super::directory::{Directory, Route};
use super::grants::Grants;
use super::held::{Held, HeldEntry};
use super::homes::Homes;
use super::io::{
    Deliveries, Detail, Entry, Forbidden, Notice, NoticeLevel, Output, PassedOn, Rate, Report,
};
use super::keys::{Origin, Outcome, SessionNumber};
use super::outbox::Outbox;
use super::placement::ShardId;
use super::session::Session;
use super::sessions::Sessions;
use super::to_self::ToSelf;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::HELD_BYTES_MAX;
use crate::wire::Frame;
use crate::{AppId, Instant, LinkId, MessageConfig, RoomId, SendCode, UserId};
use bytes::Bytes;

/// Shows that the caller is a [turn](super::turn) of the shard. Only a turn has such a type.
pub(super) trait MovesTime {}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    /// The latest moment: time never goes back.
    now: Instant,
    pub(super) homes: Homes,
    pub(super) directory: Directory,
    pub(super) grants: Grants,
    pub(super) to_self: ToSelf,
    pub(super) held: Held,
    pub(super) sessions: Sessions,
    pub(super) deadlines: Deadlines,
    pub(super) outbox: Outbox,
    /// The amount of [`Output::Notice`]s.
    notice_level: NoticeLevel,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        let sessions = Sessions::new(config.placement.own());
        let homes = Homes::new(config.placement, config.homes.clone(), config.joins_cluster);
        let seed = config.placement.seed();
        Self {
            config,
            now: Instant::ORIGIN,
            homes,
            directory: Directory::new(seed),
            grants: Grants::new(seed),
            to_self: ToSelf::default(),
            held: Held::default(),
            sessions,
            deadlines: Deadlines::default(),
            outbox: Outbox::default(),
            notice_level: NoticeLevel::Off,
        }
    }

    /// The latest moment.
    #[inline]
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Moves time on. It never goes back.
    #[inline]
    pub(super) fn pass_time(&mut self, _: impl MovesTime, now: Instant) {
        self.now = self.now.max(now);
    }

    pub(super) fn take_notice(&mut self, level: NoticeLevel) {
        self.notice_level = level;
    }

    #[inline]
    pub(super) fn session(&self, number: SessionNumber) -> Option<&Session> {
        self.sessions.get(number)
    }

    #[inline]
    pub(super) fn session_mut(&mut self, number: SessionNumber) -> Option<&mut Session> {
        self.sessions.get_mut(number)
    }

    /// The rates of a session's user.
    #[inline]
    pub(super) fn allowance(&mut self, number: SessionNumber) -> Option<&mut Allowance> {
        Some(self.sessions.get_mut(number)?.allowance(&self.config, self.now))
    }

    /// Sends a session a frame that it must get, or ends the session (§6.8).
    pub(super) fn push_or_end(&mut self, number: SessionNumber, frame: Bytes) {
        self.outbox.push_or_end(&mut self.sessions, self.now, number, frame);
    }

    pub(super) fn push_frame(&mut self, number: SessionNumber, frame: Frame) {
        self.push_or_end(number, frame.encode());
    }

    /// Whether the shards of all these sessions take messages now.
    #[inline]
    pub(super) fn has_space_for(&self, mut receivers: impl Iterator<Item = SessionNumber>) -> bool {
        let has_space = |number| {
            let shard = self.sessions.other_shard_of(number);
            shard.is_none_or(|shard| !self.outbox.is_congested(shard))
        };
        !self.outbox.is_any_congested() || receivers.all(has_space)
    }

    /// Puts a frame into the windows of sessions that must get it.
    pub(super) fn push_to_each(
        &mut self,
        receivers: impl Iterator<Item = SessionNumber>,
        frame: &Bytes,
    ) {
        self.outbox.push_to_each(&mut self.sessions, self.now, receivers, frame);
    }

    /// Sends an entry to the shard of a session.
    pub(super) fn send_to_shard(&mut self, to: ShardId, entry: Entry) {
        self.outbox.send_to_shard(&mut self.sessions, self.now, to, None, entry);
    }

    /// Sends an entry to the shard of a session, which may be this one.
    pub(super) fn answer_session(&mut self, session: SessionNumber, entry: Entry) {
        match self.sessions.other_shard_of(session) {
            Some(shard) => self.send_to_shard(shard, entry),
            None => self.to_self.add_for_session(entry),
        }
    }

    /// Keeps a message to a user of this home until this shard decides about the user. Returns the
    /// result if too much waits.
    pub(super) fn hold_message(
        &mut self,
        from: ShardId,
        app_id: &AppId,
        origin: Origin,
        to: &str,
        config: MessageConfig,
        frame: &[u8],
    ) -> Option<SendCode> {
        if self.held.bytes() > HELD_BYTES_MAX {
            return Some(SendCode::Broken);
        }
        let Ok(to) = UserId::new(to) else { return Some(SendCode::ReceiverNotFound) };
        let mut deliveries = Deliveries::default();
        deliveries.push(origin.session, origin.id, config, &to, frame);
        let (app_id, entry) = (Some(app_id.clone()), Entry::Deliver(deliveries));
        self.held.add_unserved(HeldEntry { from, app_id, entry });
        None
    }

    /// Sends an entry to the home of a user or a room, as [`Homes`] tells it, or to an owner. If
    /// that is this shard, it waits until this shard decides.
    pub(super) fn send_in_app(&mut self, to: ShardId, app_id: &AppId, entry: Entry) {
        if to == self.config.placement.own() {
            let app_id = Some(app_id.clone());
            return self.held.add_unserved(HeldEntry { from: to, app_id, entry });
        }
        self.outbox.send_to_shard(&mut self.sessions, self.now, to, Some(app_id), entry);
    }

    /// Sends an entry to the owner of a user or to the shard of a login, which may be this one.
    pub(super) fn send_to_any(&mut self, to: ShardId, app_id: &AppId, entry: Entry) {
        match to == self.config.placement.own() {
            true => self.to_self.add(app_id, entry),
            false => self.send_in_app(to, app_id, entry),
        }
    }

    /// Tells the shard of a user's session, or the user's home, that a membership waits for the
    /// user, or no longer. False if this shard itself counts such memberships of the user.
    pub(super) fn tell_of_orphan(
        &mut self,
        app_id: &AppId,
        room: &RoomId,
        uid: &UserId,
        waits: bool,
    ) -> bool {
        let (at, of) = (room.clone(), uid.clone());
        if let Some(home) = self.homes.other_of_user(app_id, uid.as_str()) {
            self.send_in_app(home, app_id, Entry::Orphan { room: at, uid: of, waits });
            return true;
        }
        self.tell_owner_of_orphan(app_id, room, uid, waits)
    }

    /// The same, at the user's home.
    pub(super) fn tell_owner_of_orphan(
        &mut self,
        app_id: &AppId,
        room: &RoomId,
        uid: &UserId,
        waits: bool,
    ) -> bool {
        let (room, of) = (room.clone(), uid.clone());
        let passed_on = PassedOn::Orphan { room: room.clone(), uid: of.clone(), waits };
        match self.directory.route(app_id, uid.as_str()) {
            Route::Owner(owner) if owner != self.config.placement.own() => {
                self.send_in_app(owner, app_id, Entry::PassedOn(passed_on));
                true
            }
            Route::Held => {
                self.directory.hold(app_id, uid.as_str(), passed_on);
                true
            }
            // The count follows the release, which is on its way to the next home.
            Route::Owner(_) if self.grants.of(app_id, uid).is_none() => {
                let next = self.homes.other_of_user(app_id, uid.as_str());
                next.is_some_and(|home| {
                    self.send_in_app(home, app_id, Entry::Orphan { room, uid: of, waits });
                    true
                })
            }
            Route::Owner(_) | Route::Nobody => false,
        }
    }

    /// Adds a result. The session may have ended by now.
    pub(super) fn add_outcome(&mut self, number: SessionNumber, outcome: Outcome) {
        self.outbox.add_outcome(&mut self.sessions, self.now, number, outcome);
    }

    /// Marks the session as ready: it has something to send at the end of the burst.
    pub(super) fn make_ready(&mut self, number: SessionNumber) {
        self.outbox.make_ready(&mut self.sessions, self.now, number);
    }

    /// Bytes that a session has not acknowledged, with the broadcasts on their way into its window.
    pub(super) fn unacked_bytes(&mut self, number: SessionNumber) -> Option<usize> {
        self.outbox.unacked_bytes(&mut self.sessions, self.now, number)
    }

    /// Puts the waiting broadcasts into the windows of the members.
    pub(super) fn settle(&mut self) {
        self.outbox.settle(&mut self.sessions, self.now);
    }

    /// Reports to the app's back end, and to developers. Calls `report` only if someone gets it.
    pub(super) fn report(&mut self, app_id: &AppId, report: impl FnOnce() -> Report) {
        let is_reported = self.config.reported_apps.contains(app_id);
        let is_noticed = self.takes_notice(NoticeLevel::All);
        if !is_reported && !is_noticed {
            return;
        }
        let report = report();
        if is_noticed {
            let (app_id, report) = (app_id.clone(), report.clone());
            self.outbox.put(Output::Notice(Notice::Reported { app_id, report }));
        }
        if is_reported {
            self.outbox.put(Output::Report(app_id.clone(), report));
        }
    }

    /// Whether notices of this level are made.
    pub(super) fn takes_notice(&self, level: NoticeLevel) -> bool {
        self.notice_level >= level
    }

    /// Makes a notice for operators. Calls `notice` only if notices are made.
    pub(super) fn notice(&mut self, notice: impl FnOnce(&Self) -> Notice) {
        if self.takes_notice(NoticeLevel::Sessions) {
            let notice = notice(self);
            self.outbox.put(Output::Notice(notice));
        }
    }

    /// Like [`notice`](Self::notice), about a session's user.
    pub(super) fn notice_of(
        &mut self,
        number: SessionNumber,
        notice: impl FnOnce(AppId, UserId) -> Notice,
    ) {
        if self.takes_notice(NoticeLevel::Sessions)
            && let Some(session) = self.sessions.get(number)
        {
            let (app_id, uid) = session.user();
            self.outbox.put(Output::Notice(notice(app_id, uid)));
        }
    }

    /// Makes a notice for developers about the result of a user's action. Calls the closure only if
    /// such notices are made.
    #[inline]
    pub(super) fn detail_of(&mut self, number: SessionNumber, detail: impl FnOnce() -> Detail) {
        if self.takes_notice(NoticeLevel::All)
            && let Some(session) = self.sessions.get(number)
        {
            let (link, (app_id, uid), detail) = (session.link(), session.user(), detail());
            self.outbox.put(Output::Notice(Notice::Detail { link, app_id, uid, detail }));
        }
    }

    /// A rate refused something. Operators get a notice for the user now and then.
    pub(super) fn notice_over_rate(&mut self, number: SessionNumber, rate: Rate) {
        self.notice_refusal(number, |link, app_id, uid| Notice::OverRate {
            link,
            app_id,
            uid,
            rate,
        });
    }

    /// A ban refused something. Operators get a notice for the user now and then.
    pub(super) fn notice_banned(&mut self, number: SessionNumber, forbidden: Forbidden) {
        self.notice_refusal(number, |link, app_id, uid| Notice::Banned {
            link,
            app_id,
            uid,
            forbidden,
        });
    }

    fn notice_refusal(
        &mut self,
        number: SessionNumber,
        notice: impl FnOnce(Option<LinkId>, AppId, UserId) -> Notice,
    ) {
        if !self.takes_notice(NoticeLevel::Sessions) {
            return;
        }
        let Some(session) = self.sessions.get_mut(number) else { return };
        let link = session.link();
        if session.allowance(&self.config, self.now).may_log_refusal(self.now) {
            self.notice_of(number, |app_id, uid| notice(link, app_id, uid));
        }
    }
    /// The sizes of its stores.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self {
            config: _,
            now: _,
            homes: _,
            directory,
            grants,
            to_self,
            held,
            sessions,
            deadlines,
            outbox,
            notice_level: _,
        } = self;
        let of_cluster = [directory.kept(), grants.kept(), to_self.kept(), held.kept()].concat();
        [of_cluster, sessions.kept(), deadlines.kept(), outbox.kept()].concat()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::SendCode;
    use crate::limits::REFUSAL_NOTICE_EVERY;
    use crate::server::testing::{
        app_id, before, begin_linked_session, link_of, number, other_app_id, outputs, pass_time,
        room_id, uid,
    };
    use crate::{MessageConfig, MessageId};

    fn shared_at(level: NoticeLevel) -> Shared {
        let config = Config { reported_apps: [app_id()].into(), ..Config::default() };
        let mut shared = Shared::new(config);
        shared.take_notice(level);
        shared
    }

    fn emptied() -> Report {
        Report::RoomEmptied { room: room_id("lobby") }
    }

    #[test]
    fn report_goes_to_the_apps_back_end_and_to_developers() {
        let report = || emptied();
        let notice = |app_id| Output::Notice(Notice::Reported { app_id, report: report() });
        let (own, other) = (app_id(), other_app_id());
        for (app_id, level, expected) in [
            (&own, NoticeLevel::Off, Vec::from([Output::Report(own.clone(), report())])),
            (&own, NoticeLevel::Sessions, Vec::from([Output::Report(own.clone(), report())])),
            (
                &own,
                NoticeLevel::All,
                Vec::from([notice(own.clone()), Output::Report(own.clone(), report())]),
            ),
            (&other, NoticeLevel::All, Vec::from([notice(other.clone())])),
        ] {
            let mut shared = shared_at(level);
            shared.report(app_id, report);
            assert_eq!(outputs(&mut shared), expected, "{app_id} {level:?}");
        }
    }

    #[test]
    fn what_nobody_gets_is_not_made() {
        let mut shared = shared_at(NoticeLevel::Sessions);
        let alice = begin_linked_session(&mut shared, "alice");
        shared.report(&other_app_id(), || unreachable!("no back end"));
        shared.detail_of(alice, || unreachable!("no developer"));
        shared.take_notice(NoticeLevel::Off);
        shared.notice(|_| unreachable!("no operator"));
        shared.notice_of(alice, |_, _| unreachable!("no operator"));
        shared.notice_over_rate(alice, Rate::Sends);
        assert!(outputs(&mut shared).is_empty());
    }

    #[test]
    fn notice_of_a_session_names_its_user_and_link() {
        let mut shared = shared_at(NoticeLevel::All);
        let alice = begin_linked_session(&mut shared, "alice");
        let detail = || Detail::NotDelivered {
            to: "bob".into(),
            id: MessageId(1),
            config: MessageConfig::ReliableOrdered,
            code: SendCode::Broken,
        };
        shared.detail_of(alice, detail);
        shared.notice_over_rate(alice, Rate::Joins);
        shared.notice_of(number(99), |_, _| unreachable!("no session"));
        shared.detail_of(number(99), || unreachable!("no session"));
        let (link, app_id, uid) = (Some(link_of(alice)), app_id(), uid("alice"));
        let (other_app_id, other_uid) = (app_id.clone(), uid.clone());
        assert_eq!(
            outputs(&mut shared),
            [
                Output::Notice(Notice::Detail { link, app_id, uid, detail: detail() }),
                Output::Notice(Notice::OverRate {
                    link,
                    app_id: other_app_id,
                    uid: other_uid,
                    rate: Rate::Joins,
                }),
            ]
        );
    }

    #[test]
    fn refusals_of_a_user_are_noticed_now_and_then() {
        let mut shared = shared_at(NoticeLevel::Sessions);
        let alice = begin_linked_session(&mut shared, "alice");
        let bob = begin_linked_session(&mut shared, "bob");
        let next = shared.now() + REFUSAL_NOTICE_EVERY;
        let mut noticed = |now, session| {
            pass_time(&mut shared, now);
            shared.notice_banned(session, Forbidden::Send);
            shared.notice_over_rate(session, Rate::Sends);
            outputs(&mut shared).len()
        };
        assert_eq!(noticed(Instant::ORIGIN, alice), 1);
        assert_eq!(noticed(before(next), alice), 0);
        assert_eq!(noticed(before(next), bob), 1, "each user has its own");
        assert_eq!(noticed(next, alice), 1);
    }
}
