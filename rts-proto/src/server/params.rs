//! Where a session's messages for the app's server go (§11.1): asked by the client, allowed by the driver.

use super::session::SessionNumber;
use super::{Output, Server, Target};
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::wire::{Frame, SetServerParams};
use crate::{Instant, ServerParams, ServerParamsCode, TargetId};

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
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let ticket = set.ticket;
        let code = if !session.params_rate.take(now)
            || session.asked_params.len() >= OPEN_SERVER_PARAMS_MAX
        {
            ServerParamsCode::OverRate
        } else if let Some(params) = ServerParams::new(&set.signature, &set.url) {
            session.asked_params.push_back(AskedParams { ticket, params });
            if session.asked_params.len() == 1 {
                self.ask_about_target(number);
            }
            return;
        } else {
            ServerParamsCode::Unknown
        };
        self.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
    }

    /// Asks the driver about the first params that it has not been asked about. One question a session at a
    /// time: so answers are in the order of the questions.
    fn ask_about_target(&mut self, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let Some(asked) = session.asked_params.front() else { return };
        self.last_target += 1;
        let id = TargetId(self.last_target);
        self.targets.insert(id, number);
        session.target = Some(id);
        let target = Target { app_id: session.app_id.clone(), url: asked.params.url().into() };
        self.outputs.push_back(Output::CheckTarget(id, target));
    }

    pub(super) fn target_checked(&mut self, now: Instant, id: TargetId, is_allowed: bool) {
        let Some(number) = self.targets.remove(&id) else { return };
        let Some(session) = self.sessions.get_mut(&number) else { return };
        session.target = None;
        let Some(AskedParams { ticket, params }) = session.asked_params.pop_front() else { return };
        let code = if is_allowed {
            session.server_params = Some(params);
            ServerParamsCode::Ok
        } else {
            ServerParamsCode::Unknown
        };
        self.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
        self.params_decided(now, number, ticket);
        self.ask_about_target(number);
    }
}
