//! Executes the commands of the back ends.

use std::time::Duration;

use rts_proto::UserId;
use rts_proto::server::{self, Ban, Returned, Shards as _};

use super::Run;
use crate::names::{BACK_END, app_id, room_name, user_id};
use crate::oracles::Violation;
use crate::payload;
use crate::plan::{Banned, Command};
use crate::trace::{Answer, Entry};

impl Run<'_> {
    pub(super) fn command(&mut self, app: usize, command: Command) -> Result<(), Violation> {
        self.calls += 1;
        let serial = self.next_serial();
        if let Command::Ban { whom, seconds } = command {
            match seconds {
                0 => self.bans.remove(&(app, whom)),
                _ => self.bans.insert((app, whom)),
            };
        }
        if self.plan.swarm.shape.is_cluster() {
            return self.request(app, serial, command);
        }
        let answer = self.obeyed(app, serial, command);
        // The effects of the command are in the log, which is read after this entry.
        self.note(Entry::Commanded { app, serial, command, answer })?;
        self.collect()
    }

    fn obeyed(&mut self, number: usize, serial: u64, command: Command) -> Answer {
        let app_id = &app_id(number);
        let from = &UserId::new(BACK_END).expect("a user id");
        let make = |bytes, is_binary| payload::make(number, serial, bytes, is_binary);
        let issued_before = self.token_second();
        if let Command::Revoke { user } = command {
            self.world.revoke(app_id, user.map(user_id).as_ref(), issued_before);
        }
        let world = &mut self.world;
        match command {
            Command::Unicast { to, bytes, is_binary } => {
                let (to, payload) = (&user_id(to), &make(bytes, is_binary));
                queued(world.command(server::Command::Unicast { app_id, from, to, payload }))
            }
            Command::Broadcast { room, bytes, is_binary } => {
                let (room_id, payload) = (&room_name(room), &make(bytes, is_binary));
                let command = server::Command::BroadcastToRoom { app_id, room_id, from, payload };
                queued(world.command(command))
            }
            Command::RoomUnicast { room, first, count, bytes, is_binary } => {
                let to: &[UserId] = &(first..first + count).map(user_id).collect::<Vec<_>>();
                let (room_id, payload) = (&room_name(room), &make(bytes, is_binary));
                let command = server::Command::UnicastInRoom { app_id, room_id, from, to, payload };
                queued(world.command(command))
            }
            Command::Kick { room, user } => {
                let (room_id, uid) = (&room_name(room), &user_id(user));
                ended(world.command(server::Command::Kick { app_id, room_id, uid }))
            }
            Command::Dismiss { room } => {
                let room_id = &room_name(room);
                ended(world.command(server::Command::Dismiss { app_id, room_id }))
            }
            Command::Ban { whom, seconds } => {
                let (ban, interval) = (&banned(whom), Duration::from_secs(seconds));
                ended(world.command(server::Command::Ban { app_id, ban, interval }))
            }
            Command::Disconnect { user } => {
                let uid = &user_id(user);
                ended(world.command(server::Command::PutOut { app_id, uid }))
            }
            Command::Revoke { user } => {
                let uid = user.map(user_id);
                let uid = uid.as_ref();
                let command = server::Command::Revoke { app_id, uid, issued_before };
                match world.command(command) {
                    Returned::Count(ended) => Answer::Revoked { issued_before, ended },
                    other => unreachable!("a revocation returns a count, not {other:?}"),
                }
            }
            Command::Status { of } => Answer::Status(world.online_status(app_id, &user_id(of))),
            Command::Members { room } => {
                let members = world.room_members(app_id, &room_name(room));
                let names =
                    |all: Vec<UserId>| all.iter().map(|uid| uid.as_str().to_owned()).collect();
                Answer::Members(members.map(names))
            }
        }
    }
}

/// The subject of a ban.
pub(super) fn banned(whom: Banned) -> Ban {
    match whom {
        Banned::Room(room) => Ban::Room(room_name(room)),
        Banned::UserInRoom(room, user) => Ban::UserInRoom(room_name(room), user_id(user)),
        Banned::User(user) => Ban::User(user_id(user)),
        Banned::Login(user) => Ban::Login(user_id(user)),
    }
}

/// The answer to a command that sends.
fn queued(returned: Returned) -> Answer {
    match returned {
        Returned::Result(Ok(count)) => Answer::Queued(count),
        Returned::Result(Err(why)) => Answer::Refused(why),
        other => unreachable!("a send returns a result, not {other:?}"),
    }
}

/// The answer to a command that removes.
fn ended(returned: Returned) -> Answer {
    match returned {
        Returned::Whether(was_there) => Answer::Ended(was_there.into()),
        Returned::Count(count) | Returned::Result(Ok(count)) => Answer::Ended(count),
        Returned::Result(Err(why)) => Answer::Refused(why),
        Returned::Nothing => unreachable!("only a shutdown returns nothing"),
    }
}
