//! Tunnels (I13). The innermost Ethernet frame decides. A tunnel without one carries traffic that the outer MAC routes.
//! The outer addresses are judged first, by the same rules, on the outer link. The sink is told which facts come from
//! inside a tunnel, because anybody can send its packets.

use std::net::IpAddr;

use super::link::{self, Link};
use super::network::{self, Packet};
use super::sink::Sink;
use super::{Malformed, Reader};
use crate::census::{CouplingKey, NotUnderstood, Sign, TUNNEL_DEPTH, TunnelKind};

/// Maximum depth of frames in frames.
pub(super) const MAX_DEPTH: u8 = TUNNEL_DEPTH;
/// Maximum number of MPLS labels of one stack.
const MAX_LABELS: usize = 16;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Transparent Ethernet bridging (RFC 1701), also in GENEVE (RFC 8926).
const BRIDGED: u16 = 0x6558;
const ERSPAN_1_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
/// What Cisco's routers send through a GRE tunnel to test it.
const KEEPALIVE: u16 = 0;
const MPLS: [u16; 2] = [0x8847, 0x8848];
const PPPOE_SESSION: u16 = 0x8864;
/// L2TPv3 over IP.
const L2TP: u8 = 115;
/// Remote mirroring of HP and Aruba switches: a header of 12 bytes that is not published, then the frame.
const REMOTE_MIRROR: u16 = 7932;
const REMOTE_MIRROR_HEADER: usize = 12;

/// What carries a tunnel.
#[derive(Clone, Copy)]
pub(super) struct Carrier<'a> {
    link: &'a Link,
    /// The source of the packet around it; `None` of what a frame holds without a packet, as a shim.
    source: Option<IpAddr>,
}

impl<'a> From<&'a Link> for Carrier<'a> {
    fn from(link: &'a Link) -> Self {
        Self { link, source: None }
    }
}

impl<'a> From<&Packet<'a>> for Carrier<'a> {
    fn from(packet: &Packet<'a>) -> Self {
        Self { link: packet.link, source: Some(packet.source) }
    }
}

impl Carrier<'_> {
    /// Dissects the frame inside.
    fn open(self, kind: TunnelKind, frame: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
        let Some(ip) = self.source else { return link::inner(self.link, frame, sink) };
        sink.enter(CouplingKey { mac: self.link.source, ip }, kind);
        let result = link::inner(self.link, frame, sink);
        sink.leave();
        result
    }
}

/// GRE (RFC 2784, RFC 2890) with Ethernet, ERSPAN, MPLS or IP inside.
pub(super) fn gre<'a>(
    carrier: impl Into<Carrier<'a>>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    let carrier = carrier.into();
    let short = Malformed::new("gre", "short header");
    let mut r = Reader::new(bytes);
    let (flags, kind) = r.u16().zip(r.u16()).ok_or(short)?;
    // Version 1 is PPTP's; the routing bit was never used as specified.
    if flags & 0x4007 != 0 {
        sink.not_understood(NotUnderstood::ether_type(kind));
        return Ok(());
    }
    let sequenced = flags & 0x1000 != 0;
    for present in [flags & 0x8000 != 0, flags & 0x2000 != 0, sequenced] {
        if present {
            r.u32().ok_or(short)?;
        }
    }
    match kind {
        BRIDGED => carrier.open(TunnelKind::Gre, r.rest(), sink),
        // Type I has no sequence number and no header of its own; type II has both.
        ERSPAN_1_2 => {
            if sequenced {
                r.take(8).ok_or(Malformed::new("erspan", "short header"))?;
            }
            carrier.open(TunnelKind::Erspan, r.rest(), sink)
        }
        ERSPAN_3 => {
            let header = r.take(12).ok_or(Malformed::new("erspan", "short header"))?;
            // The last bit tells that 8 bytes of platform information follow.
            if header.last().is_some_and(|flags| flags & 1 == 1) {
                r.take(8).ok_or(Malformed::new("erspan", "short header"))?;
            }
            carrier.open(TunnelKind::Erspan, r.rest(), sink)
        }
        IPV4 | IPV6 => carried(carrier.link, r.rest(), sink),
        kind if MPLS.contains(&kind) => mpls(carrier, r.rest(), sink),
        KEEPALIVE => Ok(()),
        _ => {
            sink.not_understood(NotUnderstood::ether_type(kind));
            Ok(())
        }
    }
}

/// Whether tunnels use a UDP port: those of [`over_udp`], and those that are not opened: GTP-U, GRE and MPLS over UDP,
/// GUE, and two ways in which access points send radio frames (Aruba's remote mirroring, LWAPP data).
pub(super) const fn is_port(port: u16) -> bool {
    matches!(
        port,
        1701 | 2152
            | 4754
            | 4755
            | 4789
            | 4790
            | 5247
            | 5555
            | 6080
            | 6081
            | 6635
            | 6636
            | REMOTE_MIRROR
            | 8472
            | 12_222
            | 37_008
    )
}

/// Tunnels over UDP, by destination port. `None` if no tunnel uses the port.
pub(super) fn over_udp(
    packet: &Packet<'_>,
    port: u16,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Option<Result<(), Malformed>> {
    let carrier = Carrier::from(packet);
    let (kind, opened) = match port {
        // RFC 7348; 8472 is what Linux used before. The I flag must be set, beside it only that of group policy.
        4789 | 8472 => {
            let flagged = |head: &[u8]| matches!(head, [0x08 | 0x88, ..]);
            let frame = bytes.split_at_checked(8).filter(|(head, _)| flagged(head)).map(|(_, f)| f);
            (TunnelKind::Vxlan, frame)
        }
        4790 => return vxlan_gpe(carrier, bytes, sink),
        1701 => return l2tpv3_over_udp(carrier, bytes, sink),
        6081 => return geneve(carrier, bytes, sink),
        37008 => return tzsp(carrier, bytes, sink),
        5247 => (TunnelKind::Capwap, capwap_data(bytes)),
        REMOTE_MIRROR => {
            let frame = bytes.get(REMOTE_MIRROR_HEADER..).filter(|frame| link::is_frame(frame));
            (TunnelKind::RemoteMirror, frame)
        }
        _ => return None,
    };
    opened.map(|frame| carrier.open(kind, frame, sink))
}

/// VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe): the I and P flags, then IPv4, IPv6 or Ethernet.
fn vxlan_gpe(carrier: Carrier<'_>, bytes: &[u8], sink: &mut impl Sink) -> Option<Result<(), Malformed>> {
    let (head, body) = bytes.split_at_checked(8)?;
    match head {
        [0x0c, _, _, 1 | 2, ..] => Some(carried(carrier.link, body, sink)),
        [0x0c, _, _, 3, ..] => Some(carrier.open(TunnelKind::Vxlan, body, sink)),
        _ => None,
    }
}

/// L2TPv3 over UDP (RFC 3931 4.1.2): flags with T clear and version 3, then as over IP. Version 2 carries PPP.
fn l2tpv3_over_udp(
    carrier: Carrier<'_>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Option<Result<(), Malformed>> {
    match bytes.split_at_checked(4)? {
        ([0x00, 0x03, ..], session) => Some(l2tpv3(carrier, session, sink)),
        _ => None,
    }
}

/// GENEVE (RFC 8926): version 0, options, an Ethernet frame or an IP packet.
fn geneve(carrier: Carrier<'_>, bytes: &[u8], sink: &mut impl Sink) -> Option<Result<(), Malformed>> {
    let mut r = Reader::new(bytes);
    let head = r.u8()?;
    r.u8()?;
    let kind = r.u16()?;
    r.u32()?;
    if head & 0xc0 != 0 {
        return None;
    }
    r.take(usize::from(head & 0x3f) * 4)?;
    match kind {
        BRIDGED => Some(carrier.open(TunnelKind::Geneve, r.rest(), sink)),
        IPV4 | IPV6 => Some(carried(carrier.link, r.rest(), sink)),
        _ => None,
    }
}

/// TZSP, as packet sniffers of access points send it: version 1, received packet (0), Ethernet (1), tagged fields up
/// to the end tag.
fn tzsp(carrier: Carrier<'_>, bytes: &[u8], sink: &mut impl Sink) -> Option<Result<(), Malformed>> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let mut r = Reader::new(bytes);
    if r.array()? != [1, 0, 0, 1] {
        return None;
    }
    loop {
        match r.u8()? {
            PADDING => {}
            END => return Some(carrier.open(TunnelKind::Tzsp, r.rest(), sink)),
            _ => {
                let length = r.u8()?;
                r.take(usize::from(length))?;
            }
        }
    }
}

/// The frame in a CAPWAP data packet (RFC 5415 4.3), if it is a whole, unencrypted 802.3 frame.
fn capwap_data(bytes: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(bytes);
    let [preamble, length, kind, flags] = r.array()?;
    // Preamble 0 is version 0 in the clear. T says that the payload is not 802.3, F that it is a fragment, K keep-alive.
    if preamble != 0 || kind & 1 == 1 || flags & 0b1000_1000 != 0 {
        return None;
    }
    let header = usize::from(length >> 3) * 4;
    bytes.get(header.max(8)..).filter(|frame| link::is_frame(frame))
}

/// MPLS (RFC 3032): a pseudowire with Ethernet inside (RFC 4448, with or without control word), or IP.
pub(super) fn mpls<'a>(
    carrier: impl Into<Carrier<'a>>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    let carrier = carrier.into();
    let mut r = Reader::new(bytes);
    for _ in 0..MAX_LABELS {
        let entry = r.u32().ok_or(Malformed::new("mpls", "short label stack"))?;
        if entry & 0x100 == 0 {
            continue;
        }
        let body = r.rest();
        let nibble = body.first().map(|b| b >> 4);
        return match nibble {
            Some(4 | 6) if is_packet(body) => carried(carrier.link, body, sink),
            // A control word starts with a zero nibble, and so does many a MAC: what comes out decides.
            _ => {
                let starts = if nibble == Some(0) { &[4, 0][..] } else { &[0] };
                let mut frames = starts.iter().filter_map(|skip| body.get(*skip..));
                match frames.find(|frame| link::is_plausible(frame)) {
                    Some(frame) => carrier.open(TunnelKind::Mpls, frame, sink),
                    // An associated channel (RFC 5586) carries maintenance.
                    None if nibble == Some(1) => Ok(()),
                    None => {
                        sink.not_understood(NotUnderstood::ether_type(MPLS[0]));
                        Ok(())
                    }
                }
            }
        };
    }
    Err(Malformed::new("mpls", "label stack without end"))
}

/// Whether bytes that start with 4 or 6 are an IP packet and not a frame to such a MAC: the length must fit.
fn is_packet(bytes: &[u8]) -> bool {
    let mut r = Reader::new(bytes);
    match r.u8().map(|b| b >> 4) {
        Some(4) => {
            r.u8().and_then(|_| r.u16()).is_some_and(|n| (20..=bytes.len() + 4).contains(&usize::from(n)))
        }
        Some(6) => r.take(3).and_then(|_| r.u16()).is_some_and(|n| usize::from(n) + 40 <= bytes.len() + 4),
        _ => false,
    }
}

/// A PPPoE session packet (RFC 2516) with IP inside.
pub(super) fn pppoe(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let mut r = Reader::new(bytes);
    let header = r.u16().zip(r.u32()).zip(r.u16());
    let ((version, _), protocol) = header.ok_or(Malformed::new("pppoe", "short header"))?;
    match (version, protocol) {
        (0x1100, 0x0021 | 0x0057) => carried(link, r.rest(), sink),
        // Control protocols of PPP (RFC 1661 section 2).
        (0x1100, 0x8000..) => Ok(()),
        _ => {
            sink.not_understood(NotUnderstood::ether_type(PPPOE_SESSION));
            Ok(())
        }
    }
}

/// L2TPv3 over IP (RFC 3931 4.1.1) with an Ethernet pseudowire: cookie and sublayer are negotiated out of band, so the
/// first place with an Ethernet header of a known type counts.
pub(super) fn l2tpv3<'a>(
    carrier: impl Into<Carrier<'a>>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    let carrier = carrier.into();
    let mut r = Reader::new(bytes);
    let session = r.u32().ok_or(Malformed::new("l2tp", "short header"))?;
    if session == 0 {
        return Ok(()); // a control message
    }
    let body = r.rest();
    let starts = [0, 4, 8, 12];
    let frame =
        starts.into_iter().filter_map(|skip| body.get(skip..)).find(|frame| link::is_plausible(frame));
    match frame {
        Some(frame) => carrier.open(TunnelKind::L2tpV3, frame, sink),
        None => {
            sink.not_understood(NotUnderstood::ip_protocol(L2TP));
            Ok(())
        }
    }
}

/// EtherIP (RFC 3378): version 3, then an Ethernet frame.
pub(super) fn ether_ip<'a>(
    carrier: impl Into<Carrier<'a>>,
    bytes: &[u8],
    sink: &mut impl Sink,
) -> Result<(), Malformed> {
    let carrier = carrier.into();
    match bytes.split_at_checked(2) {
        Some(([0x30, 0], frame)) => carrier.open(TunnelKind::EtherIp, frame, sink),
        _ => Err(Malformed::new("etherip", "wrong version")),
    }
}

/// A provider's backbone frame (IEEE 802.1Q clause 9.5, the I-TAG of 802.1ah): 4 bytes, then the customer's frame.
pub(super) fn backbone(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let (_, frame) = bytes.split_at_checked(4).ok_or(Malformed::new("802.1ah", "short tag"))?;
    link::inner(link, frame, sink)
}

/// An IP packet inside another, or inside a tunnel without Ethernet. Its source is behind the MAC that carries it.
pub(super) fn carried(link: &Link, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
    let short = Malformed::new("tunnel", "short inner packet");
    let mut r = Reader::new(bytes);
    let first = r.u8().ok_or(short)?;
    let source: Option<IpAddr> = match first >> 4 {
        4 => r.take(11).and_then(|_| r.array::<4>()).map(Into::into),
        6 => r.take(7).and_then(|_| r.array::<16>()).map(Into::into),
        _ => return Err(Malformed::new("tunnel", "inner packet is not IP")),
    };
    network::coupling(link, source.ok_or(short)?, Sign::Carried.into(), sink);
    Ok(())
}
