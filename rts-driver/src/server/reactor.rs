//! The one task of a shard: it reads and writes all links, and calls the core.
//!
//! ```text
//!        +-> the links that are ready: read ----------> inputs
//!   turn |   the mailboxes: take some entries --------> inputs
//!        |   the core takes them in, under the lock --> outputs for links
//!        |   the links that have some: write
//!        +-- the links that were read: again, for the next turn, or until they are ready
//!   then, unless there is more to do: wait for the ready queue, or the deadline
//! ```
//!
//! The reader and the writer borrow the [`LinkIo`] while they work. It has all state that they
//! share: the links, and the next inputs of the core. Each keeps its own queues of links.

mod batch;
mod held;
mod link_entry;
mod link_io;
mod links;
mod read;
mod write;

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;

use rts_proto::server::{Input, ShardId};
use rts_proto::{Instant, LinkId};

use crate::panics::catch_panic;
use crate::runtime::Runtime;
use crate::server::handshakes::HandshakePool;
use crate::server::link_end::Fault;
use crate::server::log::LogThrottle;
use crate::server::notice_log::{AddressedNotice, NoticeLog};
use crate::server::shared::{NodeShards, Shared, State};
use crate::timer::Timer;
pub(crate) use held::Held;
use link_entry::Ending;
use link_io::LinkIo;
use read::Reader;
use write::Writer;

/// The reactor of a shard. All links that are ready together are one burst for the core. Sockets
/// are read and written without the lock.
///
/// A link is read again only after the core has taken its earlier input, and the answer to it is
/// written. Otherwise the end of a link could overtake the answer to its last frames.
pub(crate) struct Reactor<R: Runtime> {
    /// Weak, since a reactor without links does not keep the shard alive.
    shared: Weak<Shared<R>>,
    /// Keeps all shards of the node alive while there are links.
    alive: Option<NodeShards<R>>,
    timer: Timer<R>,
    io: LinkIo<R>,
    reader: Reader<R>,
    writer: Writer,
    /// Notices for the log, written when the turn is over.
    notices: Vec<AddressedNotice>,
    /// Entries of other shards wait for the next turn.
    has_mail: bool,
    /// A shard that does not keep up, for the log.
    overloaded: Option<ShardId>,
    overload_throttle: LogThrottle,
}

impl<R: Runtime> Reactor<R> {
    /// The reactor of one of this number of shards.
    pub(crate) fn new(shared: &Arc<Shared<R>>, shards: usize) -> Self {
        let per_second = &shared.common.handshakes_per_second;
        let handshakes = HandshakePool::new(&shared.ready, per_second, shards);
        Self {
            shared: Arc::downgrade(shared),
            alive: None,
            timer: Timer::new(),
            io: LinkIo::new(handshakes),
            reader: Reader::new(&shared.ready),
            writer: Writer::default(),
            notices: Vec::new(),
            has_mail: false,
            overloaded: None,
            overload_throttle: LogThrottle::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn handshakes(&self) -> Arc<HandshakePool<R>> {
        self.io.links.handshakes()
    }

    pub(crate) async fn run(mut self) {
        while let Some(shared) = self.shared.upgrade()
            && !shared.arrivals.is_stopped()
        {
            let turn = self.turn(&shared);
            shared.probes.turn_is_made();
            let is_frozen = turn.is_err();
            let deadline = turn.ok().flatten().and_then(|deadline| shared.to_std(deadline));
            self.alive = self.alive.take().filter(|_| self.io.links.has_links());
            drop(shared);
            let mut has_waited = false;
            if is_frozen || !self.has_more() {
                poll_fn(|context| {
                    let is_due = self.timer.poll_deadline(context, deadline).is_ready();
                    let is_ready = self.reader.poll_ready(context).is_ready();
                    if is_due || is_ready {
                        return Poll::Ready(());
                    }
                    has_waited = true;
                    Poll::Pending
                })
                .await;
            }
            if !has_waited {
                R::yield_now().await;
                // Links that became ready meanwhile come behind the pending work, and before links
                // that become ready later.
                self.reader.take_ready();
            }
        }
    }

    /// Whether there is work to do for which nothing will wake the reactor.
    fn has_more(&self) -> bool {
        self.reader.has_more()
            || self.writer.has_more()
            || !self.io.batch.is_empty()
            || self.io.links.has_more_finished()
            || self.has_mail
    }

    /// Makes one turn. Returns the core's deadline for the next one. A node that may not act does
    /// nothing, or stops in the middle. The next turn goes on with what is left.
    fn turn(&mut self, shared: &Arc<Shared<R>>) -> Result<Option<Instant>, Frozen> {
        check_acting(shared)?;
        self.io.begin_turn();
        self.reader.read_ready(&mut self.io);
        self.take_new_links(shared);
        let deadline = self.call_core(shared)?;
        self.io.batch.release_gone();
        self.hand_over(shared);
        check_acting(shared)?;
        self.writer.write(&mut self.io);
        self.write_log(shared);
        self.reader.read_again(&mut self.io);
        Ok(deadline)
    }

    fn call_core(&mut self, shared: &Arc<Shared<R>>) -> Result<Option<Instant>, Frozen> {
        // Without the lock, because this calls the embedder's subscriber.
        let level = NoticeLog::level();
        let mut state = shared.lock();
        if shared.arrivals.is_stopped() {
            // Perhaps by a command that panicked. The core then has half-done work.
            return Ok(None);
        }
        let now = shared.acting_now().ok_or(Frozen)?;
        let State { core, link_outputs, .. } = &mut *state;
        let LinkIo { links, batch, .. } = &mut self.io;
        batch.extend(link_outputs.drain(..).filter_map(|output| links.apply(output)));
        core.take_notice(level);
        self.has_mail =
            core.take_mail(now, &mut |mail| batch.push(mail), &mut |output| links.apply(output));
        for input in batch.drain_inputs() {
            if let Input::Peer(..)
            | Input::PeerCongested(..)
            | Input::HomesChanged { .. }
            | Input::Request(..) = input
            {
                // A panic ends the shard, and so the node: the other shards count on its part.
                core.server.handle_input(now, input);
                core.drain(now, &mut |output| links.apply(output));
                continue;
            }
            let Some(input) = links.carry(input) else { continue };
            let link = subject(&input);
            let done = catch_panic(|| {
                core.server.handle_input(now, input);
                core.drain(now, &mut |output| links.apply(output));
            });
            if let (None, Some(link)) = (done, link) {
                links.mark_ending(link, Ending::Now(Fault::Panicked));
            }
        }
        core.end_burst(now, &mut |output| links.apply(output));
        for id in batch.drain_before_login() {
            if let Some(entry) = links.get_mut(id)
                && !entry.is_logged_in()
                && core.server.is_attached(id)
            {
                entry.logged_in();
            }
        }
        let (deadline, has_new_posts) = (core.deadline, core.has_new_posts());
        let notices = core.take_notices();
        self.overloaded = core.take_overloaded();
        drop(state);
        let facts_of =
            |id| batch.facts_of_gone(id).or_else(|| links.get(id).map(|entry| entry.facts(None)));
        self.notices
            .extend(notices.into_iter().map(|notice| AddressedNotice::new(notice, facts_of)));
        if has_new_posts {
            shared.start_posts();
        }
        Ok(deadline)
    }

    /// Moves links to other shards before they are read again, since what comes next is for those.
    fn hand_over(&mut self, shared: &Shared<R>) {
        for (shard, new_link) in self.io.links.take_moving() {
            shared.hand_over(shard, new_link);
        }
    }

    /// Takes in the links that arrived. Each may need a system call or a line in the log, so this
    /// runs without the lock.
    fn take_new_links(&mut self, shared: &Shared<R>) {
        let LinkIo { links, batch, .. } = &mut self.io;
        for (new_link, alive) in shared.arrivals.take() {
            self.alive = alive;
            // Its login may be the first thing that the core gets.
            batch.add_before_login(new_link.id);
            batch.extend(self.reader.add(new_link, links));
        }
    }

    /// Runs after all other work of the turn, so that the log has no influence on the time of an
    /// answer.
    fn write_log(&mut self, shared: &Shared<R>) {
        if let Some(shard) = self.overloaded.take()
            && let Some(left_out) = self.overload_throttle.allow(std::time::Instant::now())
        {
            let shard = shard.number();
            tracing::warn!(
                shard,
                left_out,
                "a shard does not keep up: messages to its users are refused with code 2 or 5"
            );
        }
        if self.notices.is_empty() {
            return;
        }
        let authenticator = shared.lock().core.authenticator();
        for notice in self.notices.drain(..) {
            catch_panic(|| self.io.write_log(notice, &*authenticator));
        }
    }
}

/// When the runtime ends, it drops the reactor and so all its links. The next
/// [`Node::serve`](crate::server::Node::serve) makes another reactor.
impl<R: Runtime> Drop for Reactor<R> {
    fn drop(&mut self) {
        self.io.links.shut_down_handshakes();
        let Some(shared) = self.shared.upgrade() else { return };
        let mut ids: Vec<LinkId> = self.io.links.ids().collect();
        ids.sort_unstable();
        // The core still gets the bytes that were read, and learns which links are gone.
        let mut inputs: Vec<Input> = self.io.batch.drain_inputs().collect();
        inputs.extend(ids.into_iter().map(Input::Disconnected));
        // A second panic during a panic would end the process.
        catch_panic(|| {
            drop(shared.reactor_ended());
            shared.command(|server, now| {
                for input in inputs {
                    server.handle_input(now, input);
                }
            });
        });
    }
}

/// The node may not act.
struct Frozen;

fn check_acting<R: Runtime>(shared: &Shared<R>) -> Result<(), Frozen> {
    if shared.is_frozen() { Err(Frozen) } else { Ok(()) }
}

/// The link that an input came from.
fn subject(input: &Input) -> Option<LinkId> {
    match input {
        Input::Received(id, _) | Input::HandedOver(id, _) => Some(*id),
        _ => None,
    }
}
