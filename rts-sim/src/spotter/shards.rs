//! Situations between the shards of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::Report;
use rts_proto::{BroadcastCode, Instant, SendCode};

use super::Spotter;
use crate::engine::{Engine, Login};
use crate::model::Model;
use crate::names::{node_of, room_id, uid};
use crate::peer_entry::{PeerEntry, Question};
use crate::plan::{Banned, Command};
use crate::situations::Situation;
use crate::trace::{Answer, Entry, Line};

/// A node that is removed this soon after its end was not found by its silence.
const SOON: Duration = Duration::from_secs(4);

#[derive(Debug, Default)]
pub(super) struct Shards {
    /// Joins whose answer is under way, with the app and the user.
    joining: BTreeMap<Question, (usize, String)>,
    /// Congested mailboxes.
    congested: BTreeSet<(usize, usize)>,
    /// Nodes that have shards, and those of them that were frozen.
    members: BTreeSet<usize>,
    frozen: BTreeSet<usize>,
    /// Nodes with a view that they do not serve yet.
    moving: BTreeSet<usize>,
    /// By the number of a node, when it ended.
    ended: BTreeMap<usize, Instant>,
    /// The node in which each user of an app was seen last.
    seen: BTreeMap<(usize, String), usize>,
}

impl Spotter {
    pub(super) fn see_shards(&mut self, model: &Model, line: &Line) {
        match &line.entry {
            Entry::HandedOver { .. } => self.met(Situation::LinkHandedOver),
            Entry::EntriesArrived { from, to, entries } => {
                let is_send =
                    |entry: &PeerEntry| matches!(entry, PeerEntry::Asked(Question::Send { .. }));
                if node_of(*from) != node_of(*to) && entries.iter().any(is_send) {
                    self.met(Situation::SentOverNodes);
                }
                if node_of(*from) != node_of(*to) && entries.contains(&PeerEntry::Request) {
                    self.met(Situation::RequestOverNodes);
                }
                entries.iter().for_each(|entry| self.entry_arrived(entry));
            }
            Entry::NodeHasView { node, .. } => {
                self.shards.moving.insert(*node);
                let is_new = self.shards.members.insert(*node);
                (is_new && *node >= model.nodes).then(|| self.met(Situation::NodeJoined));
            }
            Entry::NodeFrozen { node, on: true } => drop(self.shards.frozen.insert(*node)),
            Entry::NodeFrozen { node, on: false } => {
                let was_frozen = self.shards.frozen.remove(node);
                was_frozen.then(|| self.met(Situation::NodeWentOn));
            }
            Entry::NodeServes { node, .. } => drop(self.shards.moving.remove(node)),
            Entry::NodeEnded { node, number } => {
                self.shards.members.remove(node);
                self.shards.moving.remove(node);
                self.shards.ended.extend(number.map(|number| (number, line.at)));
                if self.shards.frozen.remove(node) {
                    self.met(Situation::FrozenNodeEnded);
                }
            }
            Entry::NodesRemoved(removed) => {
                self.met(Situation::NodeRemoved);
                let ended = removed.nodes.iter().filter_map(|node| self.shards.ended.get(node));
                if ended.copied().any(|at| line.at.since(at) < SOON) {
                    self.met(Situation::NodeRemovedByCertificate);
                }
                let logs_in = |engine: &Engine| match &engine.login {
                    Login::LoggingIn(uid) => removed.users.contains(&(engine.app, uid.clone())),
                    _ => false,
                };
                if model.engines.iter().any(logs_in) {
                    self.met(Situation::LoginWhileHomeLost);
                }
            }
            Entry::Reported { app, report: Report::UserOnline { uid } }
                if model
                    .reported
                    .get(app)
                    .is_some_and(|known| known.online.contains(uid.as_str())) =>
            {
                self.met(Situation::OnlineAgainAfterLoss);
            }
            Entry::Commanded { answer: Answer::Unanswered, .. } => {
                self.met(Situation::RequestUnanswered);
            }
            Entry::Located(all) if model.is_cluster() => {
                for user in all.iter().filter(|one| !one.is_room) {
                    let node = node_of(user.shard);
                    let before = self.shards.seen.insert((user.app, user.name.clone()), node);
                    if before.is_some_and(|before| before != node) {
                        self.met(Situation::UserChangedNode);
                    }
                }
            }
            Entry::MailboxCongested { from, to, on: true } => {
                self.shards.congested.insert((*from, *to));
                self.met(Situation::MailboxCongested);
            }
            Entry::MailboxCongested { from, to, on: false } => {
                self.shards.congested.remove(&(*from, *to));
            }
            Entry::Event {
                event:
                    Event::MessageSendResult { code: SendCode::Broken, .. }
                    | Event::Room {
                        event: RoomEvent::MessageSendResult { code: BroadcastCode::OverRate, .. },
                        ..
                    },
                ..
            } if !self.shards.congested.is_empty() => self.met(Situation::RefusedByMailbox),
            Entry::Commanded { app, command, answer: Answer::Ended(_), .. }
                if self.shards.crosses(*app, *command) =>
            {
                self.met(Situation::RemovalCrossedJoin);
            }
            Entry::Restarted => self.shards = Shards::default(),
            _ => {}
        }
    }

    fn entry_arrived(&mut self, entry: &PeerEntry) {
        let joining = &mut self.shards.joining;
        match entry {
            PeerEntry::Asked(Question::Send { .. }) => self.met(Situation::SentOverShards),
            PeerEntry::Asked(Question::Broadcast { .. }) => {
                self.met(Situation::BroadcastOverShards);
                if !self.shards.moving.is_empty() {
                    self.met(Situation::BroadcastWhileHomesMove);
                }
            }
            PeerEntry::UserAsked { .. } if !self.shards.moving.is_empty() => {
                self.met(Situation::LoginWhileHomesMove);
            }
            PeerEntry::AskedToJoin { question, app, uid } => {
                joining.insert(question.clone(), (*app, uid.clone()));
            }
            PeerEntry::Joined { question, is_back } => {
                joining.remove(question);
                self.met(match is_back {
                    true => Situation::BackOverShards,
                    false => Situation::JoinedOverShards,
                });
            }
            PeerEntry::Answered(question) => drop(joining.remove(question)),
            PeerEntry::Gone { session, room } => {
                let is_it = |question: &Question| {
                    matches!(
                        question,
                        Question::Join { session: of, room: into, .. } if (of, into) == (session, room)
                    )
                };
                if joining.keys().any(is_it) {
                    self.met(Situation::EndedWhileJoiningOverShards);
                }
            }
            PeerEntry::Names => self.met(Situation::NamesAskedAgain),
            PeerEntry::SessionMoved { .. } => self.met(Situation::SessionMoved),
            PeerEntry::Asked(_)
            | PeerEntry::Removed
            | PeerEntry::PutOut { .. }
            | PeerEntry::Frames
            | PeerEntry::NamesAsked
            | PeerEntry::StatusAsked
            | PeerEntry::Orphan
            | PeerEntry::UserAsked { .. }
            | PeerEntry::UserGranted { .. }
            | PeerEntry::UserDenied { .. }
            | PeerEntry::UserReleased { .. }
            | PeerEntry::UserMoved { .. }
            | PeerEntry::Ownership
            | PeerEntry::Request
            | PeerEntry::Homes
            | PeerEntry::Resume { .. }
            | PeerEntry::Move => {}
        }
    }
}

impl Shards {
    /// Whether the command removes someone whose join is answered and does not know it yet.
    fn crosses(&self, app: usize, command: Command) -> bool {
        let removes = |room: &str, user: &str| match command {
            Command::Dismiss { room: of }
            | Command::Ban { whom: Banned::Room(of), seconds: 1.. } => room == room_id(of),
            Command::Kick { room: of, user: whom }
            | Command::Ban { whom: Banned::UserInRoom(of, whom), seconds: 1.. } => {
                room == room_id(of) && user == uid(whom)
            }
            Command::Disconnect { user: whom }
            | Command::Ban { whom: Banned::User(whom) | Banned::Login(whom), seconds: 1.. } => {
                user == uid(whom)
            }
            _ => false,
        };
        self.joining.iter().any(|(question, (of, user))| {
            matches!(question, Question::Join { room, .. } if *of == app && removes(room, user))
        })
    }
}
