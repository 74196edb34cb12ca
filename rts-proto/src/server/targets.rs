//! Where sessions' messages for the app's server go (§11.1): asked by the client, allowed by the
//! driver.

use alloc::collections::{BTreeMap, VecDeque};

use super::io::{Output, Rate, Target};
use super::keys::SessionNumber;
use super::shared::Shared;
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, SetServerParams};
use crate::{ServerParams, ServerParamsCode, TargetId};

#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Sessions that have asked for one: most have not.
    of_sessions: BTreeMap<SessionNumber, Asked>,
    /// Questions that the driver has not answered.
    questions: BTreeMap<TargetId, SessionNumber>,
    last_question: u64,
}

/// One session's params.
#[derive(Debug, Default)]
struct Asked {
    in_force: Option<ServerParams>,
    /// Params that are not decided. The driver is asked about the first.
    undecided: VecDeque<Undecided>,
    /// What the driver is asked.
    question: Option<TargetId>,
}

#[derive(Debug)]
struct Undecided {
    ticket: u64,
    params: ServerParams,
}

/// The params that a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Params {
    /// Those with this ticket, about which the driver is asked, or will be.
    Asked {
        ticket: u64,
    },
    Known(ServerParams),
}

/// Params are decided: which, and what is in force now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) session: SessionNumber,
    pub(super) ticket: u64,
    pub(super) in_force: Option<ServerParams>,
}

impl Targets {
    /// A client wants its messages to go there.
    pub(super) fn ask(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        set: &SetServerParams,
    ) {
        let now = shared.now;
        let Some(allowance) = shared.allowance(number) else { return };
        let is_over_rate = !allowance.server_params.take(now);
        let asked = self.of_sessions.entry(number).or_default();
        let ticket = set.ticket;
        let code = if is_over_rate {
            shared.notice_over_rate(number, Rate::ServerSends);
            ServerParamsCode::OverRate
        } else if asked.undecided.len() >= OPEN_SERVER_PARAMS_MAX {
            ServerParamsCode::OverRate
        } else if let Some(params) = ServerParams::new(&set.signature, &set.url) {
            asked.undecided.push_back(Undecided { ticket, params });
            if asked.undecided.len() == 1 {
                self.ask_driver(shared, number);
            }
            return;
        } else {
            ServerParamsCode::Unknown
        };
        shared.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
    }

    /// Asks the driver about the first params that it has not been asked about. One question a
    /// session at a time: so answers are in the order of the questions.
    pub(super) fn ask_driver(&mut self, shared: &mut Shared, number: SessionNumber) {
        let Some(session) = shared.session(number) else { return };
        let Some(asked) = self.of_sessions.get_mut(&number) else { return };
        let Some(first) = asked.undecided.front() else { return };
        self.last_question += 1;
        let id = TargetId(self.last_question);
        self.questions.insert(id, number);
        asked.question = Some(id);
        let target = Target { app_id: session.app_id().clone(), url: first.params.url().into() };
        shared.outbox.put(Output::CheckTarget(id, target));
    }

    /// The driver has answered. What waits for these params is the caller's to judge, before
    /// [`ask_driver`](Self::ask_driver) asks about the next.
    pub(super) fn decide(
        &mut self,
        shared: &mut Shared,
        id: TargetId,
        is_allowed: bool,
    ) -> Option<Decided> {
        let number = self.questions.remove(&id)?;
        let asked = self.of_sessions.get_mut(&number)?;
        asked.question = None;
        let Undecided { ticket, params } = asked.undecided.pop_front()?;
        let code = if is_allowed || planted(Bug::RefusedTargetUsed) {
            if asked.in_force.is_none() || !planted(Bug::FirstParamsStay) {
                asked.in_force = Some(params);
            }
            ServerParamsCode::Ok
        } else {
            ServerParamsCode::Unknown
        };
        let in_force = asked.in_force.clone();
        shared.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
        Some(Decided { session: number, ticket, in_force })
    }

    /// What a message that comes now is for: the params that were asked for last.
    pub(super) fn params(&self, number: SessionNumber) -> Option<Params> {
        let asked = self.of_sessions.get(&number)?;
        match (asked.undecided.back(), &asked.in_force) {
            (Some(undecided), _) => Some(Params::Asked { ticket: undecided.ticket }),
            (None, Some(in_force)) => Some(Params::Known(in_force.clone())),
            (None, None) => None,
        }
    }

    /// The session is over.
    pub(super) fn forget(&mut self, number: SessionNumber) {
        if let Some(question) = self.of_sessions.remove(&number).and_then(|asked| asked.question) {
            self.questions.remove(&question);
        }
    }
}
