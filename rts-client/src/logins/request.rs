//! What a token provider is asked.

/// What a token is wanted for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    uid: String,
    why: TokenReason,
}

/// Why a token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenReason {
    /// [`Engine::login_as`](crate::Engine::login_as) was called.
    Login,
    /// The present token expires soon.
    Expiring,
    /// The server refused the last one.
    Refused,
}

impl TokenRequest {
    pub(super) fn new(uid: &str, why: TokenReason) -> Self {
        Self { uid: uid.to_owned(), why }
    }

    /// The user that the token has to be for.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Why it is wanted.
    #[must_use]
    pub fn reason(&self) -> TokenReason {
        self.why
    }
}
