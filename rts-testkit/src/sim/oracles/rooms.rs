//! Rooms: who is in, who hears what, and in which order (I22 to I28).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{BroadcastCode, Instant, Payload, RoomKey, RoomState};

use super::{Oracle, Violation, ensure};
use crate::Person;
use crate::sim::model::{Model, RoomPhase, ends_membership};
use crate::sim::payload;
use crate::sim::trace::{Call, Entry, Line, Phase, payload_bytes};

/// A result may come so much later than the time-out says.
const SLACK: Duration = Duration::from_secs(1);

/// One room handle of one engine.
type Handle = (Person, RoomKey);

#[derive(Debug)]
struct Broadcast {
    by: Handle,
    from: Option<String>,
    room: String,
    id: u64,
    at: Instant,
    timeout: Duration,
    is_binary: bool,
    bytes: usize,
    was_joined: bool,
    result: Option<BroadcastCode>,
    /// Handles of others that were in the room, without a break since.
    audience: BTreeSet<Handle>,
    heard_by: BTreeSet<Handle>,
    must_arrive: bool,
}

#[derive(Debug, Default)]
pub(super) struct Rooms {
    broadcasts: BTreeMap<u64, Broadcast>,
    open: BTreeMap<(Handle, u64), u64>,
    last_id: BTreeMap<Handle, u64>,
    /// What each handle heard, in order.
    heard: BTreeMap<Handle, Vec<u64>>,
    /// The newest broadcast that a handle heard of another.
    newest: BTreeMap<(Handle, Handle), u64>,
    /// Broadcasts that a handle is still to hear, unless its membership is broken.
    expected: BTreeMap<Handle, BTreeSet<u64>>,
    members: BTreeMap<Handle, Members>,
    is_healed: bool,
}

/// Who is in the room, as far as one handle was told.
#[derive(Debug, Default)]
struct Members {
    uids: BTreeSet<String>,
    /// Joined again: some may have left unseen, and all are named once more.
    again: bool,
    notices_stopped: bool,
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
                    format!("I24: #{who} heard of room {room}, which it does not have")
                })?;
                self.told(model, line.at, (*who, *key), event)
            }
            Entry::Event { who, event: Event::Logout(_) } => {
                self.all_broken(*who);
                Ok(())
            }
            Entry::Phase(Phase::Healed) => {
                self.is_healed = true;
                Ok(())
            }
            Entry::Phase(Phase::Asked) => {
                self.is_healed = false;
                self.all_was_heard()
            }
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
        who: Person,
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
            Call::LeaveRoom { key } | Call::DestroyRoom { key } => {
                self.broken((who, *key));
                Ok(())
            }
            Call::Destroy => {
                self.all_broken(who);
                Ok(())
            }
            Call::Broadcast { key, serial, bytes, is_binary } => {
                let Some(room) = engine.rooms.get(key) else {
                    return ensure(returned == -3, || {
                        format!("a broadcast in a destroyed room returned {returned}")
                    });
                };
                let last = self.last_id.entry((who, *key)).or_default();
                *last += 1;
                let id = *last;
                ensure(i64::try_from(id) == Ok(returned), || {
                    format!("I12: the broadcast of #{who} returned {returned}, and {id} is next")
                })?;
                let uid = engine.login.live();
                let was_joined = room.phase == RoomPhase::Joined && uid.is_some();
                let audience = if was_joined && *bytes >= payload::MARKED_BYTES_MIN {
                    audience(model, engine.app, &room.id, uid)
                } else {
                    BTreeSet::new()
                };
                for handle in &audience {
                    self.expected.entry(*handle).or_default().insert(*serial);
                }
                self.open.insert(((who, *key), id), *serial);
                let broadcast = Broadcast {
                    by: (who, *key),
                    from: uid.map(str::to_owned),
                    room: room.id.clone(),
                    id,
                    at: now,
                    timeout: Duration::from_millis(engine.send_timeout_ms),
                    is_binary: *is_binary,
                    bytes: *bytes,
                    was_joined,
                    result: None,
                    audience,
                    heard_by: BTreeSet::new(),
                    must_arrive: self.is_healed && was_joined,
                };
                self.broadcasts.insert(*serial, broadcast);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn told(
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
            RoomEvent::Joined { uid, rejoined, .. } => {
                let own = model.engines[who].login.live();
                ensure(own == Some(uid.as_str()), || format!("#{who} joined as {uid}"))?;
                let wanted = if *rejoined { RoomPhase::Joined } else { RoomPhase::Joining };
                ensure(phase == wanted, || {
                    format!("I23: #{who} joined (again: {rejoined}), and was {phase:?}")
                })?;
                self.broken(handle);
                let members = self.members.entry(handle).or_default();
                if !*rejoined {
                    *members = Members::default();
                }
                members.again |= *rejoined;
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
                ensure(is_in, || format!("I24: #{who} heard a broadcast, and is {phase:?}"))?;
                self.heard(model, handle, from.as_str(), payload)
            }
            RoomEvent::UserMessageReceived { .. } => {
                ensure(is_in, || format!("I24: #{who} was told something, and is {phase:?}"))
            }
            RoomEvent::UserJoined(uid) => {
                ensure(is_in, || format!("I24: #{who} heard of a join, and is {phase:?}"))?;
                let own = model.engines[who].login.live();
                ensure(own != Some(uid.as_str()), || format!("#{who} was told of itself"))?;
                let members = self.members.entry(handle).or_default();
                let is_new = members.uids.insert(uid.as_str().to_owned());
                ensure(is_new || members.again, || {
                    format!("I27: #{who} was told twice that {uid} is in the room")
                })
            }
            RoomEvent::UserLeft { uid, .. } => {
                ensure(is_in, || format!("I24: #{who} heard of a leave, and is {phase:?}"))?;
                let members = self.members.entry(handle).or_default();
                let was_in = members.uids.remove(uid.as_str());
                ensure(was_in || members.again || members.notices_stopped, || {
                    format!("I27: #{who} was told that {uid} left, and it was not in the room")
                })
            }
        }
    }

    fn result(
        &mut self,
        model: &Model,
        now: Instant,
        handle: Handle,
        id: u64,
        code: BroadcastCode,
    ) -> Result<(), Violation> {
        let who = handle.0;
        let Some(serial) = self.open.remove(&(handle, id)) else {
            return Err(format!("I13: a result for broadcast {id} of #{who}, which is not open"));
        };
        let broadcast = self.broadcasts.get_mut(&serial).ok_or("no such broadcast")?;
        broadcast.result = Some(code);
        let waited = now.since(broadcast.at);
        let was_frozen = model.engines[who].last_thaw >= broadcast.at;
        ensure(was_frozen || waited <= broadcast.timeout + SLACK, || {
            format!("I13: the result of broadcast {id} of #{who} took {waited:?}")
        })?;
        let wanted = match broadcast {
            Broadcast { was_joined: false, .. } => Some(BroadcastCode::NotInRoom),
            Broadcast { bytes, .. } if *bytes > PAYLOAD_BYTES_MAX => Some(BroadcastCode::TooLong),
            _ => None,
        };
        ensure(wanted.is_none_or(|wanted| wanted == code && now == broadcast.at), || {
            format!("result {} of {broadcast:?}, {wanted:?} is right", code.code())
        })?;
        ensure(broadcast.heard_by.is_empty() || !is_definite(code), || {
            format!("I16: result {} of broadcast {serial}, which was heard", code.code())
        })?;
        ensure(!broadcast.must_arrive || code == BroadcastCode::Ok, || {
            format!("I43: with nothing wrong, broadcast {id} of #{who} got {}", code.code())
        })?;
        if code != BroadcastCode::Ok {
            // Nobody has to hear it.
            for handle in std::mem::take(&mut broadcast.audience) {
                if let Some(expected) = self.expected.get_mut(&handle) {
                    expected.remove(&serial);
                }
            }
        }
        Ok(())
    }

    fn heard(
        &mut self,
        model: &Model,
        handle: Handle,
        from: &str,
        payload: &Payload,
    ) -> Result<(), Violation> {
        let (who, key) = handle;
        let engine = &model.engines[who];
        let Some((app, serial)) = payload::read(payload_bytes(payload)) else { return Ok(()) };
        ensure(app == engine.app, || format!("I46: #{who} heard a broadcast of app {app}"))?;
        let Some(broadcast) = self.broadcasts.get_mut(&serial) else {
            return Err(format!("I15: #{who} heard {serial}, which nobody broadcast"));
        };
        let is_the_same = broadcast.room == engine.rooms[&key].id
            && broadcast.from.as_deref() == Some(from)
            && *payload == payload::make(app, serial, broadcast.bytes, broadcast.is_binary);
        ensure(is_the_same, || {
            format!("I15: #{who} heard {serial} from {from} otherwise than sent: {broadcast:?}")
        })?;
        ensure(engine.login.live() != Some(from), || {
            format!("I25: #{who} heard its own broadcast {serial}")
        })?;
        ensure(broadcast.heard_by.insert(handle), || {
            format!("I25: #{who} heard broadcast {serial} twice")
        })?;
        if let Some(code) = broadcast.result {
            ensure(!is_definite(code), || {
                format!("I16: broadcast {serial} was heard after result {}", code.code())
            })?;
        }
        let heard = self.heard.entry(handle).or_default();
        let by = broadcast.by;
        let id = broadcast.id;
        let newest = self.newest.entry((handle, by)).or_default();
        ensure(*newest < id, || {
            format!("I26: #{who} heard broadcast {id} of #{} after {newest}", by.0)
        })?;
        *newest = id;
        heard.push(serial);
        if let Some(expected) = self.expected.get_mut(&handle) {
            expected.remove(&serial);
        }
        Ok(())
    }

    /// Something may have been missed, or nothing more is to come.
    fn broken(&mut self, handle: Handle) {
        self.expected.remove(&handle);
    }

    fn all_broken(&mut self, who: Person) {
        self.expected.retain(|(other, _), _| *other != who);
    }

    fn all_was_heard(&self) -> Result<(), Violation> {
        let missed = self.expected.iter().find_map(|((who, _), serials)| {
            serials.iter().find_map(|serial| {
                let is_ok = self.broadcasts[serial].result == Some(BroadcastCode::Ok);
                is_ok.then_some((who, serial))
            })
        });
        match missed {
            None => Ok(()),
            Some((who, serial)) => Err(format!(
                "I25: #{who} never heard broadcast {serial}: {:?}",
                self.broadcasts[serial]
            )),
        }
    }

    /// I27: what each member believes is what is.
    fn members_are_known(&self, model: &Model) -> Result<(), Violation> {
        for (who, engine) in model.engines.iter().enumerate() {
            let Some(own) = engine.login.live() else { continue };
            for (key, id) in engine.joined() {
                let Some(members) = self.members.get(&(who, key)) else { continue };
                let others = model.live(engine.app).filter(|(other, uid)| {
                    *uid != own && model.engines[*other].joined().any(|(_, room)| room == id)
                });
                let others: BTreeSet<String> = others.map(|(_, uid)| uid.to_owned()).collect();
                let holds = match members {
                    Members { notices_stopped: true, .. } => true,
                    Members { again: true, uids, .. } => others.is_subset(uids),
                    Members { uids, .. } => others == *uids,
                };
                ensure(holds, || {
                    format!(
                        "I27: #{who} believes that {:?} are in {id}, and {others:?} are",
                        members.uids
                    )
                })?;
            }
        }
        Ok(())
    }

    fn at_the_end(&self) -> Result<(), Violation> {
        if let Some(((handle, id), _)) = self.open.iter().next() {
            return Err(format!("I13: broadcast {id} of {handle:?} never got a result"));
        }
        one_order(&self.broadcasts, &self.heard)
    }
}

/// Who is in the room now, other than this user.
fn audience(model: &Model, app: usize, room: &str, but: Option<&str>) -> BTreeSet<Handle> {
    model
        .live(app)
        .filter(|(_, uid)| Some(*uid) != but)
        .flat_map(|(who, _)| {
            let joined = model.engines[who].joined();
            joined.filter(|(_, id)| *id == room).map(move |(key, _)| (who, key))
        })
        .collect()
}

fn is_definite(code: BroadcastCode) -> bool {
    !matches!(code, BroadcastCode::Ok | BroadcastCode::Timeout | BroadcastCode::Unknown)
}

/// I26: there is one order of each room's broadcasts that agrees with what every member heard.
fn one_order(
    broadcasts: &BTreeMap<u64, Broadcast>,
    heard: &BTreeMap<Handle, Vec<u64>>,
) -> Result<(), Violation> {
    let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut before: BTreeMap<u64, usize> = BTreeMap::new();
    for pair in heard.values().flat_map(|serials| serials.windows(2)) {
        if after.entry(pair[0]).or_default().insert(pair[1]) {
            *before.entry(pair[1]).or_default() += 1;
        }
        before.entry(pair[0]).or_default();
    }
    let total = before.len();
    let mut first: Vec<u64> =
        before.iter().filter(|(_, count)| **count == 0).map(|(serial, _)| *serial).collect();
    let mut ordered = 0;
    while let Some(serial) = first.pop() {
        ordered += 1;
        for next in after.remove(&serial).unwrap_or_default() {
            let count = before.entry(next).or_default();
            *count -= 1;
            if *count == 0 {
                first.push(next);
            }
        }
    }
    ensure(ordered == total, || {
        let (serial, _) = after.iter().next().expect("some are left");
        format!("I26: members disagree on the order around {:?}", broadcasts[serial])
    })
}
