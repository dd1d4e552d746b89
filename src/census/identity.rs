//! Identity (I8): which couplings are one device, and why. Each join keeps its reason.
//!
//! To group a million couplings at a time, the code names a coupling by its place in the sorted list of couplings. The
//! couplings of one card are a run of that list.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::is_link_local;
use super::binding::{Bindings, Bound};
use super::coupling::CouplingKey;
use super::decision::Mark;
use super::decisions::ZoneDecisions;
use super::evidence::{Evidence, Field};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::sign::Sign;
use super::time::Timestamp;

/// Why a coupling is joined with another (I8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum JoinReason {
    /// I8(a): an IPv6 address of the same MAC.
    Ipv6OfMac,
    /// I8(b): the MAC moved from the address to another lease, or from 169.254/16 to a lease.
    LeaseMove,
    /// I8(c): one LLDP chassis id, CDP device id, SNMP engine id or EtherNet/IP serial.
    SharedIdentifier,
    /// I8(c): leased under one DHCP client id or DUID.
    SharedLease,
    /// I12: randomised MACs with one specific host name, never active at once.
    SharedName,
    /// I8(d): the MAC forwards, so all its own addresses are one device.
    ForwardingMac,
    /// I8(d): the MAC only answers ARP for the address.
    ProxyArp,
    /// I8(e): a person merged them.
    Person,
}

impl JoinReason {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ipv6OfMac => "an IPv6 address of the same card (I8a)",
            Self::LeaseMove => "the card moved from this address to a DHCP lease (I8b)",
            Self::SharedIdentifier => "both name the same chassis, device, engine or serial number (I8c)",
            Self::SharedLease => "both hold leases of one DHCP client (I8c)",
            Self::SharedName => "randomised MACs with one host name, never active at the same time (I12)",
            Self::ForwardingMac => "all addresses of a router's card are one device (I8d)",
            Self::ProxyArp => "the card only answers ARP for this address (I8d)",
            Self::Person => "a person merged them (I8e)",
        }
    }

    /// Whether a person may split the couplings that it joined. Names and identifiers can mislead (I8c, I12), and people
    /// can err (I8e). The addresses of one card are always one device (I8a, I8b, I8d).
    pub const fn may_be_split(self) -> bool {
        match self {
            Self::SharedIdentifier | Self::SharedLease | Self::SharedName | Self::Person => true,
            Self::Ipv6OfMac | Self::LeaseMove | Self::ForwardingMac | Self::ProxyArp => false,
        }
    }
}

/// One join: `coupling` belongs to the device of `with`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Join {
    pub coupling: CouplingKey,
    pub with: CouplingKey,
    pub reason: JoinReason,
    /// The identifier or name that ties them, as the joined card said it; `None` for other reasons.
    pub by: Option<Evidence>,
    /// Who merged them; `None` unless a person did.
    pub decided: Option<Arc<Mark>>,
}

/// The devices of a zone as groups of local couplings.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// Places of local couplings in [`Bindings::couplings`], device by device, ascending within a device.
    members: Vec<u32>,
    /// The start of each device in `members`.
    starts: Vec<u32>,
    pub(super) joins: BTreeSet<Join>,
    /// Places of couplings whose MAC has moved to another address (I8b).
    superseded: HashSet<u32>,
}

impl Identities {
    /// Groups the local couplings of a zone. A function of the merged facts and the decisions.
    ///
    /// First come the joins of one card's addresses (I8a, I8b, I8d), which always hold. Then come the joins by
    /// identifier, lease and name (I8c, I12), except between couplings that a person split. Merges by people come last
    /// and always hold, because a split removes the merges that it contradicts.
    pub(super) fn derive(zone: &Zone, bindings: &Bindings<'_>, decisions: &ZoneDecisions) -> Self {
        let cards = Cards::new(&bindings.couplings);
        let mut graph = Graph::new(&bindings.couplings);
        let mut superseded = HashSet::new();
        for (mac, members) in cards.iter().filter(|(_, members)| members.len() > 1) {
            for (old, successor) in cards.lease_moves(members) {
                superseded.insert(old);
                graph.join(old, successor, JoinReason::LeaseMove);
            }
            if bindings.forwarding.contains_key(&mac) {
                graph.join_all(members, JoinReason::ForwardingMac);
            } else {
                graph.join_proxied(members);
            }
            graph.join_ipv6(members);
        }
        graph.part(&cards.local, decisions);
        graph.join_identifiers(zone, &cards);
        graph.join_leases(zone, &cards);
        graph.join_names(zone, &cards);
        graph.merge(decisions);
        let (members, starts) = graph.groups(&cards.local);
        Self { members, starts, joins: graph.joins, superseded }
    }

    /// The number of devices.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The devices in the order of their first couplings, each as places in [`Bindings::couplings`].
    pub(super) fn groups(&self) -> impl Iterator<Item = &[u32]> {
        let ends = self.starts.iter().skip(1).copied().chain([u32::MAX]);
        self.starts.iter().zip(ends).map(|(start, end)| {
            let end = (end as usize).min(self.members.len());
            self.members.get(*start as usize..end).unwrap_or_default()
        })
    }

    /// Whether the MAC of the coupling at `place` has moved to another address (I8b).
    pub(super) fn is_superseded(&self, place: u32) -> bool {
        self.superseded.contains(&place)
    }
}

/// The local couplings, card by card.
struct Cards<'b, 'a> {
    couplings: &'b [Bound<'a>],
    /// Their places, sorted by key.
    local: Vec<u32>,
}

impl<'b, 'a> Cards<'b, 'a> {
    fn new(couplings: &'b [Bound<'a>]) -> Self {
        let local = (0u32..).zip(couplings).filter(|(_, c)| c.binding.is_local()).map(|(i, _)| i).collect();
        Self { couplings, local }
    }

    fn get(&self, place: u32) -> Option<&'b Bound<'a>> {
        self.couplings.get(place as usize)
    }

    fn mac(&self, place: u32) -> Option<MacAddr> {
        self.get(place).map(|c| c.key.mac)
    }

    /// The cards, each with its couplings.
    fn iter(&self) -> impl Iterator<Item = (MacAddr, &[u32])> {
        let cards = self.local.chunk_by(|a, b| self.mac(*a) == self.mac(*b));
        cards.filter_map(|members| Some((self.mac(*members.first()?)?, members)))
    }

    /// The couplings of one card.
    fn of(&self, mac: MacAddr) -> &[u32] {
        let start = self.local.partition_point(|i| self.mac(*i) < Some(mac));
        let end = self.local.partition_point(|i| self.mac(*i) <= Some(mac));
        self.local.get(start..end).unwrap_or_default()
    }

    /// The couplings of some cards.
    fn of_all<'m>(&self, macs: impl Iterator<Item = &'m MacAddr>) -> Vec<u32> {
        macs.flat_map(|mac| self.of(*mac)).copied().collect()
    }

    /// I8(b): the couplings that one MAC has moved from, each with its successor. The newest lease supersedes older
    /// leases and self-assigned addresses that were silent since it was given.
    fn lease_moves(&self, members: &[u32]) -> Vec<(u32, u32)> {
        let leased = |i: &u32| {
            let c = self.get(*i)?;
            let at = c.facts.leased_at().filter(|_| c.key.ip.is_ipv4())?;
            Some((at, c.key, *i))
        };
        let Some((lease, _, successor)) = members.iter().filter_map(leased).max() else { return Vec::new() };
        let left = |i: &u32| {
            self.get(*i).is_some_and(|c| {
                let given_up = c.facts.leased_at().is_some() || is_link_local(c.key.ip);
                c.key.ip.is_ipv4() && given_up && c.facts.last_seen <= lease
            })
        };
        members.iter().filter(|i| **i != successor && left(i)).map(|i| (*i, successor)).collect()
    }
}

/// Joins couplings by union-find. The lower place stays the root, so devices come out in the order of their first keys.
struct Graph<'b, 'a> {
    parent: Vec<u32>,
    couplings: &'b [Bound<'a>],
    joins: BTreeSet<Join>,
    /// The change by which a person split each coupling; only couplings that were split.
    parts: HashMap<u32, u64>,
}

impl<'b, 'a> Graph<'b, 'a> {
    fn new(couplings: &'b [Bound<'a>]) -> Self {
        let parent = (0u32..).zip(couplings).map(|(i, _)| i).collect();
        Self { parent, couplings, joins: BTreeSet::new(), parts: HashMap::new() }
    }

    /// The place of a local coupling.
    fn place(&self, key: CouplingKey) -> Option<u32> {
        let i = self.couplings.binary_search_by(|c| c.key.cmp(&key)).ok()?;
        self.couplings.get(i).filter(|c| c.binding.is_local())?;
        u32::try_from(i).ok()
    }

    /// Extends each split to the couplings that are already joined with it, so that new addresses of a card go with it.
    fn part(&mut self, local: &[u32], decisions: &ZoneDecisions) {
        let mut of_root: HashMap<u32, u64> = HashMap::new();
        for (key, decision) in &decisions.splits {
            if let Some(place) = self.place(*key) {
                let part = of_root.entry(self.root(place)).or_insert(decision.mark.change);
                *part = (*part).min(decision.mark.change);
            }
        }
        if !of_root.is_empty() {
            for i in local {
                if let Some(part) = of_root.get(&self.root(*i)) {
                    self.parts.insert(*i, *part);
                }
            }
        }
    }

    /// I8(e): the merges of people.
    fn merge(&mut self, decisions: &ZoneDecisions) {
        for ((a, b), decision) in &decisions.merges {
            if let (Some(a), Some(b)) = (self.place(*a), self.place(*b)) {
                self.join_by(b, a, JoinReason::Person, None, Some(&decision.mark));
            }
        }
    }

    fn get(&self, place: u32) -> Option<&'b Bound<'a>> {
        self.couplings.get(place as usize)
    }

    fn root(&mut self, mut i: u32) -> u32 {
        while let Some(p) = self.parent.get(i as usize).copied() {
            if p == i {
                break;
            }
            let grand = self.parent.get(p as usize).copied().unwrap_or(p);
            if let Some(slot) = self.parent.get_mut(i as usize) {
                *slot = grand;
            }
            i = grand;
        }
        i
    }

    fn join(&mut self, a: u32, b: u32, reason: JoinReason) {
        self.join_by(a, b, reason, None, None);
    }

    fn join_by(
        &mut self,
        a: u32,
        b: u32,
        reason: JoinReason,
        by: Option<&Evidence>,
        decided: Option<&Arc<Mark>>,
    ) {
        let (ra, rb) = (self.root(a), self.root(b));
        if ra == rb {
            return;
        }
        if let Some(slot) = self.parent.get_mut(ra.max(rb) as usize) {
            *slot = ra.min(rb);
        }
        if let (Some(x), Some(y)) = (self.get(a), self.get(b)) {
            let (by, decided) = (by.cloned(), decided.cloned());
            self.joins.insert(Join { coupling: x.key, with: y.key, reason, by, decided });
        }
    }

    fn join_all(&mut self, members: &[u32], reason: JoinReason) {
        if let [first, rest @ ..] = members {
            for i in rest {
                self.join(*i, *first, reason);
            }
        }
    }

    /// Joins the couplings with one identifier, except where a person split them. Each join names the evidence of its own
    /// card.
    fn join_identified(&mut self, members: &[u32], reason: JoinReason, said: &BTreeMap<MacAddr, &Evidence>) {
        let mut firsts: BTreeMap<Option<u64>, u32> = BTreeMap::new();
        for i in members {
            match firsts.entry(self.parts.get(i).copied()) {
                Entry::Vacant(first) => {
                    first.insert(*i);
                }
                Entry::Occupied(first) => {
                    let (first, by) =
                        (*first.get(), self.get(*i).and_then(|c| said.get(&c.key.mac)).copied());
                    self.join_by(*i, first, reason, by, None);
                }
            }
        }
    }

    /// I8(a). Keys sort IPv4 before IPv6, so the first member has the lowest IPv4 address, if any has one.
    fn join_ipv6(&mut self, members: &[u32]) {
        let Some(first) = members.first().copied() else { return };
        for i in members {
            if self.get(*i).is_some_and(|c| matches!(c.key.ip, IpAddr::V6(_))) {
                self.join(*i, first, JoinReason::Ipv6OfMac);
            }
        }
    }

    /// I8(d): an address that the MAC only answers ARP for belongs to the lowest other address of that MAC.
    fn join_proxied(&mut self, members: &[u32]) {
        let only_answered = |i: &u32| {
            self.get(*i).is_some_and(|c| {
                c.facts.signs.has(Sign::ArpAnswered)
                    && !c.facts.signs.any(
                        Sign::PROOFS.without(Sign::ArpAnswered).with(Sign::Sourced).with(Sign::Announced),
                    )
            })
        };
        let (proxied, own): (Vec<u32>, Vec<u32>) = members.iter().partition(|i| only_answered(i));
        if let Some(first) = own.first().copied() {
            for i in proxied {
                self.join(i, first, JoinReason::ProxyArp);
            }
        }
    }

    /// I8(c): MACs with one identifier are one device, with all their couplings.
    fn join_identifiers(&mut self, zone: &Zone, cards: &Cards<'b, 'a>) {
        let mut identifiers: Identifiers<'_> = BTreeMap::new();
        for (mac, station) in &zone.stations {
            let mut named = station.evidence.iter().filter(|e| ties_cards(e.field)).peekable();
            if named.peek().is_some() && !cards.of(*mac).is_empty() {
                record(&mut identifiers, *mac, named);
            }
        }
        for c in self.couplings.iter().filter(|c| c.binding.is_local()) {
            record(&mut identifiers, c.key.mac, c.facts.evidence.iter().filter(|e| ties_cards(e.field)));
        }
        for said in identifiers.into_values().filter(|said| said.len() > 1) {
            let members = cards.of_all(said.keys());
            self.join_identified(&members, JoinReason::SharedIdentifier, &said);
        }
    }

    /// I8(c): couplings of different MACs leased under one client id or DUID are one device.
    fn join_leases(&mut self, zone: &Zone, cards: &Cards<'b, 'a>) {
        let mut identifiers: Identifiers<'_> = BTreeMap::new();
        for (mac, station) in &zone.stations {
            let ids = |e: &&Evidence| matches!(e.field, Field::DhcpClientId | Field::DhcpDuid);
            record(&mut identifiers, *mac, station.evidence.iter().filter(ids));
        }
        for said in identifiers.into_values().filter(|said| said.len() > 1) {
            let mut leased = cards.of_all(said.keys());
            leased.retain(|i| self.get(*i).is_some_and(|c| c.facts.leased_at().is_some()));
            self.join_identified(&leased, JoinReason::SharedLease, &said);
        }
    }

    /// I12: randomised MACs with one host name, which is not a default name, are one device if their times from first to
    /// last frame do not overlap.
    fn join_names(&mut self, zone: &Zone, cards: &Cards<'b, 'a>) {
        let mut identifiers: BTreeMap<String, BTreeMap<MacAddr, &Evidence>> = BTreeMap::new();
        for (mac, members) in cards.iter().filter(|(mac, _)| mac.is_locally_administered()) {
            let own = members.iter().filter_map(|i| self.get(*i)).map(|c| &c.facts.evidence);
            for e in own.chain(zone.stations.get(&mac).map(|s| &s.evidence)).flatten() {
                if matches!(e.field, Field::DhcpHostname | Field::MdnsHostname) && is_specific(&e.value) {
                    identifiers.entry(e.value.to_ascii_lowercase()).or_default().entry(mac).or_insert(e);
                }
            }
        }
        for said in identifiers.into_values().filter(|said| said.len() > 1) {
            let mut spans: Vec<(Timestamp, Timestamp)> =
                said.keys().filter_map(|mac| self.span(cards.of(*mac))).collect();
            spans.sort_unstable();
            if spans.iter().zip(spans.iter().skip(1)).all(|(a, b)| a.1 < b.0) {
                self.join_identified(&cards.of_all(said.keys()), JoinReason::SharedName, &said);
            }
        }
    }

    /// The first and the last frame of some couplings.
    fn span(&self, members: &[u32]) -> Option<(Timestamp, Timestamp)> {
        let facts = || members.iter().filter_map(|i| self.get(*i)).map(|c| c.facts);
        Some((facts().map(|f| f.first_seen).min()?, facts().map(|f| f.last_seen).max()?))
    }

    /// The local couplings device by device, and the start of each device.
    fn groups(&mut self, local: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut members = local.to_vec();
        members.sort_by_key(|i| self.root(*i));
        let mut starts = Vec::new();
        let mut last = None;
        for (place, i) in (0u32..).zip(&members) {
            let root = self.root(*i);
            if last != Some(root) {
                starts.push(place);
                last = Some(root);
            }
        }
        (members, starts)
    }
}

/// The MACs that said each identifier, with the evidence.
type Identifiers<'z> = BTreeMap<(Field, &'z str), BTreeMap<MacAddr, &'z Evidence>>;

fn record<'z>(identifiers: &mut Identifiers<'z>, mac: MacAddr, said: impl Iterator<Item = &'z Evidence>) {
    for e in said {
        let first = identifiers.entry((e.field, &e.value)).or_default().entry(mac).or_insert(e);
        if e.at < first.at {
            *first = e;
        }
    }
}

/// Fields whose value names one chassis, device, engine or serial number (I8c).
fn ties_cards(field: Field) -> bool {
    matches!(field, Field::LldpChassisId | Field::CdpDeviceId | Field::SnmpEngineId | Field::EnipSerial)
}

/// Names that makers give every unit, one per line; a trailing `*` matches anything.
const DEFAULT_NAMES: &str = include_str!("../../config/default-names.txt");

/// Whether a host name identifies a unit: it is not a default name (I12).
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
    fn i12_a_default_name_is_not_specific() {
        for name in ["iPhone", "iPhone-2", "android-4f1c", "Galaxy-S21", "localhost", "ESP_4A21B0", "x"] {
            assert!(!is_specific(name), "{name}");
        }
        for name in ["marta-kowalska", "reception-desk-2", "anna-iphone", "build-server-01"] {
            assert!(is_specific(name), "{name}");
        }
    }
}
