//! The client side: [`connect`] makes an engine and the task that drives it. This module also
//! exports the types that an application needs on any runtime.

mod current_link;
mod engine_loop;
mod no_link;

use crate::runtime::Runtime;

pub use no_link::NoLink;
pub use rts_engine::{
    Engine, EventHandler, Events, JoinEnd, LinkFailure, LoginId, LoginStatus, LoginView,
    LoginWatch, Pending, ReservedLogin, Room, RoomEventHandler, Sent, ServerAnswer, sdk_version,
};
pub use rts_proto::client::{
    BroadcastError, BusinessIdError, Call, Config, CreateRoomError, Event, Input, JoinError,
    JoinType, LogLevel, LoginError, Membership, Observe, Output, Parameters, ParametersError,
    Returned, RoomEvent, SendError, Timing, TimingError, WarningCode,
};
pub use rts_proto::{
    AppId, BroadcastCode, CloseCode, ConnectionState, Disconnect, IdError, IdKind, Instant,
    LeaveReason, LinkId, LoginCode, LogoutReason, MessageConfig, MessageId, OnlineStatus, Payload,
    ProtocolError, Reply, Retry, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, Text,
    UnknownCode, UserId,
};
pub use rts_stream::{
    Address, AddressError, AddressProblem, ConnectOptions, Connector, ConnectorError, LayerError,
    LinkError, Proxy, ProxyError, ProxyProblem, Scheme,
};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use rts_stream::{PemError, Roots, explain_tls};

/// Why [`connect`] made no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address of the server is invalid, or its TLS cannot be set up.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The app id is malformed.
    #[error(transparent)]
    AppId(#[from] IdError),
    /// Called outside a runtime, if the runtime must be present (tokio).
    #[error("an engine needs a runtime: call this from inside a tokio runtime")]
    NoRuntime,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Random(#[source] getrandom::Error),
}

/// Options of a new engine.
#[derive(Default)]
pub struct EngineOptions {
    parameters: Parameters,
    observer: Option<Box<dyn Observe + Send>>,
}

impl EngineOptions {
    /// Sets the timings and the level of the log.
    #[must_use]
    pub fn with_parameters(self, parameters: Parameters) -> Self {
        Self { parameters, ..self }
    }

    /// Sets an observer of the engine's core, such as a recorder: see [`Engine::observed`].
    #[must_use]
    pub fn with_observer(self, observer: Box<dyn Observe + Send>) -> Self {
        Self { observer: Some(observer), ..self }
    }
}

/// Makes an engine for the server of the connector. Nothing is connected before [`Engine::login`].
///
/// The engine lives in a task on the runtime. When the runtime shuts down, the engine is destroyed:
/// every [`Sent`] completes and [`Events`] ends.
///
/// # Errors
///
/// No runtime is present; the random source failed.
pub fn connect<R: Runtime>(
    connector: Connector,
    app_id: AppId,
    options: EngineOptions,
) -> Result<Engine, ConnectError> {
    if !R::is_present() {
        return Err(ConnectError::NoRuntime);
    }
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let mut config = Config::new(app_id);
    config.parameters = options.parameters;
    let (engine, driver) = match options.observer {
        Some(observer) => Engine::observed(config, seed, observer),
        None => Engine::new(config, seed),
    };
    R::spawn(engine_loop::run::<R>(driver, connector));
    Ok(engine)
}
