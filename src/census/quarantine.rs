//! Quarantine: newcomers that wait, so that forged frames cannot inflate a bill. Above a rate, new couplings wait until they
//! are seen again (I11). Above a number a day, devices wait that nothing but ARP and unanswered packets shows, and so do
//! addresses that one frame shows (I15a).

use std::cell::Cell;
use std::collections::BTreeMap;

use foldhash::HashSet;

use super::binding::{Bindings, Bound};
use super::coupling::Coupling;
use super::device::Device;
use super::evidence::Family;
use super::identity::Identities;
use super::inventory::Zone;
use super::mac::MacAddr;
use super::policy::Policy;
use super::sign::{Sign, Signs};
use super::stretches::Clock;
use super::time::{MINUTE, Timestamp};
use super::trust;
use super::windows::same_minute;

/// Whether each of `couplings` is still tentative. They must be sorted by key. No coupling is new in the grace after the
/// zone's first frame, and after each gap of an hour without a frame.
pub(super) fn tentative(couplings: &[Bound<'_>], clock: &Clock, policy: &Policy) -> Vec<bool> {
    let mut held = vec![false; couplings.len()];
    let is_new = |at| is_new(at, clock, policy);
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

/// Whether an instant lies beyond the grace after the zone's first frame and after each gap of an hour.
fn is_new(at: Timestamp, clock: &Clock, policy: &Policy) -> bool {
    let starts = clock.starts();
    let after = starts.partition_point(|start| *start <= at);
    let start = after.checked_sub(1).and_then(|i| starts.get(i));
    start.is_some_and(|start| at.since(*start) >= policy.quarantine_grace)
}

/// The most unconfirmed devices that one MAC brings (I15a).
const BY_CARD: usize = 16;

/// What I15(a) says of a zone's devices, by the places of their couplings.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Couplings that wait for a confirmation.
    pub(super) held: HashSet<u32>,
    /// Devices that count, and are further addresses of cards which had been known for long before.
    pub(super) late: Vec<u32>,
}

/// The couplings of devices that wait for a confirmation (I15a). `tentative` says which couplings wait by I11.
pub(super) fn unconfirmed(
    zone: &Zone,
    bindings: &Bindings<'_>,
    identities: &Identities,
    clock: &Clock,
    policy: &Policy,
    is_short: bool,
    tentative: &[bool],
) -> Doubts {
    let minute = |at: Timestamp| clock.at(at).0.div_euclid(MINUTE);
    let flooded: HashSet<i64> = bindings
        .couplings
        .iter()
        .zip(tentative)
        .filter(|(_, held)| **held)
        .map(|(c, _)| minute(c.facts.first_seen))
        .collect();
    let mut held: HashSet<u32> = identities.unaccepted.iter().copied().collect();
    let mut late: Vec<u32> = Vec::new();
    // Devices come card by card, of which one may have any number of addresses.
    let eldest = Cell::new(None);
    let first_of = |mac: MacAddr| match eldest.get() {
        Some((known, first)) if known == mac => first,
        _ => {
            let first = bindings.first_of(mac, identities.is_client(mac));
            eldest.set(Some((mac, first)));
            first
        }
    };
    let mut weak: Vec<(i64, Timestamp, u32, &[u32])> = Vec::new();
    let mut by_card: Vec<(MacAddr, Timestamp, u32, &[u32])> = Vec::new();
    for places in identities.groups() {
        let couplings = || places.iter().filter_map(|i| bindings.couplings.get(*i as usize));
        let Some((place, mac)) = places.first().copied().zip(couplings().next().map(|c| c.key.mac)) else {
            continue;
        };
        // What a card says below IP is of the address that it had first.
        let is_silent = |c: &Bound<'_>| {
            !zone.stations.contains_key(&c.key.mac)
                || first_of(c.key.mac).is_some_and(|first| c.facts.first_seen != first)
        };
        // Anybody can send a packet in the name of a card that is known.
        let is_late = |c: &Bound<'_>| {
            let since = |first| clock.at(c.facts.first_seen).since(clock.at(first));
            first_of(c.key.mac).is_some_and(|first| since(first) >= policy.quarantine_grace)
        };
        let comes_late = !is_short && couplings().all(is_late);
        if comes_late || !is_short && couplings().all(|c| is_stated(c.facts, is_silent(c))) {
            let times = || couplings().flat_map(|c| [c.facts.first_seen, c.facts.last_seen]);
            if times().min().zip(times().max()).is_some_and(|(a, b)| same_minute(a, b)) {
                held.extend(places);
                continue;
            }
        }
        if comes_late {
            late.push(place);
        }
        let said = |c: &Bound<'_>| c.facts.evidence.iter().any(|e| e.field.family() != Family::Stack);
        let forwards = |c: &Bound<'_>| bindings.forwarding.contains_key(&c.key.mac);
        if !couplings().all(|c| trust::is_unconfirmed(c.facts) && is_silent(c) && !said(c) && !forwards(c)) {
            continue;
        }
        let Some(first) = couplings().map(|c| clock.at(c.facts.first_seen)).min() else { continue };
        // A random MAC has no maker by which it could count. In a flood that I11 holds, I11 alone decides about it.
        let is_bounded = mac.is_locally_administered() && flooded.contains(&minute(first));
        if is_new(first, clock, policy) && !is_bounded {
            weak.push((first.day(), first, place, places));
        }
        by_card.push((mac, first, place, places));
    }
    // Couplings are sorted by key, so the place breaks ties as the key would.
    weak.sort_unstable();
    for day in weak.chunk_by(|a, b| a.0 == b.0) {
        held.extend(day.iter().skip(policy.quarantine_daily).flat_map(|(.., places)| *places));
    }
    by_card.sort_unstable();
    for card in by_card.chunk_by(|a, b| a.0 == b.0) {
        held.extend(card.iter().skip(BY_CARD).flat_map(|(.., places)| *places));
    }
    late.retain(|place| !held.contains(place));
    Doubts { held, late }
}

/// Of the devices that count, so many may come on one day, and this part of those that came before, until a finding tells of
/// the day.
const NEWCOMERS: u64 = 20;
const NEWCOMERS_PART: u64 = 10;

/// The UTC days on which many devices came that count, each with their number (I15d). The first grace of the zone is left
/// out. Later graces are not: what came then is not held, so it must be told.
pub(super) fn crowded_days(devices: &[Device<'_>], clock: &Clock, policy: &Policy) -> Vec<(Timestamp, u64)> {
    let Some(start) = clock.starts().first().copied() else { return Vec::new() };
    let mut known = 0;
    let mut days: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for device in devices.iter().filter(|d| d.verdict.is_counted()) {
        if device.first_seen.since(start) < policy.quarantine_grace {
            known += 1;
        } else {
            *days.entry(device.first_seen.day_start()).or_default() += 1;
        }
    }
    days.retain(|_, came| {
        let many = *came > NEWCOMERS.max(known / NEWCOMERS_PART);
        known += *came;
        many
    });
    days.into_iter().collect()
}

/// Whether nothing but a statement shows a coupling: a management address, or an ACK for a MAC that never spoke (I15a).
fn is_stated(c: &Coupling, is_silent: bool) -> bool {
    let own = c.signs.difference(Sign::BY_OTHERS);
    own.difference(Sign::MANAGEMENT).is_empty()
        || own == Signs::from(Sign::DhcpAck) && is_silent && c.evidence.is_empty()
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
            Bound { key, facts, binding: Binding::Proven, passing: false }
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
