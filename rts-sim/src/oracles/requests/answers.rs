//! Which answers are true of some moment between question and answer.

use std::collections::BTreeSet;

use rts_proto::LeaveReason;
use rts_proto::OnlineStatus;
use rts_proto::limits::{
    PAYLOAD_BYTES_MAX, ROOM_UNICAST_PAYLOAD_BYTES_MAX, ROOM_UNICAST_RECEIVERS_MAX,
};
use rts_proto::server::{CommandError, Report};

use super::super::{Violation, ensure};
use crate::model::Model;
use crate::names::{number_in, room_id, uid};
use crate::plan::Command;
use crate::reported::Reported;
use crate::swarm::APPS_REPORTED;
use crate::trace::{Answer, Removed};

/// What the reports say about the names of a request, from its question on.
#[derive(Debug, Default)]
pub(super) struct Between {
    /// Whether the app has reports.
    is_known: bool,
    /// Users of the request that were online at some moment, and those that always were.
    online: BTreeSet<String>,
    always_online: BTreeSet<String>,
    /// The same of the members of its room.
    members: BTreeSet<String>,
    always_members: BTreeSet<String>,
    /// Memberships and sessions of its names that ended by force.
    removed: usize,
}

fn user_of(command: Command) -> Option<String> {
    match command {
        Command::Unicast { to: user, .. }
        | Command::Disconnect { user }
        | Command::Status { of: user } => Some(uid(user)),
        _ => None,
    }
}

fn room_of(command: Command) -> Option<String> {
    match command {
        Command::Broadcast { room, .. }
        | Command::RoomUnicast { room, .. }
        | Command::Kick { room, .. }
        | Command::Dismiss { room }
        | Command::Members { room } => Some(room_id(room)),
        _ => None,
    }
}

impl Between {
    pub(super) fn new(model: &Model, app: usize, command: Command) -> Self {
        let nothing = Reported::default();
        let known = model.reported.get(&app).unwrap_or(&nothing);
        let mut between = Self { is_known: app < APPS_REPORTED, ..Self::default() };
        if let Some(user) = user_of(command) {
            if known.online.contains(&user) {
                between.online.insert(user.clone());
            }
            // Its session may have ended for a login that waits for a node.
            if known.is_surely_online(&user) && !model.is_asked_for(app, &user) {
                between.always_online.insert(user);
            }
        }
        if let Some(room) = room_of(command) {
            between.members.extend(known.rooms.get(&room).into_iter().flatten().cloned());
            between.members.extend(known.hidden_members(&room).map(str::to_owned));
            between.always_members.extend(known.sure_members(&room).map(str::to_owned));
        }
        between
    }

    pub(super) fn reported(&mut self, command: Command, report: &Report) {
        match report {
            Report::UserOnline { uid } => {
                if user_of(command).is_some_and(|user| user == uid.as_str()) {
                    self.online.insert(uid.as_str().to_owned());
                }
            }
            Report::UserOffline { uid, reason } => {
                self.always_online.remove(uid.as_str());
                let is_meant = number_in(uid.as_str()).is_some_and(|user| command.puts_out(user));
                self.removed += usize::from(is_meant && *reason == LeaveReason::Kicked);
            }
            Report::MemberJoined { room, uid, .. } => {
                if room_of(command).is_some_and(|of| of == room.as_str()) {
                    self.members.insert(uid.as_str().to_owned());
                }
            }
            Report::MemberLeft { room, uid, reason } => {
                if room_of(command).is_some_and(|of| of == room.as_str()) {
                    self.always_members.remove(uid.as_str());
                }
                let place = number_in(room.as_str()).zip(number_in(uid.as_str()));
                let is_meant = place.is_some_and(|(room, user)| {
                    command.removes(room, user) && !command.puts_out(user)
                });
                self.removed += usize::from(is_meant && *reason == LeaveReason::Kicked);
            }
            Report::RoomCreated { .. } | Report::RoomEmptied { .. } => {}
        }
    }

    pub(super) fn may_be_offline(&mut self, uid: &str) {
        self.always_online.remove(uid);
    }

    /// What homes knew of the names was lost.
    pub(super) fn lost(&mut self, app: usize, command: Command, removed: &Removed) {
        if user_of(command).is_some_and(|user| removed.users.contains(&(app, user))) {
            self.always_online.clear();
        }
        if room_of(command).is_some_and(|room| removed.rooms.contains(&(app, room))) {
            self.always_members.clear();
        }
    }

    pub(super) fn holds(
        &self,
        model: &Model,
        command: Command,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let is_known = self.is_known;
        let (online, members) = (&self.online, &self.members);
        let holds = match (command, answer) {
            (Command::Unicast { bytes, .. } | Command::Broadcast { bytes, .. }, answer)
                if bytes > PAYLOAD_BYTES_MAX =>
            {
                matches!(answer, Answer::Refused(CommandError::TooLong { .. }))
            }
            (Command::RoomUnicast { bytes, .. }, answer)
                if bytes > ROOM_UNICAST_PAYLOAD_BYTES_MAX =>
            {
                matches!(answer, Answer::Refused(CommandError::TooLong { .. }))
            }
            (Command::RoomUnicast { count, .. }, answer) if count > ROOM_UNICAST_RECEIVERS_MAX => {
                matches!(answer, Answer::Refused(CommandError::TooManyReceivers { .. }))
            }
            (Command::Unicast { .. }, Answer::Refused(CommandError::OverAppRate { .. }))
            | (
                Command::RoomUnicast { .. } | Command::Broadcast { .. },
                Answer::Refused(CommandError::OverAppRate { .. } | CommandError::OverRoomRate),
            )
            // `oracles/requests/removals.rs` checks these.
            | (Command::Revoke { .. }, Answer::Revoked { .. }) => true,
            (Command::Unicast { to, .. }, Answer::Queued(count)) => {
                *count <= 1 && (*count == 0 || !is_known || online.contains(&uid(to)))
            }
            (Command::Broadcast { .. }, Answer::Queued(count)) => {
                !is_known || *count <= members.len()
            }
            (Command::RoomUnicast { first, count, .. }, Answer::Queued(queued)) => {
                let there = (first..first + count).filter(|user| members.contains(&uid(*user)));
                !is_known || *queued <= there.count()
            }
            (
                Command::Kick { .. }
                | Command::Dismiss { .. }
                | Command::Disconnect { .. }
                | Command::Ban { .. },
                Answer::Ended(count),
            ) => !is_known || *count <= self.removed,
            (Command::Status { of }, Answer::Status(OnlineStatus::Offline)) => {
                !is_known || !self.always_online.contains(&uid(of))
            }
            (Command::Status { of }, Answer::Status(_)) => !is_known || online.contains(&uid(of)),
            (Command::Members { .. }, Answer::Members(answered)) => {
                let answered: BTreeSet<String> = answered.iter().flatten().cloned().collect();
                !is_known
                    || self.always_members.is_subset(&answered) && answered.is_subset(members)
            }
            _ => false,
        };
        ensure(holds || model.loss_is_new, || "untrue".to_owned())
    }
}
