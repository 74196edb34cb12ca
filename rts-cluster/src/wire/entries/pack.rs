//! Puts entries into pieces for a trunk.

use bytes::Bytes;
use prost::Message as _;

use super::super::generated::entry::Kind;
use super::super::generated::{self as proto, Entry};
use super::route::Route;
use crate::limits::ENTRIES_BYTES_MAX;

/// Bytes of a piece besides its largest entry: the route, the entry that names the app, and the tag
/// and length of the largest entry.
const REST_BYTES_MAX: usize = 64;
/// The bytes of the largest entry.
pub(super) const ENTRY_BYTES_MAX: usize = ENTRIES_BYTES_MAX - REST_BYTES_MAX;
/// The number of the field of [`proto::Entries`] that holds entries.
const ENTRIES_TAG: u32 = 3;

/// Entries become pieces.
pub(super) struct Pack {
    route: proto::Route,
    /// The present piece.
    piece: Vec<u8>,
    /// The bytes of an empty piece.
    empty: usize,
    /// The entry that named an app last.
    app: Option<Entry>,
    full: Vec<Bytes>,
}

impl Pack {
    pub(super) fn new(route: Route) -> Self {
        let [from_shard, to_shard] = [route.from(), route.to()].map(u32::from);
        let route = proto::Route { from_shard, to_shard };
        let piece = route.encode_to_vec();
        Self { route, empty: piece.len(), piece, app: None, full: Vec::new() }
    }

    pub(super) fn add(&mut self, entry: Entry) {
        let len = entry.encoded_len();
        let in_piece = 1 + prost::length_delimiter_len(len) + len;
        if self.piece.len() > self.empty && self.piece.len() + in_piece > ENTRIES_BYTES_MAX {
            let next = self.route.encode_to_vec();
            self.full.push(std::mem::replace(&mut self.piece, next).into());
            if let Some(app) = &self.app {
                put(app, &mut self.piece);
            }
        }
        put(&entry, &mut self.piece);
        if matches!(entry.kind, Some(Kind::InApp(_))) {
            self.app = Some(entry);
        }
    }

    pub(super) fn end(mut self) -> Vec<Bytes> {
        if self.piece.len() > self.empty {
            self.full.push(self.piece.into());
        }
        self.full
    }
}

fn put(entry: &Entry, piece: &mut Vec<u8>) {
    prost::encoding::message::encode(ENTRIES_TAG, entry, piece);
}
