//! The answers to commands.

use std::collections::BTreeSet;

use rts_proto::OnlineStatus;
use rts_proto::limits::{
    PAYLOAD_BYTES_MAX, ROOM_UNICAST_PAYLOAD_BYTES_MAX, ROOM_UNICAST_RECEIVERS_MAX,
};
use rts_proto::server::CommandError;

use crate::model::Model;
use crate::names::{room_id, uid};
use crate::oracles::{Violation, ensure};
use crate::plan::{Banned, Command};
use crate::swarm::APPS_REPORTED;
use crate::trace::Answer;

/// The answer agrees with the reports, and the command was accepted if no limit forbids it.
pub(super) fn is_true(
    model: &Model,
    app: usize,
    command: Command,
    answer: &Answer,
) -> Result<(), Violation> {
    let known = model.reported.get(&app).cloned().unwrap_or_default();
    let knows = app < APPS_REPORTED;
    let members = |room| known.rooms.get(&room_id(room));
    let is_member = |room, user| members(room).is_some_and(|all| all.contains(&uid(user)));
    let is_long = |bytes, max| bytes > max;
    let holds = match (command, answer) {
        (Command::Unicast { bytes, .. } | Command::Broadcast { bytes, .. }, answer)
            if is_long(bytes, PAYLOAD_BYTES_MAX) =>
        {
            matches!(answer, Answer::Refused(CommandError::TooLong { .. }))
        }
        (Command::RoomUnicast { bytes, .. }, answer)
            if is_long(bytes, ROOM_UNICAST_PAYLOAD_BYTES_MAX) =>
        {
            matches!(answer, Answer::Refused(CommandError::TooLong { .. }))
        }
        (Command::RoomUnicast { count, .. }, answer) if count > ROOM_UNICAST_RECEIVERS_MAX => {
            matches!(answer, Answer::Refused(CommandError::TooManyReceivers { .. }))
        }
        (
            Command::Unicast { .. } | Command::RoomUnicast { .. },
            Answer::Refused(CommandError::OverAppRate { .. }),
        )
        | (
            Command::Broadcast { .. },
            Answer::Refused(CommandError::OverAppRate { .. } | CommandError::OverRoomRate),
        ) => true,
        // The mailbox of a receiver's shard is full.
        (Command::RoomUnicast { .. }, Answer::Refused(CommandError::OverRoomRate)) => {
            model.has_mailboxes
        }
        (Command::Unicast { to, .. }, Answer::Queued(count)) => {
            *count <= 1 && (*count == 0 || !knows || known.online.contains(&uid(to)))
        }
        (Command::Broadcast { room, .. }, Answer::Queued(count)) => {
            !knows || *count <= members(room).map_or(0, BTreeSet::len)
        }
        (Command::RoomUnicast { room, first, count, .. }, Answer::Queued(queued)) => {
            let there = (first..first + count).filter(|user| is_member(room, *user)).count();
            !knows || *queued <= there
        }
        (Command::Kick { room, user }, Answer::Ended(count)) => {
            !knows || *count == usize::from(is_member(room, user))
        }
        (Command::Dismiss { room }, Answer::Ended(count)) => {
            !knows || *count == members(room).map_or(0, BTreeSet::len)
        }
        (Command::Disconnect { user }, Answer::Ended(count)) => {
            !knows || *count == usize::from(known.online.contains(&uid(user)))
        }
        // `oracles/put_out.rs` checks these.
        (Command::Revoke { .. }, Answer::Revoked { .. }) => true,
        (Command::Ban { whom, seconds }, Answer::Ended(count)) => {
            let ended = match whom {
                Banned::Room(room) => members(room).map_or(0, BTreeSet::len),
                Banned::UserInRoom(room, user) => is_member(room, user).into(),
                Banned::User(user) => {
                    let rooms = known.rooms.values();
                    rooms.filter(|members| members.contains(&uid(user))).count()
                }
                Banned::Login(user) => (seconds > 0 && known.online.contains(&uid(user))).into(),
            };
            !knows || *count == ended
        }
        (Command::Status { of }, Answer::Status(status)) => {
            let is_online = known.online.contains(&uid(of));
            !knows || is_online == (*status != OnlineStatus::Offline)
        }
        (Command::Members { room }, Answer::Members(answered)) => {
            let answered = answered.as_ref().map(|members| members.iter().cloned().collect());
            !knows || answered.as_ref() == members(room)
        }
        _ => false,
    };
    ensure(holds, || format!("app {app} got {answer:?} for {command:?}, and knew {known:?}"))
}
