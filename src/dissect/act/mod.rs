//! Acts: what a frame shows its sender to do, for alerts and recommendations. The census does not depend on them.
//!
//! Each act is proved by one frame of its sender: no connection is followed. Of log-ins, only the outcome is read; of
//! credentials in clear, only whether they equal an entry of the list of default ones. Neither is kept.

mod certificate;
mod control;
mod credential;
mod directory;
mod login;
mod name;
mod opening;
mod posture;
#[cfg(test)]
mod tests;
mod text;

use std::net::IpAddr;

use super::network::Packet;
use super::registry::{Key, MaySpeak};
use super::sink::Sink;
use crate::census::MacAddr;
use crate::census::address::{is_link_local, is_private};
use crate::census::conduct::DeedKind;

/// What a frame shows its sender to do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Act<'a> {
    pub kind: DeedKind,
    /// To whom.
    pub peer: Option<IpAddr>,
    /// By which port; 0 if that says nothing.
    pub port: u16,
    /// What the kind says; at most [`LABEL_BYTES`](crate::census::conduct::LABEL_BYTES).
    pub label: &'a str,
    /// The thing of a kind that adds up.
    pub thing: Option<ActThing<'a>>,
}

/// The thing of an act.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ActThing<'a> {
    Ip(IpAddr),
    Port(u16),
    Number(u64),
    Text(&'a str),
}

impl<'a> Act<'a> {
    /// What a kind and a label say.
    pub const fn new(kind: DeedKind, label: &'a str) -> Self {
        Self { kind, peer: None, port: 0, label, thing: None }
    }

    pub(super) const fn to(self, peer: IpAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    pub(super) const fn by(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub(super) const fn with(self, thing: ActThing<'a>) -> Self {
        Self { thing: Some(thing), ..self }
    }
}

/// A packet of one station to another, between ports.
pub(super) struct Scene<'s, S> {
    source: MacAddr,
    from: IpAddr,
    to: IpAddr,
    source_port: u16,
    destination_port: u16,
    /// Tells attempts on one connection apart: its copies have the same.
    sequence: u32,
    sink: &'s mut S,
}

impl<S: Sink> Scene<'_, S> {
    fn did(&mut self, act: &Act<'_>) {
        self.sink.did(self.source, self.from, act);
    }

    /// The sender refused or admitted a log-in of the receiver.
    fn judged(&mut self, kind: DeedKind, protocol: &str) {
        // The attempt: a copy has the same ports and sequence number, the next attempt has not.
        let attempt = u64::from(self.destination_port) << 32 | u64::from(self.sequence);
        self.did(&Act::new(kind, protocol).to(self.to).with(ActThing::Number(attempt)));
    }

    fn shows(&mut self, posture: &str) {
        self.did(&Act::new(DeedKind::Shows, posture));
    }
}

/// Whether an address is one of the local network by its form.
fn is_local(ip: IpAddr) -> bool {
    is_private(ip) || is_link_local(ip)
}

/// Whether the sender may be a station of the link: its address is a local one, or a public one from which no router lowered
/// the TTL. The Internet behind a router would fill the table, and is nobody's device.
fn is_of_link(packet: &Packet<'_>) -> bool {
    packet.has_sender() && (is_local(packet.source) || packet.is_fresh())
}

/// Tells texts apart, the same on every sensor (FNV-1a). Who makes two alike hides only his own.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

/// Ports of TCP where no dissector reads what acts do, and what may be an act there.
pub(super) const TCP_WAYS: [(Key, Option<MaySpeak>); 20] = [
    (Key::From(110), Some(login::may_be_mail)),
    (Key::From(143), None),
    (Key::To(143), None),
    (Key::From(1883), Some(login::may_be_broker)),
    (Key::From(2323), None),
    (Key::From(3306), Some(login::may_be_database)),
    (Key::From(5900), Some(login::may_be_desktop)),
    (Key::From(5901), Some(login::may_be_desktop)),
    (Key::From(5902), Some(login::may_be_desktop)),
    (Key::From(5903), Some(login::may_be_desktop)),
    (Key::From(5904), Some(login::may_be_desktop)),
    (Key::From(5905), Some(login::may_be_desktop)),
    (Key::From(5906), Some(login::may_be_desktop)),
    (Key::From(5907), Some(login::may_be_desktop)),
    (Key::From(5908), Some(login::may_be_desktop)),
    (Key::From(5909), Some(login::may_be_desktop)),
    (Key::From(5910), Some(login::may_be_desktop)),
    (Key::To(9100), None),
    (Key::To(9101), None),
    (Key::To(9102), None),
];
/// Ports of UDP likewise.
pub(super) const UDP_WAYS: [(Key, Option<MaySpeak>); 3] =
    [(Key::From(69), None), (Key::To(69), None), (Key::To(5351), None)];

/// Whether a segment with these flags is one that acts look at, beside those that open a connection: a refusal, or what no
/// stack sends (RFC 9293 section 3.5.2).
#[inline]
pub(super) const fn is_odd(flags: u8) -> bool {
    flags & opening::RST != 0 || flags & (opening::SYN | opening::ACK) == 0
}

/// Whether a segment that starts so may be an act, on any port.
#[inline]
pub(super) const fn begins(start: [u8; 4]) -> bool {
    matches!(&start, b"RFB " | b"{\"id" | b"{\"me" | b"{\"pa")
}

/// The acts of a TCP segment to one station.
pub(super) fn segment(packet: &Packet<'_>, head: &Head, payload: &[u8], sink: &mut impl Sink) {
    if packet.is_group() {
        return;
    }
    opening::indicated(packet, head, sink);
    if !is_of_link(packet) {
        return;
    }
    let mut scene = Scene {
        source: packet.link.source,
        from: packet.source,
        to: packet.destination,
        source_port: head.source,
        destination_port: head.destination,
        sequence: head.sequence,
        sink,
    };
    opening::opening(&mut scene, head);
    if payload.is_empty() {
        return;
    }
    control::stream(&mut scene, payload);
    credential::stream(&mut scene, payload);
    directory::stream(&mut scene, payload);
    login::stream(&mut scene, payload);
    posture::stream(&mut scene, payload);
}

/// The acts of a UDP datagram.
pub(super) fn datagram(packet: &Packet<'_>, ports: (u16, u16), payload: &[u8], sink: &mut impl Sink) {
    if ports.0 == 53 && !packet.is_group() {
        name::missed(packet, payload, sink);
    }
    if !is_of_link(packet) {
        return;
    }
    let (source_port, destination_port) = ports;
    let mut scene = Scene {
        source: packet.link.source,
        from: packet.source,
        to: packet.destination,
        source_port,
        destination_port,
        sequence: 0,
        sink,
    };
    name::datagram(&mut scene, payload);
    if !packet.is_group() {
        control::datagram(&mut scene, payload);
        posture::datagram(&mut scene, payload);
        login::datagram(&mut scene, payload);
    }
}

pub(super) use opening::{Head, asked_by_arp, pinged, unreachable};
