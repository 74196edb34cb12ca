//! What a frame in the window of the wire is for.

use crate::client::questions::Question;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Its answer is waited for in the list of open questions.
    Question(Question),
    /// By its ticket: a room may have more than one in the window. Its room's handle waits.
    Join(u64),
    /// Its room's handle waits.
    Leave,
}
