//! Messages for the app server: those that wait, and the posts under way. Section 11 of the
//! protocol.
//!
//! A driver begins a post at most once. All bounds are here: posts under way for a user and for an
//! app, the number of waiting messages, and the time of each. A shard has its part of the bounds of
//! an app.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::deadlines::{Deadline, Due};
use super::io::{Detail, MovedParams, MovedPost, Output, Post, PostProgress};
use super::keys::SessionNumber;
use super::shared::Shared;
use super::targets::{Decided, Params};
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{
    FRAME_BYTES_MAX, POSTS_PER_APP_MAX, POSTS_PER_APP_OF_SHARD_MIN, POSTS_PER_USER_MAX,
    POSTS_WAITING_MAX, POSTS_WAITING_OF_SHARD_MIN, REPLY_BYTES_MAX, WINDOW_BYTES_MAX,
};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, CallId, MessageId, Payload, Reply, SendCode, UserId};

#[derive(Debug, Default)]
pub(super) struct Posts {
    /// Messages without a result.
    calls: BTreeMap<CallId, Call>,
    last_call: u64,
    /// Apps with at least one message.
    apps: BTreeMap<AppId, OfApp>,
    /// The number of waiting messages of each session that has any.
    waiting_of: BTreeMap<SessionNumber, usize>,
}

/// An app's waiting messages and posts under way.
#[derive(Debug, Default)]
struct OfApp {
    /// In the order of their messages.
    waiting: VecDeque<CallId>,
    under_way: usize,
    /// The number of posts of each user that has any.
    under_way_of: BTreeMap<UserId, usize>,
}

/// One message, from its acceptance to its result.
#[derive(Debug)]
struct Call {
    app_id: AppId,
    uid: UserId,
    session: SessionNumber,
    id: MessageId,
    phase: Phase,
    /// The end of its wait, or of its post.
    until: Deadline,
}

#[derive(Debug)]
enum Phase {
    Waiting { params: Params, payload: Payload },
    UnderWay { has_begun: bool, bytes: usize },
}

impl OfApp {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }

    fn of_user(&self, uid: &UserId) -> usize {
        self.under_way_of.get(uid).copied().unwrap_or(0)
    }

    fn begin(&mut self, uid: UserId) {
        self.under_way += 1;
        *self.under_way_of.entry(uid).or_default() += 1;
    }

    fn end(&mut self, uid: &UserId) {
        self.under_way -= 1;
        match self.under_way_of.get_mut(uid) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.under_way_of.remove(uid)),
        }
    }
}

impl Call {
    fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::UnderWay { .. })
    }

    /// Bytes that the shard and the driver keep for it.
    fn bytes(&self) -> usize {
        match &self.phase {
            Phase::Waiting { params: Params::Known(params), payload } => {
                params.len() + payload.len()
            }
            Phase::Waiting { payload, .. } => payload.len(),
            Phase::UnderWay { bytes, .. } => *bytes,
        }
    }
}

impl Posts {
    /// §11.5: accepts a message. False when too many wait.
    pub(super) fn add(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        params: Params,
        id: MessageId,
        payload: &Payload,
    ) -> bool {
        let Some(session) = shared.session(number) else { return false };
        let (app_id, uid) = session.user();
        let of_app = self.apps.entry(app_id.clone()).or_default();
        let of_shard =
            shared.config.placement.share_or(POSTS_WAITING_MAX, POSTS_WAITING_OF_SHARD_MIN);
        if of_app.waiting.len() >= of_shard {
            return false;
        }
        self.last_call += 1;
        let call = CallId(self.last_call);
        of_app.waiting.push_back(call);
        *self.waiting_of.entry(number).or_default() += 1;
        let until = shared.deadlines.arm(shared.now() + shared.config.post_wait, Due::Post(call));
        let phase = Phase::Waiting { params, payload: payload.detached() };
        let waiting = Call { app_id: app_id.clone(), uid, session: number, id, phase, until };
        self.calls.insert(call, waiting);
        self.begin_what_may(shared, &app_id);
        true
    }

    /// The driver has decided about params. Handles the messages that waited for the decision.
    pub(super) fn decided(&mut self, shared: &mut Shared, decided: Decided) {
        let Decided { session: number, ticket, in_force } = decided;
        let Some(session) = shared.session(number) else { return };
        let app_id = session.app_id().clone();
        let mut refused = Vec::new();
        for call in self.waiting_calls(&app_id, number) {
            let Some(waiting) = self.calls.get_mut(&call) else { continue };
            let Phase::Waiting { params, .. } = &mut waiting.phase else { continue };
            match (&*params, &in_force) {
                (Params::Asked { ticket: asked }, Some(in_force)) if *asked == ticket => {
                    *params = Params::Known(in_force.clone());
                }
                (Params::Asked { ticket: asked }, None) if *asked == ticket => refused.push(call),
                (Params::Asked { .. } | Params::Known(_), _) => {}
            }
        }
        for call in refused {
            self.end_call(shared, call, SendCode::NoServerParams, Reply::default());
        }
        self.begin_what_may(shared, &app_id);
    }

    /// The session has acknowledged frames. There may be space for a reply (§11.8).
    pub(super) fn window_emptied(&mut self, shared: &mut Shared, number: SessionNumber) {
        if !self.waiting_of.contains_key(&number) {
            return;
        }
        if let Some(session) = shared.session(number) {
            let app_id = session.app_id().clone();
            self.begin_what_may(shared, &app_id);
        }
    }

    /// Handles the driver's report of a post's progress.
    pub(super) fn progressed(&mut self, shared: &mut Shared, id: CallId, progress: PostProgress) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::UnderWay { has_begun, .. } = &mut call.phase else { return };
        let app_id = call.app_id.clone();
        let (code, reply) = match progress {
            PostProgress::Begun if planted(Bug::PostOkBeforeAnswer) => {
                (SendCode::Ok, Reply::default())
            }
            PostProgress::Begun => {
                *has_begun = true;
                return;
            }
            PostProgress::Answered(reply) if reply.len() <= REPLY_BYTES_MAX => {
                (SendCode::Ok, reply)
            }
            PostProgress::AnsweredBadly if planted(Bug::AnyStatusIsOk) => {
                (SendCode::Ok, Reply::default())
            }
            PostProgress::Answered(_) | PostProgress::AnsweredBadly => {
                (SendCode::ServerBadAnswer, Reply::default())
            }
            PostProgress::NotReached => (SendCode::ServerNotReached, Reply::default()),
        };
        self.end_call(shared, id, code, reply);
        self.begin_what_may(shared, &app_id);
    }

    /// The longest wait, or the longest post, of a call is over.
    pub(super) fn has_come_due(&mut self, shared: &mut Shared, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let app_id = call.app_id.clone();
        let code = match call.phase {
            Phase::UnderWay { has_begun: true, .. } => SendCode::ServerBadAnswer,
            Phase::UnderWay { has_begun: false, .. } | Phase::Waiting { .. } => {
                SendCode::ServerNotReached
            }
        };
        if call.is_under_way() {
            shared.outbox.put(Output::AbandonPost(id));
        }
        self.end_call(shared, id, code, Reply::default());
        self.begin_what_may(shared, &app_id);
    }

    /// The session ended. Waiting messages are dropped. Posts under way continue, and their results
    /// are discarded.
    pub(super) fn forget(&mut self, shared: &mut Shared, app_id: &AppId, number: SessionNumber) {
        for call in self.waiting_calls(app_id, number) {
            self.forget_call(shared, call);
        }
    }

    /// Takes the waiting messages of a session that leaves, in their order. Posts under way
    /// continue, and their results follow it.
    pub(super) fn take_waiting(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        number: SessionNumber,
    ) -> Vec<MovedPost> {
        let mut moved = Vec::new();
        for id in self.waiting_calls(app_id, number) {
            let call = self.calls.get(&id);
            if let Some(Call { id, phase: Phase::Waiting { params, payload }, .. }) = call {
                let params = match params {
                    Params::Asked { ticket } => MovedParams::Asked(*ticket),
                    Params::Known(params) => MovedParams::Known(params.clone()),
                };
                moved.push(MovedPost { id: *id, params, payload: payload.clone() });
            }
            self.forget_call(shared, id);
        }
        moved
    }

    /// Adds a waiting message of a session that has moved here.
    pub(super) fn put(&mut self, shared: &mut Shared, number: SessionNumber, post: MovedPost) {
        let MovedPost { id, params, payload } = post;
        let params = match params {
            MovedParams::Asked(ticket) => Params::Asked { ticket },
            MovedParams::Known(params) => Params::Known(params),
        };
        if !self.add(shared, number, params, id, &payload) {
            let (code, reply) = (SendCode::OverRate, Reply::default());
            shared.push_frame(number, Frame::ServerSendResult { id, code, reply });
        }
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn under_way(&self) -> usize {
        self.calls.values().filter(|call| call.is_under_way()).count()
    }

    pub(super) fn bytes(&self) -> usize {
        self.calls.values().map(Call::bytes).sum()
    }

    /// Begins posts that may begin. A call that may not begin also holds back the later ones of its
    /// session, so that none overtakes another.
    fn begin_what_may(&mut self, shared: &mut Shared, app_id: &AppId) {
        let Some(of_app) = self.apps.get_mut(app_id) else { return };
        let mut candidates = core::mem::take(&mut of_app.waiting);
        if planted(Bug::PostsOvertake) {
            candidates.make_contiguous().reverse();
        }
        candidates.retain(|call| !self.begin(shared, *call));
        if let Some(of_app) = self.apps.get_mut(app_id) {
            of_app.waiting = candidates;
        }
    }

    /// Begins a post, if it may begin now.
    fn begin(&mut self, shared: &mut Shared, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(of_app) = self.apps.get_mut(&call.app_id) else { return false };
        let Phase::Waiting { params: Params::Known(params), payload } = &call.phase else {
            return false;
        };
        let of_user = of_app.of_user(&call.uid);
        let of_shard =
            shared.config.placement.share_or(POSTS_PER_APP_MAX, POSTS_PER_APP_OF_SHARD_MIN);
        let may_begin = of_app.under_way < of_shard
            && of_user < POSTS_PER_USER_MAX
            && has_room_for_replies(shared, call.session, of_user + 1);
        if !may_begin {
            return false;
        }
        let post = Post {
            app_id: call.app_id.clone(),
            uid: call.uid.clone(),
            id: call.id,
            params: params.clone(),
            payload: payload.clone(),
        };
        of_app.begin(call.uid.clone());
        let bytes = params.len() + payload.len();
        call.phase = Phase::UnderWay { has_begun: false, bytes };
        let patience = match planted(Bug::PostNeverGivenUp) {
            true => core::time::Duration::MAX,
            false => shared.config.post_timeout,
        };
        shared.deadlines.rearm(&mut call.until, shared.now() + patience, Due::Post(id));
        let session = call.session;
        self.waits_no_longer(session);
        if planted(Bug::PostedTwice) {
            shared.outbox.put(Output::PostToAppServer(id, Box::new(post.clone())));
        }
        shared.outbox.put(Output::PostToAppServer(id, Box::new(post)));
        true
    }

    fn waiting_calls(&self, app_id: &AppId, number: SessionNumber) -> Vec<CallId> {
        if !self.waiting_of.contains_key(&number) {
            return Vec::new();
        }
        let is_of_session =
            |call: &&CallId| self.calls.get(call).is_some_and(|call| call.session == number);
        let waiting = self.apps.get(app_id).map(|of_app| of_app.waiting.iter());
        waiting.into_iter().flatten().filter(is_of_session).copied().collect()
    }

    /// The one result of a call.
    fn end_call(&mut self, shared: &mut Shared, id: CallId, code: SendCode, reply: Reply) {
        if let Some((session, id)) = self.forget_call(shared, id) {
            if code != SendCode::Ok {
                shared.detail_of(session, || Detail::NotPosted { id, code });
            }
            shared.push_frame(session, Frame::ServerSendResult { id, code, reply });
        }
    }

    /// Forgets a call. Returns its session and its id there.
    fn forget_call(
        &mut self,
        shared: &mut Shared,
        id: CallId,
    ) -> Option<(SessionNumber, MessageId)> {
        let call = self.calls.remove(&id)?;
        let is_under_way = call.is_under_way();
        shared.deadlines.disarm(call.until, Due::Post(id));
        if let Some(of_app) = self.apps.get_mut(&call.app_id) {
            if is_under_way {
                of_app.end(&call.uid);
            } else {
                of_app.waiting.retain(|waiting| *waiting != id);
            }
            if of_app.is_empty() {
                self.apps.remove(&call.app_id);
            }
        }
        if !is_under_way {
            self.waits_no_longer(call.session);
        }
        Some((call.session, call.id))
    }

    fn waits_no_longer(&mut self, number: SessionNumber) {
        match self.waiting_of.get_mut(&number) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.waiting_of.remove(&number)),
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { calls, last_call: _, apps, waiting_of } = self;
        alloc::vec![
            ("posts", calls.len()),
            ("apps with posts", apps.len()),
            ("sessions with posts that wait", waiting_of.len()),
        ]
    }
}

/// §11.8: whether the window has space for this number of replies.
fn has_room_for_replies(shared: &mut Shared, number: SessionNumber, replies: usize) -> bool {
    let unacked_bytes = shared.unacked_bytes(number);
    unacked_bytes.is_some_and(|bytes| bytes + replies * FRAME_BYTES_MAX <= WINDOW_BYTES_MAX)
}

#[cfg(test)]
mod tests;
