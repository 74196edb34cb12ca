//! Signatures of posts, which prove to an app server that RTS sent a post, and for which user.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderValue;
use rts_proto::server::Post;
use sha2::Sha256;

use crate::config::ForwardingKey;

/// The header with the signature.
pub(super) const HEADER: &str = "rts-signature";

/// `t=<Unix seconds>,n=<nonce>,app=<app id>,uid=<sender>,id=<message>,v1=<signature>`, where the
/// signature is the HMAC-SHA256 of the text before `,v1`, a line feed, and the body.
pub(super) fn header(
    key: &ForwardingKey,
    now: SystemTime,
    post: &Post,
    body: &[u8],
) -> Result<HeaderValue, getrandom::Error> {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let nonce = u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?);
    Ok(header_with(key, seconds, nonce, post, body))
}

fn header_with(
    key: &ForwardingKey,
    seconds: u64,
    nonce: u128,
    post: &Post,
    body: &[u8],
) -> HeaderValue {
    let Post { app_id, uid, id, .. } = post;
    let signed = format!("t={seconds},n={nonce:032x},app={app_id},uid={uid},id={id}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac.update(b"\n");
    mac.update(body);
    let signature: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{signed},v1={signature}");
    // Ids have an alphabet without control characters, so none of them can end the line.
    HeaderValue::try_from(text).expect("numbers and ids are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rts_proto::{AppId, MessageId, Payload, ServerParams, UserId};

    /// The manual shows this post. The manual's Python program computed its signature.
    const SIGNED_POST: &str = include_str!("signed_post.txt");

    #[test]
    fn signs_the_post_of_the_manual() {
        let post = Post {
            app_id: AppId::new("123456781234567812345678").expect("an app id"),
            uid: UserId::new("alice").expect("a user id"),
            id: MessageId(7),
            params: ServerParams::new(b"session 42", b"https://app.example/rts").expect("good"),
            payload: Payload::text("hello"),
        };
        let body = crate::app_server::body::json(&post);
        let key = ForwardingKey::new("a long random text").expect("a key");
        let header = header_with(&key, 1_700_000_000, 255, &post, &body);
        let header = header.to_str().expect("ASCII");
        let body = str::from_utf8(&body).expect("UTF-8");
        assert_eq!(format!("{HEADER}: {header}\n\n{body}\n"), SIGNED_POST);
    }
}
