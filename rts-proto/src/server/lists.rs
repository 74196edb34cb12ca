//! What is there, for the app's back end: pages of users and rooms, and an app's figures.

use core::ops::Bound;
use core::time::Duration;

use alloc::vec::Vec;

use super::Server;
use crate::{AppId, Instant, OnlineStatus, RoomId, UserId};

/// Some of many, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Those of this page.
    pub items: Vec<T>,
    /// Whether there are more behind the last of them.
    pub has_more: bool,
    /// How many there are on all pages.
    pub total: usize,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFigures {
    /// Who.
    pub uid: UserId,
    /// Online, or unreachable (§7.1).
    pub status: OnlineStatus,
    /// Since the last byte heard from it.
    pub silent_for: Duration,
    /// The rooms that its session is in.
    pub rooms: usize,
    /// Bytes that it has not acknowledged.
    pub window_bytes: usize,
}

/// A room with members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomFigures {
    /// Which.
    pub room: RoomId,
    /// How many are in it.
    pub members: usize,
}

/// What an app has at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppStats {
    /// Users with a session.
    pub users: usize,
    /// Those of them that have a link.
    pub connected: usize,
    /// Rooms with at least one member.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans that last, of all kinds.
    pub bans: usize,
    /// Bytes kept until they are acknowledged.
    pub window_bytes: usize,
}

impl Server {
    /// At most `limit` users of an app that have a session, those behind `after` in the order of
    /// their ids. Looks at all users of the app.
    #[must_use]
    pub fn users_page(
        &self,
        now: Instant,
        app_id: &AppId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Page<UserFigures> {
        let now = now.max(self.now);
        let Some(app) = self.apps.get(app_id) else { return Page::none() };
        let uids = app.users.keys_after(after, limit.saturating_add(1));
        let has_more = uids.len() > limit;
        let figures = |uid: &UserId| {
            let session = self.sessions.get(*app.users.get(uid)?)?;
            Some(UserFigures {
                uid: uid.clone(),
                status: self.status_of(now, app_id, uid.as_str()),
                silent_for: now.since(session.last_heard),
                rooms: session.rooms.len(),
                window_bytes: session.channel.unacked_bytes(),
            })
        };
        let items = uids.into_iter().take(limit).filter_map(figures).collect();
        Page { items, has_more, total: app.users.len() }
    }

    /// At most `limit` rooms of an app, those behind `after` in the order of their ids.
    #[must_use]
    pub fn rooms_page(
        &self,
        app_id: &AppId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Page<RoomFigures> {
        let Some(app) = self.apps.get(app_id) else { return Page::none() };
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut rest = app.rooms.range::<RoomId, _>(behind);
        let figures = |(id, room): (&RoomId, &super::rooms::Room)| RoomFigures {
            room: id.clone(),
            members: room.members.len(),
        };
        let items = rest.by_ref().take(limit).map(figures).collect();
        Page { items, has_more: rest.next().is_some(), total: app.rooms.len() }
    }

    /// What an app has now. Looks at all its users and rooms, and at those of no other app.
    #[must_use]
    pub fn app_stats(&self, app_id: &AppId) -> AppStats {
        let Some(app) = self.apps.get(app_id) else { return AppStats::default() };
        let sessions = || app.users.values().filter_map(|number| self.sessions.get(*number));
        AppStats {
            users: app.users.len(),
            connected: sessions().filter(|session| session.link.is_some()).count(),
            rooms: app.rooms.len(),
            memberships: app.rooms.values().map(|room| room.members.len()).sum(),
            bans: app.bans.len(),
            window_bytes: sessions().map(|session| session.channel.unacked_bytes()).sum(),
        }
    }
}

impl<T> Page<T> {
    fn none() -> Self {
        Self { items: Vec::new(), has_more: false, total: 0 }
    }
}
