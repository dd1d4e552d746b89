//! Joins of several cards that have one address: bridges (I8g), ports (I8f) and bonds (I8h).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use foldhash::HashSet;

use super::address::is_link_local;
use super::binding::{Binding, Bound, Forwards};
use super::cards::Cards;
use super::coupling::Coupling;
use super::evidence::{Evidence, Field};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::sign::{Sign, Signs};
use super::time::MINUTE;
use super::trust::Caution;

/// How far apart the last octets of two cards of one machine may be (I8h).
const CARDS_APART: u8 = 16;

/// The local couplings of each address that several MACs have, in the order of the addresses, each sorted by MAC.
pub(super) type Shared = Vec<(IpAddr, Vec<u32>)>;

pub(super) fn shared(cards: &Cards<'_, '_>) -> Shared {
    let mut places: Vec<(IpAddr, u32)> = cards.bound().map(|(i, c)| (c.key.ip, i)).collect();
    places.sort_unstable();
    let shared = places.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1);
    shared.filter_map(|same| Some((same.first()?.0, same.iter().map(|(_, i)| *i).collect()))).collect()
}

/// I8(g): leased addresses whose client never sent a frame itself, each with the couplings of the MACs that send from it.
pub(super) fn bridges(
    cards: &Cards<'_, '_>,
    shared: &Shared,
    silent: &HashSet<MacAddr>,
    caution: &Caution<'_>,
) -> Vec<(u32, Vec<u32>)> {
    let mut found = Vec::new();
    for (_, places) in shared {
        let is_lease = |i: &u32| {
            cards.get(*i).is_some_and(|c| silent.contains(&c.key.mac) && c.facts.signs.has(Sign::DhcpAck))
        };
        let (leases, seen): (Vec<u32>, Vec<u32>) = places.iter().copied().partition(is_lease);
        let newest = leases.into_iter().max_by_key(|i| cards.get(*i).map(|c| (c.facts.leased_at(), c.key)));
        let sends = |i: &u32| {
            let own = Sign::PROOFS.difference(Sign::MANAGEMENT).without(Sign::DhcpAck).with(Sign::Sourced);
            // What used the address long before its lease sends from it all the same: the ACK may be forged (I15b).
            let leased = |c: &Coupling| {
                c.lease_began().is_some_and(|at| caution.is_short || !caution.is_late(at, c.first_seen))
            };
            cards.get(*i).is_some_and(|c| c.facts.signs.any(own) && !leased(c.facts))
        };
        let Some((leased, lease)) = newest.and_then(|i| Some((i, cards.get(i)?.facts))) else { continue };
        // One ACK takes no address from a host that already used it (I15b).
        let began = lease.lease_began().map(|at| at.plus(-MINUTE));
        let since = |i: &u32| cards.get(*i).is_some_and(|c| Some(c.facts.first_seen) >= began);
        let certain = caution.is_short || lease.is_seen_twice();
        let strays = |i: &u32| {
            let late = |c: &Bound<'_>| began.is_some_and(|at| caution.is_late(c.facts.first_seen, at));
            cards.get(*i).is_some_and(|c| c.passing && late(c))
        };
        let seen = seen.into_iter().filter(|i| sends(i) && (certain || since(i)) && !strays(i));
        let seen: Vec<u32> = seen.collect();
        if !seen.is_empty() {
            found.push((leased, seen));
        }
    }
    found
}

/// I8(f): MACs whose only proof of an address is their own LLDP or CDP, with the MAC that proves the address otherwise; or
/// such MACs alone. Each group has the couplings of one port's card, and one coupling of the device.
///
/// A card that has other addresses must say so in two minutes, and be of the device's make. Else its coupling with the
/// address is not a device either, as nobody uses the address from it (I15b): these are in `unaccepted`. Those of cards
/// that say so long after they were known are in `late`.
pub(super) fn ports(
    cards: &Cards<'_, '_>,
    shared: &Shared,
    caution: &Caution<'_>,
    unaccepted: &mut Vec<u32>,
    late: &mut Vec<u32>,
) -> Vec<Vec<u32>> {
    let proofs =
        |i: &u32| cards.get(*i).map(|c| c.facts.signs.intersection(Sign::PROOFS)).unwrap_or_default();
    // By port: the devices that its management addresses name.
    let mut devices: BTreeMap<MacAddr, Vec<u32>> = BTreeMap::new();
    for (_, places) in shared {
        let proven = places.iter().copied().filter(|i| !proofs(i).is_empty());
        let is_port = |i: &u32| {
            let own_use = |c: &Bound<'_>| {
                c.facts.shows_use(caution.is_short) || c.facts.shows_answers(caution.is_short)
            };
            let states = proofs(i).any(Sign::MANAGEMENT);
            let proofs = proofs(i).difference(Sign::MANAGEMENT);
            let asked = Signs::from(Sign::ArpAsked);
            let weak = if states { asked.with(Sign::DhcpAck).union(Sign::ANSWERS) } else { asked };
            proofs.is_empty() || proofs.difference(weak).is_empty() && !cards.get(*i).is_some_and(own_use)
        };
        let (ports, own): (Vec<u32>, Vec<u32>) = proven.partition(is_port);
        // The minutes of a port's proofs may be those of its statements.
        let confirmed = |c: &Bound<'_>, is_stated: bool| {
            caution.confirms(c.facts) && (caution.is_short || !is_stated || c.facts.used().is_repeated())
        };
        // With a proof of whatever MAC, a management address is two independent kinds of facts (I15b).
        let rank = |i: &u32| {
            let is_stated = proofs(i).any(Sign::MANAGEMENT);
            let is_unused = |c: &Bound<'_>| !c.facts.shows_use(caution.is_short);
            cards.get(*i).map(|c| (!confirmed(c, is_stated), c.passing, is_unused(c), is_stated))
        };
        let device = own.into_iter().min_by_key(rank).or_else(|| ports.first().copied());
        let Some(device) = device else { continue };
        let maker = cards.get(device).map(|c| c.key.mac);
        let says_so = |port: &Bound<'_>| {
            let one_make = || maker.is_some_and(|mac| caution.may_be_one_make(mac, port.key.mac));
            let is_own = cards.facts(port.key.mac).any(|c| c.key != port.key);
            caution.is_short || !is_own || port.facts.is_seen_twice() && one_make()
        };
        for place in ports.into_iter().filter(|port| *port != device) {
            match cards.get(place) {
                Some(port) if says_so(port) => {
                    let known = cards.facts(port.key.mac).map(|c| c.facts.first_seen).min();
                    late.extend(
                        known.is_some_and(|at| caution.is_late(port.facts.first_seen, at)).then_some(place),
                    );
                    devices.entry(port.key.mac).or_default().push(device);
                }
                _ => unaccepted.push(place),
            }
        }
    }
    devices
        .into_iter()
        .map(|(port, devices)| devices.into_iter().chain(cards.of(port).iter().copied()).collect())
        .collect()
}

/// I8(h): pairs of couplings of two MACs that prove one IPv4 address and are the cards of one machine.
pub(super) fn bonds(
    zone: &Zone,
    cards: &Cards<'_, '_>,
    shared: &Shared,
    forwarding: &BTreeMap<MacAddr, Forwards>,
    caution: &Caution<'_>,
) -> Vec<[u32; 2]> {
    let mut found = Vec::new();
    // Two cards may share many addresses: they are compared once.
    let mut known: BTreeMap<[MacAddr; 2], bool> = BTreeMap::new();
    for (_, places) in shared.iter().filter(|(ip, _)| ip.is_ipv4()) {
        let proves = |i: &u32| {
            cards.get(*i).is_some_and(|c| c.binding == Binding::Proven && caution.confirms(c.facts))
        };
        let places: Vec<u32> = places.iter().copied().filter(proves).collect();
        for pair in places.windows(2) {
            let (&[a, b], Some([x, y])) = (pair, pair_of(cards, pair)) else { continue };
            let near =
                x.0.first_chunk::<5>() == y.0.first_chunk::<5>() && x.0[5].abs_diff(y.0[5]) <= CARDS_APART;
            let one_machine = || {
                !forwarding.contains_key(&x)
                    && !forwarding.contains_key(&y)
                    && proven(cards, x, caution) == proven(cards, y, caution)
                    && !named_apart(zone, cards, x, y, caution)
            };
            if near && *known.entry([x, y]).or_insert_with(one_machine) {
                found.push([a, b]);
            }
        }
    }
    found
}

fn pair_of(cards: &Cards<'_, '_>, pair: &[u32]) -> Option<[MacAddr; 2]> {
    let [a, b] = pair else { return None };
    Some([cards.get(*a)?.key.mac, cards.get(*b)?.key.mac])
}

/// The addresses that a card proves, but for link-local ones, which each card makes for itself.
fn proven(cards: &Cards<'_, '_>, mac: MacAddr, caution: &Caution<'_>) -> BTreeSet<IpAddr> {
    let proven = cards.facts(mac).filter(|c| c.binding == Binding::Proven && !is_link_local(c.key.ip));
    let proven = proven.filter(|c| caution.confirms(c.facts));
    proven.map(|c| c.key.ip).collect()
}

/// Whether two cards say different names in one field.
fn named_apart(zone: &Zone, cards: &Cards<'_, '_>, a: MacAddr, b: MacAddr, caution: &Caution<'_>) -> bool {
    let names = |mac, field: Field| -> BTreeSet<String> {
        let trusted = |e: &&Evidence| caution.trusts(e, cards.facts(mac).map(|c| c.facts));
        let said = cards.words(zone, mac).filter(|e| e.field == field).filter(trusted);
        said.map(|e| e.value.to_ascii_lowercase()).collect()
    };
    super::ties::NAMES.iter().any(|field| {
        let (x, y) = (names(a, *field), names(b, *field));
        !x.is_empty() && !y.is_empty() && x.is_disjoint(&y)
    })
}
