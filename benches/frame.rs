//! Nanoseconds a frame, stage by stage, on the generated mixes: reading a capture, dissecting headers alone, dissecting
//! everything, and dissecting into the sensor's inventory; then a device's share of the census. The time that is printed
//! is that of 20,000 frames, or of all devices; the throughput is per second.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

#[expect(dead_code, reason = "captures for the whole process are made by the other benchmark")]
mod mix;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput};
use netcensus::capture::file;
use netcensus::census::{
    Decisions, Field, Inventory, MacAddr, NotUnderstood, Policy, Prefix, Signs, Survey, Timestamp, TunnelKey,
    TunnelKind,
};
use netcensus::classify::Rules;
use netcensus::dissect::{Anomaly, Frame, LinkType, Malformed, Sink, Tags, dissect};
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::pipeline::worker::Worker;

use mix::{Capture, Mix};

const FRAMES: usize = 20_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, mut mix) in [("office", Mix::office()), ("small", Mix::small())] {
        let frames: Vec<Vec<u8>> = (0..FRAMES).map(|_| mix.draw().to_vec()).collect();
        measure(&mut criterion, name, &frames);
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, frames: &[Vec<u8>]) {
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let capture: &'static [u8] = capture_of(frames).leak();
    group.bench_function(BenchmarkId::new("read", name), |b| {
        b.iter(|| {
            file::read_from(Path::new("bench"), Box::new(capture), &mut |frame| {
                black_box(frame);
            })
        });
    });
    let headers: Vec<&[u8]> = frames.iter().map(Vec::as_slice).filter(|f| !is_discovery(f)).collect();
    group.throughput(Throughput::Elements(headers.len() as u64));
    group.bench_function(BenchmarkId::new("headers", name), |b| {
        b.iter(|| each(headers.iter().copied(), |frame| dissect(frame, &mut Nobody)));
    });
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function(BenchmarkId::new("dissect", name), |b| {
        b.iter(|| each(frames.iter().map(Vec::as_slice), |frame| dissect(frame, &mut Nobody)));
    });
    let table = Table::new(100_000);
    let collect = || {
        let mut worker = Worker::new(&table);
        each(frames.iter().map(Vec::as_slice), |frame| worker.frame(frame));
        worker.finish()
    };
    group.bench_function(BenchmarkId::new("inventory", name), |b| b.iter(collect));
    group.finish();

    collect();
    let inventory = Inventory::of("bench", table.snapshot());
    let rules = Rules::builtin().expect("the built-in rules are tested");
    let (policy, decisions) = (Policy::default(), Decisions::default());
    let survey = || Survey::new(&inventory, &policy, &decisions, &rules, Timestamp(1_000_000_000));
    let mut group = criterion.benchmark_group("device");
    group.throughput(Throughput::Elements(survey().devices.len() as u64));
    group.bench_function(BenchmarkId::new("census", name), |b| b.iter(survey));
    group.finish();
}

fn each<'a>(frames: impl Iterator<Item = &'a [u8]>, mut take: impl FnMut(&Frame<'_>)) {
    for (data, at) in frames.zip((0..).step_by(50_000)) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        take(&Frame { at: Timestamp(at), link: LinkType::Ethernet, data, length });
    }
}

/// ARP, LLDP, DHCP and mDNS: what goes deeper than headers.
fn is_discovery(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x06] | [0x88, 0xcc]) => true,
        Some([0x08, 0x00]) => {
            frame.get(23) == Some(&17) && matches!(frame.get(36..38), Some([0, 67] | [0x14, 0xe9]))
        }
        _ => false,
    }
}

fn capture_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut capture = Capture::new(Vec::new()).expect("memory takes all");
    for frame in frames {
        capture.frame(frame).expect("memory takes all");
    }
    capture.into_inner()
}

/// Takes all facts and keeps none.
struct Nobody;

impl Sink for Nobody {
    fn enter(&mut self, outer: TunnelKey, _: TunnelKind) {
        black_box(outer);
    }
    fn leave(&mut self) {}
    fn coupling(&mut self, mac: MacAddr, ip: IpAddr, signs: Signs, _: Tags) {
        black_box((mac, ip, signs));
    }
    fn coupling_said(&mut self, _: MacAddr, _: IpAddr, field: Field, value: &str) {
        black_box((field, value));
    }
    fn coupling_described(&mut self, _: MacAddr, _: IpAddr, field: Field, value: &str) {
        black_box((field, value));
    }
    fn station_said(&mut self, _: MacAddr, field: Field, value: &str) {
        black_box((field, value));
    }
    fn prefix(&mut self, prefix: Prefix, by: MacAddr) {
        black_box((prefix, by));
    }
    fn router(&mut self, ip: IpAddr, by: MacAddr) {
        black_box((ip, by));
    }
    fn addressed(&mut self, mac: MacAddr, ip: IpAddr) {
        black_box((mac, ip));
    }
    fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool) {
        black_box((sender, target, answer));
    }
    fn gather(&mut self, _: &netcensus::dissect::Fragment<'_>) -> Option<Vec<u8>> {
        None
    }

    fn malformed(&mut self, what: Malformed) {
        black_box(what);
    }
    fn anomaly(&mut self, what: Anomaly) {
        black_box(what);
    }
    fn indicator(&self, _: IpAddr) -> Option<String> {
        None
    }
    fn did(&mut self, mac: MacAddr, ip: IpAddr, act: &netcensus::dissect::Act<'_>) {
        black_box((mac, ip, act));
    }
    fn not_understood(&mut self, what: NotUnderstood) {
        black_box(what);
    }
    fn unread_datagram(&mut self, to: IpAddr, port: u16) {
        black_box((to, port));
    }
}
