//! The coupling (I1): one MAC with one IP address, and the facts that frames gave of it.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceSet;
use super::mac::MacAddr;
use super::time::Timestamp;

/// VLAN ids that one coupling keeps: the smallest ones.
pub const VLANS: usize = 8;

/// What identifies a coupling within its zone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CouplingKey {
    /// The card's address.
    pub mac: MacAddr,
    /// The address it uses.
    pub ip: IpAddr,
}

/// Two or three words instead of the derived implementation's many bytes: this runs once a frame.
impl Hash for CouplingKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.mac.0;
        let mac = u64::from_be_bytes([0, u8::from(self.ip.is_ipv6()), a, b, c, d, e, f]);
        match self.ip {
            IpAddr::V4(ip) => state.write_u128(u128::from(mac) << 32 | u128::from(ip.to_bits())),
            IpAddr::V6(ip) => {
                state.write_u64(mac);
                state.write_u128(ip.to_bits());
            }
        }
    }
}

/// One way in which a coupling showed itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u16)]
pub enum Sign {
    /// It asked or announced by ARP (sender pair equal to the Ethernet source).
    ArpAsked = 1,
    /// It answered an ARP request.
    ArpAnswered = 1 << 1,
    /// NS, NA or RA with hop limit 255, unfragmented.
    NeighborDiscovery = 1 << 2,
    /// A DHCP ACK on the client's own link.
    DhcpAck = 1 << 3,
    /// A management address in its own LLDP frame.
    LldpManagement = 1 << 4,
    /// An address in its own CDP frame.
    CdpManagement = 1 << 5,
    /// A link-scope announcement: mDNS, LLMNR, NBNS, SSDP, WSD. Proves an on-link address only.
    Announced = 1 << 6,
    /// The source of an IP packet.
    Sourced = 1 << 7,
    /// The source of a unicast packet with an initial TTL (I6).
    Near = 1 << 8,
    /// The source of a unicast packet with another TTL.
    Far = 1 << 9,
    /// The source of a tunnelled packet without an Ethernet header of its own (I13).
    Carried = 1 << 10,
}

impl Sign {
    /// The signs that prove a coupling wherever its address lies (I4).
    pub const PROOFS: Signs = Signs(
        Self::ArpAsked as u16
            | Self::ArpAnswered as u16
            | Self::NeighborDiscovery as u16
            | Self::DhcpAck as u16
            | Self::LldpManagement as u16
            | Self::CdpManagement as u16,
    );

    /// Every sign, in order.
    pub const ALL: [Self; 11] = [
        Self::ArpAsked,
        Self::ArpAnswered,
        Self::NeighborDiscovery,
        Self::DhcpAck,
        Self::LldpManagement,
        Self::CdpManagement,
        Self::Announced,
        Self::Sourced,
        Self::Near,
        Self::Far,
        Self::Carried,
    ];

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ArpAsked => "asked or announced itself by ARP",
            Self::ArpAnswered => "answered for the address by ARP",
            Self::NeighborDiscovery => "spoke IPv6 neighbour discovery with hop limit 255",
            Self::DhcpAck => "was given the address by a DHCP server",
            Self::LldpManagement => "named the address as its management address by LLDP",
            Self::CdpManagement => "named the address as its own by CDP",
            Self::Announced => "announced itself on the link (mDNS, LLMNR, NetBIOS, SSDP or WS-Discovery)",
            Self::Sourced => "sent IP packets from the address",
            Self::Near => "sent unicast packets with a TTL that packets start with",
            Self::Far => "sent unicast packets with a TTL that a router has lowered",
            Self::Carried => "carried packets of the address in a tunnel",
        }
    }
}

/// A set of [`Sign`]s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Signs(pub u16);

impl Signs {
    /// The set with `sign` in it.
    #[must_use]
    pub const fn with(self, sign: Sign) -> Self {
        Self(self.0 | sign as u16)
    }

    /// The set without `sign`.
    #[must_use]
    pub const fn without(self, sign: Sign) -> Self {
        Self(self.0 & !(sign as u16))
    }

    /// Whether `sign` is in the set.
    pub const fn has(self, sign: Sign) -> bool {
        self.0 & sign as u16 != 0
    }

    /// Whether the sets share a sign.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The union.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signs in the set.
    pub fn iter(self) -> impl Iterator<Item = Sign> {
        Sign::ALL.into_iter().filter(move |s| self.has(*s))
    }
}

impl From<Sign> for Signs {
    fn from(sign: Sign) -> Self {
        Self(sign as u16)
    }
}

/// The facts of a coupling. Every field has a merge that is commutative, associative and idempotent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Coupling {
    /// The earliest frame.
    #[serde(rename = "a")]
    pub first_seen: Timestamp,
    /// The newest frame.
    #[serde(rename = "z")]
    pub last_seen: Timestamp,
    /// How it showed itself.
    #[serde(rename = "s")]
    pub signs: Signs,
    /// The earliest frame that bore one of [`Sign::PROOFS`].
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Timestamp>,
    /// The newest DHCP ACK for it (I8b).
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub leased_at: Option<Timestamp>,
    /// VLAN ids it was seen in: at most [`VLANS`], sorted. Inner and outer tags alike.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<u16>,
    /// What was said from the address.
    #[serde(rename = "e", default, skip_serializing_if = "EvidenceSet::is_empty")]
    pub evidence: EvidenceSet,
}

impl Coupling {
    /// A coupling that one frame at `at` showed by `signs`.
    pub fn new(at: Timestamp, signs: Signs) -> Self {
        Self {
            first_seen: at,
            last_seen: at,
            signs,
            proven_at: signs.any(Sign::PROOFS).then_some(at),
            leased_at: signs.has(Sign::DhcpAck).then_some(at),
            vlans: Vec::new(),
            evidence: EvidenceSet::default(),
        }
    }

    /// Records that frames between `first` and `last`, each of which bore all of `signs`, showed the coupling.
    /// Returns whether anything but `last_seen` changed.
    pub fn sight(&mut self, first: Timestamp, last: Timestamp, signs: Signs) -> bool {
        let before = (self.first_seen, self.signs, self.proven_at, self.leased_at);
        self.first_seen = self.first_seen.min(first);
        self.last_seen = self.last_seen.max(last);
        self.signs = self.signs.union(signs);
        if signs.any(Sign::PROOFS) {
            self.proven_at = earliest(self.proven_at, Some(first));
        }
        if signs.has(Sign::DhcpAck) {
            self.leased_at = self.leased_at.max(Some(last));
        }
        before != (self.first_seen, self.signs, self.proven_at, self.leased_at)
    }

    /// Records a VLAN id; returns whether the set changed.
    pub fn tag(&mut self, vlan: u16) -> bool {
        match self.vlans.binary_search(&vlan) {
            Ok(_) => false,
            Err(i) => {
                self.vlans.insert(i, vlan);
                self.vlans.truncate(VLANS);
                i < VLANS
            }
        }
    }

    /// Joins the facts of `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = self.last_seen;
        let mut changed = self.sight(other.first_seen, other.last_seen, Signs::default());
        let facts = (self.signs, self.proven_at, self.leased_at);
        self.signs = self.signs.union(other.signs);
        self.proven_at = earliest(self.proven_at, other.proven_at);
        self.leased_at = self.leased_at.max(other.leased_at);
        changed |= facts != (self.signs, self.proven_at, self.leased_at) || before != self.last_seen;
        for vlan in &other.vlans {
            changed |= self.tag(*vlan);
        }
        self.evidence.merge(&other.evidence) || changed
    }

    /// Restores the invariants that facts from outside may lack.
    pub fn normalise(&mut self) {
        self.vlans.sort_unstable();
        self.vlans.dedup();
        self.vlans.truncate(VLANS);
        self.evidence.normalise();
    }
}

/// The earlier of two instants that may be missing.
pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
