//! Where a session's messages for the app's server go (§11.1): asked by the client, allowed by the
//! driver.

use alloc::collections::VecDeque;

use super::session::{Session, SessionNumber};
use super::{Output, Rate, Server, Target};
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, SetServerParams};
use crate::{Instant, ServerParams, ServerParamsCode, TargetId};

/// What a session keeps that speaks to the app's server.
#[derive(Debug, Default)]
pub(super) struct ToAppServer {
    /// Where messages go.
    pub(super) params: Option<ServerParams>,
    /// Params that are not decided. The driver is asked about the first.
    pub(super) asked: VecDeque<AskedParams>,
    /// What the driver is asked.
    pub(super) target: Option<TargetId>,
    pub(super) posts_waiting: usize,
}

impl Session {
    pub(super) fn app_server_state(&mut self) -> &mut ToAppServer {
        self.to_app_server.get_or_insert_default()
    }
}

/// Params that the driver is asked about, or will be when it has answered about those before.
#[derive(Debug)]
pub(super) struct AskedParams {
    pub(super) ticket: u64,
    params: ServerParams,
}

impl Server {
    pub(super) fn params_asked(
        &mut self,
        now: Instant,
        number: SessionNumber,
        set: &SetServerParams,
    ) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        let is_over_rate = !session.allowance(now, &self.config).server_params.take(now);
        let state = session.app_server_state();
        let ticket = set.ticket;
        let code = if is_over_rate {
            self.notice_over_rate(now, number, Rate::ServerSends);
            ServerParamsCode::OverRate
        } else if state.asked.len() >= OPEN_SERVER_PARAMS_MAX {
            ServerParamsCode::OverRate
        } else if let Some(params) = ServerParams::new(&set.signature, &set.url) {
            state.asked.push_back(AskedParams { ticket, params });
            if state.asked.len() == 1 {
                self.ask_about_target(number);
            }
            return;
        } else {
            ServerParamsCode::Unknown
        };
        self.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
    }

    /// Asks the driver about the first params that it has not been asked about. One question a
    /// session at a time: so answers are in the order of the questions.
    fn ask_about_target(&mut self, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        let Some(state) = &mut session.to_app_server else { return };
        let Some(asked) = state.asked.front() else { return };
        self.last_target += 1;
        let id = TargetId(self.last_target);
        self.targets.insert(id, number);
        state.target = Some(id);
        let target = Target { app_id: session.app_id.clone(), url: asked.params.url().into() };
        self.outputs.push_back(Output::CheckTarget(id, target));
    }

    pub(super) fn target_checked(&mut self, now: Instant, id: TargetId, is_allowed: bool) {
        let Some(number) = self.targets.remove(&id) else { return };
        let Some(session) = self.sessions.get_mut(number) else { return };
        let Some(state) = &mut session.to_app_server else { return };
        state.target = None;
        let Some(AskedParams { ticket, params }) = state.asked.pop_front() else { return };
        let code = if is_allowed || planted(Bug::RefusedTargetUsed) {
            if state.params.is_none() || !planted(Bug::FirstParamsStay) {
                state.params = Some(params);
            }
            ServerParamsCode::Ok
        } else {
            ServerParamsCode::Unknown
        };
        self.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
        self.params_decided(now, number, ticket);
        self.ask_about_target(number);
    }
}
