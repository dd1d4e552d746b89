//! Identity (I8): which couplings are one device, and why. Every join has a reason that is shown and can be undone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::address::is_link_local;
use super::binding::{Bindings, Bound};
use super::coupling::{CouplingKey, Sign};
use super::evidence::Field;
use super::inventory::Zone;
use super::mac::MacAddr;
use super::time::Timestamp;

/// Why a coupling is joined with another (I8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinReason {
    /// I8(a): an IPv6 address of the same MAC.
    Ipv6OfMac,
    /// I8(b): the MAC left the address by a DHCP lease move, or left 169.254/16 for a lease.
    LeaseMove,
    /// I8(c): one LLDP chassis id, CDP device id, SNMP engine id or EtherNet/IP serial.
    SharedIdentifier,
    /// I8(c): leased under one DHCP client id or DUID.
    SharedLease,
    /// I12: randomised MACs with one specific host name, never active at once.
    SharedName,
    /// I8(d): the MAC forwards, so all its own addresses are one device.
    ForwardingMac,
    /// I8(d): the MAC only ever answers ARP for the address.
    ProxyArp,
}

impl JoinReason {
    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ipv6OfMac => "an IPv6 address of the same card (I8a)",
            Self::LeaseMove => "the card left this address by a DHCP lease (I8b)",
            Self::SharedIdentifier => "both name the same chassis, device, engine or serial number (I8c)",
            Self::SharedLease => "both lease under one DHCP client (I8c)",
            Self::SharedName => "randomised cards with one host name, never active at once (I12)",
            Self::ForwardingMac => "all addresses of a router's card are one device (I8d)",
            Self::ProxyArp => "the card only answers ARP for this address (I8d)",
        }
    }
}

/// One join: `coupling` lies in the device of `with`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Join {
    /// The coupling that was joined.
    pub coupling: CouplingKey,
    /// A coupling of the device it was joined to.
    pub with: CouplingKey,
    /// Why.
    pub reason: JoinReason,
}

/// The devices of a zone as groups of local couplings.
#[derive(Debug, Default)]
pub struct Identities<'a> {
    /// Each group sorted by key; the groups sorted by their first key.
    pub groups: Vec<Vec<Bound<'a>>>,
    /// All joins, sorted.
    pub joins: BTreeSet<Join>,
    /// Couplings that their own MAC has left (I8b).
    pub superseded: HashSet<CouplingKey>,
}

impl<'a> Identities<'a> {
    /// Groups the local couplings of a zone. A function of the merged facts alone.
    pub fn derive(zone: &Zone, bindings: &Bindings<'a>) -> Self {
        let local: Vec<Bound<'a>> = bindings.local().copied().collect();
        let mut by_mac: BTreeMap<MacAddr, Vec<usize>> = BTreeMap::new();
        for (i, c) in local.iter().enumerate() {
            by_mac.entry(c.key.mac).or_default().push(i);
        }
        let mut graph = Graph { parent: (0..local.len()).collect(), local: &local, joins: BTreeSet::new() };
        let mut superseded = HashSet::new();
        for (mac, members) in &by_mac {
            for (old, successor) in lease_moves(&local, members) {
                if let Some(c) = local.get(old) {
                    superseded.insert(c.key);
                }
                graph.join(old, successor, JoinReason::LeaseMove);
            }
            if bindings.forwarding.contains_key(mac) {
                graph.join_all(members, JoinReason::ForwardingMac);
            } else {
                graph.join_proxied(members);
            }
            graph.join_ipv6(members);
        }
        graph.join_identifiers(zone, &by_mac);
        graph.join_leases(zone, &by_mac);
        graph.join_names(zone, &by_mac);

        let mut groups: BTreeMap<usize, Vec<Bound<'a>>> = BTreeMap::new();
        for (i, c) in local.iter().enumerate() {
            let root = graph.root(i);
            groups.entry(root).or_default().push(*c);
        }
        Self { groups: groups.into_values().collect(), joins: graph.joins, superseded }
    }
}

/// The couplings of one MAC that it has left, each with its successor (I8b): the newest lease takes over every
/// older lease and every self-assigned address that was silent ever since.
fn lease_moves(local: &[Bound<'_>], members: &[usize]) -> Vec<(usize, usize)> {
    let of = |i: &usize| local.get(*i);
    let newest = members
        .iter()
        .filter(|i| of(i).is_some_and(|c| c.key.ip.is_ipv4() && c.facts.leased_at.is_some()))
        .max_by_key(|i| of(i).map(|c| (c.facts.leased_at, c.key)));
    let Some((successor, lease)) = newest.and_then(|i| Some((*i, local.get(*i)?.facts.leased_at?))) else {
        return Vec::new();
    };
    members
        .iter()
        .copied()
        .filter(|i| *i != successor)
        .filter(|i| {
            of(i).is_some_and(|c| {
                let left = c.facts.leased_at.is_some() || is_link_local(c.key.ip);
                c.key.ip.is_ipv4() && left && c.facts.last_seen <= lease
            })
        })
        .map(|i| (i, successor))
        .collect()
}

struct Graph<'l, 'a> {
    parent: Vec<usize>,
    local: &'l [Bound<'a>],
    joins: BTreeSet<Join>,
}

impl Graph<'_, '_> {
    fn root(&mut self, mut i: usize) -> usize {
        while let Some(p) = self.parent.get(i).copied() {
            if p == i {
                break;
            }
            let grand = self.parent.get(p).copied().unwrap_or(p);
            if let Some(slot) = self.parent.get_mut(i) {
                *slot = grand;
            }
            i = grand;
        }
        i
    }

    /// Joins two couplings; the lower index stays the root, so that groups come out in order of their keys.
    fn join(&mut self, a: usize, b: usize, reason: JoinReason) {
        let (ra, rb) = (self.root(a), self.root(b));
        if ra == rb {
            return;
        }
        if let Some(slot) = self.parent.get_mut(ra.max(rb)) {
            *slot = ra.min(rb);
        }
        if let (Some(x), Some(y)) = (self.local.get(a), self.local.get(b)) {
            self.joins.insert(Join { coupling: x.key, with: y.key, reason });
        }
    }

    fn join_all(&mut self, members: &[usize], reason: JoinReason) {
        if let [first, rest @ ..] = members {
            for i in rest {
                self.join(*i, *first, reason);
            }
        }
    }

    /// I8(a). Keys sort IPv4 before IPv6, so the first member is the lowest IPv4 address where there is one.
    fn join_ipv6(&mut self, members: &[usize]) {
        let Some(first) = members.first().copied() else { return };
        for i in members {
            if self.local.get(*i).is_some_and(|c| matches!(c.key.ip, IpAddr::V6(_))) {
                self.join(*i, first, JoinReason::Ipv6OfMac);
            }
        }
    }

    /// I8(d): an address that the MAC only answers ARP for goes to its lowest address that is more than that.
    fn join_proxied(&mut self, members: &[usize]) {
        let only_answered = |i: &usize| {
            self.local.get(*i).is_some_and(|c| {
                c.facts.signs.has(Sign::ArpAnswered)
                    && !c.facts.signs.any(
                        Sign::PROOFS.without(Sign::ArpAnswered).with(Sign::Sourced).with(Sign::Announced),
                    )
            })
        };
        let (proxied, own): (Vec<usize>, Vec<usize>) = members.iter().partition(|i| only_answered(i));
        if let Some(first) = own.first().copied() {
            for i in proxied {
                self.join(i, first, JoinReason::ProxyArp);
            }
        }
    }

    /// I8(c): MACs that bear one identifier are one device, with everything on them.
    fn join_identifiers(&mut self, zone: &Zone, by_mac: &BTreeMap<MacAddr, Vec<usize>>) {
        let mut bearers: BTreeMap<(Field, &str), BTreeSet<MacAddr>> = BTreeMap::new();
        for (mac, station) in &zone.stations {
            for e in &station.evidence {
                if matches!(e.field, Field::LldpChassisId | Field::CdpDeviceId) && by_mac.contains_key(mac) {
                    bearers.entry((e.field, &e.value)).or_default().insert(*mac);
                }
            }
        }
        for c in self.local {
            for e in &c.facts.evidence {
                if matches!(e.field, Field::SnmpEngineId | Field::EnipSerial) {
                    bearers.entry((e.field, &e.value)).or_default().insert(c.key.mac);
                }
            }
        }
        for macs in bearers.into_values().filter(|m| m.len() > 1) {
            let members: Vec<usize> = macs.iter().filter_map(|m| by_mac.get(m)).flatten().copied().collect();
            self.join_all(&members, JoinReason::SharedIdentifier);
        }
    }

    /// I8(c): couplings of different MACs leased under one client id or DUID are one device.
    fn join_leases(&mut self, zone: &Zone, by_mac: &BTreeMap<MacAddr, Vec<usize>>) {
        let mut bearers: BTreeMap<(Field, &str), Vec<usize>> = BTreeMap::new();
        for (mac, members) in by_mac {
            let Some(station) = zone.stations.get(mac) else { continue };
            let leased = members
                .iter()
                .copied()
                .filter(|i| self.local.get(*i).is_some_and(|c| c.facts.leased_at.is_some()));
            let leased: Vec<usize> = leased.collect();
            for e in &station.evidence {
                if matches!(e.field, Field::DhcpClientId | Field::DhcpDuid) {
                    bearers.entry((e.field, &e.value)).or_default().extend(&leased);
                }
            }
        }
        for members in bearers.into_values() {
            let macs: BTreeSet<MacAddr> =
                members.iter().filter_map(|i| self.local.get(*i)).map(|c| c.key.mac).collect();
            if macs.len() > 1 {
                self.join_all(&members, JoinReason::SharedLease);
            }
        }
    }

    /// I12: randomised MACs that bear one host name, which is no default one, are one device where their times from
    /// first to last frame never overlap.
    fn join_names(&mut self, zone: &Zone, by_mac: &BTreeMap<MacAddr, Vec<usize>>) {
        let mut bearers: BTreeMap<String, BTreeSet<MacAddr>> = BTreeMap::new();
        for (mac, members) in by_mac.iter().filter(|(mac, _)| mac.is_locally_administered()) {
            let own = members.iter().filter_map(|i| self.local.get(*i)).map(|c| &c.facts.evidence);
            for e in own.chain(zone.stations.get(mac).map(|s| &s.evidence)).flatten() {
                if matches!(e.field, Field::DhcpHostname | Field::MdnsHostname) && is_specific(&e.value) {
                    bearers.entry(e.value.to_ascii_lowercase()).or_default().insert(*mac);
                }
            }
        }
        for macs in bearers.into_values().filter(|macs| macs.len() > 1) {
            let mut spans: Vec<(Timestamp, Timestamp)> =
                macs.iter().filter_map(|mac| self.span(by_mac.get(mac)?)).collect();
            spans.sort_unstable();
            if spans.iter().zip(spans.iter().skip(1)).all(|(a, b)| a.1 < b.0) {
                let members: Vec<usize> =
                    macs.iter().filter_map(|m| by_mac.get(m)).flatten().copied().collect();
                self.join_all(&members, JoinReason::SharedName);
            }
        }
    }

    /// From the first to the last frame of some couplings.
    fn span(&self, members: &[usize]) -> Option<(Timestamp, Timestamp)> {
        let facts = || members.iter().filter_map(|i| self.local.get(*i)).map(|c| c.facts);
        Some((facts().map(|f| f.first_seen).min()?, facts().map(|f| f.last_seen).max()?))
    }
}

/// Names that makers give every unit, one a line; a trailing `*` stands for anything.
const DEFAULT_NAMES: &str = include_str!("../../config/default-names.txt");

/// Whether a host name says which unit it is, and not only of which make (I12).
fn is_specific(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let default = |pattern: &str| match pattern.strip_suffix('*') {
        Some(head) => name.starts_with(head),
        None => name == pattern,
    };
    let patterns = DEFAULT_NAMES.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    name.len() > 2 && !patterns.into_iter().any(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_a_makers_name_is_no_specific_one() {
        for name in ["iPhone", "iPhone-2", "android-4f1c", "Galaxy-S21", "localhost", "ESP_4A21B0", "x"] {
            assert!(!is_specific(name), "{name}");
        }
        for name in ["marta-kowalska", "reception-desk-2", "anna-iphone", "build-server-01"] {
            assert!(is_specific(name), "{name}");
        }
    }
}
