//! Situations of backlogs, and of links that are dead or congested.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::{CLIENT_WINDOW_MESSAGES_MAX, FLIGHT_BYTES_MAX};
use rts_proto::{BroadcastCode, Instant, SendCode};
use rts_testkit::EngineIndex;

use super::Spotter;
use crate::engine::{Engine, OpenSend, answered};
use crate::model::Model;
use crate::situations::Situation;
use crate::trace::{Call, Entry, Line};

/// A link without bytes for this long is given up anyway.
const SILENT_AFTER: Duration = Duration::from_secs(10);

/// The visible state of a send.
#[derive(Debug)]
struct Send {
    at: Instant,
    to: Option<String>,
    bytes: usize,
    /// Whether more sends were open than the window of the wire holds.
    was_behind: bool,
    /// Another receiver with so many open messages that further ones had to wait.
    passed: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    sends: BTreeMap<(EngineIndex, OpenSend), Send>,
    restarted: Option<Instant>,
    /// Engines with a dead uplink: since when, and the time of the first frame on it.
    dead_ends: BTreeMap<EngineIndex, (Instant, Option<Instant>)>,
    /// The last time at which each engine received a frame.
    received: BTreeMap<EngineIndex, Instant>,
    congested: BTreeSet<EngineIndex>,
}

impl Spotter {
    pub(super) fn see_waiting(&mut self, model: &Model, line: &Line) {
        let now = line.at;
        match &line.entry {
            Entry::Call { who, call, returned } if *returned > 0 => {
                self.sends_more(&model.engines[*who], now, *who, call, returned.unsigned_abs());
            }
            Entry::Event { who, event } => {
                if let Some(send) = answered(event) {
                    self.send_ended(model, now, *who, send, event);
                }
                if matches!(
                    event,
                    Event::MessageReceived { .. }
                        | Event::Room { event: RoomEvent::MessageReceived { .. }, .. }
                ) {
                    self.waiting.received.insert(*who, now);
                }
            }
            Entry::WayUpDead { who } => {
                let is_up = model.engines[*who].is_up();
                if is_up && model.engines[*who].login.live().is_some() {
                    self.waiting.dead_ends.entry(*who).or_insert((now, None));
                }
            }
            Entry::Dialled { who } => self.dialled_from_dead_end(now, *who),
            Entry::Closed { who, .. } | Entry::Frozen { who, .. } => {
                self.waiting.dead_ends.remove(who);
            }
            Entry::Congested { who, on: true } => {
                self.waiting.congested.insert(*who);
                self.met(Situation::LinkCongested);
            }
            Entry::Congested { who, on: false } => {
                self.waiting.congested.remove(who);
            }
            Entry::Restarted => {
                self.waiting.restarted = Some(now);
                self.waiting.congested.clear();
                self.waiting.dead_ends.clear();
            }
            _ => {}
        }
    }

    fn sends_more(
        &mut self,
        engine: &Engine,
        now: Instant,
        who: EngineIndex,
        call: &Call,
        id: u64,
    ) {
        let (key, to, bytes) = match call {
            Call::Send { to, bytes, config, .. } => {
                (None, config.is_reliable().then(|| to.clone()), *bytes)
            }
            Call::ServerSend { bytes, .. } => (None, None, *bytes),
            Call::Broadcast { key, bytes, .. } => (Some(*key), None, *bytes),
            _ => return,
        };
        if let Some((_, said @ None)) = self.waiting.dead_ends.get_mut(&who)
            && to.is_some()
        {
            *said = Some(now);
        }
        let was_behind = engine.open.len() >= CLIENT_WINDOW_MESSAGES_MAX;
        if was_behind {
            self.met(Situation::MoreOpenThanTheWindow);
        }
        let passed =
            to.as_deref().and_then(|to| self.waiting.slow_receiver_beside(who, engine, to));
        self.waiting
            .sends
            .insert((who, (key, id)), Send { at: now, to, bytes, was_behind, passed });
    }

    fn send_ended(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        send: OpenSend,
        event: &Event,
    ) {
        let Some(ended) = self.waiting.sends.remove(&(who, send)) else { return };
        let (is_ok, is_over_rate, is_broken) = match event {
            Event::MessageSendResult { code, .. } | Event::ServerMessageSendResult { code, .. } => {
                (*code == SendCode::Ok, *code == SendCode::OverRate, *code == SendCode::Broken)
            }
            Event::Room { event: RoomEvent::MessageSendResult { code, .. }, .. } => {
                (*code == BroadcastCode::Ok, *code == BroadcastCode::OverRate, false)
            }
            _ => return,
        };
        if is_over_rate && now == ended.at {
            self.met(Situation::RefusedByItsEngine);
        }
        if is_ok && ended.was_behind {
            self.met(Situation::ArrivedFromBehindTheWindow);
            if self.waiting.restarted.is_some_and(|at| at > ended.at) {
                self.met(Situation::ArrivedFromBehindALostSession);
            } else if self.dialled_since(who, Some(ended.at)) {
                self.met(Situation::ArrivedFromBehindAReturn);
            }
        }
        let still_waits = |slow: &String| self.waiting.bytes_to(who, slow) > FLIGHT_BYTES_MAX;
        if is_ok && ended.passed.as_ref().is_some_and(still_waits) {
            self.met(Situation::PassedSlowReceiver);
        }
        let is_to_congested = |to: &str| {
            let app = model.engines[who].app;
            model
                .live(app)
                .any(|(engine, live)| live == to && self.waiting.congested.contains(&engine))
        };
        if is_broken
            && let Event::MessageSendResult { id, .. } = event
            && let Some(sent) = self.open.get(&(who, id.0))
            && !sent.config.is_reliable()
            && is_to_congested(&sent.to)
        {
            self.met(Situation::UnreliableRefusedByCongestion);
        }
    }

    /// The engine gave up a link over which frames had just arrived.
    fn dialled_from_dead_end(&mut self, now: Instant, who: EngineIndex) {
        let Some((since, said)) = self.waiting.dead_ends.remove(&who) else { return };
        let received = self.waiting.received.get(&who);
        let is_dead_by_silence = received.is_none_or(|at| now.since(*at) >= SILENT_AFTER);
        if is_dead_by_silence || now.since(since) < SILENT_AFTER / 2 {
            return;
        }
        self.met(match said {
            Some(at) if now.since(at) == SILENT_AFTER => Situation::DeadWayUpFoundByAFrame,
            _ => Situation::DeadWayUpFoundByAPing,
        });
    }
}

impl Waiting {
    fn bytes_to(&self, who: EngineIndex, to: &str) -> usize {
        let of_who = self.sends.range((who, (None, 0))..=(who, (None, u64::MAX)));
        of_who.filter(|(_, send)| send.to.as_deref() == Some(to)).map(|(_, send)| send.bytes).sum()
    }

    /// Another receiver with so many open bytes that further messages wait. Checked only if many
    /// bytes are open at all.
    fn slow_receiver_beside(&self, who: EngineIndex, engine: &Engine, to: &str) -> Option<String> {
        if engine.open_bytes <= FLIGHT_BYTES_MAX {
            return None;
        }
        let of_who = self.sends.range((who, (None, 0))..=(who, (None, u64::MAX)));
        let others = of_who.filter_map(|(_, send)| send.to.as_deref()).filter(|other| *other != to);
        let others: BTreeSet<&str> = others.collect();
        others
            .into_iter()
            .find(|other| self.bytes_to(who, other) > FLIGHT_BYTES_MAX)
            .map(str::to_owned)
    }
}
