//! The bare relay. A frame is its length, the receiver's number, and the payload, and it arrives
//! unchanged. The first frame of a client names the client.

use super::{Client, Heard, Role, due_ns};
use crate::target::Target;

/// Length of the payload and destination, four bytes each, little-endian.
pub(crate) const HEAD_BYTES: usize = 8;
/// The destination of all clients that greeted with it.
pub(crate) const DESTINATION_ALL: u32 = u32::MAX;

pub(crate) struct Floor {
    number: u32,
    role: Role,
}

impl Client for Floor {
    fn new(_target: &Target, number: u32, role: Role) -> Self {
        Self { number, role }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        let is_member = u32::from(self.role == Role::Member);
        put(out, self.number, &is_member.to_le_bytes());
    }

    fn hear(
        &mut self,
        input: &[u8],
        _out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        while let Some((_, frame)) = frame(&input[used..]) {
            used += frame.len();
            match frame.len() - HEAD_BYTES {
                // The relay returns the greeting.
                4 => hear(Heard::Ready),
                _ => hear(Heard::Delivered { due_ns: due_ns(&frame[HEAD_BYTES..]) }),
            }
        }
        Ok(used)
    }

    fn aim(&mut self, to: u32) {
        self.role = Role::Sender { to };
    }

    fn send(&mut self, _id: u64, payload: &[u8], out: &mut Vec<u8>) {
        let to = match self.role {
            Role::Sender { to } => to,
            Role::Receiver | Role::Member | Role::Speaker => DESTINATION_ALL,
        };
        put(out, to, payload);
    }

    fn has_results(&self) -> bool {
        false
    }
}

fn put(out: &mut Vec<u8>, to: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&to.to_le_bytes());
    out.extend_from_slice(payload);
}

/// The first frame and its destination; `None` while the frame is incomplete.
pub(crate) fn frame(input: &[u8]) -> Option<(u32, &[u8])> {
    let len = u32::from_le_bytes(*input.first_chunk()?) as usize;
    let to = u32::from_le_bytes(*input.get(4..)?.first_chunk()?);
    Some((to, input.get(..HEAD_BYTES + len)?))
}
