//! Tunnels (I13): what frames inside them show is kept apart, and counts if the tunnel is trusted.
//!
//! Anybody can send a tunnel's packets across a mirrored link. The facts of a tunnel are a zone of their own, inside the
//! zone whose link its packets cross; tunnels in tunnels nest in the same way. Whether they count is a conclusion.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::binding::Bindings;
use super::coupling::CouplingKey;
use super::inventory::{Inventory, Zone};
use super::policy::Policy;
use super::time::Timestamp;
use super::trust;

/// The most tunnels in tunnels.
pub const TUNNEL_DEPTH: u8 = 8;
/// How often admitted tunnels may let further ones in.
const ROUNDS: usize = 8;

/// The source of a tunnel's packets on the link that they cross.
pub type TunnelKey = CouplingKey;

/// The kinds of tunnels that carry Ethernet frames and are opened.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TunnelKind {
    Capwap,
    Erspan,
    EtherIp,
    Geneve,
    Gre,
    L2tpV3,
    Mpls,
    RemoteMirror,
    Tzsp,
    Vxlan,
}

impl TunnelKind {
    pub const ALL: [Self; 10] = [
        Self::Capwap,
        Self::Erspan,
        Self::EtherIp,
        Self::Geneve,
        Self::Gre,
        Self::L2tpV3,
        Self::Mpls,
        Self::RemoteMirror,
        Self::Tzsp,
        Self::Vxlan,
    ];

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capwap => "CAPWAP",
            Self::Erspan => "ERSPAN",
            Self::EtherIp => "EtherIP",
            Self::Geneve => "GENEVE",
            Self::Gre => "GRE",
            Self::L2tpV3 => "L2TPv3",
            Self::Mpls => "MPLS",
            Self::RemoteMirror => "remote mirror",
            Self::Tzsp => "TZSP",
            Self::Vxlan => "VXLAN",
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TunnelKinds(pub u16);

impl TunnelKinds {
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, kind: TunnelKind) -> bool {
        self.0 & Self::of(kind).0 != 0
    }

    const fn of(kind: TunnelKind) -> Self {
        Self(1 << kind as u16)
    }
}

impl From<TunnelKind> for TunnelKinds {
    fn from(kind: TunnelKind) -> Self {
        Self::of(kind)
    }
}

impl fmt::Display for TunnelKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = TunnelKind::ALL.into_iter().filter(|kind| self.has(*kind)).map(TunnelKind::name);
        f.write_str(&names.collect::<Vec<_>>().join(" and "))
    }
}

/// Why a sensor trusts a tunnel, and its kinds. Merging is a join.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TunnelMarks {
    #[serde(rename = "k", default)]
    pub kinds: TunnelKinds,
    /// Its source is configured (`capture.tunnels`).
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    pub configured: bool,
    /// It carried at least half of the frames of a capture interface.
    #[serde(rename = "m", default, skip_serializing_if = "is_false")]
    pub majority: bool,
}

impl TunnelMarks {
    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: Self) -> bool {
        let before = *self;
        self.kinds = self.kinds.union(other.kinds);
        self.configured |= other.configured;
        self.majority |= other.majority;
        before != *self
    }

    pub const fn is_trusted(self) -> bool {
        self.configured || self.majority
    }

    /// The earliest instant about which `self` says more than `before`: trust lets in everything from the first frame on.
    pub fn news(self, before: Self, first_frame: Option<Timestamp>) -> Option<Timestamp> {
        first_frame.filter(|_| self != before)
    }
}

/// A tunnel and what the frames inside it showed. Merging is a join.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tunnel {
    #[serde(default)]
    pub marks: TunnelMarks,
    #[serde(default)]
    pub facts: Zone,
}

impl Tunnel {
    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let marked = self.marks.merge(other.marks);
        self.facts.merge(&other.facts) || marked
    }
}

impl Zone {
    /// The zone inside the tunnels of `path`, the outermost first. It and those around it are added if they are missing.
    pub fn within(&mut self, path: &[TunnelKey]) -> &mut Self {
        path.iter().fold(self, |zone, key| &mut zone.tunnels.entry(*key).or_default().facts)
    }

    /// The zone inside the tunnels of `path`, if it is known.
    pub fn inside(&self, path: &[TunnelKey]) -> Option<&Self> {
        path.iter().try_fold(self, |zone, key| zone.tunnels.get(key).map(|tunnel| &tunnel.facts))
    }

    /// Calls `each` with every tunnel and its path, outer tunnels before those that they carry.
    pub fn each_tunnel<'z>(&'z self, each: &mut dyn FnMut(&[TunnelKey], &'z Tunnel)) {
        self.each_tunnel_in(&mut Vec::new(), each);
    }

    fn each_tunnel_in<'z>(
        &'z self,
        path: &mut Vec<TunnelKey>,
        each: &mut dyn FnMut(&[TunnelKey], &'z Tunnel),
    ) {
        for (key, tunnel) in &self.tunnels {
            path.push(*key);
            each(path, tunnel);
            tunnel.facts.each_tunnel_in(path, each);
            path.pop();
        }
    }

    /// The number of couplings and stations, those in tunnels included.
    pub fn rows(&self) -> usize {
        let tunnelled: usize = self.tunnels.values().map(|tunnel| tunnel.facts.rows()).sum();
        self.couplings.len() + self.stations.len() + tunnelled
    }

    /// The numbers of couplings and stations, those in tunnels included.
    pub fn carried(&self) -> (u64, u64) {
        let own = (self.couplings.len() as u64, self.stations.len() as u64);
        let inner = self.tunnels.values().map(|tunnel| tunnel.facts.carried());
        inner.fold(own, |sum, more| (sum.0 + more.0, sum.1 + more.1))
    }

    /// Moves the facts of the tunnels that are trusted into the zone, so that what is left in tunnels does not count (I13).
    pub fn admit(&mut self, policy: &Policy) {
        for _ in 0..ROUNDS {
            let admissible = admissible(self, policy);
            if admissible.is_empty() {
                return;
            }
            for key in admissible {
                if let Some(tunnel) = self.tunnels.remove(&key) {
                    self.absorb(tunnel.facts);
                }
            }
        }
    }

    /// The facts that count: with those of the tunnels that are trusted (I13).
    pub fn admitted(&self, policy: &Policy) -> Cow<'_, Self> {
        if admissible(self, policy).is_empty() {
            return Cow::Borrowed(self);
        }
        let mut own = self.clone();
        own.admit(policy);
        Cow::Owned(own)
    }

    /// Joins `other` without a copy of its facts.
    fn absorb(&mut self, other: Self) {
        self.segment.merge(&other.segment);
        absorb(&mut self.couplings, other.couplings, |known, new| known.merge(new));
        absorb(&mut self.stations, other.stations, |known, new| known.merge(new));
        absorb(&mut self.tunnels, other.tunnels, |known, new| known.merge(new));
        self.conduct.merge(&other.conduct);
    }
}

fn absorb<K: Ord, V>(into: &mut BTreeMap<K, V>, from: BTreeMap<K, V>, merge: impl Fn(&mut V, &V) -> bool) {
    for (key, new) in from {
        match into.entry(key) {
            Entry::Occupied(mut known) => {
                merge(known.get_mut(), &new);
            }
            Entry::Vacant(place) => {
                place.insert(new);
            }
        }
    }
}

/// The tunnels that a zone lets in at once: those that a sensor trusts; then those whose source is a device of the zone.
fn admissible(zone: &Zone, policy: &Policy) -> Vec<TunnelKey> {
    let trusted = zone.tunnels.iter().filter(|(_, tunnel)| tunnel.marks.is_trusted());
    let trusted: Vec<TunnelKey> = trusted.map(|(key, _)| *key).collect();
    let known = || zone.tunnels.keys().filter(|key| zone.couplings.contains_key(key));
    if !trusted.is_empty() || known().next().is_none() {
        return trusted;
    }
    let is_short = trust::is_short(&zone.clock(), policy);
    let bindings = Bindings::derive(zone, policy, is_short);
    let lasts = |key: &&TunnelKey| zone.couplings.get(key).is_some_and(|c| is_short || c.is_seen_twice());
    known().filter(lasts).filter(|key| bindings.place(key).is_some()).copied().collect()
}

impl Inventory {
    /// See [`Zone::admit`].
    pub fn admit(&mut self, policy: &Policy) {
        // A zone that lets nothing in stays shared.
        for zone in self.zones.values_mut().filter(|zone| !admissible(zone, policy).is_empty()) {
            Arc::make_mut(zone).admit(policy);
        }
    }

    /// The facts that count: with those of the tunnels that are trusted (I13). Every survey is made of them.
    pub fn admitted(&self, policy: &Policy) -> Cow<'_, Self> {
        if self.zones.values().all(|zone| admissible(zone, policy).is_empty()) {
            return Cow::Borrowed(self);
        }
        let mut own = self.clone();
        own.admit(policy);
        Cow::Owned(own)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
