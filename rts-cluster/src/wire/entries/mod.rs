//! Entries from a shard of a node to a shard of another one, as entries of a trunk.

mod arriving;
mod from;
mod into;
mod moved;
mod ownership;
mod pack;
mod request;
mod response;
mod route;
mod values;

use bytes::Bytes;
use prost::Message as _;
use rts_proto::Instant;
use rts_proto::server::Entry;

use super::generated as proto;
use super::packet::WireError;
use pack::Pack;
pub use route::Route;

/// Encodes entries for a trunk. Usually that makes one piece. A piece has at most
/// [`ENTRIES_BYTES_MAX`](crate::limits::ENTRIES_BYTES_MAX) bytes. To that end, an entry with
/// several messages, results, frames or receivers may become several ones that mean the same.
///
/// The pieces have to arrive in their order. Each of them names the app of its entries.
/// The moment until which a membership waits goes over as the time that remains from `now` on,
/// because clocks of nodes differ. The transfer is added to that time.
#[must_use]
pub fn encode(route: Route, entries: Vec<Entry>, now: Instant) -> Vec<Bytes> {
    let mut pack = Pack::new(route);
    for entry in entries {
        into::kinds(entry, now, |kind| pack.add(proto::Entry { kind: Some(kind) }));
    }
    pack.end()
}

/// Reads a piece that [`encode`] made. Entries of kinds that this version does not know are left
/// out. The content of frames is not checked.
///
/// # Errors
///
/// No correct node sends these bytes.
pub fn decode(piece: Bytes, now: Instant) -> Result<(Route, Vec<Entry>), WireError> {
    let piece = proto::Entries::decode(piece).map_err(|_| WireError::Malformed)?;
    let route = Route::checked(piece.from_shard, piece.to_shard)?;
    let kinds = piece.entries.into_iter().filter_map(|entry| entry.kind);
    let entries = kinds.map(|kind| from::entry(kind, now)).collect::<Result<_, _>>()?;
    Ok((route, entries))
}

#[cfg(test)]
mod tests;
