//! Byte streams between engines and the server: in order, late, cut up, and sometimes dead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::{Instant, LinkId};

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// At the engine.
    Client,
    /// At the server.
    Server,
}

impl Side {
    /// Both ends.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How a link breaks off in the middle of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// What was written before arrives, on both sides, and then the end.
    Closed,
    /// The same for the receiver; the writer is told at once, and loses what was on its way to it.
    Reset,
    /// Nothing more arrives anywhere, and nobody is told.
    Silent,
}

impl Break {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Reset, Self::Silent];
}

/// A link will break off when so many bytes more are written towards `to`, on any link in this
/// range.
#[derive(Debug)]
struct Fuse {
    links: Range<LinkId>,
    to: Side,
    bytes: u64,
    how: Break,
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The link is up.
    Open,
    Bytes(Bytes),
    /// What arrived before this has a mark.
    Marked(u32),
    /// The link is down, or could not be made.
    End,
}

impl Arrival {
    fn bytes_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Open | Self::Marked(_) | Self::End => 0,
        }
    }
}

type Key = (LinkId, Side);

/// One direction of one link.
#[derive(Debug, Default)]
struct Stream {
    /// Each with the moment of its arrival; none arrives before an earlier one.
    items: VecDeque<(Instant, Arrival)>,
    last_arrival: Instant,
    /// Bytes of those.
    waiting_bytes: usize,
    /// Nothing more can be written.
    is_closed: bool,
    /// Nothing arrives while one of these holds.
    is_stuck: bool,
    is_stalled: bool,
    /// Under which the stream stands in `Net::due`.
    due: Option<Instant>,
}

impl Stream {
    fn drop_items(&mut self) {
        self.items.clear();
        self.waiting_bytes = 0;
    }
}

/// The network. All its behaviour can be changed at any time, for what is written from then on.
#[derive(Debug)]
pub struct Net {
    streams: BTreeMap<Key, Stream>,
    /// The next arrival of each stream that is not held up.
    due: BTreeSet<(Instant, Key)>,
    random: fastrand::Rng,
    fuse: Option<Fuse>,
    /// From one side to the other.
    pub latency: Duration,
    /// Up to so much is added to the latency, by chance.
    pub jitter: Duration,
    /// What is written arrives in chunks of at most so many bytes.
    pub chunk_bytes: usize,
    /// Chunks have any length up to `chunk_bytes`, by chance.
    pub is_ragged: bool,
    /// So many bytes a second pass in each direction of each link; 0 is no limit.
    pub bytes_per_second: u32,
    /// Nothing arrives and nobody is told. What is under way waits until this is over.
    pub is_silent: bool,
    /// Connecting fails.
    pub refuses: bool,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            streams: BTreeMap::new(),
            due: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
            fuse: None,
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            chunk_bytes: usize::MAX,
            is_ragged: false,
            bytes_per_second: 0,
            is_silent: false,
            refuses: false,
        }
    }

    /// Links of which at least one end is open.
    #[must_use]
    pub fn open_links(&self) -> usize {
        let mut links: Vec<_> = self.streams.keys().map(|(link, _)| *link).collect();
        links.dedup();
        links.len()
    }

    /// The server learns of the link, and the client after one more way that it is up.
    pub(crate) fn open(&mut self, now: Instant, link: LinkId) {
        let there = self.arrival(now, 0);
        let back = self.arrival(there, 0);
        for (side, at) in [(Side::Server, there), (Side::Client, back)] {
            self.streams.insert((link, side), Stream::default());
            self.put((link, side), at, Arrival::Open);
        }
    }

    /// The client learns that there is no way.
    pub(crate) fn refuse(&mut self, now: Instant, link: LinkId) {
        let there = self.arrival(now, 0);
        let back = self.arrival(there, 0);
        self.streams.insert((link, Side::Client), Stream::default());
        self.put((link, Side::Client), back, Arrival::End);
    }

    /// Bytes on their way to the end of the link at `to`.
    pub(crate) fn write(&mut self, now: Instant, link: LinkId, to: Side, bytes: Bytes) {
        if self.streams.get(&(link, to)).is_none_or(|stream| stream.is_closed) {
            return;
        }
        match self.burn(link, to, bytes.len()) {
            None => self.write_whole(now, link, to, bytes),
            Some((left, how)) => {
                self.write_whole(now, link, to, bytes.slice(..left));
                self.break_off(now, link, to, how);
            }
        }
    }

    /// Marks what was written last towards `to`.
    pub(crate) fn mark(&mut self, link: LinkId, to: Side, mark: u32) {
        if let Some(stream) = self.streams.get(&(link, to)).filter(|stream| !stream.is_closed) {
            self.put((link, to), stream.last_arrival, Arrival::Marked(mark));
        }
    }

    fn write_whole(&mut self, now: Instant, link: LinkId, to: Side, mut bytes: Bytes) {
        let key = (link, to);
        while !bytes.is_empty() {
            let most = self.chunk_bytes.clamp(1, bytes.len());
            let len = if self.is_ragged { self.random.usize(1..=most) } else { most };
            let at = self.arrival(now, len);
            self.put(key, at, Arrival::Bytes(bytes.split_to(len)));
        }
    }

    /// The other end of `from`'s link is told, after what was written.
    pub(crate) fn close(&mut self, now: Instant, link: LinkId, from: Side) {
        self.forget((link, from));
        let at = self.arrival(now, 0);
        let key = (link, from.other());
        if self.streams.get(&key).is_some_and(|stream| !stream.is_closed) {
            self.put(key, at, Arrival::End);
        }
    }

    /// The next link in this range on which `bytes` have been written towards `to`, counted over
    /// all of them from now on, breaks off there: the byte after is not written.
    pub(crate) fn set_fuse(&mut self, links: Range<LinkId>, to: Side, bytes: u64, how: Break) {
        self.fuse = Some(Fuse { links, to, bytes, how });
    }

    /// Bytes that are written towards `to` and have not arrived.
    pub(crate) fn waiting_bytes(&self, link: LinkId, to: Side) -> usize {
        self.streams.get(&(link, to)).map_or(0, |stream| stream.waiting_bytes)
    }

    pub(crate) fn clear_fuse(&mut self) {
        self.fuse = None;
    }

    /// Bytes that can still be written before the link breaks off; `None` when it has.
    pub(crate) fn fuse(&self) -> Option<u64> {
        self.fuse.as_ref().map(|fuse| fuse.bytes)
    }

    /// How many bytes of these are written, and how the link then ends, if it is this one that
    /// breaks off.
    fn burn(&mut self, link: LinkId, to: Side, len: usize) -> Option<(usize, Break)> {
        let fuse = self.fuse.as_mut().filter(|fuse| fuse.to == to && fuse.links.contains(&link))?;
        if len as u64 <= fuse.bytes {
            fuse.bytes -= len as u64;
            return None;
        }
        let left = usize::try_from(fuse.bytes).expect("less than a length");
        self.fuse.take().map(|fuse| (left, fuse.how))
    }

    fn break_off(&mut self, now: Instant, link: LinkId, to: Side, how: Break) {
        let at = self.arrival(now, 0);
        for side in Side::BOTH {
            let key = (link, side);
            let Some(stream) = self.streams.get_mut(&key) else { continue };
            match how {
                Break::Silent => stream.is_closed = true,
                Break::Reset if side != to => {
                    stream.drop_items();
                    stream.last_arrival = now;
                    self.put(key, now, Arrival::End);
                }
                Break::Closed | Break::Reset => self.put(key, at, Arrival::End),
            }
        }
    }

    /// Breaks the link now, at both ends; what is on its way is lost.
    pub(crate) fn cut(&mut self, now: Instant, link: LinkId) {
        for side in Side::BOTH {
            let key = (link, side);
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.drop_items();
                stream.is_stuck = false;
                stream.last_arrival = now;
                self.put(key, now, Arrival::End);
            }
        }
    }

    /// This direction of the link carries nothing, until it does again. Nobody is told.
    pub(crate) fn set_stuck(&mut self, link: LinkId, to: Side, is_stuck: bool) {
        if let Some(stream) = self.streams.get_mut(&(link, to)) {
            stream.is_stuck = is_stuck;
            self.schedule((link, to));
        }
    }

    /// The same for another reason: both may hold at once.
    pub(crate) fn set_stalled(&mut self, link: LinkId, to: Side, is_stalled: bool) {
        if let Some(stream) = self.streams.get_mut(&(link, to)) {
            stream.is_stalled = is_stalled;
            self.schedule((link, to));
        }
    }

    /// Everything that was stuck flows again.
    pub(crate) fn unstick_all(&mut self) {
        let stuck = self.streams.iter().filter(|(_, stream)| stream.is_stuck);
        let keys: Vec<Key> = stuck.map(|(key, _)| *key).collect();
        for (link, to) in keys {
            self.set_stuck(link, to, false);
        }
    }

    /// Links with an end that is open, among those from `first` to before `end`.
    pub(crate) fn links(&self, first: LinkId, end: LinkId) -> Vec<LinkId> {
        let range = self.streams.range((first, Side::Client)..(end, Side::Client));
        let mut links: Vec<_> = range.map(|((link, _), _)| *link).collect();
        links.dedup();
        links
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        if self.is_silent {
            return None;
        }
        self.due.first().map(|(at, _)| *at)
    }

    /// Something that has arrived by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(LinkId, Side, Arrival)> {
        if self.next_arrival()? > now {
            return None;
        }
        let (_, key) = *self.due.first()?;
        let stream = self.streams.get_mut(&key)?;
        let (_, arrival) = stream.items.pop_front()?;
        stream.waiting_bytes -= arrival.bytes_len();
        if arrival == Arrival::End {
            self.forget(key);
        } else {
            self.schedule(key);
        }
        Some((key.0, key.1, arrival))
    }

    /// When `len` bytes that are written now arrive, if nothing is before them.
    fn arrival(&mut self, now: Instant, len: usize) -> Instant {
        let jitter_micros = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = match jitter_micros {
            0 => Duration::ZERO,
            micros => Duration::from_micros(self.random.u64(0..=micros)),
        };
        let transfer = match u64::from(self.bytes_per_second) {
            0 => Duration::ZERO,
            rate => Duration::from_micros(len as u64 * 1_000_000 / rate),
        };
        now + self.latency + jitter + transfer
    }

    fn put(&mut self, key: Key, at: Instant, arrival: Arrival) {
        let rate = u64::from(self.bytes_per_second);
        let Some(stream) = self.streams.get_mut(&key) else { return };
        // On a slow link what is written waits for what was written before.
        let after = match (&arrival, rate) {
            (Arrival::Bytes(bytes), 1..) => {
                let micros = bytes.len() as u64 * 1_000_000 / rate;
                stream.last_arrival + Duration::from_micros(micros)
            }
            _ => stream.last_arrival,
        };
        stream.last_arrival = after.max(at);
        stream.is_closed |= arrival == Arrival::End;
        stream.waiting_bytes += arrival.bytes_len();
        stream.items.push_back((stream.last_arrival, arrival));
        if stream.items.len() == 1 {
            self.schedule(key);
        }
    }

    /// Puts the stream's next arrival in its place.
    fn schedule(&mut self, key: Key) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let is_held = stream.is_stuck || stream.is_stalled;
        let next = stream.items.front().map(|(at, _)| *at).filter(|_| !is_held);
        if let Some(before) = std::mem::replace(&mut stream.due, next) {
            self.due.remove(&(before, key));
        }
        if let Some(next) = next {
            self.due.insert((next, key));
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(stream) = self.streams.remove(&key)
            && let Some(due) = stream.due
        {
            self.due.remove(&(due, key));
        }
    }
}

#[cfg(test)]
mod tests;
