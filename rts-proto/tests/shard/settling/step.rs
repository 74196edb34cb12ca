//! What happens in a hall.

use proptest::prelude::*;
use proptest::sample::select;
use rts_proto::MessageConfig;
use rts_proto::limits::{MEMBER_LISTS_WINDOW_BYTES_MAX, UNRELIABLE_MARK_BYTES, WINDOW_BYTES_MAX};

/// In both apps: messages of one must not reach the other.
pub(super) const NAMES: [&str; 3] = ["alice", "bob", "carol"];
pub(super) const ROOMS: [&str; 2] = ["room", "other"];
pub(super) const USERS: usize = 2 * NAMES.len();
const STEPS_MAX: usize = 120;
/// Windows are filled up to these sizes, and to just below.
const MARKS: [usize; 3] = [UNRELIABLE_MARK_BYTES, MEMBER_LISTS_WINDOW_BYTES_MAX, WINDOW_BYTES_MAX];

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Broadcast {
        who: usize,
        room: &'static str,
        bytes: usize,
    },
    Send {
        who: usize,
        to: &'static str,
        bytes: usize,
        config: MessageConfig,
    },
    /// Messages of the back end, until about this number of bytes is in the user's window.
    Fill {
        who: usize,
        bytes: usize,
    },
    /// Messages of the back end, until this number of frames is in the user's window.
    FillWithFrames {
        who: usize,
        frames: usize,
    },
    Ping {
        who: usize,
    },
    /// A frame that clients may not send.
    Pong {
        who: usize,
    },
    Join {
        who: usize,
        room: &'static str,
    },
    Leave {
        who: usize,
        room: &'static str,
    },
    Logout {
        who: usize,
    },
    /// Acknowledges all received frames but this number.
    Ack {
        who: usize,
        but: u64,
    },
    HangUp {
        who: usize,
    },
    /// Resumes over another link, in the middle of the burst.
    Resume {
        who: usize,
    },
    LogIn {
        who: usize,
    },
    /// A command of the first app's back end.
    Command {
        command: Command,
        room: &'static str,
        whom: &'static str,
    },
    Wait {
        ms: u64,
    },
    /// The burst ends, and all clients read.
    Hear,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Unicast,
    Broadcast,
    UnicastInRoom,
    Kick,
    Ban,
    Dismiss,
}

impl Command {
    const ALL: [Self; 6] =
        [Self::Unicast, Self::Broadcast, Self::UnicastInRoom, Self::Kick, Self::Ban, Self::Dismiss];
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, room, name) = (|| 0..USERS, || select(&ROOMS), || select(&NAMES));
    let (bytes, config) = (|| select(&[0_usize, 3, 900, 9_000]), || select(MessageConfig::ALL));
    let step = prop_oneof![
        20 => (who(), room(), bytes())
            .prop_map(|(who, room, bytes)| Step::Broadcast { who, room, bytes }),
        4 => (who(), name(), bytes(), config())
            .prop_map(|(who, to, bytes, config)| Step::Send { who, to, bytes, config }),
        4 => (who(), select(&MARKS), 0..30_000_usize)
            .prop_map(|(who, mark, less)| Step::Fill { who, bytes: mark - less }),
        1 => who().prop_map(|who| Step::Ping { who }),
        1 => who().prop_map(|who| Step::Pong { who }),
        3 => (who(), room()).prop_map(|(who, room)| Step::Join { who, room }),
        2 => (who(), room()).prop_map(|(who, room)| Step::Leave { who, room }),
        1 => who().prop_map(|who| Step::Logout { who }),
        3 => (who(), 0..4_u64).prop_map(|(who, but)| Step::Ack { who, but }),
        1 => who().prop_map(|who| Step::HangUp { who }),
        3 => who().prop_map(|who| Step::Resume { who }),
        1 => who().prop_map(|who| Step::LogIn { who }),
        4 => (select(&Command::ALL), room(), name())
            .prop_map(|(command, room, whom)| Step::Command { command, room, whom }),
        1 => (0..40_000_u64).prop_map(|ms| Step::Wait { ms }),
        3 => Just(Step::Hear),
    ];
    prop::collection::vec(step, 0..STEPS_MAX)
}
