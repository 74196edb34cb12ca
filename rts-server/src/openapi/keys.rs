//! Authentication of requests by key.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rts_openapi::signature::{Parts, Signature};
use rts_openapi::{Error, ErrorCode};
use rts_proto::AppId;
use sha2::Sha256;

use crate::config::{self, KeyName};

/// All keys of the OpenAPI.
pub(super) struct Keys {
    access: Vec<(String, String, Key)>,
    bearer: Vec<([u8; 32], Key)>,
    /// Bearer keys are compared by a keyed digest, so that the time of a comparison reveals nothing
    /// about them.
    pepper: [u8; 32],
}

/// A key and its apps.
#[derive(Debug)]
pub(super) struct Key {
    /// The name for logs.
    pub(super) name: String,
    apps: BTreeSet<AppId>,
}

/// A request that names a key.
pub(super) enum Claim<'a> {
    /// The key is verified.
    Shown(&'a Key),
    /// The signature is still to be verified.
    Signed { signature: Signature, secret: &'a str, key: &'a Key },
}

impl Keys {
    pub(super) fn new(config: &config::OpenApi, pepper: [u8; 32]) -> Self {
        let key = |name: &KeyName, apps: &[AppId]| Key {
            name: name.to_string(),
            apps: apps.iter().cloned().collect(),
        };
        let access = config.access_keys.iter();
        let bearer = config.bearer_keys.iter();
        Self {
            access: access
                .map(|k| (k.id.to_string(), k.secret.expose().to_owned(), key(&k.id, &k.apps)))
                .collect(),
            bearer: bearer
                .map(|k| {
                    (
                        digest(&pepper, k.key.expose()).finalize().into_bytes().into(),
                        key(&k.name, &k.apps),
                    )
                })
                .collect(),
            pepper,
        }
    }

    /// Finds the key of the `Authorization` header, before anything else of the request is read.
    pub(super) fn find(&self, authorization: Option<&str>) -> Result<Claim<'_>, Error> {
        let Some(authorization) = authorization else {
            let message = "Authorization is missing: sign the request (HMAC-SHA256), or send Bearer and a key";
            return Err(Error::new(ErrorCode::MissingAuthenticationToken, message));
        };
        if Signature::is_signature(authorization) {
            let signature = Signature::parse(authorization)?;
            let found = self.access.iter().find(|(id, ..)| id == signature.access_key());
            let (_, secret, key) = found.ok_or_else(|| unknown("the access key in Credential"))?;
            return Ok(Claim::Signed { signature, secret, key });
        }
        let Some((scheme, token)) = authorization.split_once(' ') else {
            return Err(neither());
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(neither());
        }
        let token = token.trim();
        // All keys are compared, also after a match, so that the time is constant.
        let shown = self.bearer.iter().fold(None, |found, (stored, key)| {
            let is_it = digest(&self.pepper, token).verify_slice(stored).is_ok();
            if is_it { Some(key) } else { found }
        });
        shown.map(Claim::Shown).ok_or_else(|| unknown("the bearer key"))
    }
}

impl<'a> Claim<'a> {
    /// The region of the signature's scope.
    pub(super) fn region(&self) -> &str {
        match self {
            Self::Shown(_) => "",
            Self::Signed { signature, .. } => signature.region(),
        }
    }

    /// The key that the request names.
    pub(super) fn key(&self) -> &'a Key {
        match self {
            Self::Shown(key) | Self::Signed { key, .. } => key,
        }
    }

    /// Verifies the signature, if the request is signed.
    pub(super) fn check(&self, parts: &Parts<'_>, unix_now: u64) -> Result<(), Error> {
        match self {
            Self::Shown(_) => Ok(()),
            Self::Signed { signature, secret, .. } => signature.verify(parts, secret, unix_now),
        }
    }
}

impl Key {
    pub(super) fn may_touch(&self, app_id: &AppId) -> bool {
        self.apps.contains(app_id)
    }
}

fn digest(pepper: &[u8], key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(pepper).expect("HMAC takes keys of any length").chain_update(key)
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorCode::InvalidAccessKey, format!("{what} is not known to this server"))
}

fn neither() -> Error {
    let message = "Authorization is neither HMAC-SHA256 with a signature, nor Bearer with a key";
    Error::new(ErrorCode::InvalidAuthorization, message)
}
