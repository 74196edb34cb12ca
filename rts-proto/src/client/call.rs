//! The calls of the contract, and their return values, as data.

use alloc::vec::Vec;
use core::fmt;

use super::error::{
    BroadcastError, BusinessIdError, CreateRoomError, JoinError, LoginError, SendError,
};
use super::parameters::ParametersError;
use crate::{BroadcastCode, MessageConfig, MessageId, Payload, RoomKey};

/// One call of the contract. Each stands for the method of [`Client`](super::Client) with its name;
/// [`Client::call`](super::Client::call) makes it.
///
/// The list is closed: code that matches on calls fails to compile until it handles a new call.
///
/// `Debug` shows no token, signature or URL. Of a payload it shows the length only.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The methods document what each field means.
pub enum Call<'a> {
    Login { token: &'a str, uid: &'a str },
    Logout,
    UpdateLoginToken { token: &'a str },
    GetPeerOnlineStatus { uid: &'a str },
    SendMessage { uid: &'a str, payload: &'a Payload, config: MessageConfig },
    SetServerParams { signature: &'a str, url: &'a str },
    SendServerMessage { payload: &'a Payload },
    CreateRoom { room_id: &'a str },
    JoinRoom { key: RoomKey },
    LeaveRoom { key: RoomKey },
    DestroyRoom { key: RoomKey },
    SendRoomMessage { key: RoomKey, payload: &'a Payload },
    SetBusinessId { id: &'a str },
    SetRuntimeParameters { json: &'a str },
    Destroy,
}

/// The return value of a [`Call`]. `Debug` shows the method's return value, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub enum Returned {
    /// Of calls without a return value.
    Nothing,
    /// Of [`Call::Login`].
    Login(Result<(), LoginError>),
    /// Of [`Call::SendMessage`] and [`Call::SendServerMessage`].
    Send(Result<MessageId, SendError>),
    /// Of [`Call::CreateRoom`].
    CreateRoom(Result<RoomKey, CreateRoomError>),
    /// Of [`Call::JoinRoom`].
    JoinRoom(Result<(), JoinError>),
    /// Of [`Call::DestroyRoom`].
    DestroyRoom(Vec<(MessageId, BroadcastCode)>),
    /// Of [`Call::SendRoomMessage`].
    Broadcast(Result<MessageId, BroadcastError>),
    /// Of [`Call::SetBusinessId`].
    SetBusinessId(Result<(), BusinessIdError>),
    /// Of [`Call::SetRuntimeParameters`].
    SetRuntimeParameters(Result<(), ParametersError>),
}

impl Returned {
    /// The number that the contract returns: the id of a message, the key of a room, 0 for an
    /// accepted call, or a negative code for a refused one. `None` for calls without a number.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        let number = match *self {
            Self::Nothing | Self::DestroyRoom(_) | Self::SetRuntimeParameters(_) => return None,
            Self::Send(Ok(id)) | Self::Broadcast(Ok(id)) => id.0.cast_signed(),
            Self::CreateRoom(Ok(key)) => key.0.cast_signed(),
            Self::Login(Ok(())) | Self::JoinRoom(Ok(())) | Self::SetBusinessId(Ok(())) => 0,
            Self::Login(Err(error)) => error.code().into(),
            Self::Send(Err(error)) => error.code().into(),
            Self::CreateRoom(Err(error)) => error.code().into(),
            Self::JoinRoom(Err(error)) => error.code().into(),
            Self::Broadcast(Err(error)) => error.code().into(),
            Self::SetBusinessId(Err(error)) => error.code().into(),
        };
        Some(number)
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login { token: _, uid } => {
                f.debug_struct("Login").field("uid", uid).finish_non_exhaustive()
            }
            Self::Logout => f.write_str("Logout"),
            Self::UpdateLoginToken { token: _ } => {
                f.debug_struct("UpdateLoginToken").finish_non_exhaustive()
            }
            Self::GetPeerOnlineStatus { uid } => {
                f.debug_struct("GetPeerOnlineStatus").field("uid", uid).finish()
            }
            Self::SendMessage { uid, payload, config } => f
                .debug_struct("SendMessage")
                .field("uid", uid)
                .field("payload", payload)
                .field("config", config)
                .finish(),
            Self::SetServerParams { signature: _, url: _ } => {
                f.debug_struct("SetServerParams").finish_non_exhaustive()
            }
            Self::SendServerMessage { payload } => {
                f.debug_struct("SendServerMessage").field("payload", payload).finish()
            }
            Self::CreateRoom { room_id } => {
                f.debug_struct("CreateRoom").field("room_id", room_id).finish()
            }
            Self::JoinRoom { key } => f.debug_struct("JoinRoom").field("key", key).finish(),
            Self::LeaveRoom { key } => f.debug_struct("LeaveRoom").field("key", key).finish(),
            Self::DestroyRoom { key } => f.debug_struct("DestroyRoom").field("key", key).finish(),
            Self::SendRoomMessage { key, payload } => f
                .debug_struct("SendRoomMessage")
                .field("key", key)
                .field("payload", payload)
                .finish(),
            Self::SetBusinessId { id } => f.debug_struct("SetBusinessId").field("id", id).finish(),
            Self::SetRuntimeParameters { json } => {
                f.debug_struct("SetRuntimeParameters").field("json", json).finish()
            }
            Self::Destroy => f.write_str("Destroy"),
        }
    }
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => ().fmt(f),
            Self::Login(returned) => returned.fmt(f),
            Self::Send(returned) => returned.fmt(f),
            Self::CreateRoom(returned) => returned.fmt(f),
            Self::JoinRoom(returned) => returned.fmt(f),
            Self::DestroyRoom(results) => results.fmt(f),
            Self::Broadcast(returned) => returned.fmt(f),
            Self::SetBusinessId(returned) => returned.fmt(f),
            Self::SetRuntimeParameters(returned) => returned.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn debug_shows_no_secret_and_no_payload() {
        let payload = Payload::text("secret");
        let (secret, key, config) = ("secret", RoomKey(1), MessageConfig::ReliableOrdered);
        for (call, shown) in [
            (Call::Login { token: secret, uid: "alice" }, "Login { uid: \"alice\", .. }"),
            (Call::UpdateLoginToken { token: secret }, "UpdateLoginToken { .. }"),
            (Call::SetServerParams { signature: secret, url: secret }, "SetServerParams { .. }"),
            (
                Call::SendMessage { uid: "bob", payload: &payload, config },
                "SendMessage { uid: \"bob\", payload: Text(6 bytes), config: ReliableOrdered }",
            ),
            (
                Call::SendServerMessage { payload: &payload },
                "SendServerMessage { payload: Text(6 bytes) }",
            ),
            (
                Call::SendRoomMessage { key, payload: &payload },
                "SendRoomMessage { key: RoomKey(1), payload: Text(6 bytes) }",
            ),
        ] {
            assert_eq!(format!("{call:?}"), shown);
        }
    }

    #[test]
    fn return_value_is_an_id_zero_or_a_negative_code() {
        for (returned, number) in [
            (Returned::Nothing, None),
            (Returned::DestroyRoom(Vec::new()), None),
            (Returned::SetRuntimeParameters(Ok(())), None),
            (Returned::Login(Ok(())), Some(0)),
            (Returned::Login(Err(LoginError::AlreadyLoggedIn)), Some(-2)),
            (Returned::Send(Ok(MessageId(7))), Some(7)),
            (Returned::Send(Err(SendError::NoEngine)), Some(-1)),
            (Returned::CreateRoom(Ok(RoomKey(3))), Some(3)),
            (Returned::CreateRoom(Err(CreateRoomError::InUse)), Some(-1013)),
            (Returned::JoinRoom(Ok(())), Some(0)),
            (Returned::JoinRoom(Err(JoinError::NoRoom)), Some(-3)),
            (Returned::Broadcast(Ok(MessageId(8))), Some(8)),
            (Returned::Broadcast(Err(BroadcastError::NoRoom)), Some(-3)),
            (Returned::SetBusinessId(Ok(())), Some(0)),
            (Returned::SetBusinessId(Err(BusinessIdError::InRoom)), Some(-6001)),
        ] {
            assert_eq!(returned.number(), number, "{returned:?}");
        }
    }

    #[test]
    fn debug_of_a_return_value_is_that_of_its_method() {
        for (returned, shown) in [
            (Returned::Nothing, "()"),
            (Returned::Login(Ok(())), "Ok(())"),
            (Returned::Send(Err(SendError::EmptyReceiver)), "Err(EmptyReceiver)"),
            (Returned::CreateRoom(Ok(RoomKey(3))), "Ok(RoomKey(3))"),
            (
                Returned::DestroyRoom([(MessageId(4), BroadcastCode::Timeout)].into()),
                "[(MessageId(4), Timeout)]",
            ),
        ] {
            assert_eq!(format!("{returned:?}"), shown);
        }
    }
}
