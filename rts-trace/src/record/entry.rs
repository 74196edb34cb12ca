//! The entries of shards, as they are recorded: with scrubbed frames.

use bytes::Bytes;
use rts_proto::UserId;
use rts_proto::server::{Deliveries, Delivery, Entry, PassedOn};

use crate::scrub::Scrubber;

pub(crate) fn scrubbed(entries: &[Entry], scrubber: &Scrubber) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        if let Entry::Deliver(deliveries) | Entry::PassedOn(PassedOn::Deliver(deliveries)) = entry {
            *deliveries = scrubbed_deliveries(deliveries, scrubber);
        }
        for frame in frames(entry) {
            *frame = scrubber.frames(frame).into();
        }
    }
    entries
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
        // Frames of messages share memory, and are scrubbed together.
        Entry::Deliver(_)
        | Entry::PassedOn(_)
        | Entry::Ownership(_)
        | Entry::InApp(_)
        | Entry::QueryStatus { .. }
        | Entry::OrphanGone { .. }
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
