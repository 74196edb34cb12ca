//! Byte streams between engines and the server: ordered, delayed, cut into chunks, and sometimes
//! dead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::{Instant, LinkId};

/// One end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The engine's end.
    Client,
    /// The server's end.
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

/// How a link breaks off in the middle of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Bytes written before the break arrive on both sides. Then both ends see the end.
    Closed,
    /// Bytes written before the break arrive at the receiver. The writer sees the end at once, and
    /// loses the bytes that were on their way to it.
    Reset,
    /// Nothing more arrives at either end, and neither end is notified.
    Silent,
}

impl Break {
    /// Every kind of break.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Reset, Self::Silent];
}

/// A break that is due: it happens after `bytes` more bytes towards `to`, over all links in this
/// range.
#[derive(Debug)]
struct PlannedBreak {
    links: Range<LinkId>,
    to: Side,
    bytes: u64,
    how: Break,
}

/// One arrival at an end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The link is up.
    Open,
    Bytes(Bytes),
    /// The bytes before this have a mark.
    Marked(u32),
    /// The link is down, or could not be opened.
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
    /// The arrivals, each with its moment, in order of time.
    items: VecDeque<(Instant, Arrival)>,
    last_arrival: Instant,
    /// The number of bytes in `items`.
    waiting_bytes: usize,
    /// Nothing more can be written.
    is_closed: bool,
    /// The stream is held up while one of these is true.
    is_half_open: bool,
    is_stalled: bool,
    /// The key of this stream in `Net::due`.
    due: Option<Instant>,
}

impl Stream {
    fn drop_items(&mut self) {
        self.items.clear();
        self.waiting_bytes = 0;
    }
}

/// The network. Changes of its settings apply to bytes that are written afterwards.
#[derive(Debug)]
pub struct Net {
    streams: BTreeMap<Key, Stream>,
    /// The next arrival of each stream that is not held up.
    due: BTreeSet<(Instant, Key)>,
    random: fastrand::Rng,
    planned_break: Option<PlannedBreak>,
    /// The delay from one side to the other.
    pub latency: Duration,
    /// The largest random addition to the latency.
    pub jitter: Duration,
    /// The largest chunk in which bytes arrive, in bytes. `NonZeroUsize::MAX`: bytes arrive in the
    /// pieces in which they were written.
    pub chunk_bytes: NonZeroUsize,
    /// Whether chunks have a random length of up to `chunk_bytes`.
    pub is_ragged: bool,
    /// The rate of each direction of each link, in bytes a second; 0 is no limit.
    pub bytes_per_second: u32,
    /// Whether nothing arrives, without a notice to anybody. Bytes in transit arrive when this
    /// ends.
    pub is_silent: bool,
    /// Whether attempts to connect fail.
    pub refuses: bool,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            streams: BTreeMap::new(),
            due: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
            planned_break: None,
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            chunk_bytes: NonZeroUsize::MAX,
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

    /// Opens the link: the server sees it after one latency, the client after two.
    pub(crate) fn open(&mut self, now: Instant, link: LinkId) {
        let there = self.arrival(now, 0);
        let back = self.arrival(there, 0);
        for (side, at) in [(Side::Server, there), (Side::Client, back)] {
            self.streams.insert((link, side), Stream::default());
            self.put((link, side), at, Arrival::Open);
        }
    }

    /// Fails the attempt: the client sees the end of the link.
    pub(crate) fn refuse(&mut self, now: Instant, link: LinkId) {
        let there = self.arrival(now, 0);
        let back = self.arrival(there, 0);
        self.streams.insert((link, Side::Client), Stream::default());
        self.put((link, Side::Client), back, Arrival::End);
    }

    /// Sends bytes towards the end of the link at `to`.
    pub(crate) fn write(&mut self, now: Instant, link: LinkId, to: Side, bytes: Bytes) {
        if self.streams.get(&(link, to)).is_none_or(|stream| stream.is_closed) {
            return;
        }
        match self.count_write(link, to, bytes.len()) {
            None => self.write_whole(now, link, to, bytes),
            Some((left, how)) => {
                self.write_whole(now, link, to, bytes.slice(..left));
                self.break_off(now, link, to, how);
            }
        }
    }

    /// Marks the bytes that were written last towards `to`.
    pub(crate) fn mark(&mut self, link: LinkId, to: Side, mark: u32) {
        if let Some(stream) = self.streams.get(&(link, to)).filter(|stream| !stream.is_closed) {
            self.put((link, to), stream.last_arrival, Arrival::Marked(mark));
        }
    }

    fn write_whole(&mut self, now: Instant, link: LinkId, to: Side, mut bytes: Bytes) {
        let key = (link, to);
        while !bytes.is_empty() {
            let most = self.chunk_bytes.get().min(bytes.len());
            let len = if self.is_ragged { self.random.usize(1..=most) } else { most };
            let at = self.arrival(now, len);
            self.put(key, at, Arrival::Bytes(bytes.split_to(len)));
        }
    }

    /// Closes the link at `from`. The other end sees the end after all bytes written before.
    pub(crate) fn close(&mut self, now: Instant, link: LinkId, from: Side) {
        self.forget((link, from));
        let at = self.arrival(now, 0);
        let key = (link, from.other());
        if self.streams.get(&key).is_some_and(|stream| !stream.is_closed) {
            self.put(key, at, Arrival::End);
        }
    }

    /// Breaks off a link in this range after `bytes` more bytes towards `to`, counted over all
    /// links of the range. The byte after is not written.
    pub(crate) fn plan_break(&mut self, links: Range<LinkId>, to: Side, bytes: u64, how: Break) {
        self.planned_break = Some(PlannedBreak { links, to, bytes, how });
    }

    /// Bytes in transit towards `to`.
    pub(crate) fn waiting_bytes(&self, link: LinkId, to: Side) -> usize {
        self.streams.get(&(link, to)).map_or(0, |stream| stream.waiting_bytes)
    }

    pub(crate) fn cancel_break(&mut self) {
        self.planned_break = None;
    }

    /// Bytes that can still be written before the link breaks off; `None` when it has.
    pub(crate) fn bytes_before_break(&self) -> Option<u64> {
        self.planned_break.as_ref().map(|planned| planned.bytes)
    }

    /// Counts a write of `len` bytes against the due break. If this write breaks the link, returns
    /// the number of bytes that are still written, and the kind of break.
    fn count_write(&mut self, link: LinkId, to: Side, len: usize) -> Option<(usize, Break)> {
        let planned_break = self.planned_break.as_mut().filter(|planned_break| {
            planned_break.to == to && planned_break.links.contains(&link)
        })?;
        if len as u64 <= planned_break.bytes {
            planned_break.bytes -= len as u64;
            return None;
        }
        let left = usize::try_from(planned_break.bytes).expect("less than a length");
        self.planned_break.take().map(|planned| (left, planned.how))
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

    /// Breaks the link now, at both ends. Bytes in transit are lost.
    pub(crate) fn cut(&mut self, now: Instant, link: LinkId) {
        for side in Side::BOTH {
            let key = (link, side);
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.drop_items();
                stream.is_half_open = false;
                stream.last_arrival = now;
                self.put(key, now, Arrival::End);
            }
        }
    }

    /// Stops or starts one direction of a half-open link.
    pub(crate) fn set_half_open(&mut self, link: LinkId, to: Side, is_half_open: bool) {
        if let Some(stream) = self.streams.get_mut(&(link, to)) {
            stream.is_half_open = is_half_open;
            self.schedule((link, to));
        }
    }

    /// Stops or starts one direction of a stalled engine's link. A stream may be stuck and stalled.
    pub(crate) fn set_stalled(&mut self, link: LinkId, to: Side, is_stalled: bool) {
        if let Some(stream) = self.streams.get_mut(&(link, to)) {
            stream.is_stalled = is_stalled;
            self.schedule((link, to));
        }
    }

    /// Starts every stuck stream again.
    pub(crate) fn end_all_half_open(&mut self) {
        let stuck = self.streams.iter().filter(|(_, stream)| stream.is_half_open);
        let keys: Vec<Key> = stuck.map(|(key, _)| *key).collect();
        for (link, to) in keys {
            self.set_half_open(link, to, false);
        }
    }

    /// The links from `first` to before `end` of which at least one end is open.
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

    /// Takes the next arrival that is due by now.
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

    /// The moment at which `len` bytes arrive that are written now, on an empty stream.
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
        // On a slow link, bytes wait until those before them have passed.
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

    /// Sorts the stream's next arrival into `due`.
    fn schedule(&mut self, key: Key) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let is_held = stream.is_half_open || stream.is_stalled;
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
