//! The core with the queues on both sides of it.

mod calls;

use std::task::{Context, Poll};

use rts_proto::client::{Client, Event, Input, Output};
use rts_proto::{BroadcastCode, Instant, LinkId, MessageId, RoomKey};

use crate::answers::Answers;
use crate::delivery::{Callback, Delivery, Retired, StreamId};
use crate::handler::{EventHandler, RoomEventHandler};
use crate::link_errors::{LinkErrors, LinkFailure};
use crate::link_output::LinkOutput;
use crate::link_queue::LinkQueue;
use crate::log::{Line, Log};
use crate::login::Login;
use crate::sent::Filled;
use crate::tasks::{Tasks, Woken};

pub(crate) struct State {
    client: Client,
    /// The core's deadline.
    deadline: Option<Instant>,
    answers: Answers,
    login: Login,
    delivery: Delivery,
    link_queue: LinkQueue,
    link_errors: LinkErrors,
    tasks: Tasks,
    log: Log,
    /// The last answer to the driver's question whether it may read.
    is_read: bool,
}

/// Work for after the lock is released, because it may run code of the application or the runtime.
#[must_use]
pub(crate) struct After {
    lines: Vec<Line>,
    woken: Woken,
    retired: Vec<Retired>,
}

impl After {
    pub(crate) fn run(self) {
        let Self { lines, woken, retired } = self;
        lines.into_iter().for_each(Line::write);
        woken.wake();
        drop(retired);
    }
}

impl State {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            deadline: None,
            answers: Answers::default(),
            login: Login::default(),
            delivery: Delivery::new(),
            link_queue: LinkQueue::default(),
            link_errors: LinkErrors::default(),
            tasks: Tasks::new(),
            log: Log::new(),
            is_read: true,
        }
    }

    /// A change begins. [`take_after`](Self::take_after) follows it.
    pub(crate) fn begin(&mut self, wants_decisions: bool) {
        self.log.begin(wants_decisions, &self.client);
    }

    pub(crate) fn take_after(&mut self) -> After {
        After {
            lines: self.log.take(),
            woken: self.tasks.take_woken(),
            retired: self.delivery.take_retired(),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    /// Ready when the login's version differs from `seen`.
    pub(crate) fn poll_login(&mut self, seen: u64, context: &Context<'_>) -> Poll<()> {
        self.login.poll_changed(seen, context)
    }

    /// Why the last link did not come up. `None` once a login was answered over a later link.
    pub(crate) fn link_error(&self) -> Option<&LinkFailure> {
        self.link_errors.last()
    }

    // The core.

    /// Passes an input to the core.
    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        if let Input::Disconnected(link) = input
            && !self.client.is_online()
        {
            self.report_link_error(link, LinkFailure::ClosedEarly);
        }
        let before = self.client.link();
        self.client.handle_input(now, input);
        self.report_early_close(before);
        if self.client.is_online() {
            self.link_errors.link_is_up();
        }
    }

    /// A link failed, with the reason.
    pub(crate) fn link_failed(&mut self, now: Instant, link: LinkId, why: LinkFailure) {
        self.report_link_error(link, why);
        self.client.handle_input(now, Input::Disconnected(link));
    }

    /// Keeps the reason for the end of an open link, for the log.
    pub(crate) fn link_ended(&mut self, link: LinkId, how: &str) {
        self.log.link_ended(&self.client, link, how);
    }

    /// A link did not come up. The application gets no event if the link is no longer
    /// needed.
    fn report_link_error(&mut self, link: LinkId, why: LinkFailure) {
        if self.client.link() == Some(link) {
            self.log.link_ended(&self.client, link, &why.to_string());
            self.warn_of_link(why);
        }
    }

    /// Reports that the server closed the previous link before a login was answered over it.
    fn report_early_close(&mut self, before: Option<LinkId>) {
        if let Some(close) = self.client.early_close()
            && before == Some(close.link)
            && self.client.link() != before
        {
            self.warn_of_link(LinkFailure::from(close));
        }
    }

    fn warn_of_link(&mut self, why: LinkFailure) {
        if let Some(warning) = self.link_errors.failed(why) {
            self.happened(warning);
        }
    }

    /// Drains the core. This also does what is due at once, such as the end of a burst.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.drain(now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.client.handle_input(now, Input::Tick);
            self.drain(now);
        }
        if self.client.is_destroyed() {
            self.delivery.forget_handlers();
            self.answers.end(self.tasks.woken());
        }
        self.answers.settle_rooms(&self.client, self.tasks.woken());
        self.login.settle(&self.client, self.tasks.woken());
        if self.delivery.has_stream_events() || self.client.is_destroyed() {
            self.tasks.wake_reader();
        }
    }

    /// Takes the core's outputs until it waits.
    fn drain(&mut self, now: Instant) {
        // Before the events that follow from it.
        self.log.look_at(&self.client, now);
        loop {
            match self.client.poll_output() {
                Output::Event(event) => self.happened(event),
                Output::Transmit(link, bytes) => {
                    self.leave_to_driver(LinkOutput::Transmit(link, bytes));
                    if self.link_queue.is_over_full() {
                        self.give_up_link(now, link);
                    }
                }
                Output::Connect(link) => self.leave_to_driver(LinkOutput::Connect(link)),
                Output::Disconnect(link) => self.leave_to_driver(LinkOutput::Disconnect(link)),
                Output::Wait(deadline) => {
                    if deadline != self.deadline || self.client.is_destroyed() {
                        self.deadline = deadline;
                        self.tasks.wake_driver();
                    }
                    return;
                }
            }
        }
    }

    fn leave_to_driver(&mut self, output: LinkOutput) {
        self.link_queue.push(output);
        self.tasks.wake_driver();
    }

    fn give_up_link(&mut self, now: Instant, link: LinkId) {
        self.link_queue.give_up(link);
        self.tasks.wake_driver();
        self.client.handle_input(now, Input::Disconnected(link));
        self.log.look_at(&self.client, now);
    }

    fn happened(&mut self, event: Event) {
        let Filled { waker, slot } = self.answers.happened(&event);
        self.login.happened(&event);
        self.tasks.woken().extend(waker);
        self.log.happened(&self.client, &event);
        self.delivery.push(event, slot);
        if self.delivery.has_callbacks() {
            self.tasks.wake_driver();
        }
    }

    // The driver.

    /// The next output about links. After `None` the driver has seen every change.
    pub(crate) fn next_link_output(&mut self) -> Option<LinkOutput> {
        let output = self.link_queue.pop();
        if output.is_none() {
            self.tasks.driver_is_up_to_date();
        }
        output
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn has_callbacks(&self) -> bool {
        self.delivery.has_callbacks()
    }

    pub(crate) fn pop_callback(&mut self) -> Option<Callback> {
        self.delivery.pop_callback()
    }

    /// The driver leaves work for later.
    pub(crate) fn driver_has_more(&mut self) {
        self.tasks.driver_has_more();
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

    /// The application has taken an event. Perhaps the link may be read again.
    fn read_again(&mut self) {
        if !self.is_read && self.delivery.has_room_as_known() {
            self.tasks.wake_driver();
        }
    }

    /// Whether the engine was destroyed and nothing is left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.client.is_destroyed() && self.link_queue.is_empty()
    }

    pub(crate) fn poll_driver(&mut self, context: &Context<'_>) -> Poll<()> {
        self.tasks.poll_driver(context)
    }

    /// The engine's number in log lines.
    pub(crate) fn number(&self) -> u64 {
        self.log.engine()
    }

    /// The driver is gone.
    pub(crate) fn close(&mut self, now: Instant) {
        self.client.destroy(now);
        self.tasks.close();
    }

    /// Ready once the driver is gone.
    pub(crate) fn poll_closed(&mut self, context: &Context<'_>) -> Poll<()> {
        self.tasks.poll_closed(context)
    }

    // Handlers and streams.

    pub(crate) fn set_engine_handler(&mut self, handler: impl EventHandler + 'static) {
        self.delivery.set_engine_handler(handler);
    }

    pub(crate) fn set_room_handler(
        &mut self,
        key: RoomKey,
        handler: impl RoomEventHandler + 'static,
    ) {
        self.delivery.set_room_handler(key, handler);
    }

    /// Completes the broadcasts of a destroyed room. Handlers do not get `results`.
    fn room_destroyed(&mut self, key: RoomKey, results: &[(MessageId, BroadcastCode)]) {
        for (id, code) in results {
            self.tasks.woken().extend(self.answers.fill_broadcast(key, *id, *code));
        }
        self.answers.forget_room(key);
        self.delivery.forget_room(key);
        self.read_again();
    }

    /// Directs events to a new stream from now on. A task that waits on an earlier stream learns
    /// that it ended.
    pub(crate) fn open_stream(&mut self) -> StreamId {
        self.tasks.wake_reader();
        let stream = self.delivery.open_stream();
        self.read_again();
        stream
    }

    pub(crate) fn close_stream(&mut self, stream: StreamId) {
        self.delivery.close_stream(stream);
        self.read_again();
    }

    pub(crate) fn take_event(&mut self, stream: StreamId) -> Option<Event> {
        let event = self.delivery.pop_stream(stream)?;
        self.read_again();
        Some(event)
    }

    /// The stream's next event; `None` when it gets no more.
    pub(crate) fn poll_event(
        &mut self,
        stream: StreamId,
        context: &Context<'_>,
    ) -> Poll<Option<Event>> {
        if let Some(event) = self.take_event(stream) {
            return Poll::Ready(Some(event));
        }
        if self.client.is_destroyed() || !self.delivery.is_open(stream) {
            return Poll::Ready(None);
        }
        self.tasks.register_reader(context);
        Poll::Pending
    }
}
