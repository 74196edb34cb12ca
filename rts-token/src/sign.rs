//! Signing: makes the text of a token from its fields.

use alloc::string::String;

use crate::{AppKey, Token, envelope, msg};

impl Token {
    /// The text with which a client logs in.
    #[must_use]
    pub fn sign(&self, key: &AppKey) -> String {
        let msg = msg::pack(self);
        envelope::encode(self.app_id(), &msg, &key.sign(&msg))
    }
}
