//! The same office in files of several forms.

use std::collections::BTreeSet;
use std::fs;

use netcensus::census::Policy;
use netcensus::sensor::replay::{self, ReplayOptions};

use super::office;
use super::site::{Counted, Site};

const ETHERNET: u16 = 1;
const RADIOTAP: u16 = 127;

/// Numbers in one of the two byte orders.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn u16(self, n: u16) -> [u8; 2] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn u32(self, n: u32) -> [u8; 4] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(u32::try_from(padded + 12).unwrap());
        [&self.u32(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
    }

    fn section(self) -> Vec<u8> {
        let version = [self.u16(1), self.u16(0)].concat();
        self.block(0x0a0d_0d0a, &[&self.u32(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat())
    }

    fn interface(self, link: u16) -> Vec<u8> {
        self.block(1, &[self.u16(link), [0; 2], [0; 2], [0; 2]].concat())
    }

    /// The frame in a packet block: 6 enhanced, 2 obsolete, 3 simple.
    fn packet(self, kind: u32, interface: u16, micros: u64, frame: &[u8]) -> Vec<u8> {
        let length = self.u32(u32::try_from(frame.len()).unwrap());
        let high = self.u32(u32::try_from(micros >> 32).unwrap());
        let low = self.u32(u32::try_from(micros & 0xffff_ffff).unwrap());
        let number = match kind {
            6 => self.u32(interface.into()).to_vec(),
            _ => [self.u16(interface), [0; 2]].concat(),
        };
        let head =
            if kind == 3 { length.to_vec() } else { [&number[..], &high, &low, &length, &length].concat() };
        self.block(kind, &[head, frame.to_vec()].concat())
    }

    /// The frames in packet blocks of those kinds in turn.
    fn packets(self, site: &Site, kinds: &[u32], interface: u16) -> Vec<u8> {
        let each = site.frames.iter().zip(kinds.iter().cycle());
        let micros = |at: i64| u64::try_from(at / 1_000).unwrap();
        each.flat_map(|((at, frame), kind)| self.packet(*kind, interface, micros(at.0), frame)).collect()
    }
}

/// What a replay of the file counts, or why it fails.
fn replayed(file: &[u8]) -> Result<(Counted, u64), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    fs::write(&path, file).unwrap();
    let options = ReplayOptions {
        files: vec![path],
        zone: "default".into(),
        couplings: 1_000,
        memory: usize::MAX,
        tunnels: BTreeSet::default(),
        indicators: netcensus::security::Indicators::default(),
        threads: 1,
    };
    let replayed = replay::read(&options).map_err(|e| e.to_string())?;
    Ok((Counted::of(&replayed.inventory, &Policy::default()), replayed.counters.malformed_frames))
}

#[test]
fn every_kind_of_packet_block_counts_in_both_byte_orders() {
    let site = office();
    for big in [false, true] {
        let order = Order { big };
        for kinds in [&[6][..], &[2], &[3], &[2, 6], &[3, 6, 2]] {
            let file = [order.section(), order.interface(ETHERNET), order.packets(&site, kinds, 0)].concat();
            let (counted, malformed) = replayed(&file).unwrap();
            counted.assert(1, 2, 1);
            assert_eq!(malformed, 0, "{kinds:?}");
        }
    }
}

#[test]
fn each_section_has_its_own_byte_order_and_interfaces() {
    let site = office();
    let (first, second) = site.frames.split_at(site.frames.len() / 2);
    let part = |big: bool, frames: &[_]| {
        let order = Order { big };
        let half = Site { frames: frames.to_vec(), ..Site::default() };
        [order.section(), order.interface(ETHERNET), order.packets(&half, &[6], 0)].concat()
    };
    let (counted, _) = replayed(&[part(false, first), part(true, second)].concat()).unwrap();
    counted.assert(1, 2, 1);
    assert_eq!(counted, replayed(&part(false, &site.frames)).unwrap().0);
}

/// A `pcap` file of the frames.
fn classic(site: &Site, link: u32, trailer: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link] {
        out.extend(word.to_le_bytes());
    }
    for (at, frame) in &site.frames {
        let length = u32::try_from(frame.len() + trailer.len()).unwrap();
        let seconds = u32::try_from(at.0 / 1_000_000_000).unwrap();
        for word in [seconds, 0, length, length] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
        out.extend(trailer);
    }
    out
}

#[test]
fn a_radio_capture_is_refused_and_the_wired_half_of_a_mixed_one_counts() {
    let site = office();
    let refused = replayed(&classic(&site, RADIOTAP.into(), &[])).unwrap_err();
    assert!(refused.contains("127"), "{refused}");
    let checked = classic(&site, 0x2400_0001, &[0xfc; 4]);
    let (counted, malformed) = replayed(&checked).unwrap();
    counted.assert(1, 2, 1);
    assert_eq!(malformed, 0);
    let order = Order { big: false };
    let radio = Site { frames: site.frames[..4].to_vec(), ..Site::default() };
    let interfaces = [order.interface(ETHERNET), order.interface(RADIOTAP)].concat();
    let mixed = [order.section(), interfaces, order.packets(&radio, &[6], 1), order.packets(&site, &[6], 0)];
    replayed(&mixed.concat()).unwrap().0.assert(1, 2, 1);
}
