//! A client as the driver's stream: what the server writes is heard at once, in the thread of the
//! shard, and what it reads is made when it reads.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rts_driver::Stream;
use rts_proto::limits::ACK_FRAMES_MAX;
use rts_proto::wire::{Frame, Login, LoginAnswer, VERSION};
use rts_proto::{AppId, RoomState, UserId};

use super::player::Player;
use super::tally::Tally;
use super::wire::{self, Heard};

/// A client in memory.
#[derive(Debug)]
pub(super) struct Client {
    phase: Phase,
    player: Player,
    tally: Arc<Tally>,
    /// Bytes for the server, from `given` on.
    out: Vec<u8>,
    given: usize,
    /// Sequenced frames that were received, and those that were acknowledged.
    received: u64,
    acknowledged: u64,
    /// Whether the acknowledgement must not wait for the next message (§4.4).
    is_ack_awaited: bool,
    /// Of the reader, while it waits.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the answer to its login, or to its join.
    Entering,
    Ready,
    /// The server has ended the link.
    Over,
}

impl Client {
    pub(super) fn new(app_id: AppId, uid: UserId, player: Player, tally: Arc<Tally>) -> Self {
        let token = Bytes::from_static(b"good");
        let login = Login { app_id, uid, token, resume: None, claim: 0, engine: 0, attempt: 0 };
        let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
        Self {
            phase: Phase::Entering,
            player,
            tally,
            out: [hello, Frame::Login(login).encode()].concat(),
            given: 0,
            received: 0,
            acknowledged: 0,
            is_ack_awaited: false,
            waker: None,
        }
    }

    /// Makes the bytes that the client has to send now.
    fn make_out(&mut self, waker: &Waker) {
        if self.phase == Phase::Ready && self.tally.may_send(waker) {
            self.player.send(&mut self.out);
        }
        let has_news = self.received > self.acknowledged;
        if has_news && (self.is_ack_awaited || !self.out.is_empty()) {
            self.acknowledged = self.received;
            self.is_ack_awaited = false;
            self.out.extend_from_slice(&crate::hall::ack(self.received));
        }
    }

    /// Takes whole frames.
    fn hear(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some(frame) = wire::next(&mut bytes)? {
            match frame {
                Heard::Delivery(payload) => {
                    self.received += 1;
                    self.is_ack_awaited = true;
                    self.player.delivered(payload)?;
                }
                Heard::RoomDelivery(payload) => {
                    self.received += 1;
                    self.is_ack_awaited |= self.received - self.acknowledged >= ACK_FRAMES_MAX;
                    self.player.delivered(payload)?;
                }
                Heard::Results(results) => {
                    self.received += 1;
                    self.player.resulted(results)?;
                }
                Heard::Other(frame) => self.hear_rare(frame)?,
            }
        }
        Ok(())
    }

    fn hear_rare(&mut self, frame: &[u8]) -> Result<(), String> {
        let frame = Frame::decode(Bytes::copy_from_slice(frame));
        let Some(frame) = frame.map_err(|error| error.to_string())? else { return Ok(()) };
        self.received += u64::from(frame.is_sequenced());
        match frame {
            Frame::LoginAnswer(LoginAnswer::Accepted(_)) => match self.player.join() {
                Some(join) => self.out.extend_from_slice(&join.encode()),
                None => self.ready(),
            },
            Frame::JoinAnswer { state: RoomState::Joined, .. } => self.ready(),
            Frame::Close { .. } => self.phase = Phase::Over,
            Frame::LoginAnswer(_) | Frame::JoinAnswer { .. } => {
                return Err(format!("not allowed to enter: {frame:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn ready(&mut self) {
        self.phase = Phase::Ready;
        self.tally.is_ready();
    }
}

impl Stream for Client {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.given == self.out.len() {
            self.out.clear();
            self.given = 0;
            self.make_out(context.waker());
        }
        let rest = &self.out[self.given..];
        if rest.is_empty() {
            if self.phase == Phase::Over {
                return Poll::Ready(Ok(0));
            }
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.given += len;
        Poll::Ready(Ok(len))
    }

    fn poll_write_vectored(
        &mut self,
        _context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        for slice in slices {
            if let Err(fault) = self.hear(slice) {
                self.tally.found(fault);
            }
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn descriptor(&self) -> Option<usize> {
        None
    }

    fn poll_shutdown(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.phase = Phase::Over;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }
}
