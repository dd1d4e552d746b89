//! Which findings the couplings and devices of a zone show.

use std::cmp::Reverse;
use std::net::IpAddr;

use foldhash::HashSet;

use super::list::LISTED;
use super::{Finding, FindingKind, Findings, Subjects};
use crate::census::binding::{Binding, Bindings, Forwards};
use crate::census::classification::Classification;
use crate::census::device::Device;
use crate::census::identity::Identities;
use crate::census::inventory::Zone;
use crate::census::mac::MacAddr;
use crate::census::on_link::OnLink;
use crate::census::stretches::Clock;
use crate::census::ties::Told;
use crate::census::time::Timestamp;
use crate::census::trust::Caution;
use crate::census::verdict::Verdict;

/// A device proved an address with one of its cards.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Claim {
    ip: IpAddr,
    first: Timestamp,
    last: Timestamp,
    mac: MacAddr,
    device: usize,
}

/// Adds the address conflicts of a zone. Tentative couplings are left out: [`Finding::newcomers_held`] reports them.
pub(in crate::census) fn conflicts(
    zone: &str,
    bindings: &Bindings<'_>,
    identities: &Identities,
    tentative: &[bool],
    out: &mut Findings,
) {
    let mut claims: Vec<Claim> = Vec::new();
    for (device, group) in identities.groups().enumerate() {
        for place in group.iter().map(|p| *p as usize) {
            let held = tentative.get(place).copied().unwrap_or(false);
            if let Some(c) = bindings.couplings.get(place).filter(|c| c.binding == Binding::Proven && !held) {
                let (first, last) = (c.facts.first_seen, c.facts.last_seen);
                claims.push(Claim { ip: c.key.ip, first, last, mac: c.key.mac, device });
            }
        }
    }
    claims.sort_unstable();
    let (mut made, mut left) = (0, 0);
    // In the order of addresses, so those beyond the bound need not be made.
    for claims in claims.chunk_by(|a, b| a.ip == b.ip).filter(|c| c.len() > 1) {
        let overlapping = overlapping(claims);
        let several = overlapping.iter().any(|c| Some(c.mac) != overlapping.first().map(|f| f.mac));
        let first = overlapping.iter().map(|c| c.first).min();
        let last = overlapping.iter().map(|c| c.last).max();
        if let (true, Some(claim), Some(first), Some(last)) = (several, claims.first(), first, last) {
            if made < LISTED {
                let macs = overlapping.iter().map(|c| c.mac);
                out.push(Finding::address_conflict(zone, claim.ip, macs, first, last));
                made += 1;
            } else {
                left += 1;
            }
        }
    }
    out.leave_out(FindingKind::AddressConflict, zone, left);
}

/// The finding about frames whose times are not believed, if there are any (I16).
pub(in crate::census) fn clock_jump(zone: &str, facts: &Zone, clock: &Clock) -> Option<Finding> {
    let (outside, believed) = clock.strayed().zip(clock.believed())?;
    let is_outside = |at| clock.at(at) != at || at < believed.0 || at > believed.1;
    let sent = facts.couplings.values().filter(|c| !c.signs.is_only_by_others());
    let couplings = sent.filter(|c| is_outside(c.first_seen) || is_outside(c.last_seen)).count();
    Some(Finding::clock_jump(zone, couplings as u64, outside, believed))
}

/// Adds the findings about sent prefixes that nest in others (I5).
pub(in crate::census) fn prefixes(zone: &str, on_link: &OnLink, out: &mut Findings) {
    for nested in on_link.nested().chunk_by(|a, b| a.0 == b.0) {
        if let Some((wider, _)) = nested.first() {
            out.push(Finding::prefix_conflict(zone, *wider, nested.iter().map(|(_, narrower)| *narrower)));
        }
    }
}

/// Adds the findings about what moves the count, but was shown too seldom, or late (I15): that a MAC forwards, that cards
/// are one device, that a prefix is on-link.
pub(in crate::census) fn claims(
    zone: &str,
    bindings: &Bindings<'_>,
    identities: &Identities,
    caution: &Caution<'_>,
    out: &mut Findings,
) {
    for (mac, since) in &bindings.forwarding_since {
        if let Some(known) = bindings.known_since(*mac).filter(|known| caution.is_late(*since, *known)) {
            out.push(Finding::forwards_late(zone, *mac, known, *since));
        }
    }
    for (mac, (why, at)) in &bindings.doubted {
        let claim = match why {
            Forwards::RouterOption(ip) => format!("was named as a router by DHCP, with its address {ip}"),
            Forwards::Protocol => "spoke a protocol of routers".to_owned(),
            Forwards::Carries(ip) => format!("carried packets of {ip} in a tunnel"),
            Forwards::Public(ip) | Forwards::OffLink(ip) => format!("passed on a packet of {ip}"),
            Forwards::ProvenElsewhere(ip) => format!("sent from {ip}, which another card proved"),
        };
        out.push(Finding::claim_held(zone, &format!("{mac} forwards"), *mac, &claim).between(*at, *at));
    }
    for join in &identities.told {
        let subjects = Subjects::default().macs(join.macs.iter().copied());
        let finding = match join.why {
            Told::Held => Finding::join_held(zone, join.field, &join.value, subjects),
            Told::Late => Finding::join_late(zone, join.field, &join.value, subjects),
            Told::Undone => Finding::join_undone(zone, join.field, &join.value, subjects),
        };
        out.push(finding.between(join.first, join.last));
    }
    for port in identities.late_ports.iter().filter_map(|i| bindings.couplings.get(*i as usize)) {
        let known = bindings.known_since(port.key.mac).unwrap_or(port.facts.first_seen);
        out.push(Finding::port_late(zone, port.key, known, port.facts.first_seen));
    }
    for (key, by, at) in bindings.taken(caution) {
        out.push(Finding::address_taken(zone, key, by, at));
    }
    for prefix in &bindings.on_link.doubted {
        out.push(Finding::prefix_held(zone, *prefix));
    }
}

/// Adds the finding about what a device said too seldom to contradict its other words (I15b), if there is such a thing.
pub(in crate::census) fn held_words(
    zone: &str,
    device: &Device<'_>,
    what: &Classification,
) -> Option<Finding> {
    let first = what.held.first()?;
    let times = || what.held.iter().filter_map(|r| r.at);
    let finding = Finding::words_held(zone, device.mac, first);
    Some(match times().min().zip(times().max()) {
        Some((first, last)) => finding.between(first, last),
        None => finding,
    })
}

/// The finding about couplings that wait for a confirmation (I15a), if some do.
pub(in crate::census) fn unconfirmed(
    zone: &str,
    bindings: &Bindings<'_>,
    places: &HashSet<u32>,
) -> Option<Finding> {
    let held = || places.iter().filter_map(|i| bindings.couplings.get(*i as usize));
    let first = held().map(|c| c.facts.first_seen).min()?;
    let last = held().map(|c| c.facts.last_seen).max()?;
    let subjects = Subjects::default().addresses(held().map(|c| c.key.ip)).macs(held().map(|c| c.key.mac));
    Some(Finding::unconfirmed_held(zone, places.len() as u64).about(subjects).between(first, last))
}

/// The finding about devices that are further addresses of cards which were known before, if there are several: one may
/// send in another's name, so that each of its addresses counts (I15d). `places` are their couplings.
pub(in crate::census) fn late_addresses(
    zone: &str,
    bindings: &Bindings<'_>,
    places: &[u32],
) -> Option<Finding> {
    let late = || places.iter().filter_map(|i| bindings.couplings.get(*i as usize));
    let first = late().map(|c| c.facts.first_seen).min().filter(|_| places.len() > 1)?;
    let last = late().map(|c| c.facts.last_seen).max()?;
    let subjects = Subjects::default().addresses(late().map(|c| c.key.ip)).macs(late().map(|c| c.key.mac));
    Some(Finding::addresses_late(zone, places.len() as u64).about(subjects).between(first, last))
}

/// Adds the findings about tunnels that are not trusted (I13).
pub(in crate::census) fn tunnels(zone: &str, facts: &Zone, out: &mut Findings) {
    out.extend(facts.tunnels.iter().map(|(key, tunnel)| Finding::tunnel_held(zone, *key, tunnel)));
}

/// The finding about the devices of a zone that I11 holds, if it holds some. [`unconfirmed`] tells of the others.
pub(in crate::census) fn held(
    zone: &str,
    devices: &[Device<'_>],
    bindings: &Bindings<'_>,
    unconfirmed: &HashSet<u32>,
) -> Option<Finding> {
    let is_told = |d: &Device<'_>| {
        d.couplings.iter().all(|m| bindings.place(&m.key).is_some_and(|place| unconfirmed.contains(&place)))
    };
    let held = || devices.iter().filter(|d| d.verdict == Verdict::Tentative && !is_told(d));
    let first = held().map(|d| d.first_seen).min()?;
    let last = held().map(|d| d.last_seen).max()?;
    let subjects = Subjects::default().addresses(held().map(|d| d.ip)).macs(held().map(|d| d.mac));
    Some(Finding::newcomers_held(zone, held().count() as u64).about(subjects).between(first, last))
}

/// Those of the claims, sorted by `first`, that overlap a claim of another device. Takes linear time, because one forger
/// can make any number of claims.
fn overlapping(claims: &[Claim]) -> Vec<Claim> {
    let mut hit = vec![false; claims.len()];
    let mut ended = Farthest(None, None);
    for (claim, hit) in claims.iter().zip(&mut hit) {
        *hit |= ended.of_others(claim.device).is_some_and(|last| last >= claim.first);
        ended.offer(claim.last, claim.device);
    }
    let mut begun = Farthest(None, None);
    for (claim, hit) in claims.iter().zip(&mut hit).rev() {
        *hit |= begun.of_others(claim.device).is_some_and(|Reverse(first)| first <= claim.last);
        begun.offer(Reverse(claim.first), claim.device);
    }
    claims.iter().zip(hit).filter_map(|(claim, hit)| hit.then_some(*claim)).collect()
}

/// The largest instant of all devices, and the largest of all other devices than that one.
struct Farthest<T>(Option<(T, usize)>, Option<(T, usize)>);

impl<T: Copy + Ord> Farthest<T> {
    /// The largest instant of the devices other than `device`.
    fn of_others(&self, device: usize) -> Option<T> {
        [self.0, self.1].into_iter().flatten().find(|(_, d)| *d != device).map(|(at, _)| at)
    }

    fn offer(&mut self, at: T, device: usize) {
        match self.0 {
            Some((known, d)) if d == device => self.0 = Some((known.max(at), d)),
            first if first.is_none_or(|(known, _)| known < at) => {
                (self.0, self.1) = (Some((at, device)), first)
            }
            _ if self.1.is_none_or(|(known, _)| known < at) => self.1 = Some((at, device)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_claims_that_overlap_another_devices_are_found(
            spans in prop::collection::vec((0..30_i64, 0..12_i64, 0..4_usize), 0..16),
        ) {
            let ip = [10, 0, 0, 1].into();
            let claim = |(n, (first, length, device)): (usize, (i64, i64, usize))| {
                let mac = MacAddr([2, 0, 0, 0, 0, u8::try_from(n).unwrap()]);
                Claim { ip, first: Timestamp(first), last: Timestamp(first + length), mac, device }
            };
            let mut claims: Vec<Claim> = spans.into_iter().enumerate().map(claim).collect();
            claims.sort_unstable();
            let overlaps = |a: &&Claim| {
                claims.iter().any(|b| a.device != b.device && a.first <= b.last && b.first <= a.last)
            };
            let expected: Vec<Claim> = claims.iter().filter(overlaps).copied().collect();
            prop_assert_eq!(overlapping(&claims), expected);
        }
    }
}
