//! Tags of frames in the window. A tag says what the frame is for.

use crate::client::questions::Question;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A question of the list of open questions, which waits for its answer.
    Question(Question),
    /// A Join, by its ticket: a room may have several in the window. The room's handle waits.
    Join(u64),
    /// A Leave. The room's handle waits.
    Leave,
}
