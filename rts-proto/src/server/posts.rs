//! Messages for the app's own server: what waits to be posted, and what is under way. Section 11 of
//! the protocol.
//!
//! A post is begun by its driver, and at most once. Every bound is here: how many are under way for
//! a user and for an app, how many wait, and how long each may.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::session::{Session, SessionNumber};
use super::timers::Due;
use super::{Output, Rate, Server};
use crate::limits::{
    FRAME_BYTES_MAX, POSTS_PER_APP_MAX, POSTS_PER_USER_MAX, POSTS_WAITING_MAX, REPLY_BYTES_MAX,
    WINDOW_BYTES_MAX,
};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, CallId, Instant, MessageId, Payload, Reply, SendCode, ServerParams, UserId};

/// One message on its way to the app's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The app whose server it is for.
    pub app_id: AppId,
    /// The sender.
    pub uid: UserId,
    /// The sender's number of the message.
    pub id: MessageId,
    /// Where it goes, and what is shown there.
    pub params: ServerParams,
    /// The message.
    pub payload: Payload,
}

/// What a driver has to say about a post. All but [`Begun`](Self::Begun) end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostProgress {
    /// The status line has come, and the rest of the answer has not. From now on the post fails
    /// with result 18 and not 17.
    Begun,
    /// Status 200 and the whole body.
    Answered(Reply),
    /// Another status, or an answer that is malformed, broken off or too large.
    AnsweredBadly,
    /// Nobody could be reached or answered, or the url is no longer allowed.
    NotReached,
}

/// What an app has waiting and under way.
#[derive(Debug, Default)]
pub(super) struct Posts {
    /// In the order in which their messages came.
    waiting: VecDeque<CallId>,
    under_way: usize,
    /// For each user that has any.
    under_way_of: BTreeMap<UserId, usize>,
}

impl Posts {
    pub(super) fn is_empty(&self) -> bool {
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

/// One message, from the moment it is accepted to its result.
#[derive(Debug)]
pub(super) struct Call {
    app_id: AppId,
    uid: UserId,
    session: SessionNumber,
    id: MessageId,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Waiting { until: Instant, params: Params, payload: Payload },
    UnderWay { until: Instant, has_begun: bool, bytes: usize },
}

#[derive(Debug)]
enum Params {
    /// The driver is asked about this ticket's, or about an earlier one's.
    Asked {
        ticket: u64,
    },
    Known(ServerParams),
}

impl Call {
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::UnderWay { .. })
    }

    /// Bytes kept for it, here or by the driver.
    pub(super) fn bytes(&self) -> usize {
        match &self.phase {
            Phase::Waiting { params: Params::Known(params), payload, .. } => {
                params.len() + payload.len()
            }
            Phase::Waiting { payload, .. } => payload.len(),
            Phase::UnderWay { bytes, .. } => *bytes,
        }
    }

    fn due(&self, call: CallId) -> (Instant, Due) {
        match self.phase {
            Phase::Waiting { until, .. } | Phase::UnderWay { until, .. } => {
                (until, Due::Post(call))
            }
        }
    }
}

impl Server {
    /// §11.5: the result, or nothing when it comes later.
    pub(super) fn server_send(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: MessageId,
        payload: &Payload,
    ) -> Option<SendCode> {
        let session = self.sessions.get_mut(number)?;
        let (app_id, uid) = (session.app_id.clone(), session.uid.clone());
        if !session.allowance(now, &self.config).server_sends.take(now) {
            self.notice_over_rate(now, number, Rate::ServerSends);
            return Some(SendCode::OverRate);
        }
        let state = session.app_server_state();
        let params = match (state.asked.back(), &state.params) {
            (Some(asked), _) => Params::Asked { ticket: asked.ticket },
            (None, Some(params)) => Params::Known(params.clone()),
            (None, None) => return Some(SendCode::NoServerParams),
        };
        let posts = &mut self.apps.get_mut(&app_id)?.posts;
        if posts.waiting.len() >= POSTS_WAITING_MAX {
            return Some(SendCode::OverRate);
        }
        self.last_call += 1;
        let call = CallId(self.last_call);
        posts.waiting.push_back(call);
        state.posts_waiting += 1;
        let until = now + self.config.post_wait;
        self.due.insert((until, Due::Post(call)));
        let phase = Phase::Waiting { until, params, payload: payload.detached() };
        self.calls.insert(call, Call { app_id: app_id.clone(), uid, session: number, id, phase });
        self.begin_posts(now, &app_id);
        None
    }

    /// The driver has said whether the params with this ticket are allowed: what waited for that is
    /// judged.
    pub(super) fn params_decided(&mut self, now: Instant, number: SessionNumber, ticket: u64) {
        let Some(session) = self.sessions.get(number) else { return };
        let Some(state) = &session.to_app_server else { return };
        let (app_id, in_force) = (session.app_id.clone(), state.params.clone());
        let mut refused = Vec::new();
        for call in self.waiting_of(&app_id, number) {
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
            self.end_call(call, SendCode::NoServerParams, Reply::default());
        }
        self.begin_posts(now, &app_id);
    }

    /// Begins what may begin. Whatever keeps a call from that keeps the later ones of its session
    /// too, so none overtakes another.
    pub(super) fn begin_posts(&mut self, now: Instant, app_id: &AppId) {
        let Some(app) = self.apps.get_mut(app_id) else { return };
        let mut candidates = core::mem::take(&mut app.posts.waiting);
        if planted(Bug::PostsOvertake) {
            candidates.make_contiguous().reverse();
        }
        candidates.retain(|call| !self.begin_post(now, *call));
        if let Some(app) = self.apps.get_mut(app_id) {
            app.posts.waiting = candidates;
        }
    }

    /// The session has acknowledged something: there may be room for a reply (§11.8), or for an
    /// answer that lists members (§6.3).
    pub(super) fn window_emptied(&mut self, now: Instant, number: SessionNumber) {
        if self.welcomes.contains_key(&number) {
            self.settle_broadcasts();
            self.welcome_on(now, number);
        }
        let Some(session) = self.sessions.get(number) else { return };
        if session.to_app_server.as_ref().is_some_and(|state| state.posts_waiting > 0) {
            let app_id = session.app_id.clone();
            // What waits takes room from the replies.
            self.settle_broadcasts();
            self.begin_posts(now, &app_id);
        }
    }

    /// Begins a post, if it may begin now.
    fn begin_post(&mut self, now: Instant, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(app) = self.apps.get_mut(&call.app_id) else { return false };
        let Some(session) = self.sessions.get_mut(call.session) else { return false };
        let Phase::Waiting { until, params: Params::Known(params), payload } = &call.phase else {
            return false;
        };
        let of_user = app.posts.of_user(&call.uid);
        let may_begin = app.posts.under_way < POSTS_PER_APP_MAX
            && of_user < POSTS_PER_USER_MAX
            && session.has_room_for_replies(of_user + 1);
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
        app.posts.begin(call.uid.clone());
        session.post_no_longer_waits();
        self.due.remove(&(*until, Due::Post(id)));
        let until = now + self.config.post_timeout;
        if !planted(Bug::PostNeverGivenUp) {
            self.due.insert((until, Due::Post(id)));
        }
        let bytes = params.len() + payload.len();
        call.phase = Phase::UnderWay { until, has_begun: false, bytes };
        if planted(Bug::PostedTwice) {
            self.outputs.push_back(Output::PostToAppServer(id, Box::new(post.clone())));
        }
        self.outputs.push_back(Output::PostToAppServer(id, Box::new(post)));
        true
    }

    pub(super) fn post_progressed(&mut self, now: Instant, id: CallId, progress: PostProgress) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::UnderWay { has_begun, .. } = &mut call.phase else { return };
        let app_id = call.app_id.clone();
        match progress {
            PostProgress::Begun if planted(Bug::PostOkBeforeAnswer) => {
                self.end_call(id, SendCode::Ok, Reply::default());
            }
            PostProgress::Begun => {
                *has_begun = true;
                return;
            }
            PostProgress::Answered(reply) if reply.len() <= REPLY_BYTES_MAX => {
                self.end_call(id, SendCode::Ok, reply);
            }
            PostProgress::AnsweredBadly if planted(Bug::AnyStatusIsOk) => {
                self.end_call(id, SendCode::Ok, Reply::default());
            }
            PostProgress::Answered(_) | PostProgress::AnsweredBadly => {
                self.end_call(id, SendCode::ServerBadAnswer, Reply::default());
            }
            PostProgress::NotReached => {
                self.end_call(id, SendCode::ServerNotReached, Reply::default());
            }
        }
        self.begin_posts(now, &app_id);
    }

    /// A call has waited, or lasted, for as long as it may.
    pub(super) fn post_due(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let app_id = call.app_id.clone();
        let code = match call.phase {
            Phase::UnderWay { has_begun: true, .. } => SendCode::ServerBadAnswer,
            Phase::UnderWay { has_begun: false, .. } | Phase::Waiting { .. } => {
                SendCode::ServerNotReached
            }
        };
        if call.is_under_way() {
            self.outputs.push_back(Output::AbandonPost(id));
        }
        self.end_call(id, code, Reply::default());
        self.begin_posts(now, &app_id);
    }

    /// The session is over: what has not begun never will. What has goes on, for nobody.
    pub(super) fn forget_waiting_posts(&mut self, app_id: &AppId, number: SessionNumber) {
        for call in self.waiting_of(app_id, number) {
            self.forget_call(call);
        }
    }

    fn waiting_of(&self, app_id: &AppId, number: SessionNumber) -> Vec<CallId> {
        let is_of_session =
            |call: &&CallId| self.calls.get(call).is_some_and(|call| call.session == number);
        let waiting = self.apps.get(app_id).map(|app| app.posts.waiting.iter());
        waiting.into_iter().flatten().filter(is_of_session).copied().collect()
    }

    /// The one result of a call.
    fn end_call(&mut self, id: CallId, code: SendCode, reply: Reply) {
        if let Some(call) = self.forget_call(id) {
            self.push_frame(call.session, Frame::ServerSendResult { id: call.id, code, reply });
        }
    }

    fn forget_call(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.due.remove(&call.due(id));
        if let Some(app) = self.apps.get_mut(&call.app_id) {
            if call.is_under_way() {
                app.posts.end(&call.uid);
            } else {
                app.posts.waiting.retain(|waiting| *waiting != id);
                if let Some(session) = self.sessions.get_mut(call.session) {
                    session.post_no_longer_waits();
                }
            }
        }
        self.forget_empty_app(&call.app_id);
        Some(call)
    }
}

impl Session {
    fn post_no_longer_waits(&mut self) {
        if let Some(state) = &mut self.to_app_server {
            state.posts_waiting -= 1;
        }
    }

    /// §11.8: a reply that comes must find its place.
    fn has_room_for_replies(&self, replies: usize) -> bool {
        self.channel.unacked_bytes() + replies * FRAME_BYTES_MAX <= WINDOW_BYTES_MAX
    }
}
