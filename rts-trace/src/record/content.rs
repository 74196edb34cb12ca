//! A payload, as it is recorded.

use rts_proto::Payload;
use serde::{Deserialize, Serialize};

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
