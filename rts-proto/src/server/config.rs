//! The configuration of one shard.

use alloc::collections::BTreeSet;
use core::num::NonZeroUsize;
use core::time::Duration;

use super::home_table::HomeTable;
use super::placement::Placement;
use crate::limits::{
    BACKEND_SENDS_PER_SECOND, BROADCASTS_PER_SECOND, JOINS_PER_SECOND,
    LARGE_ROOM_BROADCASTS_PER_SECOND, LOGIN_DEADLINE, LOGINS_PER_SECOND, POST_TIMEOUT, POST_WAIT,
    ROOM_BROADCASTS_PER_SECOND, ROOM_MEMBERS_MAX, SENDS_PER_SECOND, SERVER_SENDS_PER_SECOND,
    SESSION_GRACE, STATUS_QUERIES_PER_SECOND, UNREACHABLE_AFTER, USERS_REMEMBERED_MAX,
};
use crate::{AppId, UserId};

/// The rules and limits of one shard. A rate of 0 means no limit. The defaults are the contract's.
///
/// ```
/// use rts_proto::server::Config;
///
/// let mut config = Config::default();
/// config.sends_per_second = 50;
/// config.logins_per_second = 0;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Messages to users a second from one user.
    pub sends_per_second: u32,
    /// Broadcasts a second from one user.
    pub broadcasts_per_second: u32,
    /// Messages to the app server a second from one user.
    pub server_sends_per_second: u32,
    /// Status queries a second from one user.
    pub status_queries_per_second: u32,
    /// Rooms a second that one user may enter (§6.13). At least 256 may be entered at once after a
    /// pause. Without this limit, lists of members have no budget either (§6.3).
    pub joins_per_second: u32,
    /// Logins a second of one user; a resume does not count (§3.9).
    pub logins_per_second: u32,
    /// Broadcasts a second in a room of fewer than 500 members, all senders together.
    pub room_broadcasts_per_second: u32,
    /// Broadcasts a second in a room of 500 members or more, all senders together.
    pub large_room_broadcasts_per_second: u32,
    /// Messages a second from the back end of one app, of all kinds together. A message to n
    /// members of a room counts n. At least 600 may be sent at once after a pause.
    pub backend_sends_per_second: u32,
    /// Members of one room.
    pub room_members_max: NonZeroUsize,
    /// Links that have not logged in, all together. Further ones are closed with `Busy`.
    pub links_before_login_max: NonZeroUsize,
    /// Users without a session whose used-up rates are remembered (§8.3). Further users are not. 0:
    /// no user is, so a new login refills the rates.
    pub users_remembered_max: usize,
    /// From accepting a link to a successful login (§2.3). Zero: each link is closed before it can
    /// log in. A login that waits for other nodes of a cluster may take longer.
    pub login_deadline: Duration,
    /// A user that was silent for this long has status 2 (§7.1). Zero: nobody has status 1. A value
    /// of at least `session_grace`: nobody has status 2.
    pub unreachable_after: Duration,
    /// A session that was silent for this long is over (§4.10). Zero: a session ends as soon
    /// as it has begun.
    pub session_grace: Duration,
    /// Longest wait of a message for the app server, which is then given up (§11.8). Zero: a
    /// message that cannot be posted at once is given up.
    pub post_wait: Duration,
    /// Longest post to the app server, which is then given up (§11.7). Zero: each post is given up.
    pub post_timeout: Duration,
    /// User ids that no user can log in as. Messages to them get result 3.
    pub reserved_uids: BTreeSet<UserId>,
    /// The apps whose back ends get [`Report`](super::Report)s. No reports are made for other apps.
    pub reported_apps: BTreeSet<AppId>,
    /// Which shard of its node this is. Each shard has its part of the bounds that are for all
    /// users together.
    pub placement: Placement,
    /// The homes of users and rooms in a cluster. Absent for a node that is in no cluster.
    pub homes: Option<HomeTable>,
    /// Whether the other nodes of the cluster serve already, so that this shard has to learn what
    /// they know before it decides about anything.
    pub joins_cluster: bool,
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
            room_members_max: const { NonZeroUsize::new(ROOM_MEMBERS_MAX).expect("not 0") },
            links_before_login_max: const { NonZeroUsize::new(20_000).expect("not 0") },
            users_remembered_max: USERS_REMEMBERED_MAX,
            login_deadline: LOGIN_DEADLINE,
            unreachable_after: UNREACHABLE_AFTER,
            session_grace: SESSION_GRACE,
            post_wait: POST_WAIT,
            post_timeout: POST_TIMEOUT,
            reserved_uids: BTreeSet::new(),
            reported_apps: BTreeSet::new(),
            placement: Placement::ALONE,
            homes: None,
            joins_cluster: false,
        }
    }
}
