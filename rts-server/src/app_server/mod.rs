//! Posts of client messages to the app servers.
//!
//! The server core decides what is posted and for how long. This module decides where to, and
//! posts:
//!
//! ```text
//! url --policy--> listed? --breaker--> alive? --network--> resolve, vet, dial, check
//!                                             --exchange--> one request, one answer
//! ```
//!
//! It follows no redirect, keeps no cookie, decodes no content coding, uses no proxy, reuses no
//! connection and retries nothing.

mod answer_stream;
mod body;
mod breaker;
mod exchange;
mod network;
mod post_log;
mod signing;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use hyper::Uri;
use hyper::header::HeaderValue;
use rts_egress::{AddressPolicy, AllowList, TargetUrl};
use rts_proto::AppId;
use rts_proto::server::{Post, PostProgress, Target};
use rts_transport_tokio::server::{Begun, PostToAppServer, Posting};
use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::{AppServer, Config, ConfigError, ForwardingKey};
use crate::outage::Outage;
use breaker::Breaker;
use network::{Network, SystemNetwork};
use post_log::{PostLog, Refusals};

/// Posts to the app servers of all apps of a configuration.
pub(crate) struct AppServers {
    apps: BTreeMap<AppId, Arc<App>>,
    network: Arc<dyn Network>,
    /// Addresses of this server's listeners. They are set when the listeners are bound, before any
    /// client can connect.
    own: OnceLock<Vec<SocketAddr>>,
    /// The runtime for posts, which are kept off the threads of shards.
    runtime: Option<Handle>,
}

/// State for the posts of one app.
struct App {
    allowed: AllowList,
    addresses: AddressPolicy,
    /// One breaker for each listed origin, in the order of the list.
    breakers: Vec<Mutex<Breaker>>,
    /// One outage for each listed origin. The last one is for loopback in development.
    outages: Vec<Mutex<Outage>>,
    refusals: Refusals,
    /// `None` if no URL of the list uses TLS.
    tls: Option<Arc<ClientConfig>>,
    content_type: HeaderValue,
    key: Option<ForwardingKey>,
}

impl AppServers {
    /// Creates the posters for the apps of a configuration.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::over(config, Arc::new(SystemNetwork))
    }

    fn over(config: &Config, network: Arc<dyn Network>) -> Result<Self, ConfigError> {
        let mut apps = BTreeMap::new();
        let configured = config.apps.iter().filter(|(_, app)| !app.app_server.is_closed());
        for (id, app) in configured {
            apps.insert(id.clone(), Arc::new(App::new(id.as_str(), &app.app_server)?));
        }
        let runtime = Handle::try_current().ok();
        Ok(Self { apps, network, own: OnceLock::new(), runtime })
    }

    /// Forbids posts to these addresses, the listeners of this server. Only the first call counts.
    pub(crate) fn forbid_own(&self, own: impl IntoIterator<Item = SocketAddr>) {
        self.own.get_or_init(|| own.into_iter().collect());
    }
}

impl App {
    fn new(id: &str, config: &AppServer) -> Result<Self, ConfigError> {
        let (allowed, addresses) = config.policies(id)?;
        let may_use_tls = allowed.may_use_tls();
        Ok(Self {
            breakers: (0..allowed.origins()).map(|_| Mutex::default()).collect(),
            outages: (0..=allowed.origins()).map(|_| Mutex::default()).collect(),
            refusals: Refusals::default(),
            allowed,
            addresses,
            tls: match may_use_tls {
                true => Some(tls::client_config(id, config.ca_file.as_deref())?),
                false => None,
            },
            content_type: config.content_type.header(),
            key: config.forwarding_key.clone(),
        })
    }

    /// Whether messages may be posted to this URL. Logs a URL that is refused.
    fn allows(&self, target: &Target) -> bool {
        let is_allowed = self.target(&target.url).is_some();
        if !is_allowed {
            self.refusals.log(target, &TargetUrl::parse(&target.url));
        }
        is_allowed
    }

    /// The URL, if messages may be posted to it now.
    fn target(&self, url: &str) -> Option<(TargetUrl, Uri, HeaderValue)> {
        let url = TargetUrl::parse(url).ok().filter(|url| self.allowed.permits(url))?;
        // The HTTP library may refuse a path that the policy allows.
        let path = url.path_and_query().parse().ok()?;
        let host = HeaderValue::from_str(url.authority()).ok()?;
        Some((url, path, host))
    }

    /// The breaker of this URL. Loopback in development has none.
    fn breaker(&self, url: &TargetUrl) -> Option<&Mutex<Breaker>> {
        self.breakers.get(self.allowed.find(url)?)
    }

    fn outage(&self, url: &TargetUrl) -> Option<&Mutex<Outage>> {
        self.outages.get(self.allowed.find(url).unwrap_or(self.allowed.origins()))
    }

    async fn post(
        &self,
        network: &dyn Network,
        own: &[SocketAddr],
        post: &Post,
        begun: Begun,
    ) -> PostProgress {
        let Some((url, path, host)) = self.target(post.params.url()) else {
            return PostProgress::NotReached;
        };
        let Some(outage) = self.outage(&url) else { return PostProgress::NotReached };
        let post_log = PostLog::of(post, &url, outage);
        let Some(attempt) = Attempt::begin(self.breaker(&url)) else {
            post_log.left_alone();
            return PostProgress::NotReached;
        };
        let body = body::json(post);
        let signature = match &self.key {
            Some(key) => match signing::header(key, SystemTime::now(), post, &body) {
                Ok(signature) => Some(signature),
                Err(error) => {
                    post_log.failed("random", &format!("no random numbers for it: {error}"));
                    return PostProgress::NotReached;
                }
            },
            None => None,
        };
        let addresses = self.addresses.clone().without(own.iter().copied());
        let stream = match network::connect(network, &url, &addresses, self.tls.as_ref()).await {
            Ok(stream) => stream,
            Err(error) => {
                post_log.failed(error.name(), &error.to_string());
                return PostProgress::NotReached;
            }
        };
        let content_type = self.content_type.clone();
        let request = exchange::Request { path, host, content_type, signature, body };
        let alive = move || {
            attempt.succeeded();
            begun.report();
        };
        let outcome = exchange::run(stream, request, alive).await;
        match &outcome {
            Ok(_) => post_log.worked(),
            Err(error) => post_log.failed(&error.name(), &error.to_string()),
        }
        exchange::progress(outcome)
    }
}

/// One attempt to post to an origin. It counts as a failure unless it succeeds, also when dropped.
struct Attempt<'a> {
    breaker: Option<&'a Mutex<Breaker>>,
    has_succeeded: bool,
}

impl<'a> Attempt<'a> {
    /// `None` while the breaker of the origin is open.
    fn begin(breaker: Option<&'a Mutex<Breaker>>) -> Option<Self> {
        if let Some(breaker) = breaker
            && !lock(breaker).admits(Instant::now())
        {
            return None;
        }
        Some(Self { breaker, has_succeeded: false })
    }

    fn succeeded(mut self) {
        self.has_succeeded = true;
        if let Some(breaker) = self.breaker {
            lock(breaker).succeeded();
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker
            && !self.has_succeeded
        {
            lock(breaker).failed(Instant::now());
        }
    }
}

/// Recovers from poison: no code that can panic runs under this lock.
fn lock(breaker: &Mutex<Breaker>) -> std::sync::MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PostToAppServer for AppServers {
    fn allows(&self, target: &Target) -> bool {
        self.apps.get(&target.app_id).is_some_and(|app| app.allows(target))
    }

    fn post(&self, post: Post, begun: Begun) -> Posting {
        let app = self.apps.get(&post.app_id).map(Arc::clone);
        let network = Arc::clone(&self.network);
        let own = self.own.get().cloned().unwrap_or_default();
        let posting = async move {
            match app {
                Some(app) => app.post(&*network, &own, &post, begun).await,
                None => PostProgress::NotReached,
            }
        };
        match &self.runtime {
            Some(runtime) => Box::pin(on_runtime(runtime.spawn(posting))),
            None => Box::pin(posting),
        }
    }
}

/// Waits for a post on another runtime. Dropping this stops the post.
async fn on_runtime(task: JoinHandle<PostProgress>) -> PostProgress {
    struct StopOnDrop(JoinHandle<PostProgress>);

    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    let mut task = StopOnDrop(task);
    // A post that panicked reached nobody, as far as anybody knows.
    (&mut task.0).await.unwrap_or(PostProgress::NotReached)
}

impl std::fmt::Debug for AppServers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppServers").field("apps", &self.apps.len()).finish_non_exhaustive()
    }
}
