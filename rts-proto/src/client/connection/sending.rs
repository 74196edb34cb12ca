//! Sending of frames: through the session while a login is live, over the link while it is up.

use bytes::Bytes;

use super::login::Login;
use super::session::Session;
use super::{Connection, Tag};
use crate::client::questions::{Question, Questions};
use crate::client::shared::Shared;
use crate::wire::Frame;

/// Without a live login, frames are not queued. [`release`](Self::release) sends queued frames.
impl Connection {
    /// Queues a message or a query after earlier ones.
    pub(crate) fn queue(&mut self, frame: Bytes, question: Question, questions: &Questions) {
        if let Some(session) = self.session_mut() {
            session.queue(frame, question, questions);
        }
    }

    /// Puts a frame into the window that does not wait behind others.
    pub(crate) fn push(&mut self, frame: Bytes, tag: Tag) {
        if let Some(session) = self.session_mut() {
            session.push(frame, tag);
        }
    }

    /// Like [`push`](Self::push), for a Join. False when the window has no space for it, or without
    /// a login.
    pub(crate) fn push_join(&mut self, frame: Bytes, ticket: u64) -> bool {
        self.session_mut().is_some_and(|session| session.push_join(frame, ticket))
    }

    /// Removes the question's frame if it waits to be transmitted.
    pub(crate) fn take_back(&mut self, question: Question) -> bool {
        self.session_mut().is_some_and(|session| session.take_back(question))
    }

    /// Removes the Join with this ticket if it waits to be transmitted.
    pub(crate) fn take_back_join(&mut self, ticket: u64) -> bool {
        self.session_mut().is_some_and(|session| session.take_back_join(ticket))
    }

    /// Queued frames go out at the server's rates from now on.
    pub(crate) fn hold_back(&mut self) {
        if let Some(session) = self.session_mut() {
            session.hold_back();
        }
    }

    /// Queues a message or a query after earlier ones, and sends as much as is allowed.
    pub(crate) fn submit(
        &mut self,
        frame: Frame,
        question: Question,
        questions: &mut Questions,
        shared: &mut Shared,
    ) {
        self.queue(frame.encode(), question, questions);
        self.release(questions, shared);
    }

    /// Sends as much as is allowed now.
    pub(crate) fn release(&mut self, questions: &mut Questions, shared: &mut Shared) {
        if let Some(session) = self.login.as_mut().and_then(Login::session_mut)
            && let Some(online) = self.link.online_mut()
        {
            session.release(online, questions, shared);
        }
    }

    /// Sends a frame that is not sequenced, if the link is up.
    pub(crate) fn transmit(&mut self, frame: Frame, shared: &mut Shared) {
        if let Some(online) = self.link.online_mut() {
            online.transmit(frame, shared);
        }
    }

    /// Acknowledges received frames, if an acknowledgement is owed.
    pub(crate) fn acknowledge(&mut self, shared: &mut Shared) {
        if let Some(received) = self.session_mut().and_then(Session::take_ack) {
            self.transmit(Frame::Ack { received }, shared);
        }
    }

    pub(crate) fn send_heartbeat(&mut self, shared: &mut Shared) {
        if let Some(online) = self.link.online_mut() {
            online.send_heartbeat(shared);
        }
    }
}
