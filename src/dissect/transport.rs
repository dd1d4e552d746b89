//! The transport layer: UDP (RFC 768) and TCP (RFC 9293), and which protocol speaks on them.

use std::net::IpAddr;

use pnet::packet::Packet as _;
use pnet::packet::tcp::TcpPacket;
use pnet::packet::udp::UdpPacket;

use super::network::{Packet, Part};
use super::protocol::{babel, datagram, glbp, hsrp, ldp, rip, stream, tcp as opening};
use super::sink::Sink;
use super::{Malformed, Words, lease, link, tunnel};
use crate::census::address::is_never_sender;
use crate::census::{Field, Sign, Signs};

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

pub(super) fn udp(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let Some(header) = UdpPacket::new(bytes) else {
        packet.sighted(Signs::default(), sink);
        return Err(Malformed::new("udp", "short header"));
    };
    let (source, destination) = (header.get_source(), header.get_destination());
    packet.sighted(announcement(packet, destination), sink);
    if packet.part == Part::First {
        return Ok(());
    }
    let payload = header.payload();
    if matches!((source, destination), (DHCP_CLIENT | DHCP_SERVER, DHCP_SERVER | DHCP_CLIENT)) {
        return lease::dissect(packet, payload, sink);
    }
    if let Some(opened) = tunnel::over_udp(packet, destination, payload, sink) {
        return opened;
    }
    if let Some(dissect) = group_protocol(packet, destination) {
        return link::station(packet.link, sink, |words| dissect(payload, words));
    }
    heard(packet, sink, |words| datagram(payload, source, destination, words))
}

pub(super) fn tcp(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    packet.sighted(Signs::default(), sink);
    let header = TcpPacket::new(bytes).ok_or(Malformed::new("tcp", "short header"))?;
    let offset = usize::from(header.get_data_offset()) * 4;
    if offset < 20 {
        return Err(Malformed::new("tcp", "data offset"));
    }
    // Not on the path of bulk data, and only of hosts whose own TTL shows.
    if opening::opens(header.get_flags()) && packet.is_fresh() && !packet.is_group() {
        return heard(packet, sink, |words| opening::dissect(packet.bytes, bytes, words));
    }
    match bytes.get(offset..) {
        None | Some([]) => Ok(()),
        Some(payload) => {
            let (source, destination) = (header.get_source(), header.get_destination());
            heard(packet, sink, |words| stream(payload, source, destination, words))
        }
    }
}

/// Runs a dissector whose words are the packet's sender's.
fn heard(
    packet: &Packet<'_>,
    sink: &mut impl Sink,
    dissect: impl FnOnce(&mut Words<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let (mac, ip) = (packet.link.source, packet.source);
    let mut hear = |field: Field, value: &str| {
        if !is_never_sender(ip) {
            sink.coupling_said(mac, ip, field, value);
        }
    };
    dissect(&mut Words::new(&mut hear))
}

/// Whether a datagram to that port is a link-scope announcement: mDNS, LLMNR, NBNS, SSDP or WSD to a group (I4).
fn announcement(packet: &Packet<'_>, port: u16) -> Signs {
    match port {
        137 | 138 | 1900 | 3702 | 5353 | 5355 if packet.is_group() => Sign::Announced.into(),
        _ => Signs::default(),
    }
}

/// A dissector that needs nothing but the payload.
type Dissect = fn(&[u8], &mut Words<'_>) -> Result<(), Malformed>;

/// The protocols of routers over UDP, where sent to a group or to everybody: they are the station's, not an address's.
fn group_protocol(packet: &Packet<'_>, port: u16) -> Option<Dissect> {
    let dissect = match (port, packet.source) {
        (520, IpAddr::V4(_)) => rip::dissect,
        (521, IpAddr::V6(_)) => rip::dissect_ng,
        (646, IpAddr::V4(_)) => ldp::dissect,
        (1985, _) | (2029, IpAddr::V6(_)) => hsrp::dissect,
        (3222, _) => glbp::dissect,
        (6696, _) => babel::dissect,
        _ => return None,
    };
    packet.is_group().then_some(dissect)
}
