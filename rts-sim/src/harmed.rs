//! Users whose links change bytes in transit, in both directions. No other user may notice, and the
//! users reconnect when their links are sound.
//!
//! A stream without integrity can turn one message into another, forge an acknowledgement, or
//! refuse a login. So the trace holds none of the events of these engines, and no oracle judges
//! them. They have an app without reports, and names and a room of their own. They send only to
//! each other, so the effects of their changed frames stay among them.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::client::{Event, Input};
use rts_proto::{MessageConfig, MessageId, Payload, RoomKey, SendCode, UserId};
use rts_testkit::{EngineIndex, World};

use super::engine::Engine;
use super::flips::Flips;
use super::names::{app_id, harmed_uid};
use super::oracles::{Violation, ensure};
use super::plan::Act;
use super::swarm::{APPS_MAX, Harm};
use super::wires::Wires;

/// The last app. It has no reports; the back ends of the other apps get them.
pub(crate) const HARMED_APP: usize = APPS_MAX - 1;
const ROOM: &str = "harmed";
/// The length of the messages of [`Harmed::ask`], in bytes.
const QUESTION_BYTES: usize = 40;

#[derive(Debug)]
pub(crate) struct Harmed {
    wires: Wires,
    all: Vec<One>,
}

#[derive(Debug)]
struct One {
    who: EngineIndex,
    uid: String,
    engine: Engine,
    room: Option<RoomKey>,
    /// The messages that this user sent last, with their results.
    asked: BTreeMap<MessageId, Option<SendCode>>,
    /// The sender and payload of each message received since then.
    received: Vec<(String, Payload)>,
}

impl Harmed {
    pub(crate) fn new(wires: Wires) -> Self {
        Self { wires, all: Vec::new() }
    }

    /// Adds the engines, whose links change bytes from the beginning.
    pub(crate) fn enter(&mut self, engines: Vec<EngineIndex>, harm: Harm, seed: u64) {
        self.wires.harm(Flips::new(engines.clone(), harm.per_million, seed));
        let one = |(number, who)| One {
            who,
            uid: harmed_uid(number),
            engine: Engine::default(),
            room: None,
            asked: BTreeMap::new(),
            received: Vec::new(),
        };
        self.all = engines.into_iter().enumerate().map(one).collect();
    }

    pub(crate) fn is_one(&self, who: EngineIndex) -> bool {
        self.all.iter().any(|one| one.who == who)
    }

    pub(crate) fn is_its_name(&self, uid: &UserId) -> bool {
        self.all.iter().any(|one| one.uid == uid.as_str())
    }

    pub(crate) fn event(&mut self, who: EngineIndex, event: &Event) {
        let Some(one) = self.all.iter_mut().find(|one| one.who == who) else { return };
        one.engine.event(event);
        match event {
            Event::MessageSendResult { id, code } => {
                if let Some(result) = one.asked.get_mut(id) {
                    *result = Some(*code);
                }
            }
            Event::MessageReceived { from, payload } => {
                one.received.push((from.as_str().to_owned(), payload.clone()));
            }
            _ => {}
        }
    }

    pub(crate) fn act(&mut self, world: &mut World, number: usize, act: Act) {
        let to = harmed_uid((number + 1) % self.all.len());
        let one = &mut self.all[number];
        match act {
            Act::Login => one.log_in(world),
            Act::Send { bytes } => drop(one.send(world, &to, bytes)),
            Act::Status => world.call(one.who, |engine, now| {
                engine.get_peer_online_status(now, &to);
            }),
            Act::Join => {
                let made = world.call(one.who, |engine, now| engine.create_room(now, ROOM).ok());
                one.room = one.room.or(made);
                if let Some(room) = one.room {
                    // The engine may be in the room already, so the result does not matter.
                    let _ = world.call(one.who, |engine, now| engine.join_room(now, room));
                }
            }
            Act::Leave => {
                if let Some(room) = one.room {
                    world.call(one.who, |engine, now| engine.leave_room(now, room));
                }
            }
            Act::Broadcast { bytes } => {
                if let Some(room) = one.room {
                    let payload = Payload::binary(vec![0xAA; bytes]);
                    // A refusal does not matter.
                    let _ = world.call(one.who, |e, now| e.send_room_message(now, room, payload));
                }
            }
        }
    }

    /// Stops the changes of bytes. Every link is cut at once, because a stream with changed bytes
    /// stays broken. A changed frame may also have asked its engine to stay away for long.
    pub(crate) fn heal(&mut self, world: &mut World) {
        self.wires.heal();
        for one in &self.all {
            world.cut(one.who);
            world.call(one.who, |engine, now| engine.handle_input(now, Input::NetworkChanged));
            let token = world.token_of(&app_id(HARMED_APP), &one.uid, 0);
            world.call(one.who, |engine, now| engine.update_login_token(now, &token));
        }
    }

    /// Logs in every user that a changed frame logged out.
    pub(crate) fn log_in(&mut self, world: &mut World) {
        self.all.iter_mut().for_each(|one| one.log_in(world));
    }

    /// Checks I43 for these users too. Then each user sends to each.
    pub(crate) fn ask(&mut self, world: &mut World) -> Result<(), Violation> {
        let uids: Vec<String> = self.all.iter().map(|one| one.uid.clone()).collect();
        for one in &mut self.all {
            ensure(one.engine.login.live().is_some() && one.engine.is_up(), || {
                format!("I43: 30 s after its links were harmed, {one:?}")
            })?;
            one.received.clear();
            one.asked.clear();
            for to in &uids {
                let id = one.send(world, to, QUESTION_BYTES);
                one.asked.extend(id.map(|id| (id, None)));
            }
        }
        Ok(())
    }

    /// Checks that all sends succeeded and each message arrived exactly once. Then the users log
    /// out.
    pub(crate) fn leave(&mut self, world: &mut World) -> Result<(), Violation> {
        let uids: BTreeSet<&str> = self.all.iter().map(|one| one.uid.as_str()).collect();
        for one in &self.all {
            let from: BTreeSet<&str> = one.received.iter().map(|(from, _)| from.as_str()).collect();
            let is_well = one.asked.len() == uids.len()
                && one.asked.values().all(|result| *result == Some(SendCode::Ok))
                && one.received.len() == uids.len()
                && from == uids
                && one.received.iter().all(|(_, payload)| *payload == said(QUESTION_BYTES));
            ensure(is_well, || format!("I43: after its links were harmed, {one:?}"))?;
            world.call(one.who, |engine, now| engine.logout(now));
        }
        Ok(())
    }
}

impl One {
    /// Logs in with a new token, unless the user is logged in or logging in.
    fn log_in(&mut self, world: &mut World) {
        let token = world.token_of(&app_id(HARMED_APP), &self.uid, 0);
        // The user may be logged in already.
        let _ = world.call(self.who, |engine, now| engine.login(now, &token, &self.uid));
    }

    fn send(&self, world: &mut World, to: &str, bytes: usize) -> Option<MessageId> {
        let config = MessageConfig::ReliableOrdered;
        world.call(self.who, |engine, now| engine.send_message(now, to, said(bytes), config)).ok()
    }
}

fn said(bytes: usize) -> Payload {
    Payload::binary(vec![0x55; bytes])
}
