//! Files and sockets that this process may open, and for what the last of them are kept.

/// Files and sockets that are kept back from links, of those that the system allows this process:
/// for back ends, posts and certificates. Where the system allows few, it is a quarter.
const DESCRIPTORS_KEPT_BACK: usize = 64;
/// Of these, those that are kept back from back ends too: posts, `/health` and files go on while
/// strangers hold all that the OpenAPI has. Where the system allows few, it is an eighth.
const DESCRIPTORS_OF_NO_PEER: usize = 16;

/// The greatest descriptor that a client's link may have.
pub(super) fn link_descriptor_max(descriptors: usize) -> usize {
    last_but(DESCRIPTORS_KEPT_BACK.min(descriptors / 4), descriptors)
}

/// The greatest descriptor that a connection of the OpenAPI may have.
pub(crate) fn openapi_descriptor_max(descriptors: Option<usize>) -> usize {
    descriptors.map_or(usize::MAX, |descriptors| {
        last_but(DESCRIPTORS_OF_NO_PEER.min(descriptors / 8), descriptors)
    })
}

/// The greatest descriptor when the last `kept` are for other things; the first is 0.
fn last_but(kept: usize, descriptors: usize) -> usize {
    descriptors.saturating_sub(1 + kept)
}

/// Files and sockets that this process may have open.
pub(crate) fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok().and_then(|limit| usize::try_from(limit).ok());
    #[cfg(not(unix))]
    return None;
}
