//! How an engine is made.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rts_driver::Runtime;
use rts_driver::client::{
    self, AppId, ConnectOptions, Connector, EngineOptions, LogLevel, Observe, Parameters, Timing,
};

use crate::engine::Engine;
use crate::error::BuildError;
use crate::logins::{Logins, Provider, TokenRequest};

/// What an engine is made from: [`Engine::builder`] begins one. Bad values are told by
/// [`build`](Self::build).
#[must_use]
pub struct Builder {
    way: Way,
    app_id: String,
    timings: Vec<(Timing, Duration)>,
    log_level: LogLevel,
    provider: Option<Provider>,
    observer: Option<Box<dyn Observe + Send>>,
}

impl Engine {
    /// An engine for the app at this address: `rts://` is plain TCP, `rtss://` TLS, `ws://` and
    /// `wss://` WebSocket, such as `rts://127.0.0.1:7600`. [`Builder::build`] makes it.
    pub fn builder(address: impl Into<String>, app_id: impl Into<String>) -> Builder {
        let way = Way::Address { address: address.into(), options: ConnectOptions::default() };
        Builder::new(way, app_id.into())
    }

    /// The same with a connector that is made already. Engines over clones of one share the
    /// certificates that it has read, and its TLS sessions.
    pub fn builder_over(connector: Connector, app_id: impl Into<String>) -> Builder {
        Builder::new(Way::Connector(connector), app_id.into())
    }
}

/// How the engine gets to its server.
enum Way {
    Address { address: String, options: ConnectOptions },
    Connector(Connector),
}

impl Builder {
    fn new(way: Way, app_id: String) -> Self {
        let (timings, log_level) = (Vec::new(), LogLevel::default());
        Self { way, app_id, timings, log_level, provider: None, observer: None }
    }

    /// A proxy, and the certificates to trust. Without this there is no proxy, and what the system
    /// trusts is trusted. A [`Connector`] of [`Engine::builder_over`] has its own.
    pub fn connect_options(mut self, new: ConnectOptions) -> Self {
        if let Way::Address { options, .. } = &mut self.way {
            *options = new;
        }
        self
    }

    /// A message without an answer for this long gets its result: 10 s unless set.
    pub fn send_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Send, time)
    }

    /// A login that the server does not answer for this long, while it could, has failed: 10 s
    /// unless set.
    pub fn login_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Login, time)
    }

    /// An attempt to connect that takes longer is given up: 10 s unless set.
    pub fn connect_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Connect, time)
    }

    /// Any of the engine's times, from 10 ms to an hour. [`Timing`] has their defaults.
    pub fn timing(mut self, timing: Timing, time: Duration) -> Self {
        self.timings.push((timing, time));
        self
    }

    /// An async function that gets a token from the app's back end. It is asked before the present
    /// token expires and after the server has refused one, so that the application needs no code
    /// for that; [`Engine::login_as`] asks it for the first one.
    ///
    /// It is asked a minute before the token expires, or after nine tenths of its life if that is
    /// later. If it fails then, it is asked again after 1, 2, 4, ... up to 60 s. After a refusal
    /// during a first login, it is asked once; a login that was live before asks it again until the
    /// server accepts a token. All but the first request run in a task of the engine, one at a
    /// time. A request is dropped when the login ends.
    ///
    /// Requests have no time limit: put one into the function. Do not move a clone of the engine
    /// into it, which would keep the engine alive.
    ///
    /// ```no_run
    /// # use rts_client::{BuildError, Engine};
    /// # async fn fetch_token(uid: &str) -> Result<String, std::io::Error> { Ok(uid.to_owned()) }
    /// # fn example() -> Result<Engine, BuildError> {
    /// Engine::builder("wss://chat.example.com/rts", "123456781234567812345678")
    ///     .token_provider(|request| async move { fetch_token(request.uid()).await })
    ///     .build()
    /// # }
    /// ```
    pub fn token_provider<F, E>(
        self,
        provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self { provider: Some(Provider::new(provide)), ..self }
    }

    /// What the engine writes to `tracing`: nothing unless set.
    pub fn log_level(self, log_level: LogLevel) -> Self {
        Self { log_level, ..self }
    }

    /// Watches the core of the engine: all that goes in and comes out. Each call and each burst of
    /// bytes waits for it. It must not call the engine.
    pub fn observer(self, observer: Box<dyn Observe + Send>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Records the engine, to replay it or to trace a message in it.
    #[cfg(feature = "trace")]
    #[cfg_attr(docsrs, doc(cfg(feature = "trace")))]
    pub fn record(self, recorder: rts_trace::Recorder) -> Self {
        self.observer(Box::new(recorder))
    }

    /// Makes the engine. Nothing is connected before [`Engine::login`].
    ///
    /// It lives in a task on tokio with the feature `tokio`, and on smol's global executor with the
    /// feature `smol`. If both are on, it lives on tokio where this is called inside of that, and
    /// else on smol. When tokio's runtime is shut down, the engine is closed.
    ///
    /// # Errors
    ///
    /// An address, app id, time or certificate that cannot be used; no runtime of tokio; no random
    /// numbers.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub fn build(self) -> Result<Engine, BuildError> {
        #[cfg(all(feature = "tokio", feature = "smol"))]
        if !rts_transport_tokio::Tokio::is_present() {
            return self.build_on::<rts_transport_smol::Smol>();
        }
        #[cfg(feature = "tokio")]
        return self.build_on::<rts_transport_tokio::Tokio>();
        #[cfg(not(feature = "tokio"))]
        return self.build_on::<rts_transport_smol::Smol>();
    }

    /// Makes the engine on a runtime of your own.
    ///
    /// # Errors
    ///
    /// An address, app id, time or certificate that cannot be used; outside of the runtime; no
    /// random numbers.
    pub fn build_on<R: Runtime>(self) -> Result<Engine, BuildError> {
        let mut parameters = Parameters::default();
        for (timing, time) in self.timings {
            parameters.set(timing, time)?;
        }
        parameters.set_log_level(self.log_level);
        let app_id = AppId::new(&self.app_id)?;
        let connector = match self.way {
            Way::Address { address, options } => Connector::new(&address, options)?,
            Way::Connector(connector) => connector,
        };
        let mut options = EngineOptions::default().with_parameters(parameters);
        if let Some(observer) = self.observer {
            options = options.with_observer(observer);
        }
        let engine = client::connect::<R>(connector, app_id, options)?;
        let logins = Arc::new(Logins::new(self.provider));
        if logins.has_provider() {
            R::spawn(Arc::clone(&logins).keep::<R>(engine.watch_login()));
        }
        Ok(Engine::new(engine, logins))
    }
}

/// Without secrets: the address may have some, and so may the options.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("app_id", &self.app_id)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
