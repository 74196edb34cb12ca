//! Requests of the OpenAPI, and their signatures.

use rts_openapi::signature::{Parts, Signature, sign};
use rts_openapi::{Action, Call, Command, Method, Query, Route};

use crate::script::Script;

const SECRET: &str = "secret";

/// The input is read as a request: an action, a query, headers, and a body.
///
/// Nothing panics. No signature is valid by chance. A signed request verifies, and no longer
/// verifies after a byte of it changes. A parsed call is within its bounds, and a query means the
/// same as its canonical form.
pub fn openapi(data: &[u8]) {
    let mut script = Script::new(data);
    let action = script.pick(&Action::ALL);
    let query = Query::parse(script.text());
    assert_eq!(Query::parse(&query.canonical()).canonical(), query.canonical());
    let authorization = script.text();
    let path = script.text();
    let at = script.long().into();
    let headers: Vec<_> = (0..script.byte() % 4)
        .map(|_| (script.text().to_ascii_lowercase(), script.text().to_owned()))
        .collect();
    let change = script.short();
    let body = script.bytes(usize::MAX);

    if let Ok(call) = Call::parse(action, &query, body) {
        bounded(&call.command);
    }
    for method in [Method::Get, Method::Post] {
        let route = Route::find(method, path);
        if let Some(Ok(call)) = route.map(|route| route.parse(&query, body)) {
            bounded(&call.command);
        }
    }
    let parts = Parts { method: Method::Post, path, query: &query, headers: &headers, body };
    if let Ok(signature) = Signature::parse(authorization) {
        assert!(signature.verify(&parts, SECRET, at).is_err(), "guessed");
    }
    signed(&parts, at, change.into());
}

/// Signs the request, and changes a byte of the signature or of the body.
fn signed(parts: &Parts<'_>, at: u64, change: usize) {
    // A header that occurs twice cannot be signed.
    let mut headers: Vec<_> =
        parts.headers.iter().filter(|(name, _)| name == "host").cloned().collect();
    headers.truncate(1);
    let parts = Parts { headers: &headers, ..*parts };
    let signed = sign(&parts, "AK", SECRET, "any", at);
    let more = signed.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let headers: Vec<_> = headers.iter().cloned().chain(more).collect();
    let parts = Parts { headers: &headers, ..parts };
    let [_, _, (_, authorization)] = &signed;
    let signature = Signature::parse(authorization).expect("what is signed here");
    assert_eq!(signature.verify(&parts, SECRET, at), Ok(()));

    let mut forged = authorization.clone().into_bytes();
    let digit = forged.len() - 1 - change % 64;
    if let Some(byte) = forged.get_mut(digit) {
        *byte = if *byte == b'0' { b'1' } else { b'0' };
    }
    let forged = String::from_utf8(forged).expect("still ASCII");
    let signature_forged = Signature::parse(&forged).expect("still of the form");
    assert!(signature_forged.verify(&parts, SECRET, at).is_err(), "{forged}");

    let mut body = parts.body.to_vec();
    body.insert(change % (body.len() + 1), b'x');
    let parts = Parts { body: &body, ..parts };
    assert!(signature.verify(&parts, SECRET, at).is_err(), "another body");
}

fn bounded(command: &Command) {
    match command {
        Command::RoomUnicast { to, .. } => assert!((1..=600).contains(&to.len())),
        Command::Statuses { uids } => assert!((1..=600).contains(&uids.len())),
        Command::Users { limit, .. } | Command::Rooms { limit, .. } => {
            assert!((1..=1_000).contains(limit));
        }
        Command::Unicast { .. }
        | Command::Broadcast { .. }
        | Command::Kick { .. }
        | Command::Dismiss { .. }
        | Command::Ban { .. }
        | Command::OnlineUsers { .. }
        | Command::Disconnect { .. }
        | Command::BanLogin { .. }
        | Command::Unban { .. }
        | Command::Revoke { .. }
        | Command::Stats => {}
    }
}
