//! Quarantine (I11): newcomers beyond a rate wait until they are seen again, so that poisoned ARP inflates no bill.

use std::collections::{BTreeMap, HashSet};

use super::binding::Bound;
use super::coupling::CouplingKey;
use super::policy::Policy;
use super::time::Timestamp;

const MINUTE: i64 = 60 * 1_000_000_000;

/// The local couplings that are still tentative. `first_frame` is the zone's first frame.
pub(super) fn tentative<'a>(
    local: impl Iterator<Item = &'a Bound<'a>>,
    first_frame: Option<Timestamp>,
    policy: &Policy,
) -> HashSet<CouplingKey> {
    let Some(start) = first_frame.map(|t| t.plus(policy.quarantine_grace)) else {
        return HashSet::new();
    };
    let mut minutes: BTreeMap<i64, Vec<(Timestamp, CouplingKey, Timestamp)>> = BTreeMap::new();
    for c in local.filter(|c| c.facts.first_seen >= start) {
        let first = c.facts.first_seen;
        minutes.entry(first.0.div_euclid(MINUTE)).or_default().push((first, c.key, c.facts.last_seen));
    }
    let mut held = HashSet::new();
    for mut newcomers in minutes.into_values() {
        if newcomers.len() <= policy.quarantine_rate {
            continue;
        }
        newcomers.sort_unstable();
        held.extend(
            newcomers
                .into_iter()
                .skip(policy.quarantine_rate)
                .filter(|(first, _, last)| last.since(*first) < policy.quarantine_confirm_after)
                .map(|(_, key, _)| key),
        );
    }
    held
}
