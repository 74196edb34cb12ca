//! The WebSocket relay of `bench/relay.js`: a binary message is the receiver's number, then the
//! payload.

use super::{Client, Heard, Role, due_ns, websocket};
use crate::target::Target;

/// The receiver number of all members of the room.
const EVERYBODY: u32 = u32::MAX;

pub(crate) struct Relay {
    number: u32,
    role: Role,
    is_upgraded: bool,
}

impl Client for Relay {
    fn new(_target: &Target, number: u32, role: Role) -> Self {
        Self { number, role, is_upgraded: false }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        self.is_upgraded = false;
        let what = if self.role == Role::Member { "member" } else { "user" };
        out.extend_from_slice(
            websocket::upgrade(&format!("/{what}/{}", self.number), "").as_bytes(),
        );
    }

    fn hear(
        &mut self,
        input: &[u8],
        _out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String> {
        let mut used = 0;
        if !self.is_upgraded {
            used = websocket::upgraded(input)?;
            if used == 0 {
                return Ok(0);
            }
            self.is_upgraded = true;
            hear(Heard::Ready);
        }
        while let Some((payload, len)) = websocket::message(&input[used..])? {
            used += len;
            if !payload.is_empty() {
                hear(Heard::Delivered { due_ns: due_ns(payload) });
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
            Role::Receiver | Role::Member | Role::Speaker => EVERYBODY,
        };
        websocket::put_message(out, &[&to.to_le_bytes(), payload].concat());
    }

    fn has_results(&self) -> bool {
        false
    }
}
