//! The JSON body of a post to an app server: three fields, and nothing else.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use rts_proto::Payload;
use rts_proto::server::Post;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    binary: bool,
    signature: &'a str,
}

/// The body of a post: text as a string, bytes as base64.
pub(super) fn json(post: &Post) -> Bytes {
    let encoded;
    let (message, binary) = match &post.payload {
        Payload::Text(text) => (text.as_str(), false),
        Payload::Binary(bytes) => {
            encoded = BASE64_STANDARD.encode(bytes);
            (encoded.as_str(), true)
        }
    };
    let body = Body { message, binary, signature: post.params.signature() };
    serde_json::to_vec(&body).expect("texts and a bool are JSON").into()
}
