//! What the core wants done about links.

use bytes::Bytes;
use rts_proto::LinkId;

/// What a [`Driver`](crate::Driver) has to do about a link. The core's own
/// [`Output`](rts_proto::client::Output) is taken apart where it is polled: events are for the
/// application, and a deadline replaces the one before, so neither waits here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Make a link to the server. Answer with
    /// [`Input::Connected`](rts_proto::client::Input::Connected),
    /// [`Input::Disconnected`](rts_proto::client::Input::Disconnected) or
    /// [`Driver::link_failed`](crate::Driver::link_failed).
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close. No answer is expected.
    Disconnect(LinkId),
}
