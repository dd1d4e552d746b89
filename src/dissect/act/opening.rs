//! Connections that a station tries to open, and those that it refuses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Act, ActThing, Scene, is_local, is_of_link};
use crate::census::address::{is_never_sender, is_public};
use crate::census::conduct::DeedKind;
use crate::dissect::link::Link;
use crate::dissect::network::Packet;
use crate::dissect::{Reader, Sink};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;
/// Ports from here on are drawn for a connection: a service that listens there says nothing by its number.
const DRAWN: u16 = 32_768;
/// Ports below belong to services.
const SERVICES: u16 = 1_024;
/// Ports at which worms of IoT devices look for others: Telnet, SSH, ADB, TR-069, and services of routers.
const WORM_PORTS: [u16; 8] = [22, 23, 2323, 5555, 7547, 37_215, 49_152, 52_869];
/// Ports of industrial protocols.
const CONTROL_PORTS: [u16; 11] = [102, 502, 789, 1_962, 2_404, 4_840, 9_600, 20_000, 44_818, 47_808, 1_911];

/// Ports by which much of the Internet is reached: mail, names, web, time, messages, calls, and what clouds of devices use.
const USUAL_PORTS: [u16; 32] = [
    20, 21, 22, 25, 53, 80, 110, 123, 143, 443, 465, 554, 587, 843, 853, 993, 995, 1883, 1935, 3478, 3479,
    4070, 5060, 5061, 5222, 5223, 5228, 8080, 8443, 8883, 8886, 19_302,
];

/// What acts need of a TCP header.
#[derive(Clone, Copy, Debug)]
pub(in crate::dissect) struct Head {
    pub(in crate::dissect) source: u16,
    pub(in crate::dissect) destination: u16,
    pub(in crate::dissect) sequence: u32,
    pub(in crate::dissect) flags: u8,
}

/// What the flags of a segment show.
pub(super) fn opening<S: Sink>(scene: &mut Scene<'_, S>, head: &Head) {
    let flags = head.flags & (FIN | SYN | RST | ACK);
    if flags == SYN || flags & (SYN | RST | ACK) == 0 {
        opens(scene, head);
    } else if flags == SYN | ACK {
        // A site with public addresses answers itself.
        if is_local(scene.from) && is_public(scene.to) {
            let peer = ActThing::Ip(scene.to);
            scene.did(&Act::new(DeedKind::Accepts, "").by(head.source).with(peer));
        }
    } else if flags == RST | ACK && head.sequence == 0 {
        // RFC 9293 section 3.5.2: so a closed port answers what opens a connection.
        closes(scene, scene.to, "tcp", head.source);
    }
}

/// A connection to an indicator, and the indicator's answer, which is the doing of who asked.
pub(super) fn indicated(packet: &Packet<'_>, head: &Head, sink: &mut impl Sink) {
    let link = packet.link;
    match head.flags & (FIN | SYN | RST | ACK) {
        SYN => {
            if let Some(label) = sink.indicator(packet.destination)
                && packet.has_sender()
            {
                let act = Act::new(DeedKind::Contacts, &label);
                sink.did(link.source, packet.source, &act);
            }
        }
        // Its card is a router's; the receiver's is the frame's destination.
        flags if flags == SYN | ACK => {
            if let Some(label) = sink.indicator(packet.source)
                && link.destination.is_station()
                && !is_never_sender(packet.destination)
            {
                sink.did(link.destination, packet.destination, &Act::new(DeedKind::Hears, &label));
            }
        }
        _ => {}
    }
}

/// A station sent ICMP to an indicator.
pub(in crate::dissect) fn pinged(packet: &Packet<'_>, sink: &mut impl Sink) {
    if !packet.is_group()
        && packet.has_sender()
        && let Some(label) = sink.indicator(packet.destination)
    {
        sink.did(packet.link.source, packet.source, &Act::new(DeedKind::Contacts, &label));
    }
}

fn opens<S: Sink>(scene: &mut Scene<'_, S>, head: &Head) {
    let (host, port) = (ActThing::Ip(scene.to), head.destination);
    // Who has a public address itself is among others.
    if is_local(scene.to) || is_public(scene.from) {
        if port < DRAWN {
            scene.did(&Act::new(DeedKind::OpensPorts, "").with(ActThing::Port(port)));
            scene.did(&Act::new(DeedKind::OpensHosts, "").by(port).with(host));
        }
        if CONTROL_PORTS.contains(&port) {
            scene.did(&Act::new(DeedKind::OpensControl, "").with(host));
        }
    } else if is_public(scene.to) {
        if WORM_PORTS.contains(&port) {
            scene.did(&Act::new(DeedKind::OpensPublic, "").with(host));
        }
        scene.shows("internet");
        if port < DRAWN && !USUAL_PORTS.contains(&port) {
            scene.did(&Act::new(DeedKind::Reaches, "").by(port));
            let own = ActThing::Number(one_of_eight(head.source));
            scene.did(&Act::new(DeedKind::Returns, "").to(scene.to).by(port).with(own));
        }
    }
    if is_sampled(head.source) && is_public(scene.to) {
        let own = ActThing::Port(head.source);
        scene.did(&Act::new(DeedKind::Floods, "").to(scene.to).by(port).with(own));
    }
}

/// Three bits that ports which follow each other share as seldom as others: some systems draw even ports alone.
const fn one_of_eight(port: u16) -> u64 {
    (port.wrapping_mul(40_503) >> 13) as u64
}

/// One port in sixteen, evenly also of ports that follow each other: a thousand connections show as many as a crowd can
/// hold, and a few hardly one.
const fn is_sampled(port: u16) -> bool {
    port.wrapping_mul(40_503) >> 12 == 0
}

fn closes<S: Sink>(scene: &mut Scene<'_, S>, peer: IpAddr, transport: &str, port: u16) {
    // Those from there on are what an answer that came too late meets, or a look for the way (traceroute).
    if port >= DRAWN {
        return;
    }
    scene.did(&Act::new(DeedKind::Closes, transport).to(peer).with(ActThing::Port(port)));
}

/// A report of ICMP (RFC 792) or ICMPv6 (RFC 4443) that the sender has nothing at a UDP port: `body` is what follows the type
/// and the code, `is_v6` tells which.
pub(in crate::dissect) fn unreachable(packet: &Packet<'_>, body: &[u8], is_v6: bool, sink: &mut impl Sink) {
    if packet.is_group() || !is_of_link(packet) {
        return;
    }
    let Some((to, source, port)) = asked(body, is_v6).filter(|(from, ..)| *from == packet.destination) else {
        return;
    };
    // A server answered a client that no longer waits.
    if source < SERVICES && port >= SERVICES {
        return;
    }
    let mut scene = Scene {
        source: packet.link.source,
        from: packet.source,
        to,
        source_port: 0,
        destination_port: 0,
        sequence: 0,
        sink,
    };
    closes(&mut scene, to, "udp", port);
}

/// Who sent the UDP datagram that a report quotes, and from which port to which.
fn asked(body: &[u8], is_v6: bool) -> Option<(IpAddr, u16, u16)> {
    let mut r = Reader::new(body);
    r.take(6)?; // the checksum, and four bytes that are not used
    let quoted = r.rest();
    let (from, datagram): (IpAddr, _) = if is_v6 {
        let mut r = Reader::new(quoted);
        let head = r.array::<8>()?;
        let from = Ipv6Addr::from(r.array::<16>()?);
        r.take(16)?;
        (head[6] == 17).then(|| (from.into(), r.rest()))?
    } else {
        let first = *quoted.first()?;
        let mut r = Reader::new(quoted);
        let head = r.array::<12>()?;
        let from = Ipv4Addr::from(r.array::<4>()?);
        (head[9] == 17).then_some(())?;
        (from.into(), quoted.get(usize::from(first & 0x0f) * 4..)?)
    };
    let mut r = Reader::new(datagram);
    Some((from, r.u16()?, r.u16()?))
}

/// A station asked by ARP who has the address.
pub(in crate::dissect) fn asked_by_arp(link: &Link, from: Ipv4Addr, target: Ipv4Addr, sink: &mut impl Sink) {
    if from != target && !is_never_sender(from.into()) {
        let target = ActThing::Ip(target.into());
        sink.did(link.source, from.into(), &Act::new(DeedKind::AsksArp, "").with(target));
    }
}

#[cfg(test)]
mod tests {
    use super::one_of_eight;

    #[test]
    fn ports_of_one_parity_are_told_apart_as_well_as_all() {
        for step in [1, 2] {
            let of: std::collections::BTreeSet<u64> =
                (0..12).map(|n| one_of_eight(32_768 + n * step)).collect();
            assert!(of.len() >= 6, "{of:?}");
        }
    }
}
