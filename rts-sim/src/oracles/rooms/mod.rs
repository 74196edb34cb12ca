//! Rooms: members, broadcasts and their order (I22 to I28).

mod broadcasts;
mod members;

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::client::{Event, JoinType, RoomEvent};
use rts_proto::{Instant, RoomKey, RoomState};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure};
use crate::engine::{RoomPhase, ends_membership};
use crate::model::Model;
use crate::names::BACK_END;
use crate::trace::{Answer, Call, Entry, Line, Phase};
use broadcasts::{Broadcast, one_order};
use members::Members;

/// One room handle of one engine.
type Handle = (EngineIndex, RoomKey);

#[derive(Debug, Default)]
pub(super) struct Rooms {
    broadcasts: BTreeMap<u64, Broadcast>,
    open: BTreeMap<(Handle, u64), u64>,
    last_id: BTreeMap<Handle, u64>,
    /// The broadcasts that each handle received, in order.
    received: BTreeMap<Handle, Vec<u64>>,
    /// The newest broadcast that a handle received of another, and the sender's session at that
    /// moment.
    newest: BTreeMap<(Handle, Handle), (u64, u64)>,
    /// The broadcasts that a handle must still receive, unless its membership breaks.
    expected: BTreeMap<Handle, BTreeSet<u64>>,
    members: BTreeMap<Handle, Members>,
    /// When the home of a room of an app was lost, or its next one was last found to serve.
    homes_lost: BTreeMap<(usize, String), Instant>,
    /// Rooms whose next homes may not serve yet.
    unserved: BTreeSet<(usize, String)>,
}

impl Oracle for Rooms {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Call { who, call, returned } => {
                self.called(model, line.at, *who, call, *returned)
            }
            Entry::Event { who, event: Event::Room { key, room, event } } => {
                let holds =
                    model.engines[*who].rooms.get(key).is_some_and(|r| r.id == room.as_str());
                ensure(holds, || {
                    format!("I24: #{who} got an event of room {room}, which it does not have")
                })?;
                self.event(model, line.at, (*who, *key), event)
            }
            Entry::Event { who, event: Event::Logout(_) } => {
                self.all_broken(*who);
                Ok(())
            }
            Entry::Commanded { serial, answer, .. } if model.is_cluster() => {
                self.back_end_got(*serial, answer);
                Ok(())
            }
            Entry::Requested { app, serial, command, .. }
            | Entry::Commanded { app, serial, command, answer: Answer::Queued(_) } => {
                self.said_by_back_end(model, line.at, *app, *serial, *command);
                Ok(())
            }
            Entry::NodesRemoved(removed) => {
                self.homes_lost(model, line.at, removed);
                Ok(())
            }
            Entry::NodeServes { .. } => {
                self.homes_serve(model, line.at);
                Ok(())
            }
            Entry::Phase(Phase::Asked) => self.all_was_heard(),
            Entry::Phase(Phase::Settled) => self.members_are_known(model),
            Entry::Phase(Phase::Empty) => self.at_the_end(),
            _ => Ok(()),
        }
    }
}

impl Rooms {
    fn called(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        call: &Call,
        returned: i64,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        match call {
            Call::CreateRoom { room } => {
                let exists = engine.rooms.values().any(|other| other.id == *room);
                ensure((returned > 0) != exists || returned == -1007, || {
                    format!("I22: createRoom of {room} returned {returned}")
                })
            }
            Call::JoinRoom { key } => {
                let wanted = match engine.rooms.get(key).map(|room| room.phase) {
                    None => -3,
                    Some(RoomPhase::Created | RoomPhase::Leaving { then_join: false, .. }) => 0,
                    Some(_) => -2,
                };
                ensure(returned == wanted, || {
                    format!("I23: joinRoom of #{who} returned {returned}, {wanted} is right")
                })
            }
            Call::LeaveRoom { key } => {
                self.broken((who, *key));
                Ok(())
            }
            Call::DestroyRoom { key, results } => {
                let handle = (who, *key);
                self.broken(handle);
                for (id, code) in results {
                    self.result(model, now, handle, id.0, *code)?;
                }
                let open = self.open.keys().find(|(of, _)| *of == handle);
                ensure(open.is_none(), || format!("I13: destroyRoom gave no result for {open:?}"))
            }
            Call::Destroy => {
                self.all_broken(who);
                Ok(())
            }
            Call::Broadcast { key, serial, bytes, is_binary } => {
                self.broadcast(model, now, (who, *key), returned, (*serial, *bytes, *is_binary))
            }
            _ => Ok(()),
        }
    }

    fn event(
        &mut self,
        model: &Model,
        now: Instant,
        handle: Handle,
        event: &RoomEvent,
    ) -> Result<(), Violation> {
        let (who, key) = handle;
        let phase = model.engines[who].rooms[&key].phase;
        let is_in =
            matches!(phase, RoomPhase::Joined | RoomPhase::Leaving { was_joined: true, .. });
        match event {
            RoomEvent::Joined { uid, how, elapsed } => {
                let own = model.engines[who].login.live();
                ensure(own == Some(uid.as_str()), || format!("#{who} joined as {uid}"))?;
                let wanted = match how {
                    JoinType::First => RoomPhase::Joining,
                    JoinType::Resumed | JoinType::Anew => RoomPhase::Joined,
                };
                ensure(phase == wanted, || {
                    format!("I23: #{who} joined ({how:?}), and was {phase:?}")
                })?;
                // I28: a resumed session misses no broadcast and no change of members.
                if *how != JoinType::Resumed {
                    self.broken(handle);
                    let members = self.members_at_join(model, now, handle, *elapsed);
                    self.members.insert(handle, members);
                }
                Ok(())
            }
            RoomEvent::StateChanged { state, .. } => {
                if *state == RoomState::NoticesStop {
                    self.members.entry(handle).or_default().notices_stopped = true;
                }
                if ends_membership(*state) {
                    self.broken(handle);
                }
                Ok(())
            }
            RoomEvent::Left => {
                let is_leaving = matches!(phase, RoomPhase::Leaving { .. });
                ensure(is_leaving, || format!("#{who} left, and was {phase:?}"))
            }
            RoomEvent::MessageSendResult { id, code } => {
                self.result(model, now, handle, id.0, *code)
            }
            RoomEvent::MessageReceived { from, payload } => {
                ensure(is_in, || format!("I24: #{who} received a broadcast, and is {phase:?}"))?;
                self.is_of_member(handle, from.as_str())?;
                self.received(model, handle, from.as_str(), payload, false)
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                ensure(is_in, || format!("I24: #{who} got a message, and is {phase:?}"))?;
                self.received(model, handle, from.as_str(), payload, true)
            }
            RoomEvent::UserJoined(uid) => {
                ensure(is_in, || format!("I24: #{who} got the event of a join, and is {phase:?}"))?;
                let own = model.engines[who].login.live();
                ensure(own != Some(uid.as_str()), || format!("#{who} got an event about itself"))?;
                let members = self.members.entry(handle).or_default();
                members.hidden.remove(uid.as_str());
                let is_new = members.uids.insert(uid.as_str().to_owned());
                if members.of_lost_home == Some(now) && is_new {
                    members.may_be_gone(uid.as_str());
                }
                ensure(is_new || members.is_explained(uid.as_str()), || {
                    format!("I27: #{who} got two events that {uid} is in the room")
                })
            }
            RoomEvent::UserLeft { uid, .. } => {
                ensure(is_in, || {
                    format!("I24: #{who} got the event of a leave, and is {phase:?}")
                })?;
                let members = self.members.entry(handle).or_default();
                members.is_explained(uid.as_str());
                let was_hidden = members.hidden.remove(uid.as_str());
                let was_in = members.uids.remove(uid.as_str()) || was_hidden;
                ensure(was_in || members.notices_stopped, || {
                    format!("I27: #{who} got the event that {uid} left, and it was not in the room")
                })
            }
        }
    }

    /// I27: broadcasts of members come between the notices of their join and of their leave.
    fn is_of_member(&self, handle: Handle, from: &str) -> Result<(), Violation> {
        let members = self.members.get(&handle);
        let is_member = members.is_some_and(|members| {
            let knows = members.uids.contains(from) || members.hidden.contains(from);
            members.notices_stopped || knows
        });
        ensure(is_member || from == BACK_END, || {
            format!("I27: {handle:?} received a broadcast of {from}, which is no member")
        })
    }

    /// The membership is broken: broadcasts may be missing from here on.
    fn broken(&mut self, handle: Handle) {
        self.expected.remove(&handle);
    }

    fn all_broken(&mut self, who: EngineIndex) {
        self.expected.retain(|(other, _), _| *other != who);
    }

    fn at_the_end(&self) -> Result<(), Violation> {
        if let Some(((handle, id), _)) = self.open.iter().next() {
            return Err(format!("I13: broadcast {id} of {handle:?} never got a result"));
        }
        one_order(&self.broadcasts, &self.received)
    }
}
