use super::*;
use crate::census::{CouplingKey, Field, MacAddr, Sign, Timestamp};
use crate::dissect::Tags;

fn fill(table: &Table, from: u16, to: u16) {
    for n in from..to {
        let [a, b] = n.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
        table.sight(key, Timestamp(5), Timestamp(6), Sign::ArpAsked.into(), Tags::default());
        table.coupling_said(key, Timestamp(5), Field::HttpServer, "\"quoted\"");
    }
}

fn read_all(dir: &Path) -> (Zone, Vec<u64>) {
    let (reader, mut zone, mut sequences) = (SpoolReader::new(dir), Zone::default(), Vec::new());
    while let Some(item) = reader.oldest().unwrap() {
        let upload = Upload::decode(&reader.read(&item).unwrap().unwrap()).unwrap();
        zone.merge(&upload.delta);
        sequences.push(upload.sequence);
        reader.done(&item).unwrap();
    }
    (zone, sequences)
}

#[test]
fn what_changed_goes_to_the_spool_once() {
    let dir = tempfile::tempdir().unwrap();
    let table = Arc::new(Table::new(1_000));
    let mut collector =
        Collector::open(table.clone(), Arc::default(), dir.path(), SpoolBounds::of(1 << 20), "default")
            .unwrap();
    fill(&table, 0, 10);
    assert_eq!(collector.collect().unwrap(), 1);
    assert_eq!(collector.collect().unwrap(), 0);
    assert_eq!(read_all(dir.path()), (table.snapshot(), vec![1]));
}

#[test]
fn what_a_full_spool_refuses_is_counted_and_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let (table, status) = (Arc::new(Table::new(1_000)), Arc::new(Status::default()));
    let mut collector =
        Collector::open(table.clone(), status.clone(), dir.path(), SpoolBounds::of(1), "default").unwrap();
    fill(&table, 0, 10);
    assert!(matches!(collector.collect(), Err(SpoolError::Full { .. })));
    assert_eq!(status.spool_refused.load(Ordering::Relaxed), 1);
    fill(&table, 10, 20);
    collector.set_bounds(SpoolBounds::of(1 << 20));
    assert_eq!(collector.collect().unwrap(), 1);
    assert_eq!(read_all(dir.path()).0, table.snapshot());
}

fn open(table: &Arc<Table>, dir: &Path, bounds: SpoolBounds) -> Collector {
    let mut collector =
        Collector::open(table.clone(), Arc::default(), &dir.join("spool"), bounds, "default").unwrap();
    collector.restore(&dir.join("inventory")).unwrap();
    collector
}

/// Another run on the same disk.
fn again(dir: &Path) -> (Arc<Table>, Collector) {
    let table = Arc::new(Table::new(10_000));
    let collector = open(&table, dir, SpoolBounds::of(1 << 30));
    (table, collector)
}

#[test]
fn a_crash_at_any_point_of_the_interval_loses_nothing_that_was_written_down() {
    for (saved, collected) in [(false, true), (true, false), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let (table, mut collector) = again(dir.path());
        fill(&table, 0, 10);
        collector.collect().unwrap();
        fill(&table, 5, 20);
        let mut known = table.snapshot();
        if saved {
            collector.save().unwrap();
        }
        if collected {
            fill(&table, 15, 25);
            known = table.snapshot();
            collector.collect().unwrap();
        }
        fill(&table, 100, 110);
        drop(collector);
        let (table, mut collector) = again(dir.path());
        assert_eq!(table.snapshot(), known, "{saved} {collected}");
        collector.collect().unwrap();
        assert_eq!(read_all(&dir.path().join("spool")).0, known, "{saved} {collected}");
    }
}

#[test]
fn what_was_delivered_is_not_said_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    fill(&table, 0, 10);
    collector.collect().unwrap();
    collector.save().unwrap();
    read_all(&dir.path().join("spool"));
    let (table, mut collector) = again(dir.path());
    assert_eq!(table.len(), 10);
    collector.collect().unwrap();
    assert!(read_all(&dir.path().join("spool")).0.is_empty());
}

#[test]
fn a_lost_spool_and_a_damaged_upload_are_made_good_from_the_checkpoint() {
    let damage: [fn(&Path); 2] = [
        |spool| std::fs::remove_dir_all(spool).unwrap(),
        |spool| {
            // Found and set aside by the sending half.
            let (reader, item) =
                (SpoolReader::new(spool), SpoolReader::new(spool).oldest().unwrap().unwrap());
            reader.put_aside(&item).unwrap();
            reader.write_feedback(&Feedback { lost: 1, put_aside: 1, ..Feedback::default() }).unwrap();
        },
    ];
    for damage in damage {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        let (table, mut collector) = again(dir.path());
        fill(&table, 0, 10);
        collector.collect().unwrap();
        collector.save().unwrap();
        let known = table.snapshot();
        damage(&spool);
        let (_, mut collector) = again(dir.path());
        collector.collect().unwrap();
        assert_eq!(read_all(&spool).0, known);
        assert_eq!(collector.collect().unwrap(), 0);
    }
}

#[test]
fn a_damaged_checkpoint_leaves_what_the_spool_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    fill(&table, 0, 10);
    collector.collect().unwrap();
    collector.save().unwrap();
    read_all(&dir.path().join("spool"));
    fill(&table, 10, 12);
    collector.collect().unwrap();
    std::fs::write(dir.path().join("inventory"), b"damaged").unwrap();
    let (table, mut collector) = again(dir.path());
    assert_eq!(table.len(), 2);
    collector.collect().unwrap();
    collector.save().unwrap();
    assert_eq!(again(dir.path()).0.len(), 2);
}

#[test]
fn a_long_outage_is_merged_within_the_bounds_and_nothing_is_lost() {
    // Memory in place of a disk, as a thousand syncs take long.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let (table, bytes) = (Arc::new(Table::new(10_000)), 64 << 10);
    let mut collector = open(&table, dir.path(), SpoolBounds::of(bytes));
    let reader = SpoolReader::new(&dir.path().join("spool"));
    for round in 0..500 {
        fill(&table, 0, 100 + round / 10);
        for n in 0..100_u16 {
            let key = CouplingKey {
                mac: MacAddr([2, 0, 0, 0, 0, n.to_be_bytes()[1]]),
                ip: [10, 0, 0, n.to_be_bytes()[1]].into(),
            };
            let now = Timestamp(i64::from(round) * 30_000_000_000 + i64::from(n));
            table.sight(key, now, now, Sign::ArpAsked.into(), Tags::default());
        }
        collector.collect().unwrap();
        assert!(reader.backlog().unwrap().1 <= bytes);
    }
    assert!(collector.status.spool_compacted.load(Ordering::Relaxed) > 2);
    assert_eq!(read_all(&dir.path().join("spool")).0, table.snapshot());
}

/// Some of 500 devices, half a minute later.
fn half_a_minute(table: &Table, round: u16) {
    for n in (round % 11..500).step_by(11) {
        let [a, b] = n.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
        let now = Timestamp(i64::from(round) * 30_000_000_000 + i64::from(n));
        table.sight(key, now, now, Sign::ArpAsked.into(), Tags::default());
        if round < 11 {
            table.coupling_said(key, now, Field::HttpServer, &format!("server {n}"));
        }
    }
}

#[test]
fn a_day_without_a_delivery_leaves_a_handful_of_uploads_for_little_work() {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let (table, mut collector) = again(dir.path());
    let reader = SpoolReader::new(&dir.path().join("spool"));
    let mut largest = 0;
    for round in 0..2_880 {
        half_a_minute(&table, round);
        collector.collect().unwrap();
        largest = largest.max(reader.backlog().unwrap().0);
    }
    assert!(largest <= 11, "{largest}");
    // Each merge puts in one upload for eight others or more.
    assert!(collector.spool.next_sequence() < 2_880 * 9 / 8 + 9, "{}", collector.spool.next_sequence());
    let (zone, sequences) = read_all(&dir.path().join("spool"));
    assert_eq!(zone, table.snapshot());
    assert_eq!(sequences[0], 1, "the oldest, which may be in flight, stays");
}

#[test]
fn uploads_that_are_being_delivered_or_were_put_in_at_once_are_not_merged() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    let spool = dir.path().join("spool");
    let reader = SpoolReader::new(&spool);
    for round in 0..40 {
        half_a_minute(&table, round);
        half_a_minute(&table, round + 1);
        collector.collect().unwrap();
        if round > 20 {
            reader.done(&reader.oldest().unwrap().unwrap()).unwrap();
        }
    }
    let merged = collector.status.spool_compacted.load(Ordering::Relaxed);
    assert_eq!(merged, 2, "only until the first delivery");
    read_all(&spool);
    collector.spool.cannot_merge(20);
    for round in 0..20 {
        half_a_minute(&table, 100 + round);
        collector.put_changes(false).unwrap();
    }
    for _ in 0..3 {
        collector.collect().unwrap();
    }
    assert_eq!(collector.status.spool_compacted.load(Ordering::Relaxed), merged);
}

#[test]
fn a_crash_while_uploads_are_merged_loses_nothing_and_a_damaged_one_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    let spool = dir.path().join("spool");
    for round in 0..8 {
        half_a_minute(&table, round);
        collector.collect().unwrap();
    }
    // Put in again, but the others were not removed yet.
    let waiting = collector.spool.own_since(2).unwrap();
    for item in &waiting {
        let body = SpoolReader::new(&spool).read(item).unwrap().unwrap();
        table.requeue(&Upload::decode(&body).unwrap().delta);
    }
    collector.put_changes(false).unwrap();
    let known = table.snapshot();
    drop(collector);
    let (table, mut collector) = again(dir.path());
    assert_eq!(table.snapshot(), known);
    std::fs::write(&waiting[3].path, b"damaged").unwrap();
    for _ in 0..9 {
        half_a_minute(&table, 20);
        half_a_minute(&table, 21);
        collector.put_changes(true).unwrap();
        collector.collect().unwrap();
    }
    assert!(waiting[3].path.exists());
}

#[test]
fn a_sighting_waits_until_it_is_older_than_the_freshness_the_day_ends_or_the_sensor_stops() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    collector.set_freshness(Freshness::new(Duration::from_mins(5), Duration::from_mins(10)));
    let spool = dir.path().join("spool");
    let key = CouplingKey { mac: MacAddr([0, 0x1b, 0xd4, 0, 0, 1]), ip: [10, 0, 0, 1].into() };
    // A minute before the day ends, and an hour before that.
    let mut seen = |minute: i64| {
        let now = Timestamp((minute - 60) * 60_000_000_000).plus(20_000 * 24 * 3_600_000_000_000);
        table.sight(key, now, now, Sign::Sourced.into(), Tags::default());
        table.learn(|s| s.span(now, now));
        collector.collect().unwrap();
        let (zone, _) = read_all(&spool);
        zone.couplings.contains_key(&key)
    };
    let told: Vec<i64> = (0..64).filter(|minute| seen(*minute)).collect();
    // The second minute, the tenth after the first, and the first of the day.
    assert_eq!(told, [0, 1, 7, 10, 16, 22, 28, 34, 40, 46, 52, 58, 60]);
    collector.collect_all().unwrap();
    assert_eq!(read_all(&spool).0.couplings[&key].last_seen, table.snapshot().couplings[&key].last_seen);
}

#[test]
fn where_merging_makes_no_room_changes_wait_in_memory_and_in_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let table = Arc::new(Table::new(10_000));
    let mut collector = open(&table, dir.path(), SpoolBounds::of(6 << 10));
    let mut refused = 0;
    for round in 0..40 {
        fill(&table, round * 50, round * 50 + 50);
        refused += usize::from(collector.collect().is_err());
    }
    assert!(refused > 0 && collector.status.spool_problem().is_some());
    collector.save().unwrap();
    let known = table.snapshot();
    let (table, mut collector) = again(dir.path());
    assert_eq!(table.snapshot(), known);
    collector.collect().unwrap();
    assert_eq!(collector.status.spool_problem(), None);
    assert_eq!(read_all(&dir.path().join("spool")).0, known);
}

#[test]
fn old_uploads_are_rewritten_and_only_those_of_another_zone_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = SpoolBounds { bytes: 1 << 20, age: Duration::from_secs(100) };
    let table = Arc::new(Table::new(10_000));
    let spool = dir.path().join("spool");
    let mut collector = open(&table, dir.path(), bounds);
    // The oldest upload stays at any age, so the second one grows too old.
    for n in 0..4 {
        fill(&table, n, n + 1);
        collector.collect().unwrap();
        collector.pass(Duration::from_secs(60));
    }
    let sequences =
        |spool: &Path| -> usize { SpoolReader::new(spool).backlog().unwrap().0.try_into().unwrap() };
    assert_eq!(sequences(&spool), 2, "the oldest, which may be in flight, and one for all");
    let mut moved =
        Collector::open(Arc::new(Table::new(9)), Arc::default(), &spool, bounds, "elsewhere").unwrap();
    moved.pass(Duration::from_secs(200));
    moved.collect().unwrap();
    assert_eq!(moved.status.spool_dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn no_upload_is_larger_than_a_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let table = Arc::new(Table::new(100_000));
    let mut collector = open(&table, dir.path(), SpoolBounds::of(1 << 30));
    let mut noise = 1_u64;
    for n in 0..3_000_u16 {
        let [a, b] = n.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
        let said: String = std::iter::from_fn(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some(format!("{:016x}", noise))
        })
        .take(14)
        .collect();
        table.coupling_said(key, Timestamp(5), Field::HttpServer, &said);
        table.station_said(key.mac, Timestamp(5), Field::StpBridge, &said);
    }
    collector.collect().unwrap();
    let (reader, mut uploads) = (SpoolReader::new(&dir.path().join("spool")), 0);
    for item in collector.spool.own_since(0).unwrap() {
        assert!(reader.read(&item).unwrap().unwrap().len() <= CHUNK_BYTES);
        uploads += 1;
    }
    assert!(uploads > 2, "{uploads}");
    assert_eq!(read_all(&dir.path().join("spool")).0, table.snapshot());
}

#[test]
fn what_found_no_room_in_a_smaller_table_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (table, mut collector) = again(dir.path());
    for n in 0..20 {
        fill(&table, n * 10, n * 10 + 10);
        collector.collect().unwrap();
    }
    let known = table.snapshot();
    for _ in 0..2 {
        let table = Arc::new(Table::new(50));
        let bounds = SpoolBounds { bytes: 1 << 30, age: Duration::from_secs(100) };
        let mut collector = open(&table, dir.path(), bounds);
        collector.pass(Duration::from_secs(200));
        collector.collect().unwrap();
        collector.save().unwrap();
    }
    assert_eq!(read_all(&dir.path().join("spool")).0, known);
}
