//! A plan service that is away for days, in simulated time: what the sensor keeps, and what arrives when it is back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use netcensus::census::{CouplingKey, Field, MacAddr, Sign, Timestamp, Zone};
use netcensus::clock::FixedClock;
use netcensus::dissect::Tags;
use netcensus::sensor::pipeline::collector::Collector;
use netcensus::sensor::pipeline::table::Table;
use netcensus::sensor::status::Status;
use netcensus::sensor::upload::delivery::{Delivery, Pace, Step};
use netcensus::sensor::upload::spool::{SpoolBounds, SpoolReader};

use super::service::{Answer, Request, Service};

const MINUTE: Duration = Duration::from_mins(1);
const DAYS: u32 = 7;
/// Minutes between deltas.
const EVERY: u32 = 5;
const SPOOL: u64 = 256 << 10;
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_mins(5),
    timeout: Duration::from_secs(10),
    bytes_per_second: None,
};

/// One run of the sensor on the disk in `dir`.
struct Run {
    table: Arc<Table>,
    status: Arc<Status>,
    collector: Collector,
    delivery: Delivery,
}

impl Run {
    fn start(dir: &Path) -> Self {
        let (table, status) = (Arc::new(Table::new(10_000)), Arc::<Status>::default());
        let (spool, bounds) = (dir.join("spool"), SpoolBounds { bytes: SPOOL, age: 30 * 24 * 60 * MINUTE });
        let mut collector =
            Collector::open(table.clone(), status.clone(), &spool, bounds, "default").unwrap();
        collector.restore(&dir.join("inventory")).unwrap();
        let clock = Arc::new(FixedClock(Timestamp::from_secs(0)));
        let (reader, identity) = (SpoolReader::new(&spool), dir.join("identity.json"));
        let delivery = Delivery::new(reader, identity, PACE, status.clone(), clock);
        Self { table, status, collector, delivery }
    }

    async fn drain(&mut self) {
        while self.delivery.step().await != Step::Idle {}
    }
}

/// The facts of a minute: some of 300 devices, and a new device every half hour.
fn traffic(table: &Table, minute: u32) {
    for n in (minute % 7..300 + minute / 30).step_by(7) {
        let [_, a, b, c] = n.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([2, 0, 0, a, b, c]), ip: [10, a, b, c].into() };
        let now = Timestamp(i64::from(minute) * 60_000_000_000 + i64::from(n));
        table.sight(key, now, now, Sign::ArpAsked.into(), Tags::default());
        if minute.is_multiple_of(600) {
            table.coupling_said(key, now, Field::HttpServer, &format!("server {n}"));
        }
    }
}

/// The facts of all requests, joined.
fn said(requests: &[Request]) -> Zone {
    let mut zone = Zone::default();
    for request in requests {
        zone.merge(&request.upload().delta);
    }
    zone
}

#[tokio::test]
async fn a_week_without_a_service_and_with_kills_takes_bounded_room_and_loses_nothing() {
    // Memory in place of a disk: the week makes ten thousand syncs.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let service = Service::start([]).await;
    service.identity("key").store(&dir.path().join("identity.json")).unwrap();
    let (mut run, shown, mut compacted) = (Run::start(dir.path()), Table::new(10_000), 0);
    let mut arrived = Zone::default();
    for round in 0..DAYS * 24 * 60 / EVERY {
        let minute = round * EVERY;
        traffic(&run.table, minute);
        traffic(&shown, minute);
        run.collector.pass(EVERY * MINUTE);
        run.collector.collect().unwrap();
        assert!(SpoolReader::new(&dir.path().join("spool")).backlog().unwrap().1 <= SPOOL);
        match minute {
            // The first hour is delivered; then nobody answers, as often as it is tried.
            60 => {
                run.drain().await;
                arrived = said(&service.requests());
                service.say(std::iter::repeat_n(Answer::Raw(502, vec![], String::new()), 1_000));
            }
            _ if minute.is_multiple_of(60) => {
                assert!(minute == 0 || matches!(run.delivery.step().await, Step::Wait(_)));
            }
            _ => {}
        }
        if round % 5 == 4 {
            run.collector.save().unwrap();
        }
        if round % 600 == 599 {
            // Killed, and started again.
            compacted += run.status.spool_compacted.load(Ordering::Relaxed);
            run = Run::start(dir.path());
        }
    }
    compacted += run.status.spool_compacted.load(Ordering::Relaxed);
    assert!(compacted > 3, "{compacted}");
    assert_eq!(run.status.spool_refused.load(Ordering::Relaxed), 0);
    let waiting = SpoolReader::new(&dir.path().join("spool")).backlog().unwrap().0;
    let refused = service.requests().len();
    service.say([]);
    run.drain().await;
    arrived.merge(&said(service.requests().get(refused..).unwrap()));
    assert_eq!(arrived, shown.snapshot());
    println!(
        "{DAYS} days: {waiting} uploads waited, {compacted} merges, {} couplings",
        arrived.couplings.len()
    );
}
