//! The entries of shards, as they are recorded: with scrubbed frames.

use bytes::Bytes;
use rts_proto::server::Entry;

use crate::scrub::Scrubber;

pub(crate) fn scrubbed(entries: &[Entry], scrubber: &Scrubber) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for frame in entries.iter_mut().flat_map(frames) {
        *frame = scrubber.frames(frame).into();
    }
    entries
}

/// The frames of an entry, which are complete. Nothing else in an entry is confidential.
fn frames(entry: &mut Entry) -> Vec<&mut Bytes> {
    match entry {
        Entry::Deliver { frame, .. }
        | Entry::Broadcast { frame, .. }
        | Entry::Push { frame, .. } => {
            vec![frame]
        }
        Entry::PushToEach { frames, .. } => frames.iter_mut().map(|(_, frame)| frame).collect(),
        Entry::Removed { notice, .. } => notice.iter_mut().collect(),
        Entry::InApp(_)
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
