//! The collector: from the table to the spool, what changed every interval; and the table's checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::checkpoint::{self, CheckpointError, Head};
use super::table::Table;
use crate::census::{EvidenceSet, Segment, Zone};
use crate::sensor::status::Status;
use crate::sensor::upload::feedback::Told;
use crate::sensor::upload::spool::{Bounds, Reader, SpoolError, Writer};
use crate::wire::{CHUNK_BYTES, UPLOAD_SCHEMA, Upload};

/// The JSON of one upload, as far as it can be told before: it then seldom compresses to more than a chunk.
const PART_BYTES: usize = 2 << 20;
/// A chunk, less what its receipt's number takes when it is sent.
const BODY_BYTES: usize = CHUNK_BYTES - 256;
/// Couplings and stations that are taken from the table at once.
const ROWS: usize = 20_000;
/// A quiet sensor still says that it lives.
const HEARTBEAT: Duration = Duration::from_mins(5);

/// Moves changes into the spool, and keeps the table's checkpoint.
#[derive(Debug)]
pub struct Collector {
    table: Arc<Table>,
    status: Arc<Status>,
    spool: Writer,
    zone: String,
    last_put: Option<Instant>,
    checkpoint: Option<PathBuf>,
    /// The number of the newest upload of which the table does not hold all that it says, so that it may not replace
    /// it; 0 where there is none.
    uncovered: u64,
    /// Whether something changed since the last checkpoint.
    changed: bool,
}

/// What was put in.
#[derive(Clone, Copy, Debug)]
struct Stored {
    uploads: usize,
    /// Whether that is all that had changed when it began.
    all: bool,
}

impl Collector {
    /// Opens the spool for the changes of `table`, which begins empty.
    ///
    /// # Errors
    /// Where the spool cannot be opened.
    pub fn open(
        table: Arc<Table>,
        status: Arc<Status>,
        spool: &Path,
        bounds: Bounds,
        zone: &str,
    ) -> Result<Self, SpoolError> {
        let spool = Writer::open(spool, bounds, zone)?;
        let uncovered = spool.own_since(0)?.last().map_or(0, |i| i.sequence);
        let zone = zone.to_owned();
        Ok(Self { table, status, spool, zone, last_put: None, checkpoint: None, uncovered, changed: false })
    }

    /// Fills the table with what it held in the last run, from the checkpoint in the file `path` and from what the
    /// spool took since, and keeps a checkpoint there from now on. What cannot be read is told and passed over.
    ///
    /// # Errors
    /// Where the spool cannot be read.
    pub fn restore(&mut self, path: &Path) -> Result<(), SpoolError> {
        self.checkpoint = Some(path.to_owned());
        let (mut whole, mut uncovered) = (true, 0);
        let since = match checkpoint::load(path, &self.zone, self.spool.epoch(), &self.table) {
            Ok(Some((head, room))) => {
                whole = room;
                if head.epoch == self.spool.epoch() {
                    uncovered = head.uncovered;
                    head.sequence + 1
                } else {
                    // Another life's numbers say nothing of this one's.
                    0
                }
            }
            Ok(None) => 0,
            Err(error) => {
                tracing::warn!("{error}");
                0
            }
        };
        let reader = Reader::new(self.spool.directory());
        for item in self.spool.own_since(since)? {
            let Some(body) = reader.read(&item)? else { continue };
            match Upload::decode(&body) {
                Ok(upload) if upload.zone == self.zone => whole &= self.table.restore(upload.delta, false),
                Ok(_) => whole = false,
                // The sending half sets it aside, counts it and tells; until then it is not replaced.
                Err(_) => uncovered = item.sequence,
            }
        }
        self.uncovered = if whole { uncovered } else { self.spool.next_sequence() - 1 };
        if !self.table.is_empty() {
            tracing::info!("{} couplings of the last run are known again", self.table.len());
        }
        Ok(())
    }

    /// Changes the spool's bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.spool.set_bounds(bounds);
    }

    /// Lets the spool's uploads become older.
    pub fn pass(&mut self, time: Duration) {
        self.spool.pass(time);
    }

    /// Puts what changed since the last call into the spool, and compacts it near its bounds; returns in how many
    /// uploads.
    ///
    /// # Errors
    /// Where the spool takes no more. What it did not take stays in the table and is part of the next call.
    pub fn collect(&mut self) -> Result<usize, SpoolError> {
        let told = Reader::new(self.spool.directory()).told();
        self.status.told(&told);
        let dropped = self.spool.expire()?;
        if dropped > 0 {
            self.status.spool_dropped.fetch_add(dropped, Ordering::Relaxed);
            tracing::error!("{dropped} uploads of another zone were dropped: older than spool.max_age");
        }
        if self.spool.must_repeat(&told) {
            return self.repeat(&told);
        }
        self.spool.learn_recipient(&told)?;
        let stored = self.put_changes(self.last_put.is_none_or(|t| t.elapsed() >= HEARTBEAT))?;
        if self.spool.should_compact()? && self.covers()? {
            self.compact(&told)?;
        }
        Ok(stored.uploads)
    }

    /// Writes the checkpoint, where there is one and something changed since the last.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn save(&mut self) -> Result<(), CheckpointError> {
        let Some(path) = self.checkpoint.as_ref().filter(|p| self.changed || !p.exists()) else {
            return Ok(());
        };
        let head = Head::new(&self.zone, self.spool.epoch(), self.spool.next_sequence() - 1, self.uncovered);
        checkpoint::store(path, &head, &self.table)?;
        self.changed = false;
        Ok(())
    }

    /// Whether the table holds all that the spool's uploads of the zone say.
    fn covers(&self) -> Result<bool, SpoolError> {
        Ok(self.spool.own_since(0)?.first().is_none_or(|i| i.sequence > self.uncovered))
    }

    /// Says everything anew: to somebody who knows nothing, or in place of what was damaged.
    fn repeat(&mut self, told: &Told) -> Result<usize, SpoolError> {
        self.table.requeue_all();
        let stored = self.put_changes(true)?;
        if stored.all {
            self.spool.said(told)?;
        }
        Ok(stored.uploads)
    }

    /// Replaces the zone's uploads by one copy of what they say.
    fn compact(&mut self, told: &Told) -> Result<(), SpoolError> {
        let (until, room) = (self.spool.next_sequence() - 1, self.spool.room()?);
        self.table.requeue_all();
        match self.put_changes(false) {
            Ok(Stored { uploads, all: true }) => {
                self.spool.said(told)?;
                let replaced = self.spool.replace(until)?;
                self.status.spool_compacted.fetch_add(1, Ordering::Relaxed);
                tracing::info!("{replaced} waiting uploads were merged into {uploads}");
                Ok(())
            }
            // So much changes that it is never all: the next call goes on.
            Ok(_) => Ok(()),
            Err(error) => {
                self.spool.could_not_compact(room);
                Err(error)
            }
        }
    }

    /// Puts what changed into the spool; at least one upload where the sensor is to say that it lives.
    fn put_changes(&mut self, alive: bool) -> Result<Stored, SpoolError> {
        let mut uploads = 0;
        // What changes meanwhile may be for the next call.
        for _ in 0..=self.table.len() / ROWS * 3 + 1 {
            let delta = self.table.take_some(ROWS);
            // A delta that is not full came from a look at the whole table.
            let all = delta.couplings.len() + delta.stations.len() < ROWS;
            if !delta.is_empty() || alive && uploads == 0 {
                self.changed |= !delta.is_empty();
                uploads += self.put_all(parts(delta, PART_BYTES))?;
                self.last_put = Some(Instant::now());
            }
            if all {
                return Ok(Stored { uploads, all });
            }
        }
        Ok(Stored { uploads, all: false })
    }

    fn put_all(&mut self, parts: Vec<Zone>) -> Result<usize, SpoolError> {
        let mut parts: Vec<Zone> = parts.into_iter().rev().collect();
        let mut stored = 0;
        while let Some(part) = parts.pop() {
            let upload = self.upload(part);
            let body = upload.encode().map_err(|error| SpoolError::Io { path: "zstd".into(), error });
            let put = match body {
                // Only one row's evidence, or a segment, may be larger; then it is as it is.
                Ok(body) if body.len() > BODY_BYTES && splittable(&upload.delta) => {
                    parts.extend(halves(upload.delta));
                    continue;
                }
                Ok(body) => self.spool.put(&body),
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                self.status.spool_refused.fetch_add(1, Ordering::Relaxed);
                self.status.spool_trouble(Some(error.to_string()));
                self.table.requeue(&upload.delta);
                parts.iter().for_each(|rest| self.table.requeue(rest));
                return Err(error);
            }
            stored += 1;
        }
        self.status.spool_trouble(None);
        Ok(stored)
    }

    fn upload(&self, delta: Zone) -> Upload {
        Upload {
            schema: UPLOAD_SCHEMA.to_owned(),
            epoch: self.spool.epoch().to_owned(),
            sequence: self.spool.next_sequence(),
            zone: self.zone.clone(),
            delta,
            health: self.status.health(self.table.refused()),
        }
    }
}

fn splittable(zone: &Zone) -> bool {
    zone.couplings.len() + zone.stations.len() + usize::from(zone.segment != Segment::default()) > 1
}

/// Two parts of a delta, the second to be sent first. The segment is a part of its own before couplings are split.
fn halves(mut zone: Zone) -> [Zone; 2] {
    let segment = std::mem::take(&mut zone.segment);
    if segment != Segment::default() {
        return [zone, Zone { segment, ..Zone::default() }];
    }
    let mut second = Zone::default();
    if !zone.couplings.is_empty() && !zone.stations.is_empty() {
        second.stations = std::mem::take(&mut zone.stations);
    } else if let Some(middle) = zone.couplings.keys().nth(zone.couplings.len() / 2).copied() {
        second.couplings = zone.couplings.split_off(&middle);
    } else if let Some(middle) = zone.stations.keys().nth(zone.stations.len() / 2).copied() {
        second.stations = zone.stations.split_off(&middle);
    }
    [second, zone]
}

/// Splits a delta so that no part's JSON exceeds `bytes` by more than one row. The segment goes with the first part.
fn parts(delta: Zone, bytes: usize) -> Vec<Zone> {
    let mut all = Vec::new();
    let mut part = Zone { segment: delta.segment, ..Zone::default() };
    let mut size = serde_json::to_vec(&part.segment).map_or(0, |json| json.len());
    for (key, facts) in delta.couplings {
        let row = 250 + evidence_bytes(&facts.evidence);
        if size + row > bytes && size > 0 {
            all.push(std::mem::take(&mut part));
            size = 0;
        }
        size += row;
        part.couplings.insert(key, facts);
    }
    for (mac, facts) in delta.stations {
        let row = 100 + evidence_bytes(&facts.evidence);
        if size + row > bytes && size > 0 {
            all.push(std::mem::take(&mut part));
            size = 0;
        }
        size += row;
        part.stations.insert(mac, facts);
    }
    all.push(part);
    all
}

/// At least the bytes of evidence in JSON: a quoted character takes two.
fn evidence_bytes(evidence: &EvidenceSet) -> usize {
    evidence.iter().map(|e| 80 + 2 * e.value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{CouplingKey, Field, MacAddr, Sign, Timestamp};
    use crate::dissect::Tags;
    use crate::sensor::upload::spool::Reader;

    fn fill(table: &Table, from: u16, to: u16) {
        for n in from..to {
            let [a, b] = n.to_be_bytes();
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
            table.sight(key, Timestamp(5), Timestamp(6), Sign::ArpAsked.into(), Tags::default());
            table.coupling_said(key, Timestamp(5), Field::HttpServer, "\"quoted\"");
        }
    }

    fn read_all(dir: &Path) -> (Zone, Vec<u64>) {
        let (reader, mut zone, mut sequences) = (Reader::new(dir), Zone::default(), Vec::new());
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
            Collector::open(table.clone(), Arc::default(), dir.path(), Bounds::of(1 << 20), "default")
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
            Collector::open(table.clone(), status.clone(), dir.path(), Bounds::of(1), "default").unwrap();
        fill(&table, 0, 10);
        assert!(matches!(collector.collect(), Err(SpoolError::Full { .. })));
        assert_eq!(status.spool_refused.load(Ordering::Relaxed), 1);
        fill(&table, 10, 20);
        collector.set_bounds(Bounds::of(1 << 20));
        assert_eq!(collector.collect().unwrap(), 1);
        assert_eq!(read_all(dir.path()).0, table.snapshot());
    }

    #[test]
    fn a_large_change_is_split_and_comes_together_again() {
        let table = Table::new(10_000);
        fill(&table, 0, 1_000);
        table.station_said(MacAddr([2; 6]), Timestamp(7), Field::StpBridge, "sender");
        let whole = table.snapshot();
        let split = parts(whole.clone(), 20_000);
        assert!(split.len() > 10);
        let mut merged = Zone::default();
        for part in &split {
            assert!(serde_json::to_vec(part).unwrap().len() <= 21_000);
            merged.merge(part);
        }
        assert_eq!(merged, whole);
    }

    fn open(table: &Arc<Table>, dir: &Path, bounds: Bounds) -> Collector {
        let mut collector =
            Collector::open(table.clone(), Arc::default(), &dir.join("spool"), bounds, "default").unwrap();
        collector.restore(&dir.join("inventory")).unwrap();
        collector
    }

    /// Another run on the same disk.
    fn again(dir: &Path) -> (Arc<Table>, Collector) {
        let table = Arc::new(Table::new(10_000));
        let collector = open(&table, dir, Bounds::of(1 << 30));
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
                let (reader, item) = (Reader::new(spool), Reader::new(spool).oldest().unwrap().unwrap());
                reader.put_aside(&item).unwrap();
                reader.tell(&Told { lost: 1, put_aside: 1, ..Told::default() }).unwrap();
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
        let mut collector = open(&table, dir.path(), Bounds::of(bytes));
        let reader = Reader::new(&dir.path().join("spool"));
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

    #[test]
    fn where_merging_makes_no_room_changes_wait_in_memory_and_in_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let table = Arc::new(Table::new(10_000));
        let mut collector = open(&table, dir.path(), Bounds::of(12 << 10));
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
        let bounds = Bounds { bytes: 1 << 20, age: Duration::from_secs(100) };
        let table = Arc::new(Table::new(10_000));
        let spool = dir.path().join("spool");
        let mut collector = open(&table, dir.path(), bounds);
        // The oldest stays whatever its age, so it is the second that grows too old.
        for n in 0..4 {
            fill(&table, n, n + 1);
            collector.collect().unwrap();
            collector.pass(Duration::from_secs(60));
        }
        let sequences =
            |spool: &Path| -> usize { Reader::new(spool).backlog().unwrap().0.try_into().unwrap() };
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
        let mut collector = open(&table, dir.path(), Bounds::of(1 << 30));
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
        let (reader, mut uploads) = (Reader::new(&dir.path().join("spool")), 0);
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
            let bounds = Bounds { bytes: 1 << 30, age: Duration::from_secs(100) };
            let mut collector = open(&table, dir.path(), bounds);
            collector.pass(Duration::from_secs(200));
            collector.collect().unwrap();
            collector.save().unwrap();
        }
        assert_eq!(read_all(&dir.path().join("spool")).0, known);
    }
}
