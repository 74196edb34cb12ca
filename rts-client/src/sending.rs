//! A message on its way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rts_driver::client::{BroadcastCode, MessageId, Reply, SendCode, Sent, ServerAnswer};

use crate::error::{self, SendError};

/// A message that was sent, and a future of its result. The message is sent whether or not this is
/// awaited.
///
/// Each message has exactly one result. The future is cancel safe, and completes at the latest when
/// the engine is closed. Dropping it does not recall the message. The result is also an
/// [event](crate::Event).
#[derive(Debug)]
pub struct Sending<C> {
    sent: Result<Sent<C>, SendError>,
}

impl<C> Sending<C> {
    pub(crate) fn new<E: Into<SendError>>(sent: Result<Sent<C>, E>) -> Self {
        Self { sent: sent.map_err(Into::into) }
    }

    /// The message's number: 1, 2, 3, ... of its engine, or of its room.
    ///
    /// # Errors
    ///
    /// The call was refused: empty receiver id, or engine closed. Then the message has no number,
    /// and awaiting returns the same error.
    pub fn id(&self) -> Result<MessageId, SendError> {
        self.sent.as_ref().map(Sent::id).map_err(|error| *error)
    }
}

impl<C: Outcome> Future for Sending<C> {
    type Output = Result<C::Value, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.sent {
            Ok(sent) => Pin::new(sent).poll(context).map(Outcome::into_result),
            Err(error) => Poll::Ready(Err(*error)),
        }
    }
}

/// A result of the contract. This trait is sealed.
pub trait Outcome: Clone + Sealed {
    /// The value of a success.
    type Value;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value, SendError>;
}

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

impl Sealed for SendCode {}
impl Outcome for SendCode {
    type Value = ();

    fn into_result(self) -> Result<(), SendError> {
        error::sent(self)
    }
}

impl Sealed for BroadcastCode {}
impl Outcome for BroadcastCode {
    type Value = ();

    fn into_result(self) -> Result<(), SendError> {
        error::broadcast(self)
    }
}

impl Sealed for ServerAnswer {}
impl Outcome for ServerAnswer {
    type Value = Reply;

    fn into_result(self) -> Result<Reply, SendError> {
        error::sent(self.code).map(|()| self.reply)
    }
}
