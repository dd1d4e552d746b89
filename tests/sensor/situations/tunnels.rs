//! I13: whose tunnels count. Anybody who can send a packet across the mirrored link can send any of these.

use netcensus::census::{Finding, FindingKind, Policy};

use super::site::{ASKER, Client, Counted, GATEWAY, Host, Mac, Site, host};
use super::words::neighbours::{self, Gear};
use super::{CAMERA, LAPTOP, PRINTER, WINDOWS, office};

const SWITCH: Host = host([0x00, 0x9c, 0x02, 0x31, 4, 0x30], 30);
/// Sources behind the gateway.
const STRANGERS: [Host; 2] =
    [Host { mac: GATEWAY.mac, ip: [151, 101, 2, 66] }, Host { mac: GATEWAY.mac, ip: [10, 99, 0, 5] }];

/// How a tunnel wraps a frame: in a UDP datagram to a port, or in an IP packet of a protocol; and its header.
#[derive(Clone, Copy)]
enum Wrap {
    Udp(u16, &'static [u8]),
    Ip(u8, &'static [u8]),
}

const TUNNELS: [(&str, Wrap); 13] = [
    ("VXLAN", Wrap::Udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0])),
    ("VXLAN", Wrap::Udp(4790, &[0x0c, 0, 0, 3, 0, 0, 7, 0])),
    ("GENEVE", Wrap::Udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0])),
    ("TZSP", Wrap::Udp(37008, &[1, 0, 0, 1, 1])),
    ("CAPWAP", Wrap::Udp(5247, &[0, 0x10, 2, 0, 0, 0, 0, 0])),
    ("L2TPv3", Wrap::Udp(1701, &[0, 3, 0, 0, 0, 0, 0, 9])),
    ("remote mirror", Wrap::Udp(7932, &[0; 12])),
    ("GRE", Wrap::Ip(47, &[0, 0, 0x65, 0x58])),
    ("ERSPAN", Wrap::Ip(47, &[0, 0, 0x88, 0xbe])),
    ("ERSPAN", Wrap::Ip(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 10, 0, 7, 0, 0, 0, 0])),
    ("EtherIP", Wrap::Ip(97, &[0x30, 0])),
    ("L2TPv3", Wrap::Ip(115, &[0, 0, 0, 9])),
    ("MPLS", Wrap::Ip(137, &[0, 0, 0x11, 64])),
];

impl Site {
    fn wraps(&mut self, wrap: Wrap, from: Host, ttl: u8, frame: &[u8]) -> &mut Self {
        match wrap {
            Wrap::Udp(port, head) => {
                let ports = if port == 1701 { (port, port) } else { (50_000, port) };
                self.udp(from, ASKER, ports, ttl, &[head, frame].concat())
            }
            Wrap::Ip(protocol, head) => {
                let length = u16::try_from(20 + head.len() + frame.len()).unwrap().to_be_bytes();
                let ip = [&[0x45, 0][..], &length, &[0, 0, 0, 0, ttl, protocol, 0, 0], &from.ip, &ASKER.ip];
                self.ethernet(from.mac, ASKER.mac, 0x0800, &[&ip.concat(), head, frame].concat())
            }
        }
    }
}

/// The office, with enough traffic that no tunnel is most of it.
fn busy() -> Site {
    let mut site = office();
    for n in 0..60 {
        site.surfs(LAPTOP, 443, &[n; 20]);
    }
    site.asks(SWITCH);
    site
}

/// Frames that would change the count: one chassis for two things, a thing that leases as a computer, new cameras.
fn forged() -> Vec<Vec<u8>> {
    let chassis: Mac = [0x00, 0x1b, 0xd4, 7, 7, 7];
    let mut site = Site::default();
    for victim in [CAMERA, PRINTER] {
        let gear = Gear { name: b"core", description: "Cisco IOS", platform: "", ip: victim.ip };
        site.lldp(victim.mac, &neighbours::lldp(&gear, chassis, "1"));
    }
    let windows =
        Client { name: b"DESKTOP-1A2B3C4", class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() };
    site.leases(CAMERA, windows);
    for n in 0..3 {
        site.asks(host([0x00, 0x09, 0x18, 0x77, 7, n], 100 + n));
    }
    site.frames.into_iter().map(|(_, frame)| frame).collect()
}

fn attacked(site: Site, wrap: Wrap, from: Host, ttl: u8) -> Site {
    let mut site = site;
    for frame in forged() {
        site.wraps(wrap, from, ttl, &frame);
    }
    site
}

fn held(counted: &Counted) -> Vec<&Finding> {
    counted.findings().iter().filter(|f| f.kind == FindingKind::TunnelHeld).collect()
}

#[test]
fn i13_a_tunnel_from_behind_a_router_moves_no_number_and_is_told() {
    let plain = busy().counted();
    plain.assert(1, 2, 1);
    for (name, wrap) in TUNNELS {
        for (stranger, ttl) in STRANGERS.into_iter().zip([53, 61]) {
            let counted = attacked(busy(), wrap, stranger, ttl).counted();
            assert_eq!(counted.summary(), plain.summary(), "{name}");
            assert_eq!(counted.numbers(), plain.numbers(), "{name}");
            let found = held(&counted);
            let [finding] = found[..] else { panic!("{name}: {:?}", counted.findings()) };
            assert!(finding.sentence.starts_with(&format!("the {name} tunnel from ")), "{finding}");
            assert_eq!(finding.ip, Some(stranger.ip.into()));
            let [a, b, c, d] = stranger.ip;
            assert!(
                finding.advice.contains(&format!("tunnels = [\"{a}.{b}.{c}.{d}\"]")),
                "{}",
                finding.advice
            );
        }
    }
}

#[test]
fn i13_the_same_tunnel_counts_from_a_device_of_the_zone_and_from_a_configured_source() {
    for (name, wrap) in TUNNELS {
        let of_switch = attacked(busy(), wrap, SWITCH, 64).counted();
        let mut site = attacked(busy(), wrap, STRANGERS[0], 53);
        site.trusted = vec!["151.101.2.66/32".parse().unwrap()];
        for counted in [of_switch, site.counted()] {
            assert_eq!(held(&counted), [] as [&Finding; 0], "{name}");
            assert!(counted.summary().contains("00:09:18:77:07:02"), "{name}: {}", counted.summary());
        }
    }
}

#[test]
fn i13_a_tunnel_that_is_most_of_an_interface_counts_and_a_burst_does_not() {
    let mirror = |pause: i64, times: usize| {
        let mut site = Site::new();
        for n in 0..20 {
            site.surfs(SWITCH, 443, &[n; 20]).wait(60);
        }
        for (_, frame) in vec![busy().frames; times].concat() {
            site.wraps(TUNNELS[9].1, STRANGERS[0], 53, &frame).wait(pause);
        }
        site.counted()
    };
    assert_eq!(mirror(0, 1).numbers(), [1, 0, 0], "all within two of the minutes");
    mirror(60, 2).assert(1, 2, 1);
}

#[test]
fn i13_a_tunnel_in_a_strangers_tunnel_cannot_pass_for_that_of_a_device() {
    let plain = busy().counted();
    let mut inner = Site::default();
    for frame in forged() {
        inner.wraps(TUNNELS[7].1, SWITCH, 64, &frame);
    }
    let mut site = busy();
    for (_, frame) in inner.frames {
        site.wraps(TUNNELS[0].1, STRANGERS[0], 53, &frame);
    }
    let counted = site.counted();
    assert_eq!(counted.summary(), plain.summary());
    assert_eq!(held(&counted).len(), 1);
}

#[test]
fn i13_a_fragment_in_a_strangers_tunnel_does_not_complete_a_datagram_of_the_link() {
    let announce = |n: usize| {
        let mut site = Site::default();
        let body =
            super::mdns::offer("Cam", "cam", CAMERA.ip, &[("_hap._tcp", 80, &["md=Hall Cam", "ci=17"])]);
        let udp = [&5353u16.to_be_bytes()[..], &5353u16.to_be_bytes()].concat();
        let whole =
            [&udp[..], &u16::try_from(body.len() + 8).unwrap().to_be_bytes(), &[0, 0], &body].concat();
        let cut = 64.min(whole.len() / 8 * 8);
        let (part, place) = if n == 0 { (&whole[..cut], 0x2000) } else { (&whole[cut..], 8u16) };
        let length = u16::try_from(20 + part.len()).unwrap().to_be_bytes();
        let place: u16 = place;
        let ip = [
            &[0x45, 0][..],
            &length,
            &[0, 9],
            &place.to_be_bytes(),
            &[255, 17, 0, 0],
            &CAMERA.ip,
            &[224, 0, 0, 251],
        ];
        site.ethernet(CAMERA.mac, [1, 0, 0x5e, 0, 0, 0xfb], 0x0800, &[&ip.concat(), part].concat());
        site.frames.remove(0).1
    };
    let said = |through: bool| {
        let mut site = Site::new();
        for n in 0..40 {
            site.surfs(LAPTOP, 443, &[n; 20]);
        }
        site.asks(CAMERA).put(announce(0));
        if through {
            site.wraps(TUNNELS[0].1, STRANGERS[0], 53, &announce(1));
        } else {
            site.put(announce(1));
        }
        // Sensors that share the fragments put none together.
        Counted::of(&site.zone(1, false), &Policy::default()).summary().contains("camera")
    };
    assert!(said(false) && !said(true));
}
