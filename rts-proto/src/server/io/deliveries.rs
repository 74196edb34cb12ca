//! Messages to users of another shard, in one piece of memory.

mod parts;

use alloc::vec::Vec;
use core::fmt;

use crate::limits::ID_BYTES_MAX;
use crate::server::keys::{Origin, SessionNumber};
use crate::wire;
use crate::{MessageConfig, MessageId, UserId};

/// Messages to users of another shard, in their order.
///
/// They lie in one buffer, so that a message costs no memory that one thread allocates and another
/// one frees.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// For each message a head, the receiver and the frame.
    bytes: Vec<u8>,
    /// The bytes of the messages that were added. A panic may leave a part of one more behind them.
    added: usize,
    count: usize,
}

/// A message to a user of another shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The session that gets the result.
    pub session: SessionNumber,
    /// The sender's id of the message.
    pub id: MessageId,
    /// The delivery guarantee.
    pub config: MessageConfig,
    /// The receiver: a valid user id.
    pub to: &'a str,
    /// The `Delivery` frame.
    pub frame: &'a [u8],
}

/// The bytes of the session, of the id, of the length of the frame, of the guarantee and of the
/// length of the receiver.
const HEAD_BYTES: usize = 8 + 8 + 4 + 1 + 1;
const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize);

impl Deliveries {
    /// Adds a message.
    pub fn push(
        &mut self,
        session: SessionNumber,
        id: MessageId,
        config: MessageConfig,
        to: &UserId,
        frame: &[u8],
    ) {
        self.push_to(Origin { session, id }, config, to.as_str(), frame);
    }

    /// Adds a message. `to` is a valid user id.
    pub(in crate::server) fn push_to(
        &mut self,
        origin: Origin,
        config: MessageConfig,
        to: &str,
        frame: &[u8],
    ) {
        self.put_head(origin, config, to, frame.len());
        self.bytes.extend_from_slice(frame);
        self.end();
    }

    /// Adds a message whose frame is written in place. `to` is a valid user id.
    #[inline]
    pub(in crate::server) fn push_new(
        &mut self,
        origin: Origin,
        config: MessageConfig,
        to: &str,
        frame: wire::Delivery<'_>,
    ) {
        self.put_head(origin, config, to, frame.len);
        frame.put(&mut self.bytes);
        self.end();
    }

    /// Writes all but the frame, and reserves memory for it. Only [`end`](Self::end) adds the
    /// message, when its frame is there.
    #[inline]
    fn put_head(&mut self, origin: Origin, config: MessageConfig, to: &str, frame_len: usize) {
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&origin.session.number().to_le_bytes());
        head[8..16].copy_from_slice(&origin.id.0.to_le_bytes());
        head[16..20].copy_from_slice(&(frame_len as u32).to_le_bytes());
        head[20] = config.code() as u8;
        head[21] = to.len() as u8;
        self.bytes.truncate(self.added);
        self.bytes.reserve(HEAD_BYTES + to.len() + frame_len);
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(to.as_bytes());
    }

    #[inline]
    fn end(&mut self) {
        self.added = self.bytes.len();
        self.count += 1;
    }

    /// The messages in their order.
    pub fn iter(&self) -> impl Iterator<Item = Delivery<'_>> {
        let mut rest = &self.bytes[..self.added];
        core::iter::from_fn(move || next(&mut rest))
    }

    /// The number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The memory of all messages, also that which is in reserve.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Takes the next message. Only [`Deliveries`] writes them, so all are well formed.
#[inline]
fn next<'a>(rest: &mut &'a [u8]) -> Option<Delivery<'a>> {
    Raw::take(rest)?.read().ok()
}

/// A message as it lies in the buffer.
struct Raw<'a> {
    session: u64,
    id: u64,
    config: u8,
    to: &'a [u8],
    frame: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Takes the next message. `None` when there are too few bytes.
    #[inline]
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let (head, after) = rest.split_first_chunk::<HEAD_BYTES>()?;
        let (session, head) = head.split_first_chunk::<8>()?;
        let (id, head) = head.split_first_chunk::<8>()?;
        let (frame_len, head) = head.split_first_chunk::<4>()?;
        let [config, to_len] = *head.first_chunk::<2>()?;
        let (to, after) = after.split_at_checked(to_len.into())?;
        let (frame, after) = after.split_at_checked(u32::from_le_bytes(*frame_len) as usize)?;
        *rest = after;
        let (session, id) = (u64::from_le_bytes(*session), u64::from_le_bytes(*id));
        Some(Self { session, id, config, to, frame })
    }

    #[inline]
    fn read(self) -> Result<Delivery<'a>, BadDelivery> {
        let config = MessageConfig::try_from(u32::from(self.config));
        Ok(Delivery {
            session: SessionNumber::from_number(self.session).ok_or(BadDelivery("session"))?,
            id: MessageId(self.id),
            config: config.map_err(|_| BadDelivery("delivery guarantee"))?,
            to: core::str::from_utf8(self.to).map_err(|_| BadDelivery("receiver"))?,
            frame: self.frame,
        })
    }
}

/// Bytes that are not [`Deliveries`]. Contains the name of the invalid part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} of a message is invalid")]
pub struct BadDelivery(&'static str);

impl BadDelivery {
    /// The name of the invalid part.
    #[must_use]
    pub fn part(self) -> &'static str {
        self.0
    }
}

/// Shows the messages.
impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
mod serialized {
    use alloc::vec::Vec;

    use bytes::Bytes;
    use serde::ser::{Error as _, SerializeSeq as _};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Deliveries, Delivery, SessionNumber};
    use crate::{MessageConfig, MessageId, UserId};

    #[derive(Serialize, Deserialize)]
    struct Message {
        session: SessionNumber,
        id: MessageId,
        config: MessageConfig,
        to: UserId,
        frame: Bytes,
    }

    /// Serializes as a list of messages.
    impl Serialize for Deliveries {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(Some(self.len()))?;
            for Delivery { session, id, config, to, frame } in self.iter() {
                let to = UserId::new(to).map_err(S::Error::custom)?;
                let frame = Bytes::copy_from_slice(frame);
                list.serialize_element(&Message { session, id, config, to, frame })?;
            }
            list.end()
        }
    }

    /// Deserializes from a list of messages. An invalid receiver is an error.
    impl<'de> Deserialize<'de> for Deliveries {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let messages = Vec::<Message>::deserialize(from)?;
            let mut deliveries = Self::default();
            for Message { session, id, config, to, frame } in messages {
                deliveries.push(session, id, config, &to, &frame);
            }
            Ok(deliveries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{number, uid};

    #[test]
    fn messages_are_read_as_they_were_added() {
        let longest = uid(&"u".repeat(ID_BYTES_MAX));
        let mut deliveries = Deliveries::default();
        assert!(deliveries.is_empty() && deliveries.iter().next().is_none());
        let large = alloc::vec![7; 70_000];
        let (reliable, fast) = (MessageConfig::ReliableOrdered, MessageConfig::UnreliableUnordered);
        deliveries.push(number(1), MessageId(u64::MAX), reliable, &uid("bob"), b"frame");
        deliveries.push(number(2), MessageId(1), fast, &longest, b"");
        deliveries.push(number(3), MessageId(2), reliable, &uid("x"), &large);
        let expected = [
            (1, u64::MAX, reliable, "bob", &b"frame"[..]),
            (2, 1, fast, longest.as_str(), b""),
            (3, 2, reliable, "x", &large),
        ];
        let expected = expected.map(|(session, id, config, to, frame)| Delivery {
            session: number(session),
            id: MessageId(id),
            config,
            to,
            frame,
        });
        assert!(deliveries.iter().eq(expected));
        assert_eq!(deliveries.len(), 3);
        assert!(deliveries.bytes() > 70_000);
    }

    /// A panic on the input of a link ends only this link, and other links send messages then.
    #[test]
    fn message_that_a_panic_cuts_off_is_not_read() {
        let config = MessageConfig::ReliableOrdered;
        let mut deliveries = Deliveries::default();
        let cut_off = |deliveries: &mut Deliveries| {
            let origin = Origin { session: number(9), id: MessageId(9) };
            deliveries.put_head(origin, config, "eve", 1_000);
        };
        let ids = |deliveries: &Deliveries| -> Vec<u64> {
            deliveries.iter().map(|delivery| delivery.id.0).collect()
        };
        cut_off(&mut deliveries);
        assert!(deliveries.is_empty() && ids(&deliveries).is_empty());
        deliveries.push(number(1), MessageId(1), config, &uid("bob"), b"frame");
        cut_off(&mut deliveries);
        assert_eq!((deliveries.len(), ids(&deliveries)), (1, alloc::vec![1]));
        deliveries.push(number(1), MessageId(2), config, &uid("bob"), b"frame");
        assert_eq!((deliveries.len(), ids(&deliveries)), (2, alloc::vec![1, 2]));
    }

    #[test]
    fn memory_in_reserve_counts() {
        let mut deliveries = Deliveries::default();
        assert_eq!(deliveries.bytes(), 0);
        deliveries.bytes.reserve(10_000);
        deliveries.push(number(1), MessageId(1), MessageConfig::ReliableOrdered, &uid("bob"), b"");
        assert!(deliveries.bytes() >= 10_000);
    }
}
