//! Answers to questions: by the server, by a deadline, or by the end of the login.

use alloc::boxed::Box;

use super::connection::Session;
use super::engine::Client;
use super::questions::{Answer, Outcome, Question};

impl Client {
    /// Reports the answer. False when the question was answered before.
    pub(super) fn answer(&mut self, answer: Answer) -> bool {
        self.questions.answer(answer, &self.rooms, &mut self.shared)
    }

    /// Reports the result of a question that is refused at once, and was never open.
    pub(super) fn refuse(&mut self, outcome: Outcome) {
        outcome.call_back(&self.rooms, &mut self.shared);
    }

    /// The result of a question that may have arrived or not.
    pub(super) fn answer_unknown(&mut self, question: Question) {
        self.answer(question.unknown());
    }

    /// The result of a question that certainly did not leave.
    pub(super) fn answer_not_sent(&mut self, question: Question) {
        if let Question::ServerParams(ticket) = question {
            self.server_params.not_sent(ticket);
        }
        self.answer(question.not_sent());
    }

    /// Removes the question's frame if it waits to be transmitted. False when it was transmitted.
    pub(super) fn take_back(&mut self, question: Question) -> bool {
        self.connection.take_back(question)
    }

    /// Answers the questions whose deadline has passed. Frames that have not left are taken back
    /// first, so that they never leave.
    pub(super) fn answers_overdue(&mut self) {
        while let Some(question) = self.questions.due(self.shared.now()) {
            if self.take_back(question) {
                self.answer_not_sent(question);
            } else {
                self.answer_unknown(question);
            }
        }
        self.release();
    }

    /// Answers every open question: "not sent" when it certainly did not leave, else "unknown".
    /// `session` is the one that ended, if there was one.
    pub(super) fn answer_all(&mut self, session: Option<Box<Session>>) {
        if let Some(session) = session {
            let frames = session.into_frames();
            let unsent = self.questions.settle(frames, &self.rooms, &mut self.shared);
            for (_, question) in unsent {
                self.answer_not_sent(question);
            }
        }
        for question in self.questions.all() {
            self.answer_unknown(question);
        }
        self.server_params.forget_asked();
    }
}
