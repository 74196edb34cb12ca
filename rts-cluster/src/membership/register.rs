//! The questions of a node to the register, one at a time.

use rts_proto::Instant;

use crate::limits::{READ_EVERY, READ_NEWS_EVERY, REGISTER_TIMEOUT};

/// Identifies a question, so that a late answer is not taken for that to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question(pub u64);

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Register {
    open: Option<(Question, Instant)>,
    /// The register may have a view that this node does not know.
    must_read: bool,
    next_read: Instant,
    /// When the last question was answered.
    answered: Instant,
    /// A change that the register refused is tried again after this moment.
    next_cas: Instant,
    last: Question,
}

impl Register {
    /// A register that has to be read.
    pub(super) fn new() -> Self {
        let start = Instant::ORIGIN;
        Self {
            open: None,
            must_read: true,
            next_read: start,
            answered: start,
            next_cas: start,
            last: Question(0),
        }
    }

    /// The register may have a view that this node does not know.
    pub(super) fn must_read(&mut self) {
        self.must_read = true;
    }

    /// Another node has a view that this one does not know.
    pub(super) fn has_news(&mut self) {
        self.must_read = true;
        self.next_read = self.next_read.min(self.answered + READ_NEWS_EVERY);
    }

    /// A question was answered, or failed. False if it is not open any more.
    pub(super) fn answered(&mut self, now: Instant, question: Question) -> bool {
        if self.open.is_none_or(|(open, _)| open != question) {
            return false;
        }
        self.open = None;
        self.answered = now;
        // News that came since the question may not be in the answer.
        self.next_read = now + if self.must_read { READ_NEWS_EVERY } else { READ_EVERY };
        true
    }

    /// A compare-and-set has ended, or a request for a vote. However it ended, the register is read
    /// at once. False if the question is not open any more.
    pub(super) fn cas_ended(&mut self, now: Instant, question: Question, is_done: bool) -> bool {
        let is_open = self.answered(now, question);
        if is_open {
            self.must_read = true;
            self.next_read = now;
            if !is_done {
                self.next_cas = now + READ_EVERY;
            }
        }
        is_open
    }

    /// Whether a compare-and-set or a vote can be asked for: no question is open, nothing has to be
    /// read before, and none was refused just now.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.open.is_none() && !self.must_read && self.next_cas <= now
    }

    /// Opens a question.
    pub(super) fn ask(&mut self, now: Instant) -> Question {
        self.last = Question(self.last.0 + 1);
        self.open = Some((self.last, now));
        self.last
    }

    /// Opens the question to read, if it is due. `always`: there is always something to read.
    pub(super) fn read_if_due(&mut self, now: Instant, always: bool) -> Option<Question> {
        if self.open.is_some_and(|(_, at)| at + REGISTER_TIMEOUT <= now) {
            self.open = None;
            self.must_read = true;
        }
        if self.open.is_some() || !(self.must_read || always) || now < self.next_read {
            return None;
        }
        self.must_read = false;
        Some(self.ask(now))
    }

    pub(super) fn deadline(&self, always: bool) -> Option<Instant> {
        match self.open {
            Some((_, at)) => Some(at + REGISTER_TIMEOUT),
            None => (self.must_read || always).then_some(self.next_read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn one_question_is_open_at_a_time() {
        let mut register = Register::new();
        let read = register.read_if_due(at(0), false).expect("a new node has to read");
        assert_eq!(register.read_if_due(at(1), true), None);
        assert!(!register.is_free(at(1)));
        assert!(register.answered(at(2), read));
        assert!(!register.answered(at(3), read), "once");
        assert!(register.is_free(at(3)));
        assert_eq!(register.deadline(false), None);
    }

    #[test]
    fn reads_have_a_pause() {
        let mut register = Register::new();
        let read = register.read_if_due(at(0), true).expect("due");
        register.answered(at(0), read);
        let next = register.deadline(true).expect("always");
        assert_eq!(next, at(0) + READ_EVERY);
        assert_eq!(register.read_if_due(at(1), true), None);
        assert!(register.read_if_due(next, true).is_some());
    }

    #[test]
    fn news_shorten_the_pause() {
        let mut register = Register::new();
        let read = register.read_if_due(at(0), false).expect("due");
        register.answered(at(10), read);
        register.has_news();
        assert_eq!(register.read_if_due(at(59), false), None);
        let read = register.read_if_due(at(60), false).expect("due");
        register.has_news();
        assert_eq!(register.read_if_due(at(200), false), None, "one question at a time");
        register.answered(at(200), read);
        assert_eq!(register.read_if_due(at(249), false), None);
        assert!(register.read_if_due(at(250), false).is_some(), "news since the question");
    }

    #[test]
    fn lost_answer_is_replaced_by_a_read_and_ignored_when_it_comes() {
        let mut register = Register::new();
        let lost = register.ask(at(0));
        let read = register.read_if_due(at(0) + REGISTER_TIMEOUT, false).expect("due");
        assert!(!register.answered(at(6_000), lost));
        assert!(register.answered(at(6_000), read));
    }

    #[test]
    fn register_is_read_at_once_after_a_compare_and_set() {
        let mut register = Register::new();
        let read = register.read_if_due(at(0), false).expect("due");
        register.answered(at(0), read);
        let cas = register.ask(at(1));
        register.cas_ended(at(2), cas, true);
        assert!(!register.is_free(at(2)));
        let read = register.read_if_due(at(2), false).expect("due");
        register.answered(at(3), read);
        assert!(register.is_free(at(3)), "the next change may follow at once");
    }

    #[test]
    fn change_that_was_refused_is_tried_again_after_a_pause() {
        let mut register = Register::new();
        let read = register.read_if_due(at(0), false).expect("due");
        register.answered(at(0), read);
        let cas = register.ask(at(1));
        register.cas_ended(at(1), cas, false);
        let read = register.read_if_due(at(1), false).expect("due");
        register.answered(at(1), read);
        let pause = at(1) + READ_EVERY;
        assert!(!register.is_free(Instant::from_micros(pause.as_micros() - 1)));
        assert!(register.is_free(pause));
    }
}
