//! A notice of the core, with facts that the core does not have: the addresses of links, and how
//! they ended.

use std::net::SocketAddr;

use rts_proto::LinkId;
use rts_proto::server::Notice;
use tracing::field::DisplayValue;

use crate::server::link_end::LinkEnd;

/// The peer of a link.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The limits of a network do not apply to the peer. It may be a proxy, with lines about many
    /// clients.
    pub(crate) is_exempt: bool,
}

/// The peer and the link of a notice, as fields of a line.
pub(super) struct At {
    pub(super) address: Option<DisplayValue<SocketAddr>>,
    pub(super) link: Option<DisplayValue<LinkId>>,
}

/// The driver's facts about a link.
#[derive(Clone)]
pub(crate) struct LinkFacts {
    pub(crate) peer: Peer,
    /// How the link ended, if it has.
    pub(crate) end: Option<LinkEnd>,
}

/// A notice, and the facts about its links.
pub(crate) struct AddressedNotice {
    pub(super) notice: Notice,
    pub(super) link: Option<LinkId>,
    /// The peer of the notice's link, unless the link is gone.
    pub(super) peer: Option<Peer>,
    pub(super) end: Option<LinkEnd>,
    /// The peer of the link of a displaced session.
    pub(super) former: Option<Peer>,
}

impl AddressedNotice {
    pub(crate) fn new(
        notice: Notice,
        mut facts_of: impl FnMut(LinkId) -> Option<LinkFacts>,
    ) -> Self {
        let (link, former) = match &notice {
            Notice::LoggedIn { link, .. }
            | Notice::LoginRefused { link, .. }
            | Notice::LoginQueued { link, .. }
            | Notice::Congested { link, .. }
            | Notice::LinkLost { link, .. }
            | Notice::Closed { link, .. } => (Some(*link), None),
            Notice::Displaced { by, link, .. } => (*by, *link),
            Notice::OverRate { link, .. }
            | Notice::Banned { link, .. }
            | Notice::Detail { link, .. } => (*link, None),
            Notice::SessionEnded { .. } | Notice::Reported { .. } => (None, None),
        };
        let former = former.and_then(&mut facts_of).map(|facts| facts.peer);
        let (peer, end) = match link.and_then(facts_of) {
            Some(LinkFacts { peer, end }) => (Some(peer), end),
            None => (None, None),
        };
        Self { notice, link, peer, end, former }
    }
}
