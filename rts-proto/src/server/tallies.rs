//! Tallies: data of users beside their sessions, so that another login does not reset it. A tally
//! has the used-up rates (§8.3), the waiting logins (§3.9), and the memberships that wait for the
//! user (§6.9).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::allowance::Allowance;
use super::config::Config;
use super::deadlines::{Deadline, Due};
use super::io::LeftBehind;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::LOGINS_WAITING_MAX;
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::table::Table;
use crate::{AppId, Instant, LinkId, RoomId, UserId};

/// An app has an entry while one of its users has a tally.
#[derive(Debug)]
pub(super) struct Tallies {
    apps: BTreeMap<AppId, Table<UserId, Box<Tally>>>,
    /// The number of tallies of all apps.
    len: usize,
    seed: u64,
}

/// Dropped as soon as it is empty: all rates are full, and nothing waits.
#[derive(Debug)]
struct Tally {
    logins: TokenBucket,
    /// Links whose logins are good and wait for their turn, in the order of their logins.
    queue: VecDeque<LinkId>,
    /// The rates as the last session left them.
    allowance: Option<Box<Allowance>>,
    /// Rooms in which a membership waits for the user. One room counts more than once when its
    /// shard has yet to report how a former wait ended.
    orphans: BTreeMap<RoomId, u32>,
    /// In a cluster, when all of them are over. A report of that may be lost with a node.
    orphans_until: Instant,
    /// When the tally is checked next, if it has to be.
    due: Option<Deadline>,
}

/// The turn of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// The login has a place in the queue.
    Later,
    /// The login cannot continue on this link.
    Never,
}

impl Tally {
    fn new(config: &Config, now: Instant) -> Self {
        Self {
            logins: TokenBucket::new(config.logins_per_second, now),
            queue: VecDeque::new(),
            allowance: None,
            orphans: BTreeMap::new(),
            orphans_until: Instant::ORIGIN,
            due: None,
        }
    }

    /// The turn of a login. Earlier logins go first.
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

    /// Takes the next link from the queue, if it has its turn.
    fn next_in_queue(&mut self, now: Instant) -> Option<LinkId> {
        let has_turn = !self.queue.is_empty() && self.logins.take(now);
        if has_turn { self.queue.pop_front() } else { None }
    }

    /// When the next login has its turn, or else when all rates are full again and all memberships
    /// have waited long enough.
    fn next_look(&self) -> Instant {
        let full_at = self.allowance.as_ref().map(|allowance| allowance.full_at());
        match self.queue.is_empty() {
            false => self.logins.ready_at(),
            true => self.logins.full_at().max(full_at.unwrap_or_default()).max(self.orphans_until),
        }
    }
}

impl Tallies {
    pub(super) fn new(seed: u64) -> Self {
        Self { apps: BTreeMap::new(), len: 0, seed }
    }

    /// §3.9: when a good login may continue.
    pub(super) fn turn_of(
        &mut self,
        shared: &Shared,
        app_id: &AppId,
        uid: &UserId,
        link: LinkId,
    ) -> Turn {
        match self.tally_for_rates(shared, app_id, uid) {
            Some(tally) => tally.turn_of(shared.now(), link),
            None => Turn::Now,
        }
    }

    /// The link of the login that has its turn now.
    pub(super) fn next_in_queue(
        &mut self,
        shared: &Shared,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<LinkId> {
        self.tally(app_id, uid)?.next_in_queue(shared.now())
    }

    /// The link of a waiting login is gone.
    pub(super) fn leave_queue(&mut self, app_id: &AppId, uid: &UserId, link: LinkId) {
        if let Some(tally) = self.tally(app_id, uid) {
            tally.queue.retain(|waiting| *waiting != link);
        }
    }

    /// Links of the user, or of all users of the app, whose logins wait for their turn, in the
    /// order of their logins.
    pub(super) fn queued(&self, app_id: &AppId, uid: Option<&UserId>) -> Vec<LinkId> {
        let Some(tallies) = self.apps.get(app_id) else { return Vec::new() };
        let uids = uid.map_or_else(|| tallies.sorted_keys(), |uid| alloc::vec![uid.clone()]);
        let tallies = uids.iter().filter_map(|uid| tallies.get(uid));
        let mut links: Vec<_> = tallies.flat_map(|tally| tally.queue.iter().copied()).collect();
        links.sort_unstable();
        links
    }

    /// The rates as the user's last session left them, for the next one.
    pub(super) fn take_allowance(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<Box<Allowance>> {
        self.tally(app_id, uid)?.allowance.take()
    }

    /// A session ended: the next one continues with its used-up rates.
    pub(super) fn keep_allowance(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        uid: &UserId,
        allowance: Option<Box<Allowance>>,
    ) {
        let used = allowance.filter(|allowance| allowance.full_at() > shared.now());
        if used.is_none() || planted(Bug::LoginRenewsRates) {
            return;
        }
        if let Some(tally) = self.tally_for_rates(shared, app_id, uid) {
            tally.allowance = used;
            self.arm(shared, app_id, uid);
        }
    }

    /// Rooms in which a membership waits for the user.
    pub(super) fn orphans(&self, app_id: &AppId, uid: &UserId) -> impl Iterator<Item = &RoomId> {
        self.find(app_id, uid).into_iter().flat_map(|tally| tally.orphans.keys())
    }

    pub(super) fn has_orphan(&self, app_id: &AppId, uid: &UserId, room: &RoomId) -> bool {
        self.find(app_id, uid).is_some_and(|tally| tally.orphans.contains_key(room))
    }

    pub(super) fn count_orphan_in(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        uid: &UserId,
        room: RoomId,
    ) {
        self.add_orphans(shared, app_id, uid, room, 1);
    }

    fn add_orphans(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        uid: &UserId,
        room: RoomId,
        count: u32,
    ) {
        let tally = self.tally_or_new(shared, app_id, uid);
        *tally.orphans.entry(room).or_default() += count;
        if shared.homes.are_in_cluster() {
            // Twice: a report of its end may take some time.
            tally.orphans_until = shared.now() + 2 * shared.config.session_grace;
            self.arm(shared, app_id, uid);
        }
    }

    /// A membership of the user waits for a session, or no longer.
    pub(super) fn count_orphan(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        uid: &UserId,
        room: &RoomId,
        waits: bool,
    ) {
        match waits {
            true => self.count_orphan_in(shared, app_id, uid, room.clone()),
            false => self.count_orphan_out(app_id, uid, room),
        }
    }

    pub(super) fn count_orphan_out(&mut self, app_id: &AppId, uid: &UserId, room: &RoomId) {
        let Some(tally) = self.tally(app_id, uid) else { return };
        let Some(count) = tally.orphans.get_mut(room) else { return };
        *count -= 1;
        if *count == 0 {
            tally.orphans.remove(room);
        }
        if tally.orphans.is_empty() && tally.due.is_none() {
            self.forget(app_id, uid);
        }
    }

    /// Users with something left of their sessions, in the order of their apps and ids.
    pub(super) fn with_left(&self) -> Vec<(AppId, UserId)> {
        let mut users = Vec::new();
        for (app_id, tallies) in &self.apps {
            let has_left = |uid: &UserId| {
                let tally = tallies.get(uid);
                tally.is_some_and(|tally| !tally.orphans.is_empty() || tally.allowance.is_some())
            };
            let uids = tallies.sorted_keys().into_iter().filter(has_left);
            users.extend(uids.map(|uid| (app_id.clone(), uid)));
        }
        users
    }

    /// The home of a room is gone, with its reports about former waits of a user: what it waits for
    /// counts once.
    pub(super) fn count_orphan_once(&mut self, app_id: &AppId, uid: &UserId, room: &RoomId) {
        if let Some(tally) = self.tally(app_id, uid)
            && let Some(count) = tally.orphans.get_mut(room)
        {
            *count = 1;
        }
    }

    /// Takes what is left of a user's sessions, for another shard.
    pub(super) fn take_left(
        &mut self,
        shared: &Shared,
        app_id: &AppId,
        uid: &UserId,
        displaced: Option<u64>,
    ) -> LeftBehind {
        let Some(tally) = self.tally(app_id, uid) else {
            return LeftBehind { displaced, ..LeftBehind::default() };
        };
        let orphans = core::mem::take(&mut tally.orphans).into_iter().collect();
        let used = tally.allowance.take().and_then(|allowance| allowance.used(shared.now()));
        if tally.due.is_none() {
            self.forget(app_id, uid);
        }
        LeftBehind { displaced, orphans, used }
    }

    /// Adds what another shard has left of a user's sessions.
    pub(super) fn put_left(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        uid: &UserId,
        left: LeftBehind,
    ) {
        for (room, count) in left.orphans {
            self.add_orphans(shared, app_id, uid, room, count);
        }
        if let Some(used) = left.used {
            let allowance = Allowance::with_used(&shared.config, shared.now(), &used);
            self.keep_allowance(shared, app_id, uid, Some(Box::new(allowance)));
        }
    }

    /// The deadline of the tally has passed. The caller finds the logins that have their turn with
    /// [`next_in_queue`](Self::next_in_queue), and then calls [`look_again`](Self::look_again).
    pub(super) fn has_come_due(&mut self, app_id: &AppId, uid: &UserId) {
        if let Some(tally) = self.tally(app_id, uid) {
            tally.due = None;
        }
    }

    /// Arms the next check of the tally, or forgets an empty one.
    pub(super) fn look_again(&mut self, shared: &mut Shared, app_id: &AppId, uid: &UserId) {
        self.arm(shared, app_id, uid);
        let Some(tally) = self.tally(app_id, uid) else { return };
        if tally.due.is_none() {
            tally.allowance = None;
            if shared.homes.are_in_cluster() {
                tally.orphans.clear();
            }
            if tally.orphans.is_empty() {
                self.forget(app_id, uid);
            }
        }
    }

    /// Arms the next check of the tally.
    pub(super) fn arm(&mut self, shared: &mut Shared, app_id: &AppId, uid: &UserId) {
        let Some(tally) = self.tally(app_id, uid) else { return };
        let next = tally.next_look();
        if next <= shared.now() || tally.due.as_ref().is_some_and(|due| due.at() <= next) {
            return;
        }
        let due = Due::tally(app_id, uid);
        match &mut tally.due {
            Some(deadline) => shared.deadlines.rearm(deadline, next, due),
            None => tally.due = Some(shared.deadlines.arm(next, due)),
        }
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    /// The number of tallies of all apps.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn find(&self, app_id: &AppId, uid: &UserId) -> Option<&Tally> {
        self.apps.get(app_id)?.get(uid).map(|tally| &**tally)
    }

    fn tally(&mut self, app_id: &AppId, uid: &UserId) -> Option<&mut Tally> {
        self.apps.get_mut(app_id)?.get_mut(uid).map(|tally| &mut **tally)
    }

    /// `None` when as many users are remembered as allowed.
    fn tally_for_rates(
        &mut self,
        shared: &Shared,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<&mut Tally> {
        let config = &shared.config;
        let has_room = self.len < config.placement.share(config.users_remembered_max);
        if has_room {
            Some(self.tally_or_new(shared, app_id, uid))
        } else {
            self.tally(app_id, uid)
        }
    }

    fn tally_or_new(&mut self, shared: &Shared, app_id: &AppId, uid: &UserId) -> &mut Tally {
        let seed = self.seed;
        let tallies = self.apps.entry(app_id.clone()).or_insert_with(|| Table::new(seed));
        if !tallies.contains_key(uid) {
            self.len += 1;
        }
        tallies.get_or_insert_with(uid, || Box::new(Tally::new(&shared.config, shared.now())))
    }

    fn forget(&mut self, app_id: &AppId, uid: &UserId) {
        let Some(tallies) = self.apps.get_mut(app_id) else { return };
        self.len -= usize::from(tallies.remove(uid).is_some());
        if tallies.is_empty() {
            self.apps.remove(app_id);
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { apps, len, seed: _ } = self;
        alloc::vec![("apps with tallies", apps.len()), ("tallies", *len)]
    }
}

#[cfg(test)]
mod tests;
