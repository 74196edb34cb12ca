//! An observer of both wires of one engine. Frames carry no numbers, so it counts them (§4.2).

use bytes::Bytes;
use rts_proto::LinkId;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Accepted, Decoder, Frame, LoginAnswer};

/// One direction of a session.
#[derive(Default)]
struct Way {
    /// Every sequenced frame that was on a wire, by its number.
    frames: Vec<Bytes>,
    /// The number of the next frame on the newest link.
    next: usize,
    /// The number of frames that the receiver has.
    arrived: usize,
    /// The number of frames that the receiver acknowledged.
    acknowledged: usize,
    known: usize,
}

impl Way {
    fn carries(&mut self, frame: &Bytes) {
        assert!(self.next >= self.known, "known to have arrived, and sent again");
        match self.frames.get(self.next) {
            Some(first) => assert_eq!(first, frame, "number {} was another frame", self.next),
            None => self.frames.push(frame.clone()),
        }
        self.next += 1;
    }

    /// On a new link, the receiver sends its count, and gets the later frames.
    fn goes_on(&mut self, count: u64) {
        assert_eq!(count, self.arrived as u64, "a count of what did not arrive");
        self.acknowledged = self.arrived;
        self.next = self.arrived;
    }

    fn acknowledged(&mut self, count: u64) {
        assert_eq!(count, self.arrived as u64, "an acknowledgement of what did not arrive");
        assert!(self.arrived > self.acknowledged, "acknowledged twice");
        self.acknowledged = self.arrived;
    }
}

/// A session, from the server's answer on.
pub(crate) struct Session {
    number: u64,
    /// The newest link that carries it.
    link: LinkId,
    up: Way,
    down: Way,
}

impl Session {
    fn new(accepted: &Accepted, link: LinkId) -> Self {
        let (up, down) = Default::default();
        Self { number: accepted.session, link, up, down }
    }

    pub(crate) fn engine_says(&mut self, bytes: &Bytes) {
        for frame in frames(bytes) {
            match frame {
                Frame::Login(login) => {
                    let resume = login.resume.as_ref();
                    // The answer with the newest session's number may have been lost.
                    if let Some(resume) = resume.filter(|resume| resume.session == self.number) {
                        assert_eq!(resume.received, self.down.arrived as u64);
                    }
                }
                Frame::Ack { received } => self.down.acknowledged(received),
                frame if frame.is_sequenced() => self.up.carries(&frame.encode()),
                _ => {}
            }
        }
    }

    pub(crate) fn server_hears(&mut self, link: LinkId, bytes: &Bytes) {
        if link != self.link {
            return;
        }
        for frame in frames(bytes) {
            self.up.arrived += usize::from(frame.is_sequenced());
            if let Frame::Ack { received } = frame {
                self.down.known = received as usize;
            }
        }
    }

    pub(crate) fn engine_hears(&mut self, bytes: &Bytes) {
        for frame in frames(bytes) {
            self.down.arrived += usize::from(frame.is_sequenced());
            match frame {
                Frame::Ack { received } => self.up.known = received as usize,
                Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => {
                    self.up.known = accepted.received as usize;
                }
                _ => {}
            }
        }
    }

    fn goes_on(&mut self, accepted: &Accepted, link: LinkId) {
        assert_eq!(self.number, accepted.session);
        self.link = link;
        self.up.goes_on(accepted.received);
        // The engine's count was in its login, and has not changed.
        self.down.goes_on(self.down.arrived as u64);
        self.down.known = self.down.arrived;
    }

    /// All frames have arrived, and both sides know it.
    pub(crate) fn check_settled(&self) {
        for way in [&self.up, &self.down] {
            let all = way.frames.len();
            assert_eq!([way.next, way.arrived, way.acknowledged, way.known], [all; 4]);
        }
    }
}

pub(crate) fn server_says(session: &mut Option<Session>, link: LinkId, bytes: &Bytes) {
    for frame in frames(bytes) {
        if let Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) = &frame {
            match session {
                Some(session) if accepted.resumed => session.goes_on(accepted, link),
                _ => *session = Some(Session::new(accepted, link)),
            }
        }
        let session = session.as_mut().filter(|session| session.link == link);
        match (frame, session) {
            (Frame::Ack { received }, Some(session)) => session.up.acknowledged(received),
            (frame, Some(session)) if frame.is_sequenced() => session.down.carries(&frame.encode()),
            _ => {}
        }
    }
}

fn frames(bytes: &Bytes) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    decoder.push(bytes.clone());
    std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("well formed")).collect()
}
