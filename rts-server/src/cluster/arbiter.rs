//! The register that holds the view of a cluster.

use std::error::Error;
use std::future::Future;

use rts_cluster::membership::{CasResult, Revision};
use rts_cluster::view::{Incarnation, View, ViewId};

/// One register with compare-and-set, shared by all nodes. It is linearizable: a read sees every
/// change that was done before the read began.
///
/// It is used when members change, and for no message or login. It may be unreachable at other
/// times.
///
/// If it loses a change that it has acknowledged, no two nodes own one user, as long as it gives a
/// revision to no second value. But the members that know the lost view end.
pub trait Arbiter: Send + Sync + 'static {
    /// Why the register could not be read.
    type Error: Error + Send + Sync + 'static;

    /// Reads the register. `None` if it was never set.
    ///
    /// Cancel safe. An implementation limits its time to a few seconds; `rts-cluster` asks again
    /// after [`REGISTER_TIMEOUT`](rts_cluster::limits::REGISTER_TIMEOUT).
    ///
    /// # Errors
    ///
    /// The value is not known, or it is not a view. A stale value is an error, and never a result.
    fn read(&self) -> impl Future<Output = Result<Option<(Revision, View)>, Self::Error>> + Send;

    /// Sets the register to this view if it has the expected revision, or, for `None`, was never
    /// set. The value of the expected revision is the view before this one.
    ///
    /// [`CasResult::Unknown`] after every error and timeout: the view may be set, or may even be
    /// set later. The caller reads the register to learn it. The same holds if the future is
    /// dropped.
    fn cas(&self, expected: Option<Revision>, view: View)
    -> impl Future<Output = CasResult> + Send;

    /// The vote of the arbiter in a view of two members: to remove the member that it was first
    /// asked to remove in this view, also by another node. It must not forget that while the view
    /// is the one in the register.
    ///
    /// `None` after every error and timeout, and if it does not vote. Then it is asked again. The
    /// same holds if the future is dropped.
    fn vote(
        &self,
        view: ViewId,
        remove: Incarnation,
    ) -> impl Future<Output = Option<Incarnation>> + Send;
}
