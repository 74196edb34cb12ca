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

use rts_proto::AppId;
use rts_proto::server::{Report, ShardId};
use rts_transport_tokio::server::Watch;
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError};
use post::{Poster, TIMING, Timing};
use queue::Queue;

/// The webhooks of all apps that have one.
#[derive(Debug)]
pub(crate) struct Webhooks {
    hooks: BTreeMap<AppId, Hook>,
}

#[derive(Debug)]
struct Hook {
    queue: Arc<Queue>,
    poster: Poster,
}

impl Webhooks {
    /// Creates the webhooks of a configuration. `run` identifies this run of the server in the ids
    /// of events.
    pub(crate) fn new(config: &Config, run: u64) -> Result<Self, ConfigError> {
        Self::with_timing(config, run, TIMING)
    }

    fn with_timing(config: &Config, run: u64, timing: Timing) -> Result<Self, ConfigError> {
        let mut hooks = BTreeMap::new();
        for (app_id, app) in &config.apps {
            let Some(webhook) = &app.webhook else { continue };
            let queue = Arc::new(Queue::new(run));
            // Users of an earlier run are no longer logged in.
            queue.server_started(SystemTime::now());
            let poster = Poster::new(app_id, webhook, timing)?;
            hooks.insert(app_id.clone(), Hook { queue, poster });
        }
        Ok(Self { hooks })
    }

    /// The hook that reports events to the webhooks. `None` if no app has one.
    pub(crate) fn watcher(&self) -> Option<Arc<dyn Watch>> {
        if self.hooks.is_empty() {
            return None;
        }
        let queues = self.hooks.iter();
        let queues = queues.map(|(app_id, hook)| (app_id.clone(), Arc::clone(&hook.queue)));
        Some(Arc::new(Watcher { queues: queues.collect() }))
    }

    /// Posts until this future is dropped. Events that are queued then are lost, and the next run
    /// reports that it has started. It ends by itself only if the task of an app ends, which is a
    /// bug.
    pub(crate) async fn run(self) {
        let mut tasks = JoinSet::new();
        for Hook { queue, poster } in self.hooks.into_values() {
            tasks.spawn(async move { poster.run(&queue).await });
        }
        if tasks.join_next().await.is_none() {
            // Without webhooks this never ends.
            std::future::pending().await
        }
    }
}

/// Puts events into the queue of their app.
struct Watcher {
    queues: BTreeMap<AppId, Arc<Queue>>,
}

impl Watch for Watcher {
    fn happened(&self, from: ShardId, app_id: AppId, report: Report) {
        if let Some(queue) = self.queues.get(&app_id) {
            queue.report(SystemTime::now(), from, report);
        }
    }
}
