//! A client's membership of a room, as its calls and events show it.

use super::history::{Entry, What};

/// States of `onRoomStateChanged` that leave the membership as it is.
const WARNINGS: [i32; 3] = [-2001, -2011, NOTICES_STOP];
/// The room has passed 500 members.
pub(crate) const NOTICES_STOP: i32 = -2013;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Out,
    Joining,
    In,
    /// `then_join`: a join was called meanwhile. `is_joining`: the answer to a join may already be
    /// under way to the application.
    Leaving {
        then_join: bool,
        is_joining: bool,
    },
}

impl Phase {
    /// The phase after a call or an event of this room. `None` if it cannot happen in this phase.
    pub(crate) fn after(self, what: What) -> Option<Self> {
        let left = |then_join| if then_join { Self::Joining } else { Self::Out };
        Some(match (what, self) {
            (What::JoinCalled(_, true), Self::Out) => Self::Joining,
            (What::JoinCalled(_, true), Self::Leaving { then_join: false, is_joining }) => {
                Self::Leaving { then_join: true, is_joining }
            }
            (What::JoinCalled(_, true), _) => return None,
            (What::JoinCalled(_, false), Self::Out | Self::Leaving { then_join: false, .. }) => {
                return None;
            }
            (What::LeaveCalled(_), Self::Joining) => {
                Self::Leaving { then_join: false, is_joining: true }
            }
            (What::LeaveCalled(_), Self::In) => {
                Self::Leaving { then_join: false, is_joining: false }
            }
            (What::LeaveCalled(_), Self::Leaving { is_joining, .. }) => {
                Self::Leaving { then_join: false, is_joining }
            }
            (What::Joined(_, Entry::First), Self::Joining) => Self::In,
            (What::Joined(_, Entry::First), Self::Leaving { then_join, is_joining: true }) => {
                Self::Leaving { then_join, is_joining: false }
            }
            (What::Joined(_, Entry::First), _) => return None,
            (What::Joined(..), Self::Out | Self::Joining) => return None,
            (What::State(_, state), same) if WARNINGS.contains(&state) => same,
            (What::State(..), Self::Joining | Self::In) => Self::Out,
            (What::State(..), Self::Out) => return None,
            (What::State(..) | What::Left(_), Self::Leaving { then_join, .. }) => left(then_join),
            (What::Left(_), _) => return None,
            (_, same) => same,
        })
    }

    /// Whether a join or a leave has no answer yet.
    pub(crate) fn is_waiting(self) -> bool {
        matches!(self, Self::Joining | Self::Leaving { .. })
    }
}

impl What {
    /// The room whose membership this concerns.
    pub(crate) fn membership_of(self) -> Option<super::history::Room> {
        match self {
            Self::JoinCalled(room, _)
            | Self::LeaveCalled(room)
            | Self::Joined(room, _)
            | Self::State(room, _)
            | Self::Left(room) => Some(room),
            _ => None,
        }
    }
}
