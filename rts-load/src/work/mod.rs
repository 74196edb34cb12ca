//! The jobs, one file for each kind of work.

mod crowd;
mod error;
mod job;
mod messages;
mod presence;
mod running;

use crate::client::{Client, Floor, Mqtt, Nats, Redis, Relay, Rts};
use crate::machine::ServerProcess;
use crate::net::Net;
use crate::report::Report;
use crate::target::{Scheme, Target};

pub use error::RunError;
pub use job::{Bot, Connect, Idle, Job, P2p, Pace, Room, Storm};

use running::Run;

/// Does a job. Calls `progress` now and then with the present phase and its share that is done,
/// from 0 to 1.
///
/// # Errors
///
/// Fails if the server cannot be reached or turns a client away, and if the job is empty.
pub fn run(
    target: &Target,
    job: &Job,
    server: Option<ServerProcess>,
    progress: &mut dyn FnMut(&'static str, f64),
) -> Result<Report, RunError> {
    job.check()?;
    if matches!((job, target.scheme), (Job::Bot(_), Scheme::MqttRequest)) {
        return Err(RunError::Nothing(
            "a receiver of mqtt-request answers only the sender of its pair",
        ));
    }
    match target.scheme {
        Scheme::Rts | Scheme::RtsWebSocket => run_with::<Rts>(target, job, server, progress),
        Scheme::Redis => run_with::<Redis>(target, job, server, progress),
        Scheme::Nats | Scheme::NatsRequest => run_with::<Nats>(target, job, server, progress),
        Scheme::Mqtt0 | Scheme::Mqtt1 | Scheme::MqttRequest => {
            run_with::<Mqtt>(target, job, server, progress)
        }
        Scheme::Relay => run_with::<Relay>(target, job, server, progress),
        Scheme::Floor => run_with::<Floor>(target, job, server, progress),
    }
}

fn run_with<C: Client>(
    target: &Target,
    job: &Job,
    server: Option<ServerProcess>,
    progress: &mut dyn FnMut(&'static str, f64),
) -> Result<Report, RunError> {
    let mut run = Run { net: Net::<C>::new(target.addresses.clone())?, target, server, progress };
    let report = match job {
        Job::P2p(p2p) => run.p2p(p2p)?,
        Job::Room(room) => run.room(room)?,
        Job::Bot(bot) => run.bot(bot)?,
        Job::Connect(connect) => run.connect(connect)?,
        Job::Idle(idle) => run.idle(idle)?,
        Job::Storm(storm) => run.storm(storm)?,
    };
    Ok(Report { work: job.name(), scheme: target.scheme.name(), ..report })
}
