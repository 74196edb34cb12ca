#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod address;
mod allow;
mod target;

pub use address::{AddressPolicy, Network, NetworkError, Refused, Vetted, is_public};
pub use allow::{AllowEntry, AllowList, EntryError, PlainHttpError};
pub use target::{Origin, TargetUrl, UrlError};
