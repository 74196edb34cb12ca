//! [`LinkOutput`]: the outputs of the core about links.

use bytes::Bytes;
use rts_proto::LinkId;

/// An output about a link, for the [`Driver`](crate::Driver) to carry out. The core's own
/// [`Output`](rts_proto::client::Output) has two more kinds, which do not wait here: events go to
/// the application, and a deadline replaces the previous one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Connect a link to the server. Answer with
    /// [`Input::Connected`](rts_proto::client::Input::Connected),
    /// [`Input::Disconnected`](rts_proto::client::Input::Disconnected) or
    /// [`Driver::link_failed`](crate::Driver::link_failed).
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write the bytes that were transmitted before, then close. No answer is expected.
    Disconnect(LinkId),
}
