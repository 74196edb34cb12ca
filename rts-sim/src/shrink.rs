//! Removes the steps of a failing plan that the failure does not need.

use std::time::Duration;

use super::plan::Plan;
use super::run::play;

/// The most runs in the search for a smaller plan.
const PLAYS_MAX: usize = 400;

/// A plan with fewer steps that still breaks a law: the one whose text begins alike.
pub(crate) fn shrink(plan: &Plan, violation: &str) -> Plan {
    let law = law(violation).to_owned();
    let mut plays = 0;
    let mut fails = |candidate: &Plan| {
        plays += 1;
        let found = play(candidate, None).violation;
        (found.is_some_and(|found| self::law(&found) == law), plays < PLAYS_MAX)
    };
    let mut best = plan.clone();
    // Whole engines first, then ever smaller groups of the remaining steps.
    for slot in 0..best.swarm.engines.len() {
        let mut candidate = best.clone();
        candidate.steps.retain(|(_, step)| step.slot() != Some(slot));
        if candidate.steps.len() < best.steps.len() && fails(&candidate).0 {
            best = candidate;
        }
    }
    let mut piece = best.steps.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        while start < best.steps.len() {
            let mut candidate = best.clone();
            let end = (start + piece).min(candidate.steps.len());
            candidate.steps.drain(start..end);
            let (still_fails, may_go_on) = fails(&candidate);
            if still_fails {
                best = candidate;
            } else {
                start = end;
            }
            if !may_go_on {
                return best;
            }
        }
        if piece == 1 {
            break;
        }
        piece = piece.div_ceil(2);
    }
    // The end of the run follows the last step.
    let mut candidate = best.clone();
    let last = candidate.steps.last().map_or(Duration::ZERO, |(at, _)| *at);
    candidate.swarm.duration = last;
    if fails(&candidate).0 { candidate } else { best }
}

/// `I17` of `I17: received twice`, or the whole text if it has no number.
fn law(violation: &str) -> &str {
    let head = violation.split(':').next().unwrap_or(violation);
    if head.starts_with('I') && head.len() <= 3 { head } else { "" }
}
