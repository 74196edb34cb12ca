//! What a connection sends: through its session, while a login is live, over its link, while that is
//! up.

use bytes::Bytes;

use super::login::Login;
use super::session::Session;
use super::{Connection, Tag};
use crate::client::questions::{Question, Questions};
use crate::client::shared::Shared;
use crate::wire::Frame;

/// Without a live login nothing is queued. [`release`](Self::release) sends what was.
impl Connection {
    /// Queues a message or a query behind those before it.
    pub(crate) fn queue(&mut self, frame: Bytes, question: Question, questions: &Questions) {
        if let Some(session) = self.session_mut() {
            session.queue(frame, question, questions);
        }
    }

    /// Puts a frame into the window that need not wait behind others.
    pub(crate) fn push(&mut self, frame: Bytes, tag: Tag) {
        if let Some(session) = self.session_mut() {
            session.push(frame, tag);
        }
    }

    /// The same for a join: false when there is no room for it, or no login.
    pub(crate) fn push_join(&mut self, frame: Bytes, ticket: u64) -> bool {
        self.session_mut().is_some_and(|session| session.push_join(frame, ticket))
    }

    /// Whether the question's frame was still waiting to be transmitted, and now is no more.
    pub(crate) fn take_back(&mut self, question: Question) -> bool {
        self.session_mut().is_some_and(|session| session.take_back(question))
    }

    /// The same for a join.
    pub(crate) fn take_back_join(&mut self, ticket: u64) -> bool {
        self.session_mut().is_some_and(|session| session.take_back_join(ticket))
    }

    /// What is queued goes out spread over time.
    pub(crate) fn hold_back(&mut self) {
        if let Some(session) = self.session_mut() {
            session.hold_back();
        }
    }

    /// Queues a message or a query behind those before it, and sends what may be sent.
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

    /// Sends what may be sent now.
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

    /// Tells the server what arrived, if it was not told.
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
