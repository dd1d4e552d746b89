//! Identity (I8): which couplings are one device, and why. Each join keeps its reason.
//!
//! To group a million couplings at a time, the code names a coupling by its place in the sorted list of couplings. The
//! couplings of one card are a run of that list.

use std::collections::BTreeSet;

use foldhash::{HashSet, HashSetExt as _};

use super::binding::Bindings;
use super::cards::Cards;
use super::decisions::ZoneDecisions;
use super::graph::Graph;
use super::inventory::Zone;
use super::join::{Join, JoinReason};
use super::mac::MacAddr;
use super::member::Part;
use super::stretches::Clock;
use super::ties::ToldJoin;
use super::trust::Caution;
use super::{shared_address, ties};

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
    /// Places of addresses for which the MAC only answers (I8d).
    proxied: HashSet<u32>,
    /// Places of couplings whose MAC is that of a bridge, not the device's (I8g).
    bridged: HashSet<u32>,
    /// Places of couplings by which a card claims to be the port of another device, and is not (I15b).
    pub(super) unaccepted: Vec<u32>,
    /// Places of couplings by which a card that was known for long became the port of another device (I15d).
    pub(super) late_ports: Vec<u32>,
    /// The cards whose frames a bridge sends (I8g).
    clients: HashSet<MacAddr>,
    /// Joins by identifiers that a person should look at (I15).
    pub(super) told: Vec<ToldJoin>,
}

impl Identities {
    /// Groups the local couplings of a zone. A function of the merged facts and the decisions.
    ///
    /// First come the joins of one card's addresses (I8a, I8b, I8d, I8i), which always hold. Then come the joins of
    /// several cards, by an address, identifier, lease or name (I8c, I8f, I8g, I8h, I12), except between couplings that a
    /// person split. Merges by people come last and always hold, because a split removes the merges that it contradicts.
    pub(super) fn derive(
        zone: &Zone,
        bindings: &Bindings<'_>,
        decisions: &ZoneDecisions,
        clock: &Clock,
        caution: &Caution<'_>,
    ) -> Self {
        let cards = Cards::new(&bindings.couplings);
        let mut graph = Graph::new(&bindings.couplings);
        let (mut superseded, mut proxied) = (HashSet::new(), HashSet::new());
        let shared = shared_address::shared(&cards);
        let bridges = shared_address::bridges(&cards, &shared, &bindings.silent, caution);
        let bridged: HashSet<u32> = bridges.iter().flat_map(|(_, seen)| seen).copied().collect();
        for (mac, members) in cards.iter().filter(|(_, members)| members.len() > 1) {
            let own: Vec<u32> = members.iter().copied().filter(|i| !bridged.contains(i)).collect();
            for (old, successor) in cards.lease_moves(&own, zone.stations.get(&mac), clock) {
                superseded.insert(old);
                graph.join(old, successor, JoinReason::LeaseMove);
            }
            if bindings.forwarding.contains_key(&mac) {
                graph.join_all(&own, JoinReason::ForwardingMac);
            } else if let Some(stray) = cards.stray(&own, &bindings.on_link, caution) {
                graph.join_to(&stray.others, stray.owner, JoinReason::StrayAddress);
            }
            if let Some(proxy) = cards.proxied(&own, caution) {
                graph.join_to(&proxy.others, proxy.owner, JoinReason::ProxyArp);
                proxied.extend(proxy.others);
            }
            if let Some(first) = cards.owner_of_ipv6(&own) {
                graph.join_ipv6(&own, first);
            }
        }
        graph.part(&cards.local, decisions);
        for (leased, seen) in &bridges {
            graph.join_group(std::iter::once(*leased).chain(seen.iter().copied()), JoinReason::Bridge);
        }
        let (mut unaccepted, mut late_ports) = (Vec::new(), Vec::new());
        for port in shared_address::ports(&cards, &shared, caution, &mut unaccepted, &mut late_ports) {
            graph.join_group(port, JoinReason::Port);
        }
        for bond in shared_address::bonds(zone, &cards, &shared, &bindings.forwarding, caution) {
            graph.join_group(bond, JoinReason::Bond);
        }
        // An identifier of a bridge ties the bridge's own addresses, and not those of its clients.
        let own = cards.without(&bridged);
        let mut told = Vec::new();
        ties::join_identifiers(&mut graph, zone, &own, caution, &mut told);
        ties::join_leases(&mut graph, zone, &own, caution, &mut told);
        ties::join_names(&mut graph, zone, &own, clock, caution, &mut told);
        graph.merge(decisions);
        let (members, starts) = graph.groups(&cards.local);
        let clients = bridges.iter().filter_map(|(leased, _)| Some(cards.get(*leased)?.key.mac)).collect();
        let joins = graph.joins;
        Self { members, starts, joins, superseded, proxied, bridged, unaccepted, late_ports, clients, told }
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

    /// Whether a bridge sends the card's frames (I8g).
    pub(super) fn is_client(&self, mac: MacAddr) -> bool {
        self.clients.contains(&mac)
    }

    /// Places of the couplings whose MAC is a bridge's (I8g).
    pub(super) fn bridged(&self) -> impl Iterator<Item = u32> {
        self.bridged.iter().copied()
    }

    /// What the coupling at `place` is of its device.
    pub(super) fn part(&self, place: u32) -> Part {
        if self.proxied.contains(&place) {
            Part::Proxied
        } else if self.bridged.contains(&place) {
            Part::Bridged
        } else {
            Part::Own
        }
    }
}
