//! The memory of the facts: what the table says that it takes, and what a flood of words can make it take.
//!
//! `nextest` runs each test in a process of its own, whose resident memory is then the table's.

use netcensus::census::{CouplingKey, Field, MacAddr, Sign, Timestamp, time::MINUTE};
use netcensus::dissect::{Frame, LinkType, Tags};
use netcensus::sensor::pipeline::{table::Table, worker::Worker};

/// The resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok()).unwrap() << 10
}

fn key(n: u32) -> CouplingKey {
    let [a, b, c, d] = n.to_be_bytes();
    CouplingKey { mac: MacAddr([2, 0, a, b, c, d]), ip: [10, b, c, d].into() }
}

/// A message of mDNS with `values` text records, none of which another message has.
fn words(n: u32, values: usize, length: usize) -> Vec<u8> {
    let records = u16::try_from(values).unwrap().to_be_bytes();
    let mut out = [&[0, 0, 0x84, 0, 0, 0][..], &records, &[0; 4]].concat();
    for v in 0..values {
        let text = format!("k{v:02}={n:0length$}");
        out.extend(b"\x01x\x05_http\x04_tcp\x05local\x00\x00\x10\x80\x01\x00\x00\x00\x78");
        out.extend(u16::try_from(text.len() + 1).unwrap().to_be_bytes());
        out.push(u8::try_from(text.len()).unwrap());
        out.extend(text.as_bytes());
    }
    out
}

/// A frame of 992 bytes or so from a new pair of MAC and address.
fn frame(n: u32) -> Vec<u8> {
    let from = key(n);
    let std::net::IpAddr::V4(ip) = from.ip else { unreachable!("an IPv4 address") };
    let mut out = Vec::new();
    etherparse::PacketBuilder::ethernet2(from.mac.0, [1, 0, 0x5e, 0, 0, 0xfb])
        .ipv4(ip.octets(), [224, 0, 0, 251], 255)
        .udp(5353, 5353)
        .write(&mut out, &words(n, 7, 90))
        .unwrap();
    out
}

/// Feeds the frames of so many new couplings, 2,800 in a second.
fn flood(table: &Table, frames: u32) {
    let mut worker = Worker::new(table);
    for n in 0..frames {
        let data = frame(n);
        let length = u32::try_from(data.len()).unwrap();
        let at = Timestamp(1_795_169_600_000_000_000 + i64::from(n) * 357_000);
        worker.frame(&Frame { at, link: LinkType::Ethernet, data: &data, length });
        if n % 1_000 == 0 {
            worker.flush();
        }
    }
    worker.finish();
}

/// Whether a device that leases its address, and one that proves and uses it, still enter.
fn lets_devices_in(table: &Table) -> bool {
    let (leased, used) = (key(0x00ff_0001), key(0x00ff_0002));
    let at = Timestamp(1_795_169_600_000_000_000 + 20 * MINUTE);
    table.sight(leased, at, at, Sign::DhcpAck.into(), Tags::default());
    for sign in [Sign::ArpAsked, Sign::Near] {
        table.sight(used, at, at, sign.into(), Tags::default());
    }
    let before = table.len();
    table.sight(leased, at, at, Sign::ArpAsked.into(), Tags::default());
    table.sight(used, at, at, Sign::ArpAsked.into(), Tags::default());
    table.coupling_said(leased, at, Field::HttpServer, "camera");
    table.len() == before && table.take_delta().couplings.contains_key(&used)
}

#[test]
fn the_table_takes_about_what_it_says() {
    let table = Table::new(1_000_000);
    let before = resident();
    for n in 0..60_000 {
        let at = Timestamp(1_795_169_600_000_000_000 + i64::from(n));
        table.sight(key(n), at, at, Sign::ArpAsked.into(), Tags::default());
        for v in 0..n % 7 {
            table.coupling_said(key(n), at, Field::ALL[v as usize], &format!("{n:040} {v}"));
        }
        table.station_said(key(n).mac, at, Field::LldpSysName, &format!("{n:060}"));
    }
    let (real, said) = (resident() - before, table.memory());
    assert!(real.abs_diff(said) * 5 < real, "says {said}, takes {real}");
}

/// An mDNS frame, inside a tunnel from its own public address, and as the first fragment of a datagram that never ends.
fn odd_frames(n: u32) -> [Vec<u8>; 2] {
    let [a, b, c, d] = n.to_be_bytes();
    let inner = frame(n);
    let mut tunnel = Vec::new();
    etherparse::PacketBuilder::ethernet2([2, 1, a, b, c, d], [2; 6])
        .ipv4([151, b, c, d], [10, 0, 0, 1], 60)
        .udp(4_789, 4_789)
        .write(&mut tunnel, &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner[..]].concat())
        .unwrap();
    let mut fragment = frame(n);
    fragment.splice(18..22, [c, d, 0x20, 0]);
    [tunnel, fragment]
}

/// Floods a table with new words, then with tunnels and fragments beyond their bounds, over four workers. Returns the
/// resident memory beside a copy of everything, as an operator's request makes one.
fn hit_all_bounds(table: &Table, frames: u32, odd: u32) -> usize {
    flood(table, frames);
    let mut workers: Vec<Worker<'_>> = (0..4).map(|_| Worker::new(table)).collect();
    for n in 0..odd {
        workers.rotate_left(2);
        for (worker, data) in workers.iter_mut().zip(odd_frames(n)) {
            let length = u32::try_from(data.len()).unwrap();
            let at = Timestamp(1_795_169_600_000_000_000 + 15 * MINUTE + i64::from(n) * 357_000);
            worker.frame(&Frame { at, link: LinkType::Ethernet, data: &data, length });
        }
    }
    let copy = table.snapshot();
    assert!(copy.couplings.len() <= table.held());
    let bounds = table.limit_hits();
    assert!(bounds.memory > 0 && bounds.tunnels > 0, "{bounds:?}");
    resident()
}

#[test]
fn at_all_bounds_at_once_the_memory_stays_within_them_and_devices_still_enter() {
    let limit = 24 << 20;
    let table = Table::with_memory(1_000_000, limit);
    hit_all_bounds(&table, 25_000, 2_000);
    assert!(table.memory() <= limit - limit / 4 + (1 << 20), "{}", table.memory());
    assert!(table.refused() > 0 && lets_devices_in(&table));
}

/// The attack at its full size: 320 seconds of 22 Mbit/s. `cargo nextest run --run-ignored only -E 'test(full_size)'`.
#[test]
#[ignore = "takes 2 GiB of memory and minutes; the test above does the same in small"]
fn at_full_size_all_bounds_at_once_stay_below_three_gibibytes() {
    let table = Table::with_memory(1_000_000, 2 << 30);
    let real = hit_all_bounds(&table, 2_000_000, 100_000);
    println!("resident {} MiB with a copy, says {} MiB", real >> 20, table.memory() >> 20);
    assert!(real < 3 << 30 && lets_devices_in(&table), "{real}");
}
