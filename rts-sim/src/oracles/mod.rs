//! The laws, one group in each file. An oracle reads the trace alone. The [`Model`] holds the state
//! that all oracles would otherwise derive from the trace.

mod app_server;
mod back_end;
mod calm;
mod cluster;
mod dead_ends;
mod isolation;
mod lifecycle;
mod pacing;
mod put_out;
mod rates;
mod reports;
mod requests;
mod resources;
mod resume;
mod rooms;
mod sends;
mod shards;
mod waiting;

use rts_proto::Payload;
use rts_testkit::EngineIndex;

use super::model::Model;
use super::payload;
use super::swarm::Swarm;
use super::trace::Line;

/// Why a run is wrong. The text begins with the number of the law, if it has one.
pub(crate) type Violation = String;

pub(crate) trait Oracle {
    /// Checks one line. `model` is the state before the line.
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation>;
}

/// All oracles, and the model.
pub(crate) struct Oracles {
    pub(crate) model: Model,
    all: Vec<Box<dyn Oracle>>,
}

impl Oracles {
    pub(crate) fn new(swarm: &Swarm) -> Self {
        let shape = &swarm.shape;
        let mut all: Vec<Box<dyn Oracle>> = vec![
            Box::new(lifecycle::Lifecycle::default()),
            Box::new(sends::Sends::default()),
            Box::new(app_server::AppServer::default()),
            Box::new(reports::Reports::default()),
            Box::new(rooms::Rooms::default()),
            Box::new(resume::Resume::default()),
            Box::new(isolation::Isolation::default()),
            Box::new(resources::Resources::default()),
            Box::new(waiting::Waiting),
            Box::new(dead_ends::DeadEnds::default()),
            Box::new(shards::Shards::default()),
        ];
        match shape.is_cluster() {
            true => {
                all.push(Box::new(requests::Requests::default()));
                all.push(Box::new(cluster::Cluster::default()));
            }
            false => {
                all.push(Box::new(back_end::BackEnd::default()));
                all.push(Box::new(put_out::PutOut::default()));
            }
        }
        if swarm.is_calm {
            all.push(Box::new(calm::Calm::default()));
        }
        if swarm.has_rates() {
            all.push(Box::new(rates::Rates::default()));
        }
        Self { model: Model::new(shape), all }
    }

    pub(crate) fn see(&mut self, line: &Line) -> Result<(), Violation> {
        for oracle in &mut self.all {
            oracle.see(&self.model, line)?;
        }
        self.model.apply(line);
        Ok(())
    }
}

/// The serial of a received message; `None` if the message is too short to hold one. I46: the
/// message is of the engine's own app.
pub(crate) fn own_serial(
    model: &Model,
    who: EngineIndex,
    payload: &Payload,
) -> Result<Option<u64>, Violation> {
    let Some((app, serial)) = payload::read(payload.as_bytes()) else { return Ok(None) };
    ensure(app == model.engines[who].app, || {
        format!("I46: #{who} received a message of app {app}")
    })?;
    Ok(Some(serial))
}

/// Returns the violation `broken` unless `holds`.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(broken()) }
}
