//! The one task of a shard: all its links, and its time.

mod reading;
mod served;
mod writing;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;

use rts_proto::server::Input;
use rts_proto::{Instant, LinkId};

use crate::alarm::Alarm;
use crate::bell::Bell;
use crate::driven::Order;
use crate::guarded;
use crate::handshakes::{Handshakes, Returned};
use crate::runtime::Runtime;
use crate::shard::{Counted, Inner, Shard, State};
use crate::user_log::{Noted, UserLog};
use served::{Links, Served, take_order};

/// ```text
///        +-> the links that rang: read ----------------> inputs
///   turn |   the core takes them in, under the lock ---> orders for links
///        |   the links that have some: write
///        +-- the links that were read: again, for the next turn, or until they ring
///   then, unless there is more to do: wait for the bell, or the deadline
/// ```
///
/// Whatever links rang together is one burst for the core. Sockets are read and written without the
/// lock. A link is read again only when the core has seen what was read before, and what it says to
/// that is written: the end of a link must not overtake the answer to its last words.
pub(crate) struct Reactor<R: Runtime> {
    /// Does not keep the shard alive; links do.
    shard: Weak<Inner<R>>,
    bell: Arc<Bell>,
    alarm: Alarm<R>,
    links: Links<R>,
    /// Turns so far.
    turns: u64,
    /// Links that rang. They, and those in the next three, are to be looked at, each once: their
    /// cords are pulled.
    rung: VecDeque<LinkId>,
    /// Those that were quiet in the turn before.
    fresh: VecDeque<LinkId>,
    /// Those that were not, or have more to say than a turn takes.
    busy: VecDeque<LinkId>,
    /// Those on which nobody has logged in.
    strangers: VecDeque<LinkId>,
    handshakes: Arc<Handshakes<R>>,
    /// Links that are there.
    away: usize,
    /// Working space: those that are back.
    returned: Vec<Returned<R>>,
    /// More are back than a turn looks at.
    has_more_returned: bool,
    /// For the core.
    inputs: Vec<Input>,
    /// Frames among them, and what counts as such.
    input_frames: usize,
    /// Links on which nobody had logged in, and which say something now.
    speaking: Vec<LinkId>,
    /// Links that have orders since this turn.
    ordered: Vec<LinkId>,
    /// And for longer, each once.
    unwritten: VecDeque<LinkId>,
    /// Links to read again in this turn.
    was_read: Vec<LinkId>,
    /// Links that are gone, and the core is not told yet.
    gone: Vec<Counted<R>>,
    /// What the log is to say.
    noted: Vec<Noted>,
    user_log: UserLog,
}

impl<R: Runtime> Reactor<R> {
    pub(crate) fn new(shard: &Arc<Inner<R>>) -> Self {
        let handshakes = Handshakes::new(&shard.bell, &shard.handshakes_per_second);
        Self {
            shard: Arc::downgrade(shard),
            bell: Arc::clone(&shard.bell),
            alarm: Alarm::new(),
            links: Links::default(),
            turns: 1,
            rung: VecDeque::new(),
            fresh: VecDeque::new(),
            busy: VecDeque::new(),
            strangers: VecDeque::new(),
            handshakes: Arc::new(handshakes),
            away: 0,
            returned: Vec::new(),
            has_more_returned: false,
            inputs: Vec::new(),
            input_frames: 0,
            speaking: Vec::new(),
            ordered: Vec::new(),
            unwritten: VecDeque::new(),
            was_read: Vec::new(),
            gone: Vec::new(),
            noted: Vec::new(),
            user_log: UserLog::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn handshakes(&self) -> Arc<Handshakes<R>> {
        Arc::clone(&self.handshakes)
    }

    pub(crate) async fn run(mut self) {
        loop {
            let Some(shard) = Shard::upgrade(&self.shard) else { return };
            let deadline = self.turn(&shard).and_then(|deadline| shard.to_std(deadline));
            drop(shard);
            let mut has_waited = false;
            if !self.has_more() {
                poll_fn(|context| {
                    let is_due = self.alarm.poll_ring(context, deadline).is_ready();
                    let is_rung = self.bell.poll_rung(context, &mut self.rung).is_ready();
                    if is_due || is_rung {
                        return Poll::Ready(());
                    }
                    has_waited = true;
                    Poll::Pending
                })
                .await;
            }
            if !has_waited {
                R::yield_now().await;
                // Who rang meanwhile is behind what there is to do, and not behind what comes
                // later.
                self.bell.take_rung(&mut self.rung);
            }
        }
    }

    /// Whether there is something to do that nobody rings for.
    fn has_more(&self) -> bool {
        let waiting = [&self.rung, &self.fresh, &self.busy, &self.strangers, &self.unwritten];
        waiting.iter().any(|links| !links.is_empty())
            || !self.inputs.is_empty()
            || self.has_more_returned
    }

    /// Returns when the core wants the next turn at the latest.
    fn turn(&mut self, shard: &Shard<R>) -> Option<Instant> {
        self.turns += 1;
        self.read_rung();
        let deadline = self.call_core(shard);
        self.gone.clear();
        self.write();
        self.write_log(shard);
        self.read_again();
        shard.turn_is_made();
        deadline
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
        let peer_of = |id| self.links.get(&id).map(|served| served.peer());
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
}

/// Its runtime is gone, and its links are with it: the next [`Shard::serve`] needs another.
impl<R: Runtime> Drop for Reactor<R> {
    fn drop(&mut self) {
        self.handshakes.end();
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
