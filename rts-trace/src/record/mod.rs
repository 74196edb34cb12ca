//! What is in a trace. Values are plain here: they were checked when they were recorded, and are
//! again when they are replayed. A change of these types is a change of the format: its version
//! grows, as `format.rs` says.

mod client;
mod config;
mod server;

use rts_proto::Payload;
use serde::{Deserialize, Serialize};

pub(crate) use client::{ClientCall, ClientInput};
pub(crate) use config::{CoreConfig, client_config};
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

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Content {
    Text(String),
    Binary(Vec<u8>),
}

impl From<Content> for Payload {
    fn from(content: Content) -> Self {
        match content {
            Content::Text(text) => Self::text(text),
            Content::Binary(bytes) => Self::binary(bytes),
        }
    }
}

impl From<&Content> for Payload {
    fn from(content: &Content) -> Self {
        match content {
            Content::Text(text) => Self::text(text.clone()),
            Content::Binary(bytes) => Self::binary(bytes.clone()),
        }
    }
}

impl Content {
    pub(crate) fn size(&self) -> String {
        match self {
            Self::Text(text) => format!("{} bytes of text", text.len()),
            Self::Binary(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}
