//! Users, rooms and messages as they are on the wire.

use super::history::{Message, Room, User};

/// The number of a name that is not one of ours.
const UNKNOWN: u32 = u32::MAX;

impl User {
    pub(crate) fn uid(self) -> String {
        format!("user-{}", self.0)
    }

    pub(crate) fn read(uid: &str) -> Self {
        Self(number("user-", uid))
    }
}

impl Room {
    pub(crate) fn id(self) -> String {
        format!("room-{}", self.0)
    }

    pub(crate) fn read(id: &str) -> Self {
        Self(number("room-", id))
    }
}

impl Message {
    /// The payload: the name of the message, and a number of further bytes.
    pub(crate) fn text(self, bytes: usize) -> String {
        format!("{} {} {}", self.client, self.number, "x".repeat(bytes))
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let client = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        Some(Self { client, number })
    }
}

fn number(prefix: &str, name: &str) -> u32 {
    name.strip_prefix(prefix).and_then(|number| number.parse().ok()).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert_eq!(User::read(&User(17).uid()), User(17));
        assert_eq!(Room::read(&Room(3).id()), Room(3));
        assert_eq!((User::read("alice"), Room::read("user-1")), (User(UNKNOWN), Room(UNKNOWN)));
        let message = Message { client: 5, number: 70 };
        assert_eq!(Message::read(&message.text(0)), Some(message));
        assert_eq!(Message::read(&message.text(9)), Some(message));
        assert_eq!(Message::read("hello 5"), None);
    }
}
