#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod arguments;
#[cfg(feature = "host")]
mod host;
mod record;
mod table;

pub use arguments::{Arguments, CallError, Wanted, number};
#[cfg(feature = "host")]
#[cfg_attr(docsrs, doc(cfg(feature = "host")))]
pub use host::{CreateError, Polled, call, create, is_current, poll, release, sdk_version};
pub use record::Record;
pub use table::{CallKind, EventKind, Field, Parameter, Returns};
