//! The shards of a node as one server: which shards a command or a question concerns, and how their
//! answers become one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::ban::Ban;
use super::command::{Command, Returned};
use super::command_error::CommandError;
use super::figures::{AppStats, Page, RoomFigures, UserFigures, joined};
use super::lists::Stats;
use super::placement::{Placement, ShardId};
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::{AppId, Instant, OnlineStatus, RoomId, UserId};

/// The shards of a node. Drivers implement the two required methods.
///
/// A command that concerns several shards is given to one after the other. Two such commands must
/// not run at the same time, or the shards would differ in which of two bans is the later one.
/// `&mut self` sees to that.
pub trait Shards {
    /// How users and rooms are distributed over the shards. The shard whose placement it is gets
    /// the commands first that concern all.
    fn placement(&self) -> Placement;

    /// Calls one shard at the present moment.
    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T;

    /// Runs a command on the shards that it concerns.
    fn command(&mut self, command: Command<'_>) -> Returned {
        let placement = self.placement();
        match command {
            Command::Unicast { app_id, to, .. } => {
                let shard = placement.of_user(app_id, to.as_str());
                self.charged(app_id, shard, 1, command)
            }
            Command::BroadcastToRoom { app_id, room_id, .. } => {
                self.charged(app_id, placement.of_room(app_id, room_id), 1, command)
            }
            Command::UnicastInRoom { app_id, room_id, to, .. } => {
                self.charged(app_id, placement.of_room(app_id, room_id), to.len(), command)
            }
            Command::Charge { app_id, .. } => self.command_to(placement.of_app(app_id), command),
            Command::Kick { app_id, room_id, .. } | Command::Dismiss { app_id, room_id } => {
                self.command_to(placement.of_room(app_id, room_id), command)
            }
            Command::PutOut { app_id, uid } => {
                self.command_to(placement.of_user(app_id, uid.as_str()), command)
            }
            Command::Ban { .. } if planted(Bug::BanOfOneShard) => {
                self.command_to(placement.own(), command)
            }
            Command::Drain { links_max, retry_after_max } => {
                Returned::Count(self.drain(links_max, retry_after_max))
            }
            Command::Shutdown { .. }
            | Command::Reopen
            | Command::Ban { .. }
            | Command::Unban { .. }
            | Command::Revoke { .. } => self.command_to_all(placement.own(), command),
        }
    }

    /// Empties all shards, as [`Server::drain`] does one. `links_max` is for all together. Returns
    /// the number of closed links that had logged in.
    fn drain(&mut self, links_max: usize, retry_after_max: Duration) -> usize {
        let shards = self.placement().shards();
        shards.fold(0, |closed, shard| {
            let links_max = links_max - closed;
            closed + self.shard(shard, |server, now| server.drain(now, links_max, retry_after_max))
        })
    }

    /// The number of sessions, also of those without a link.
    fn sessions(&mut self) -> usize {
        self.ask_all(|server, _| server.sessions()).into_iter().sum()
    }

    /// Whether a ban can be set: every shard has all bans.
    fn check_ban(&mut self, app_id: &AppId, ban: &Ban) -> Result<(), CommandError> {
        self.shard(self.placement().own(), |server, _| server.check_ban(app_id, ban))
    }

    /// §7.1: the status of a user.
    fn online_status(&mut self, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        let shard = self.placement().of_user(app_id, uid.as_str());
        self.shard(shard, |server, now| server.online_status(now, app_id, uid))
    }

    /// The members of a room in the order of their ids; `None` when the room does not exist.
    fn room_members(&mut self, app_id: &AppId, room_id: &RoomId) -> Option<Vec<UserId>> {
        let shard = self.placement().of_room(app_id, room_id);
        self.shard(shard, |server, _| {
            Some(server.room_members(app_id, room_id)?.cloned().collect())
        })
    }

    /// At most `limit` users of an app with a session, after `after` in the order of their ids.
    fn users_page(
        &mut self,
        app_id: &AppId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Page<UserFigures> {
        let page = |server: &mut Server, now| server.users_page(now, app_id, after, limit);
        let pages = self.ask_all(page);
        joined(pages, limit, |user| &user.uid)
    }

    /// At most `limit` rooms of an app, after `after` in the order of their ids.
    fn rooms_page(
        &mut self,
        app_id: &AppId,
        after: Option<&RoomId>,
        limit: usize,
    ) -> Page<RoomFigures> {
        let pages = self.ask_all(|server, _| server.rooms_page(app_id, after, limit));
        joined(pages, limit, |room| &room.room)
    }

    /// The present figures of an app.
    fn app_stats(&mut self, app_id: &AppId) -> AppStats {
        let of_shards = self.ask_all(|server, _| server.app_stats(app_id)).into_iter();
        of_shards.fold(AppStats::default(), AppStats::plus)
    }

    /// The present figures of the node.
    fn stats(&mut self) -> Stats {
        Stats::of_node(self.ask_all(|server, _| server.stats_part()))
    }

    /// Asks every shard.
    fn ask_all<T>(&mut self, mut question: impl FnMut(&mut Server, Instant) -> T) -> Vec<T> {
        let shards = self.placement().shards();
        shards.map(|shard| self.shard(shard, &mut question)).collect()
    }

    /// Runs a command of a back end that counts in its rate, which the app's shard has.
    #[doc(hidden)]
    fn charged(
        &mut self,
        app_id: &AppId,
        shard: ShardId,
        count: usize,
        command: Command<'_>,
    ) -> Returned {
        let of_app = self.placement().of_app(app_id);
        if of_app != shard {
            if let Err(error) = command.check() {
                return Returned::Result(Err(error));
            }
            let charge = Command::Charge { app_id, count };
            if let refused @ Returned::Result(Err(_)) = self.command_to(of_app, charge) {
                return refused;
            }
        }
        self.command_to(shard, command)
    }

    /// Runs a command on one shard.
    #[doc(hidden)]
    fn command_to(&mut self, shard: ShardId, command: Command<'_>) -> Returned {
        self.shard(shard, |server, now| server.command(now, command))
    }

    /// Runs a command on one shard, and then on all others unless it failed there.
    #[doc(hidden)]
    fn command_to_all(&mut self, first: ShardId, command: Command<'_>) -> Returned {
        let others = self.placement().shards().filter(|shard| *shard != first);
        let mut sum = self.command_to(first, command);
        for shard in others {
            if let Returned::Result(Err(_)) = sum {
                return sum;
            }
            sum = added(sum, self.command_to(shard, command));
        }
        sum
    }
}

impl Server {
    /// The part of this shard in [`Stats::of_node`].
    #[must_use]
    pub fn stats_part(&self) -> StatsPart {
        StatsPart { stats: self.stats(), app_ids: self.app_ids().into_iter().cloned().collect() }
    }
}

/// The present figures of a shard, and the apps that it knows.
#[derive(Clone, Debug)]
pub struct StatsPart {
    stats: Stats,
    app_ids: BTreeSet<AppId>,
}

impl Stats {
    /// The figures of a node, from those of all its shards. An app counts once, however many shards
    /// know it.
    #[must_use]
    pub fn of_node(parts: impl IntoIterator<Item = StatsPart>) -> Self {
        let mut app_ids = BTreeSet::new();
        let sum = parts.into_iter().fold(Self::default(), |sum, part| {
            app_ids.extend(part.app_ids);
            sum.plus(part.stats)
        });
        Self { apps: app_ids.len(), ..sum }
    }
}

/// The return value of a command on two shards.
fn added(one: Returned, other: Returned) -> Returned {
    match (one, other) {
        (Returned::Whether(one), Returned::Whether(other)) => Returned::Whether(one || other),
        (Returned::Count(one), Returned::Count(other)) => Returned::Count(one + other),
        (Returned::Result(one), Returned::Result(other)) => {
            Returned::Result(both(one, other).map(|(one, other)| one + other))
        }
        (Returned::Nothing, Returned::Nothing) => Returned::Nothing,
        (one, other) => {
            debug_assert!(false, "one command returns values of one kind: {one:?} and {other:?}");
            one
        }
    }
}

fn both(
    one: Result<usize, CommandError>,
    other: Result<usize, CommandError>,
) -> Result<(usize, usize), CommandError> {
    Ok((one?, other?))
}
