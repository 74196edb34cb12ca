//! Admission: mints and checks tokens as in production, by the world's wall clock.

use std::collections::BTreeMap;

use rts_proto::server::Credentials;
use rts_proto::{AppId, LoginCode, UserId};
use rts_token::{AppKey, Expiry, Token};

/// The keys of every app. The first key signs, and all keys verify.
#[derive(Debug)]
pub(crate) struct Gate {
    keys: BTreeMap<AppId, Vec<AppKey>>,
    /// The users that the server refuses, with the code of the refusal.
    refusals: BTreeMap<String, LoginCode>,
    /// For an app, or one of its users: tokens issued before this second of Unix time are revoked.
    revoked: BTreeMap<(AppId, Option<UserId>), u32>,
    last_key: u64,
    last_nonce: u32,
    /// The last claim of this server process. A restart resets it.
    last_claim: u64,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            keys: BTreeMap::new(),
            refusals: BTreeMap::new(),
            revoked: BTreeMap::new(),
            last_key: 0,
            last_nonce: 0,
            last_claim: 0,
        }
    }

    pub(crate) fn add_app(&mut self, app: &AppId) {
        let key = self.new_key();
        self.keys.entry(app.clone()).or_insert_with(|| vec![key]);
    }

    fn new_key(&mut self) -> AppKey {
        self.last_key += 1;
        AppKey::new(format!("app key {}", self.last_key)).expect("not empty")
    }

    /// Adds a new key, which signs from now on. The previous key stays valid if it is kept; older
    /// ones do not.
    pub(crate) fn rotate_key(&mut self, app: &AppId, keep_previous: bool) {
        let key = self.new_key();
        if let Some(keys) = self.keys.get_mut(app) {
            keys.insert(0, key);
            keys.truncate(if keep_previous { 2 } else { 1 });
        }
    }

    pub(crate) fn refuse(&mut self, uid: &str, code: LoginCode) {
        match code {
            LoginCode::Ok => drop(self.refusals.remove(uid)),
            code => drop(self.refusals.insert(uid.to_owned(), code)),
        }
    }

    /// Revokes tokens that were issued before this second of Unix time.
    pub(crate) fn revoke(&mut self, app: &AppId, uid: Option<&UserId>, issued_before: u32) {
        let before = self.revoked.entry((app.clone(), uid.cloned())).or_default();
        *before = issued_before.max(*before);
    }

    pub(crate) fn forget_revocations(&mut self) {
        self.revoked.clear();
    }

    fn is_revoked(&self, asked: &Credentials, issued_at: u32) -> bool {
        [None, Some(asked.uid.clone())].into_iter().any(|uid| {
            let before = self.revoked.get(&(asked.app_id.clone(), uid));
            before.is_some_and(|before| issued_at < *before)
        })
    }

    /// Mints a token that is valid up to this second of Unix time; zero is for ever.
    pub(crate) fn mint(
        &mut self,
        app: &AppId,
        uid: &str,
        issued_at: u32,
        expire_at: u32,
    ) -> String {
        self.last_nonce = self.last_nonce.wrapping_add(1);
        let key = &self.keys.get(app).expect("an app of this world")[0];
        let expiry = if expire_at == 0 { Expiry::Never } else { Expiry::At(expire_at) };
        let token = Token::new(app.as_str(), uid, expiry).expect("a user id");
        token.with_nonce(self.last_nonce).with_issued_at(issued_at).sign(key)
    }

    /// Judges a token at this time of the wall clock. Returns when it was issued.
    pub(crate) fn judge(&self, wall_micros: u64, asked: &Credentials) -> Result<u32, LoginCode> {
        if let Some(code) = self.refusals.get(asked.uid.as_str()) {
            return Err(*code);
        }
        let token = String::from_utf8_lossy(&asked.token);
        let (app, uid) = (asked.app_id.as_str(), asked.uid.as_str());
        let keys = self.keys.get(&asked.app_id).map(Vec::as_slice).unwrap_or_default();
        let now = wall_micros / 1_000_000;
        let verified =
            keys.iter().find_map(|key| rts_token::verify(&token, app, key, uid, now).ok());
        let Some(issued_at) = verified.map(|token| token.issued_at()) else {
            return Err(LoginCode::InvalidToken);
        };
        if self.is_revoked(asked, issued_at) {
            return Err(LoginCode::InvalidToken);
        }
        Ok(issued_at)
    }

    /// The claim of a login that a server without a cluster accepts now.
    pub(crate) fn next_claim(&mut self, wall_micros: u64) -> u64 {
        self.last_claim = wall_micros.max(self.last_claim.saturating_add(1));
        self.last_claim
    }

    pub(crate) fn restart(&mut self) {
        self.last_claim = 0;
    }
}
