//! The records of a trace. Values are plain here: they were checked before they were recorded, and
//! are checked again by the replay. A change of these types changes the format, and raises its
//! version, as `format.rs` says.

mod client;
mod command;
mod config;
mod content;
mod entry;
mod homes;
mod server;

use serde::{Deserialize, Serialize};

pub(crate) use client::{ClientCall, ClientInput};
pub(crate) use command::ServerCall;
pub(crate) use config::{CoreConfig, client_config};
pub(crate) use content::Content;
pub(crate) use entry::scrubbed;
pub(crate) use server::ServerInput;

/// One record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The first record of a file, and the first variant in all versions of the format.
    Start(Start),
    ClientInput {
        after_micros: u64,
        input: ClientInput,
    },
    ClientCall {
        after_micros: u64,
        call: ClientCall,
    },
    ServerInput {
        after_micros: u64,
        input: ServerInput,
    },
    ServerCall {
        after_micros: u64,
        call: ServerCall,
    },
    /// The core was drained. The digest covers its outputs and returned values since the beginning.
    Drained {
        digest: u64,
    },
}

impl Record {
    /// The time from the previous record to this one.
    pub(crate) fn after_micros(&self) -> u64 {
        match self {
            Self::ClientInput { after_micros, .. }
            | Self::ClientCall { after_micros, .. }
            | Self::ServerInput { after_micros, .. }
            | Self::ServerCall { after_micros, .. } => *after_micros,
            Self::Start(_) | Self::Drained { .. } => 0,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The version of the recording software. It is first in all versions of the format.
    pub(crate) version: String,
    pub(crate) scrubbed: bool,
    /// The beginning of the recording, as Unix time.
    pub(crate) unix_micros: u64,
    pub(crate) seed: u64,
    pub(crate) core: CoreConfig,
}
