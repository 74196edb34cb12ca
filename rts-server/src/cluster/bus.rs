//! How packets get from one node to another.

use std::future::Future;

use bytes::Bytes;
use rts_cluster::view::Incarnation;

/// The largest packet, in bytes. A trunk puts at most 256 KiB of entries into one, and each of them
/// takes a few bytes more.
pub const PACKET_BYTES_MAX: usize = 1_024 * 1_024;

/// The destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// One node. Another life of the same node does not get the packet.
    Node(Incarnation),
    /// All nodes. The sender may get the packet too.
    All,
}

/// What happens on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A packet for this node, or for all.
    Packet(Bytes),
    /// Packets are sent and received from now on. What was sent before may be lost.
    Up,
    /// The connection is lost. The bus tries to get another one until it is dropped.
    Down {
        /// The cause, for people.
        why: String,
    },
}

/// Why a packet was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no connection.
    #[error("the bus is not connected")]
    Down,
    /// Too much waits to be written.
    #[error("the bus is congested: its write queue is full")]
    Full,
    /// The packet is larger than the bus takes.
    #[error("the packet has {bytes} bytes, and the bus takes {max}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// Most bytes of a packet at this moment.
        max: usize,
    },
}

/// The connection of one node to all others. It may lose, double and reorder packets, also without
/// an error or a [`BusEvent::Down`].
///
/// A bus begins without a connection, and reports the first one as [`BusEvent::Up`].
pub trait Bus: Send + 'static {
    /// Sends a packet. Never waits: a packet that cannot be queued is an error.
    ///
    /// # Errors
    ///
    /// The packet was not sent. A packet without an error may be lost all the same.
    fn send(&mut self, to: To, packet: Bytes) -> Result<(), SendError>;

    /// Waits for the next event, without a time limit.
    ///
    /// Cancel safe: no event is lost if the future is dropped. Who calls it too rarely loses
    /// packets, and no other events.
    fn next(&mut self) -> impl Future<Output = BusEvent> + Send;

    /// Asks for another connection, to another server if there is one. Returns at once.
    ///
    /// A node calls this if it hears nobody over a connection that seems to work.
    fn reconnect(&mut self);
}
