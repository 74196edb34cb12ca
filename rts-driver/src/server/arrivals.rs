//! Links on their way to the reactor of a shard, and whether the shard has a reactor that takes
//! them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rts_proto::LinkId;
use rts_proto::server::Input;

use crate::link::Link;
use crate::runtime::Runtime;
use crate::server::gate::LinkGuard;
use crate::server::reactor::Held;

/// A link that was accepted, or that another shard handed over.
pub(crate) struct NewLink<R: Runtime> {
    pub(crate) id: LinkId,
    pub(crate) peer: SocketAddr,
    pub(crate) link: Arriving<R>,
    pub(crate) guard: LinkGuard,
    /// The inputs that announce it to the core, and what its client has sent since.
    pub(crate) inputs: Vec<Input>,
    /// Bytes that were read, and not yet given to a core.
    pub(crate) held: Held,
}

/// The link of a [`NewLink`].
pub(crate) enum Arriving<R: Runtime> {
    /// It belongs to the thread of the reactor.
    Here(Link<R::Stream>),
    /// It comes from another thread.
    Detached(Link<R::Detached>),
}

impl<R: Runtime> Arriving<R> {
    /// The link, which belongs to this thread now.
    pub(crate) fn attach(self) -> io::Result<Link<R::Stream>> {
        match self {
            Self::Here(link) => Ok(link),
            Self::Detached(link) => link.try_map(R::attach),
        }
    }
}

/// A new link, with what keeps the node alive until the reactor has it.
pub(crate) type Arrival<R, N> = (NewLink<R>, Option<N>);

/// One of the reactors that a shard has had, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReactorNumber(u64);

/// The links that the reactor of a shard has not taken, and the state of the reactor.
///
/// The flags can be read without the lock: an accepted link looks at those of every shard, and each
/// turn looks for links. They change under the lock.
pub(crate) struct Arrivals<R: Runtime, N> {
    links: Mutex<Vec<Arrival<R, N>>>,
    has_links: AtomicBool,
    has_reactor: AtomicBool,
    /// The number of the latest reactor.
    latest: AtomicU64,
    /// A reactor has ended by a panic, or a command has panicked.
    has_failed: AtomicBool,
    /// The reactor has to end.
    is_stopped: AtomicBool,
    /// Whether a new reactor may follow one that has failed. If there are other shards, they have
    /// sent it what is lost.
    may_follow_failed: bool,
}

impl<R: Runtime, N> Arrivals<R, N> {
    pub(crate) fn new(may_follow_failed: bool) -> Self {
        Self {
            links: Mutex::default(),
            has_links: AtomicBool::new(false),
            has_reactor: AtomicBool::new(false),
            latest: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            may_follow_failed,
        }
    }

    /// Adds an accepted link. Drops it, and returns false, if no reactor will ever take it. The
    /// caller then sees to it that there is a reactor.
    pub(crate) fn add_accepted(&self, arrival: Arrival<R, N>) -> bool {
        self.add_if(arrival, || self.may_have_reactor())
    }

    /// Adds a link of another shard. Drops it, and returns false, if there is no reactor.
    pub(crate) fn add_handed_over(&self, arrival: Arrival<R, N>) -> bool {
        self.add_if(arrival, || self.has_reactor())
    }

    fn add_if(&self, arrival: Arrival<R, N>, is_taken: impl FnOnce() -> bool) -> bool {
        let mut links = self.lock();
        if !is_taken() {
            drop(links);
            drop(arrival);
            return false;
        }
        links.push(arrival);
        self.has_links.store(true, Ordering::Release);
        true
    }

    /// Takes the links that arrived, for the reactor.
    pub(crate) fn take(&self) -> Vec<Arrival<R, N>> {
        if !self.has_links.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.take_all(&mut self.lock())
    }

    fn take_all(&self, links: &mut Vec<Arrival<R, N>>) -> Vec<Arrival<R, N>> {
        self.has_links.store(false, Ordering::Release);
        std::mem::take(links)
    }

    pub(crate) fn has_reactor(&self) -> bool {
        self.has_reactor.load(Ordering::Acquire)
    }

    /// Whether a reactor has ended by a panic, or a command has panicked.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Whether there is a reactor, or may be one later.
    pub(crate) fn may_have_reactor(&self) -> bool {
        self.may_follow_failed || !self.has_failed()
    }

    /// Returns a number if there was no reactor, and may be one. The caller then makes it.
    pub(crate) fn claim_reactor(&self) -> Option<ReactorNumber> {
        let _links = self.lock();
        if self.has_reactor() || !self.may_have_reactor() {
            return None;
        }
        self.is_stopped.store(false, Ordering::Release);
        self.has_reactor.store(true, Ordering::Release);
        Some(ReactorNumber(self.latest.fetch_add(1, Ordering::AcqRel) + 1))
    }

    /// This reactor has to end, and must then be woken. One that followed it stays.
    pub(crate) fn stop_reactor(&self, number: ReactorNumber) {
        let _links = self.lock();
        if self.is_latest(number) {
            self.is_stopped.store(true, Ordering::Release);
        }
    }

    pub(crate) fn has_ended(&self, number: ReactorNumber) -> bool {
        let _links = self.lock();
        !self.has_reactor() || !self.is_latest(number)
    }

    fn is_latest(&self, number: ReactorNumber) -> bool {
        self.latest.load(Ordering::Acquire) == number.0
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// A command has panicked. The reactor has to end, as if it had panicked itself, and must then
    /// be woken. Returns the links that it had not taken, to be dropped.
    pub(crate) fn fail(&self) -> Vec<Arrival<R, N>> {
        let mut links = self.lock();
        self.has_failed.store(true, Ordering::Release);
        self.is_stopped.store(true, Ordering::Release);
        self.take_all(&mut links)
    }

    /// The reactor ends. Returns the links that it had not taken, to be dropped.
    pub(crate) fn reactor_ended(&self, has_failed: bool) -> Vec<Arrival<R, N>> {
        let mut links = self.lock();
        self.has_reactor.store(false, Ordering::Release);
        self.has_failed.fetch_or(has_failed, Ordering::AcqRel);
        self.take_all(&mut links)
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Vec<Arrival<R, N>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
