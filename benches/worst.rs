//! The cost of the dearest frames of each kind, with every bound of the sensor full, and how many of each one core bears.
//!
//! Each frame is new and measured alone, and the median counts, because a benchmark's machine has other work.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod hostile;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use netcensus::census::{CouplingKey, Field, MacAddr, Sign, Signs, Timestamp};
use netcensus::dissect::{Frame, LinkType, Tags};
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::pipeline::worker::Worker;

use hostile::{KINDS, Kind};

/// Frames of one run.
const FRAMES: u32 = 1_024;
const RUNS: u32 = 7;
/// Couplings of the table: all that it takes.
const COUPLINGS: u32 = 200_000;
/// The most that a frame may cost.
const BOUND: Duration = Duration::from_micros(20);

fn main() {
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let table = full_table();
    let mut worker = Worker::new(&table);
    let mut number = 1;
    for kind in KINDS.iter().filter(|k| k.name.contains("new ")) {
        // Fills what the worker and the segment hold.
        for _ in 0..80 {
            run(kind, &mut worker, &mut number);
        }
    }
    let mut dearest = (Duration::ZERO, "");
    println!("{:<28}{:>10}{:>14}{:>12}{:>9}", "frame", "bytes", "microseconds", "frames/s", "Mbit/s");
    for kind in KINDS.iter().filter(|k| k.name.contains(&only)) {
        let runs = (0..RUNS).map(|_| run(kind, &mut worker, &mut number));
        let cost = runs.min().unwrap_or_default();
        let (bytes, seconds) = ((kind.frame)(7).len(), cost.as_secs_f64().max(1e-9));
        let rate = 1.0 / seconds;
        #[expect(clippy::cast_precision_loss, reason = "a length")]
        let mbit = rate * bytes as f64 * 8.0 / 1e6;
        println!("{:<28}{bytes:>10}{:>14.2}{rate:>12.0}{mbit:>9.0}", kind.name, seconds * 1e6);
        dearest = dearest.max((cost, kind.name));
    }
    println!(
        "dearest: {} at {:.2} microseconds (bound: {})",
        dearest.1,
        dearest.0.as_secs_f64() * 1e6,
        BOUND.as_micros()
    );
    println!("counted: {:?}", worker.counters().anomalies);
}

/// The median cost of new frames of a kind.
fn run(kind: &Kind, worker: &mut Worker<'_>, number: &mut u32) -> Duration {
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|i| (kind.frame)(*number + i)).collect();
    *number += FRAMES;
    let mut costs: Vec<Duration> = Vec::with_capacity(frames.len());
    for (data, n) in frames.iter().zip(0_u32..) {
        let at = Timestamp(1_700_000_000_000_000_000 + i64::from(*number + n) * 50_000);
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let start = Instant::now();
        worker.frame(&Frame { at, link: LinkType::Ethernet, data, length });
        costs.push(start.elapsed());
    }
    costs.sort_unstable();
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

/// A table that takes no further coupling, value or prefix.
fn full_table() -> Table {
    let table = Table::new(COUPLINGS as usize);
    let at = Timestamp::from_secs(1_700_000_000);
    let own =
        CouplingKey { mac: MacAddr([0x00, 0x1b, 0x54, 0, 0, 1]), ip: Ipv4Addr::new(10, 9, 0, 1).into() };
    table.sight(own, at, at, Signs::from(Sign::ArpAnswered), Tags::default());
    for n in 0..COUPLINGS {
        let [a, b, c, d] = n.to_be_bytes();
        let key =
            CouplingKey { mac: MacAddr([0, 0x1b, 0x54, b, c, d]), ip: IpAddr::from([10, 128 + a, c ^ b, d]) };
        table.sight(key, at, at, Signs::from(Sign::ArpAnswered), Tags::default());
        if n < 66_000 {
            table.coupling_said(key, at, Field::DhcpHostname, &format!("host-{n}"));
        }
    }
    // Every set of evidence of the frames' sender is full.
    for field in Field::ALL {
        for n in 0..16 {
            let value = format!("~{n}");
            table.coupling_said(own, at, *field, &value);
            table.station_said(own.mac, at, *field, &value);
        }
    }
    table
}
