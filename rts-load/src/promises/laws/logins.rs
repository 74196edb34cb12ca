//! Logins, and the clients that lose them to another client of their user.

use std::collections::HashMap;

use super::violation::{Law, Violation, report};
use crate::promises::history::{History, User, What};

/// The contract's numbers.
const ACCEPTED: i32 = 0;
const DISPLACED: i32 = 1;

pub(super) fn check(history: &History<'_>, found: &mut Vec<Violation>) {
    let mut newest: HashMap<User, (u64, usize)> = HashMap::new();
    for (index, client) in history.clients.iter().enumerate() {
        let accepted = client.records.iter().find(|record| record.what == What::LoginResult(0));
        if let Some(record) = accepted {
            let entry = newest.entry(client.user).or_insert((record.at, index));
            *entry = (*entry).max((record.at, index));
        }
    }
    for (index, client) in history.clients.iter().enumerate() {
        let (mut calls, mut results, mut ends) = (0, 0, Vec::new());
        for record in client.records {
            match record.what {
                What::LoginCalled => calls += 1,
                What::LoginResult(code) => {
                    results += 1;
                    if code != ACCEPTED {
                        let what = format!("client {index}: {code}");
                        report(found, Law::OneLoginResult, what);
                    }
                }
                What::LoggedOut(reason) => ends.push(reason),
                What::Received { .. }
                | What::Joined(..)
                | What::State(..)
                | What::Left(_)
                | What::UserJoined(..)
                | What::UserLeft(..)
                    if results == 0 || !ends.is_empty() =>
                {
                    let what = format!("client {index}: {:?}", record.what);
                    report(found, Law::NothingWithoutLogin, what);
                }
                _ => {}
            }
        }
        if results != calls {
            let what = format!("client {index}: {results} results of {calls} logins");
            report(found, Law::OneLoginResult, what);
        }
        let is_displaced = newest.get(&client.user).is_some_and(|(_, newest)| *newest != index);
        let expected: &[i32] = if is_displaced { &[DISPLACED] } else { &[] };
        if ends != expected {
            let what = format!("client {index} of {:?}: {ends:?}, not {expected:?}", client.user);
            report(found, Law::Displaced, what);
        }
    }
}
