//! [`Arguments`]: a call in one shape.

use rts_proto::client::{Call, Returned};
use rts_proto::{MessageConfig, Payload, RoomKey};

use crate::table::{CallKind, Parameter};

/// The arguments of a call in one shape, for borders to other languages. The
/// [kind](CallKind::parameters) says which of them have a meaning; the others are ignored.
#[derive(Clone, Copy, Default)]
pub struct Arguments<'a> {
    /// The key of the room handle.
    pub room: u64,
    /// The config of a message.
    pub number: i64,
    /// The first text.
    pub first: &'a [u8],
    /// The second text, or any bytes.
    pub second: &'a [u8],
}

/// Why a call did nothing. The numbers are those that borders return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(i64)]
pub enum CallError {
    /// No call has this number.
    #[error("no call has this number")]
    UnknownCall = -9001,
    /// A text of the call is not UTF-8.
    #[error("a text of the call is not UTF-8")]
    NotUtf8 = -9002,
    /// The parameters are not a JSON object.
    #[error("the parameters are not a JSON object")]
    NotParameters = -9003,
}

impl CallError {
    /// What borders return.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }
}

/// What a call wants of an engine.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A call of the contract.
    Call(Call<'a>),
    /// The network of the device has changed.
    NetworkChanged,
}

impl Arguments<'_> {
    /// Makes a call of this kind with these arguments.
    ///
    /// # Errors
    ///
    /// A text of the call is not UTF-8. Then nothing is called.
    pub fn call<R>(
        &self,
        kind: CallKind,
        make: impl FnOnce(Wanted<'_>) -> R,
    ) -> Result<R, CallError> {
        let first = || str::from_utf8(self.first).map_err(|_| CallError::NotUtf8);
        let second = || str::from_utf8(self.second).map_err(|_| CallError::NotUtf8);
        let (key, config) = (RoomKey(self.room), config(self.number));
        let has = |wanted| kind.parameters().iter().any(|(_, parameter)| *parameter == wanted);
        let payload = &match () {
            () if has(Parameter::Bytes) => Payload::binary(self.second.to_owned()),
            () if has(Parameter::Text) => Payload::text(second()?),
            () => Payload::text(""),
        };
        let call = match kind {
            CallKind::Login => Call::Login { token: first()?, uid: second()? },
            CallKind::Logout => Call::Logout,
            CallKind::UpdateLoginToken => Call::UpdateLoginToken { token: first()? },
            CallKind::GetPeerOnlineStatus => Call::GetPeerOnlineStatus { uid: first()? },
            CallKind::SendMessage | CallKind::SendBinaryMessage => {
                Call::SendMessage { uid: first()?, payload, config }
            }
            CallKind::SetServerParams => {
                Call::SetServerParams { signature: first()?, url: second()? }
            }
            CallKind::SendServerMessage | CallKind::SendServerBinaryMessage => {
                Call::SendServerMessage { payload }
            }
            CallKind::CreateRoom => Call::CreateRoom { room_id: first()? },
            CallKind::JoinRoom => Call::JoinRoom { key },
            CallKind::LeaveRoom => Call::LeaveRoom { key },
            CallKind::DestroyRoom => Call::DestroyRoom { key },
            CallKind::SendRoomMessage | CallKind::SendRoomBinaryMessage => {
                Call::SendRoomMessage { key, payload }
            }
            CallKind::SetBusinessId => Call::SetBusinessId { id: first()? },
            CallKind::SetRuntimeParameters => Call::SetRuntimeParameters { json: first()? },
            CallKind::Destroy => Call::Destroy,
            CallKind::NetworkChanged => return Ok(make(Wanted::NetworkChanged)),
        };
        Ok(make(Wanted::Call(call)))
    }
}

/// Anything but a config counts as 0.
fn config(number: i64) -> MessageConfig {
    u32::try_from(number).ok().and_then(|number| number.try_into().ok()).unwrap_or_default()
}

/// The number that a border returns: the contract's, or 0 for calls without one.
#[must_use]
pub fn number(returned: &Returned) -> i64 {
    match returned {
        Returned::SetRuntimeParameters(Err(_)) => CallError::NotParameters.number(),
        returned => returned.number().unwrap_or(0),
    }
}
