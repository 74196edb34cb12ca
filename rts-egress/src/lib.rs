//! Where a server may post to.
//!
//! A client names the url to which the server, from inside the operator's network, is to post what
//! the client writes. So nothing that a client says is ever resolved or connected to unless all of
//! this says yes:
//!
//! ```text
//! text --TargetUrl::parse--> TargetUrl --AllowList::find--> a listed origin and path
//!                                             |
//!            resolver's answers --AddressPolicy::vet--> Vetted, the only thing that can be dialled
//! ```
//!
//! What this crate does not do: it resolves no name and opens no connection.
#![forbid(unsafe_code)]

mod address;
mod allow;
mod target;

pub use address::{AddressPolicy, NetworkError, Refused, Vetted, is_public};
pub use allow::{AllowList, EntryError};
pub use target::{Origin, TargetUrl, UrlError};
