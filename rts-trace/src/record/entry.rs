//! The entries of shards, as they are recorded: with scrubbed frames.

use bytes::Bytes;
use rts_proto::UserId;
use rts_proto::server::{Deliveries, Delivery, Entry, Moved, PassedOn, Request};

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

/// The frames of an entry that are apart, which are complete. Nothing else in an entry is
/// confidential.
fn frames(entry: &mut Entry) -> Vec<&mut Bytes> {
    match entry {
        Entry::Broadcast { frame, .. } | Entry::Push { frame, .. } => vec![frame],
        Entry::PushToEach { frames, .. } => frames.iter_mut().map(|(_, frame)| frame).collect(),
        Entry::Removed { notice, .. } => notice.iter_mut().collect(),
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
    use rts_proto::server::SessionNumber;
    use rts_proto::wire::Frame;
    use rts_proto::{MessageConfig, MessageId, Payload};

    use super::*;
    use crate::Secrets;

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
