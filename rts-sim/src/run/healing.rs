//! The phases after the faults: all engines reconnect, all questions succeed, and nothing is left.

use std::time::Duration;

use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{LoginCode, MessageConfig, RoomKey};
use rts_testkit::EngineIndex;

use super::{Place, Run};
use crate::engine::Engine;
use crate::names::uid;
use crate::oracles::Violation;
use crate::plan::{Command, ParamsKind, Step, TokenKind, Weather};
use crate::trace::{Entry, Phase};

/// The time after the faults in which all engines reconnect.
const HEALED_AFTER: Duration = Duration::from_secs(30);
/// The time in which the nodes of a cluster form one view again.
const CLUSTER_HEALED_AFTER: Duration = Duration::from_secs(60);
/// The time in which questions after the healing are answered.
const ASKED_FOR: Duration = Duration::from_secs(5);
/// More messages than a client sends at once after it reconnected.
const HELD_BACK: usize = 60;
/// More messages than the window of the wire holds.
const BEHIND_THE_WINDOW: usize = 700;
/// More of the largest messages than the server keeps for one receiver.
const LARGE: usize = 90;
/// More status queries than a client sends at once after it reconnected.
const STATUSES_HELD_BACK: usize = 12;
/// Longer than any of those may take.
const HELD_BACK_FOR: Duration = Duration::from_secs(12);
/// Longer than any grace period.
const SETTLED_AFTER: Duration = Duration::from_secs(62);
/// The most users that one engine asks about after the healing: fewer than the rate of status
/// queries.
const PEERS_ASKED: usize = 6;

impl Run<'_> {
    /// Ends all faults, and gives each engine that is to be logged in a valid token.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.attackers.leave(&mut self.world, &mut self.spotter)?;
        self.set_weather(Weather::FAIR);
        self.plan.swarm.shape.healed().set(&mut self.world);
        if self.plan.swarm.shape.is_cluster() {
            self.world.heal_cluster();
            self.run_for(CLUSTER_HEALED_AFTER)?;
        }
        self.world.end_half_open();
        self.world.break_nothing();
        self.world.net.is_silent = false;
        self.world.net.refuses = false;
        self.world.verdict_delay = Duration::ZERO;
        self.fault(Step::USUAL_APP_SERVER)?;
        for (app, whom) in std::mem::take(&mut self.bans) {
            self.command(app, Command::Ban { whom, seconds: 0 })?;
        }
        self.world.forget_revocations();
        for user in std::mem::take(&mut self.refused) {
            self.world.refuse(&uid(user), LoginCode::Ok);
        }
        if self.is_draining {
            self.restart();
        }
        // A changed bandwidth does not affect bytes that were written before, so slow links are
        // cut.
        if self.was_narrow {
            self.world.cut_all();
        }
        self.harmed.heal(&mut self.world);
        self.note(Entry::Phase(Phase::Healing))?;
        // Destroyed engines still have logouts in transit.
        for who in 0..self.oracles.model.engines.len() {
            self.world.unstall(who);
            self.world.allow_connects(who);
        }
        for slot in 0..self.places.len() {
            let who = self.places[slot].engine;
            self.freeze(slot, false)?;
            self.collect()?;
            self.set_send_timeout(who, 10_000)?;
            let token = self.token(slot, TokenKind::Good);
            self.refresh(who, &token)?;
        }
        // A changed answer may show its effect on an engine only with the next answer.
        for _ in 0..2 {
            self.harmed.log_in(&mut self.world);
            self.run_for(HEALED_AFTER / 2)?;
        }
        self.note(Entry::Phase(Phase::Healed))
    }

    /// Each user sends to each user and in every room. Before that, over links that have just
    /// broken, each sends more to itself than the server's rate. In some runs the server is lost
    /// with the links, or one user sends very many messages.
    pub(super) fn ask(&mut self) -> Result<(), Violation> {
        let live: Vec<(EngineIndex, usize, String)> = (0..model_apps(&self.places))
            .flat_map(|app| {
                let live = self.oracles.model.live(app);
                live.map(move |(who, uid)| (who, app, uid.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        match self.plan.seed % 4 {
            0 => self.restart(),
            _ => self.world.cut_all(),
        }
        self.run_for(Duration::from_millis(1))?;
        for (index, (who, _, own)) in live.iter().enumerate() {
            let is_eloquent = index == 0 && self.plan.seed.is_multiple_of(2);
            for _ in 0..if is_eloquent { BEHIND_THE_WINDOW } else { HELD_BACK } {
                self.send(*who, own, 20, false, MessageConfig::ReliableOrdered)?;
            }
            for _ in 0..STATUSES_HELD_BACK {
                self.ask_status(*who, own)?;
            }
        }
        self.run_for(HELD_BACK_FOR)?;
        if let Some((who, _, own)) = live.first()
            && self.plan.seed % 16 == 5
        {
            for _ in 0..LARGE {
                let config = MessageConfig::ReliableOrdered;
                self.send(*who, own, PAYLOAD_BYTES_MAX, true, config)?;
            }
            self.run_for(HELD_BACK_FOR)?;
        }
        self.harmed.ask(&mut self.world)?;
        for (index, (who, app, _)) in live.iter().enumerate() {
            let peers = live.iter().cycle().skip(index).take(live.len());
            let peers = peers.filter(|(_, other, _)| other == app).take(PEERS_ASKED);
            for (_, _, peer) in peers {
                self.send(*who, peer, 40, false, MessageConfig::ReliableOrdered)?;
                self.ask_status(*who, peer)?;
            }
            let engine: &Engine = &self.oracles.model.engines[*who];
            let rooms: Vec<RoomKey> = engine.joined().map(|(key, _)| key).collect();
            for key in rooms {
                self.broadcast(*who, key, 40, true)?;
            }
            self.set_server_params(*who, ParamsKind::OfThisApp)?;
            self.send_to_server(*who, 40, index % 2 == 0)?;
        }
        self.run_for(ASKED_FOR)?;
        self.harmed.leave(&mut self.world)?;
        self.note(Entry::Phase(Phase::Asked))
    }

    pub(super) fn settle(&mut self) -> Result<(), Violation> {
        self.run_for(SETTLED_AFTER)?;
        self.note(Entry::Phase(Phase::Settled))?;
        self.gauge()
    }

    /// Some engines log out, all are destroyed, and the server must be empty.
    pub(super) fn end(&mut self) -> Result<(), Violation> {
        for slot in 0..self.places.len() {
            let who = self.places[slot].engine;
            if slot % 2 == 0 {
                self.call(slot, Step::Logout { who: slot })?;
            }
            self.destroy(who)?;
        }
        self.run_for(SETTLED_AFTER)?;
        self.note(Entry::Phase(Phase::Empty))?;
        self.gauge()
    }
}

fn model_apps(places: &[Place]) -> usize {
    places.iter().map(|place| place.app + 1).max().unwrap_or(0)
}
