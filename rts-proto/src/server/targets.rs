//! The URLs to which sessions' messages for the app server are posted (§11.1). Clients ask for
//! them, and the driver allows them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::allowance::Paced;
use super::io::{Detail, Output, Rate, Target};
use super::keys::SessionNumber;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, SetServerParams};
use crate::{ServerParams, ServerParamsCode, TargetId};

#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Sessions that have asked for params; most have not.
    of_sessions: BTreeMap<SessionNumber, OfSession>,
    /// Questions that the driver has not answered.
    questions: BTreeMap<TargetId, SessionNumber>,
    last_question: u64,
}

/// The params of one session.
#[derive(Debug, Default)]
struct OfSession {
    in_force: Option<ServerParams>,
    /// Params that are not decided. The driver is asked about the first ones.
    undecided: VecDeque<Undecided>,
    /// The open question to the driver.
    question: Option<TargetId>,
}

#[derive(Debug)]
struct Undecided {
    ticket: u64,
    params: ServerParams,
}

/// The params of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Params {
    /// Undecided params with this ticket. The driver is asked about them, or will be.
    Asked {
        ticket: u64,
    },
    Known(ServerParams),
}

/// The decision about params, and the params in force now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) session: SessionNumber,
    pub(super) ticket: u64,
    pub(super) in_force: Option<ServerParams>,
}

impl Targets {
    /// A client asks for these params.
    pub(super) fn ask(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        set: &SetServerParams,
    ) {
        let now = shared.now();
        let Some(allowance) = shared.allowance(number) else { return };
        let is_over_rate = !allowance.take(Paced::ServerParams, now);
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
        answer(shared, number, ticket, code);
    }

    /// Asks the driver about the first undecided params. A session has one open question at a time,
    /// so that answers are in the order of the questions.
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

    /// The driver has answered. The caller first handles the messages that waited for these params.
    /// Then [`ask_driver`](Self::ask_driver) asks about the next ones.
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
        answer(shared, number, ticket, code);
        Some(Decided { session: number, ticket, in_force })
    }

    /// The params of a message that comes now: the latest that were asked for.
    pub(super) fn params(&self, number: SessionNumber) -> Option<Params> {
        let asked = self.of_sessions.get(&number)?;
        match (asked.undecided.back(), &asked.in_force) {
            (Some(undecided), _) => Some(Params::Asked { ticket: undecided.ticket }),
            (None, Some(in_force)) => Some(Params::Known(in_force.clone())),
            (None, None) => None,
        }
    }

    /// Takes the params of a session that leaves: those in force, and those that are not decided.
    pub(super) fn take_moved(
        &mut self,
        number: SessionNumber,
    ) -> (Option<ServerParams>, Vec<(u64, ServerParams)>) {
        let Some(asked) = self.of_sessions.remove(&number) else { return (None, Vec::new()) };
        if let Some(question) = asked.question {
            self.questions.remove(&question);
        }
        let undecided = asked.undecided.into_iter();
        (asked.in_force, undecided.map(|asked| (asked.ticket, asked.params)).collect())
    }

    /// Adds the params of a session that has moved here.
    pub(super) fn put(
        &mut self,
        shared: &mut Shared,
        number: SessionNumber,
        in_force: Option<ServerParams>,
        undecided: Vec<(u64, ServerParams)>,
    ) {
        if in_force.is_none() && undecided.is_empty() {
            return;
        }
        let undecided =
            undecided.into_iter().map(|(ticket, params)| Undecided { ticket, params }).collect();
        self.of_sessions.insert(number, OfSession { in_force, undecided, question: None });
        self.ask_driver(shared, number);
    }

    /// Forgets the params of a session that ended.
    pub(super) fn forget(&mut self, number: SessionNumber) {
        if let Some(question) = self.of_sessions.remove(&number).and_then(|asked| asked.question) {
            self.questions.remove(&question);
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { of_sessions, questions, last_question: _ } = self;
        alloc::vec![
            ("sessions with targets", of_sessions.len()),
            ("questions about targets", questions.len()),
        ]
    }
}

fn answer(shared: &mut Shared, number: SessionNumber, ticket: u64, code: ServerParamsCode) {
    if code != ServerParamsCode::Ok {
        shared.detail_of(number, || Detail::ServerParamsRefused { code });
    }
    shared.push_frame(number, Frame::ServerParamsAnswer { ticket, code });
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;
    use crate::server::testing::{begin_linked_session, flushed_to, outputs, shared};

    fn begun() -> (Targets, Shared, SessionNumber) {
        let mut shared = shared();
        let alice = begin_linked_session(&mut shared, "alice");
        (Targets::default(), shared, alice)
    }

    /// Params with this ticket, which is in the URL too.
    fn set(ticket: u64) -> SetServerParams {
        let url = Bytes::from(alloc::format!("https://example.com/{ticket}"));
        SetServerParams { ticket, signature: Bytes::from_static(b"s"), url }
    }

    fn params(ticket: u64) -> ServerParams {
        ServerParams::new(b"s", &set(ticket).url).expect("good params")
    }

    /// The questions to the driver, with their URLs.
    fn questions(shared: &mut Shared) -> Vec<(TargetId, alloc::string::String)> {
        let question = |output| match output {
            Output::CheckTarget(id, target) => Some((id, target.url.as_str().into())),
            _ => None,
        };
        outputs(shared).into_iter().filter_map(question).collect()
    }

    fn answer(ticket: u64, code: ServerParamsCode) -> Frame {
        Frame::ServerParamsAnswer { ticket, code }
    }

    #[test]
    fn targets_are_checked_one_at_a_time() {
        let (mut targets, mut shared, alice) = begun();
        targets.ask(&mut shared, alice, &set(1));
        targets.ask(&mut shared, alice, &set(2));
        let first = questions(&mut shared);
        assert!(matches!(&first[..], [(_, url)] if *url == params(1).url()));
        let decided = targets.decide(&mut shared, first[0].0, true);
        let in_force = Some(params(1));
        assert_eq!(decided, Some(Decided { session: alice, ticket: 1, in_force }));
        targets.ask_driver(&mut shared, alice);
        let second = questions(&mut shared);
        assert!(matches!(&second[..], [(_, url)] if *url == params(2).url()));
        // A question has one answer.
        assert_eq!(targets.decide(&mut shared, first[0].0, false), None);
    }

    #[test]
    fn message_uses_the_latest_requested_params() {
        let (mut targets, mut shared, alice) = begun();
        assert_eq!(targets.params(alice), None);
        targets.ask(&mut shared, alice, &set(1));
        assert_eq!(targets.params(alice), Some(Params::Asked { ticket: 1 }));
        let question = questions(&mut shared)[0].0;
        targets.decide(&mut shared, question, true);
        assert_eq!(targets.params(alice), Some(Params::Known(params(1))));
        targets.ask(&mut shared, alice, &set(2));
        targets.ask(&mut shared, alice, &set(3));
        assert_eq!(targets.params(alice), Some(Params::Asked { ticket: 3 }));
    }

    #[test]
    fn refused_params_leave_earlier_ones_in_force() {
        let (mut targets, mut shared, alice) = begun();
        let expected =
            [(1, false, None), (2, true, Some(2)), (3, false, Some(2)), (4, true, Some(4))];
        for (ticket, is_allowed, in_force) in expected {
            targets.ask(&mut shared, alice, &set(ticket));
            let question = questions(&mut shared)[0].0;
            let decided = targets.decide(&mut shared, question, is_allowed).expect("it was asked");
            assert_eq!(decided.in_force, in_force.map(params));
            let code = if is_allowed { ServerParamsCode::Ok } else { ServerParamsCode::Unknown };
            assert_eq!(flushed_to(&mut shared, alice), [answer(ticket, code)]);
            assert_eq!(targets.params(alice), in_force.map(params).map(Params::Known));
        }
    }

    #[test]
    fn invalid_params_are_refused_without_a_question() {
        let (mut targets, mut shared, alice) = begun();
        let bad = SetServerParams { url: Bytes::new(), ..set(1) };
        targets.ask(&mut shared, alice, &bad);
        assert_eq!(flushed_to(&mut shared, alice), [answer(1, ServerParamsCode::Unknown)]);
        assert_eq!(targets.params(alice), None);
    }

    #[test]
    fn refuses_params_over_the_bound_of_undecided_ones() {
        let (mut targets, mut shared, alice) = begun();
        let most = OPEN_SERVER_PARAMS_MAX as u64;
        (1..=most).for_each(|ticket| targets.ask(&mut shared, alice, &set(ticket)));
        let question = questions(&mut shared)[0].0;
        assert!(flushed_to(&mut shared, alice).is_empty());
        targets.ask(&mut shared, alice, &set(most + 1));
        let over_rate = answer(most + 1, ServerParamsCode::OverRate);
        assert_eq!(flushed_to(&mut shared, alice), [over_rate]);
        targets.decide(&mut shared, question, true);
        targets.ask(&mut shared, alice, &set(most + 2));
        assert_eq!(flushed_to(&mut shared, alice), [answer(1, ServerParamsCode::Ok)]);
    }

    #[test]
    fn answer_for_an_ended_session_is_ignored() {
        let (mut targets, mut shared, alice) = begun();
        targets.ask(&mut shared, alice, &set(1));
        let question = questions(&mut shared)[0].0;
        targets.forget(alice);
        assert_eq!(targets.decide(&mut shared, question, true), None);
        assert_eq!(targets.params(alice), None);
    }
}
