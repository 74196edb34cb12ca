//! What is in a trace. Values are plain here: they were checked when they were recorded, and are
//! again when they are replayed. A change of these types is a change of the format: its version
//! grows, as `format.rs` says.

mod client;
mod config;
mod content;
mod server;

use serde::{Deserialize, Serialize};

pub(crate) use client::{ClientCall, ClientInput};
pub(crate) use config::{CoreConfig, client_config};
pub(crate) use content::Content;
pub(crate) use server::{ServerCall, ServerInput};

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
    /// The core was drained: what it said and returned since the beginning, as a digest.
    Drained {
        digest: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Of the software that recorded. It is first in all versions of the format.
    pub(crate) version: String,
    pub(crate) scrubbed: bool,
    /// Unix time of the recording's beginning.
    pub(crate) unix_micros: u64,
    pub(crate) seed: u64,
    pub(crate) core: CoreConfig,
}
