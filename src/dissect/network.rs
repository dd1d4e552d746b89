//! The network layer: IPv4 (RFC 791) and IPv6 (RFC 8200), and what their headers alone show of the sender.

use std::net::{IpAddr, Ipv4Addr};

use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols as Next};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;

use super::link::Link;
use super::sink::{Anomaly, Sink};
use super::{Malformed, Reader, neighbor, transport, tunnel};
use crate::census::address::{is_link_local, is_never_sender};
use crate::census::{Field, Sign, Signs};

/// TTLs that packets start with (I6).
const INITIAL_TTLS: [u8; 5] = [30, 32, 64, 128, 255];
/// Extension headers of one packet that are passed over.
const MAX_EXTENSIONS: usize = 8;

/// One packet: who sent it to whom, and what its header said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// The frame that carries it.
    pub(super) link: &'a Link,
    /// Its source.
    pub(super) source: IpAddr,
    /// Its destination.
    pub(super) destination: IpAddr,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// Whether it is the first fragment of several.
    pub(super) fragment: bool,
}

impl Packet<'_> {
    /// Whether it goes to everybody on the link or to a group.
    pub(super) fn is_group(&self) -> bool {
        self.link.destination.is_group()
            || self.destination.is_multicast()
            || self.destination == IpAddr::V4(Ipv4Addr::BROADCAST)
    }

    /// Records the sender with what the header shows of it, and `more`.
    pub(super) fn sighted(&self, more: Signs, sink: &mut impl Sink) {
        let mut signs = more.with(Sign::Sourced);
        // A TTL tells something only in unicast packets that are not link-scope (I6).
        if !self.is_group() && !is_link_local(self.source) && !is_link_local(self.destination) {
            signs = signs.with(if INITIAL_TTLS.contains(&self.ttl) { Sign::Near } else { Sign::Far });
        }
        coupling(self.link, self.source, signs, sink);
    }
}

/// Records a coupling of the frame's source, where the address may have one (I3).
pub(super) fn coupling(link: &Link, ip: IpAddr, signs: Signs, sink: &mut impl Sink) {
    if !is_never_sender(ip) {
        sink.coupling(link.source, ip, signs, link.tags);
    }
}

pub(super) fn ipv4(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let header = Ipv4Packet::new(bytes).ok_or(Malformed::new("ipv4", "short header"))?;
    let header_bytes = usize::from(header.get_header_length()) * 4;
    if header.get_version() != 4 {
        return Err(Malformed::new("ipv4", "wrong version"));
    }
    if header_bytes < 20 || bytes.len() < header_bytes {
        return Err(Malformed::new("ipv4", "header length"));
    }
    let packet = Packet {
        link,
        source: header.get_source().into(),
        destination: header.get_destination().into(),
        ttl: header.get_ttl(),
        fragment: header.get_flags() & 1 == 1,
    };
    // A total length of 0 is what segmentation offload leaves; one beyond the capture is a snapped frame.
    let total = match usize::from(header.get_total_length()) {
        0 => bytes.len(),
        n if n < header_bytes => {
            packet.sighted(Signs::default(), sink);
            return Err(Malformed::new("ipv4", "total length"));
        }
        n => n.min(bytes.len()),
    };
    if header.get_fragment_offset() != 0 {
        packet.sighted(Signs::default(), sink);
        sink.anomaly(Anomaly::LaterFragment);
        return Ok(());
    }
    let body = bytes.get(header_bytes..total).unwrap_or_default();
    upper(&packet, header.get_next_level_protocol(), body, sink)
}

pub(super) fn ipv6(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let header = Ipv6Packet::new(bytes).ok_or(Malformed::new("ipv6", "short header"))?;
    if header.get_version() != 6 {
        return Err(Malformed::new("ipv6", "wrong version"));
    }
    let mut packet = Packet {
        link,
        source: header.get_source().into(),
        destination: header.get_destination().into(),
        ttl: header.get_hop_limit(),
        fragment: false,
    };
    let body = bytes.get(40..).unwrap_or_default();
    let length = usize::from(header.get_payload_length());
    let mut r = Reader::new(if length == 0 { body } else { body.get(..length).unwrap_or(body) });
    let mut next = header.get_next_header();
    for _ in 0..MAX_EXTENSIONS {
        let length = match next {
            Next::Hopopt | Next::Ipv6Route | Next::Ipv6Opts => {
                let head = r.u8().zip(r.u8());
                head.map(|(following, n)| (following, usize::from(n) * 8 + 6))
            }
            // RFC 4302: the length counts in 4 bytes, less 2.
            Next::Ah => {
                let head = r.u8().zip(r.u8());
                head.map(|(following, n)| (following, usize::from(n) * 4 + 6))
            }
            Next::Ipv6Frag => {
                let head = (r.u8(), r.u8(), r.u16());
                if let (Some(_), Some(_), Some(offset)) = head
                    && offset >> 3 != 0
                {
                    packet.sighted(Signs::default(), sink);
                    sink.anomaly(Anomaly::LaterFragment);
                    return Ok(());
                }
                packet.fragment = true;
                head.0.map(|following| (following, 4))
            }
            _ => break,
        };
        let Some((following, _)) = length.filter(|(_, n)| r.take(*n).is_some()) else {
            packet.sighted(Signs::default(), sink);
            return Err(Malformed::new("ipv6", "extension header"));
        };
        next = IpNextHeaderProtocol::new(following);
    }
    upper(&packet, next, r.rest(), sink)
}

fn upper(
    packet: &Packet<'_>,
    protocol: IpNextHeaderProtocol,
    body: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    match protocol {
        Next::Tcp => transport::tcp(packet, body, sink),
        Next::Udp => transport::udp(packet, body, sink),
        Next::Gre if !packet.fragment => {
            packet.sighted(Signs::default(), sink);
            tunnel::gre(packet.link, body, sink)
        }
        Next::Ipv4 | Next::Ipv6 if !packet.fragment => {
            packet.sighted(Signs::default(), sink);
            tunnel::carried(packet.link, body, sink)
        }
        Next::L2tp if !packet.fragment => {
            packet.sighted(Signs::default(), sink);
            tunnel::l2tpv3(packet.link, body, sink)
        }
        Next::Icmpv6 if packet.source.is_ipv6() => neighbor::dissect(packet, body, sink),
        other => {
            packet.sighted(Signs::default(), sink);
            if let Some(name) = routing_protocol(other, body).filter(|_| packet.is_group()) {
                sink.station_said(packet.link.source, Field::RouterProtocol, name);
            }
            Ok(())
        }
    }
}

/// The routing or first-hop protocol right above IP, by protocol number; told only when sent to a group, as
/// hellos are.
fn routing_protocol(protocol: IpNextHeaderProtocol, body: &[u8]) -> Option<&'static str> {
    match protocol.0 {
        // CARP shares VRRP's number and version; its authentication length is always 7, its size 36 bytes.
        112 if body.get(3) == Some(&7) && body.len() >= 36 && body.first() == Some(&0x21) => Some("carp"),
        112 => Some("vrrp"),
        89 => Some("ospf"),
        88 => Some("eigrp"),
        _ => None,
    }
}
