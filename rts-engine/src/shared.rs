//! The core behind its lock, with the queues on both sides.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use rts_proto::client::{Client, EarlyClose, Event, Input, Output, WarningCode};
use rts_proto::{BroadcastCode, Instant, LinkId, MessageId, RoomKey};

use crate::answers::Answers;
use crate::clock::Clock;
use crate::delivery::{Delivery, Retired, StreamId};
use crate::link_output::LinkOutput;
use crate::log::{Line, Log};
use crate::login::Login;
use crate::sent::Filled;

/// A link is given up when this number of bytes waits for the driver. This is more than the whole
/// window of a session, so only a flood of unreliable messages reaches it.
const LINK_BYTES_MAX: usize = 4 * 1_048_576;

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) clock: Clock,
}

pub(crate) struct State {
    pub(crate) client: Client,
    pub(crate) delivery: Delivery,
    pub(crate) deadline: Option<Instant>,
    /// Whether something happened since the driver last looked.
    pub(crate) changed: bool,
    /// The driver is gone, so nothing progresses any more.
    pub(crate) closed: bool,
    /// The last answer to the driver's question whether it may read.
    is_read: bool,
    /// Why the last link did not come up. `None` once a login was answered over a later link.
    pub(crate) link_error: Option<String>,
    pub(crate) wakers: Wakers,
    pub(crate) answers: Answers,
    pub(crate) login: Login,
    /// Outputs about links, until the driver takes them. Events must not wait for the driver, so
    /// all outputs are taken from the core as soon as they exist.
    link_outputs: VecDeque<LinkOutput>,
    /// Bytes to transmit among `link_outputs`.
    link_bytes: usize,
    log: Log,
    after: After,
}

/// The tasks that wait for a change.
#[derive(Default)]
pub(crate) struct Wakers {
    pub(crate) events: Option<Waker>,
    pub(crate) driver: Option<Waker>,
    pub(crate) closed: Vec<Waker>,
}

/// Work for after the lock is released, because it may run code of the application or the runtime.
#[derive(Default)]
struct After {
    wakers: Vec<Waker>,
    dropped: Vec<Waker>,
    retired: Vec<Retired>,
}

impl Shared {
    pub(crate) fn new(client: Client, clock: Clock) -> Self {
        let state = State {
            client,
            delivery: Delivery::new(),
            deadline: None,
            changed: true,
            closed: false,
            is_read: true,
            link_error: None,
            wakers: Wakers::default(),
            answers: Answers::default(),
            login: Login::default(),
            link_outputs: VecDeque::new(),
            link_bytes: 0,
            log: Log::new(),
            after: After::default(),
        };
        Self { state: Mutex::new(state), clock }
    }

    /// No code of the application runs under the lock. So the state is consistent even if the lock
    /// is poisoned.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call and delivers its consequences. `call` also gets the state, to register a future
    /// before its outcome can come.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.with(|state| {
            let now = self.clock.now();
            let returned = call(state, now);
            state.settle(now);
            returned
        })
    }

    /// Like [`call`](Self::call), without draining the core.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let wants_decisions = Log::is_wanted();
        let mut state = self.lock();
        let State { log, client, .. } = &mut *state;
        log.begin(wants_decisions, client);
        let returned = change(&mut state);
        let after = std::mem::take(&mut state.after);
        let lines = state.log.take();
        drop(state);
        lines.into_iter().for_each(Line::write);
        after.wakers.into_iter().for_each(Waker::wake);
        returned
    }
}

impl State {
    /// Drains the core. This also does what is due at once, such as the end of a burst.
    fn settle(&mut self, now: Instant) {
        self.drain(now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.client.handle_input(now, Input::Tick);
            self.drain(now);
        }
        if self.client.is_destroyed() {
            self.after.retired.extend(self.delivery.forget_handlers());
            self.answers.end(&mut self.after.wakers);
        }
        self.answers.settle_rooms(&self.client, &mut self.after.wakers);
        self.login.settle(&self.client, &mut self.after.wakers);
        if self.delivery.has_stream_events() || self.client.is_destroyed() {
            self.after.wakers.extend(self.wakers.events.take());
        }
    }

    /// Takes the core's outputs until it waits.
    pub(crate) fn drain(&mut self, now: Instant) {
        // Before the events that follow from it.
        self.log.look_at(&self.client, now);
        loop {
            match self.client.poll_output() {
                Output::Event(event) => self.happened(event),
                Output::Transmit(link, bytes) => {
                    self.link_bytes += bytes.len();
                    self.leave_to_driver(LinkOutput::Transmit(link, bytes));
                    if self.link_bytes > LINK_BYTES_MAX {
                        self.give_up_link(now, link);
                    }
                }
                Output::Connect(link) => self.leave_to_driver(LinkOutput::Connect(link)),
                Output::Disconnect(link) => self.leave_to_driver(LinkOutput::Disconnect(link)),
                Output::Wait(deadline) => {
                    if deadline != self.deadline || self.client.is_destroyed() {
                        self.deadline = deadline;
                        self.wake_driver();
                    }
                    return;
                }
            }
        }
    }

    fn leave_to_driver(&mut self, output: LinkOutput) {
        self.link_outputs.push_back(output);
        self.wake_driver();
    }

    pub(crate) fn next_link_output(&mut self) -> Option<LinkOutput> {
        let output = self.link_outputs.pop_front()?;
        if let LinkOutput::Transmit(_, bytes) = &output {
            self.link_bytes -= bytes.len();
        }
        Some(output)
    }

    pub(crate) fn has_link_outputs(&self) -> bool {
        !self.link_outputs.is_empty()
    }

    fn give_up_link(&mut self, now: Instant, link: LinkId) {
        let bytes = &mut self.link_bytes;
        self.link_outputs.retain(|output| match output {
            LinkOutput::Transmit(id, unsent) if *id == link => {
                *bytes -= unsent.len();
                false
            }
            _ => true,
        });
        self.leave_to_driver(LinkOutput::Disconnect(link));
        self.client.handle_input(now, Input::Disconnected(link));
        self.log.look_at(&self.client, now);
    }

    /// A link did not come up. The application gets no event if the link is no longer needed, or if
    /// it had an event with this reason before.
    pub(crate) fn link_failed(&mut self, link: LinkId, why: String) {
        if self.client.link() == Some(link) {
            self.log.link_ended(&self.client, link, &why);
            self.report_link_error(why);
        }
    }

    /// Keeps the reason for the end of an open link, for the log.
    pub(crate) fn link_ended(&mut self, link: LinkId, how: &str) {
        self.log.link_ended(&self.client, link, how);
    }

    /// A call of the application begins.
    pub(crate) fn begin_call(&mut self) {
        self.log.begin_call();
    }

    /// The engine's number in log lines.
    pub(crate) fn number(&self) -> u64 {
        self.log.engine()
    }

    /// Reports that the server closed the previous link before a login was answered over it.
    pub(crate) fn report_early_close(&mut self, before: Option<LinkId>) {
        let Some(EarlyClose { link, code, number, reason }) = self.client.early_close() else {
            return;
        };
        if before == Some(*link) && self.client.link() != before {
            let code = match code.code() == *number {
                true => format!("{code:?} ({number})"),
                false => format!("code {number}"),
            };
            let why = if reason.is_empty() { String::new() } else { format!(", {reason}") };
            self.report_link_error(format!(
                "the server ended the connection before the login was answered: {code}{why}"
            ));
        }
    }

    fn report_link_error(&mut self, why: String) {
        if self.link_error.as_ref() == Some(&why) {
            return;
        }
        self.link_error = Some(why.clone());
        self.happened(Event::Warning { code: WarningCode::LinkFailed, message: why });
    }

    fn happened(&mut self, event: Event) {
        let Filled { waker, slot } = self.answers.happened(&event);
        self.login.happened(&event);
        self.after.wakers.extend(waker);
        self.log.happened(&self.client, &event);
        self.delivery.push(event, slot);
        if self.delivery.has_callbacks() {
            self.wake_driver();
        }
    }

    /// Completes the broadcasts of a destroyed room. Handlers do not get `results`.
    pub(crate) fn room_destroyed(
        &mut self,
        key: RoomKey,
        results: Vec<(MessageId, BroadcastCode)>,
    ) {
        for (id, code) in results {
            self.after.wakers.extend(self.answers.fill_broadcast(key, id, code));
        }
        let retired = self.delivery.forget_room(key);
        self.retire(retired);
        self.read_again();
    }

    pub(crate) fn wake_driver(&mut self) {
        self.changed = true;
        self.after.wakers.extend(self.wakers.driver.take());
    }

    /// Whether the link may be read. The log reports each change.
    pub(crate) fn wants_read(&mut self) -> bool {
        let wants_read = self.delivery.has_room();
        if wants_read != self.is_read {
            self.log.reading(&self.client, wants_read);
        }
        self.is_read = wants_read;
        wants_read
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.after.wakers.append(&mut self.wakers.closed);
    }

    pub(crate) fn retire(&mut self, retired: Option<Retired>) {
        self.after.retired.extend(retired);
    }

    pub(crate) fn update_login_token(&mut self, now: Instant, token: &str) {
        self.client.update_login_token(now, token);
        self.login.token_changed();
    }

    /// Makes a call whose answer may come at once, and delivers that answer.
    pub(crate) fn ask<T>(
        &mut self,
        now: Instant,
        wait: impl FnOnce(&mut Answers) -> T,
        call: impl FnOnce(&mut Client),
    ) -> T {
        let pending = wait(&mut self.answers);
        call(&mut self.client);
        self.drain(now);
        self.answers.made();
        pending
    }

    /// Directs events to a new stream from now on. A task that waits on an earlier stream learns
    /// that it ended.
    pub(crate) fn open_stream(&mut self) -> StreamId {
        self.after.wakers.extend(self.wakers.events.take());
        let stream = self.delivery.open_stream();
        self.read_again();
        stream
    }

    pub(crate) fn close_stream(&mut self, stream: StreamId) {
        self.delivery.close_stream(stream);
        self.read_again();
    }

    /// Whether the stream gets no more events.
    pub(crate) fn has_ended(&self, stream: StreamId) -> bool {
        self.client.is_destroyed() || !self.delivery.is_open(stream)
    }

    pub(crate) fn take_event(&mut self, stream: StreamId) -> Option<Event> {
        let event = self.delivery.pop_stream(stream)?;
        self.read_again();
        Some(event)
    }

    /// The application has taken an event. Perhaps the link may be read again.
    fn read_again(&mut self) {
        if !self.is_read && self.delivery.has_room_as_known() {
            self.wake_driver();
        }
    }

    /// Registers the context in `slot`, the waker for one kind of change. It replaces an earlier
    /// one.
    pub(crate) fn register(
        &mut self,
        slot: impl FnOnce(&mut Wakers) -> &mut Option<Waker>,
        context: &Context<'_>,
    ) {
        let slot = slot(&mut self.wakers);
        if !slot.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.after.dropped.extend(slot.replace(context.waker().clone()));
        }
    }
}
