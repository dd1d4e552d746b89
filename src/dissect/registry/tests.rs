//! The rows fit the layers and the files, and dispatch follows them.

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::dissect::PROTOCOLS;
use crate::dissect::link::Link;
use crate::dissect::network::{Packet, Part};
use crate::dissect::protocol;
use crate::dissect::testing::said;

/// Notes which functions dispatch leads to, and calls none.
#[derive(Default)]
struct Reached(BTreeSet<(&'static str, &'static str)>);

impl Route for Reached {
    fn take<D>(&mut self, name: &'static str, _dissect: D, _payload: &Payload<'_>) -> Result<(), Malformed>
    where
        D: Fn(&Payload<'_>, &mut Words<'_>) -> Result<(), Malformed>,
    {
        self.0.insert((name, type_name::<D>().rsplit("::").next().unwrap()));
        Ok(())
    }
}

/// Beginnings that lead to what a start or a recogniser tells.
const PROBES: &[&[u8]] = &[
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"SIP/2.0 200 OK\r\n",
    b"SSH-2.0-x\r\n",
    b"TNBU",
    b"<?xml",
    b"MSGF",
    b"\x0bMSH|",
    b"\xff\xff\xff\xff",
    b"\x12\x34\x56\x78SYNO",
    &[0x80; 13],
    &[5, 0, 0x0b, 3],
    &[5, 0x64, 5, 0xc0],
    &[0x16, 3, 1, 0],
    &[0x10, 60, 0, 4],
    &[1, 0, 0, 0],
];

/// A client's first packet of QUIC, as far as its recogniser looks.
fn initial() -> Vec<u8> {
    let mut packet = vec![0xc0, 0, 0, 0, 1];
    packet.resize(1200, 0);
    packet
}

fn reached(layer: Layer, key: Key, bytes: &[u8]) -> Reached {
    let mut to = Reached::default();
    let payload = Payload::new(bytes);
    let link = Link::default();
    let v4 = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::BROADCAST)];
    let host = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let v6 = [host, host];
    let packets = [v4, v6].map(|[source, destination]| Packet {
        link: &link,
        source,
        destination,
        ttl: 255,
        part: Part::Whole,
        bytes,
    });
    let is_tcp = matches!(layer, Layer::Tcp | Layer::IndustryTcp | Layer::MakerTcp);
    let pairs = match key {
        Key::EtherType(kind) => return protocol::over_ethernet(kind, payload, &mut to).map(|()| to).unwrap(),
        Key::Llc(sap) => return protocol::over_llc(sap, payload, &mut to).map(|()| to).unwrap(),
        Key::Snap(organisation, kind) => {
            return protocol::over_snap((organisation, kind), payload, &mut to).map(|()| to).unwrap();
        }
        Key::Number(number) => {
            packets.iter().for_each(|p| protocol::over_ip(number, p, payload, &mut to).unwrap());
            return to;
        }
        Key::To(port) if layer == Layer::Group => {
            for packet in &packets {
                assert_ne!(protocol::to_group(packet, payload.between(0, port), &mut to), Some(Err(BROKEN)));
            }
            return to;
        }
        Key::From(port) => vec![(port, 49_152)],
        Key::To(port) => vec![(49_152, port)],
        Key::Pattern(_) => vec![(49_152, 50_000), (22, 50_000), (50_000, 8080), (50_000, 179)],
    };
    for (from, destination) in pairs {
        let payload = payload.between(from, destination);
        let ended =
            if is_tcp { protocol::stream(payload, &mut to) } else { protocol::datagram(payload, &mut to) };
        ended.unwrap();
    }
    to
}

proptest! {
    /// What the fast path passes over because of a way's question would say nothing either.
    #[test]
    fn what_may_not_speak_says_nothing(
        start in vec(prop_oneof![Just(0_u8), Just(3), Just(0x30), Just(0x68), Just(0x80), any::<u8>()], 0..12),
        rest in vec(any::<u8>(), 0..64),
    ) {
        let bytes = [start, rest].concat();
        let mut asked = 0;
        for way in PROTOCOLS.iter().flat_map(|protocol| protocol.ways) {
            let Some(may_speak) = way.may_speak else { continue };
            asked += 1;
            // A datagram that no port took would be asked what it begins with.
            prop_assert!(matches!(way.layer, Layer::Udp | Layer::Tcp | Layer::IndustryTcp));
            for side in [Side::Client, Side::Server] {
                if !may_speak(&bytes) {
                    let payload = Payload::new(&bytes).on(side);
                    prop_assert_eq!(said(|words| (way.dissect)(&payload, words)), (vec![], Ok(())), "{}", way.function);
                }
            }
        }
        prop_assert!(asked > 8);
    }
}

const BROKEN: Malformed = Malformed::new("test", "broken");

#[test]
fn every_way_leads_to_its_function() {
    let initial = initial();
    let probes = || PROBES.iter().copied().chain([&initial[..], b"abcd"]);
    for protocol in PROTOCOLS {
        for way in protocol.ways {
            for key in way.keys {
                let hit = (protocol.name, way.function);
                let found = probes().any(|bytes| reached(way.layer, *key, bytes).0.contains(&hit));
                assert!(found, "{hit:?}: {:?} {key:?}", way.layer);
            }
            assert_eq!(way.keys.is_empty(), way.layer == Layer::Inner, "{}", protocol.name);
        }
    }
}

#[test]
fn no_number_stands_twice_in_a_layer() {
    // Two makers each chose the same port; the messages tell them apart.
    let shared = [(Key::From(9999), ["kasa", "synology"]), (Key::From(48899), ["ads", "hiflying"])];
    let mut takers: BTreeMap<(Layer, Key), BTreeSet<&str>> = BTreeMap::new();
    for protocol in PROTOCOLS {
        for way in protocol.ways {
            let layer = match way.layer {
                Layer::Group | Layer::IndustryUdp | Layer::MakerUdp => Layer::Udp,
                Layer::IndustryTcp | Layer::MakerTcp => Layer::Tcp,
                other => other,
            };
            for key in way.keys {
                takers.entry((layer, *key)).or_default().insert(protocol.name);
            }
        }
    }
    let twice = takers.iter().filter(|(_, names)| names.len() > 1);
    let twice: Vec<_> = twice.map(|((_, key), names)| (*key, names.iter().copied().collect())).collect();
    assert_eq!(twice, shared.map(|(key, names)| (key, names.to_vec())));
    // DHCP and tunnels, which the layers ask before any row.
    for port in [67, 68, 1701, 4789, 4790, 5247, 6081, 8472, 37008] {
        for key in [Key::From(port), Key::To(port)] {
            assert!(!takers.contains_key(&(Layer::Udp, key)), "{port}");
        }
    }
}

#[test]
fn every_module_has_a_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dissect/protocol");
    let mut modules = BTreeSet::new();
    for folder in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() && !folder.ends_with("form") {
            for file in folder.read_dir().unwrap() {
                modules.insert(file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let rows: BTreeSet<String> = PROTOCOLS.iter().map(|p| p.name.to_owned()).collect();
    assert_eq!(rows, modules);
    assert_eq!(rows.len(), PROTOCOLS.len());
}

#[test]
fn a_stream_is_told_by_its_first_line() {
    let of = |bytes: &[u8], from, to| said(|w| protocol::stream(Payload::new(bytes).between(from, to), w)).0;
    assert_eq!(of(b"GET / HTTP/1.0\r\nUser-Agent: a\r\n\r\n", 40000, 81), ["http.user_agent=a"]);
    assert_eq!(of(b"OPTIONS sip:a SIP/2.0\r\nUser-Agent: a\r\n\r\n", 5062, 5060), ["sip.user_agent=a"]);
    assert_eq!(of(b"RTSP/1.0 200 OK\r\nServer: a\r\n\r\n", 554, 40000), ["rtsp.server=a"]);
    assert_eq!(of(b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n", 80, 40000), ["http.server=a"]);
    assert!(of(b"HTTPS is not a version\r\n", 80, 40000).is_empty());
    assert!(of(&[0x16; 1400], 443, 40000).is_empty());
    assert!(of(b"", 80, 40000).is_empty());
}

#[test]
fn only_the_server_of_ssh_is_named() {
    let of =
        |from, to| said(|w| protocol::stream(Payload::new(b"SSH-2.0-x\r\n").between(from, to), w)).0.len();
    assert_eq!((of(22, 40000), of(2222, 40000), of(40000, 22), of(40000, 2222)), (1, 1, 0, 0));
    assert_eq!(of(10, 22), 0);
}

#[test]
fn a_datagram_is_told_by_its_port() {
    let of = |bytes: &[u8], from, to| said(|w| protocol::datagram(Payload::new(bytes).between(from, to), w));
    let answer = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n";
    assert_eq!(of(answer, 49152, 50000).0, ["ssdp.nt=upnp:rootdevice"]);
    assert_eq!(of(b"anything", 40000, 443), (vec![], Ok(())));
    for (from, to) in [(5353, 5353), (5355, 50000), (137, 137), (161, 50000), (47808, 47808)] {
        assert!(of(b"anything", from, to).1.is_err(), "{from}");
    }
}

#[test]
fn the_earlier_row_wins_and_the_port_tells_the_side() {
    let of = |bytes: &[u8], from, to| {
        let mut reached = Reached::default();
        protocol::datagram(Payload::new(bytes).between(from, to), &mut reached).unwrap();
        reached.0.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(of(b"", 5353, 137), ["mdns"]);
    assert_eq!(of(b"", 123, 53), ["dns"]);
    assert_eq!(of(b"HTTP/1.1 200 OK", 1982, 50000), ["yeelight"]);
    assert_eq!(of(b"", 48899, 48899), ["ads", "hiflying"]);
    let start = [0x68, 4, 7, 0, 0, 0];
    let of = |bytes: &[u8], from, to| said(|w| protocol::stream(Payload::new(bytes).between(from, to), w)).0;
    assert_eq!(of(&start, 49152, 2404), ["ot.role=iec104:client"]);
    assert!(of(&start, 2404, 49152).is_empty() && of(&start, 49152, 443).is_empty());
    let io = [2, 0, 2, 0x80, 8, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0xb1, 0, 1, 0, 5];
    let datagram = |from, to| said(|w| protocol::datagram(Payload::new(&io).between(from, to), w)).0;
    assert_eq!(datagram(2222, 2222), ["ot.role=enip:io"]);
    assert!(datagram(49152, 443).is_empty());
}

#[test]
fn without_a_port_of_the_protocol_the_server_has_the_lower_one() {
    let side = |from, to| Payload::new(b"").between(from, to).side;
    assert_eq!(
        (side(443, 50_000), side(50_000, 443), side(443, 443)),
        (Side::Server, Side::Client, Side::Client)
    );
    // A certificate that is not preceded by a hello counts from the server alone.
    let certificate = [0x16, 3, 3, 0, 12, 11, 0, 0, 8, 0, 0, 5, 0, 0, 2, 0x30, 0x80];
    let ended = |from, to| said(|w| protocol::stream(Payload::new(&certificate).between(from, to), w)).1;
    assert!(ended(8443, 50_000).is_err() && ended(50_000, 8443).is_ok());
}

#[test]
fn what_begins_unmistakably_is_found_on_any_port() {
    let of = |bytes: &[u8]| said(|w| protocol::stream(Payload::new(bytes).between(49152, 12345), w)).0;
    assert_eq!(of(&[5, 0x64, 5, 0xc0, 1, 0, 0, 4, 0xe9, 0x21]), ["ot.role=dnp3:client"]);
    assert_eq!(of(b"\x0bMSH|^~\\&|LAB|"), ["hl7.application=LAB"]);
    assert!(of(b"HELO example.com\r\n").is_empty());
    assert!(of(&[1, 0, 0, 0, 0, 0]).is_empty());
}

#[test]
fn a_frame_is_told_by_its_type() {
    let of = |ethertype, body: &[u8]| said(|w| protocol::over_ethernet(ethertype, Payload::new(body), w)).0;
    let cyclic = [&[0x80, 1][..], &[0; 40]].concat();
    assert_eq!(of(0x8892, &cyclic), ["ot.role=profinet:sender"]);
    assert_eq!(of(0x88ab, &[1, 255, 240]), ["ot.role=powerlink:client"]);
    assert!(of(0x0800, &cyclic).is_empty());
}

#[test]
fn other_traffic_on_a_makers_port_says_nothing() {
    let ways = PROTOCOLS.iter().flat_map(|p| p.ways);
    let keys = ways.filter(|way| way.layer == Layer::MakerUdp).flat_map(|way| way.keys);
    let ports = keys.filter_map(|key| match key {
        Key::From(port) | Key::To(port) => Some(*port),
        _ => None,
    });
    let junk: Vec<u8> = (0..200u8).map(|n| n.wrapping_mul(37).wrapping_add(11)).collect();
    let of =
        |bytes: &[u8], from, to| said(|w| protocol::datagram(Payload::new(bytes).between(from, to), w)).0;
    for port in ports.chain([1982]) {
        for bytes in [&junk[..], b"{\"a\":1}", b"{}", b"hello, world", &[0; 64], &[0xff; 64], b""] {
            assert!(of(bytes, port, 50_000).is_empty(), "from {port}: {bytes:?}");
            assert!(of(bytes, 50_000, port).is_empty(), "to {port}: {bytes:?}");
        }
    }
}
