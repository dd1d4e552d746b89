//! Quarantine (I11): new couplings above a rate wait until they are seen again, so that ARP poisoning cannot inflate a bill.

use super::binding::Bound;
use super::policy::Policy;
use super::stretches::Clock;
use super::time::{MINUTE, Timestamp};

/// Whether each of `couplings` is still tentative. They must be sorted by key. No coupling is new in the grace after the
/// zone's first frame, and after each gap of an hour without a frame.
pub(super) fn tentative(couplings: &[Bound<'_>], clock: &Clock, policy: &Policy) -> Vec<bool> {
    let mut held = vec![false; couplings.len()];
    let starts = clock.starts();
    let is_new = |at: Timestamp| {
        let after = starts.partition_point(|start| *start <= at);
        let start = after.checked_sub(1).and_then(|i| starts.get(i));
        start.is_some_and(|start| at.since(*start) >= policy.quarantine_grace)
    };
    let newcomers = couplings.iter().enumerate().filter(|(_, c)| c.binding.is_local());
    // Couplings are sorted by key, so the index breaks ties as the key would.
    let newcomers =
        newcomers.map(|(i, c)| (clock.at(c.facts.first_seen), i)).filter(|(first, _)| is_new(*first));
    let mut newcomers: Vec<(Timestamp, usize)> = newcomers.collect();
    newcomers.sort_unstable();
    for minute in newcomers.chunk_by(|(a, _), (b, _)| a.0.div_euclid(MINUTE) == b.0.div_euclid(MINUTE)) {
        for (first, i) in minute.iter().skip(policy.quarantine_rate) {
            if let (Some(c), Some(slot)) = (couplings.get(*i), held.get_mut(*i)) {
                let last = c.facts.last_seen;
                let confirmed = last.since(*first) >= policy.quarantine_confirm_after;
                *slot = !confirmed || clock.is_beyond(last) && !clock.is_beyond(*first);
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Binding, Coupling, CouplingKey, MacAddr, Sign, Stretches};

    /// Couplings that are first and last seen at these seconds, by key.
    fn held(seen: &[(i64, i64)], rate: usize) -> Vec<bool> {
        let facts: Vec<Coupling> = seen
            .iter()
            .map(|(first, last)| {
                let mut c = Coupling::new(Timestamp::from_secs(*first), Sign::ArpAsked.into());
                c.sight(Timestamp::from_secs(*last), Timestamp::from_secs(*last), Sign::ArpAsked.into());
                c
            })
            .collect();
        let bound = |(n, facts)| {
            let n = u8::try_from(n).unwrap();
            let key = CouplingKey { mac: MacAddr([0, 0, 0, 0, 1, n]), ip: [10, 0, 0, n].into() };
            Bound { key, facts, binding: Binding::Proven }
        };
        let couplings: Vec<Bound<'_>> = facts.iter().enumerate().map(bound).collect();
        let policy = Policy { quarantine_rate: rate, ..Policy::default() };
        let stretches = Stretches::from(vec![(Timestamp(0), Timestamp::from_secs(7_200))]);
        tentative(&couplings, &Clock::new(&stretches, std::iter::empty()), &policy)
    }

    #[test]
    fn i11_newcomers_beyond_the_rate_of_a_minute_wait() {
        assert_eq!(held(&[(600, 600), (601, 601), (659, 659), (660, 660)], 2), [false, false, true, false]);
    }

    #[test]
    fn i11_no_coupling_is_new_in_the_first_ten_minutes() {
        assert_eq!(held(&[(598, 598), (599, 599), (599, 599)], 1), [false; 3]);
    }

    #[test]
    fn i11_seen_again_ten_minutes_later_is_enough() {
        assert_eq!(held(&[(601, 601), (602, 1202), (602, 1201)], 1), [false, false, true]);
    }
}
