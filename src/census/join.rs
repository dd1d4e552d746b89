//! Joins (I8): why two couplings are one device.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::coupling::CouplingKey;
use super::decision::Mark;
use super::evidence::Evidence;

/// Why a coupling is joined with another (I8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub enum JoinReason {
    /// I8(a): an IPv6 address of the same MAC.
    Ipv6OfMac,
    /// I8(b): the MAC moved from the address to another lease, or to a lease from 169.254/16 or a factory address.
    LeaseMove,
    /// I8(c): one LLDP chassis id, CDP device id, SNMP engine id or EtherNet/IP serial.
    SharedIdentifier,
    /// I8(c): leased under one DHCP client id or DUID.
    SharedLease,
    /// I12: randomised MACs with one specific host name, never active at once.
    SharedName,
    /// I8(d): the MAC forwards, so all its own addresses are one device.
    ForwardingMac,
    /// I8(d): the MAC only answers ARP for the address, or announces it.
    ProxyArp,
    /// I8(f): the MAC is a port of the device that its own LLDP or CDP names by its management address.
    Port,
    /// I8(g): the address is leased to a MAC that a bridge or repeater replaces by its own.
    Bridge,
    /// I8(h): two cards of one machine answer for one address.
    Bond,
    /// I8(i): the address of another interface of the same machine.
    StrayAddress,
    /// I8(e): a person merged them.
    Person,
}

impl JoinReason {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ipv6OfMac => "an IPv6 address of the same card (I8a)",
            Self::LeaseMove => "the card moved from this address to a DHCP lease (I8b)",
            Self::Port => "the card is a port of the device with this management address (I8f)",
            Self::Bridge => {
                "a bridge or repeater writes its own MAC into the frames of this DHCP client (I8g)"
            }
            Self::Bond => "two cards of one machine answer for one address (I8h)",
            Self::StrayAddress => "the address of another interface of the same machine (I8i)",
            Self::SharedIdentifier => "both name the same chassis, device, engine or serial number (I8c)",
            Self::SharedLease => "both hold leases of one DHCP client (I8c)",
            Self::SharedName => "randomised MACs with one host name, never active at the same time (I12)",
            Self::ForwardingMac => "all addresses of a router's card are one device (I8d)",
            Self::ProxyArp => "the card only answers ARP for this address, or announces it (I8d)",
            Self::Person => "a person merged them (I8e)",
        }
    }

    /// Whether a person may split the couplings that it joined. What several cards share can mislead (I8c, I8f, I8g, I8h,
    /// I12), and people can err (I8e). The addresses of one card are always one device (I8a, I8b, I8d, I8i).
    pub const fn may_be_split(self) -> bool {
        match self {
            Self::SharedIdentifier
            | Self::SharedLease
            | Self::SharedName
            | Self::Port
            | Self::Bridge
            | Self::Bond
            | Self::Person => true,
            Self::Ipv6OfMac | Self::LeaseMove | Self::ForwardingMac | Self::ProxyArp | Self::StrayAddress => {
                false
            }
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
