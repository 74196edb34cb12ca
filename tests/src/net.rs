//! Byte streams between engines and the server: in order, late, cut up, and sometimes dead.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::{Instant, LinkId};

/// One direction of one link.
#[derive(Debug, Default)]
struct Stream {
    /// Each with the moment of its arrival; no chunk arrives before an earlier one.
    chunks: VecDeque<(Instant, Bytes)>,
    /// The stream ends when the chunks before it have arrived.
    ends_at: Option<Instant>,
    last_arrival: Instant,
}

/// What arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Bytes(Bytes),
    End,
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The network. All its behaviour can be changed at any time.
#[derive(Debug)]
pub struct Net {
    streams: BTreeMap<(LinkId, Side), Stream>,
    /// From one side to the other.
    pub latency: Duration,
    /// What is written arrives in chunks of at most so many bytes.
    pub chunk_bytes: usize,
    /// Nothing arrives and nobody is told. What is under way waits until this is over.
    pub is_silent: bool,
    /// Connecting fails.
    pub refuses: bool,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self {
            streams: BTreeMap::new(),
            latency: Duration::from_millis(10),
            chunk_bytes: usize::MAX,
            is_silent: false,
            refuses: false,
        }
    }

    pub(crate) fn open(&mut self, link: LinkId) {
        self.streams.insert((link, Side::Client), Stream::default());
        self.streams.insert((link, Side::Server), Stream::default());
    }

    /// Bytes on their way to the end of the link at `to`.
    pub(crate) fn write(&mut self, now: Instant, link: LinkId, to: Side, mut bytes: Bytes) {
        let arrival = now + self.latency;
        let chunk_bytes = self.chunk_bytes.max(1);
        let Some(stream) = self.streams.get_mut(&(link, to)) else { return };
        stream.last_arrival = stream.last_arrival.max(arrival);
        while !bytes.is_empty() && stream.ends_at.is_none() {
            let chunk = bytes.split_to(chunk_bytes.min(bytes.len()));
            stream.chunks.push_back((stream.last_arrival, chunk));
        }
    }

    /// The other end of `from`'s link is told, after what was written.
    pub(crate) fn close(&mut self, now: Instant, link: LinkId, from: Side) {
        let to = if from == Side::Client { Side::Server } else { Side::Client };
        self.streams.remove(&(link, from));
        let arrival = now + self.latency;
        if let Some(stream) = self.streams.get_mut(&(link, to)) {
            stream.ends_at = Some(stream.last_arrival.max(arrival));
        }
    }

    /// Breaks the link now, at both ends; what is on its way is lost.
    pub(crate) fn cut(&mut self, now: Instant, link: LinkId) {
        for side in [Side::Client, Side::Server] {
            if let Some(stream) = self.streams.get_mut(&(link, side)) {
                stream.chunks.clear();
                stream.ends_at = Some(now);
            }
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        if self.is_silent {
            return None;
        }
        let due = |stream: &Stream| stream.chunks.front().map(|(at, _)| *at).or(stream.ends_at);
        self.streams.values().filter_map(due).min()
    }

    /// Something that has arrived by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(LinkId, Side, Arrival)> {
        if self.is_silent {
            return None;
        }
        let (key, arrival) = self.streams.iter_mut().find_map(|(key, stream)| {
            if stream.chunks.front().is_some_and(|(at, _)| *at <= now) {
                let (_, bytes) = stream.chunks.pop_front()?;
                return Some((*key, Arrival::Bytes(bytes)));
            }
            let is_over = stream.chunks.is_empty() && stream.ends_at.is_some_and(|at| at <= now);
            is_over.then_some((*key, Arrival::End))
        })?;
        if arrival == Arrival::End {
            self.streams.remove(&key);
        }
        Some((key.0, key.1, arrival))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_one_link_never_overtake_each_other() {
        let mut net = Net::new();
        let link = LinkId(1);
        net.open(link);
        net.chunk_bytes = 2;
        net.latency = Duration::from_millis(50);
        net.write(Instant::ORIGIN, link, Side::Server, Bytes::from_static(b"abc"));
        net.latency = Duration::ZERO;
        net.write(Instant::from_millis(1), link, Side::Server, Bytes::from_static(b"d"));
        net.close(Instant::from_millis(2), link, Side::Client);
        assert_eq!(net.take(Instant::from_millis(49)), None);
        let mut seen = Vec::new();
        while let Some((_, _, arrival)) = net.take(Instant::from_millis(50)) {
            seen.push(arrival);
        }
        let bytes = |text: &'static [u8]| Arrival::Bytes(Bytes::from_static(text));
        assert_eq!(seen, [bytes(b"ab"), bytes(b"c"), bytes(b"d"), Arrival::End]);
    }
}
