//! Where the facts of a frame go.

use std::net::{IpAddr, Ipv4Addr};

use super::Malformed;
use crate::census::{Field, MacAddr, Prefix, Signs};

/// What is counted beside the facts: neither an error nor a device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Anomaly {
    /// An ARP or neighbour discovery message names another MAC than its frame's source (I3).
    SenderMismatch,
    /// A frame's source is a group address or null (I3).
    ImpossibleSource,
    /// A fragment of a packet.
    Fragment,
    /// A datagram whose fragments were given up for newer ones.
    FragmentsDropped,
    /// A packet without a link layer: no MAC, so no coupling.
    NoLinkLayer,
}

impl Anomaly {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SenderMismatch => "sender_mismatch",
            Self::ImpossibleSource => "impossible_source",
            Self::Fragment => "fragment",
            Self::FragmentsDropped => "fragments_dropped",
            Self::NoLinkLayer => "no_link_layer",
        }
    }
}

/// What tells the fragments of one datagram from all others.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FragmentKey {
    /// The card that sent it: a copy on a router's other side is gathered for itself.
    pub mac: MacAddr,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Identification.
    pub id: u32,
}

/// One fragment of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Whose.
    pub key: FragmentKey,
    /// If its bytes stand in the payload.
    pub offset: usize,
    /// Whether more follow.
    pub more: bool,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Receives the facts of one frame. The receiver knows the frame's time.
pub trait Sink {
    /// `mac` showed itself with `ip` by `signs`, in the VLANs `tags`.
    fn coupling(&mut self, mac: MacAddr, ip: IpAddr, signs: Signs, tags: Tags);
    /// The sender `mac` said something from `ip`.
    fn coupling_said(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str);
    /// The sender `mac` said something below IP.
    fn station_said(&mut self, mac: MacAddr, field: Field, value: &str);
    /// Somebody sent the mask of `prefix` (I5).
    fn prefix(&mut self, prefix: Prefix);
    /// A DHCP router option named `ip` (I6).
    fn router(&mut self, ip: IpAddr);
    /// One half of an ARP exchange (I5).
    fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool);
    /// Adds a fragment, and returns the datagram's payload once it is whole. Facts that follow in this frame
    /// are the datagram's: they bear the time of its earliest fragment.
    fn gather(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>>;
    /// A part of the frame was not understood.
    fn malformed(&mut self, what: Malformed);
    /// Something odd, to be counted.
    fn anomaly(&mut self, what: Anomaly);
}

/// The VLAN ids of a frame, outermost first; at most four, further ones are passed over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tags([u16; 4]);

impl Tags {
    /// Adds the id of a tag control word; a priority tag has the id 0 and adds nothing.
    pub(super) fn push(&mut self, control: u16) {
        if let (id @ 1.., Some(slot)) = (control & 0x0fff, self.0.iter_mut().find(|s| **s == 0)) {
            *slot = id;
        }
    }

    /// The ids.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().take_while(|id| *id != 0)
    }
}
