#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod address;
mod allow;
mod target;

pub use address::{AddressPolicy, NetworkError, Refused, Vetted, is_public};
pub use allow::{AllowList, EntryError};
pub use target::{Origin, TargetUrl, UrlError};
