//! Webhooks: events about users and rooms, posted to the back ends of apps.
//!
//! ```text
//! server core --Report--> queue of the app --batch, signed--> the URL of the operator
//!                         (bounded, in order)                 taken: the next batch
//!                                                             not taken: the batch again, later
//! ```
//!
//! An app has one batch under way at a time, so its events arrive in order. A batch that was not
//! taken is sent again, with the same ids, until its events are an hour old. A full queue drops the
//! oldest event of the user with most events. The next batch says how many were lost.

mod event;
mod post;
mod queue;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use rts_cluster::view::NodeName;
use rts_proto::AppId;
use rts_proto::server::{Report, ShardId};
use rts_transport_tokio::server::Watch;
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError};
pub(crate) use event::NodeChange;
use event::What;
use post::{Poster, TIMING, Timing};
use queue::Queue;

/// The webhooks of all apps that have one.
#[derive(Debug)]
pub(crate) struct Webhooks {
    queues: Queues,
    posters: Vec<(Arc<Queue>, Poster)>,
}

/// The queues of all apps with a webhook. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues(Arc<BTreeMap<AppId, Arc<Queue>>>);

impl Webhooks {
    /// Creates the webhooks of a configuration. `run` identifies this run of the server in the ids
    /// of events.
    pub(crate) fn new(config: &Config, run: u64) -> Result<Self, ConfigError> {
        Self::with_timing(config, run, TIMING)
    }

    fn with_timing(config: &Config, run: u64, timing: Timing) -> Result<Self, ConfigError> {
        let (mut queues, mut posters) = (BTreeMap::new(), Vec::new());
        for (app_id, app) in &config.apps {
            let Some(webhook) = &app.webhook else { continue };
            let queue = Arc::new(Queue::new(run));
            posters.push((Arc::clone(&queue), Poster::new(app_id, webhook, timing)?));
            queues.insert(app_id.clone(), queue);
        }
        Ok(Self { queues: Queues(Arc::new(queues)), posters })
    }

    pub(crate) fn queues(&self) -> Queues {
        self.queues.clone()
    }

    /// The hook that reports events to the webhooks. `None` if no app has one.
    pub(crate) fn watcher(&self) -> Option<Arc<dyn Watch>> {
        (!self.queues.0.is_empty()).then(|| Arc::new(self.queues()) as _)
    }

    /// Posts until this future is dropped. Events that are queued then are lost. It ends by itself
    /// only if the task of an app ends, which is a bug.
    pub(crate) async fn run(self) {
        let mut tasks = JoinSet::new();
        for (queue, poster) in self.posters {
            tasks.spawn(async move { poster.run(&queue).await });
        }
        if tasks.join_next().await.is_none() {
            // Without webhooks this never ends.
            std::future::pending().await
        }
    }
}

impl Queues {
    /// Reports that no user is online and no room exists.
    pub(crate) fn server_started(&self) {
        self.add(&What::ServerStarted);
    }

    /// Reports what has become of a node of the cluster.
    pub(crate) fn cluster_changed(&self, node: NodeName, change: NodeChange) {
        self.add(&What::ClusterChanged { node, change });
    }

    fn add(&self, what: &What) {
        self.0.values().for_each(|queue| queue.add(SystemTime::now(), what.clone()));
    }

    /// The number of events that no back end has taken.
    pub(crate) fn waiting(&self) -> usize {
        self.0.values().map(|queue| queue.figures().0).sum()
    }

    /// Waits until the back ends have taken all events. Cancel safe. For one caller at a time.
    pub(crate) async fn emptied(&self) {
        for queue in self.0.values() {
            queue.emptied().await;
        }
    }
}

/// Puts events into the queue of their app.
impl Watch for Queues {
    fn happened(&self, from: ShardId, app_id: AppId, report: Report) {
        if let Some(queue) = self.0.get(&app_id) {
            queue.report(SystemTime::now(), from, report);
        }
    }
}
