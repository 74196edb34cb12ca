//! A server becomes a member of its cluster.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rts_cluster::shards::ShardMap;
use rts_cluster::wire::VERSION;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::draining::Draining;
use super::end::MembershipEnded;
use super::shards::Shards;
use super::{Member, Origin};
use crate::ServerError;
use crate::cluster::{
    Arbiter, ClusterClock, ClusterNode, Life, LifeError, NatsBus, NatsConfig, NatsError,
    NodeConfig, NodeStatus, StaticArbiter, StaticSet,
};
use crate::config::{ArbiterKind, Cluster, ConfigError};
use crate::outage::Outage;

/// The time between two attempts to reach NATS.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The time between two lines in the log about what is awaited.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Becomes a member of the cluster: begins a life in `state_dir`, connects, and waits without a
/// limit until this node is in a view. Meanwhile `waits_for` names what is missing. The caller
/// creates its shards, and then [attaches](Member::attach) them. `clock` is set to that of the
/// cluster. Cancel safe: dropping the future ends the node.
///
/// # Errors
///
/// What an operator has to mend. An outage of NATS is no error.
pub(crate) async fn join(
    config: &Cluster,
    state_dir: &Path,
    shards: usize,
    clock: Arc<ClusterClock>,
    waits_for: &watch::Sender<String>,
) -> Result<Member, ServerError> {
    let set = config.set.as_ref().map(|set| set.members());
    let incarnation = set.as_ref().map(|set| set.incarnation(&config.node));
    let directory = state_dir.to_owned();
    let life = begin(directory, incarnation).await?;
    let bus = connect(config.nats_config()?, &life, waits_for).await?;
    let own = life.incarnation();
    let (first, awaited) = oneshot::channel();
    let shards_of_node = Arc::new(Shards::new(own, first));
    let on_event = {
        let shards = Arc::clone(&shards_of_node);
        move |event| shards.on_event(event)
    };
    let keeps_up = {
        let shards = Arc::clone(&shards_of_node);
        move || shards.keep_up()
    };
    let node = NodeConfig {
        cluster: config.name.clone(),
        name: config.node.clone(),
        shards: u8::try_from(shards).unwrap_or(u8::MAX),
        clock,
    };
    let mut node = match (config.arbiter, set) {
        (ArbiterKind::Static, Some(set)) => {
            let arbiter = StaticArbiter::new(view_of(&set)?);
            ClusterNode::start(node, life, bus, arbiter, on_event, keeps_up)
        }
        (ArbiterKind::Static, None) | (ArbiterKind::Nats, _) => {
            let arbiter = bus.arbiter();
            if let Err(error) = arbiter.read().await
                && !error.passes()
            {
                return Err(error.into());
            }
            ClusterNode::start(node, life, bus, arbiter, on_event, keeps_up)
        }
    };
    shards_of_node.send_over(node.sender());
    let mut status = node.status();
    let first = tokio::select! {
        view = awaited => view.expect("the node keeps the sender until it has a view"),
        (why, _) = node.ended() => return Err(MembershipEnded(why).into()),
        never = report(config, &mut status, waits_for) => match never {},
    };
    let origin = match (config.arbiter, first.members().len()) {
        (ArbiterKind::Static, _) => Origin::InSet,
        (ArbiterKind::Nats, 1) => Origin::Founds,
        (ArbiterKind::Nats, _) => Origin::Joins,
    };
    let first = ShardMap::of(&first, own).expect("a node gets only views that it is in");
    let draining = Draining::new(
        own,
        Arc::clone(&shards_of_node),
        node.status(),
        config.drain_links_per_second.get(),
        config.arbiter == ArbiterKind::Static,
    );
    Ok(Member {
        name: config.node.clone(),
        node,
        shards: shards_of_node,
        first,
        origin,
        draining: Arc::new(draining),
        drain_patience: Duration::from_secs(config.drain_seconds_max.into()),
    })
}

fn view_of(set: &StaticSet) -> Result<rts_cluster::view::View, ServerError> {
    set.view(VERSION).map_err(|error| {
        let key = "cluster.set.nodes".to_owned();
        ServerError::Config(ConfigError::Value { key, what: error.to_string() })
    })
}

/// Begins a life. Blocks for a write to disk, so this runs on a thread of its own.
async fn begin(
    directory: PathBuf,
    incarnation: Option<rts_cluster::view::Incarnation>,
) -> Result<Life, LifeError> {
    let begin = move || match incarnation {
        Some(incarnation) => Life::begin_as(&directory, incarnation),
        None => Life::begin(&directory),
    };
    tokio::task::spawn_blocking(begin).await.expect("it does not panic")
}

/// Connects to NATS, and waits through an outage.
async fn connect(
    config: NatsConfig,
    life: &Life,
    waits_for: &watch::Sender<String>,
) -> Result<NatsBus, NatsError> {
    let mut outage = Outage::default();
    loop {
        match NatsBus::open(config.clone(), life.incarnation()).await {
            Ok(bus) => return Ok(bus),
            Err(error) if error.passes() => {
                let why = format!("NATS: {error}");
                if let Some(left_out) = outage.failed(&why, std::time::Instant::now()) {
                    tracing::warn!(left_out, "waiting for {why}");
                }
                waits_for.send_replace(why);
                sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Names what the node waits for, and writes it into the log now and then. Never ends.
async fn report(
    config: &Cluster,
    status: &mut watch::Receiver<NodeStatus>,
    waits_for: &watch::Sender<String>,
) -> Infallible {
    let name = &config.name;
    tracing::info!(node = %config.node, "joining the cluster {name}");
    let mut next = Instant::now() + REPORT_EVERY;
    loop {
        waits_for.send_replace(missing(&status.borrow_and_update()));
        tokio::select! {
            // The status of a node that has ended does not change any more.
            Ok(()) = status.changed() => {}
            () = sleep_until(next) => {
                next += REPORT_EVERY;
                let what = waits_for.borrow().clone();
                tracing::warn!("not in the cluster {name} yet: waiting for {what}");
            }
        }
    }
}

/// What a node waits for that is in no view.
fn missing(status: &NodeStatus) -> String {
    match status {
        NodeStatus { bus_fault: Some(why), .. } => format!("NATS: {why}"),
        NodeStatus { register_fault: Some(why), .. } => format!("the register: {why}"),
        NodeStatus { namesake: Some(_), .. } => {
            "the end of another node with the name of this one".to_owned()
        }
        _ => "the members of the last view: those that have ended have to start again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rts_cluster::view::Incarnation;

    use super::*;

    #[test]
    fn what_is_awaited_is_the_first_thing_that_is_missing() {
        let mut status = NodeStatus::default();
        assert!(missing(&status).contains("members of the last view"));
        status.namesake = Some(Incarnation(1));
        assert!(missing(&status).contains("the name of this one"));
        status.register_fault = Some("no leader".to_owned());
        assert_eq!(missing(&status), "the register: no leader");
        status.bus_fault = Some("refused".to_owned());
        assert_eq!(missing(&status), "NATS: refused");
    }
}
