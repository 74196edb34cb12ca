//! [`Builder`]: makes an engine.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rts_driver::Runtime;
use rts_driver::client::{
    self, AppId, ConnectOptions, Connector, EngineOptions, LogLevel, Observe, Parameters, Timing,
};

use crate::engine::Engine;
use crate::error::BuildError;
use crate::logins::{Logins, Provider, SystemClock, TokenClock, TokenRequest};

/// Makes an [`Engine`]. [`Engine::builder`] returns one. [`build`](Self::build) reports bad values.
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
    /// Begins an engine for an app and its server at this address, such as `rts://127.0.0.1:7600`.
    /// `rts://` is plain TCP, `rtss://` is TLS, `ws://` and `wss://` are WebSocket. The nodes of a
    /// cluster are several addresses, with commas between them: the engine begins at any of them,
    /// and goes to another one when its node is silent, cannot be reached, or sends it away.
    pub fn builder(address: impl Into<String>, app_id: impl Into<String>) -> Builder {
        let way = Way::Address { address: address.into(), options: ConnectOptions::default() };
        Builder::new(way, app_id.into())
    }

    /// Begins an engine over a connector. Engines over clones of one connector share its
    /// certificates and its TLS sessions.
    pub fn builder_over(connector: Connector, app_id: impl Into<String>) -> Builder {
        Builder::new(Way::Connector { connector, has_other_options: false }, app_id.into())
    }
}

impl Engine {
    /// An engine that was made elsewhere, such as by a test kit, with a
    /// [token provider](Builder::token_provider). The future asks the provider; run it in a task.
    pub fn with_token_provider<F, E>(
        engine: client::Engine,
        clock: impl TokenClock,
        provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static,
    ) -> (Self, Pin<Box<dyn Future<Output = ()> + Send>>)
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let logins = Arc::new(Logins::new(Some(Provider::new(provide))));
        let keeper = Arc::clone(&logins).keep(engine.watch_login(), clock);
        (Self::new(engine, logins), Box::pin(keeper))
    }
}

/// The way to the server.
enum Way {
    Address { address: String, options: ConnectOptions },
    Connector { connector: Connector, has_other_options: bool },
}

impl Builder {
    fn new(way: Way, app_id: String) -> Self {
        let (timings, log_level) = (Vec::new(), LogLevel::default());
        Self { way, app_id, timings, log_level, provider: None, observer: None }
    }

    /// Sets a proxy and the certificates to trust. By default there is no proxy, and the engine
    /// trusts the certificates of the system. After [`Engine::builder_over`], whose [`Connector`]
    /// has these options, [`build`](Self::build) refuses them.
    pub fn connect_options(mut self, new: ConnectOptions) -> Self {
        match &mut self.way {
            Way::Address { options, .. } => *options = new,
            Way::Connector { has_other_options, .. } => *has_other_options = true,
        }
        self
    }

    /// How long a message waits for its result. The default is 10 s.
    pub fn send_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Send, time)
    }

    /// How long a login waits for its answer while the link is up. The default is 10 s.
    pub fn login_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Login, time)
    }

    /// The time limit of one attempt to connect. The default is 10 s.
    pub fn connect_timeout(self, time: Duration) -> Self {
        self.timing(Timing::Connect, time)
    }

    /// Sets any time of the engine, from 10 ms to an hour. [`Timing`] lists the defaults.
    pub fn timing(mut self, timing: Timing, time: Duration) -> Self {
        self.timings.push((timing, time));
        self
    }

    /// Sets an async function that gets tokens from the app's back end. The engine calls it before
    /// a token expires, and after the server has refused one. [`Engine::login_as`] calls it for
    /// the first token.
    ///
    /// - Before expiry: a minute before, or after nine tenths of the token's life if that is later.
    ///   If the function fails, the engine calls it again after 1, 2, 4, ... up to 60 s. If its
    ///   token expires soon too, the engine calls it again after 10 s.
    /// - After a refusal of a first login: once. If its token is refused too, the login fails.
    /// - After a refusal of a login that was live before: again and again, with pauses, until the
    ///   server accepts a token.
    ///
    /// The calls run in a task of the engine, one at a time, except for the call of `login_as`. A
    /// call is dropped when its login ends. The engine sets no time limit: put one into the
    /// function. Do not move a clone of the engine into the function. It would keep the engine
    /// alive.
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

    /// Sets the level up to which the engine writes log lines of their own level to `tracing`. The
    /// default is off: all lines have the level debug.
    pub fn log_level(self, log_level: LogLevel) -> Self {
        Self { log_level, ..self }
    }

    /// Sets an observer of all inputs and outputs of the engine's core. Each call and each burst of
    /// bytes waits for the observer. It must not call the engine.
    pub fn observer(self, observer: Box<dyn Observe + Send>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Records the engine, for replays and to trace messages.
    #[cfg(feature = "trace")]
    #[cfg_attr(docsrs, doc(cfg(feature = "trace")))]
    pub fn record(self, recorder: rts_trace::Recorder) -> Self {
        self.observer(Box::new(recorder))
    }

    /// Makes the engine. Nothing is connected before [`Engine::login`].
    ///
    /// The engine lives in a task: of tokio with the feature `tokio`, of smol's global executor
    /// with the feature `smol`. If both features are on, it lives on tokio if this call is made
    /// inside of a tokio runtime, and else on smol. When the tokio runtime shuts down, the engine
    /// is closed. That runtime needs its clock and its IO: if it is built by hand, call
    /// [`enable_all`](https://docs.rs/tokio/1/tokio/runtime/struct.Builder.html#method.enable_all).
    /// Without them the engine is closed at once.
    ///
    /// # Errors
    ///
    /// Invalid address, app id, time or certificate; no tokio runtime; no random numbers.
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
    /// Invalid address, app id, time or certificate; called outside of the runtime; no random
    /// numbers.
    pub fn build_on<R: Runtime>(self) -> Result<Engine, BuildError> {
        let mut parameters = Parameters::default();
        for (timing, time) in self.timings {
            parameters.set(timing, time)?;
        }
        parameters.set_log_level(self.log_level);
        let app_id = AppId::new(&self.app_id)?;
        let connector = match self.way {
            Way::Address { address, options } => Connector::new(&address, options)?,
            Way::Connector { has_other_options: true, .. } => {
                return Err(BuildError::OptionsOfConnector);
            }
            Way::Connector { connector, .. } => connector,
        };
        let mut options = EngineOptions::default().with_parameters(parameters);
        if let Some(observer) = self.observer {
            options = options.with_observer(observer);
        }
        let engine = client::connect::<R>(connector, app_id, options)?;
        let logins = Arc::new(Logins::new(self.provider));
        if logins.has_provider() {
            let clock = SystemClock::<R>::default();
            R::spawn(Arc::clone(&logins).keep(engine.watch_login(), clock));
        }
        Ok(Engine::new(engine, logins))
    }
}

/// Shows neither the address nor the options, which may contain secrets.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("app_id", &self.app_id)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
