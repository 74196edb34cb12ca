//! A room of a chat, and its members.

use std::collections::BTreeSet;

use rts_client::contract::Room;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not in the room: removed, or the join failed. It can be joined again.
    Out,
    Joining,
    In,
}

/// A room that was joined and not left.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) room: Room,
    pub(super) standing: Standing,
    /// The other members.
    pub(super) members: BTreeSet<String>,
    /// Whether the room has more members than are reported.
    pub(super) is_crowded: bool,
}

impl Place {
    pub(super) fn new(room: Room) -> Self {
        Self { room, standing: Standing::Out, members: BTreeSet::new(), is_crowded: false }
    }

    /// Clears the members. They are reported again afterwards.
    pub(super) fn forget_members(&mut self) {
        self.members.clear();
        self.is_crowded = false;
    }

    pub(super) fn put_out(&mut self) {
        self.standing = Standing::Out;
        self.forget_members();
    }

    /// The members of the room, for people.
    pub(super) fn described(&self) -> String {
        let id = self.room.id();
        match (self.standing, self.members.is_empty()) {
            (Standing::Out, _) => not_in(id),
            (Standing::Joining, _) => format!("#{id}: the join is under way"),
            (Standing::In, true) if !self.is_crowded => format!("#{id}: nobody but you"),
            (Standing::In, _) => {
                let mut names: Vec<&str> = vec!["you"];
                names.extend(self.members.iter().map(String::as_str));
                let more = if self.is_crowded {
                    "; rooms above 500 members do not report others"
                } else {
                    ""
                };
                format!("#{id} ({}): {}{more}", names.len(), names.join(", "))
            }
        }
    }
}

pub(super) fn not_in(id: &str) -> String {
    format!("you are not in #{id}; /join {id} goes in")
}
