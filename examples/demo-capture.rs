//! Writes `assets/demo.pcap.zst`, the office that `netcensus-plan demo` replays: half an hour of traffic of a small site
//! on one mirrored port, made frame by frame from the protocols' standards.
//!
//! `cargo run --example demo-capture assets/demo.pcap.zst`

#![expect(clippy::expect_used, reason = "a generator of fixed data: what does not fit is a mistake in it")]

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, EtherType, Ethernet2Header, PacketBuilder};
use pcap::{Capture, Linktype, Packet, PacketHeader};

type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
/// 2026-11-02T08:00:00Z.
const START: i64 = 1_793_606_400;

/// What a kind of device says.
struct Kind {
    /// How many stand in the office.
    count: u16,
    /// The first three bytes of its MACs.
    prefix: [u8; 3],
    /// Host name; `#` becomes a number.
    name: &'static str,
    /// DHCP vendor class if it asks for a lease; `None` for a fixed address.
    vendor_class: Option<&'static str>,
    /// DHCP parameter request list.
    parameters: &'static [u8],
    says: &'static [Says],
}

enum Says {
    /// LLDP: enabled capabilities, system description.
    Lldp(u16, &'static str),
    /// CDP: capabilities, platform, version.
    Cdp(u32, &'static str, &'static str),
    /// mDNS: service, TXT entry.
    Mdns(&'static str, &'static str),
    /// SSDP NOTIFY: type, server.
    Ssdp(&'static str, &'static str),
    /// SIP REGISTER: user agent.
    Sip(&'static str),
    /// HTTP GET: user agent.
    Http(&'static str),
    /// Bulk data with a server on the Internet.
    Internet,
}

const WINDOWS: &[u8] = &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];
const APPLE: &[u8] = &[1, 121, 3, 6, 15, 108, 114, 119, 252];
const ANDROID: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108];
const EMBEDDED: &[u8] = &[1, 3, 6, 12, 15, 28, 42];

fn office() -> Vec<Kind> {
    let kind = |count, prefix, name, vendor_class, parameters, says| Kind {
        count,
        prefix,
        name,
        vendor_class,
        parameters,
        says,
    };
    vec![
        kind(
            1,
            [0x70, 0xdb, 0x98],
            "edge-router",
            None,
            &[],
            &[Says::Lldp(
                0x10,
                "Cisco IOS Software [Fuji], ISR Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), Version 16.9.5",
            )],
        ),
        kind(
            6,
            [0x58, 0xac, 0x78],
            "access-switch-#",
            None,
            &[],
            &[
                Says::Lldp(
                    0x04,
                    "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4",
                ),
                Says::Cdp(
                    0x28,
                    "cisco WS-C2960X-48FPD-L",
                    "Cisco IOS Software, C2960X Software, Version 15.2(7)E4",
                ),
            ],
        ),
        kind(
            9,
            [0x20, 0x4c, 0x03],
            "ap-floor-#",
            Some("ArubaAP"),
            EMBEDDED,
            &[Says::Lldp(0x0c, "ArubaOS (MODEL: 515), Version Aruba AP 8.10.0.6")],
        ),
        kind(
            22,
            [0x64, 0x16, 0x7f],
            "phone-#",
            Some("Polycom-VVX411"),
            EMBEDDED,
            &[Says::Sip("PolycomVVX-VVX_411-UA/5.9.0.9373")],
        ),
        kind(
            14,
            [0xac, 0xcc, 0x8e],
            "axis-#",
            Some("AXIS,Network Camera,P3245-LV,10.12.65"),
            EMBEDDED,
            &[
                Says::Mdns("_axis-video._tcp", "macaddress=ACCC8E000000"),
                Says::Ssdp("urn:axis-com:service:BasicService:1", "Linux/4.14 UPnP/1.0 AXIS P3245-LV"),
            ],
        ),
        kind(
            7,
            [0x3c, 0xd9, 0x2b],
            "NPI00#",
            Some("Hewlett-Packard JetDirect"),
            &[6, 3, 1, 15, 66, 67, 13, 44, 12, 81, 252],
            &[Says::Mdns("_ipp._tcp", "ty=HP LaserJet M507")],
        ),
        kind(
            4,
            [0x8c, 0x79, 0xf5],
            "meeting-tv-#",
            None,
            &[],
            &[
                Says::Ssdp(
                    "urn:samsung.com:device:RemoteControlReceiver:1",
                    "Samsung Linux/9.0 UPnP/1.0 SamsungTV/1.0",
                ),
                Says::Mdns("_airplay._tcp", "manufacturer=Samsung"),
            ],
        ),
        kind(3, [0x54, 0x60, 0x09], "cast-#", None, &[], &[Says::Mdns("_googlecast._tcp", "md=Chromecast")]),
        kind(
            31,
            [0xf8, 0xb1, 0x56],
            "DESKTOP-A00#",
            Some("MSFT 5.0"),
            WINDOWS,
            &[
                Says::Http(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
                ),
                Says::Internet,
            ],
        ),
        kind(
            12,
            [0xa4, 0x83, 0xe7],
            "macbook-#",
            None,
            APPLE,
            &[
                Says::Mdns("_device-info._tcp", "model=MacBookPro18,3"),
                Says::Http(
                    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Safari/605.1.15",
                ),
                Says::Internet,
            ],
        ),
        kind(15, [0x5a, 0x11, 0x20], "Pixel-7-#", Some("android-dhcp-13"), ANDROID, &[Says::Internet]),
        kind(2, [0xfc, 0x11, 0x0c], "", None, &[], &[Says::Internet]),
    ]
}

struct Site {
    frames: Vec<(i64, Vec<u8>)>,
    gateway: Mac,
}

impl Site {
    fn put(&mut self, micros: i64, mut frame: Vec<u8>) {
        frame.resize(frame.len().max(60), 0);
        self.frames.push((micros, frame));
    }

    fn ethernet(&mut self, t: i64, from: Mac, to: Mac, kind: u16, body: &[u8]) {
        let mut frame = Ethernet2Header { source: from, destination: to, ether_type: EtherType(kind) }
            .to_bytes()
            .to_vec();
        frame.extend_from_slice(body);
        self.put(t, frame);
    }

    fn arp(&mut self, t: i64, operation: ArpOperation, from: Mac, ip: Ipv4Addr, to: Mac, target: Ipv4Addr) {
        let packet = ArpEthIpv4Packet {
            operation,
            sender_mac: from,
            sender_ipv4: ip.octets(),
            target_mac: if to == BROADCAST { [0; 6] } else { to },
            target_ipv4: target.octets(),
        };
        self.ethernet(t, from, to, 0x0806, &packet.to_bytes());
    }

    #[expect(clippy::too_many_arguments, reason = "a datagram has that many parts")]
    fn udp(
        &mut self,
        t: i64,
        from: Mac,
        ip: Ipv4Addr,
        to: Mac,
        target: Ipv4Addr,
        ports: (u16, u16),
        ttl: u8,
        body: &[u8],
    ) {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(from, to)
            .ipv4(ip.octets(), target.octets(), ttl)
            .udp(ports.0, ports.1)
            .write(&mut frame, body)
            .expect("a datagram of this size fits");
        self.put(t, frame);
    }

    #[expect(clippy::too_many_arguments, reason = "a segment has that many parts")]
    fn tcp(
        &mut self,
        t: i64,
        from: Mac,
        ip: Ipv4Addr,
        to: Mac,
        target: Ipv4Addr,
        ports: (u16, u16),
        ttl: u8,
        body: &[u8],
    ) {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(from, to)
            .ipv4(ip.octets(), target.octets(), ttl)
            .tcp(ports.0, ports.1, 1_000, 64_240)
            .psh()
            .ack(1)
            .write(&mut frame, body)
            .expect("a segment of this size fits");
        self.put(t, frame);
    }

    /// DISCOVER, OFFER, REQUEST, ACK (RFC 2131 3.1).
    fn lease(
        &mut self,
        t: i64,
        mac: Mac,
        ip: Ipv4Addr,
        name: &str,
        vendor_class: Option<&str>,
        parameters: &[u8],
    ) {
        let any = Ipv4Addr::BROADCAST;
        let client = |kind: u8| {
            let mut options = vec![53, 1, kind, 61, 7, 1];
            options.extend_from_slice(&mac);
            tlv8(&mut options, 12, name.as_bytes());
            tlv8(&mut options, 55, parameters);
            if let Some(class) = vendor_class {
                tlv8(&mut options, 60, class.as_bytes());
            }
            dhcp(1, mac, Ipv4Addr::UNSPECIFIED, &options)
        };
        let server = |kind: u8| {
            let mut options = vec![53, 1, kind];
            tlv8(&mut options, 54, &GATEWAY.octets());
            tlv8(&mut options, 51, &86_400u32.to_be_bytes());
            tlv8(&mut options, 1, &[255, 255, 255, 0]);
            tlv8(&mut options, 3, &GATEWAY.octets());
            dhcp(2, mac, ip, &options)
        };
        let gateway = self.gateway;
        for (i, kind) in [(0, 1), (50_000, 3)] {
            self.udp(t + i, mac, Ipv4Addr::UNSPECIFIED, BROADCAST, any, (68, 67), 64, &client(kind));
            let answer = if kind == 1 { 2 } else { 5 };
            self.udp(t + i + 10_000, gateway, GATEWAY, BROADCAST, any, (67, 68), 255, &server(answer));
        }
    }

    fn say(&mut self, t: i64, says: &Says, mac: Mac, ip: Ipv4Addr, name: &str, n: u32) {
        let gateway = self.gateway;
        match says {
            Says::Lldp(capabilities, description) => {
                let mut body = Vec::new();
                lldp_tlv(&mut body, 1, &[&[4], &mac[..]].concat());
                lldp_tlv(&mut body, 2, b"\x05Gi0/1");
                lldp_tlv(&mut body, 3, &120u16.to_be_bytes());
                lldp_tlv(&mut body, 5, name.as_bytes());
                lldp_tlv(&mut body, 6, description.as_bytes());
                lldp_tlv(&mut body, 7, &[capabilities.to_be_bytes(), capabilities.to_be_bytes()].concat());
                lldp_tlv(&mut body, 8, &[&[5, 1], &ip.octets()[..], &[2, 0, 0, 0, 1, 0]].concat());
                lldp_tlv(&mut body, 0, &[]);
                self.ethernet(t, mac, [0x01, 0x80, 0xc2, 0, 0, 0x0e], 0x88cc, &body);
            }
            Says::Cdp(capabilities, platform, version) => {
                let address = [&[0, 0, 0, 1, 1, 1, 0xcc, 0, 4], &ip.octets()[..]].concat();
                let mut body = vec![2, 180, 0, 0];
                for (kind, value) in [
                    (1u16, name.as_bytes()),
                    (2, &address),
                    (4, &capabilities.to_be_bytes()),
                    (5, version.as_bytes()),
                    (6, platform.as_bytes()),
                ] {
                    body.extend_from_slice(&kind.to_be_bytes());
                    body.extend_from_slice(&u16::try_from(value.len() + 4).expect("short").to_be_bytes());
                    body.extend_from_slice(value);
                }
                let snap = [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0], &body[..]].concat();
                let length = u16::try_from(snap.len()).expect("short");
                self.ethernet(t, mac, [0x01, 0, 0x0c, 0xcc, 0xcc, 0xcc], length, &snap);
            }
            Says::Mdns(service, entry) => {
                let group = Ipv4Addr::new(224, 0, 0, 251);
                let body = mdns(name, service, entry, ip);
                self.udp(t, mac, ip, [0x01, 0, 0x5e, 0, 0, 0xfb], group, (5353, 5353), 255, &body);
            }
            Says::Ssdp(kind, server) => {
                let group = Ipv4Addr::new(239, 255, 255, 250);
                let body = format!(
                    "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: {kind}\r\nNTS: ssdp:alive\r\nSERVER: {server}\r\nUSN: uuid:{name}::{kind}\r\n\r\n"
                );
                self.udp(
                    t,
                    mac,
                    ip,
                    [0x01, 0, 0x5e, 0x7f, 0xff, 0xfa],
                    group,
                    (1900, 1900),
                    4,
                    body.as_bytes(),
                );
            }
            Says::Sip(agent) => {
                let body = format!(
                    "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{n}\r\nFrom: <sip:{n}@pbx.example>;tag={n}\r\nTo: <sip:{n}@pbx.example>\r\nCall-ID: {n}@{ip}\r\nCSeq: 1 REGISTER\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
                );
                let pbx = Ipv4Addr::new(10, 40, 0, 9);
                self.udp(t, mac, ip, gateway, pbx, (5060, 5060), 64, body.as_bytes());
                self.udp(
                    t + 2_000,
                    gateway,
                    pbx,
                    mac,
                    ip,
                    (5060, 5060),
                    62,
                    b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                );
            }
            Says::Http(agent) => {
                let body = format!("GET / HTTP/1.1\r\nHost: intranet.example\r\nUser-Agent: {agent}\r\n\r\n");
                let ttl = if agent.contains("Windows") { 128 } else { 64 };
                self.tcp(
                    t,
                    mac,
                    ip,
                    gateway,
                    Ipv4Addr::new(10, 40, 0, 80),
                    (49_200, 80),
                    ttl,
                    body.as_bytes(),
                );
            }
            Says::Internet => {
                for i in 0..4u32 {
                    let [_, a, b, c] = (n * 7_919 + i * 104_729).to_be_bytes();
                    let far = Ipv4Addr::new(23, a, b, c.max(1));
                    let port = u16::try_from(50_000 + i).expect("small");
                    self.tcp(t + i64::from(i) * 9_000, mac, ip, gateway, far, (port, 443), 64, &[0x17; 120]);
                    self.tcp(
                        t + i64::from(i) * 9_000 + 4_000,
                        gateway,
                        far,
                        mac,
                        ip,
                        (443, port),
                        53,
                        &[0x17; 400],
                    );
                }
            }
        }
    }
}

fn dhcp(op: u8, mac: Mac, your: Ipv4Addr, options: &[u8]) -> Vec<u8> {
    let mut out = vec![op, 1, 6, 0, 0, mac[3], mac[4], mac[5], 0, 0, 0x80, 0, 0, 0, 0, 0];
    out.extend_from_slice(&your.octets());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&mac);
    out.resize(236, 0);
    out.extend_from_slice(&[99, 130, 83, 99]);
    out.extend_from_slice(options);
    out.push(255);
    out
}

fn tlv8(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(&[kind, u8::try_from(value.len()).expect("short")]);
        out.extend_from_slice(value);
    }
}

fn lldp_tlv(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let head = kind << 9 | u16::try_from(value.len()).expect("short");
    out.extend_from_slice(&head.to_be_bytes());
    out.extend_from_slice(value);
}

/// A response that offers one service: PTR, SRV, TXT, A (RFC 6763).
fn mdns(host: &str, service: &str, entry: &str, ip: Ipv4Addr) -> Vec<u8> {
    let name = |parts: &[&str]| {
        let mut out = Vec::new();
        for part in parts {
            out.push(u8::try_from(part.len()).expect("short"));
            out.extend_from_slice(part.as_bytes());
        }
        out.push(0);
        out
    };
    let labels: Vec<&str> = service.split('.').chain(["local"]).collect();
    let kind = name(&labels);
    let instance = name(&[&[host], &labels[..]].concat());
    let target = name(&[host, "local"]);
    let mut text = Vec::new();
    tlv_text(&mut text, entry);
    let mut out = vec![0, 0, 0x84, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let port = [&[0, 0, 0, 0, 0x02, 0x77], &target[..]].concat();
    for (owner, code, class, data) in [
        (&kind, 12u16, 1u16, &instance),
        (&instance, 33, 0x8001, &port),
        (&instance, 16, 0x8001, &text),
        (&target, 1, 0x8001, &ip.octets().to_vec()),
    ] {
        out.extend_from_slice(owner);
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(&class.to_be_bytes());
        out.extend_from_slice(&120u32.to_be_bytes());
        out.extend_from_slice(&u16::try_from(data.len()).expect("short").to_be_bytes());
        out.extend_from_slice(data);
    }
    out
}

fn tlv_text(out: &mut Vec<u8>, entry: &str) {
    out.push(u8::try_from(entry.len()).expect("short"));
    out.extend_from_slice(entry.as_bytes());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let mut site = Site { frames: Vec::new(), gateway: [0x70, 0xdb, 0x98, 0, 0, 1] };
    let mut n: u32 = 0;
    for kind in office() {
        for i in 1..=kind.count {
            n += 1;
            let [a, b, c] = kind.prefix;
            let [high, low] = i.to_be_bytes();
            let mac = [a, b, c, 0, high, low];
            let ip = Ipv4Addr::from(GATEWAY.to_bits() + n - 1);
            let name = kind.name.replace('#', &format!("{i:02}"));
            let t = i64::from(n) * 400_000;
            if kind.parameters.is_empty() {
                site.arp(t, ArpOperation::REQUEST, mac, ip, BROADCAST, ip);
            } else {
                site.lease(t, mac, ip, &name, kind.vendor_class, kind.parameters);
            }
            if ip != GATEWAY {
                let gateway = site.gateway;
                site.arp(t + 100_000, ArpOperation::REQUEST, mac, ip, BROADCAST, GATEWAY);
                site.arp(t + 100_400, ArpOperation::REPLY, gateway, GATEWAY, mac, ip);
            }
            for turn in 0..3 {
                for (k, says) in (0i64..).zip(kind.says) {
                    site.say(t + 150_000 + turn * 600_000_000 + k * 20_000, says, mac, ip, &name, n);
                }
            }
        }
    }
    site.frames.sort();
    let plain = tempfile::NamedTempFile::new()?;
    let mut file = Capture::dead(Linktype::ETHERNET)?.savefile(plain.path())?;
    for (micros, frame) in &site.frames {
        let length = u32::try_from(frame.len())?;
        let ts = libc::timeval { tv_sec: START + micros / 1_000_000, tv_usec: micros % 1_000_000 };
        file.write(&Packet::new(&PacketHeader { ts, caplen: length, len: length }, frame));
    }
    file.flush()?;
    std::fs::write(path, zstd::bulk::compress(&std::fs::read(plain.path())?, 19)?)?;
    Ok(())
}
