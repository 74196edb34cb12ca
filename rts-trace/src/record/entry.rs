//! The entries of shards, as they are recorded: with scrubbed frames.

use bytes::Bytes;
use rts_proto::server::{
    Candidate, Deliveries, Delivery, Entry, Moved, MovedParams, Ownership, PassedOn, Request,
    SessionContent,
};
use rts_proto::wire::ResumeKey;
use rts_proto::{Payload, ServerParams, UserId};

use crate::scrub::Scrubber;

pub(crate) fn scrubbed(entries: &[Entry], scrubber: &Scrubber) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        if let Some(deliveries) = messages(entry) {
            *deliveries = scrubbed_deliveries(deliveries, scrubber);
        }
        for frame in frames(entry) {
            scrub(frame, scrubber);
        }
        for key in keys(entry) {
            key.0 = scrubber.key(key);
        }
        for params in params(entry) {
            *params = scrubbed_params(params, scrubber);
        }
        if let Some(payload) = payload(entry) {
            *payload = scrubber.content(payload).into();
        }
    }
    entries
}

/// The messages of an entry, whose frames share memory.
fn messages(entry: &mut Entry) -> Option<&mut Deliveries> {
    match entry {
        Entry::Deliver(messages) | Entry::PassedOn(PassedOn::Deliver(messages)) => Some(messages),
        Entry::Moved(moved) => match &mut **moved {
            Moved::Held(PassedOn::Deliver(messages)) => Some(messages),
            _ => None,
        },
        _ => None,
    }
}

fn scrubbed_deliveries(deliveries: &Deliveries, scrubber: &Scrubber) -> Deliveries {
    let mut scrubbed = Deliveries::default();
    for Delivery { session, id, config, to, frame } in deliveries.iter() {
        let to = UserId::new(to).expect("the receiver of a delivery is a valid id");
        scrubbed.push(session, id, config, &to, &scrubber.frames(frame));
    }
    scrubbed
}

/// The keys of an entry.
fn keys(entry: &mut Entry) -> Vec<&mut ResumeKey> {
    match entry {
        Entry::Ownership(Ownership::Ask { candidate, .. }) => {
            key_of(candidate).into_iter().collect()
        }
        Entry::Ownership(Ownership::Revoke { resume, .. }) => {
            resume.as_deref_mut().map(|resume| &mut resume.key).into_iter().collect()
        }
        Entry::Resume(asked) => key_of(&mut asked.candidate).into_iter().collect(),
        Entry::Moved(moved) => match &mut **moved {
            Moved::User { owner: Some(owner), .. } => {
                owner.candidates.iter_mut().filter_map(key_of).collect()
            }
            _ => Vec::new(),
        },
        Entry::SessionMoved(part) => match &mut part.content {
            SessionContent::Session(session) => vec![&mut session.key],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn key_of(candidate: &mut Candidate) -> Option<&mut ResumeKey> {
    candidate.resume.as_deref_mut().map(|resume| &mut resume.key)
}

/// The params for the app server in an entry.
fn params(entry: &mut Entry) -> Vec<&mut ServerParams> {
    let Entry::SessionMoved(part) = entry else { return Vec::new() };
    match &mut part.content {
        SessionContent::Session(session) => {
            let undecided = session.undecided.iter_mut().map(|(_, params)| params);
            session.params.iter_mut().chain(undecided).collect()
        }
        SessionContent::Post(post) => match &mut post.params {
            MovedParams::Known(params) => vec![params],
            MovedParams::Asked(_) => Vec::new(),
        },
        SessionContent::Rooms(_) | SessionContent::Frames(_) | SessionContent::Revoked => {
            Vec::new()
        }
    }
}

fn scrubbed_params(params: &ServerParams, scrubber: &Scrubber) -> ServerParams {
    let [signature, url] =
        [params.signature(), params.url()].map(|text| scrubber.secret_text(text));
    let scrubbed = ServerParams::new(signature.as_bytes(), url.as_bytes());
    scrubbed.expect("filler has the length and the kinds of characters")
}

/// The message for the app server in an entry.
fn payload(entry: &mut Entry) -> Option<&mut Payload> {
    match entry {
        Entry::SessionMoved(part) => match &mut part.content {
            SessionContent::Post(post) => Some(&mut post.payload),
            _ => None,
        },
        _ => None,
    }
}

/// The frames of an entry that are apart, which are complete.
fn frames(entry: &mut Entry) -> Vec<&mut Bytes> {
    match entry {
        Entry::Broadcast { frame, .. } | Entry::Push { frame, .. } => vec![frame],
        Entry::PushToEach { frames, .. } => frames.iter_mut().map(|(_, frame)| frame).collect(),
        Entry::Removed { notice, .. } => notice.iter_mut().collect(),
        Entry::SessionMoved(part) => match &mut part.content {
            SessionContent::Frames(frames) => {
                frames.iter_mut().map(|frames| &mut frames.bytes).collect()
            }
            _ => Vec::new(),
        },
        Entry::Request(on_way) | Entry::PassedOn(PassedOn::Request(on_way)) => {
            frame_of_request(&mut on_way.request).into_iter().collect()
        }
        Entry::Moved(moved) => match &mut **moved {
            Moved::Held(PassedOn::Request(on_way)) => {
                frame_of_request(&mut on_way.request).into_iter().collect()
            }
            _ => Vec::new(),
        },
        // Their messages are scrubbed together.
        Entry::Deliver(_)
        | Entry::PassedOn(_)
        | Entry::Response(_)
        | Entry::HomesReached { .. }
        | Entry::Resume(_)
        | Entry::Taken(_)
        | Entry::Fence(_)
        | Entry::Fenced(_)
        | Entry::Switch { .. }
        | Entry::Switched { .. }
        | Entry::Ownership(_)
        | Entry::InApp(_)
        | Entry::QueryStatus { .. }
        | Entry::Orphan { .. }
        | Entry::Join { .. }
        | Entry::Leave { .. }
        | Entry::Gone { .. }
        | Entry::PutOut { .. }
        | Entry::AskNames { .. }
        | Entry::Outcomes(_)
        | Entry::NotDelivered { .. }
        | Entry::NotBroadcast { .. }
        | Entry::Joined { .. }
        | Entry::JoinRefused { .. }
        | Entry::Names { .. }
        | Entry::Left { .. } => Vec::new(),
    }
}

/// The frame of a request.
fn frame_of_request(request: &mut Request) -> Option<&mut Bytes> {
    match request {
        Request::Unicast { frame, .. }
        | Request::BroadcastToRoom { frame, .. }
        | Request::UnicastInRoom { frame, .. } => Some(frame),
        Request::Kick { .. }
        | Request::Dismiss { .. }
        | Request::Ban { .. }
        | Request::Unban { .. }
        | Request::PutOut { .. }
        | Request::Revoke { .. }
        | Request::Status { .. }
        | Request::Members { .. }
        | Request::Users { .. }
        | Request::Rooms { .. }
        | Request::Stats => None,
    }
}

pub(crate) fn scrubbed_request(request: &Request, scrubber: &Scrubber) -> Request {
    let mut request = request.clone();
    if let Some(frame) = frame_of_request(&mut request) {
        scrub(frame, scrubber);
    }
    request
}

fn scrub(frame: &mut Bytes, scrubber: &Scrubber) {
    *frame = scrubber.frames(frame).into();
}

#[cfg(test)]
mod tests {
    use rts_proto::server::{
        AskedLogin, AskedResume, LeftBehind, MovedOwner, MovedPost, MovedSession, ResumeAsked,
        SessionNumber, SessionPart, ShardId, Tenure,
    };
    use rts_proto::wire::Frame;
    use rts_proto::{LoginId, MessageConfig, MessageId};

    use super::*;
    use crate::Secrets;

    /// The entries with the key of a session, and with what its posts contain.
    fn of_moving_sessions(key: ResumeKey) -> Vec<Entry> {
        let number = |number| SessionNumber::from_number(number).expect("not zero");
        let uid = || UserId::new("alice").expect("well formed");
        let asked = AskedLogin { engine: 0, attempt: 0, claim: 0, clock: 0 };
        let resume = AskedResume { key, received: 0, next: number(2) };
        let (shard, login) = (ShardId::FIRST, LoginId(1));
        let resume = Some(Box::new(resume));
        let candidate = || Candidate { shard, login, asked, resume: resume.clone() };
        let ask = Ownership::Ask { uid: uid(), candidate: candidate() };
        let tenure = Tenure(1);
        let revoke = Ownership::Revoke { uid: uid(), tenure, login: asked, resume: resume.clone() };
        let asked = ResumeAsked { uid: uid(), session: number(1), candidate: candidate() };
        let owner = MovedOwner { shard, tenure, candidates: vec![candidate()] };
        let left = LeftBehind::default();
        let moved = Moved::User { uid: uid(), owner: Some(owner), left };
        let params = ServerParams::new(b"canary", b"canary").expect("well formed");
        let post = MovedPost {
            id: MessageId(1),
            params: MovedParams::Known(params.clone()),
            payload: Payload::text("canary"),
        };
        let session = MovedSession {
            uid: uid(),
            session: number(1),
            tenure,
            key,
            issued_at: 0,
            claim: 0,
            received: 0,
            acked: 0,
            frames_resent: 0,
            rooms: Vec::new(),
            welcomes: Vec::new(),
            left: LeftBehind::default(),
            params: Some(params.clone()),
            undecided: vec![(1, params)],
        };
        let part = |content| SessionPart { next: number(2), content };
        vec![
            Entry::Ownership(ask),
            Entry::Ownership(revoke),
            Entry::Resume(Box::new(asked)),
            Entry::Moved(Box::new(moved)),
            Entry::SessionMoved(Box::new(part(SessionContent::Session(Box::new(session))))),
            Entry::SessionMoved(Box::new(part(SessionContent::Post(Box::new(post))))),
        ]
    }

    #[test]
    fn keys_params_and_posts_of_moving_sessions_are_scrubbed() {
        let key = ResumeKey(*b"canary of a key!");
        let entries = of_moving_sessions(key);
        for secrets in [Secrets::Scrubbed, Secrets::Kept] {
            for mut entry in scrubbed(&entries, &Scrubber::new(secrets, [7; 32])) {
                assert!(!keys(&mut entry).contains(&&mut ResumeKey(key.0)), "{entry:?}");
                let is_kept = secrets == Secrets::Kept;
                for params in params(&mut entry) {
                    let is_canary = [params.url(), params.signature()].contains(&"canary");
                    assert_eq!(is_canary, is_kept);
                }
                if let Some(payload) = payload(&mut entry) {
                    assert_eq!(payload.as_text() == Some("canary"), is_kept);
                }
            }
        }
        let of_all = entries.into_iter().map(|mut entry| {
            keys(&mut entry).len() + params(&mut entry).len() + payload(&mut entry).iter().len()
        });
        assert!(of_all.eq([1, 1, 1, 1, 3, 2]), "each has what it is tested for");
    }

    #[test]
    fn messages_in_entries_of_all_kinds_are_scrubbed() {
        let uid = UserId::new("alice").expect("well formed");
        let (config, payload) = (MessageConfig::ReliableOrdered, Payload::text("canary"));
        let frame = Frame::Delivery { from: uid.clone(), payload, config }.encode();
        let session = SessionNumber::from_number(1).expect("not zero");
        let mut messages = Deliveries::default();
        messages.push(session, MessageId(1), config, &uid, &frame);
        let passed_on = || PassedOn::Deliver(messages.clone());
        let entries = [
            Entry::Deliver(messages.clone()),
            Entry::PassedOn(passed_on()),
            Entry::Moved(Box::new(Moved::Held(passed_on()))),
        ];
        for (secrets, is_kept) in [(Secrets::Scrubbed, false), (Secrets::Kept, true)] {
            for mut entry in scrubbed(&entries, &Scrubber::new(secrets, [7; 32])) {
                let messages = self::messages(&mut entry).expect("messages").clone();
                let frames: Vec<&[u8]> = messages.iter().map(|message| message.frame).collect();
                let [scrubbed] = frames[..] else { panic!("one message, not {frames:?}") };
                assert_eq!(scrubbed == frame, is_kept, "{secrets:?}: {entry:?}");
                assert_eq!(scrubbed.len(), frame.len(), "{entry:?}");
            }
        }
    }
}
