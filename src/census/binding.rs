//! Bindings (I3 to I7): which couplings are local to a card, which are behind a router, and which are virtual.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::address::{Prefix, is_link_local, is_public};
use super::coupling::{Coupling, CouplingKey};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::policy::Policy;
use super::sign::Sign;

/// How an address is bound to a MAC (I4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Binding {
    /// The card, or its DHCP server, stated the pair on the link.
    Proven,
    /// Only IP headers show the pair, and nothing contradicts it.
    Inferred,
    /// The address is behind the card, which forwards.
    Routed,
    /// The MAC is that of a virtual router (I7).
    Virtual,
}

impl Binding {
    /// Whether the coupling belongs to a device.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Proven | Self::Inferred)
    }
}

/// Why a MAC forwards (I6): the first reason that applies, in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Forwards {
    /// A DHCP router option names this address of it.
    RouterOption(IpAddr),
    /// It speaks a routing or first-hop redundancy protocol, or sends router advertisements with a lifetime.
    Protocol,
    /// It carries tunnelled packets from the address (I13).
    Carries(IpAddr),
    /// It sends from a public address that is not on-link.
    Public(IpAddr),
    /// It sends from an address that another MAC proved.
    ProvenElsewhere(IpAddr),
    /// It sends from an off-link address, and only with TTLs that a router lowered.
    OffLink(IpAddr),
}

/// The on-link prefixes of a zone, learned or configured (I5).
#[derive(Debug, Default)]
pub(super) struct OnLink {
    prefixes: HashSet<Prefix>,
    lengths: Vec<u8>,
}

impl OnLink {
    fn new<'a>(prefixes: impl Iterator<Item = &'a Prefix>) -> Self {
        let prefixes: HashSet<Prefix> = prefixes.copied().collect();
        let mut lengths: Vec<u8> = prefixes.iter().map(Prefix::length).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { prefixes, lengths }
    }

    /// Whether `ip` is on-link. Link-local addresses always are (I4).
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        is_link_local(ip)
            || self
                .lengths
                .iter()
                .any(|length| Prefix::of(ip, *length).is_some_and(|p| self.prefixes.contains(&p)))
    }
}

/// The couplings of a zone that pass I1 to I3 with their bindings, and the MACs that forward.
#[derive(Debug)]
pub(super) struct Bindings<'a> {
    /// Sorted by key.
    pub(super) couplings: Vec<Bound<'a>>,
    /// The MACs that forward, each with its first reason.
    pub(super) forwarding: BTreeMap<MacAddr, Forwards>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the laws read it"))]
    pub(super) on_link: OnLink,
}

/// A coupling with its binding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) key: CouplingKey,
    pub(super) facts: &'a Coupling,
    pub(super) binding: Binding,
}

impl<'a> Bindings<'a> {
    /// Derives the bindings of a zone. A function of the merged facts alone.
    pub(super) fn derive(zone: &'a Zone, policy: &Policy) -> Self {
        let segment = &zone.segment;
        let on_link = OnLink::new(segment.sent.iter().chain(&segment.exchanged).chain(&policy.on_link));
        let broadcasts: HashSet<Ipv4Addr> =
            segment.sent.iter().chain(&policy.on_link).filter_map(Prefix::broadcast).collect();
        let is_broadcast = |ip| matches!(ip, IpAddr::V4(a) if broadcasts.contains(&a));

        // First the couplings that prove themselves; the others are judged by comparison with them.
        let mut couplings: Vec<Bound<'a>> = zone
            .couplings
            .iter()
            .filter(|(key, _)| !is_broadcast(key.ip))
            .map(|(key, facts)| Bound { key: *key, facts, binding: by_itself(*key, facts, &on_link) })
            .collect();
        let proven = sorted(couplings.iter().filter(|c| c.binding == Binding::Proven).map(|c| c.key.ip));

        let mut forwarding: BTreeMap<MacAddr, Forwards> = BTreeMap::new();
        let mut note = |mac: MacAddr, why: Forwards| {
            forwarding.entry(mac).and_modify(|known| *known = (*known).min(why)).or_insert(why);
        };
        for (mac, station) in &zone.stations {
            if station.speaks_routing() && !mac.is_virtual_router() {
                note(*mac, Forwards::Protocol);
            }
        }
        for c in &couplings {
            let CouplingKey { mac, ip } = c.key;
            match c.binding {
                Binding::Proven if segment.routers.contains(&ip) => note(mac, Forwards::RouterOption(ip)),
                Binding::Inferred => {
                    if let Some(why) = forwards_for(ip, c.facts, &on_link, proven.binary_search(&ip).is_ok())
                    {
                        note(mac, why);
                    }
                }
                _ => {}
            }
        }
        for c in &mut couplings {
            if c.binding == Binding::Inferred && forwarding.contains_key(&c.key.mac) {
                c.binding = Binding::Routed;
            }
        }
        Self { couplings, forwarding, on_link }
    }

    /// The couplings that belong to devices: proven or inferred.
    pub(super) fn local(&self) -> impl Iterator<Item = &Bound<'a>> {
        self.couplings.iter().filter(|c| c.binding.is_local())
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = items.collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The binding by the coupling's own facts alone. `Inferred` may become `Routed` once the forwarding MACs are known.
fn by_itself(key: CouplingKey, facts: &Coupling, on_link: &OnLink) -> Binding {
    if key.mac.is_virtual_router() {
        Binding::Virtual
    } else if facts.signs.any(Sign::PROOFS) || facts.signs.has(Sign::Announced) && on_link.contains(key.ip) {
        Binding::Proven
    } else {
        Binding::Inferred
    }
}

/// Why a MAC that sends from `ip` without a proof forwards (I6); `None` if it does not.
fn forwards_for(ip: IpAddr, facts: &Coupling, on_link: &OnLink, proven_elsewhere: bool) -> Option<Forwards> {
    let off_link = !on_link.contains(ip);
    if facts.signs.has(Sign::Carried) {
        Some(Forwards::Carries(ip))
    } else if off_link && is_public(ip) {
        Some(Forwards::Public(ip))
    } else if proven_elsewhere {
        Some(Forwards::ProvenElsewhere(ip))
    } else if off_link && facts.signs.has(Sign::Far) && !facts.signs.has(Sign::Near) {
        Some(Forwards::OffLink(ip))
    } else {
        None
    }
}
