//! The URL and signature to which messages for the app server are posted. Section 11 of the
//! protocol.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::questions::{Question, Questions};
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, SetServerParams};
use crate::{ServerParams, ServerParamsCode};

/// The params of one login. They outlive a session: each new session is sent them again.
#[derive(Debug, Default)]
pub(super) struct Params {
    in_force: Option<ServerParams>,
    /// By ticket: params that the server may still put in force.
    asked: BTreeMap<u64, ServerParams>,
    /// The ticket under which the present session was sent the params in force.
    repeated: Option<u64>,
}

impl Params {
    /// Whether a message to the app server may succeed. Params that were asked for are decided
    /// before a message that is sent after them.
    pub(super) fn may_be_in_force(&self) -> bool {
        self.in_force.is_some() || !self.asked.is_empty()
    }

    /// Whether one more call may be open.
    pub(super) fn has_room(&self) -> bool {
        self.asked.len() < OPEN_SERVER_PARAMS_MAX
    }

    /// The frame that asks for these params.
    pub(super) fn ask(&mut self, ticket: u64, params: ServerParams) -> Frame {
        let frame = set_frame(ticket, &params);
        self.asked.insert(ticket, params);
        frame
    }

    /// Handles the server's decision. `was_open` is false when the call was answered with a
    /// time-out before. True when params that were in force no longer are.
    pub(super) fn answered(&mut self, ticket: u64, code: ServerParamsCode, was_open: bool) -> bool {
        let params = self.asked.remove(&ticket);
        if code == ServerParamsCode::Ok && params.is_some() {
            self.in_force = params;
        }
        let are_lost = !was_open && code != ServerParamsCode::Ok && self.repeated == Some(ticket);
        if are_lost {
            self.in_force = None;
        }
        are_lost
    }

    /// Params that certainly did not leave, and never will.
    pub(super) fn not_sent(&mut self, ticket: u64) {
        self.asked.remove(&ticket);
    }

    /// §11.2: a new session has no params. Params that the old session may not have decided are
    /// asked for again. Params that certainly did not leave are among the frames that still go out.
    pub(super) fn repeat(
        &mut self,
        unsent: &mut Vec<(Bytes, Question)>,
        questions: &mut Questions,
    ) -> Vec<(Bytes, Question)> {
        let Self { in_force, asked, repeated } = self;
        asked.retain(|ticket, _| questions.is_open(Question::ServerParams(*ticket)));
        let repeated_before = repeated.map(Question::ServerParams);
        unsent.retain(|(_, question)| Some(*question) != repeated_before);
        let waits = |wanted: Question| unsent.iter().any(|(_, question)| *question == wanted);
        let mut frames = Vec::new();
        if let Some(params) = in_force
            && !planted(Bug::ParamsNotSetAgain)
        {
            let ticket = questions.next_number();
            *repeated = Some(ticket);
            frames.push((set_frame(ticket, params).encode(), Question::ServerParams(ticket)));
        }
        for (ticket, params) in asked {
            let question = Question::ServerParams(*ticket);
            if !waits(question) {
                frames.push((set_frame(*ticket, params).encode(), question));
            }
        }
        frames
    }

    /// Forgets everything: the login ended.
    pub(super) fn forget(&mut self) {
        if planted(Bug::ParamsOutliveLogin) {
            return;
        }
        *self = Self::default();
    }

    /// Forgets the params that are asked for: none is on its way any more.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { in_force, asked, repeated } = self;
        alloc::vec![
            ("params in force", usize::from(in_force.is_some())),
            ("params asked for", asked.len()),
            ("tickets of repeated params", usize::from(repeated.is_some())),
        ]
    }
}

fn set_frame(ticket: u64, params: &ServerParams) -> Frame {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let (signature, url) = (bytes(params.signature()), bytes(params.url()));
    Frame::SetServerParams(SetServerParams { ticket, signature, url })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::client::parameters::Parameters;
    use crate::client::shared::Shared;

    fn params(url: &str) -> ServerParams {
        ServerParams::new(b"signature", url.as_bytes()).expect("params")
    }

    /// The tickets and URLs that a new session is sent.
    fn questions_of(frames: &[(Bytes, Question)]) -> Vec<Question> {
        frames.iter().map(|(_, question)| *question).collect()
    }

    fn asked(params_part: &mut Params, questions: &mut Questions, url: &str) -> u64 {
        let ticket = questions.ask_server_params(&Shared::new(Parameters::default()));
        params_part.ask(ticket, params(url));
        ticket
    }

    #[test]
    fn refusal_leaves_params_in_force() {
        let mut params_part = Params::default();
        params_part.ask(1, params("https://a"));
        assert!(!params_part.answered(1, ServerParamsCode::Ok, true));
        params_part.ask(2, params("https://b"));
        assert!(!params_part.answered(2, ServerParamsCode::Unknown, true));
        assert!(params_part.may_be_in_force());
        assert_eq!(params_part.in_force, Some(params("https://a")));
    }

    #[test]
    fn refusal_of_repeated_params_removes_them() {
        let mut questions = Questions::new();
        let mut params_part = Params::default();
        let ticket = asked(&mut params_part, &mut questions, "https://a");
        params_part.answered(ticket, ServerParamsCode::Ok, true);
        let frames = params_part.repeat(&mut Vec::new(), &mut questions);
        assert_eq!(questions_of(&frames), [Question::ServerParams(ticket + 1)]);
        assert!(params_part.answered(ticket + 1, ServerParamsCode::Unknown, false));
        assert!(!params_part.may_be_in_force());
    }

    #[test]
    fn new_session_gets_params_in_force_before_undecided_ones() {
        let mut questions = Questions::new();
        let mut params_part = Params::default();
        let first = asked(&mut params_part, &mut questions, "https://a");
        params_part.answered(first, ServerParamsCode::Ok, true);
        let second = asked(&mut params_part, &mut questions, "https://b");
        let frames = params_part.repeat(&mut Vec::new(), &mut questions);
        let expected = [Question::ServerParams(second + 1), Question::ServerParams(second)];
        assert_eq!(questions_of(&frames), expected);
    }

    #[test]
    fn queued_params_are_not_sent_twice() {
        let mut questions = Questions::new();
        let mut params_part = Params::default();
        let ticket = asked(&mut params_part, &mut questions, "https://a");
        let mut unsent = vec![(Bytes::new(), Question::ServerParams(ticket))];
        assert_eq!(questions_of(&params_part.repeat(&mut unsent, &mut questions)), []);
        assert_eq!(questions_of(&unsent), [Question::ServerParams(ticket)]);
    }

    #[test]
    fn repeated_params_that_did_not_leave_are_sent_again() {
        let mut questions = Questions::new();
        let mut params_part = Params::default();
        let ticket = asked(&mut params_part, &mut questions, "https://a");
        params_part.answered(ticket, ServerParamsCode::Ok, true);
        let mut unsent = params_part.repeat(&mut Vec::new(), &mut questions);
        let frames = params_part.repeat(&mut unsent, &mut questions);
        assert_eq!((questions_of(&unsent).len(), frames.len()), (0, 1));
    }
}
