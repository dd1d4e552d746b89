//! Bindings (I3 to I7): which couplings are a card's own, which lie behind a router, which belong to a group.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::address::{Prefix, is_link_local, is_public};
use super::coupling::{Coupling, CouplingKey, Sign};
use super::inventory::Zone;
use super::mac::MacAddr;
use super::policy::Policy;

/// How a coupling holds (I4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum Binding {
    /// The card itself or its DHCP server named the pair on the link.
    Proven,
    /// Only IP headers show it, and nothing speaks against it.
    Inferred,
    /// The address lies behind the card.
    Routed,
    /// The card is a virtual router's (I7).
    Virtual,
}

impl Binding {
    /// Whether the coupling belongs to a device.
    pub fn is_local(self) -> bool {
        matches!(self, Self::Proven | Self::Inferred)
    }
}

/// Why a MAC is held to forward (I6). The first that applies, in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Forwards {
    /// A DHCP router option names its address.
    RouterOption(IpAddr),
    /// It speaks a routing or first-hop protocol, or sends router advertisements with a lifetime.
    Protocol,
    /// It carries tunnelled packets of the address (I13).
    Carries(IpAddr),
    /// It sends from a public address that is not on-link.
    Public(IpAddr),
    /// It sends from an address that another MAC has proven.
    ProvenElsewhere(IpAddr),
    /// It sends from an off-link address only with TTLs that a router has lowered.
    OffLink(IpAddr),
}

/// The on-link prefixes of a zone: learned, or configured (I5).
#[derive(Debug, Default)]
pub struct OnLink {
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

    /// Whether `ip` is on-link; link-local addresses always are.
    pub fn contains(&self, ip: IpAddr) -> bool {
        is_link_local(ip)
            || self
                .lengths
                .iter()
                .any(|length| Prefix::of(ip, *length).is_some_and(|p| self.prefixes.contains(&p)))
    }
}

/// The couplings of a zone that pass I1 to I3, each with its binding, and the MACs that forward.
#[derive(Debug)]
pub struct Bindings<'a> {
    /// Every strict coupling, sorted by key.
    pub couplings: Vec<Bound<'a>>,
    /// The MACs that forward, each with the first reason.
    pub forwarding: BTreeMap<MacAddr, Forwards>,
    /// The prefixes that decided.
    pub on_link: OnLink,
}

/// One coupling with its binding.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// Which coupling.
    pub key: CouplingKey,
    /// Its facts.
    pub facts: &'a Coupling,
    /// How it holds.
    pub binding: Binding,
}

impl<'a> Bindings<'a> {
    /// Derives the bindings of a zone. A function of the merged facts alone.
    pub fn derive(zone: &'a Zone, policy: &Policy) -> Self {
        let segment = &zone.segment;
        let on_link = OnLink::new(segment.sent.iter().chain(&segment.exchanged).chain(&policy.on_link));
        let broadcasts: HashSet<Ipv4Addr> =
            segment.sent.iter().chain(&policy.on_link).filter_map(Prefix::broadcast).collect();
        let is_broadcast = |ip| matches!(ip, IpAddr::V4(a) if broadcasts.contains(&a));

        // First what proves itself; everything open is judged against that.
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

    /// The couplings that belong to devices.
    pub fn local(&self) -> impl Iterator<Item = &Bound<'a>> {
        self.couplings.iter().filter(|c| c.binding.is_local())
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = items.collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// What a coupling's own facts say; `Inferred` stands for "open" until the forwarding MACs are known.
fn by_itself(key: CouplingKey, facts: &Coupling, on_link: &OnLink) -> Binding {
    if key.mac.is_virtual_router() {
        Binding::Virtual
    } else if facts.signs.any(Sign::PROOFS) || facts.signs.has(Sign::Announced) && on_link.contains(key.ip) {
        Binding::Proven
    } else {
        Binding::Inferred
    }
}

/// Why a MAC that sources `ip` without proof forwards (I6), if it does.
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
