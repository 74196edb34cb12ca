//! The one task of a shard: all its links, and its time.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use foldhash::fast::FixedState;
use rts_proto::server::Input;
use rts_proto::{Instant, LinkId};
use rts_stream::LayerError;

use crate::alarm::Alarm;
use crate::bell::{Bell, Cord};
use crate::driven::Order;
use crate::link::{Link, Overflow, Step};
use crate::meter::Meter;
use crate::runtime::{Runtime, Stream};
use crate::shard::{Arrival, Counted, Inner, Shard, State};
use crate::user_log::{Noted, UserLog};

/// Links on which somebody has logged in that are looked at in one turn: what one turn reads and brings about should stay in the processor's cache.
const LINKS_PER_TURN: usize = 64;
/// The same of those on which nobody has: they come behind the others.
pub(crate) const STRANGERS_PER_TURN: usize = 16;
/// Handshakes that get on in one turn, behind all others: one may cost as much as a thousand messages, with RSA.
pub(crate) const HANDSHAKES_PER_TURN: usize = 1;
/// Bytes after which no more of those who have logged in are looked at in a turn.
const INPUT_BYTES_PER_TURN: usize = 1_048_576;
/// The same in frames: a short frame costs the core as much as a long one.
pub(crate) const INPUT_FRAMES_PER_TURN: usize = 2_048;
/// Frames of one link that the core is given at once. The others wait for the next turn, and nothing more is read before.
pub(crate) const FRAMES_PER_READING: usize = 128;

/// ```text
///        +-> the links that rang: read ----------------> inputs
///   turn |   the core takes them in, under the lock ---> orders for links
///        |   the links that have some: write
///        +-- the links that were read: again, for the next turn, or until they ring
///   then, unless there is more to do: wait for the bell, or the deadline
/// ```
///
/// Whatever links rang together is one burst for the core. Sockets are read and written without the lock. A link is read again
/// only when the core has seen what was read before, and what it says to that is written: the end of a link must not
/// overtake the answer to its last words.
pub(crate) struct Reactor<R: Runtime> {
    /// Does not keep the shard alive; links do.
    shard: Weak<Inner<R>>,
    bell: Arc<Bell>,
    alarm: Alarm<R>,
    /// The numbers are ours: nobody can choose them to collide.
    links: HashMap<LinkId, Box<Served<R>>, FixedState>,
    /// Links to look at, each once: their cords are pulled.
    rung: VecDeque<LinkId>,
    /// Those among them on which nobody has logged in.
    strangers: VecDeque<LinkId>,
    /// Those whose TLS or WebSocket is not open.
    handshakes: VecDeque<LinkId>,
    /// For the core.
    inputs: Vec<Input>,
    /// Frames among them.
    input_frames: usize,
    /// Links on which nobody had logged in, and which say something now.
    speaking: Vec<LinkId>,
    /// Links that have orders.
    ordered: Vec<LinkId>,
    /// Links to read again in this turn.
    was_read: Vec<LinkId>,
    /// Links that are gone, and the core is not told yet.
    gone: Vec<Counted<R>>,
    /// What the log is to say.
    noted: Vec<Noted>,
    user_log: UserLog,
}

struct Served<R: Runtime> {
    link: Link<R::Stream>,
    /// Read, and not given to the core.
    held: Bytes,
    meter: Meter,
    /// Somebody has logged in.
    is_attached: bool,
    cord: Arc<Cord>,
    /// Pulls the cord.
    waker: Waker,
    peer: SocketAddr,
    counted: Counted<R>,
    fate: Fate,
    /// Whether it is among the links that have orders.
    is_ordered: bool,
}

/// What happens to a link at the end of a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// When everything is written.
    Closes,
    /// At once.
    IsCut,
}

impl<R: Runtime> Reactor<R> {
    pub(crate) fn new(shard: Weak<Inner<R>>, bell: &Arc<Bell>) -> Self {
        Self {
            shard,
            bell: Arc::clone(bell),
            alarm: Alarm::new(),
            links: HashMap::default(),
            rung: VecDeque::new(),
            strangers: VecDeque::new(),
            handshakes: VecDeque::new(),
            inputs: Vec::new(),
            input_frames: 0,
            speaking: Vec::new(),
            ordered: Vec::new(),
            was_read: Vec::new(),
            gone: Vec::new(),
            noted: Vec::new(),
            user_log: UserLog::default(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let Some(shard) = Shard::upgrade(&self.shard) else { return };
            let deadline = self.turn(&shard).and_then(|deadline| shard.to_std(deadline));
            drop(shard);
            let waiting = [&self.rung, &self.strangers, &self.handshakes];
            let has_more = waiting.iter().any(|links| !links.is_empty()) || !self.inputs.is_empty();
            let mut has_waited = false;
            poll_fn(|context| {
                let is_due = self.alarm.poll_ring(context, deadline).is_ready();
                // Also if there is more to do: whoever rings is behind that, and not behind what comes later.
                let is_rung = self.bell.poll_rung(context, &mut self.rung).is_ready();
                if is_due || is_rung || has_more {
                    return Poll::Ready(());
                }
                has_waited = true;
                Poll::Pending
            })
            .await;
            if !has_waited {
                R::yield_now().await;
            }
        }
    }

    /// Returns when the core wants the next turn at the latest.
    fn turn(&mut self, shard: &Shard<R>) -> Option<Instant> {
        self.read_rung();
        let deadline = self.call_core(shard);
        self.gone.clear();
        self.write();
        self.write_log(shard);
        self.read_again();
        deadline
    }

    fn read_rung(&mut self) {
        let mut bytes = 0;
        for _ in 0..LINKS_PER_TURN {
            let Some(id) = self.next_rung() else { break };
            bytes += self.read_first(id);
            if bytes >= INPUT_BYTES_PER_TURN || self.input_frames >= INPUT_FRAMES_PER_TURN {
                break;
            }
        }
        // However much the others have to say, somebody gets in.
        for _ in 0..STRANGERS_PER_TURN {
            let Some(id) = self.strangers.pop_front() else { break };
            self.read_first(id);
        }
        for _ in 0..HANDSHAKES_PER_TURN {
            let Some(id) = self.handshakes.pop_front() else { break };
            self.read_first(id);
        }
    }

    /// The next on which somebody has logged in. Others are put aside.
    fn next_rung(&mut self) -> Option<LinkId> {
        loop {
            let id = self.rung.pop_front()?;
            match self.links.get(&id) {
                Some(served) if served.is_attached => return Some(id),
                Some(served) if served.link.is_open() => self.strangers.push_back(id),
                Some(_) => self.handshakes.push_back(id),
                None => {}
            }
        }
    }

    /// Returns how many bytes there were.
    fn read_first(&mut self, id: LinkId) -> usize {
        let Some(served) = self.links.get(&id) else { return 0 };
        served.cord.release();
        let bytes = self.read(id);
        if bytes > 0 {
            self.was_read.push(id);
        }
        bytes
    }

    fn read_again(&mut self) {
        let mut was_read = std::mem::take(&mut self.was_read);
        for id in was_read.drain(..) {
            let has_held = self.links.get(&id).is_some_and(|served| !served.held.is_empty());
            if (has_held || self.read(id) > 0)
                && let Some(served) = self.links.get(&id)
                && served.cord.pull()
            {
                self.rung.push_back(id);
            }
        }
        self.was_read = was_read;
    }

    /// Gives the core what the link has to say, up to a number of frames. Returns how many bytes that were.
    fn read(&mut self, id: LinkId) -> usize {
        let Some(served) = self.links.get_mut(&id) else { return 0 };
        if served.held.is_empty() {
            let mut context = Context::from_waker(&served.waker);
            let step = guarded(|| served.link.poll_step(&mut context, true));
            self.inputs.extend(congestion(id, &mut served.link));
            match step {
                Some(Poll::Pending) => return 0,
                Some(Poll::Ready(Step::Received(bytes))) => served.held = bytes,
                Some(Poll::Ready(Step::Gone)) | None => {
                    self.give_up(id);
                    return 0;
                }
                Some(Poll::Ready(Step::Over(error))) => {
                    self.is_over(id, error);
                    return 0;
                }
            }
        }
        let (bytes_len, frames) = served.meter.take(&served.held, FRAMES_PER_READING);
        let bytes = served.held.split_to(bytes_len);
        if !served.is_attached {
            self.speaking.push(id);
        }
        self.inputs.push(Input::Received(id, bytes));
        self.input_frames += frames;
        bytes_len
    }

    /// The other side said goodbye, or something that cannot be.
    fn is_over(&mut self, id: LinkId, error: Option<LayerError>) {
        if let Some(error) = error {
            tracing::debug!(link = %id, %error, "given up");
            if let Some(served) = self.links.get(&id)
                && !served.is_attached
            {
                self.user_log.ended_before_login(served.peer, &error);
            }
        }
        // The core need not wait until the goodbye is said.
        self.inputs.push(Input::Disconnected(id));
        take_order(&mut self.links, &mut self.ordered, Order::Close(id));
    }

    fn call_core(&mut self, shard: &Shard<R>) -> Option<Instant> {
        let mut state = shard.lock();
        self.take_in(&mut state);
        let (now, links, ordered) = (shard.now(), &mut self.links, &mut self.ordered);
        let mut order = |order| take_order(links, ordered, order);
        for input in self.inputs.drain(..) {
            let link = subject(&input);
            let done = guarded(|| {
                state.driven.server.handle_input(now, input);
                state.driven.drain(now, &mut order);
            });
            if let (None, Some(link)) = (done, link) {
                order(Order::Cut(link));
            }
        }
        guarded(|| state.driven.end_burst(now, &mut order));
        self.input_frames = 0;
        for id in self.speaking.drain(..) {
            if let Some(served) = links.get_mut(&id)
                && !served.is_attached
                && state.driven.server.is_attached(id)
            {
                served.is_attached = true;
                served.counted.logged_in();
            }
        }
        let (deadline, has_new_posts) = (state.driven.deadline, state.driven.has_new_posts());
        let notices = state.driven.take_notices();
        drop(state);
        // Links that are closed now are still here.
        let peer_of = |id| self.links.get(&id).map(|served| served.peer);
        self.noted.extend(notices.into_iter().map(|notice| Noted::new(notice, peer_of)));
        if has_new_posts {
            shard.start_posts();
        }
        deadline
    }

    /// What happened since the last turn, besides what links rang for.
    fn take_in(&mut self, state: &mut State<R>) {
        for order in state.orders.drain(..) {
            let said = take_order(&mut self.links, &mut self.ordered, order);
            self.inputs.extend(said);
        }
        for arrival in state.arrivals.drain(..) {
            let id = arrival.id;
            self.inputs.push(Input::Accepted(id, arrival.key));
            let served = Box::new(Served::new(arrival, &self.bell));
            served.cord.pull();
            self.links.insert(id, served);
            self.rung.push_back(id);
        }
    }

    fn write(&mut self) {
        let mut ordered = std::mem::take(&mut self.ordered);
        for id in ordered.drain(..) {
            let Some(served) = self.links.get_mut(&id) else { continue };
            served.is_ordered = false;
            match served.fate {
                Fate::Stays => {
                    let mut context = Context::from_waker(&served.waker);
                    match guarded(|| served.link.poll_flush(&mut context)) {
                        Some(()) => self.inputs.extend(congestion(id, &mut served.link)),
                        None => self.give_up(id),
                    }
                }
                Fate::Closes => self.finish(id),
                Fate::IsCut => self.give_up(id),
            }
        }
        self.ordered = ordered;
    }

    /// After everything else: nobody sees in the time of an answer what the log says about it.
    fn write_log(&mut self, shard: &Shard<R>) {
        if self.noted.is_empty() {
            return;
        }
        let authenticator = shard.lock().driven.authenticator();
        for noted in self.noted.drain(..) {
            guarded(|| self.user_log.write(noted, &*authenticator));
        }
    }

    fn give_up(&mut self, id: LinkId) {
        if let Some(served) = self.links.remove(&id) {
            self.gone.push(served.counted);
            self.inputs.push(Input::Disconnected(id));
        }
    }

    /// Leaves the link to a task of its own, so that a link that is open does not hold what only its end needs.
    fn finish(&mut self, id: LinkId) {
        if let Some(served) = self.links.remove(&id) {
            let Served { link, counted, .. } = *served;
            R::spawn(async move {
                link.finish::<R>().await;
                drop(counted);
            });
        }
    }
}

/// What the core has to know of how much waits on a link.
fn congestion<S: Stream>(id: LinkId, link: &mut Link<S>) -> Option<Input> {
    link.congestion_changed().map(|is_congested| Input::Congested(id, is_congested))
}

/// Called under the shard's lock: only looks up and pushes. Returns what the core has to know of it.
fn take_order<R: Runtime>(
    links: &mut HashMap<LinkId, Box<Served<R>>, FixedState>,
    ordered: &mut Vec<LinkId>,
    order: Order,
) -> Option<Input> {
    let (Order::Transmit(id, _) | Order::Close(id) | Order::Cut(id)) = order;
    let served = links.get_mut(&id)?;
    let mut said = None;
    match order {
        _ if served.fate != Fate::Stays => {}
        Order::Transmit(_, bytes) => match served.link.push(bytes) {
            Ok(()) => said = congestion(id, &mut served.link),
            Err(Overflow) => {
                tracing::debug!(link = %id, "does not keep up: dropped");
                served.fate = Fate::IsCut;
            }
        },
        Order::Close(_) => served.fate = Fate::Closes,
        Order::Cut(_) => served.fate = Fate::IsCut,
    }
    if !std::mem::replace(&mut served.is_ordered, true) {
        ordered.push(id);
    }
    said
}

impl<R: Runtime> Served<R> {
    fn new(arrival: Arrival<R>, bell: &Arc<Bell>) -> Self {
        let cord = Cord::new(arrival.id, bell);
        Self {
            link: arrival.link,
            held: Bytes::new(),
            meter: Meter::default(),
            is_attached: false,
            waker: Waker::from(Arc::clone(&cord)),
            cord,
            peer: arrival.peer,
            counted: arrival.counted,
            fate: Fate::Stays,
            is_ordered: false,
        }
    }
}

/// Its runtime is gone, and its links are with it: the next [`Shard::serve`] needs another.
impl<R: Runtime> Drop for Reactor<R> {
    fn drop(&mut self) {
        let Some(shard) = Shard::upgrade(&self.shard) else { return };
        let mut ids: Vec<LinkId> = self.links.keys().copied().collect();
        ids.sort_unstable();
        // What was read, and which links are gone, is not lost on the core.
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.extend(ids.into_iter().map(Input::Disconnected));
        // During a panic a second one would end the process.
        guarded(|| {
            drop(shard.reactor_ended());
            shard.command(|server, now| {
                for input in inputs {
                    server.handle_input(now, input);
                }
            });
        });
    }
}

/// The link that an input came from.
fn subject(input: &Input) -> Option<LinkId> {
    match input {
        Input::Received(id, _) => Some(*id),
        _ => None,
    }
}

/// `None` after a panic, which is a bug: whoever it is about is given up, and the others go on.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
