//! The link, from no link to a link with a session.

use core::time::Duration;

use bytes::Bytes;

use super::liveness::Liveness;
use crate::client::parameters::{Parameters, Timing};
use crate::client::shared::Shared;
use crate::client::timer::{Deadline, Timer};
use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use crate::planted::{Bug, planted};
use crate::wire::{Decoder, Frame, VERSION};
use crate::{Instant, LinkId, ProtocolError};

/// Data of a link is in its variant, and is dropped with it.
///
/// ```text
///          login                 Connected            LoginAnswer ok
/// None ----------> Connecting -------------> Greeting ---------------> Online
///   ^                ^     |                    |                        |
///   |         back-off     v     lost           v          lost          v
///   |                Waiting <-------------------------------------------+
///   +---- logout, refusal, displaced, put out: any state
/// ```
pub(super) enum Link {
    None,
    /// The server asked for this part of the wait.
    Waiting {
        until: Instant,
        asked_for: Duration,
    },
    Connecting {
        id: LinkId,
        since: Instant,
    },
    Greeting(Greeting),
    Online(Online),
}

impl Link {
    pub(super) fn id(&self) -> Option<LinkId> {
        match self {
            Self::None | Self::Waiting { .. } => None,
            Self::Connecting { id, .. } => Some(*id),
            Self::Greeting(greeting) => Some(greeting.id),
            Self::Online(online) => Some(online.id),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online(_))
    }

    /// When the next one is made, if it is waited for; and the part of that wait that the server
    /// asked for.
    pub(super) fn waits_until(&self) -> Option<(Instant, Duration)> {
        match self {
            Self::Waiting { until, asked_for } => Some((*until, *asked_for)),
            Self::None | Self::Connecting { .. } | Self::Greeting(_) | Self::Online(_) => None,
        }
    }

    pub(super) fn online_mut(&mut self) -> Option<&mut Online> {
        match self {
            Self::Online(online) => Some(online),
            Self::None | Self::Waiting { .. } | Self::Connecting { .. } | Self::Greeting(_) => None,
        }
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        match self {
            Self::None | Self::Waiting { .. } | Self::Connecting { .. } => 0,
            Self::Greeting(greeting) => greeting.decoder.buffered_bytes(),
            Self::Online(online) => online.decoder.buffered_bytes(),
        }
    }

    /// The login is answered: the link carries the session's frames from now on. False when no
    /// login was sent on it.
    pub(super) fn go_online(&mut self, now: Instant) -> bool {
        let Self::Greeting(Greeting { id, decoder, .. }) = self else { return false };
        let decoder = core::mem::take(decoder);
        *self = Self::Online(Online { id: *id, decoder, liveness: Liveness::new(now) });
        true
    }

    /// The next whole frame of this link; `None` when it is no longer the present link.
    pub(super) fn next_frame(&mut self, link: LinkId) -> Result<Option<Frame>, ProtocolError> {
        match self {
            Self::Greeting(Greeting { id, decoder, .. }) if *id == link => {
                decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN)
            }
            Self::Online(Online { id, decoder, .. }) if *id == link => {
                decoder.next(FRAME_BYTES_MAX)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn next_timer(&self, parameters: &Parameters) -> Option<Deadline> {
        match self {
            Self::None => None,
            Self::Waiting { until, .. } => Some((*until, Timer::Backoff)),
            Self::Connecting { since, .. } => {
                Some((*since + parameters.get(Timing::Connect), Timer::Connect))
            }
            Self::Greeting(greeting) => {
                Some((greeting.since + parameters.get(Timing::Login), Timer::Login))
            }
            Self::Online(online) => online.liveness.next_timer(parameters),
        }
    }
}

/// Hello and Login are sent, and not answered.
pub(crate) struct Greeting {
    id: LinkId,
    since: Instant,
    decoder: Decoder,
    hello_heard: bool,
    /// The token of the Login frame. A newer one may have come since.
    token: Bytes,
}

impl Greeting {
    pub(super) fn new(id: LinkId, token: Bytes, now: Instant) -> Self {
        Self { id, since: now, decoder: Decoder::new(), hello_heard: false, token }
    }

    pub(super) fn token(&self) -> &Bytes {
        &self.token
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.decoder.push(bytes);
    }

    /// Checks a frame before the login: Hello, then the answer, and Close at any time.
    pub(crate) fn check(&mut self, frame: &Frame) -> Result<(), ProtocolError> {
        match frame {
            Frame::Hello { version: VERSION, .. } if !self.hello_heard => {
                self.hello_heard = true;
                Ok(())
            }
            Frame::Hello { version, .. } if !self.hello_heard => {
                Err(ProtocolError::UnsupportedVersion { version: *version })
            }
            Frame::LoginAnswer(_) if self.hello_heard => Ok(()),
            Frame::Close { .. } => Ok(()),
            other => Err(ProtocolError::UnexpectedFrame { kind: other.kind() }),
        }
    }
}

/// A link that carries the session's frames.
pub(super) struct Online {
    id: LinkId,
    decoder: Decoder,
    liveness: Liveness,
}

impl Online {
    pub(super) fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.liveness.bytes_received();
        self.decoder.push(bytes);
    }

    /// Sends a frame that is not sequenced.
    pub(super) fn transmit(&mut self, frame: Frame, shared: &mut Shared) {
        self.liveness.sent(shared.now());
        shared.transmit(self.id, frame.encode());
    }

    /// Sends a sequenced frame, with an owed acknowledgement in front of it. So the acknowledgement
    /// needs no segment of its own (§4.4).
    pub(super) fn transmit_sequenced(
        &mut self,
        bytes: Bytes,
        ack: Option<u64>,
        shared: &mut Shared,
    ) {
        self.liveness.sequenced_sent(shared.now());
        if let Some(received) = ack {
            shared.transmit(self.id, Frame::Ack { received }.encode());
        }
        shared.transmit(self.id, bytes);
    }

    pub(super) fn send_heartbeat(&mut self, shared: &mut Shared) {
        let now = shared.now();
        if planted(Bug::NoHeartbeat) {
            return self.liveness.skip_heartbeat(now);
        }
        self.liveness.ping_sent(now);
        shared.transmit(self.id, Frame::Ping.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoginCode;
    use crate::wire::LoginAnswer;

    const ID: LinkId = LinkId(1);

    fn greeting() -> Greeting {
        Greeting::new(ID, Bytes::new(), Instant::ORIGIN)
    }

    fn hello(version: u32) -> Frame {
        Frame::Hello { version, features: 0 }
    }

    fn answer() -> Frame {
        Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::Unknown))
    }

    #[test]
    fn server_sends_one_hello_and_then_the_login_answer() {
        let mut greeting = greeting();
        assert!(greeting.check(&answer()).is_err());
        assert_eq!(greeting.check(&hello(VERSION)), Ok(()));
        assert!(greeting.check(&hello(VERSION)).is_err());
        assert_eq!(greeting.check(&answer()), Ok(()));
        assert!(greeting.check(&Frame::Pong).is_err());
    }

    #[test]
    fn a_server_may_close_before_it_greets() {
        let close = Frame::Close { code: 1, reason: Bytes::new(), retry_after_ms: 0 };
        assert_eq!(greeting().check(&close), Ok(()));
    }

    #[test]
    fn another_version_is_refused() {
        let expected = ProtocolError::UnsupportedVersion { version: VERSION + 1 };
        assert_eq!(greeting().check(&hello(VERSION + 1)), Err(expected));
    }

    #[test]
    fn bytes_after_the_login_answer_belong_to_the_session() {
        let mut link = Link::Greeting(greeting());
        let Link::Greeting(greeting) = &mut link else { unreachable!("it is greeting") };
        greeting.push(Frame::Pong.encode());
        assert!(link.go_online(Instant::ORIGIN) && link.is_online());
        assert!(!link.go_online(Instant::ORIGIN), "it greeted once");
        assert_eq!(link.next_frame(LinkId(2)), Ok(None));
        assert_eq!(link.next_frame(ID), Ok(Some(Frame::Pong)));
        assert_eq!(link.next_frame(ID), Ok(None));
    }
}
