//! Where the facts of a frame go.

use std::net::{IpAddr, Ipv4Addr};

use super::act::Act;
use super::Malformed;
use crate::census::{Field, MacAddr, NotUnderstood, Prefix, Signs, TunnelKey, TunnelKind};

/// An oddity that is counted beside the facts. It is not an error and does not make a device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Anomaly {
    /// An ARP or neighbour discovery message names another MAC than its frame's source (I3).
    SenderMismatch,
    /// A frame's source is a group address or null (I3).
    ImpossibleSource,
    /// A fragment of a packet.
    Fragment,
    /// A datagram whose fragments were dropped to make room for newer ones.
    FragmentsDropped,
    /// A packet without a link layer: no MAC, so no coupling.
    NoLinkLayer,
    /// A message of which a part was left out, because it would have cost too much work.
    OverBudget,
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
            Self::OverBudget => "over_budget",
        }
    }
}

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FragmentKey {
    /// The card that sent it. A copy on the other side of a router is gathered separately.
    pub mac: MacAddr,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub id: u32,
    /// The sink's number of the tunnel that it came through: others must not add to it.
    pub tunnel: u16,
}

/// One fragment of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// The datagram that it is part of.
    pub key: FragmentKey,
    /// Offset of its bytes in the datagram's payload.
    pub offset: usize,
    /// Whether further fragments follow.
    pub more: bool,
    /// Its part of the payload.
    pub bytes: &'a [u8],
}

/// Receives the facts of one frame. The receiver knows the frame's time.
pub trait Sink {
    /// The facts up to [`Sink::leave`] come from the frame inside a tunnel (I13), whose packet `outer` sent.
    fn enter(&mut self, outer: TunnelKey, kind: TunnelKind);
    /// The frame inside the tunnel ends. Not called after a panic.
    fn leave(&mut self);
    /// `mac` used `ip`; `signs` are the proofs, `tags` the VLANs.
    fn coupling(&mut self, mac: MacAddr, ip: IpAddr, signs: Signs, tags: Tags);
    /// The sender `mac` said something from `ip`.
    fn coupling_said(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str);
    /// A message of the sender `mac` described the host with the address `ip`, from which the message did not come (I2).
    fn coupling_described(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str);
    /// The sender `mac` said something below IP.
    fn station_said(&mut self, mac: MacAddr, field: Field, value: &str);
    /// The sender `by` sent the mask of `prefix` (I5).
    fn prefix(&mut self, prefix: Prefix, by: MacAddr);
    /// A DHCP router option from the sender `by` named `ip` (I6).
    fn router(&mut self, ip: IpAddr, by: MacAddr);
    /// Another station sent a unicast packet to `mac` at `ip` (I15a).
    fn addressed(&mut self, mac: MacAddr, ip: IpAddr);
    /// One half of an ARP exchange (I5).
    fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool);
    /// Adds a fragment, and returns the datagram's payload once it is whole. Facts that follow in
    /// this frame are the datagram's: they take the time of its earliest fragment.
    fn gather(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>>;
    /// The sender `mac` did something from `ip`.
    fn did(&mut self, mac: MacAddr, ip: IpAddr, act: &Act<'_>);
    /// Counts a part of the frame that contradicts its protocol.
    fn malformed(&mut self, what: Malformed);
    /// Counts an oddity.
    fn anomaly(&mut self, what: Anomaly);
    /// Counts the frame as one that hides something which nothing reads (I13).
    fn not_understood(&mut self, what: NotUnderstood);
    /// Counts the frame as a datagram to the port of one station that no dissector reads. Its sender is not hidden.
    fn unread_datagram(&mut self, to: IpAddr, port: u16);
}

/// The VLAN ids of a frame, outermost first. At most four are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tags([u16; 4]);

impl Tags {
    pub(super) const NONE: Self = Self([0; 4]);

    /// Adds the id of a tag control word; a priority tag has the id 0 and adds nothing.
    pub(super) fn push(&mut self, control: u16) {
        if let (id @ 1.., Some(slot)) = (control & 0x0fff, self.0.iter_mut().find(|s| **s == 0)) {
            *slot = id;
        }
    }

    /// The ids as one number.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        let [a, b, c, d] = self.0;
        (a as u64) << 48 | (b as u64) << 32 | (c as u64) << 16 | d as u64
    }

    /// The ids of [`Self::bits`].
    pub(crate) const fn of_bits(bits: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
        Self([
            u16::from_be_bytes([a, b]),
            u16::from_be_bytes([c, d]),
            u16::from_be_bytes([e, f]),
            u16::from_be_bytes([g, h]),
        ])
    }

    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().take_while(|id| *id != 0)
    }
}
