//! The dearest frames that are known, a kind a row: each fills what its dissector or its table reads, and no two frames of
//! a kind say the same, so that nothing is found among what was said before.

#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "lengths and numbers are those of one frame, or are cut on purpose"
)]

use std::net::Ipv4Addr;

/// Bytes of a UDP payload in a frame of Ethernet's usual size.
const ROOM: usize = 1_472;
const GROUP: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 0xfb];
const STATION: [u8; 6] = [0x00, 0x1b, 0x54, 0, 0, 1];

/// A kind of hostile frames.
pub(crate) struct Kind {
    /// The protocol, and what there is much of.
    pub(crate) name: &'static str,
    /// The frame with that number.
    pub(crate) frame: fn(u32) -> Vec<u8>,
}

/// All kinds; the first is an ordinary segment, by which the others are measured.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "tcp (ordinary)", frame: |n| tcp(443, 50_000, &[0x5a; 512], n % 4) },
    Kind { name: "arp: new pairs", frame: arp_question },
    Kind { name: "arp: whole exchanges", frame: arp_exchange },
    Kind { name: "mdns: pointed labels", frame: |n| mdns(&pointed_labels(n)) },
    Kind { name: "mdns: text entries", frame: |n| mdns(&texts(n)) },
    Kind { name: "mdns: hosts", frame: |n| mdns(&hosts(n)) },
    Kind { name: "mdns: services", frame: |n| mdns(&services(n)) },
    Kind { name: "llmnr: pointed labels", frame: |n| udp(5355, 5355, &pointed_labels(n), n) },
    Kind { name: "dns: labels", frame: |n| udp(50_000, 53, &dns_question(n), n) },
    Kind { name: "nbns: names", frame: |n| udp(137, 137, &nbns(n), n) },
    Kind { name: "lldp: names", frame: |n| lldp(&filled(|i| lldp_tlv(5, text(n, i, 6).as_bytes()))) },
    Kind { name: "lldp: addresses", frame: lldp_addresses },
    Kind {
        name: "lldp: empty TLVs",
        frame: |n| lldp(&[lldp_tlv(5, text(n, 0, 9).as_bytes()), filled(|_| lldp_tlv(126, b""))].concat()),
    },
    Kind { name: "cdp: names", frame: |n| cdp(&filled(|i| cdp_tlv(6, text(n, i, 6).as_bytes()))) },
    Kind { name: "cdp: addresses", frame: cdp_addresses },
    Kind {
        name: "dhcp4: options",
        frame: |n| dhcp(&filled(|i| vec![12 + (i % 200) as u8, 2, n as u8, i as u8])),
    },
    Kind {
        name: "dhcp4: split options",
        frame: |n| {
            dhcp(&filled(|i| {
                vec![[12, 60, 61, 55, 77, 81][i % 6], 4, b'a' + (n % 26) as u8, b'b', i as u8 | 32, b'c']
            }))
        },
    },
    Kind {
        name: "dhcp4: classes",
        frame: |n| dhcp(&filled(|i| [&[77, 200][..], text(n, i, 199).as_bytes(), b"\x03abc"].concat())),
    },
    Kind {
        name: "dhcp6: options",
        frame: |n| udp(546, 547, &[&[1, 0, 0, n as u8][..], &filled(|i| dhcp6_option(n, i))].concat(), n),
    },
    Kind { name: "snmp: variables", frame: |n| udp(161, 50_000, &snmp(n, true), n) },
    Kind { name: "snmp: broken variables", frame: |n| udp(161, 50_000, &snmp(n, false), n) },
    Kind { name: "ssdp: headers", frame: |n| udp(1900, 50_000, &head("NOTIFY * HTTP/1.1", n), n) },
    Kind { name: "wsd: types", frame: |n| udp(3702, 50_000, &wsd(n), n) },
    Kind {
        name: "wsd: tags",
        frame: |n| udp(3702, 50_000, &[&b"<Hello>"[..], &filled(|_| b"<Types>".to_vec())].concat(), n),
    },
    Kind {
        name: "coap: links",
        frame: |n| {
            udp(
                5683,
                50_000,
                &[
                    &b"\x60\x45\x12\x34\xc1\x28\xff"[..],
                    &filled(|i| format!("</{}>,", text(n, i, 5)).into_bytes()),
                ]
                .concat(),
                n,
            )
        },
    },
    Kind {
        name: "coap: options",
        frame: |n| {
            udp(
                50_000,
                5683,
                &[
                    &b"\x40\x01\x12\x34"[..],
                    &[0xb1, b'a'],
                    &filled(|i| vec![1, b'a' + ((n as usize + i) % 26) as u8]),
                ]
                .concat(),
                n,
            )
        },
    },
    Kind { name: "quic: initial", frame: |n| udp(50_000, 443, &quic(n), n) },
    Kind {
        name: "rtp",
        frame: |n| udp(16_384, 16_386, &[&[0x80, 8, 0, n as u8][..], &[0; 300]].concat(), n),
    },
    Kind { name: "sip: headers", frame: |n| udp(5060, 5060, &head("INVITE sip:a SIP/2.0", n), n) },
    Kind { name: "http: headers", frame: |n| tcp(80, 50_000, &head("HTTP/1.1 200 OK", n), n) },
    Kind { name: "http: credentials", frame: |n| tcp(80, 50_000, &challenges(n), n) },
    Kind {
        name: "http: page",
        frame: |n| {
            tcp(
                80,
                50_000,
                &[
                    &b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"[..],
                    &filled(|_| b"<titl ".to_vec()),
                ]
                .concat(),
                n,
            )
        },
    },
    Kind { name: "upnp: tags", frame: |n| tcp(80, 50_000, &upnp(n), n) },
    Kind { name: "rtsp: headers", frame: |n| tcp(554, 50_000, &head("RTSP/1.0 200 OK", n), n) },
    Kind {
        name: "tls: ciphers",
        frame: |n| {
            tcp(
                50_000,
                443,
                &client_hello(
                    &filled(|i| ((i as u32).wrapping_mul(7).wrapping_add(n) as u16).to_be_bytes().to_vec()),
                    &[],
                ),
                n,
            )
        },
    },
    Kind {
        name: "tls: extensions",
        frame: |n| {
            tcp(
                50_000,
                443,
                &client_hello(
                    &[0x13, 1],
                    &filled(|i| [(i as u32 * 31 + n) as u16, 0].map(u16::to_be_bytes).concat()),
                ),
                n,
            )
        },
    },
    Kind { name: "tls: protocols", frame: |n| tcp(50_000, 443, &client_hello(&[0x13, 1], &alpn(n)), n) },
    Kind { name: "ldap: attributes", frame: |n| udp(389, 50_000, &ldap(n), n) },
    Kind { name: "kerberos: names", frame: |n| tcp(50_000, 88, &kerberos(n), n) },
    Kind { name: "smb: dialects", frame: |n| tcp(445, 50_000, &smb(n), n) },
    Kind { name: "mqtt: topics", frame: |n| tcp(50_000, 1883, &mqtt(n), n) },
    Kind { name: "ipp: attributes", frame: |n| tcp(631, 50_000, &ipp(n), n) },
    Kind {
        name: "syslog: marks",
        frame: |n| udp(514, 514, &[&b"<1>"[..], &filled(|_| b"%A-A-".to_vec())].concat(), n),
    },
    Kind { name: "radius: attributes", frame: |n| udp(50_000, 1812, &radius(n), n) },
    Kind {
        name: "mndp: TLVs",
        frame: |n| udp(5678, 5678, &[&[0, 0, 0, n as u8][..], &filled(|i| mndp_tlv(n, i))].concat(), n),
    },
    Kind { name: "ubnt: TLVs", frame: |n| udp(10_001, 50_000, &ubnt(n), n) },
    Kind { name: "bacnet: parts", frame: |n| udp(47_808, 47_808, &bacnet(n), n) },
    Kind { name: "enip: items", frame: |n| udp(44_818, 50_000, &enip(n), n) },
    Kind { name: "dicom: items", frame: |n| tcp(104, 50_000, &dicom(n), n) },
    Kind {
        name: "telnet: lines",
        frame: |n| tcp(23, 50_000, &filled(|i| format!("\r\n{}", text(n, i, 2)).into_bytes()), n),
    },
    Kind {
        name: "ftp: lines",
        frame: |n| tcp(21, 50_000, &filled(|i| format!("220-{}\r\n", text(n, i, 2)).into_bytes()), n),
    },
    Kind {
        name: "smtp: greeting",
        frame: |n| {
            tcp(
                25,
                50_000,
                &[
                    &b"220 "[..],
                    &filled(|_| b"smt tl go ahea Mon,".to_vec()),
                    text(n, 0, 9).as_bytes(),
                    b"\r\n",
                ]
                .concat(),
                n,
            )
        },
    },
    Kind {
        name: "sadp: tags",
        frame: |n| {
            udp(
                37_020,
                50_000,
                &[
                    &b"<?xml <ProbeMatch>"[..],
                    &filled(|_| b"<DeviceDescriptio ".to_vec()),
                    text(n, 0, 9).as_bytes(),
                ]
                .concat(),
                n,
            )
        },
    },
    Kind {
        name: "json",
        frame: |n| {
            udp(
                17_500,
                17_500,
                &[&b"{"[..], &filled(|i| format!("\"{}\":[1],", text(n, i, 5)).into_bytes()), b"\"a\":1}"]
                    .concat(),
                n,
            )
        },
    },
    Kind {
        name: "nsdp: parts",
        frame: |n| {
            udp(
                63_322,
                50_000,
                &[
                    &[1, 2][..],
                    &[0; 22],
                    b"NSDP",
                    &[0; 4],
                    &filled_to(1_300, |i| {
                        [&[0, [1, 3, 13][i % 3], 0, 6][..], text(n, i, 6).as_bytes()].concat()
                    }),
                ]
                .concat(),
                n,
            )
        },
    },
    Kind { name: "opc ua: texts", frame: |n| tcp(4840, 50_000, &opcua(n), n) },
    Kind { name: "mssql: pairs", frame: |n| udp(1434, 50_000, &mssql(n), n) },
    Kind { name: "nd: prefixes", frame: router_advertisement },
    Kind { name: "fragment: new datagrams", frame: |n| fragment(n, 0, true, &[0x5a; 1_400]) },
    Kind { name: "fragment: parts", frame: |n| fragment(n / 64, 8 * (63 - n % 64), n % 64 != 0, &[0x5a; 8]) },
    Kind { name: "vxlan: nested", frame: nested },
    Kind { name: "new addresses", frame: |n| packet(17, &[0; 8], n.wrapping_mul(0x9e37_79b9)) },
];

/// `more` again and again, numbered, as often as it fits.
fn filled(more: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    filled_to(ROOM - 60, more)
}

fn filled_to(room: usize, more: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0.. {
        let part = more(i);
        if out.len() + part.len() > room {
            break;
        }
        out.extend(part);
    }
    out
}

/// Text of that length. The later, the smaller, so that a set of evidence that keeps the smallest values takes each.
fn text(n: u32, i: usize, length: usize) -> String {
    let number = u64::from(u32::MAX) - u64::from(n) * 160 - i as u64;
    let (mut digits, mut rest) = (String::new(), number);
    // Base 32 fits more numbers into few characters.
    for _ in 0..length.min(7) {
        digits.insert(0, char::from_digit((rest % 32) as u32, 32).unwrap_or('0'));
        rest /= 32;
    }
    while digits.len() < length {
        digits.push(char::from(b'a' + (digits.len() % 26) as u8));
    }
    digits.truncate(length);
    digits
}

fn ethernet(to: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &STATION, &kind.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

fn packet(protocol: u8, payload: &[u8], source: u32) -> Vec<u8> {
    let length = 20 + payload.len() as u16;
    let [a, b] = length.to_be_bytes();
    let head = [0x45, 0, a, b, 0, 1, 0, 0, 64, protocol, 0, 0];
    let source = if source < 1 << 16 { Ipv4Addr::new(10, 9, 0, 1) } else { Ipv4Addr::from(source) };
    let packet = [&head[..], &source.octets(), &[10, 9, 0, 2], payload].concat();
    ethernet([0x00, 0x1b, 0x54, 0, 0, 2], 0x0800, &packet)
}

fn udp(from: u16, to: u16, payload: &[u8], _: u32) -> Vec<u8> {
    packet(17, &datagram(from, to, payload), 0)
}

fn datagram(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let ports = [from, to, 8 + payload.len() as u16, 0].map(u16::to_be_bytes).concat();
    [&ports[..], payload].concat()
}

fn tcp(from: u16, to: u16, payload: &[u8], _: u32) -> Vec<u8> {
    let ports = [from, to].map(u16::to_be_bytes).concat();
    packet(
        6,
        &[&ports[..], &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0], payload].concat(),
        0,
    )
}

fn mdns(message: &[u8]) -> Vec<u8> {
    let payload = datagram(5353, 5353, message);
    let length = 20 + payload.len() as u16;
    let [a, b] = length.to_be_bytes();
    let head = [0x45, 0, a, b, 0, 1, 0, 0, 255, 17, 0, 0, 10, 9, 0, 1, 224, 0, 0, 251];
    ethernet(GROUP, 0x0800, &[&head[..], &payload].concat())
}

fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let body = [&[0, 1, 8, 0, 6, 4, 0, operation][..], &STATION, &sender, &[0; 6], &target].concat();
    ethernet([0xff; 6], 0x0806, &body)
}

/// Questions of ever new hosts for others of their /20, which nobody answers.
fn arp_question(n: u32) -> Vec<u8> {
    let base = 0x0a40_0000 + (n >> 10 << 12);
    arp(1, (base + 1 + (n & 31)).to_be_bytes(), (base + 0x800 + (n >> 5 & 31)).to_be_bytes())
}

/// A question and its answer, again and again, in ever new prefixes.
fn arp_exchange(n: u32) -> Vec<u8> {
    let base = 0x0a40_0000 + n / 2 * 4;
    let (a, b) = ((base + 1).to_be_bytes(), (base + 2).to_be_bytes());
    if n.is_multiple_of(2) { arp(1, a, b) } else { arp(2, b, a) }
}

fn label(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

/// A response with as many records as `record` makes of their numbers until it is full.
fn response(start: &[u8], record: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut count = 0_u16;
    let records = filled_to(ROOM - 12 - start.len(), &record);
    let mut at = 0;
    while at < records.len() {
        at += record(usize::from(count)).len();
        count += 1;
    }
    let first = u16::from(!start.is_empty());
    [&[0, 0, 0x84, 0, 0, 0][..], &(count + first).to_be_bytes(), &[0, 0, 0, 0], start, &records].concat()
}

fn resource(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    [owner, &[0, kind, 0x80, 1, 0, 0, 0, 9], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// A name of 118 labels, to which all records point from owner and data.
fn pointed_labels(n: u32) -> Vec<u8> {
    let name: Vec<u8> = (0..118).flat_map(|i| [1, b'a' + ((n as usize + i) % 26) as u8]).chain([0]).collect();
    let start = resource(&name, 1, &[10, 9, 0, 1]);
    response(&start, |_| resource(&[0xc0, 12], 12, &[0xc0, 12]))
}

fn texts(n: u32) -> Vec<u8> {
    let owner = [label("a"), label("_ipp"), label("_tcp"), label("local"), vec![0]].concat();
    let start = resource(&owner, 16, b"\x03a=b");
    response(&start, |i| {
        let entries: Vec<u8> =
            (0..12).flat_map(|k| label(&format!("k={}", text(n, i * 12 + k, 6)))).collect();
        resource(&[0xc0, 12], 16, &entries)
    })
}

fn hosts(n: u32) -> Vec<u8> {
    let start = resource(&[label("a"), label("local"), vec![0]].concat(), 1, &[10, 9, 0, 1]);
    response(&start, |i| {
        resource(&[label(&text(n, i, 5)), vec![0xc0, 14]].concat(), 1, &[10, 9, (i >> 8) as u8, i as u8])
    })
}

fn services(n: u32) -> Vec<u8> {
    let start = resource(
        &[label("a"), label("_ipp"), label("_tcp"), label("local"), vec![0]].concat(),
        12,
        &[0xc0, 12],
    );
    response(&start, |i| {
        let instance = [label(&text(n, i, 5)), vec![0xc0, 14]].concat();
        resource(&[0xc0, 14], 12, &instance)
    })
}

fn dns_question(n: u32) -> Vec<u8> {
    let name: Vec<u8> = (0..120).flat_map(|i| [1, b'a' + ((n as usize + i) % 26) as u8]).chain([0]).collect();
    [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &name, &[0, 1, 0, 1]].concat()
}

fn nbns(n: u32) -> Vec<u8> {
    let owner: Vec<u8> = [32].into_iter().chain(std::iter::repeat_n(b'C', 32)).chain([0]).collect();
    let names: Vec<u8> =
        (0..60).flat_map(|i| [format!("{:<15}", text(n, i, 8)).as_bytes(), &[0, 4, 0]].concat()).collect();
    let data = [&[60][..], &names].concat();
    let head = [0, 1, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    [&head[..], &owner, &[0, 0x21, 0, 1, 0, 0, 0, 0], &(data.len() as u16).to_be_bytes(), &data].concat()
}

fn lldp(more: &[u8]) -> Vec<u8> {
    let head =
        [lldp_tlv(1, &[4, 0, 0x1b, 0x54, 0, 0, 1]), lldp_tlv(2, b"\x051"), lldp_tlv(3, &[0, 120])].concat();
    ethernet([0x01, 0x80, 0xc2, 0, 0, 0x0e], 0x88cc, &[&head[..], more].concat())
}

fn lldp_tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat()
}

fn lldp_addresses(n: u32) -> Vec<u8> {
    let addresses: Vec<u8> = (0..16)
        .flat_map(|i| {
            let [_, _, c, d] = (n * 16 + i).to_be_bytes();
            lldp_tlv(8, &[5, 1, 10, 9, c, d, 2, 0, 0, 0, 1, 0])
        })
        .collect();
    let names = filled_to(1_100, |i| lldp_tlv(5, text(n, i, 6).as_bytes()));
    lldp(&[addresses, names].concat())
}

fn cdp(more: &[u8]) -> Vec<u8> {
    let body = [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2, 180, 0, 0][..], more].concat();
    ethernet([0x01, 0, 0x0c, 0xcc, 0xcc, 0xcc], body.len() as u16, &body)
}

fn cdp_tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes(), (4 + value.len() as u16).to_be_bytes()]
        .concat()
        .into_iter()
        .chain(value.iter().copied())
        .collect()
}

fn cdp_addresses(n: u32) -> Vec<u8> {
    let list: Vec<u8> = (0..16_u32)
        .flat_map(|i| {
            let [_, _, c, d] = (n * 16 + i).to_be_bytes();
            [1, 1, 0xcc, 0, 4, 10, 9, c, d]
        })
        .collect();
    let addresses = cdp_tlv(2, &[&16_u32.to_be_bytes()[..], &list].concat());
    let names = filled_to(600, |i| cdp_tlv(6, text(n, i, 6).as_bytes()));
    cdp(&[addresses.clone(), addresses.clone(), addresses, names].concat())
}

fn dhcp(options: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 0, 0, 0, 1];
    message.resize(28, 0);
    message.extend(STATION);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 3]);
    message.extend(options.get(..ROOM - 300).unwrap_or(options));
    udp(68, 67, &message, 0)
}

fn dhcp6_option(n: u32, i: usize) -> Vec<u8> {
    let value = text(n, i, 6);
    [&[0, [16, 39, 1, 6][i % 4], 0, 14, 0, 0, 1, 1, 0, 6][..], value.as_bytes(), &[0, 1]].concat()
}

fn ber(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, 0x82][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn snmp(n: u32, whole: bool) -> Vec<u8> {
    let binds = filled_to(ROOM - 90, |i| {
        let name = [&[6, 8, 0x2b, 6, 1, 2, 1, 1][..], &[[1, 5][i % 2], 0], &[4, 6], text(n, i, 6).as_bytes()]
            .concat();
        [&[0x30, name.len() as u8][..], &name].concat()
    });
    let binds = if whole { ber(0x30, &binds) } else { ber(0x30, &[binds, vec![0x30, 9]].concat()) };
    let pdu = ber(0xa2, &[&[2, 1, 1, 2, 1, 0, 2, 1, 0][..], &binds].concat());
    ber(0x30, &[&[2, 1, 1, 4, 6][..], b"public", &pdu].concat())
}

fn head(start: &str, n: u32) -> Vec<u8> {
    let names = ["Server", "User-Agent", "NT", "USN", "Location", "ST", "X", "Via"];
    let lines = filled(|i| format!("{}: {}\r\n", names[i % 7], text(n, i, 8)).into_bytes());
    [start.as_bytes(), b"\r\n", &lines, b"\r\n"].concat()
}

fn challenges(n: u32) -> Vec<u8> {
    let lines = filled(|i| format!("WWW-Authenticate: NTLM {}\r\n", text(n, i, 8)).into_bytes());
    [&b"HTTP/1.1 401 No\r\n"[..], &lines, b"\r\n"].concat()
}

fn wsd(n: u32) -> Vec<u8> {
    let items = filled(|i| format!("{} ", text(n, i, 5)).into_bytes());
    [&b"<Hello><XAddrs>http://10.9.0.3/</XAddrs><Types>"[..], &items, b"</Types><a>"].concat()
}

fn upnp(n: u32) -> Vec<u8> {
    let tags = filled_to(ROOM - 120, |i| format!("<modelName>{}", text(n, i, 5)).into_bytes());
    [&b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<root><device>"[..], &tags, b"<a>"].concat()
}

fn client_hello(ciphers: &[u8], extensions: &[u8]) -> Vec<u8> {
    let ciphers = ciphers.get(..ciphers.len().min(1_300) & !1).unwrap_or(ciphers);
    let extensions = extensions.get(..extensions.len().min(1_300)).unwrap_or(extensions);
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &(ciphers.len() as u16).to_be_bytes(),
        ciphers,
        &[1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        extensions,
    ]
    .concat();
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    let message = [&[1, a, b, c][..], &body].concat();
    [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}

fn alpn(n: u32) -> Vec<u8> {
    let list = filled_to(1_200, |i| label(&text(n, i, 8)));
    let length = list.len() as u16;
    [&[16, length + 2, length].map(u16::to_be_bytes).concat()[..], &list].concat()
}

/// An Initial packet whose keys do not open it: the sensor must try.
fn quic(n: u32) -> Vec<u8> {
    let head = [0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4];
    let rest = [&n.to_be_bytes()[..], &[0, 0, 0x44, 0xb0]].concat();
    let mut out = [&head[..], &rest].concat();
    out.resize(1_250, 0x5a);
    out
}

fn ldap(n: u32) -> Vec<u8> {
    let attributes = filled_to(ROOM - 90, |i| {
        let name = [b"dnsHostName".as_slice(), b"defaultNamingContext", b"vendorName"][i % 3];
        let value = text(n, i, 8);
        let values = [&[0x31, 10, 4, 8][..], value.as_bytes()].concat();
        let body = [&[4, name.len() as u8][..], name, &values].concat();
        [&[0x30, body.len() as u8][..], &body].concat()
    });
    ber(0x30, &[&[2, 1, 7][..], &ber(0x64, &[&[4, 0][..], &ber(0x30, &attributes)].concat())].concat())
}

fn kerberos(n: u32) -> Vec<u8> {
    let names = filled_to(900, |i| [&[0x1b, 6][..], text(n, i, 6).as_bytes()].concat());
    let body = ber(
        0x30,
        &[
            ber(0xa1, &ber(0x30, &[&[0xa0, 3, 2, 1, 1][..], &ber(0xa1, &ber(0x30, &names))].concat())),
            ber(0xa2, &[0x1b, 1, b'R']),
        ]
        .concat(),
    );
    let message =
        ber(0x6a, &ber(0x30, &[&[0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10][..], &ber(0xa4, &body)].concat()));
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

fn smb(n: u32) -> Vec<u8> {
    let dialects = filled(|i| format!("\x02{}\0", text(n, i, 4)).into_bytes());
    let message =
        [&b"\xffSMB\x72"[..], &[0; 27], &[0], &(dialects.len() as u16).to_le_bytes(), &dialects].concat();
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

fn mqtt(n: u32) -> Vec<u8> {
    filled(|i| {
        let topic = text(n, i, 5);
        [&[0x82, 10, 0, 1, 0, 5][..], topic.as_bytes(), &[1]].concat()
    })
}

fn ipp(n: u32) -> Vec<u8> {
    let attributes = filled_to(1_200, |i| {
        let name = [b"printer-make-and-model".as_slice(), b"printer-name", b"printer-info"][i % 3];
        let value = text(n, i, 5);
        [&[0x41][..], &(name.len() as u16).to_be_bytes(), name, &[0, 5], value.as_bytes()].concat()
    });
    [
        &b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n\r\n\x02\0\0\0\0\0\0\x01\x04"[..],
        &attributes,
        b"\x03",
    ]
    .concat()
}

fn radius(n: u32) -> Vec<u8> {
    let attributes = filled(|i| [&[[32, 4, 30, 31][i % 4], 8][..], text(n, i, 6).as_bytes()].concat());
    [&[1, 1][..], &(20 + attributes.len() as u16).to_be_bytes(), &[0; 16], &attributes].concat()
}

fn mndp_tlv(n: u32, i: usize) -> Vec<u8> {
    [&[0, [5, 7, 8, 11, 12][i % 5], 0, 6][..], text(n, i, 6).as_bytes()].concat()
}

fn ubnt(n: u32) -> Vec<u8> {
    let parts = filled(|i| [&[[0x0b, 0x0c, 0x03, 0x14][i % 4], 0, 6][..], text(n, i, 6).as_bytes()].concat());
    [&[1, 0][..], &(parts.len() as u16).to_be_bytes(), &parts].concat()
}

fn bacnet(n: u32) -> Vec<u8> {
    let parts = filled(|i| [&[0x29, 77, 0x4e, 0x75, 7, 0][..], text(n, i, 6).as_bytes(), &[0x4f]].concat());
    let apdu = [&[1, 0, 0x30, 1, 0x0e, 0x0c, 2, 0, 0, 7, 0x1e][..], &parts, &[0x1f]].concat();
    [&[0x81, 0x0a][..], &(4 + apdu.len() as u16).to_be_bytes(), &apdu].concat()
}

fn enip(n: u32) -> Vec<u8> {
    let items = filled(|i| {
        let name = text(n, i, 12);
        let body = [
            &[1, 0][..],
            &[0; 16],
            &[1, 0, 14, 0, 54, 0, 20, 11, 0x60, 0, 1, 2, 3, 4, 12],
            name.as_bytes(),
            &[3],
        ]
        .concat();
        [&[0x0c, 0][..], &(body.len() as u16).to_le_bytes(), &body].concat()
    });
    [&[0x63, 0][..], &(items.len() as u16 + 2).to_le_bytes(), &[0; 20], &[26, 0], &items].concat()
}

fn dicom(n: u32) -> Vec<u8> {
    let items = filled_to(1_200, |i| {
        [&[0x20, 0, 0, 18, 1, 0, 0, 0, 0x30, 0, 0, 10][..], text(n, i, 10).as_bytes()].concat()
    });
    let titles = format!("{:<16}{:<16}", text(n, 1, 9), text(n, 2, 9));
    let body = [&[0, 1, 0, 0][..], titles.as_bytes(), &[0; 32], &items].concat();
    [&[1, 0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

fn mssql(n: u32) -> Vec<u8> {
    let pairs = filled(|i| format!("InstanceName;{};", text(n, i, 5)).into_bytes());
    [&[5][..], &(pairs.len() as u16).to_le_bytes(), &pairs].concat()
}

fn opcua(n: u32) -> Vec<u8> {
    let texts = filled(|i| [&6_u32.to_le_bytes()[..], text(n, i, 6).as_bytes()].concat());
    [&b"MSGF\0\x05\0\0"[..], &[0; 16], &[1, 0, 0xaf, 1], &[0; 20], &texts].concat()
}

fn router_advertisement(n: u32) -> Vec<u8> {
    let options: Vec<u8> = (0..32_u32)
        .flat_map(|i| {
            let [a, b, c, d] = (n * 32 + i).to_be_bytes();
            let prefix = [0x20, 1, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            [&[3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &prefix].concat()
        })
        .collect();
    let body = [&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], &options].concat();
    let mut source = [0; 16];
    source[..2].copy_from_slice(&[0xfe, 0x80]);
    source[15] = 1;
    let mut all = [0; 16];
    all[..2].copy_from_slice(&[0xff, 2]);
    all[15] = 1;
    let head = [&[0x60, 0, 0, 0][..], &(body.len() as u16).to_be_bytes(), &[58, 255], &source, &all].concat();
    ethernet([0x33, 0x33, 0, 0, 0, 1], 0x86dd, &[head, body].concat())
}

fn fragment(id: u32, offset: u32, more: bool, body: &[u8]) -> Vec<u8> {
    let length = (20 + body.len() as u16).to_be_bytes();
    let [_, _, i, j] = id.to_be_bytes();
    let [a, b] = ((offset / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], i, j, a, b, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2];
    ethernet([0x00, 0x1b, 0x54, 0, 0, 2], 0x0800, &[&head[..], body].concat())
}

fn nested(n: u32) -> Vec<u8> {
    (0..7).fold(udp(161, 50_000, snmp(n, true).get(..800).unwrap_or_default(), n), |inner, _| {
        udp(50_000, 4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &inner].concat(), n)
    })
}
