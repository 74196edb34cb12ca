//! Messages to users of another shard as bytes, for another node.

use bytes::Bytes;

use super::{BadDelivery, Deliveries, Delivery, Raw};
use crate::{UserId, wire};

impl Deliveries {
    /// The messages as bytes, for another node. Each part has as many messages as fit into
    /// `bytes_max`, and at least one. For each message, one behind the other:
    ///
    /// | bytes | content |
    /// |---|---|
    /// | 8 | the number of the session, little endian |
    /// | 8 | the sender's id of the message, little endian |
    /// | 4 | the length of the frame, little endian |
    /// | 1 | the delivery guarantee |
    /// | 1 | the length of the receiver |
    /// | 1 to 128 | the receiver |
    /// | at most [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX) and its prefix | the frame |
    pub fn into_parts(mut self, bytes_max: usize) -> impl Iterator<Item = Bytes> {
        self.bytes.truncate(self.added);
        let mut bytes = Bytes::from(self.bytes);
        core::iter::from_fn(move || {
            let (mut rest, mut end) = (&bytes[..], 0);
            while Raw::take(&mut rest).is_some() {
                let next_end = bytes.len() - rest.len();
                if end > 0 && next_end > bytes_max {
                    break;
                }
                end = next_end;
            }
            (end > 0).then(|| bytes.split_to(end))
        })
    }

    /// Reads a part that [`into_parts`](Self::into_parts) made.
    ///
    /// # Errors
    ///
    /// The bytes are no messages: a message is cut off, or a part of it is invalid.
    pub fn from_part(bytes: &[u8]) -> Result<Self, BadDelivery> {
        let (mut rest, mut count) = (bytes, 0);
        while !rest.is_empty() {
            Raw::take(&mut rest).ok_or(BadDelivery("length"))?.check()?;
            count += 1;
        }
        Ok(Self { bytes: bytes.to_vec(), added: bytes.len(), count })
    }
}

impl Raw<'_> {
    /// Like [`read`](Self::read), and also checks the receiver and the length of the frame.
    fn check(self) -> Result<(), BadDelivery> {
        let Delivery { to, frame, .. } = self.read()?;
        UserId::check(to).map_err(|_| BadDelivery("receiver"))?;
        if wire::is_one_frame(frame) { Ok(()) } else { Err(BadDelivery("frame")) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::HEAD_BYTES;
    use super::*;
    use crate::limits::FRAME_BYTES_MAX;
    use crate::server::keys::Origin;
    use crate::server::testing::{number, uid};
    use crate::{MessageConfig, MessageId};

    /// A message of this session with a frame of this length, without its prefix.
    fn message(session: u64, frame_len: usize) -> Deliveries {
        let mut frame = Vec::new();
        prost::encoding::encode_varint(frame_len as u64, &mut frame);
        frame.resize(frame.len() + frame_len, 7);
        let mut deliveries = Deliveries::default();
        let config = MessageConfig::UnreliableUnordered;
        deliveries.push(number(session), MessageId(1), config, &uid("bob"), &frame);
        deliveries
    }

    #[test]
    fn parts_have_as_many_messages_as_fit_and_at_least_one() {
        let mut all = Deliveries::default();
        for session in 1..=5 {
            let frame = message(session, 1).bytes[HEAD_BYTES + 3..].to_vec();
            let config = MessageConfig::UnreliableUnordered;
            all.push(number(session), MessageId(1), config, &uid("bob"), &frame);
        }
        let of_one = message(1, 1).added;
        let lengths = |bytes_max: usize| -> Vec<usize> {
            let parts = all.clone().into_parts(bytes_max);
            let parts = parts.map(|part| Deliveries::from_part(&part).expect("messages"));
            parts.map(|part| part.len()).collect()
        };
        assert_eq!(lengths(1), [1; 5]);
        assert_eq!(lengths(2 * of_one - 1), [1; 5]);
        assert_eq!(lengths(2 * of_one), [2, 2, 1]);
        assert_eq!(lengths(5 * of_one), [5]);
        let parts: Vec<_> = all.clone().into_parts(usize::MAX).collect();
        assert_eq!(Deliveries::from_part(&parts[0]), Ok(all));
        assert_eq!(Deliveries::default().into_parts(9).count(), 0);
        assert_eq!(Deliveries::from_part(b""), Ok(Deliveries::default()));
    }

    #[test]
    fn messages_that_a_panic_cut_off_are_in_no_part() {
        let mut deliveries = message(1, 1);
        let origin = Origin { session: number(9), id: MessageId(9) };
        deliveries.put_head(origin, MessageConfig::ReliableOrdered, "eve", 1_000);
        assert!(deliveries.into_parts(usize::MAX).eq(message(1, 1).into_parts(usize::MAX)));
    }

    #[test]
    fn invalid_part_of_a_message_is_named() {
        let invalid = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = message(1, 1).bytes;
            change(&mut bytes);
            Deliveries::from_part(&bytes).expect_err("it is invalid").part()
        };
        assert_eq!(invalid(&|bytes| bytes[0] = 0), "session");
        assert_eq!(invalid(&|bytes| bytes[20] = 3), "delivery guarantee");
        assert_eq!(invalid(&|bytes| bytes[HEAD_BYTES] = b' '), "receiver");
        assert_eq!(invalid(&|bytes| bytes[HEAD_BYTES] = 0xFF), "receiver");
        assert_eq!(invalid(&|bytes| bytes[HEAD_BYTES + 3] = 2), "frame");
        assert_eq!(invalid(&|bytes| bytes[16..20].fill(0xFF)), "length");
        assert_eq!(invalid(&|bytes| bytes.push(0)), "length");
        assert_eq!(invalid(&|bytes| bytes.truncate(HEAD_BYTES - 1)), "length");
        let part = |frame_len| Deliveries::from_part(&message(1, frame_len).bytes);
        assert_eq!(part(FRAME_BYTES_MAX).map(|part| part.len()), Ok(1));
        assert_eq!(part(FRAME_BYTES_MAX + 1), Err(BadDelivery("frame")));
    }
}
