//! The open questions, found by question and by deadline.

use alloc::collections::{BTreeMap, BTreeSet};

use super::question::Question;
use crate::Instant;

/// A value for each open question. Only `insert` and `remove` change what is open and what is due,
/// so a closed question is never due, and its owner keeps no deadline.
#[derive(Debug)]
pub(super) struct Open<T> {
    entries: BTreeMap<Question, Entry<T>>,
    deadlines: BTreeSet<(Instant, Question)>,
}

#[derive(Debug)]
struct Entry<T> {
    deadline: Option<Instant>,
    value: T,
}

impl<T> Open<T> {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    /// Opens a question. A question opened again has the new deadline only.
    pub(super) fn insert(&mut self, question: Question, deadline: Option<Instant>, value: T) {
        let old = self.entries.insert(question, Entry { deadline, value });
        if let Some(old) = old.and_then(|entry| entry.deadline) {
            self.deadlines.remove(&(old, question));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, question));
        }
    }

    /// Closes a question.
    pub(super) fn remove(&mut self, question: Question) -> Option<T> {
        let Entry { deadline, value } = self.entries.remove(&question)?;
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, question));
        }
        Some(value)
    }

    pub(super) fn get(&self, question: Question) -> Option<&T> {
        self.entries.get(&question).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, question: Question) -> Option<&mut T> {
        self.entries.get_mut(&question).map(|entry| &mut entry.value)
    }

    /// The first deadline, and its question.
    pub(super) fn first_due(&self) -> Option<(Instant, Question)> {
        self.deadlines.first().copied()
    }

    /// In the order of the questions.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Question, &T)> {
        self.entries.iter().map(|(question, entry)| (*question, &entry.value))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of deadlines, for tests of leaks.
    #[cfg(test)]
    pub(super) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Question = Question::Status(1);
    const SECOND: Question = Question::Status(2);

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn closed_question_is_not_due() {
        let mut open = Open::new();
        open.insert(FIRST, Some(at(5)), 'a');
        open.insert(SECOND, Some(at(3)), 'b');
        assert_eq!(open.first_due(), Some((at(3), SECOND)));
        assert_eq!(open.remove(SECOND), Some('b'));
        assert_eq!(open.remove(SECOND), None);
        assert_eq!(open.first_due(), Some((at(5), FIRST)));
        assert_eq!(open.remove(FIRST), Some('a'));
        assert_eq!((open.first_due(), open.len(), open.deadlines()), (None, 0, 0));
    }

    #[test]
    fn reopened_question_has_its_new_deadline_only() {
        let mut open = Open::new();
        open.insert(FIRST, Some(at(3)), 'a');
        open.insert(FIRST, Some(at(5)), 'b');
        assert_eq!((open.first_due(), open.deadlines()), (Some((at(5), FIRST)), 1));
        open.insert(FIRST, None, 'c');
        assert_eq!((open.first_due(), open.get(FIRST)), (None, Some(&'c')));
    }
}
