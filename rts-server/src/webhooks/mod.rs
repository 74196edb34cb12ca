//! Telling an app's back end who comes and goes.
//!
//! ```text
//! server core --Report--> queue of the app --batch, signed--> the operator's url     taken: the next batch
//!                         (bounded, in order)                                        else: the same again, later
//! ```
//!
//! One batch is under way for an app at a time, so its events arrive in order. What was not taken
//! is sent again, with the same ids, until it is an hour old. When the queue is full, the oldest of
//! the user go of whom most is in it; the next batch says how many were lost.

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
use rts_proto::server::Report;
use rts_transport_tokio::server::Watch;
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError};
use event::What;
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
    /// Of a configuration; `run` names this run of the server in the ids of events.
    pub(crate) fn new(config: &Config, run: u64) -> Result<Self, ConfigError> {
        Self::with_timing(config, run, TIMING)
    }

    fn with_timing(config: &Config, run: u64, timing: Timing) -> Result<Self, ConfigError> {
        let mut hooks = BTreeMap::new();
        for (id, app) in &config.apps {
            let (Some(webhook), Ok(app_id)) = (&app.webhook, AppId::new(id)) else { continue };
            let queue = Arc::new(Queue::new(run));
            // Whoever was there before this run is not any more.
            queue.push(SystemTime::now(), What::ServerStarted);
            let poster = Poster::new(&app_id, webhook.target(id)?, &webhook.secret, timing)?;
            hooks.insert(app_id, Hook { queue, poster });
        }
        Ok(Self { hooks })
    }

    /// Who is to be asked what happens; nobody when no app has a webhook.
    pub(crate) fn watcher(&self) -> Option<Arc<dyn Watch>> {
        if self.hooks.is_empty() {
            return None;
        }
        let queues = self.hooks.iter();
        let queues = queues.map(|(app_id, hook)| (app_id.clone(), Arc::clone(&hook.queue)));
        Some(Arc::new(Watcher { queues: queues.collect() }))
    }

    /// Posts until it is dropped. What is in the queues then is lost, and the next run says that it
    /// has started. It ends by itself only if one app's posting does, which is a bug.
    pub(crate) async fn run(self) {
        let mut tasks = JoinSet::new();
        for Hook { queue, poster } in self.hooks.into_values() {
            tasks.spawn(async move { poster.run(&queue).await });
        }
        if tasks.join_next().await.is_none() {
            // Without webhooks there is nothing to do, for ever.
            std::future::pending().await
        }
    }
}

/// Puts what happens into the queue of its app.
struct Watcher {
    queues: BTreeMap<AppId, Arc<Queue>>,
}

impl Watch for Watcher {
    fn happened(&self, app_id: AppId, report: Report) {
        if let Some(queue) = self.queues.get(&app_id) {
            queue.push(SystemTime::now(), What::Reported(report));
        }
    }
}
