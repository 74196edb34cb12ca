use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::envelope;
use crate::limits::{APP_ID_BYTES, MAX_PRIVILEGES, MAX_ROOM_ID_BYTES, MAX_USER_ID_BYTES};
use crate::{AppKey, TokenError, msg};

/// Numbers of the privileges that have a meaning. RTS itself acts on none of them.
pub mod privilege {
    /// Publish streams; [granting](super::Token::grant) it grants the next three too.
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

/// The fields of a token. All times are Unix seconds, and 0 is never.
///
/// Holding one proves nothing, since [`Token::new`] makes one of anything: only what [`verify`] or
/// [`Unverified::verify`] returned was signed.
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
    room_id: String,
    user_id: String,
    privileges: BTreeMap<u16, u32>,
}

impl Token {
    /// A token for `user_id` in the app `app_id`: no room, no privileges, and, until set
    /// otherwise, a nonce of 0, issued at 0, valid for ever.
    ///
    /// # Errors
    ///
    /// [`AppIdMalformed`](TokenError::AppIdMalformed) or
    /// [`UserIdMalformed`](TokenError::UserIdMalformed).
    pub fn new(app_id: &str, user_id: &str) -> Result<Self, TokenError> {
        if !is_app_id(app_id.as_bytes()) {
            return Err(TokenError::AppIdMalformed);
        }
        if user_id.is_empty() || !is_id(user_id.as_bytes(), MAX_USER_ID_BYTES) {
            return Err(TokenError::UserIdMalformed);
        }
        Ok(Self {
            app_id: app_id.into(),
            nonce: 0,
            issued_at: 0,
            expire_at: 0,
            room_id: String::new(),
            user_id: user_id.into(),
            privileges: BTreeMap::new(),
        })
    }

    /// Sets the number that tells apart two tokens of the same user and second. Take it from a
    /// random source.
    #[must_use]
    pub fn with_nonce(self, nonce: u32) -> Self {
        Self { nonce, ..self }
    }

    /// Sets when the token was minted.
    #[must_use]
    pub fn with_issued_at(self, issued_at: u32) -> Self {
        Self { issued_at, ..self }
    }

    /// Sets the last second in which the token is valid; 0 is for ever.
    #[must_use]
    pub fn with_expire_at(self, expire_at: u32) -> Self {
        Self { expire_at, ..self }
    }

    /// Sets the room the token is for; empty is none. Login ignores it.
    ///
    /// It may hold a `.`, which no room id may: tokens with one are in use, and their signature is
    /// as good as any.
    ///
    /// # Errors
    ///
    /// [`RoomIdMalformed`](TokenError::RoomIdMalformed).
    pub fn with_room_id(self, room_id: &str) -> Result<Self, TokenError> {
        if !is_id(room_id.as_bytes(), MAX_ROOM_ID_BYTES) {
            return Err(TokenError::RoomIdMalformed);
        }
        Ok(Self { room_id: room_id.into(), ..self })
    }

    /// Adds a privilege, or changes its expiry. [`privilege::PUBLISH_STREAM`] brings the three
    /// stream kinds along with the same expiry.
    ///
    /// # Errors
    ///
    /// [`TooManyPrivileges`](TokenError::TooManyPrivileges) over [`MAX_PRIVILEGES`].
    pub fn grant(mut self, privilege: u16, expire_at: u32) -> Result<Self, TokenError> {
        let last = match privilege {
            privilege::PUBLISH_STREAM => privilege::PUBLISH_DATA_STREAM,
            one => one,
        };
        self.privileges.extend((privilege..=last).map(|number| (number, expire_at)));
        if self.privileges.len() > MAX_PRIVILEGES {
            return Err(TokenError::TooManyPrivileges);
        }
        Ok(self)
    }

    /// The text a client logs in with.
    #[must_use]
    pub fn sign(&self, key: &AppKey) -> String {
        let msg = msg::pack(self);
        envelope::encode(&self.app_id, &msg, &key.sign(&msg))
    }

    /// Whether `now` is past the expiry. The second `expire_at` itself is still good, and 0 never
    /// expires.
    #[must_use]
    pub fn is_expired(&self, now: u64) -> bool {
        self.expire_at > 0 && now > u64::from(self.expire_at)
    }

    /// The app the token is for.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The number that tells tokens apart.
    #[must_use]
    pub fn nonce(&self) -> u32 {
        self.nonce
    }

    /// When it was minted.
    #[must_use]
    pub fn issued_at(&self) -> u32 {
        self.issued_at
    }

    /// The last second in which it is valid; 0 is for ever.
    #[must_use]
    pub fn expire_at(&self) -> u32 {
        self.expire_at
    }

    /// The room it is for; empty is none.
    #[must_use]
    pub fn room_id(&self) -> &str {
        &self.room_id
    }

    /// The user it is for.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Each privilege with its expiry, ascending.
    #[must_use]
    pub fn privileges(&self) -> &BTreeMap<u16, u32> {
        &self.privileges
    }

    /// Replaces the privileges by exactly these, as a received message lists them: nothing is
    /// implied, since the signer has already said all there is.
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
