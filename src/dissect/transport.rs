//! The transport layer: UDP (RFC 768) and TCP (RFC 9293), and which protocol speaks on them.

use std::net::IpAddr;

use pnet::packet::Packet as _;
use pnet::packet::tcp::TcpPacket;
use pnet::packet::udp::UdpPacket;

use super::network::{self, Packet, Part};
use super::protocol::{self, host::tcp as opening};
use super::registry::Route;
use super::sink::{Anomaly, Sink};
use super::words::Sender;
use super::{Budget, Malformed, Payload, Words, act, lease, quiet, tunnel};
use crate::census::address::is_never_sender;
use crate::census::{Field, NotUnderstood, Sign, Signs};

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
pub(super) fn udp(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let Some(header) = UdpPacket::new(bytes) else {
        packet.sighted(Signs::default(), sink);
        return Err(Malformed::new("udp", "short header"));
    };
    let (source, destination) = (header.get_source(), header.get_destination());
    let leases = matches!((source, destination), (DHCP_CLIENT | DHCP_SERVER, DHCP_SERVER | DHCP_CLIENT));
    let age = if leases { Signs::default() } else { packet.age() };
    packet.sighted(announcement(packet, destination).union(age), sink);
    if packet.part == Part::First {
        return Ok(());
    }
    let payload = header.payload();
    if leases {
        return lease::dissect(packet, payload, sink);
    }
    if let Some(opened) = tunnel::over_udp(packet, destination, payload, sink) {
        return opened;
    }
    message(packet, (source, destination), payload, sink)
}

/// The datagram of a whole packet to one station, after its sender: neither a lease nor a tunnel.
pub(super) fn datagram_to_one(
    packet: &Packet<'_>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    let header = UdpPacket::new(bytes).ok_or(Malformed::new("udp", "short header"))?;
    message(packet, (header.get_source(), header.get_destination()), header.payload(), sink)
}

fn message(
    packet: &Packet<'_>,
    (source, destination): (u16, u16),
    payload: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    act::datagram(packet, (source, destination), payload, sink);
    let payload = packet.payload(payload).between(source, destination);
    if packet.is_group()
        && let Some(said) = network::station(packet, sink, |words| protocol::to_group(packet, payload, words))
    {
        return said;
    }
    let mut hearing = Hearing::new(packet, sink);
    let said = protocol::datagram(payload, &mut hearing);
    if !hearing.is_taken {
        unread(packet, source, destination, sink);
    }
    said
}

/// Counts a datagram that nothing reads: it may be a tunnel, and so a mirror that arrives packed (I13).
fn unread(packet: &Packet<'_>, source: u16, destination: u16, sink: &mut impl Sink) {
    if packet.is_group() {
        return;
    }
    match unread_port(source, destination) {
        Some(port) if tunnel::is_port(port) => sink.not_understood(NotUnderstood::udp_port(port)),
        Some(port) => sink.unread_datagram(packet.destination, port),
        None => {}
    }
}

/// The port by which a datagram to one station is counted that nothing reads; `None` if it cannot be a tunnel.
#[inline]
pub(super) fn unread_port(source: u16, destination: u16) -> Option<u16> {
    /// Services have the ports below, and tunnels have none of them.
    const SERVICES: u16 = 1_024;
    let is_service = source < SERVICES || destination < SERVICES;
    let may_be = !is_service && (tunnel::is_port(destination) || !quiet::is_quiet_port(destination));
    may_be.then_some(destination)
}

pub(super) fn tcp(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    packet.sighted(packet.age(), sink);
    segment(packet, bytes, sink)
}

/// A segment, after its sender.
pub(super) fn segment(packet: &Packet<'_>, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let header = TcpPacket::new(bytes).ok_or(Malformed::new("tcp", "short header"))?;
    let offset = usize::from(header.get_data_offset()) * 4;
    if offset < 20 {
        return Err(Malformed::new("tcp", "data offset"));
    }
    let head = act::Head {
        source: header.get_source(),
        destination: header.get_destination(),
        sequence: header.get_sequence(),
        flags: header.get_flags(),
    };
    act::segment(packet, &head, bytes.get(offset..).unwrap_or_default(), sink);
    // Not on the path of bulk data, and only of hosts whose own TTL shows.
    if opening::opens(header.get_flags()) && packet.is_fresh() && !packet.is_group() {
        let budget = &mut Budget::default();
        return heard(packet, sink, budget, &|words| opening::opening(packet.bytes, bytes, words));
    }
    match bytes.get(offset..) {
        None | Some([]) => Ok(()),
        Some(payload) => {
            let payload = packet.payload(payload).between(header.get_source(), header.get_destination());
            protocol::stream(payload, &mut Hearing::new(packet, sink))
        }
    }
}

/// Says what a UDP payload tells of its sender, by the registry's ways of `udp`, `industry_udp` and `maker_udp`.
///
/// # Errors
/// As the dissector of the protocol.
pub fn datagram(payload: Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    protocol::datagram(payload, words)
}

/// Says what a TCP payload tells of its sender if it begins a message, by the registry's ways of `tcp`, `industry_tcp`
/// and `maker_tcp`. Bulk data says nothing.
///
/// # Errors
/// As the dissector of the protocol.
pub fn stream(payload: Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    protocol::stream(payload, words)
}

/// Runs what dispatch finds. Most packets say nothing, so words are only made then.
struct Hearing<'p, S> {
    packet: &'p Packet<'p>,
    sink: &'p mut S,
    /// Of all dissectors that read the message.
    budget: Budget,
    /// Whether there is one.
    is_taken: bool,
}

impl<'p, S> Hearing<'p, S> {
    fn new(packet: &'p Packet<'p>, sink: &'p mut S) -> Self {
        Self { packet, sink, budget: Budget::default(), is_taken: false }
    }
}

impl<S: Sink> Route for Hearing<'_, S> {
    fn take<D>(&mut self, _name: &'static str, dissect: D, payload: &Payload<'_>) -> Result<(), Malformed>
    where
        D: Fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>,
    {
        self.is_taken = true;
        heard(self.packet, self.sink, &mut self.budget, &|words| dissect(payload, words))
    }
}

/// Runs a dissector whose words are the packet's sender's, or describe hosts by their addresses (I2).
#[inline(never)]
fn heard(
    packet: &Packet<'_>,
    sink: &mut impl Sink,
    budget: &mut Budget,
    dissect: &dyn Fn(&mut Words<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let (mac, ip) = (packet.link.source, packet.source);
    let mut hear = |host: Option<IpAddr>, field: Field, value: &str| match host {
        Some(host) => sink.coupling_described(mac, host, field, value),
        None if !is_never_sender(ip) => sink.coupling_said(mac, ip, field, value),
        None => {}
    };
    let mut words = Words::of(Sender { mac, ip }, &mut hear);
    let was_spent = budget.is_spent();
    *words.budget() = *budget;
    let result = dissect(&mut words);
    *budget = *words.budget();
    if budget.is_spent() && !was_spent {
        sink.anomaly(Anomaly::OverBudget);
    }
    result
}

/// Whether a datagram to that port is a link-scope announcement: mDNS, LLMNR, NBNS, SSDP or WSD to a group (I4).
fn announcement(packet: &Packet<'_>, port: u16) -> Signs {
    match port {
        137 | 138 | 1900 | 3702 | 5353 | 5355 if packet.is_group() => Sign::Announced.into(),
        _ => Signs::default(),
    }
}
