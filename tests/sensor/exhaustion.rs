//! Attacks that want all of the sensor's memory or time, against the bounds that it states.

use std::path::Path;

use netcensus::capture::file;
use netcensus::census::{CouplingKey, MacAddr, Sign, Timestamp};
use netcensus::dissect::{Frame, LinkType};
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::pipeline::worker::{Counters, Worker};

const MINE: MacAddr = MacAddr([0x02, 0, 0, 0, 0xaa, 1]);

fn ethernet(source: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &source.0, &kind.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// An ARP request from `source` with the address `ip`.
fn arp(source: MacAddr, ip: [u8; 4]) -> Vec<u8> {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &source.0, &ip, &[0; 6], &[10, 0, 0, 1]].concat();
    ethernet(source, 0x0806, &body)
}

fn ipv4(protocol: u8, fragment: u16, id: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let ([f, g], [i, j]) = (fragment.to_be_bytes(), id.to_be_bytes());
    let head = [0x45, 0, length[0], length[1], i, j, f, g, 255, protocol, 0, 0, 10, 0, 0, 9, 224, 0, 0, 251];
    [&head[..], payload].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let (port, length) = (port.to_be_bytes(), u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    ipv4(17, 0, 7, &[&port[..], &port, &length, &[0, 0], payload].concat())
}

/// Feeds frames, a millisecond apart.
fn feed(table: &Table, frames: impl IntoIterator<Item = Vec<u8>>) -> Counters {
    let (mut worker, mut at) = (Worker::new(table), 0);
    for data in frames {
        at += 1_000_000;
        let length = u32::try_from(data.len()).unwrap();
        worker.frame(&Frame { at: Timestamp(at), link: LinkType::Ethernet, data: &data, length });
    }
    let (counters, _) = worker.finish();
    assert_eq!(counters.panics, 0);
    counters
}

/// How many values of evidence the table holds of [`MINE`].
fn said(table: &Table) -> usize {
    let zone = table.snapshot();
    zone.couplings
        .values()
        .map(|c| c.evidence.len())
        .chain(zone.stations.values().map(|s| s.evidence.len()))
        .max()
        .unwrap_or(0)
}

#[test]
fn a_flood_of_invented_macs_and_addresses_stays_within_the_limit_and_leaves_the_known_alone() {
    let table = Table::new(5_000);
    let real = |n: u8| arp(MacAddr([0, 0x50, 0xc2, 0, 0, n]), [10, 0, 9, n]);
    feed(&table, (1..=50).map(real));
    let before = table.snapshot();
    let invented = (0..200_000_u32).map(|n| {
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        arp(MacAddr([2, 0x11, a, b, c, d]), [10, b, c, d])
    });
    feed(&table, invented);
    feed(&table, (1..=50).map(real));
    assert_eq!(table.len(), 5_000);
    assert!(table.refused() > 100_000 && table.limit_hits().couplings == table.refused());
    let after = table.snapshot();
    for (key, facts) in &before.couplings {
        assert!(
            after.couplings[key].signs.has(Sign::ArpAsked) && after.couplings[key].proof() == facts.proof()
        );
    }
    assert!(after.stations.len() <= 5_000);
}

#[test]
fn one_mac_that_claims_every_address_gets_no_more_than_the_limit() {
    let table = Table::new(2_000);
    feed(
        &table,
        (0..60_000_u32).map(|n| {
            let [_, b, c, d] = n.to_be_bytes();
            arp(MINE, [10, b + 1, c, d])
        }),
    );
    assert_eq!((table.len(), table.refused() >= 58_000), (2_000, true));
}

#[test]
fn one_device_that_says_something_new_with_every_frame_keeps_what_its_set_holds() {
    let table = Table::new(100);
    let names = (0..20_000_u32).map(|n| {
        let label = format!("host-{n:08}");
        let name = [&[13][..], label.as_bytes(), b"\x05local\0"].concat();
        let record = [&name[..], &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 9]].concat();
        ethernet(MINE, 0x0800, &udp(5353, &[&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..], &record].concat()))
    });
    feed(&table, names);
    assert!((1..=96).contains(&said(&table)), "{}", said(&table));
    assert!(table.limit_hits().evidence > 10_000);
}

#[test]
fn names_that_point_at_themselves_each_other_or_far_ahead_end() {
    let table = Table::new(100);
    let head = |records: u16| {
        let [a, b] = records.to_be_bytes();
        vec![0, 0, 0x84, 0, 0, 0, a, b, 0, 0, 0, 0]
    };
    let tail = [0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 9];
    let mut messages = Vec::new();
    // To itself, to each other, ahead, behind the end.
    for name in [&[0xc0, 12][..], &[0xc0, 14, 0xc0, 12], &[0xc0, 40], &[0xff, 0xff], &[1, b'a', 0xc0, 12]] {
        messages.push([&head(1), name, &tail[..]].concat());
        messages.push([&head(0xffff), name, &tail[..]].concat());
    }
    // A chain of pointers as long as the message, each to the one before.
    let mut chain = [head(600), vec![1, b'a', 0]].concat();
    for n in 0..600_u16 {
        let place = if n == 0 { 12 } else { (chain.len() - 16) & 0x3fff };
        let [a, b] = (0xc000 | u16::try_from(place).unwrap()).to_be_bytes();
        chain.extend([a, b]);
        chain.extend(tail);
    }
    messages.push(chain.clone());
    // Names that double: each is two of the one before.
    let mut doubled = [head(90), vec![1, b'a', 0xc0, 12]].concat();
    for n in 0..90_u8 {
        doubled.extend([1, b'a' + n % 26, 0xc0, 12 + n]);
    }
    messages.push(doubled);
    for port in [53, 137, 5353, 5355] {
        feed(&table, messages.iter().map(|m| ethernet(MINE, 0x0800, &udp(port, &m[..m.len().min(9_000)]))));
    }
    assert!(said(&table) <= 96);
}

#[test]
fn options_without_end_or_progress_are_passed_over() {
    let table = Table::new(100);
    let mut frames = Vec::new();
    // DHCP: 255 options of every kind, the same 300 times, overload of both fields, a length beyond the end.
    let mut dhcp =
        [&[1, 1, 6, 0][..], &[0; 24], &MINE.0, &[0; 202], &[99, 130, 83, 99, 53, 1, 3, 52, 1, 3]].concat();
    for option in [12_u8, 55, 60, 61, 77, 43].iter().cycle().take(300) {
        dhcp.extend([*option, 3, b'a', b'b', *option]);
    }
    dhcp.extend([12, 255, b'x']);
    frames.push(ethernet(MINE, 0x0800, &udp(67, &dhcp)));
    // LLDP: two hundred TLVs, and one of no length over and over.
    let tlv = |kind: u16, value: &[u8]| {
        [&(kind << 9 | u16::try_from(value.len()).unwrap()).to_be_bytes()[..], value].concat()
    };
    let mut lldp = [tlv(1, &[&[4][..], &MINE.0].concat()), tlv(2, b"\x05p"), tlv(3, &[0, 120])].concat();
    for n in 0..200_u8 {
        lldp.extend(tlv(5 + u16::from(n % 3), &[b'a' + n % 26; 200]));
        lldp.extend(tlv(127, b""));
    }
    let mut frame = ethernet(MINE, 0x88cc, &lldp);
    frame[..6].copy_from_slice(&[1, 0x80, 0xc2, 0, 0, 0x0e]);
    frames.push(frame);
    // IPv6: extension headers without end, neighbour discovery options of no length.
    let v6 = |next: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [
            &[0x60, 0, 0, 0, length[0], length[1], next, 255][..],
            &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
            &[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ]
        .concat();
        ethernet(MINE, 0x86dd, &[&head[..], payload].concat())
    };
    for kind in [0, 43, 60] {
        frames.push(v6(kind, &[kind, 0, 0, 0, 0, 0, 0, 0].repeat(170)));
    }
    let advert = [&[134, 0, 0, 0, 64, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0][..], &[3, 0].repeat(600)].concat();
    frames.push(v6(58, &advert));
    let counters = feed(&table, frames);
    assert!(counters.malformed_frames >= 1, "{counters:?}");
    assert!(said(&table) <= 96);
}

#[test]
fn tags_and_tunnels_in_each_other_end_at_the_bound() {
    let table = Table::new(100);
    let inner = &arp(MINE, [10, 0, 0, 9])[12..];
    let tagged = [[0x81, 0, 0, 7].repeat(20), inner.to_vec()].concat();
    let mut frames = vec![[&[0xff; 6][..], &MINE.0, &tagged].concat()];
    // IP in IP, GRE in GRE, VXLAN in VXLAN, fifty deep.
    let (mut ip, mut gre, mut vxlan) = (udp(53, b"x"), udp(53, b"x"), ethernet(MINE, 0x0800, &udp(53, b"x")));
    for _ in 0..50 {
        ip = ipv4(4, 0, 7, &ip);
        gre = ipv4(47, 0, 7, &[&[0, 0, 8, 0][..], &gre].concat());
        vxlan = ethernet(MINE, 0x0800, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &vxlan].concat()));
    }
    frames.extend([ethernet(MINE, 0x0800, &ip), ethernet(MINE, 0x0800, &gre), vxlan]);
    let counters = feed(&table, frames);
    assert!(counters.malformed.values().sum::<u64>() >= 1, "{:?}", counters.malformed);
    assert!(table.len() <= 4);
}

#[test]
fn fragments_that_never_become_whole_are_given_up_and_counted() {
    let table = Table::new(100);
    // First fragments of 5,000 datagrams to a discovery port, and one datagram of 8,000 parts that overlap.
    let first = (0..5_000_u16).map(|id| {
        ethernet(
            MINE,
            0x0800,
            &ipv4(17, 0x2000, id, &[&[0x14, 0xe9, 0x14, 0xe9, 4, 0, 0, 0][..], &[7; 1_000]].concat()),
        )
    });
    let parts = (0..8_000_u16)
        .map(|n| ethernet(MINE, 0x0800, &ipv4(17, 0x2000 | (n & 0x1fff), 60_000, &[n.to_be_bytes()[1]; 64])));
    let counters = feed(&table, first.chain(parts));
    let dropped: u64 = counters.anomalies.values().sum();
    assert!(dropped > 3_000, "{:?}", counters.anomalies);
    let known = CouplingKey { mac: MINE, ip: [10, 0, 0, 9].into() };
    assert!(table.snapshot().couplings.contains_key(&known));
}

#[test]
fn a_capture_file_that_would_grow_without_end_is_read_with_little_memory() {
    // A gigabyte of nothing behind a pcap header: no record, so it ends at once; and of records that claim nothing.
    let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut bomb = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    std::io::Write::write_all(&mut bomb, &header).unwrap();
    for _ in 0..256 {
        std::io::Write::write_all(&mut bomb, &vec![0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let mut largest = 0;
    let read = file::read_from(Path::new("bomb"), Box::new(std::io::Cursor::new(bomb)), &mut |frame| {
        largest = largest.max(frame.data.len());
    });
    // Only the size matters here: the content is not a frame, and reading it may fail.
    drop(read);
    assert!(largest <= 1 << 20);
}
