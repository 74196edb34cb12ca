//! What nodes of a cluster send each other, and what they keep in the register.

use bytes::Bytes;
use rts_cluster::limits::ENTRIES_BYTES_MAX;
use rts_cluster::trunk;
use rts_cluster::view::View;
use rts_cluster::wire::{Kind, Packet, entries};
use rts_proto::Instant;

const NOW: Instant = Instant::from_millis(1_000);

/// The input is read as a packet of the bus, as a view, and as entries between shards.
///
/// Nothing panics. What can be read is written as bytes that read the same.
pub fn bus_packet(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(view) = View::decode(bytes.clone()) {
        assert_eq!(View::decode(view.encode()), Ok(view));
    }
    if let Ok(Some(packet)) = Packet::decode(bytes.clone()) {
        let again = Packet::decode(packet.clone().encode());
        assert_eq!(again.as_ref(), Ok(&Some(packet.clone())));
        if let Kind::Trunk(trunk::Packet::Batch { entries, .. }) = packet.kind {
            entries.into_iter().for_each(read_entries);
        }
    }
    read_entries(bytes);
}

fn read_entries(bytes: Bytes) {
    let route = entries::Route::read(&bytes);
    let Ok((of_entries, read)) = entries::decode(bytes, NOW) else { return };
    assert_eq!(route, Ok(of_entries));
    for piece in entries::encode(of_entries, read, NOW) {
        assert!(piece.len() <= ENTRIES_BYTES_MAX);
        let (route, read) = entries::decode(piece.clone(), NOW).expect("it was just encoded");
        assert_eq!(entries::encode(route, read, NOW), [piece]);
    }
}
