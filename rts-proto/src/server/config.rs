//! What one shard allows.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::limits::{
    BACKEND_SENDS_PER_SECOND, BROADCASTS_PER_SECOND, JOINS_PER_SECOND,
    LARGE_ROOM_BROADCASTS_PER_SECOND, LOGIN_DEADLINE, LOGINS_PER_SECOND, POST_TIMEOUT, POST_WAIT,
    ROOM_BROADCASTS_PER_SECOND, ROOM_MEMBERS_MAX, SENDS_PER_SECOND, SERVER_SENDS_PER_SECOND,
    SESSION_GRACE, STATUS_QUERIES_PER_SECOND, UNREACHABLE_AFTER, USERS_REMEMBERED_MAX,
};
use crate::{AppId, UserId};

/// What one shard allows. A rate of 0 means no limit. The defaults are the contract's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Messages to users a second from one user.
    pub sends_per_second: u32,
    /// Broadcasts a second from one user.
    pub broadcasts_per_second: u32,
    /// Messages to the app's server a second from one user.
    pub server_sends_per_second: u32,
    /// Status queries a second from one user.
    pub status_queries_per_second: u32,
    /// Rooms a second that one user may enter (§6.13). At least 256 may be entered at once after
    /// quiet. Without this limit there is none on how often their members are listed either (§6.3).
    pub joins_per_second: u32,
    /// Logins a second of one user, without those that resume (§3.9).
    pub logins_per_second: u32,
    /// Broadcasts a second in a room of fewer than 500 members, all senders together.
    pub room_broadcasts_per_second: u32,
    /// The same from 500 members on.
    pub large_room_broadcasts_per_second: u32,
    /// Messages a second from the back end of one app, all kinds together; one to n members of a
    /// room counts n. At least 600 may go at once after quiet.
    pub backend_sends_per_second: u32,
    /// Members of one room.
    pub room_members_max: usize,
    /// Links that have not logged in, all together. One more is turned away (close code `Busy`).
    pub links_before_login_max: usize,
    /// Users whose use of these rates is remembered when they have no session (§8.3); of more it is
    /// not.
    pub users_remembered_max: usize,
    /// From accepting a link to a successful login (§2.3).
    pub login_deadline: Duration,
    /// A user that was silent for this long has status 2 (§7.1).
    pub unreachable_after: Duration,
    /// A session that was silent for this long is over (§4.10).
    pub session_grace: Duration,
    /// A message for the app's server that waited for this long is given up (§11.8).
    pub post_wait: Duration,
    /// A post to the app's server that takes longer is given up (§11.7).
    pub post_timeout: Duration,
    /// User ids that nobody can log in as; messages to them get result 3.
    pub reserved_uids: BTreeSet<UserId>,
    /// The apps whose back ends are told who comes and goes ([`Report`](super::Report)). Of others
    /// nothing is made.
    pub reported_apps: BTreeSet<AppId>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sends_per_second: SENDS_PER_SECOND,
            broadcasts_per_second: BROADCASTS_PER_SECOND,
            server_sends_per_second: SERVER_SENDS_PER_SECOND,
            status_queries_per_second: STATUS_QUERIES_PER_SECOND,
            joins_per_second: JOINS_PER_SECOND,
            logins_per_second: LOGINS_PER_SECOND,
            room_broadcasts_per_second: ROOM_BROADCASTS_PER_SECOND,
            large_room_broadcasts_per_second: LARGE_ROOM_BROADCASTS_PER_SECOND,
            backend_sends_per_second: BACKEND_SENDS_PER_SECOND,
            room_members_max: ROOM_MEMBERS_MAX,
            links_before_login_max: 20_000,
            users_remembered_max: USERS_REMEMBERED_MAX,
            login_deadline: LOGIN_DEADLINE,
            unreachable_after: UNREACHABLE_AFTER,
            session_grace: SESSION_GRACE,
            post_wait: POST_WAIT,
            post_timeout: POST_TIMEOUT,
            reserved_uids: BTreeSet::new(),
            reported_apps: BTreeSet::new(),
        }
    }
}
