//! Asks nodes of a cluster to carry out the commands of back ends.

use std::time::Duration;

use rts_proto::UserId;
use rts_proto::server::{CommandError, Request, RequestId, Response};

use super::Run;
use super::back_end::banned;
use crate::names::{BACK_END, app_id, room_name, user_id};
use crate::oracles::Violation;
use crate::payload;
use crate::plan::Command;
use crate::trace::{Answer, Entry};

/// A request without a response.
pub(super) struct Requested {
    app: usize,
    serial: u64,
    command: Command,
    issued_before: u32,
}

impl Run<'_> {
    /// Asks one of the nodes, unless the cluster has yet to begin.
    pub(super) fn request(
        &mut self,
        app: usize,
        serial: u64,
        command: Command,
    ) -> Result<(), Violation> {
        let shards = self.world.all_shards();
        if shards.is_empty() {
            return Ok(());
        }
        let issued_before = self.token_second();
        if let Command::Revoke { user } = command {
            self.world.revoke(&app_id(app), user.map(user_id).as_ref(), issued_before);
        }
        self.note(Entry::Requested { app, serial, command, issued_before })?;
        match request(app, serial, command, issued_before) {
            Err(why) => {
                let answer = Answer::Refused(why);
                self.note(Entry::Commanded { app, serial, command, answer })
            }
            Ok(request) => {
                let shard = shards[usize::try_from(serial).unwrap_or(0) % shards.len()];
                let id = self.world.request(shard, &app_id(app), request);
                self.requested.insert(id, Requested { app, serial, command, issued_before });
                self.collect()
            }
        }
    }

    pub(super) fn responded(&mut self, id: RequestId, response: Response) -> Option<Entry> {
        let Requested { app, serial, command, issued_before } = self.requested.remove(&id)?;
        let answer = answer(command, response, issued_before);
        Some(Entry::Commanded { app, serial, command, answer })
    }
}

fn request(
    app: usize,
    serial: u64,
    command: Command,
    issued_before: u32,
) -> Result<Request, CommandError> {
    let from = UserId::new(BACK_END).expect("a user id");
    let make = |bytes, is_binary| payload::make(app, serial, bytes, is_binary);
    Ok(match command {
        Command::Unicast { to, bytes, is_binary } => {
            Request::unicast(from, user_id(to), make(bytes, is_binary))?
        }
        Command::Broadcast { room, bytes, is_binary } => {
            Request::broadcast_to_room(from, room_name(room), make(bytes, is_binary))?
        }
        Command::RoomUnicast { room, first, count, bytes, is_binary } => {
            let to = (first..first + count).map(user_id).collect();
            Request::unicast_in_room(from, room_name(room), to, make(bytes, is_binary))?
        }
        Command::Kick { room, user } => Request::Kick { room: room_name(room), uid: user_id(user) },
        Command::Dismiss { room } => Request::Dismiss { room: room_name(room) },
        Command::Ban { whom, seconds } => {
            Request::Ban { ban: banned(whom), interval: Duration::from_secs(seconds) }
        }
        Command::Disconnect { user } => Request::PutOut { uid: user_id(user) },
        Command::Revoke { user } => Request::Revoke { uid: user.map(user_id), issued_before },
        Command::Status { of } => Request::Status { uid: user_id(of) },
        Command::Members { room } => Request::Members { room: room_name(room) },
    })
}

fn answer(command: Command, response: Response, issued_before: u32) -> Answer {
    let count = |done: u64| usize::try_from(done).expect("there are few users");
    match (response, command) {
        (
            Response::Done(done),
            Command::Unicast { .. } | Command::Broadcast { .. } | Command::RoomUnicast { .. },
        ) => Answer::Queued(count(done)),
        (Response::Done(done), Command::Revoke { .. }) => {
            Answer::Revoked { issued_before, ended: count(done) }
        }
        (Response::Done(done), _) => Answer::Ended(count(done)),
        (Response::Refused(why), _) => Answer::Refused(why),
        (Response::Status(status), _) => Answer::Status(status),
        (Response::Members(members), _) => {
            let names = |all: Vec<UserId>| all.iter().map(|uid| uid.as_str().to_owned()).collect();
            Answer::Members(members.map(names))
        }
        (Response::Unanswered, _) => Answer::Unanswered,
        (response, _) => unreachable!("nobody asked for {response:?}"),
    }
}
