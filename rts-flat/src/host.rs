//! Engines as numbers, for languages that cannot hold a Rust value. All engines of the process live
//! on one thread. No function here calls back: a host polls.

mod engines;
mod error;
mod io_thread;
mod polling;

use std::time::Duration;

use rts_proto::client::{Client, Config, Returned};
use rts_proto::{AppId, Instant};
use rts_transport_tokio::{ConnectOptions, Connector};

use crate::arguments::{Arguments, CallError, Wanted, number};
use crate::record::Record;
use crate::table::CallKind;
use engines::Engines;
pub use error::CreateError;
pub use polling::Polled;
pub use rts_transport_tokio::sdk_version;

/// Makes an engine for the server at this address, such as `rts://127.0.0.1:7600`. The parameters
/// are a JSON object, as of the call `setRuntimeParameters`; an empty text stands for `{}`. Returns
/// the engine's number, which is above 0 and is never used again. Nothing is connected before
/// `login`. [`release`] frees the engine.
///
/// # Errors
///
/// Invalid address, app id or parameters; the thread of the engines cannot be started.
pub fn create(address: &str, app_id: &str, parameters: &str) -> Result<u64, CreateError> {
    let connector = Connector::new(address, ConnectOptions::default())?;
    let app_id = AppId::new(app_id)?;
    let engine = io_thread::make_engine(connector, app_id)?;
    let events = engine.events();
    if !parameters.is_empty() {
        engine.set_runtime_parameters(parameters).map_err(CreateError::Parameters)?;
    }
    Ok(Engines::of_process().add(engine, events))
}

/// Makes a call of this [kind](CallKind) on an engine, and returns the contract's number: 0, an id,
/// a key or a negative code. It never waits for the network. An engine that was released answers
/// like one that was destroyed. -9001 and lower mean that the call did nothing: see [`CallError`].
#[must_use]
pub fn call(engine: u64, kind: u32, arguments: &Arguments<'_>) -> i64 {
    let Some(kind) = CallKind::from_number(kind) else { return CallError::UnknownCall.number() };
    let returned = match Engines::of_process().find(engine) {
        Some(hosted) => arguments.call(kind, |wanted| match wanted {
            Wanted::Call(call) => hosted.engine().call(call),
            Wanted::NetworkChanged => {
                hosted.engine().network_changed();
                Returned::Nothing
            }
        }),
        None => arguments.call(kind, |wanted| match wanted {
            Wanted::Call(call) => destroyed().call(Instant::ORIGIN, call),
            Wanted::NetworkChanged => Returned::Nothing,
        }),
    };
    returned.map_or_else(CallError::number, |returned| number(&returned))
}

/// Waits for the next event of an engine, at most for this time. `None` has no limit, and zero does
/// not wait. One thread polls an engine at a time.
///
/// After the call `destroyRTS`, the last events still come, and then [`Polled::Ended`] when the
/// last bytes are written, so that the process may end.
#[must_use]
pub fn poll(engine: u64, limit: Option<Duration>) -> Polled {
    match Engines::of_process().find(engine) {
        Some(hosted) => hosted.poll(limit),
        None => Polled::Ended,
    }
}

/// Whether the room of an event was not destroyed since the event was polled. A host asks this
/// before it hands the event to the application, if calls come from another thread.
#[must_use]
pub fn is_current(engine: u64, record: &Record) -> bool {
    let hosted = Engines::of_process().find(engine);
    hosted.is_some_and(|hosted| record.room == 0 || hosted.has_room(record.room, &record.room_id))
}

/// Destroys an engine, and frees it. No event follows: a poll that waits ends at once. Without such
/// an engine, nothing happens.
pub fn release(engine: u64) {
    if let Some(hosted) = Engines::of_process().remove(engine) {
        hosted.release();
    }
}

/// The core of an engine that was destroyed, which knows the numbers of the contract.
fn destroyed() -> Client {
    let app_id = AppId::new("000000000000000000000000").expect("24 characters of the alphabet");
    let mut client = Client::new(Config::new(app_id), 0);
    client.destroy(Instant::ORIGIN);
    client
}
