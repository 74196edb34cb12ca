//! The thread on which all engines of the process live.

use std::io;
use std::sync::{Mutex, PoisonError};

use rts_proto::AppId;
use rts_transport_tokio::{Connector, Engine, EngineOptions, connect_with};
use tokio::runtime::{Builder, Handle};

use super::error::CreateError;

/// Started with the first engine. It lives as long as the process, and does not keep it alive.
static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

pub(super) fn make_engine(connector: Connector, app_id: AppId) -> Result<Engine, CreateError> {
    let runtime = runtime().map_err(|error| CreateError::System(error.to_string()))?;
    let _present = runtime.enter();
    Ok(connect_with(connector, app_id, EngineOptions::default())?)
}

fn runtime() -> io::Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.clone());
    }
    let started = Builder::new_current_thread().enable_all().build()?;
    let handle = started.handle().clone();
    let forever = move || started.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("rts-io".to_owned()).spawn(forever)?;
    Ok(runtime.insert(handle).clone())
}
