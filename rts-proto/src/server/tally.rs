//! What is known of a user beside its session, so that another login renews nothing: what it used
//! of its rates (§8.3), its logins that wait for their turn (§3.9), and how many memberships wait
//! for it (§6.9).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::link::Phase;
use super::login::Pass;
use super::rooms::App;
use super::timers::Due;
use super::{Config, Server};
use crate::limits::{
    JOINS_BURST_MIN, LOGINS_WAITING_MAX, MEMBER_LIST_BYTES_BURST, MEMBER_LIST_BYTES_PER_SECOND,
};
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::wire::Login;
use crate::{AppId, Instant, LinkId, UserId};

/// What a user may still do. It is its session's while there is one.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) sends: TokenBucket,
    pub(super) broadcasts: TokenBucket,
    pub(super) server_sends: TokenBucket,
    /// Apart, so that setting params takes nothing from the messages behind it.
    pub(super) server_params: TokenBucket,
    pub(super) statuses: TokenBucket,
    pub(super) joins: TokenBucket,
    /// Bytes of answers that list members.
    pub(super) member_lists: TokenBucket,
    /// When it was told last that something was too much, or banned.
    pub(super) refusal_told: Option<Instant>,
}

impl Allowance {
    pub(super) fn full(config: &Config, now: Instant) -> Self {
        let joins = config.joins_per_second;
        let list_bytes = if joins == 0 { 0 } else { MEMBER_LIST_BYTES_PER_SECOND };
        Self {
            sends: TokenBucket::new(config.sends_per_second, now),
            broadcasts: TokenBucket::new(config.broadcasts_per_second, now),
            server_sends: TokenBucket::new(config.server_sends_per_second, now),
            server_params: TokenBucket::new(config.server_sends_per_second, now),
            statuses: TokenBucket::new(config.status_queries_per_second, now),
            joins: TokenBucket::with_burst(joins, joins.max(JOINS_BURST_MIN), now),
            member_lists: TokenBucket::with_burst(list_bytes, MEMBER_LIST_BYTES_BURST, now),
            refusal_told: None,
        }
    }

    /// When nothing is missing from it any more.
    fn full_at(&self) -> Instant {
        let Self { sends, broadcasts, server_sends, server_params, .. } = self;
        let Self { statuses, joins, member_lists, .. } = self;
        let buckets =
            [sends, broadcasts, server_sends, server_params, statuses, joins, member_lists];
        buckets.map(TokenBucket::full_at).into_iter().max().unwrap_or_default()
    }
}

/// Forgotten as soon as it says nothing: when all rates are full again, and nothing waits.
#[derive(Debug)]
pub(super) struct Tally {
    logins: TokenBucket,
    /// Links whose logins are good and wait for their turn, in the order in which they came.
    queue: VecDeque<LinkId>,
    /// What the last session left.
    allowance: Option<Box<Allowance>>,
    /// Memberships that wait for the user.
    orphans: usize,
    /// When it is looked at, if it has to be.
    due: Option<Instant>,
}

/// When a login may go on.
enum Turn {
    Now,
    /// It has its place in the queue.
    Later,
    /// Not on this link.
    Never,
}

impl Tally {
    fn new(config: &Config, now: Instant) -> Self {
        Self {
            logins: TokenBucket::new(config.logins_per_second, now),
            queue: VecDeque::new(),
            allowance: None,
            orphans: 0,
            due: None,
        }
    }

    pub(super) fn take_allowance(self: &mut Box<Self>) -> Option<Box<Allowance>> {
        self.allowance.take()
    }

    pub(super) fn orphans(&self) -> usize {
        self.orphans
    }

    /// Of logins that wait, the first goes first.
    fn turn_of(&mut self, now: Instant, link: LinkId) -> Turn {
        if planted(Bug::LoginPaceIgnored) || self.queue.is_empty() && self.logins.take(now) {
            Turn::Now
        } else if self.queue.len() < LOGINS_WAITING_MAX {
            self.queue.push_back(link);
            Turn::Later
        } else {
            Turn::Never
        }
    }

    /// Whose turn it is.
    fn next_in_queue(&mut self, now: Instant) -> Option<LinkId> {
        let has_turn = !self.queue.is_empty() && self.logins.take(now);
        if has_turn { self.queue.pop_front() } else { None }
    }

    /// When the next login has its turn, or else when all rates are full again.
    fn next_look(&self) -> Instant {
        let full_at = self.allowance.as_ref().map(|allowance| allowance.full_at());
        match self.queue.is_empty() {
            false => self.logins.ready_at(),
            true => self.logins.full_at().max(full_at.unwrap_or_default()),
        }
    }
}

impl Server {
    /// §3.9: the login is good, and goes on now or when it has its turn.
    pub(super) fn admit(&mut self, now: Instant, link: LinkId, asked: Box<Login>, pass: Pass) {
        if self.config.logins_per_second == 0 {
            return self.accept(now, link, *asked, pass);
        }
        let (app_id, uid) = (asked.app_id.clone(), asked.uid.clone());
        let turn = match self.tally_for_rates(now, &app_id, &uid) {
            Some(tally) => tally.turn_of(now, link),
            None => Turn::Now,
        };
        match (turn, self.opening(link)) {
            (Turn::Later, Some(opening)) => opening.phase = Phase::Queued { asked, pass },
            (Turn::Later, None) => {}
            (Turn::Now, _) => self.accept(now, link, *asked, pass),
            (Turn::Never, _) => self.turn_away_login(link, &asked),
        }
        self.arm_tally(now, &app_id, &uid);
    }

    /// Links of the user, or of all users of the app, whose logins wait for their turn, in the order
    /// in which they were accepted.
    pub(super) fn queued_logins(&self, app_id: &AppId, uid: Option<&UserId>) -> Vec<LinkId> {
        let Some(app) = self.apps.get(app_id) else { return Vec::new() };
        let uids = uid.map_or_else(|| app.tallies.sorted_keys(), |uid| alloc::vec![uid.clone()]);
        let tallies = uids.iter().filter_map(|uid| app.tallies.get(uid));
        let mut links: Vec<_> = tallies.flat_map(|tally| tally.queue.iter().copied()).collect();
        links.sort_unstable();
        links
    }

    /// The link of a login that waits is gone.
    pub(super) fn leave_queue(&mut self, asked: &Login, link: LinkId) {
        if let Some(tally) = self.tally(&asked.app_id, &asked.uid) {
            tally.queue.retain(|waiting| *waiting != link);
        }
    }

    /// A session is over: what is missing from its rates is missing from the next one's.
    pub(super) fn keep_allowance(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: &UserId,
        allowance: Option<Box<Allowance>>,
    ) {
        let used = allowance.filter(|allowance| allowance.full_at() > now);
        if used.is_none() || planted(Bug::LoginRenewsRates) {
            return;
        }
        if let Some(tally) = self.tally_for_rates(now, app_id, uid) {
            tally.allowance = used;
            self.arm_tally(now, app_id, uid);
        }
    }

    pub(super) fn count_orphan_in(&mut self, app_id: &AppId, uid: &UserId) {
        let now = self.now;
        if let Some(tally) = self.tally_or_new(now, app_id, uid) {
            tally.orphans += 1;
        }
    }

    pub(super) fn count_orphan_out(&mut self, app_id: &AppId, uid: &UserId) {
        let Some(tally) = self.tally(app_id, uid) else { return };
        tally.orphans -= 1;
        if tally.orphans == 0 && tally.due.is_none() {
            self.forget_tally(app_id, uid);
        }
    }

    /// Logins have their turn, or all rates are full again.
    pub(super) fn tally_due(&mut self, now: Instant, app_id: &AppId, uid: &UserId) {
        if let Some(tally) = self.tally(app_id, uid) {
            tally.due = None;
        }
        while let Some(link) = self.tally(app_id, uid).and_then(|tally| tally.next_in_queue(now)) {
            let Some(opening) = self.opening(link) else { continue };
            let phase = core::mem::replace(&mut opening.phase, Phase::Waiting);
            if let Phase::Queued { asked, pass } = phase {
                self.accept(now, link, *asked, pass);
            }
        }
        self.arm_tally(now, app_id, uid);
        let Some(tally) = self.tally(app_id, uid) else { return };
        if tally.due.is_none() {
            tally.allowance = None;
            if tally.orphans == 0 {
                self.forget_tally(app_id, uid);
                self.forget_empty_app(app_id);
            }
        }
    }

    fn tally(&mut self, app_id: &AppId, uid: &UserId) -> Option<&mut Box<Tally>> {
        self.apps.get_mut(app_id)?.tallies.get_mut(uid)
    }

    /// `None` when as many users are remembered as may be.
    fn tally_for_rates(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<&mut Box<Tally>> {
        let has_room = self.users_remembered < self.config.users_remembered_max;
        if has_room { self.tally_or_new(now, app_id, uid) } else { self.tally(app_id, uid) }
    }

    fn tally_or_new(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<&mut Box<Tally>> {
        let app = self.apps.entry(app_id.clone()).or_insert_with(|| App::new(self.seed));
        if !app.tallies.contains_key(uid) {
            app.tallies.insert(uid.clone(), Box::new(Tally::new(&self.config, now)));
            self.users_remembered += 1;
        }
        app.tallies.get_mut(uid)
    }

    fn forget_tally(&mut self, app_id: &AppId, uid: &UserId) {
        let tally = self.apps.get_mut(app_id).and_then(|app| app.tallies.remove(uid));
        self.users_remembered -= usize::from(tally.is_some());
    }

    /// Has the tally looked at when there will be something to do.
    fn arm_tally(&mut self, now: Instant, app_id: &AppId, uid: &UserId) {
        let Some(tally) = self.tally(app_id, uid) else { return };
        let next = tally.next_look();
        if next <= now || tally.due.is_some_and(|due| due <= next) {
            return;
        }
        let moved = tally.due.replace(next);
        if let Some(due) = moved {
            self.due.remove(&(due, Due::tally(app_id, uid)));
        }
        self.due.insert((next, Due::tally(app_id, uid)));
    }
}
