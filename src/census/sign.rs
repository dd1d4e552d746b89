//! Signs: the ways in which frames show that a card uses an address, and which of them prove it (I4).

use serde::{Deserialize, Serialize};

/// What a frame showed about a coupling.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
pub enum Sign {
    /// An ARP request for another host, whose sender is the Ethernet source.
    ArpAsked = 1,
    /// An ARP reply.
    ArpAnswered = 1 << 1,
    /// An unfragmented NS, NA or RA with hop limit 255.
    NeighborDiscovery = 1 << 2,
    /// A DHCP ACK on the client's own link.
    DhcpAck = 1 << 3,
    /// A management address in its own LLDP frame.
    LldpManagement = 1 << 4,
    /// An address in its own CDP frame.
    CdpManagement = 1 << 5,
    /// A link-scope announcement by mDNS, LLMNR, NBNS, SSDP or WSD. It proves an on-link address only.
    Announced = 1 << 6,
    /// The source of an IP packet.
    Sourced = 1 << 7,
    /// The source of a unicast or routable multicast packet whose TTL is an initial one, such as 64 or 128 (I6).
    Near = 1 << 8,
    /// The source of such a packet with any other TTL: a router has lowered it.
    Far = 1 << 9,
    /// The source of a tunnelled packet that has no Ethernet header of its own (I13).
    Carried = 1 << 10,
    /// The MAC's messages described the host with this address. That makes nobody a sender (I2).
    Described = 1 << 11,
    /// A hello of a routing or first-hop redundancy protocol, from a real MAC (I4).
    RoutingHello = 1 << 12,
    /// The source of a unicast packet with TTL 60, which a host may start with or a router may have left (I6).
    Sixty = 1 << 13,
    /// An ARP announcement: the sender asks for its own address, or answers itself.
    ArpAnnounced = 1 << 14,
    /// The source of a packet whose TTL tells nothing: broadcast, link-scope multicast, or of link-local addresses (I6).
    LinkScope = 1 << 15,
    /// The source of a unicast packet with the TTL 128.
    Ttl128 = 1 << 16,
    /// Another MAC sent a unicast packet to the coupling. That makes nobody a sender (I2); it confirms one (I15a).
    Addressed = 1 << 17,
}

impl Sign {
    /// The signs that prove a coupling whatever its address (I4).
    pub const PROOFS: Signs = Signs(
        Self::ArpAsked as u32
            | Self::ArpAnswered as u32
            | Self::NeighborDiscovery as u32
            | Self::DhcpAck as u32
            | Self::LldpManagement as u32
            | Self::CdpManagement as u32
            | Self::RoutingHello as u32
            | Self::ArpAnnounced as u32,
    );

    /// What a card says of the address by ARP.
    pub const ARP: Signs =
        Signs(Self::ArpAsked as u32 | Self::ArpAnswered as u32 | Self::ArpAnnounced as u32);

    /// By these a card may speak of another's address as well as of its own (I8d).
    pub const ANSWERS: Signs = Signs(Self::ArpAnswered as u32 | Self::ArpAnnounced as u32);

    /// A card's own statement to its neighbours that an address manages it (I8f).
    pub const MANAGEMENT: Signs = Signs(Self::LldpManagement as u32 | Self::CdpManagement as u32);

    /// What only other MACs show of a coupling (I2).
    pub const BY_OTHERS: Signs = Signs(Self::Described as u32 | Self::Addressed as u32);

    /// The signs of a sender whose TTL was looked at (I6).
    pub const UNICAST: Signs = Signs(Self::Near as u32 | Self::Far as u32 | Self::Sixty as u32);

    /// By these a MAC sends from the address as a host of its own. Packets that it may pass on, answers and announcements by
    /// ARP, and statements about the address are not among them (I8d).
    pub const OWN_USE: Signs = Signs(
        Self::ArpAsked as u32
            | Self::NeighborDiscovery as u32
            | Self::Announced as u32
            | Self::Near as u32
            | Self::RoutingHello as u32
            | Self::Sixty as u32
            | Self::LinkScope as u32,
    );

    pub const ALL: [Self; 18] = [
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
        Self::Described,
        Self::RoutingHello,
        Self::Sixty,
        Self::ArpAnnounced,
        Self::LinkScope,
        Self::Ttl128,
        Self::Addressed,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Self::ArpAsked => "asked for others by ARP",
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
            Self::Described => "described the host with the address to others",
            Self::RoutingHello => "spoke a routing protocol from the address",
            Self::Sixty => "sent unicast packets with TTL 60",
            Self::ArpAnnounced => "announced the address by ARP",
            Self::LinkScope => "sent broadcasts or link-scope multicast from the address",
            Self::Ttl128 => "sent unicast packets with TTL 128",
            Self::Addressed => "was sent unicast packets by others",
        }
    }
}

/// A set of [`Sign`]s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Signs(pub u32);

impl Signs {
    #[must_use]
    pub const fn with(self, sign: Sign) -> Self {
        Self(self.0 | sign as u32)
    }

    #[must_use]
    pub const fn without(self, sign: Sign) -> Self {
        Self(self.0 & !(sign as u32))
    }

    pub const fn has(self, sign: Sign) -> bool {
        self.0 & sign as u32 != 0
    }

    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether both sets have a sign in common.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether only others show the address: the MAC never sent from it (I2).
    pub const fn is_only_by_others(self) -> bool {
        self.0 != 0 && self.0 & !Sign::BY_OTHERS.0 == 0
    }

    /// Ascending.
    pub fn iter(self) -> impl Iterator<Item = Sign> {
        Sign::ALL.into_iter().filter(move |s| self.has(*s))
    }
}

impl From<Sign> for Signs {
    fn from(sign: Sign) -> Self {
        Self(sign as u32)
    }
}
