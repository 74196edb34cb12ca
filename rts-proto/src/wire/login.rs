//! The messages of a login with their protobuf types: the client's identity, and the session to
//! resume.

use core::fmt;

use bytes::Bytes;

use super::convert::{bad, user, wire};
use super::generated as pb;
use crate::limits::{RESUME_KEY_BYTES, TOKEN_BYTES_MAX};
use crate::{AppId, LoginCode, ProtocolError, UserId};

/// Client: its identity, and the session that it wants to resume (§3).
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The app.
    pub app_id: AppId,
    /// The user.
    pub uid: UserId,
    /// The token as the app's back end made it.
    pub token: Bytes,
    /// The session to resume.
    pub resume: Option<Resume>,
    /// The claim of the login that this one continues; 0 for a new login.
    pub claim: u64,
    /// Distinguishes this engine from others (§3.8); 0 if the engine has no number.
    pub engine: u64,
    /// Grows with each login of the engine.
    pub attempt: u64,
}

/// Shows no token.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("app_id", &self.app_id)
            .field("uid", &self.uid)
            .field("resume", &self.resume)
            .field("claim", &self.claim)
            .field("engine", &self.engine)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Client: the URL for messages to the app server (§11.1).
#[derive(Clone, PartialEq, Eq)]
pub struct SetServerParams {
    /// Repeated by the answer.
    pub ticket: u64,
    /// As the client wrote it; may break the rules of §11.3.
    pub signature: Bytes,
    /// As the client wrote it; may break the rules of §11.3.
    pub url: Bytes,
}

/// Shows neither the signature nor the URL.
impl fmt::Debug for SetServerParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetServerParams").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// The session to resume (§4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Its number.
    pub session: u64,
    /// The secret of the session's last login answer.
    pub key: ResumeKey,
    /// Sequenced frames that the client received on it.
    pub received: u64,
}

/// Server: the outcome of a login (§3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginAnswer {
    /// Logged in.
    Accepted(Accepted),
    /// The reason for a refusal; never [`LoginCode::Ok`].
    Refused(LoginCode),
}

/// The content of a successful login answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The session's number.
    pub session: u64,
    /// The secret that resumes the session, once.
    pub key: ResumeKey,
    /// Whether the named session was resumed.
    pub resumed: bool,
    /// Sequenced frames that the server received on the session.
    pub received: u64,
    /// Orders the logins of one uid.
    pub claim: u64,
    /// Messages to users that the server takes from this client a second; 0 means no limit.
    pub sends_per_second: u32,
    /// Broadcasts that the server takes from this client a second; 0 means no limit.
    pub broadcasts_per_second: u32,
    /// Messages to the app server that the server takes from this client a second; 0 means no
    /// limit.
    pub server_sends_per_second: u32,
}

/// The secret that resumes a session. `Debug` does not show it.
#[derive(Clone, Copy)]
pub struct ResumeKey(pub [u8; RESUME_KEY_BYTES]);

impl PartialEq for ResumeKey {
    /// Takes the same time for every difference.
    fn eq(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |bits, (a, b)| bits | (a ^ b));
        core::hint::black_box(differing) == 0
    }
}

impl Eq for ResumeKey {}

impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeKey(..)")
    }
}

impl From<Login> for pb::Login {
    fn from(login: Login) -> Self {
        Self {
            app_id: wire(login.app_id.as_str()),
            uid: wire(login.uid.as_str()),
            token: login.token,
            resume: login.resume.map(|resume| pb::Resume {
                session: resume.session,
                key: Bytes::copy_from_slice(&resume.key.0),
                received: resume.received,
            }),
            claim: login.claim,
            engine: login.engine,
            attempt: login.attempt,
        }
    }
}

impl From<LoginAnswer> for pb::LoginAnswer {
    fn from(answer: LoginAnswer) -> Self {
        match answer {
            LoginAnswer::Refused(code) => Self { code: code.code(), ..Self::default() },
            LoginAnswer::Accepted(accepted) => Self {
                code: LoginCode::Ok.code(),
                session: accepted.session,
                key: Bytes::copy_from_slice(&accepted.key.0),
                resumed: accepted.resumed,
                received: accepted.received,
                claim: accepted.claim,
                sends_per_second: accepted.sends_per_second,
                broadcasts_per_second: accepted.broadcasts_per_second,
                server_sends_per_second: accepted.server_sends_per_second,
            },
        }
    }
}

impl TryFrom<pb::Login> for Login {
    type Error = ProtocolError;

    fn try_from(login: pb::Login) -> Result<Self, ProtocolError> {
        if login.token.len() > TOKEN_BYTES_MAX {
            return Err(bad("token"));
        }
        let resume = match login.resume {
            None => None,
            Some(resume) => Some(Resume {
                session: resume.session,
                key: key(&resume.key)?,
                received: resume.received,
            }),
        };
        Ok(Self {
            app_id: AppId::from_bytes(&login.app_id).map_err(|_| bad("app_id"))?,
            uid: user(&login.uid, "uid")?,
            token: login.token,
            resume,
            claim: login.claim,
            engine: login.engine,
            attempt: login.attempt,
        })
    }
}

impl TryFrom<pb::LoginAnswer> for LoginAnswer {
    type Error = ProtocolError;

    fn try_from(answer: pb::LoginAnswer) -> Result<Self, ProtocolError> {
        Ok(match LoginCode::try_from(answer.code).map_err(|_| bad("code"))? {
            LoginCode::Ok => Self::Accepted(Accepted {
                session: answer.session,
                key: key(&answer.key)?,
                resumed: answer.resumed,
                received: answer.received,
                claim: answer.claim,
                sends_per_second: answer.sends_per_second,
                broadcasts_per_second: answer.broadcasts_per_second,
                server_sends_per_second: answer.server_sends_per_second,
            }),
            refused => Self::Refused(refused),
        })
    }
}

impl From<SetServerParams> for pb::SetServerParams {
    fn from(set: SetServerParams) -> Self {
        Self { ticket: set.ticket, signature: set.signature, url: set.url }
    }
}

impl From<pb::SetServerParams> for SetServerParams {
    fn from(set: pb::SetServerParams) -> Self {
        Self { ticket: set.ticket, signature: set.signature, url: set.url }
    }
}

fn key(bytes: &[u8]) -> Result<ResumeKey, ProtocolError> {
    bytes.try_into().map(ResumeKey).map_err(|_| bad("key"))
}
