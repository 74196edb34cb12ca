//! A digest of a core's outputs.

use bytes::Bytes;
use rts_proto::client::{self, Event, RoomEvent};
use rts_proto::server;
use sha2::{Digest as _, Sha256};

use crate::record::scrubbed;
use crate::scrub::Scrubber;

/// Outputs and returned values are counted separately, because the driver decides how far outputs
/// are drained when a call comes.
#[derive(Default)]
pub(crate) struct Digest {
    outputs: Sha256,
    returned: Sha256,
}

impl Digest {
    pub(crate) fn returned(&mut self, returned: &str) {
        put(&mut self.returned, 0, &[returned.as_bytes()]);
    }

    pub(crate) fn client_output(&mut self, scrubber: &mut Scrubber, output: &client::Output) {
        let out = &mut self.outputs;
        match output {
            client::Output::Connect(link) => {
                scrubber.open(*link);
                put(out, 1, &[&link.0.to_le_bytes()]);
            }
            client::Output::Transmit(link, bytes) => {
                let bytes = scrubber.frames(bytes);
                put(out, 2, &[&link.0.to_le_bytes(), &bytes]);
            }
            client::Output::Disconnect(link) => {
                scrubber.forget(*link);
                put(out, 3, &[&link.0.to_le_bytes()]);
            }
            client::Output::Event(event) => {
                let content = content(scrubber, event);
                // `Debug` shows an event without the content of its payload.
                put(out, 4, &[format!("{event:?}").as_bytes(), &content.unwrap_or_default()]);
            }
            client::Output::Wait(deadline) => put(out, 5, &[format!("{deadline:?}").as_bytes()]),
        }
    }

    pub(crate) fn server_output(&mut self, scrubber: &mut Scrubber, output: &server::Output) {
        let out = &mut self.outputs;
        match output {
            server::Output::Transmit(link, bytes) => {
                let bytes = scrubber.frames(bytes);
                put(out, 2, &[&link.0.to_le_bytes(), &bytes]);
            }
            server::Output::Disconnect(link, code) => {
                scrubber.forget(*link);
                let code = code.map_or(0, |code| code.code());
                put(out, 3, &[&link.0.to_le_bytes(), &code.to_le_bytes()]);
            }
            server::Output::Authenticate(login, credentials) => {
                let token = scrubber.token(&credentials.token);
                let (app_id, uid) = (credentials.app_id.as_str(), credentials.uid.as_str());
                put(out, 6, &[&login.0.to_le_bytes(), app_id.as_bytes(), uid.as_bytes(), &token]);
            }
            server::Output::CheckTarget(id, target) => {
                let url = scrubber.secret_text(&target.url);
                put(
                    out,
                    7,
                    &[&id.0.to_le_bytes(), target.app_id.as_str().as_bytes(), url.as_bytes()],
                );
            }
            server::Output::PostToAppServer(call, post) => {
                let (signature, url) = (
                    scrubber.secret_text(post.params.signature()),
                    scrubber.secret_text(post.params.url()),
                );
                let content = scrubber.content_bytes(&post.payload);
                let whose = [post.app_id.as_str(), post.uid.as_str()].map(str::as_bytes);
                let numbers = [call.0.to_le_bytes(), post.id.0.to_le_bytes()];
                let said = [signature.as_bytes(), url.as_bytes(), &content];
                put(
                    out,
                    8,
                    &[&numbers[0], &numbers[1], whose[0], whose[1], said[0], said[1], said[2]],
                );
            }
            server::Output::AbandonPost(call) => put(out, 9, &[&call.0.to_le_bytes()]),
            server::Output::Report(app_id, report) => {
                put(out, 10, &[app_id.as_str().as_bytes(), format!("{report:?}").as_bytes()]);
            }
            server::Output::HandOver(link, shard, opened) => {
                scrubber.forget(*link);
                let key = scrubber.key(&opened.key);
                let deadline = opened.login_deadline.as_micros().to_le_bytes();
                let bytes = scrubber.frames(&opened.bytes);
                let to = [shard.number() as u8];
                put(out, 11, &[&link.0.to_le_bytes(), &to, &key, &deadline, &bytes]);
            }
            server::Output::Peer(shard, entries) => {
                let entries = postcard::to_stdvec(&scrubbed(entries, scrubber));
                let entries = entries.expect("memory takes all");
                put(out, 12, &[&[shard.number() as u8], &entries]);
            }
            server::Output::Respond(request, response) => {
                let response = postcard::to_stdvec(response).expect("memory takes all");
                put(out, 13, &[&request.0.to_le_bytes(), &response]);
            }
            // Notices are for people, and a replayed core makes none.
            server::Output::Notice(_) => {}
            server::Output::Wait(deadline) => put(out, 5, &[format!("{deadline:?}").as_bytes()]),
        }
    }

    pub(crate) fn value(&self) -> u64 {
        let mut both = self.outputs.clone();
        both.update(self.returned.clone().finalize());
        let bytes: [u8; 32] = both.finalize().into();
        u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
    }
}

/// Writes the fields with their lengths, which keeps them apart.
fn put(out: &mut Sha256, kind: u8, fields: &[&[u8]]) {
    out.update([kind]);
    for field in fields {
        out.update((field.len() as u64).to_le_bytes());
        out.update(field);
    }
}

/// The content of an event that comes from other users.
fn content(scrubber: &Scrubber, event: &Event) -> Option<Bytes> {
    match event {
        Event::MessageReceived { payload, .. } => Some(scrubber.content_bytes(payload)),
        Event::ServerMessageSendResult { reply, .. } => Some(scrubber.reply(reply).into()),
        Event::Room { event, .. } => match event {
            RoomEvent::MessageReceived { payload, .. }
            | RoomEvent::UserMessageReceived { payload, .. } => {
                Some(scrubber.content_bytes(payload))
            }
            RoomEvent::Joined { .. }
            | RoomEvent::StateChanged { .. }
            | RoomEvent::Left
            | RoomEvent::MessageSendResult { .. }
            | RoomEvent::UserJoined(_)
            | RoomEvent::UserLeft { .. } => None,
        },
        Event::ConnectionStateChanged(_)
        | Event::LoginResult { .. }
        | Event::Logout(_)
        | Event::PeerOnlineStatus { .. }
        | Event::MessageSendResult { .. }
        | Event::ServerParamsSetResult(_)
        | Event::CreateRoomFailed { .. }
        | Event::Warning { .. } => None,
    }
}
