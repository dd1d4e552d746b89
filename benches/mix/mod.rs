//! A generated mix of frames: what an office's mirror port carries, deterministic to the byte.
//!
//! 480 hosts, a gateway and a switch on one /22. A pool of frames is built once and drawn from at random, so that the
//! generator costs little beside what is measured. Two mixes: [`Mix::office`] with full-size transfers (mean some
//! 700 bytes) and [`Mix::small`] with calls and acknowledgements only (mean some 95 bytes); 1.6 % of both is discovery.

#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers are drawn below the type's end, lengths below 1,500"
)]
#![expect(clippy::indexing_slicing, reason = "drawn below the length")]

mod capture;

use std::net::Ipv4Addr;

pub(crate) use capture::Capture;

const HOSTS: u32 = 480;
const POOL: usize = 16_384;
/// Discovery frames in a thousand.
const DISCOVERY: u64 = 16;

const BROADCAST: [u8; 6] = [0xff; 6];
const GATEWAY: Host = Host(1);

/// Frames, drawn at random without end.
pub(crate) struct Mix {
    pool: Vec<Vec<u8>>,
    random: Random,
}

impl Mix {
    /// Transfers in full-size segments and what goes with them.
    pub(crate) fn office() -> Self {
        Self::new(1, |random| match random.below(100) {
            0..42 => 1_448,
            42..84 => 0,
            84..94 => 64 + random.below(448),
            _ => 512 + random.below(936),
        })
    }

    /// Calls, telemetry and acknowledgements.
    pub(crate) fn small() -> Self {
        Self::new(2, |random| match random.below(100) {
            0..60 => random.below(24),
            _ => 24 + random.below(80),
        })
    }

    fn new(seed: u64, size: fn(&mut Random) -> u64) -> Self {
        let mut random = Random(seed);
        let pool = (0..POOL)
            .map(|_| {
                let host = Host(10 + random.below(u64::from(HOSTS)) as u32);
                if random.below(1_000) < DISCOVERY {
                    discovery(host, &mut random)
                } else {
                    let payload = vec![0x5a; size(&mut random) as usize];
                    traffic(host, &payload, &mut random)
                }
            })
            .collect();
        Self { pool, random }
    }

    /// The next frame.
    pub(crate) fn draw(&mut self) -> &[u8] {
        &self.pool[self.random.below(POOL as u64) as usize]
    }
}

/// What hosts say when they join: each asks by ARP; half of them lease an address, a quarter offers a printer by mDNS.
pub(crate) fn newcomers(hosts: u32) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(3);
    (0..hosts).flat_map(move |n| {
        let host = Host(10 + n);
        let lease = udp_datagram((68, 67), &dhcp_request(host));
        let lease = || ethernet(host.mac(), BROADCAST, None, 0x0800, &ipv4([0; 4], [255; 4], 17, 64, &lease));
        let offer = udp_datagram((5353, 5353), &mdns(host));
        let group = [0x01, 0, 0x5e, 0, 0, 0xfb];
        let offer =
            || ethernet(host.mac(), group, None, 0x0800, &ipv4(host.ip(), [224, 0, 0, 251], 17, 255, &offer));
        let said = match n % 4 {
            0 | 2 => Some(lease()),
            1 => Some(offer()),
            _ => None,
        };
        std::iter::once(arp(host, &mut random)).chain(said)
    })
}

/// ARP answers that pair random MACs with random addresses, without end.
pub(crate) fn poison() -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(4);
    std::iter::repeat_with(move || {
        let [a, b, c, d, e, f, w, x, y, z, ..] =
            (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes();
        let mac = [a & 0xfc, b, c, d, e, f];
        let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 2];
        packet.extend_from_slice(&mac);
        packet.extend_from_slice(&[w, x, y, z]);
        packet.extend_from_slice(&GATEWAY.mac());
        packet.extend_from_slice(&GATEWAY.ip());
        ethernet(mac, GATEWAY.mac(), None, 0x0806, &packet)
    })
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[derive(Clone, Copy)]
struct Host(u32);

impl Host {
    fn mac(self) -> [u8; 6] {
        // The makers of a router, a PC, a camera and a printer.
        let oui = [[0x00, 0x1b, 0x54], [0xf4, 0x8e, 0x38], [0xac, 0xcc, 0x8e], [0x3c, 0xd9, 0x2b]];
        let [a, b, c] = oui[(self.0 % 4) as usize];
        let [_, x, y, z] = self.0.to_be_bytes();
        [a, b, c, x, y, z]
    }

    fn ip(self) -> [u8; 4] {
        (u32::from(Ipv4Addr::new(10, 20, 0, 0)) + self.0).to_be_bytes()
    }
}

/// A segment or datagram between a host and another one, or a server behind the gateway.
fn traffic(host: Host, payload: &[u8], random: &mut Random) -> Vec<u8> {
    let local = random.below(10) < 3;
    let peer = Host(10 + random.below(u64::from(HOSTS)) as u32);
    let server = [151, 101, random.below(8) as u8, random.below(250) as u8];
    let (peer_mac, peer_ip) = if local { (peer.mac(), peer.ip()) } else { (GATEWAY.mac(), server) };
    let ports = (443, 49_152 + random.below(16_000) as u16);
    let udp = random.below(4) == 0;
    let down = random.below(3) < 2;
    let (from, to, ports, ttl) = if down {
        ((peer_mac, peer_ip), (host.mac(), host.ip()), ports, if local { 64 } else { 52 })
    } else {
        ((host.mac(), host.ip()), (peer_mac, peer_ip), (ports.1, ports.0), 64)
    };
    let segment = if udp { udp_datagram(ports, payload) } else { tcp_segment(ports, payload) };
    let packet = ipv4(from.1, to.1, if udp { 17 } else { 6 }, ttl, &segment);
    let tagged = host.0.is_multiple_of(8);
    ethernet(from.0, to.0, tagged.then_some(20), 0x0800, &packet)
}

fn discovery(host: Host, random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..4 => arp(host, random),
        4..7 => {
            let group = [224, 0, 0, 251];
            let datagram = udp_datagram((5353, 5353), &mdns(host));
            ethernet(
                host.mac(),
                [0x01, 0, 0x5e, 0, 0, 0xfb],
                None,
                0x0800,
                &ipv4(host.ip(), group, 17, 255, &datagram),
            )
        }
        7 | 8 => {
            let datagram = udp_datagram((68, 67), &dhcp_request(host));
            ethernet(host.mac(), BROADCAST, None, 0x0800, &ipv4([0; 4], [255; 4], 17, 64, &datagram))
        }
        _ => ethernet(host.mac(), [0x01, 0x80, 0xc2, 0, 0, 0x0e], None, 0x88cc, &lldp(host)),
    }
}

fn ethernet(from: [u8; 6], to: [u8; 6], vlan: Option<u16>, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(18 + payload.len().max(46));
    frame.extend_from_slice(&to);
    frame.extend_from_slice(&from);
    if let Some(id) = vlan {
        frame.extend_from_slice(&0x8100_u16.to_be_bytes());
        frame.extend_from_slice(&id.to_be_bytes());
    }
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(payload);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let length = 20 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0x12, 0x34, 0x40, 0, ttl, protocol, 0, 0]);
    packet.extend_from_slice(&from);
    packet.extend_from_slice(&to);
    packet.extend_from_slice(payload);
    packet
}

fn udp_datagram(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend_from_slice(&ports.0.to_be_bytes());
    datagram.extend_from_slice(&ports.1.to_be_bytes());
    datagram.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    datagram
}

fn tcp_segment(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(32 + payload.len());
    segment.extend_from_slice(&ports.0.to_be_bytes());
    segment.extend_from_slice(&ports.1.to_be_bytes());
    segment.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    segment.extend_from_slice(payload);
    segment
}

/// A question for a neighbour, or the answer to one.
fn arp(host: Host, random: &mut Random) -> Vec<u8> {
    let peer = Host(10 + random.below(u64::from(HOSTS)) as u32);
    let answer = random.below(2) == 0;
    let (operation, to) = if answer { (2, peer.mac()) } else { (1, BROADCAST) };
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
    packet.extend_from_slice(&host.mac());
    packet.extend_from_slice(&host.ip());
    packet.extend_from_slice(if answer { &to } else { &[0; 6] });
    packet.extend_from_slice(&peer.ip());
    ethernet(host.mac(), to, None, 0x0806, &packet)
}

/// A response with one service (RFC 6763): PTR, SRV-less, TXT and A.
fn mdns(host: Host) -> Vec<u8> {
    let label = |out: &mut Vec<u8>, text: &str| {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    };
    let name = |out: &mut Vec<u8>, labels: &[&str]| {
        for text in labels {
            label(out, text);
        }
        out.push(0);
    };
    let record = |out: &mut Vec<u8>, kind: u16, data: &[u8]| {
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0x80, 1, 0, 0, 0x11, 0x94]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
    };
    let instance = format!("host-{}", host.0);
    let mut pointer = Vec::new();
    name(&mut pointer, &[&instance, "_ipp", "_tcp", "local"]);
    let mut text = Vec::new();
    label(&mut text, "ty=HP LaserJet Pro M404dn");
    label(&mut text, "rp=ipp/print");

    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 3, 0, 0, 0, 0];
    name(&mut message, &["_ipp", "_tcp", "local"]);
    record(&mut message, 12, &pointer);
    name(&mut message, &[&instance, "_ipp", "_tcp", "local"]);
    record(&mut message, 16, &text);
    name(&mut message, &[&instance, "local"]);
    record(&mut message, 1, &host.ip());
    message
}

fn dhcp_request(host: Host) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.extend_from_slice(&[0; 16]);
    message.extend_from_slice(&host.mac());
    message.resize(236, 0);
    message.extend_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    let name = format!("host-{}", host.0);
    let mut option = |code: u8, value: &[u8]| {
        message.extend_from_slice(&[code, value.len() as u8]);
        message.extend_from_slice(value);
    };
    option(53, &[3]);
    option(50, &host.ip());
    option(12, name.as_bytes());
    option(60, b"MSFT 5.0");
    option(55, &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]);
    message.push(255);
    message
}

fn lldp(host: Host) -> Vec<u8> {
    let mut unit = Vec::new();
    let mut tlv = |kind: u16, value: &[u8]| {
        unit.extend_from_slice(&(kind << 9 | value.len() as u16).to_be_bytes());
        unit.extend_from_slice(value);
    };
    let mac = host.mac();
    let mut chassis = vec![4];
    chassis.extend_from_slice(&mac);
    tlv(1, &chassis);
    tlv(2, b"\x05Gi1/0/7");
    tlv(3, &120_u16.to_be_bytes());
    tlv(5, format!("host-{}", host.0).as_bytes());
    tlv(6, b"Arista Networks EOS version 4.28.1F running on an Arista Networks DCS-7050TX-64");
    tlv(7, &[0, 0x04, 0, 0x04]);
    tlv(0, &[]);
    unit
}
