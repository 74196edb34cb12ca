//! The link: making it, losing it, and making it again.

use bytes::Bytes;

use super::login::Login;
use super::{Client, Event, Output};
use crate::planted::{Bug, planted};
use crate::wire::{Decoder, Frame, VERSION};
use crate::{ConnectionState, Disconnect, Instant, LinkId, LogoutReason, Retry};
use core::time::Duration;

/// What only makes sense on a link lives in its variant, and dies with it.
///
/// ```text
///          login                 Connected            LoginAnswer ok
/// None ----------> Connecting -------------> Greeting ---------------> Online
///   ^                ^     |                    |                        |
///   |         back-off     v     lost           v          lost          v
///   |                Waiting <-------------------------------------------+
///   +---- logout, refusal, displaced, put out: any state
/// ```
#[derive(Debug)]
pub(super) enum Link {
    None,
    Waiting { until: Instant },
    Connecting { id: LinkId, since: Instant },
    Greeting(Greeting),
    Online(Online),
}

/// Hello and Login are out, and not answered.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) id: LinkId,
    pub(super) since: Instant,
    pub(super) decoder: Decoder,
    pub(super) hello_heard: bool,
    /// The token that the Login carried: a newer one may have come since.
    pub(super) token: Bytes,
}

/// The session's frames flow.
#[derive(Debug)]
pub(super) struct Online {
    pub(super) id: LinkId,
    pub(super) decoder: Decoder,
    pub(super) last_sent: Instant,
    /// When the first Ping that has no Pong went out. A Pong answers all Pings before it.
    ping_since: Option<Instant>,
    /// Since when sequenced frames wait for an Ack, and none came for any of them.
    ack_since: Option<Instant>,
    /// Since when nothing showed that what goes out arrives, though something went out.
    unconfirmed_since: Option<Instant>,
    /// Set while a changed network has to show that it carries the link.
    pub(super) probe_until: Option<Instant>,
}

impl Online {
    pub(super) fn new(id: LinkId, decoder: Decoder, now: Instant) -> Self {
        Self {
            id,
            decoder,
            last_sent: now,
            ping_since: None,
            ack_since: None,
            unconfirmed_since: None,
            probe_until: None,
        }
    }

    fn sent(&mut self, now: Instant) {
        self.last_sent = now;
        self.unconfirmed_since.get_or_insert(now);
    }

    /// When the next Ping is due: when nothing was sent for so long, or when nothing has shown for
    /// so long that what is sent arrives. One is enough for that.
    pub(super) fn heartbeat_due(&self, every: Duration) -> Instant {
        let idle = self.last_sent + every;
        match (self.unconfirmed_since, self.ping_since) {
            (Some(since), None) => idle.min(since + every),
            _ => idle,
        }
    }

    /// Since when a Ping has no Pong, or a sequenced frame no Ack.
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        let ping = self.ping_since.filter(|_| !planted(Bug::PingUnansweredIgnored));
        let ack = self.ack_since.filter(|_| !planted(Bug::AckUnansweredIgnored));
        [ping, ack].into_iter().flatten().min()
    }

    pub(super) fn pong_received(&mut self) {
        self.ping_since = None;
        self.unconfirmed_since = None;
    }

    /// `waiting`: frames that were sent and are not acknowledged even now.
    pub(super) fn ack_received(&mut self, now: Instant, waiting: bool) {
        self.ack_since = waiting.then_some(now);
        // What went up before the Ping arrives only now: the way up is slow, not dead.
        self.ping_since = self.ping_since.map(|_| now);
        self.unconfirmed_since = self.ack_since;
    }
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

    pub(super) fn buffered_bytes(&self) -> usize {
        match self {
            Self::None | Self::Waiting { .. } | Self::Connecting { .. } => 0,
            Self::Greeting(greeting) => greeting.decoder.buffered_bytes(),
            Self::Online(online) => online.decoder.buffered_bytes(),
        }
    }
}

impl Client {
    pub(super) fn connect(&mut self, now: Instant) {
        self.last_link += 1;
        let id = LinkId(self.last_link);
        self.link = Link::Connecting { id, since: now };
        self.outputs.push_back(Output::Connect(id));
    }

    pub(super) fn link_connected(&mut self, now: Instant, link: LinkId) {
        let Link::Connecting { id, .. } = self.link else { return };
        if id != link {
            return;
        }
        let Some(login) = self.login_frame(id) else { return };
        self.link = Link::Greeting(Greeting {
            id,
            since: now,
            decoder: Decoder::new(),
            hello_heard: false,
            token: login.token.clone(),
        });
        let hello = Frame::Hello { version: VERSION, features: 0 };
        self.outputs.push_back(Output::Transmit(id, hello.encode()));
        self.outputs.push_back(Output::Transmit(id, Frame::Login(login).encode()));
    }

    pub(super) fn link_disconnected(&mut self, now: Instant, link: LinkId) {
        if self.link.id() == Some(link) {
            self.link = Link::None;
            self.link_lost(now, Disconnect::Broken);
        }
    }

    /// The link was given up; what follows depends on why.
    pub(super) fn link_lost(&mut self, now: Instant, why: Disconnect) {
        self.drop_link();
        self.last_disconnect = Some(why);
        match why.retry() {
            Retry::LoggedOut(LogoutReason::Displaced) if planted(Bug::DisplacedComesBack) => {}
            Retry::LoggedOut(reason) => return self.logged_out(now, reason),
            Retry::Never => return self.give_up(now),
            Retry::WithBackoff => {}
        }
        if let Login::LoggedIn { session, .. } = &mut self.login
            && why.ends_session()
        {
            session.give_up_resuming();
        }
        self.finish_leaving(now);
        let asked = match why {
            Disconnect::ByPeer { retry_after, .. } => retry_after,
            Disconnect::Broken | Disconnect::TimedOut | Disconnect::PeerMisbehaved(_) => {
                Duration::ZERO
            }
        };
        self.wait_and_connect(now, asked);
    }

    fn wait_and_connect(&mut self, now: Instant, at_least: Duration) {
        let jittered = self.backoff.next(now, self.parameters.backoff_max, &mut self.random);
        let wait = at_least + jittered;
        if wait.is_zero() || planted(Bug::NoBackoff) {
            self.connect(now);
        } else {
            self.link = Link::Waiting { until: now + wait };
        }
    }

    /// Closes the link, if there is one, and forgets it.
    pub(super) fn drop_link(&mut self) {
        if let Some(id) = self.link.id() {
            self.outputs.push_back(Output::Disconnect(id));
        }
        self.link = Link::None;
    }

    pub(super) fn link_timed_out(&mut self, now: Instant) {
        self.link_lost(now, Disconnect::TimedOut);
    }

    /// A mark of the timeline is reached. The first one also says that an open link is dead.
    pub(super) fn silence_goes_on(&mut self, now: Instant) {
        let state = self.timeline.pass_mark();
        self.emit(Event::ConnectionStateChanged(state));
        if matches!(self.link, Link::Online(_)) {
            self.link_lost(now, Disconnect::TimedOut);
        }
    }

    pub(super) fn network_changed(&mut self, now: Instant) {
        self.backoff.reset();
        match &mut self.link {
            Link::None => {}
            Link::Online(online) => {
                online.probe_until = Some(now + self.parameters.probe_timeout);
                self.send_heartbeat(now);
            }
            Link::Waiting { .. } | Link::Connecting { .. } | Link::Greeting(_) => {
                self.drop_link();
                self.wait_and_connect(now, Duration::ZERO);
            }
        }
    }

    pub(super) fn send_heartbeat(&mut self, now: Instant) {
        if planted(Bug::NoHeartbeat) {
            if let Link::Online(online) = &mut self.link {
                online.last_sent = now;
                online.unconfirmed_since = None;
            }
            return;
        }
        if let Link::Online(online) = &mut self.link {
            online.ping_since.get_or_insert(now);
        }
        self.transmit(now, Frame::Ping);
    }

    pub(super) fn acknowledge(&mut self, now: Instant) {
        let Login::LoggedIn { session, .. } = &mut self.login else { return };
        if let Some(received) = session.take_ack() {
            self.transmit(now, Frame::Ack { received });
        }
    }

    /// Sends a frame that is not sequenced, if the link is up.
    pub(super) fn transmit(&mut self, now: Instant, frame: Frame) {
        let Link::Online(online) = &mut self.link else { return };
        online.sent(now);
        self.outputs.push_back(Output::Transmit(online.id, frame.encode()));
    }

    /// Sends what may be sent now: from the backlog through the window.
    pub(super) fn release(&mut self, now: Instant) {
        let (Login::LoggedIn { session, .. }, Link::Online(online)) =
            (&mut self.login, &mut self.link)
        else {
            return;
        };
        loop {
            session.advance(now, &mut self.pending, &mut self.flights);
            let mut has_moved = false;
            while let Some(bytes) = session.next_transmit(now) {
                has_moved = true;
                online.sent(now);
                online.ack_since.get_or_insert(now);
                // It goes along, so that it needs no segment of its own (§4.4).
                if let Some(received) = session.take_ack() {
                    let ack = Frame::Ack { received }.encode();
                    self.outputs.push_back(Output::Transmit(online.id, ack));
                }
                self.outputs.push_back(Output::Transmit(online.id, bytes));
            }
            // What went out of the window made way for what waits behind it.
            if !has_moved || session.backlog.is_empty() {
                return;
            }
        }
    }

    /// The server will not have this client at all.
    fn give_up(&mut self, now: Instant) {
        self.finish_leaving(now);
        self.emit(Event::ConnectionStateChanged(ConnectionState::Failed));
        self.end_session(now, super::login::Ending::Abnormal);
    }
}
