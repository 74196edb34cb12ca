//! One link of a reactor: its socket, here or with the handshakes, and what is to become of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use foldhash::fast::FixedState;
use rts_proto::LinkId;
use rts_proto::server::Input;

use crate::bell::{Bell, Cord};
use crate::driven::Order;
use crate::link::{Link, Overflow};
use crate::meter::Meter;
use crate::runtime::{Runtime, Stream};
use crate::shard::{Arrival, Counted};
use crate::user_log::Peer;

/// The numbers are ours: nobody can choose them to collide.
pub(super) type Links<R> = HashMap<LinkId, Box<Served<R>>, FixedState>;

pub(super) struct Served<R: Runtime> {
    pub(super) seat: Seat<R::Stream>,
    /// Read, and not given to the core.
    pub(super) held: Bytes,
    pub(super) meter: Meter,
    /// Somebody has logged in.
    pub(super) is_attached: bool,
    pub(super) cord: Arc<Cord>,
    /// Pulls the cord.
    pub(super) waker: Waker,
    pub(super) address: SocketAddr,
    pub(super) counted: Counted<R>,
    pub(super) fate: Fate,
    /// Whether it is among the links that have orders.
    pub(super) is_ordered: bool,
    /// Whether it is among those that have some for longer.
    pub(super) is_unwritten: bool,
    /// The last turn in which something came from it.
    pub(super) read_in_turn: u64,
}

/// Where the link itself is.
pub(super) enum Seat<S> {
    Here(Link<S>),
    /// With the handshakes.
    Away(Away),
}

/// What happened meanwhile.
#[derive(Default)]
pub(super) struct Away {
    /// To be written.
    pub(super) said: Vec<Bytes>,
    pub(super) has_rung: bool,
}

/// What happens to a link at the end of a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// When everything is written.
    Closes,
    /// At once.
    IsCut,
}

impl<R: Runtime> Served<R> {
    pub(super) fn new(arrival: Arrival<R>, bell: &Arc<Bell>) -> Self {
        let cord = Cord::new(arrival.id, bell);
        Self {
            seat: Seat::Here(arrival.link),
            held: Bytes::new(),
            meter: Meter::default(),
            is_attached: false,
            waker: Waker::from(Arc::clone(&cord)),
            cord,
            address: arrival.peer,
            counted: arrival.counted,
            fate: Fate::Stays,
            is_ordered: false,
            is_unwritten: false,
            read_in_turn: 0,
        }
    }

    /// Where it comes from, for the log.
    pub(super) fn peer(&self) -> Peer {
        Peer { address: self.address, is_exempt: self.counted.is_exempt() }
    }

    /// The link is back. What was said meanwhile is to be written; returns whether it rang.
    pub(super) fn sit_down(&mut self, link: Link<R::Stream>) -> bool {
        let Seat::Away(away) = std::mem::replace(&mut self.seat, Seat::Here(link)) else {
            return false;
        };
        away.said.into_iter().for_each(|bytes| self.say(bytes));
        away.has_rung
    }

    fn say(&mut self, bytes: Bytes) {
        match &mut self.seat {
            Seat::Here(link) => {
                if let Err(Overflow) = link.push(bytes) {
                    tracing::debug!(peer = %self.address, "does not keep up: dropped");
                    self.fate = Fate::IsCut;
                }
            }
            // Before a login that is little.
            Seat::Away(away) => away.said.push(bytes),
        }
    }
}

/// What the core has to know of how much waits on a link.
pub(super) fn congestion<S: Stream>(id: LinkId, link: &mut Link<S>) -> Option<Input> {
    link.congestion_changed().map(|is_congested| Input::Congested(id, is_congested))
}

/// Called under the shard's lock: only looks up and pushes. Returns what the core has to know of
/// it.
pub(super) fn take_order<R: Runtime>(
    links: &mut Links<R>,
    ordered: &mut Vec<LinkId>,
    order: Order,
) -> Option<Input> {
    let (Order::Transmit(id, _) | Order::Close(id) | Order::Cut(id)) = order;
    let served = links.get_mut(&id)?;
    let mut said = None;
    match order {
        _ if served.fate != Fate::Stays => {}
        Order::Transmit(_, bytes) => {
            served.say(bytes);
            if let Seat::Here(link) = &mut served.seat {
                said = congestion(id, link);
            }
        }
        Order::Close(_) => served.fate = Fate::Closes,
        Order::Cut(_) => served.fate = Fate::IsCut,
    }
    if !std::mem::replace(&mut served.is_ordered, true) {
        ordered.push(id);
    }
    said
}
