//! Executes the commands of the back ends.

use std::time::Duration;

use rts_proto::UserId;
use rts_proto::server::{Ban, CommandError};

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
        let answer = self.obeyed(app, serial, command);
        if let Command::Ban { whom, seconds } = command {
            match seconds {
                0 => self.bans.remove(&(app, whom)),
                _ => self.bans.insert((app, whom)),
            };
        }
        // The effects of the command are in the log, which is read after this entry.
        self.note(Entry::Commanded { app, serial, command, answer })?;
        self.collect()
    }

    fn obeyed(&mut self, number: usize, serial: u64, command: Command) -> Answer {
        let app = &app_id(number);
        let from = UserId::new(BACK_END).expect("a user id");
        let make = |bytes, is_binary| payload::make(number, serial, bytes, is_binary);
        let issued_before = self.token_second();
        if let Command::Revoke { user } = command {
            self.world.revoke(app, user.map(user_id).as_ref(), issued_before);
        }
        let queued = |sent: Result<usize, CommandError>| match sent {
            Ok(count) => Answer::Queued(count),
            Err(why) => Answer::Refused(why),
        };
        self.world.backend(|server, now| match command {
            Command::Unicast { to, bytes, is_binary } => {
                let content = make(bytes, is_binary);
                queued(server.unicast(now, app, from, &user_id(to), content))
            }
            Command::Broadcast { room, bytes, is_binary } => {
                let content = make(bytes, is_binary);
                queued(server.broadcast_to_room(now, app, &room_name(room), from, content))
            }
            Command::RoomUnicast { room, first, count, bytes, is_binary } => {
                let to: Vec<UserId> = (first..first + count).map(user_id).collect();
                let content = make(bytes, is_binary);
                queued(server.unicast_in_room(now, app, &room_name(room), from, &to, content))
            }
            Command::Kick { room, user } => {
                let was_there = server.kick(now, app, &room_name(room), &user_id(user));
                Answer::Ended(was_there.into())
            }
            Command::Dismiss { room } => Answer::Ended(server.dismiss(now, app, &room_name(room))),
            Command::Ban { whom, seconds } => {
                let whom = match whom {
                    Banned::Room(room) => Ban::Room(room_name(room)),
                    Banned::UserInRoom(room, user) => {
                        Ban::UserInRoom(room_name(room), user_id(user))
                    }
                    Banned::User(user) => Ban::User(user_id(user)),
                    Banned::Login(user) => Ban::Login(user_id(user)),
                };
                match server.ban(now, app, &whom, Duration::from_secs(seconds)) {
                    Ok(ended) => Answer::Ended(ended),
                    Err(why) => Answer::Refused(why),
                }
            }
            Command::Disconnect { user } => {
                Answer::Ended(server.put_out(now, app, &user_id(user)).into())
            }
            Command::Revoke { user } => {
                let uid = user.map(user_id);
                let ended = server.revoke(now, app, uid.as_ref(), issued_before);
                Answer::Revoked { issued_before, ended }
            }
            Command::Status { of } => Answer::Status(server.online_status(now, app, &user_id(of))),
            Command::Members { room } => {
                let members = server.room_members(app, &room_name(room));
                Answer::Members(members.map(|all| all.map(|uid| uid.as_str().to_owned()).collect()))
            }
        })
    }
}
