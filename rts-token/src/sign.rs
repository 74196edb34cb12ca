//! Signing: from the fields of a token to its text.

use alloc::string::String;

use crate::{AppKey, Token, envelope, msg};

impl Token {
    /// The text a client logs in with.
    #[must_use]
    pub fn sign(&self, key: &AppKey) -> String {
        let msg = msg::pack(self);
        envelope::encode(self.app_id(), &msg, &key.sign(&msg))
    }
}
