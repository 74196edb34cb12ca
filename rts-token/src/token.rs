use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::TokenError;
use crate::limits::{
    APP_ID_BYTES, MAX_MSG_BYTES, MAX_PRIVILEGES, MAX_USER_ID_BYTES, MSG_HEAD_BYTES, PRIVILEGE_BYTES,
};

/// Numbers of the known privileges. RTS itself uses none of them.
pub mod privilege {
    /// Publish streams. [Granting](super::Token::grant) it also grants the next three.
    pub const PUBLISH_STREAM: u16 = 0;
    /// Publish audio.
    pub const PUBLISH_AUDIO_STREAM: u16 = 1;
    /// Publish video.
    pub const PUBLISH_VIDEO_STREAM: u16 = 2;
    /// Publish data.
    pub const PUBLISH_DATA_STREAM: u16 = 3;
    /// Subscribe to streams.
    pub const SUBSCRIBE_STREAM: u16 = 4;
}

/// The end of a token's validity. There is no default: a token without an end stays valid as long
/// as the app keeps its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The last second in which the token is valid, in Unix seconds; not 0.
    At(u32),
    /// The token is valid for ever.
    Never,
}

/// The fields of a token. All times are Unix seconds, and 0 means never.
///
/// A value of this type proves nothing, because [`Token::new`] makes one from any fields. Only the
/// result of [`verify`] or [`Unverified::verify`] was signed.
///
/// [`verify`]: crate::verify
/// [`Unverified::verify`]: crate::Unverified::verify
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    // Private, because `sign` relies on every field being within its limit.
    app_id: String,
    nonce: u32,
    issued_at: u32,
    expire_at: u32,
    room_id: Vec<u8>,
    user_id: String,
    privileges: BTreeMap<u16, u32>,
}

impl Token {
    /// A token for `user_id` in the app `app_id`. It has no room, no privileges, the nonce 0 and
    /// the issue time 0, until they are set.
    ///
    /// # Errors
    ///
    /// [`AppIdMalformed`](TokenError::AppIdMalformed),
    /// [`UserIdMalformed`](TokenError::UserIdMalformed) or
    /// [`ExpiryZero`](TokenError::ExpiryZero).
    pub fn new(app_id: &str, user_id: &str, expiry: Expiry) -> Result<Self, TokenError> {
        if !is_app_id(app_id.as_bytes()) {
            return Err(TokenError::AppIdMalformed);
        }
        if user_id.is_empty() || !is_id(user_id.as_bytes(), MAX_USER_ID_BYTES) {
            return Err(TokenError::UserIdMalformed);
        }
        let expire_at = match expiry {
            Expiry::At(0) => return Err(TokenError::ExpiryZero),
            Expiry::At(at) => at,
            Expiry::Never => 0,
        };
        Ok(Self {
            app_id: app_id.into(),
            nonce: 0,
            issued_at: 0,
            expire_at,
            room_id: Vec::new(),
            user_id: user_id.into(),
            privileges: BTreeMap::new(),
        })
    }

    /// Sets the nonce, which distinguishes two tokens of the same user and second. Take it from a
    /// random source.
    #[must_use]
    pub fn with_nonce(self, nonce: u32) -> Self {
        Self { nonce, ..self }
    }

    /// Sets the time when the token was minted.
    #[must_use]
    pub fn with_issued_at(self, issued_at: u32) -> Self {
        Self { issued_at, ..self }
    }

    /// Sets the room of the token; empty for no room. A login ignores it.
    ///
    /// It may be any bytes, including bytes that are not a valid room id. Tokens with `*` or `.` in
    /// it are in use, and are signed like any other.
    ///
    /// # Errors
    ///
    /// [`MessageTooLong`](TokenError::MessageTooLong).
    pub fn with_room_id(mut self, room_id: impl AsRef<[u8]>) -> Result<Self, TokenError> {
        self.room_id = room_id.as_ref().into();
        self.within_limits()
    }

    /// Adds a privilege, or changes its expiry. [`privilege::PUBLISH_STREAM`] also grants the three
    /// kinds of streams, with the same expiry.
    ///
    /// # Errors
    ///
    /// [`TooManyPrivileges`](TokenError::TooManyPrivileges) over [`MAX_PRIVILEGES`];
    /// [`MessageTooLong`](TokenError::MessageTooLong) together with a very long room id.
    pub fn grant(mut self, privilege: u16, expire_at: u32) -> Result<Self, TokenError> {
        let last = match privilege {
            privilege::PUBLISH_STREAM => privilege::PUBLISH_DATA_STREAM,
            one => one,
        };
        self.privileges.extend((privilege..=last).map(|number| (number, expire_at)));
        if self.privileges.len() > MAX_PRIVILEGES {
            return Err(TokenError::TooManyPrivileges);
        }
        self.within_limits()
    }

    /// Checks that every length fits in a u16, so that `sign` cannot fail.
    fn within_limits(self) -> Result<Self, TokenError> {
        match self.msg_bytes() {
            bytes if bytes > MAX_MSG_BYTES => Err(TokenError::MessageTooLong { bytes }),
            _ => Ok(self),
        }
    }

    /// The bytes of the signed fields.
    pub(crate) fn msg_bytes(&self) -> usize {
        let ids = self.room_id.len() + self.user_id.len();
        MSG_HEAD_BYTES + ids + self.privileges.len() * PRIVILEGE_BYTES
    }

    /// Whether `now` is past the expiry. The second `expire_at` itself is still valid, and 0 never
    /// expires.
    #[must_use]
    pub fn is_expired(&self, now: u64) -> bool {
        self.expire_at > 0 && now > u64::from(self.expire_at)
    }

    /// The app of the token.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The nonce, which distinguishes tokens.
    #[must_use]
    pub fn nonce(&self) -> u32 {
        self.nonce
    }

    /// The time when the token was minted.
    #[must_use]
    pub fn issued_at(&self) -> u32 {
        self.issued_at
    }

    /// The last second in which the token is valid; 0 means for ever.
    #[must_use]
    pub fn expire_at(&self) -> u32 {
        self.expire_at
    }

    /// The room of the token, any bytes; empty for no room.
    #[must_use]
    pub fn room_id(&self) -> &[u8] {
        &self.room_id
    }

    /// The user of the token.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Each privilege with its expiry, in ascending order.
    #[must_use]
    pub fn privileges(&self) -> &BTreeMap<u16, u32> {
        &self.privileges
    }

    /// Replaces the privileges with those of a received message. No privilege implies another here,
    /// because the signer has listed all of them.
    pub(crate) fn with_received_privileges(self, privileges: BTreeMap<u16, u32>) -> Self {
        debug_assert!(privileges.len() <= MAX_PRIVILEGES);
        Self { privileges, ..self }
    }
}

pub(crate) fn is_app_id(bytes: &[u8]) -> bool {
    bytes.len() == APP_ID_BYTES && bytes.iter().all(u8::is_ascii_alphanumeric)
}

fn is_id(bytes: &[u8], max_bytes: usize) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@-.".contains(byte);
    bytes.len() <= max_bytes && bytes.iter().all(allowed)
}
