//! Errors as data: the contract's number, and the message for people.

use std::fmt::Display;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{JoinError, LoginError, SendError, ServerParamsError};

fn serialize<S: Serializer>(
    serializer: S,
    name: &'static str,
    code: impl Serialize,
    message: &impl Display,
) -> Result<S::Ok, S::Error> {
    let mut error = serializer.serialize_struct(name, 2)?;
    error.serialize_field("code", &code)?;
    error.serialize_field("message", &format_args!("{message}"))?;
    error.end()
}

macro_rules! as_code_and_message {
    ($($error:ident)+) => {$(
        /// As `code`, the contract's number, and `message`.
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl Serialize for $error {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                serialize(to, stringify!($error), self.code(), self)
            }
        }
    )+};
}

as_code_and_message!(SendError LoginError JoinError ServerParamsError);
