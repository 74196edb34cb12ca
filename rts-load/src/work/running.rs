//! The state that all jobs share.

use crate::machine::ServerProcess;
use crate::net::Net;
use crate::target::Target;

/// A job in progress.
pub(super) struct Run<'a, C> {
    pub(super) net: Net<C>,
    pub(super) target: &'a Target,
    pub(super) server: Option<ServerProcess>,
    pub(super) progress: &'a mut dyn FnMut(&'static str, f64),
}
