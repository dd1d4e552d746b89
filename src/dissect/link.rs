//! The link layer: Ethernet II, IEEE 802.3 with LLC and SNAP, Linux cooked capture.

use pnet::packet::Packet as _;
use pnet::packet::ethernet::EthernetPacket;

use super::protocol;
use super::sink::{Anomaly, Sink, Tags};
use super::{Frame, LinkType, Malformed, Payload, Reader, Words, arp, network, quiet, shim, tunnel};
use crate::census::address::is_never_sender;
use crate::census::{Field, MacAddr, NotUnderstood, Signs};

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const LLDP: u16 = 0x88cc;
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const BACKBONE: u16 = 0x88e7;
/// IEEE 802.2 in frames that are too long for a length field.
const LONG_LLC: u16 = 0x8870;
/// The number of IEEE 802.2 frames in a Linux cooked capture (`ETH_P_802_2`).
const COOKED_LLC: u16 = 4;
/// Up to here the type field of an Ethernet header is a length (IEEE 802.3 3.2.6).
const MAX_LENGTH: u16 = 1500;

/// Who sent a frame, and to whom.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// The frame's source: a station.
    pub(super) source: MacAddr,
    /// The frame's destination. A cooked capture only shows whether it is a group.
    pub(super) destination: MacAddr,
    /// Its VLANs.
    pub(super) tags: Tags,
    /// Number of tunnels around it.
    pub(super) depth: u8,
}

impl Link {
    /// What a dissector reads of the frame.
    #[inline]
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> Payload<'a> {
        Payload { source: self.source, ..Payload::new(bytes) }
    }
}

/// Dissects one frame.
pub fn dissect(frame: &Frame<'_>, sink: &mut impl Sink) {
    let result = match frame.link {
        LinkType::Ethernet => ethernet(frame.data, 0, sink),
        LinkType::LinuxSll => cooked(frame.data, sink),
        LinkType::LinuxSll2 => cooked2(frame.data, sink),
        LinkType::RawIp => {
            sink.anomaly(Anomaly::NoLinkLayer);
            Ok(())
        }
    };
    if let Err(what) = result {
        sink.malformed(what);
    }
}

/// Dissects the Ethernet frame inside a tunnel (I13).
pub(super) fn inner(outer: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    if outer.depth >= tunnel::MAX_DEPTH {
        return Err(Malformed::new("tunnel", "nested too deep"));
    }
    ethernet(bytes, outer.depth + 1, sink)
}

/// Whether bytes look like an Ethernet frame: sent by a station, with a common type or a fitting length.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    looks_like_frame(bytes, |kind| [IPV4, IPV6, ARP, LLDP].contains(&kind) || shim::is_shim(kind))
}

/// Whether bytes look like an Ethernet frame of any type that is read or known.
pub(super) fn is_frame(bytes: &[u8]) -> bool {
    is_plausible(bytes) || looks_like_frame(bytes, quiet::is_known_type)
}

fn looks_like_frame(bytes: &[u8], is_type: impl FnOnce(u16) -> bool) -> bool {
    EthernetPacket::new(bytes).is_some_and(|frame| {
        let (source, kind) = (frame.get_source(), frame.get_ethertype().0);
        let source = MacAddr([source.0, source.1, source.2, source.3, source.4, source.5]);
        let length = (3..=MAX_LENGTH).contains(&kind) && usize::from(kind) <= frame.payload().len();
        source.is_station() && (length || is_type(kind))
    })
}

fn ethernet(bytes: &[u8], depth: u8, sink: &mut impl Sink) -> Result<(), Malformed> {
    let frame = EthernetPacket::new(bytes).ok_or(Malformed::new("ethernet", "short header"))?;
    let (source, destination) = (frame.get_source(), frame.get_destination());
    let link = Link {
        source: MacAddr([source.0, source.1, source.2, source.3, source.4, source.5]),
        destination: MacAddr([
            destination.0,
            destination.1,
            destination.2,
            destination.3,
            destination.4,
            destination.5,
        ]),
        tags: Tags::default(),
        depth,
    };
    payload(link, frame.get_ethertype().0, frame.payload(), sink)
}

/// Linux cooked capture v1 (LINKTYPE_LINUX_SLL).
fn cooked(bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    let mut header = || {
        let (kind, hardware, length) = (r.u16()?, r.u16()?, r.u16()?);
        let address = r.array::<8>()?;
        let protocol = r.u16()?;
        Some((kind, hardware, length, address, protocol))
    };
    let (kind, hardware, length, address, protocol) =
        header().ok_or(Malformed::new("sll", "short header"))?;
    cooked_payload(kind, hardware, length, address, protocol, r.rest(), sink)
}

/// Linux cooked capture v2 (LINKTYPE_LINUX_SLL2).
fn cooked2(bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    let mut header = || {
        let protocol = r.u16()?;
        r.take(6)?;
        let (hardware, kind, length) = (r.u16()?, r.u8()?, r.u8()?);
        Some((u16::from(kind), hardware, u16::from(length), r.array::<8>()?, protocol))
    };
    let (kind, hardware, length, address, protocol) =
        header().ok_or(Malformed::new("sll2", "short header"))?;
    cooked_payload(kind, hardware, length, address, protocol, r.rest(), sink)
}

fn cooked_payload(
    kind: u16,
    hardware: u16,
    length: u16,
    address: [u8; 8],
    protocol: u16,
    rest: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    // ARPHRD_ETHER and its kin carry a MAC; loopback, tunnels and PPP do not.
    let source = MacAddr::from_slice(&address).filter(|_| length == 6 && matches!(hardware, 1 | 801..=803));
    let Some(source) = source else {
        sink.anomaly(Anomaly::NoLinkLayer);
        return Ok(());
    };
    // Packet types 1 and 2 are broadcast and multicast; other destinations are not recorded.
    let destination = if matches!(kind, 1 | 2) { MacAddr([0xff; 6]) } else { MacAddr::default() };
    let protocol = if protocol == COOKED_LLC { LONG_LLC } else { protocol };
    payload(Link { source, destination, tags: Tags::default(), depth: 0 }, protocol, rest, sink)
}

fn payload(mut link: Link, ethertype: u16, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let (ethertype, body) = match ethertype {
        IPV4 | IPV6 => (ethertype, bytes),
        _ => shim::strip(ethertype, bytes, &mut link.tags)?,
    };
    if !link.source.is_station() {
        sink.anomaly(Anomaly::ImpossibleSource);
        return Ok(());
    }
    match ethertype {
        // Packets tell their own length: bulk data is not searched for a trailer.
        IPV4 => network::ipv4(&link, body, sink),
        IPV6 => network::ipv6(&link, body, sink),
        ..=MAX_LENGTH => logical_link(&link, body.get(..usize::from(ethertype)).unwrap_or(body), sink),
        _ => typed(&link, ethertype, shim::without_trailer(body, bytes.len()), sink),
    }
}

fn typed(link: &Link, ethertype: u16, body: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    match ethertype {
        IPV4 => network::ipv4(link, body, sink),
        IPV6 => network::ipv6(link, body, sink),
        ARP => arp::dissect(link, body, sink),
        MPLS | MPLS_MULTICAST => tunnel::mpls(link, body, sink),
        BACKBONE => tunnel::backbone(link, body, sink),
        PPPOE_SESSION => tunnel::pppoe(link, body, sink),
        LONG_LLC => logical_link(link, body, sink),
        _ => {
            let (taken, said) =
                announced(link, sink, |words| protocol::over_ethernet(ethertype, link.payload(body), words));
            if !taken && !quiet::is_quiet_type(ethertype) {
                sink.not_understood(NotUnderstood::ether_type(ethertype));
            }
            said
        }
    }
}

/// IEEE 802.2: spanning tree, IS-IS, and SNAP with Ethernet types or makers' protocols inside.
fn logical_link(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    let header = r.array::<3>().ok_or(Malformed::new("llc", "short header"))?;
    match header {
        [0xaa, 0xaa, 0x03] => {
            let snap = r.array::<3>().zip(r.u16());
            let (organisation, kind) = snap.ok_or(Malformed::new("snap", "short header"))?;
            match (organisation, kind) {
                ([0, 0, 0], MAX_LENGTH..) => typed(link, kind, r.rest(), sink),
                ([a, b, c], kind) => {
                    let organisation = u32::from_be_bytes([0, a, b, c]);
                    let (taken, said) = announced(link, sink, |words| {
                        protocol::over_snap((organisation, kind), link.payload(r.rest()), words)
                    });
                    if !taken && !quiet::is_quiet_snap(organisation) {
                        sink.not_understood(NotUnderstood::snap(organisation, kind));
                    }
                    said
                }
            }
        }
        // Unnumbered information between the same service access point.
        [to, from, 0x03] if to == from => {
            let (taken, said) =
                announced(link, sink, |words| protocol::over_llc(to, link.payload(r.rest()), words));
            if !taken {
                sink.not_understood(NotUnderstood::llc(to));
            }
            said
        }
        [to, _, control] => {
            if !quiet::is_quiet_llc(control) {
                sink.not_understood(NotUnderstood::llc(to));
            }
            Ok(())
        }
    }
}

/// Runs a dissector whose words are the station's.
pub(super) fn station<T>(link: &Link, sink: &mut impl Sink, dissect: impl FnOnce(&mut Words<'_>) -> T) -> T {
    let source = link.source;
    let mut hear = |field: Field, value: &str| sink.station_said(source, field, value);
    let mut words = Words::new(&mut hear);
    let result = dissect(&mut words);
    let spent = words.budget().is_spent();
    if spent {
        sink.anomaly(Anomaly::OverBudget);
    }
    result
}

/// Runs a dissector whose words are the station's, and whose addresses it proves (I4). The words are those of
/// the addresses too: a bridge that writes its own MAC into frames passes on what its clients say (I8g). Also returns
/// whether there is one.
fn announced(
    link: &Link,
    sink: &mut impl Sink,
    dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
) -> (bool, Result<(), Malformed>) {
    let mut addresses = Vec::new();
    let mut reach = |ip, proof| addresses.push((ip, proof));
    let source = link.source;
    let mut said = Vec::new();
    let mut hear = |field: Field, value: &str| said.push((field, value.to_owned()));
    let mut words = Words::new(&mut hear).with_addresses(&mut reach);
    let result = dissect(&mut words);
    let (taken, mut budget) = (words.is_taken(), *words.budget());
    for (field, value) in &said {
        sink.station_said(source, *field, value);
    }
    for (ip, proof) in addresses.into_iter().filter(|(ip, _)| !is_never_sender(*ip)) {
        network::coupling(link, ip, Signs::from(proof), sink);
        for (field, value) in said.iter().take_while(|(_, value)| budget.word(value.len())) {
            sink.coupling_said(source, ip, *field, value);
        }
    }
    if budget.is_spent() {
        sink.anomaly(Anomaly::OverBudget);
    }
    (taken, result)
}
