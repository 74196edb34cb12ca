//! The file descriptors of this process, and how many are reserved for which purpose.

/// Descriptors that client links may not use. They are reserved for back ends, posts and
/// certificates. Where the system allows few descriptors, the reserve is a quarter of them.
const DESCRIPTORS_KEPT_BACK: usize = 64;
/// Descriptors that neither client links nor OpenAPI connections may use. With them, posts,
/// `/health` and files work even if strangers hold all connections of the OpenAPI. Where the system
/// allows few descriptors, the reserve is an eighth of them.
const DESCRIPTORS_OF_NO_PEER: usize = 16;

/// The greatest descriptor of a client link.
pub(super) fn link_descriptor_max(descriptors: usize) -> usize {
    last_but(DESCRIPTORS_KEPT_BACK.min(descriptors / 4), descriptors)
}

/// The greatest descriptor of an OpenAPI connection.
pub(crate) fn openapi_descriptor_max(descriptors: Option<usize>) -> usize {
    descriptors.map_or(usize::MAX, |descriptors| {
        last_but(DESCRIPTORS_OF_NO_PEER.min(descriptors / 8), descriptors)
    })
}

/// The greatest descriptor if the last `kept` are reserved. Descriptors begin at 0.
fn last_but(kept: usize, descriptors: usize) -> usize {
    descriptors.saturating_sub(1 + kept)
}

/// The number of descriptors that this process may have open.
pub(crate) fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok().and_then(|limit| usize::try_from(limit).ok());
    #[cfg(not(unix))]
    return None;
}
