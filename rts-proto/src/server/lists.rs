//! Pages of users and rooms, figures of an app for its back end, and figures of the shard.

use alloc::collections::BTreeSet;

use super::figures::{AppStats, Page, RoomFigures, UserFigures};
use super::room::Room;
use super::session::Session;
use super::shard::Server;
use crate::{AppId, Instant, RoomId, UserId};

/// Figures of a server at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All links.
    pub links: usize,
    /// Links that have not logged in.
    pub links_before_login: usize,
    /// Sessions, with or without a link.
    pub sessions: usize,
    /// Apps with at least one entry: sessions, rooms, bans, posts or remembered users.
    pub apps: usize,
    /// Rooms with at least one member.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans in force.
    pub bans: usize,
    /// Users who are remembered beside their sessions.
    pub users_remembered: usize,
    /// Bytes kept until they are acknowledged.
    pub window_bytes: usize,
    /// Messages for app servers that wait to be posted.
    pub posts_waiting: usize,
    /// Messages that are being posted.
    pub posts_under_way: usize,
    /// Bytes of payloads, signatures and URLs of waiting messages and of posts.
    pub post_bytes: usize,
}

impl Stats {
    /// The figures of two parts of a node together, without those of apps: both parts may know an
    /// app.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            links: self.links + other.links,
            links_before_login: self.links_before_login + other.links_before_login,
            sessions: self.sessions + other.sessions,
            apps: 0,
            rooms: self.rooms + other.rooms,
            memberships: self.memberships + other.memberships,
            // Every shard has all bans.
            bans: self.bans.max(other.bans),
            users_remembered: self.users_remembered + other.users_remembered,
            window_bytes: self.window_bytes + other.window_bytes,
            posts_waiting: self.posts_waiting + other.posts_waiting,
            posts_under_way: self.posts_under_way + other.posts_under_way,
            post_bytes: self.post_bytes + other.post_bytes,
        }
    }
}

impl Server {
    /// The present figures. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let app_ids = self.app_ids();
        let sum = |of_app: &dyn Fn(&AppId) -> usize| app_ids.iter().map(|id| of_app(id)).sum();
        let posts_under_way = self.posts.under_way();
        Stats {
            links: self.links.len(),
            links_before_login: self.links.before_login(),
            sessions: self.sessions(),
            apps: app_ids.len(),
            rooms: sum(&|app_id| self.rooms.len(app_id)),
            memberships: sum(&|app_id| self.rooms.memberships(app_id)),
            bans: sum(&|app_id| self.bans.len(app_id)),
            users_remembered: self.tallies.len(),
            window_bytes: self.shared.sessions.window_bytes(),
            posts_waiting: self.posts.len() - posts_under_way,
            posts_under_way,
            post_bytes: self.posts.bytes(),
        }
    }

    /// Apps of which a part has an entry.
    pub(super) fn app_ids(&self) -> BTreeSet<&AppId> {
        let users = self.users.app_ids().chain(self.tallies.app_ids());
        let rooms = self.rooms.app_ids().chain(self.bans.app_ids());
        let back_ends = self.posts.app_ids().chain(self.back_end_rates.app_ids());
        users.chain(rooms).chain(back_ends).collect()
    }

    /// At most `limit` users of an app with a session, after `after` in the order of their ids.
    /// Looks at all users of the app.
    #[must_use]
    pub fn users_page(
        &self,
        now: Instant,
        app_id: &AppId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Page<UserFigures> {
        let now = now.max(self.shared.now());
        let uids = self.users.page(app_id, after, limit.saturating_add(1));
        let has_more = uids.len() > limit;
        let figures = |uid: &UserId| {
            let number = self.users.find(app_id, uid.as_str())?;
            let session = self.shared.session(number)?;
            Some(UserFigures {
                uid: uid.clone(),
                status: self.status_of(now, app_id, uid.as_str()),
                silent_for: now.since(session.last_heard()),
                rooms: session.rooms.len(),
                window_bytes: session.flow.settled_bytes(),
            })
        };
        let items = uids.into_iter().take(limit).filter_map(figures).collect();
        Page { items, has_more, total: self.users.len(app_id) }
    }

    /// At most `limit` rooms of an app, after `after` in the order of their ids.
    #[must_use]
    pub fn rooms_page(
        &self,
        app_id: &AppId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Page<RoomFigures> {
        let mut rest = self.rooms.after(app_id, after);
        let figures =
            |(id, room): (&RoomId, &Room)| RoomFigures { room: id.clone(), members: room.len() };
        let items = rest.by_ref().take(limit).map(figures).collect();
        Page { items, has_more: rest.next().is_some(), total: self.rooms.len(app_id) }
    }

    /// The members of a room in the order of their ids; `None` when the room does not exist. Users
    /// whose session has no link, or was superseded and who may return (§6.9), are members.
    #[must_use]
    pub fn room_members(
        &self,
        app_id: &AppId,
        room_id: &RoomId,
    ) -> Option<impl ExactSizeIterator<Item = &UserId> + use<'_>> {
        Some(self.rooms.find(app_id, room_id)?.uids())
    }

    /// The present figures of an app. Looks at all of its users and rooms, and at no other app.
    #[must_use]
    pub fn app_stats(&self, app_id: &AppId) -> AppStats {
        let sessions = || {
            let numbers = self.users.sessions(app_id);
            numbers.filter_map(|number| self.shared.session(number))
        };
        AppStats {
            users: self.users.len(app_id),
            connected: sessions().filter(|session| session.link().is_some()).count(),
            rooms: self.rooms.len(app_id),
            memberships: self.rooms.memberships(app_id),
            bans: self.bans.len(app_id),
            window_bytes: sessions().map(|session: &Session| session.flow.settled_bytes()).sum(),
        }
    }
}
