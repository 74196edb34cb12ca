//! Every way for a question to be answered: by the server, by its deadline, or by the end of all.

use alloc::boxed::Box;

use super::connection::Session;
use super::engine::Client;
use super::questions::{Answer, Question};

impl Client {
    /// False when it was answered before.
    pub(super) fn answer(&mut self, answer: Answer) -> bool {
        self.questions.answer(answer, &self.rooms, &mut self.shared)
    }

    /// It may have arrived or not.
    pub(super) fn answer_unknown(&mut self, question: Question) {
        self.answer(question.unknown());
    }

    /// It certainly did not leave.
    pub(super) fn answer_not_sent(&mut self, question: Question) {
        if let Question::ServerParams(ticket) = question {
            self.server_params.not_sent(ticket);
        }
        self.answer(question.not_sent());
    }

    /// Whether the question's frame was still waiting to be transmitted, and now is no more.
    pub(super) fn take_back(&mut self, question: Question) -> bool {
        self.connection.take_back(question)
    }

    /// Deadlines of questions: what never left is taken back, so that it never will.
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

    /// Answers everything: with "not sent" what is certain not to have left, else with "unknown".
    /// `session` is the one that is over, if there was one.
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
