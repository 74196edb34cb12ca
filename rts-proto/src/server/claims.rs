//! §3.4 and §3.8: which of two logins of one user wins.

use super::io::{AskedLogin, Denial};
use super::session::Session;
use crate::planted::{Bug, planted};
use crate::wire::Login;

impl AskedLogin {
    pub(super) fn new(login: &Login, clock: u64) -> Self {
        let Login { engine, attempt, claim, .. } = *login;
        Self { engine, attempt, claim, clock }
    }

    /// §3.4 and §3.8: its claim, if it may displace the present session. `displaced` is the claim
    /// of a session that was displaced for it.
    pub(super) fn claim_after(
        &self,
        present: Option<&Session>,
        displaced: Option<u64>,
    ) -> Result<u64, Denial> {
        if present.is_some_and(|session| session.overtakes(self.engine, self.attempt)) {
            return Err(Denial::Overtaken);
        }
        let present = present.map(Session::claim).max(displaced).unwrap_or(0);
        let continues = self.claim > 0 && self.claim <= self.clock;
        if continues && present > self.claim && !planted(Bug::ClaimIgnored) {
            return Err(Denial::Displaced);
        }
        match present.checked_add(1) {
            _ if continues => Ok(self.claim),
            Some(next) => Ok(self.clock.max(next)),
            // No greater claim exists, so the order of the two logins could not be known.
            None => Err(Denial::NoGreaterClaim),
        }
    }
}
