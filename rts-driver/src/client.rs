//! The client side: [`connect`] makes an engine and the task that drives it; beside it, all that an
//! application names, whatever its runtime.

mod current_link;
mod engine_loop;

use rts_engine::Driver;

use crate::runtime::Runtime;

pub use rts_engine::{
    Engine, EngineError, EventHandler, Events, Room, RoomEventHandler, Sent, ServerAnswer,
    sdk_version,
};
pub use rts_proto::client::{
    BroadcastError, BusinessIdError, Call, CreateRoomError, Event, JoinError, JoinType, LoginError,
    Observe, ParametersError, Returned, RoomEvent, SendError, WarningCode,
};
pub use rts_proto::{
    AppId, BroadcastCode, CloseCode, ConnectionState, Disconnect, IdError, IdKind, LeaveReason,
    LoginCode, LogoutReason, MessageConfig, MessageId, OnlineStatus, Payload, ProtocolError, Reply,
    Retry, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, Text, UnknownCode, UserId,
};
pub use rts_stream::{
    Address, AddressError, ConnectOptions, Connector, ConnectorError, Proxy, ProxyError, Scheme,
};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use rts_stream::{Roots, explain_tls};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no way to the server: its address, or what is needed for TLS.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The app id or the parameters are wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Called outside a runtime, where there has to be one (tokio).
    #[error("an engine needs a runtime: call this from inside a tokio runtime")]
    NoRuntime,
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// Makes an engine for the server of the connector. Nothing is connected before [`Engine::login`].
/// `parameters` is a JSON object, such as `{}`.
///
/// The engine lives in a task on the runtime. When the runtime is shut down, it is destroyed: every
/// [`Sent`] completes and [`Events`] ends.
///
/// # Errors
///
/// An app id or parameters that cannot be used; no runtime; no random numbers.
pub fn connect<R: Runtime>(
    connector: Connector,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(connector, |seed| Engine::new(app_id, parameters, seed))
}

/// Like [`connect`], with an observer of the engine's core: see [`Engine::observed`].
///
/// # Errors
///
/// See [`connect`].
pub fn connect_observed<R: Runtime>(
    connector: Connector,
    app_id: &str,
    parameters: &str,
    observer: Box<dyn Observe + Send>,
) -> Result<(Engine, Events), ConnectError> {
    start::<R>(connector, |seed| Engine::observed(app_id, parameters, seed, observer))
}

fn start<R: Runtime>(
    connector: Connector,
    make: impl FnOnce(u64) -> Result<(Engine, Events, Driver), EngineError>,
) -> Result<(Engine, Events), ConnectError> {
    if !R::is_present() {
        return Err(ConnectError::NoRuntime);
    }
    let seed = getrandom::u64().map_err(ConnectError::Random)?;
    let (engine, events, driver) = make(seed)?;
    R::spawn(engine_loop::run::<R>(driver, connector));
    Ok((engine, events))
}
