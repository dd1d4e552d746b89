//! The network layer: IPv4 (RFC 791) and IPv6 (RFC 8200), and what their headers alone show of the sender.

use std::net::{IpAddr, Ipv4Addr};

use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols as Next};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;

use super::link::{self, Link};
use super::protocol::{self, gear::igmp};
use super::sink::{Anomaly, Fragment, FragmentKey, Sink};
use super::{Malformed, Payload, Reader, Words, act, neighbor, quiet, transport, tunnel};
use crate::census::address::{is_link_local, is_never_sender, is_private};
use crate::census::{Field, NotUnderstood, Sign, Signs};

/// Whether packets start with that TTL (I6).
#[inline]
const fn is_initial(ttl: u8) -> bool {
    matches!(ttl, 30 | 32 | 64 | 128 | 255)
}

/// The sign of a TTL that tells something (I6).
#[inline]
pub(super) const fn by_ttl(ttl: u8) -> Sign {
    match ttl {
        60 => Sign::Sixty,
        _ if is_initial(ttl) => Sign::Near,
        _ => Sign::Far,
    }
}

/// Extension headers of one packet that are passed over.
const MAX_EXTENSIONS: usize = 8;

/// One packet: who sent it to whom, and what its header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// The frame that carries it.
    pub(super) link: &'a Link,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// Whether it came whole.
    pub(super) part: Part,
    /// The bytes from its header on: they may be truncated, or go on behind its end.
    pub(super) bytes: &'a [u8],
}

/// Whether a packet came whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// It came whole.
    Whole,
    /// It is the first of several fragments: its ports are known, its payload is truncated.
    First,
    /// It was put together from fragments.
    Gathered,
}

impl Packet<'_> {
    /// Whether it goes to everybody on the link or to a group.
    #[inline]
    pub(super) fn is_group(&self) -> bool {
        self.link.destination.is_group()
            || self.destination.is_multicast()
            || self.destination == IpAddr::V4(Ipv4Addr::BROADCAST)
    }

    /// Records the sender with `more` and the signs that its header shows.
    #[inline]
    pub(super) fn sighted(&self, more: Signs, sink: &mut impl Sink) {
        let by_ttl = if self.shows_ttl() { by_ttl(self.ttl) } else { Sign::LinkScope };
        coupling(self.link, self.source, more.with(Sign::Sourced).with(by_ttl), sink);
        // Neighbour discovery answers by itself, and public addresses are rarely hosts of the link.
        let to = self.link.destination;
        if to.is_station() && !more.has(Sign::NeighborDiscovery) && is_private(self.destination) {
            sink.addressed(to, self.destination);
        }
    }

    /// Whether its TTL tells something: it is unicast or routable multicast, and not link-scope (I6).
    #[inline]
    fn shows_ttl(&self) -> bool {
        let routable = match self.destination {
            IpAddr::V4(a) if a.is_multicast() => !matches!(a.octets(), [224, 0, 0, _] | [239, 255, 255, 250]),
            IpAddr::V6(a) if a.is_multicast() => {
                !matches!(a.segments(), [0xff01 | 0xff02, ..] | [0xff05, 0, 0, 0, 0, 0, 0, 0xc])
            }
            _ => !self.is_group(),
        };
        // Sockets send multicast with TTL 1 unless an application sets another, and nobody passes that on.
        let of_link = self.ttl == 1 && (self.is_of_link() || self.destination.is_multicast());
        routable && !of_link && !is_link_local(self.source) && !is_link_local(self.destination)
    }

    /// Whether its protocol is one that no router passes on: IGMP, EIGRP, OSPF or PIM. These also send to groups and hosts
    /// beyond link scope, with TTL 1.
    #[inline]
    fn is_of_link(&self) -> bool {
        let protocol = self.bytes.get(if self.is_v4() { 9 } else { 6 });
        matches!(protocol, Some(2 | 88 | 89 | 103))
    }

    /// Whether it goes to hosts of the link alone: no router passes it on.
    fn is_link_scope(&self) -> bool {
        match self.destination {
            IpAddr::V4(a) => matches!(a.octets(), [224, 0, 0, _]) || a.is_broadcast(),
            IpAddr::V6(a) => matches!(a.segments(), [0xff01 | 0xff02, ..]),
        }
    }

    /// What a dissector reads of it.
    #[inline]
    pub(super) fn payload<'b>(&self, bytes: &'b [u8]) -> Payload<'b> {
        self.link.payload(bytes)
    }

    pub(super) const fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    pub(super) const fn is_v6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// Whether its source is an address that a host may send from.
    pub(super) fn has_sender(&self) -> bool {
        !is_never_sender(self.source)
    }

    /// The sign of the TTL that Windows starts with. Relays and servers of DHCP set one of their own.
    #[inline]
    pub(super) fn age(&self) -> Signs {
        if self.ttl == 128 && self.shows_ttl() && !self.is_group() {
            Sign::Ttl128.into()
        } else {
            Signs::default()
        }
    }

    /// Whether its TTL shows that no router forwarded it.
    pub(super) const fn is_unforwarded_v4(&self) -> bool {
        self.ttl == 255 && self.is_v4()
    }

    /// Whether its hop limit shows that no router forwarded it.
    pub(super) const fn is_unforwarded_v6(&self) -> bool {
        self.ttl == 255 && self.is_v6()
    }

    /// Whether its TTL is one that packets start with, so that probably no router lowered it.
    #[inline]
    pub(super) fn is_fresh(&self) -> bool {
        is_initial(self.ttl)
    }
}

/// Records a coupling of the frame's source if the address may have one (I3).
#[inline]
pub(super) fn coupling(link: &Link, ip: IpAddr, signs: Signs, sink: &mut impl Sink) {
    if !is_never_sender(ip) {
        sink.coupling(link.source, ip, signs, link.tags);
    }
}

/// Runs a dissector whose words are the station's. A hello of a routing protocol to the link proves the address that it
/// comes from (I4).
pub(super) fn station<T>(
    packet: &Packet<'_>,
    sink: &mut impl Sink,
    dissect: impl FnOnce(&mut Words<'_>) -> T,
) -> T {
    let mac = packet.link.source;
    let mut greeted = false;
    let mut hear = |field: Field, value: &str| {
        greeted |= match field {
            // Not VRRP and CARP: a host may speak them for an address that it shares.
            Field::RouterProtocol => matches!(value, "ospf" | "eigrp" | "hsrp" | "glbp"),
            Field::RouterTask => matches!(value, "rip" | "pim"),
            _ => false,
        };
        sink.station_said(mac, field, value);
    };
    let mut words = Words::new(&mut hear);
    let result = dissect(&mut words);
    if words.budget().is_spent() {
        sink.anomaly(Anomaly::OverBudget);
    }
    if greeted && packet.is_link_scope() && !mac.is_virtual_router() {
        coupling(packet.link, packet.source, Sign::RoutingHello.into(), sink);
    }
    result
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
        part: Part::Whole,
        bytes,
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
    let body = bytes.get(header_bytes..total).unwrap_or_default();
    let protocol = header.get_next_level_protocol();
    let (offset, more) = (usize::from(header.get_fragment_offset()) * 8, header.get_flags() & 1 == 1);
    if offset != 0 || more {
        let id = header.get_identification().into();
        return fragment(packet, protocol, id, offset, more, body, sink);
    }
    upper(&packet, protocol, body, sink)
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
        part: Part::Whole,
        bytes,
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
                let head = (r.u8(), r.u8(), r.u16(), r.u32());
                let (Some(following), Some(_), Some(place), Some(id)) = head else {
                    packet.sighted(Signs::default(), sink);
                    return Err(Malformed::new("ipv6", "fragment header"));
                };
                let (protocol, offset, more) =
                    (IpNextHeaderProtocol::new(following), usize::from(place & !7), place & 1 == 1);
                if offset == 0 && !more {
                    // An atomic fragment (RFC 6946) is whole, but no proof for neighbour discovery (RFC 6980).
                    packet.part = Part::Gathered;
                    next = protocol;
                    continue;
                }
                return fragment(packet, protocol, id, offset, more, r.rest(), sink);
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

/// A fragment shows its sender. The payload is dissected once it is whole. Only UDP is gathered, because discovery uses it.
fn fragment(
    mut packet: Packet<'_>,
    protocol: IpNextHeaderProtocol,
    id: u32,
    offset: usize,
    more: bool,
    body: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    sink.anomaly(Anomaly::Fragment);
    if protocol != Next::Udp {
        packet.sighted(Signs::default(), sink);
        return Ok(());
    }
    let shown = if offset == 0 {
        packet.part = Part::First;
        upper(&packet, protocol, body, sink)
    } else {
        packet.sighted(Signs::default(), sink);
        Ok(())
    };
    let key = FragmentKey {
        mac: packet.link.source,
        source: packet.source,
        destination: packet.destination,
        id,
        tunnel: 0,
    };
    match sink.gather(&Fragment { key, offset, more, bytes: body }) {
        Some(payload) => upper(&Packet { part: Part::Gathered, ..packet }, protocol, &payload, sink),
        None => shown,
    }
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
        Next::Gre if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            // Version 0; computers dial in with version 1 (RFC 2637).
            if let [_, version, ..] = body
                && version & 7 == 0
            {
                runs(packet, "gre", sink);
            }
            tunnel::gre(packet, body, sink)
        }
        Next::Ipv4 | Next::Ipv6 if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            tunnel::carried(packet.link, body, sink)
        }
        Next::Etherip if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            tunnel::ether_ip(packet, body, sink)
        }
        Next::L2tp if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            tunnel::l2tpv3(packet, body, sink)
        }
        // RFC 4023.
        Next::MplsInIp if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            tunnel::mpls(packet, body, sink)
        }
        Next::Icmp if packet.part == Part::Whole => {
            packet.sighted(Signs::default(), sink);
            reported(packet, body, sink);
            if let [8, 0, ..] = body {
                act::pinged(packet, sink);
            }
            if let [3, 3, rest @ ..] = body {
                act::unreachable(packet, rest, false, sink);
            }
            Ok(())
        }
        Next::Icmpv6 if packet.source.is_ipv6() => {
            let result = neighbor::dissect(packet, body, sink);
            if let [1, 4, rest @ ..] = body {
                act::unreachable(packet, rest, true, sink);
            }
            // RFC 3810 section 5.1.14: a query has the hop limit 1 and a link-local source.
            if packet.ttl == 1 && is_link_local(packet.source) {
                return link::station(packet.link, sink, |words| {
                    igmp::dissect_mld(&packet.payload(body), words)
                });
            }
            result
        }
        other => {
            packet.sighted(Signs::default(), sink);
            if packet.part != Part::Whole {
                return Ok(());
            }
            if packet.is_group() {
                let payload = packet.payload(body);
                return station(packet, sink, |words| protocol::over_ip(other.0, packet, payload, words));
            }
            if !quiet::is_quiet_protocol(other.0) {
                sink.not_understood(NotUnderstood::ip_protocol(other.0));
            }
            Ok(())
        }
    }
}

/// ICMP reports that only a router sends: of a better way (type 5) and of a TTL that ran out on the way (type 11, code 0;
/// RFC 792).
fn reported(packet: &Packet<'_>, body: &[u8], sink: &mut impl Sink) {
    match body {
        [5, 0..=3, ..] if body.len() >= 28 => runs(packet, "redirect", sink),
        [11, 0, ..] if body.len() >= 28 => runs(packet, "time_exceeded", sink),
        _ => {}
    }
}

/// Says what the sender does to run the network. It is the frame's sender only if no router lowered the TTL.
fn runs(packet: &Packet<'_>, task: &str, sink: &mut impl Sink) {
    if packet.is_fresh() && packet.has_sender() && !packet.is_group() {
        sink.coupling_said(packet.link.source, packet.source, Field::NetworkTask, task);
    }
}
