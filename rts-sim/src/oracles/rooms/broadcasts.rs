//! Broadcasts: who receives them, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{BroadcastCode, Instant, Payload, RoomKey};
use rts_testkit::EngineIndex;

use super::{Handle, Rooms, Violation, ensure};
use crate::engine::RoomPhase;
use crate::model::Model;
use crate::names::{BACK_END, room_id, uid};
use crate::oracles::own_serial;
use crate::payload;
use crate::plan::Command;
use crate::trace::Answer;

/// The time by which a result may exceed its time-out.
const SLACK: Duration = Duration::from_secs(1);
/// The engine number of a back end's broadcasts.
const NO_ENGINE: EngineIndex = EngineIndex::MAX;

#[derive(Debug)]
pub(super) struct Broadcast {
    pub(super) by: Handle,
    pub(super) from: Option<String>,
    pub(super) room: String,
    pub(super) id: u64,
    /// The number of the sender's session.
    pub(super) session: u64,
    pub(super) at: Instant,
    pub(super) timeout: Duration,
    pub(super) is_binary: bool,
    pub(super) bytes: usize,
    pub(super) was_joined: bool,
    pub(super) result: Option<BroadcastCode>,
    /// The handles of others that were in the room without a break since the broadcast.
    pub(super) audience: BTreeSet<Handle>,
    pub(super) heard_by: BTreeSet<Handle>,
    pub(super) must_arrive: bool,
    /// Whether it is a unicast of the back end to some members.
    pub(super) is_unicast: bool,
}

impl Rooms {
    pub(super) fn broadcast(
        &mut self,
        model: &Model,
        now: Instant,
        by: Handle,
        returned: i64,
        (serial, bytes, is_binary): (u64, usize, bool),
    ) -> Result<(), Violation> {
        let engine = &model.engines[by.0];
        let Some(room) = engine.rooms.get(&by.1) else {
            return ensure(returned == -3, || {
                format!("a broadcast in a destroyed room returned {returned}")
            });
        };
        let last = self.last_id.entry(by).or_default();
        *last += 1;
        let id = *last;
        ensure(i64::try_from(id) == Ok(returned), || {
            format!("I12: the broadcast of #{} returned {returned}, and {id} is next", by.0)
        })?;
        let uid = engine.login.live();
        let was_joined = room.phase == RoomPhase::Joined && uid.is_some();
        let audience = if was_joined && bytes >= payload::MARKED_BYTES_MIN {
            audience(model, engine.app, &room.id, uid)
        } else {
            BTreeSet::new()
        };
        for handle in &audience {
            self.expected.entry(*handle).or_default().insert(serial);
        }
        self.open.insert((by, id), serial);
        let broadcast = Broadcast {
            by,
            from: uid.map(str::to_owned),
            room: room.id.clone(),
            id,
            session: engine.sessions,
            at: now,
            timeout: Duration::from_millis(engine.send_timeout_ms),
            is_binary,
            bytes,
            was_joined,
            result: None,
            audience,
            heard_by: BTreeSet::new(),
            must_arrive: model.is_asking() && was_joined,
            is_unicast: false,
        };
        self.broadcasts.insert(serial, broadcast);
        Ok(())
    }

    /// The back end sends a broadcast. Without a cluster, the server has queued it.
    pub(super) fn said_by_back_end(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        serial: u64,
        command: Command,
    ) {
        let (room, bytes, is_binary, to) = match command {
            Command::Broadcast { room, bytes, is_binary } => (room, bytes, is_binary, None),
            Command::RoomUnicast { room, first, count, bytes, is_binary } => {
                let to: BTreeSet<String> = (first..first + count).map(uid).collect();
                (room, bytes, is_binary, Some(to))
            }
            _ => return,
        };
        let id = room_id(room);
        let mut audience = audience(model, app, &id, None);
        audience.retain(|(who, _)| {
            let own = model.engines[*who].login.live();
            bytes >= payload::MARKED_BYTES_MIN
                && to.as_ref().is_none_or(|to| own.is_some_and(|own| to.contains(own)))
        });
        for handle in &audience {
            self.expected.entry(*handle).or_default().insert(serial);
        }
        let broadcast = Broadcast {
            by: (NO_ENGINE, RoomKey(room as u64)),
            from: Some(BACK_END.to_owned()),
            room: id,
            id: serial,
            session: 0,
            at: now,
            timeout: Duration::ZERO,
            is_binary,
            bytes,
            was_joined: false,
            result: (!model.is_cluster()).then_some(BroadcastCode::Ok),
            audience,
            heard_by: BTreeSet::new(),
            must_arrive: false,
            is_unicast: to.is_some(),
        };
        self.broadcasts.insert(serial, broadcast);
    }

    /// A cluster has answered to a broadcast of a back end.
    pub(super) fn back_end_got(&mut self, serial: u64, answer: &Answer) {
        let Some(broadcast) = self.broadcasts.get_mut(&serial) else { return };
        let code = match answer {
            Answer::Queued(_) => BroadcastCode::Ok,
            Answer::Refused(_) => BroadcastCode::OverRate,
            _ => BroadcastCode::Unknown,
        };
        broadcast.result = Some(code);
        if code != BroadcastCode::Ok {
            self.needs_no_audience(serial);
        }
    }

    /// A failed broadcast needs no audience.
    fn needs_no_audience(&mut self, serial: u64) {
        let audience = self.broadcasts.get_mut(&serial).map(|failed| &mut failed.audience);
        for handle in audience.map(std::mem::take).unwrap_or_default() {
            if let Some(expected) = self.expected.get_mut(&handle) {
                expected.remove(&serial);
            }
        }
    }

    pub(super) fn result(
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
            format!("I16: result {} of broadcast {serial}, which was received", code.code())
        })?;
        ensure(!broadcast.must_arrive || code == BroadcastCode::Ok, || {
            format!("I43: with nothing wrong, broadcast {id} of #{who} got {}", code.code())
        })?;
        if code != BroadcastCode::Ok {
            self.needs_no_audience(serial);
        }
        Ok(())
    }

    pub(super) fn received(
        &mut self,
        model: &Model,
        handle: Handle,
        from: &str,
        payload: &Payload,
        is_unicast: bool,
    ) -> Result<(), Violation> {
        let (who, key) = handle;
        let engine = &model.engines[who];
        let app = engine.app;
        let Some(serial) = own_serial(model, who, payload)? else { return Ok(()) };
        let Some(broadcast) = self.broadcasts.get_mut(&serial) else {
            return Err(format!("I15: #{who} received {serial}, which nobody broadcast"));
        };
        let is_the_same = broadcast.is_unicast == is_unicast
            && broadcast.room == engine.rooms[&key].id
            && broadcast.from.as_deref() == Some(from)
            && *payload == payload::make(app, serial, broadcast.bytes, broadcast.is_binary);
        ensure(is_the_same, || {
            format!("I15: #{who} received {serial} from {from} not as sent: {broadcast:?}")
        })?;
        ensure(engine.login.live() != Some(from), || {
            format!("I25: #{who} received its own broadcast {serial}")
        })?;
        ensure(broadcast.heard_by.insert(handle), || {
            format!("I25: #{who} received broadcast {serial} twice")
        })?;
        if let Some(code) = broadcast.result {
            ensure(!is_definite(code), || {
                format!("I16: broadcast {serial} was received after result {}", code.code())
            })?;
        }
        let received = self.received.entry(handle).or_default();
        let by = broadcast.by;
        let id = broadcast.id;
        let (newest, session) = self.newest.entry((handle, by)).or_default();
        // What a back end asks of different nodes has no order.
        let keeps_order = match by.0 {
            NO_ENGINE => !model.is_cluster(),
            _ => model.keeps_order(broadcast.session, *session),
        };
        ensure(*newest < id || !keeps_order, || {
            format!("I26: #{who} received broadcast {id} of #{} after {newest}", by.0)
        })?;
        if id > *newest {
            *newest = id;
            *session = model.engines.get(by.0).map_or(0, |engine| engine.sessions);
        }
        received.push(serial);
        if let Some(expected) = self.expected.get_mut(&handle) {
            expected.remove(&serial);
        }
        Ok(())
    }

    pub(super) fn all_was_heard(&self) -> Result<(), Violation> {
        let missed = self.expected.iter().find_map(|((who, _), serials)| {
            serials.iter().find_map(|serial| {
                let is_ok = self.broadcasts[serial].result == Some(BroadcastCode::Ok);
                is_ok.then_some((who, serial))
            })
        });
        match missed {
            None => Ok(()),
            Some((who, serial)) => Err(format!(
                "I25: #{who} never received broadcast {serial}: {:?}",
                self.broadcasts[serial]
            )),
        }
    }
}

/// The members of the room now, without this user.
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

/// I26: each room has one order of broadcasts that agrees with the order at every member.
pub(super) fn one_order(
    broadcasts: &BTreeMap<u64, Broadcast>,
    received: &BTreeMap<Handle, Vec<u64>>,
) -> Result<(), Violation> {
    let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut before: BTreeMap<u64, usize> = BTreeMap::new();
    for pair in received.values().flat_map(|serials| serials.windows(2)) {
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
