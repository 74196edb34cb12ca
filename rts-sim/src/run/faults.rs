//! Executes the faults.

use std::num::NonZeroUsize;
use std::time::Duration;

use rts_testkit::{NodeIndex, Side};

use super::Run;
use crate::names::{app_id, uid};
use crate::oracles::Violation;
use crate::plan::{Slot, Step, Weather};
use crate::trace::Entry;

impl Run<'_> {
    pub(super) fn fault(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Cut { who } => self.world.cut(self.places[who].engine),
            Step::Hop { who, node } => {
                let who = self.places[who].engine;
                self.world.prefer_node(who, node);
                self.world.cut(who);
            }
            Step::BreakOff { who, to, bytes, how } => {
                self.world.break_after(self.places[who].engine, to, bytes, how);
            }
            Step::CutAll => self.world.cut_all(),
            Step::HalfOpen { who, to } => {
                let who = self.places[who].engine;
                self.world.half_open(who, to);
                if to == Side::Server && self.world.has_link(who) {
                    self.note(Entry::WayUpDead { who })?;
                }
            }
            Step::Unstick => self.world.end_half_open(),
            Step::Stall { who, on: true } => self.world.stall(self.places[who].engine),
            Step::Stall { who, on: false } => self.world.unstall(self.places[who].engine),
            Step::Silence { on } => self.world.net.is_silent = on,
            Step::KeepOut { who, on: true } => self.world.block_connects(self.places[who].engine),
            Step::KeepOut { who, on: false } => self.world.allow_connects(self.places[who].engine),
            Step::RefuseAll { on } => self.refuse_all(on),
            Step::Freeze { who, on } => self.freeze(who, on)?,
            Step::Crash => self.restart(),
            Step::Drain { retry_after_ms } => {
                self.is_draining = true;
                self.world.shut_down_server(Duration::from_millis(retry_after_ms));
            }
            Step::WallJump { seconds } => self.world.jump_wall(seconds),
            Step::RotateKey { app, keep_previous } => {
                if let Some(place) = self.places.iter().find(|place| place.app == app) {
                    self.world.rotate_key(place.engine, keep_previous);
                    *self.keys.entry(app).or_default() += 1;
                }
            }
            Step::VerdictDelay { ms } => self.world.verdict_delay = Duration::from_millis(ms),
            Step::Refuse { user, code } => {
                self.refused.push(user);
                self.world.refuse(&uid(user), code);
            }
            Step::Weather(weather) => self.set_weather(weather),
            Step::AppServer { manner, delay_ms, answers_late } => {
                let app_server = &mut self.world.app_server;
                app_server.manner = manner;
                app_server.delay = Duration::from_millis(delay_ms);
                app_server.answers_late = answers_late;
            }
            Step::Attack { app, how } => {
                let now = self.world.now();
                self.attackers.attack(&mut self.world, now, app_id(app).as_str(), how);
            }
            Step::NodeStarts { node } => self.world.start_node(node),
            Step::NodeCrashes { node, is_certified } => self.world.crash_node(node, is_certified),
            Step::NodeDrains { node, links_per_second } => {
                self.world.drain_node(node, links_per_second);
            }
            Step::NodeReopens { node } => self.world.reopen_node(node),
            Step::NodeRetires { node, links_per_second, patience_ms } => {
                let patience = Duration::from_millis(patience_ms);
                self.world.retire_node(node, links_per_second, patience);
            }
            Step::NodePauses { node, ms } => {
                self.world.pause_node(node, Duration::from_millis(ms));
            }
            Step::NodesPart { one_side, ms } => {
                self.world.part_nodes(nodes_of(one_side), Duration::from_millis(ms));
            }
            Step::NodesMute { nodes, ms } => {
                self.world.mute_nodes(nodes_of(nodes), Duration::from_millis(ms));
            }
            Step::RegisterAway { node, ms } => {
                self.world.take_register(node, Duration::from_millis(ms));
            }
            Step::RegisterForgets { changes } => self.world.forget_changes(changes),
            Step::NodeWallJump { node, seconds } => self.world.jump_wall_of_node(node, seconds),
            Step::BusAway { is_up } => self.world.set_bus_of_all(is_up),
            Step::RegisterDown { ms } => {
                let until = self.world.now() + Duration::from_millis(ms);
                if let Some(nodes) = self.world.nodes() {
                    nodes.register.down_until = until;
                }
            }
            Step::NodeBus { node, is_up } => self.world.set_bus(node, is_up),
            Step::Harmed { number, act } => self.harmed.act(&mut self.world, number, act),
            _ => {}
        }
        Ok(())
    }

    /// Counts overlapping refusals. Links are accepted again after the last one ends.
    fn refuse_all(&mut self, on: bool) {
        // A plan without some of its steps may end a refusal that did not begin.
        self.refusals = if on { self.refusals + 1 } else { self.refusals.saturating_sub(1) };
        self.world.net.refuses = self.refusals > 0;
    }

    pub(super) fn set_weather(&mut self, weather: Weather) {
        self.was_narrow |= weather.bytes_per_second > 0;
        let net = &mut self.world.net;
        net.latency = Duration::from_millis(weather.latency_ms);
        net.jitter = Duration::from_millis(weather.jitter_ms);
        net.chunk_bytes = NonZeroUsize::new(weather.chunk_bytes).expect("a chunk has bytes");
        net.is_ragged = weather.is_ragged;
        net.bytes_per_second = weather.bytes_per_second;
    }

    pub(super) fn freeze(&mut self, slot: Slot, on: bool) -> Result<(), Violation> {
        let place = &mut self.places[slot];
        if place.is_frozen == on {
            return Ok(());
        }
        place.is_frozen = on;
        let who = place.engine;
        self.note(Entry::Frozen { who, on })?;
        if on {
            self.world.freeze(who);
        } else {
            self.world.thaw(who);
        }
        Ok(())
    }

    pub(super) fn restart(&mut self) {
        self.is_draining = false;
        self.world.restart_server(self.plan.swarm.server());
    }
}

/// The nodes whose bits are set.
fn nodes_of(bits: u8) -> impl Iterator<Item = NodeIndex> {
    (0..8).filter(move |node| bits >> node & 1 == 1)
}
