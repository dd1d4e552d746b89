//! The collector: from the table to the spool, what changed every interval.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::spool::{SpoolError, Writer};
use super::status::Status;
use super::table::Table;
use crate::census::{EvidenceSet, Zone};
use crate::wire::{UPLOAD_SCHEMA, Upload};

/// The JSON of one upload: well below the bounds of the wire even where it does not compress.
const PART_BYTES: usize = 3 << 20;
/// A quiet sensor still says that it lives.
const HEARTBEAT: Duration = Duration::from_mins(5);

/// Moves changes into the spool.
#[derive(Debug)]
pub struct Collector {
    table: Arc<Table>,
    status: Arc<Status>,
    spool: Writer,
    zone: String,
    last_put: Option<Instant>,
}

impl Collector {
    /// Opens the spool for the changes of `table`.
    ///
    /// # Errors
    /// Where the spool cannot be opened.
    pub fn open(
        table: Arc<Table>,
        status: Arc<Status>,
        spool: &Path,
        max_bytes: u64,
        zone: &str,
    ) -> Result<Self, SpoolError> {
        let spool = Writer::open(spool, max_bytes)?;
        Ok(Self { table, status, spool, zone: zone.to_owned(), last_put: None })
    }

    /// Changes the spool's bound.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.spool.set_max_bytes(max_bytes);
    }

    /// Puts what changed since the last call into the spool; returns in how many uploads.
    ///
    /// # Errors
    /// Where the spool takes no more. What it did not take stays in the table and is part of the next call.
    pub fn collect(&mut self) -> Result<usize, SpoolError> {
        let delta = self.table.take_delta();
        if delta.is_empty() && self.last_put.is_some_and(|t| t.elapsed() < HEARTBEAT) {
            return Ok(0);
        }
        let mut parts = parts(delta, PART_BYTES).into_iter();
        let mut stored = 0;
        while let Some(part) = parts.next() {
            if let Err(error) = self.put(&part) {
                self.status.spool_refused.fetch_add(1, Ordering::Relaxed);
                self.table.requeue(&part);
                parts.for_each(|rest| self.table.requeue(&rest));
                return Err(error);
            }
            stored += 1;
        }
        self.last_put = Some(Instant::now());
        Ok(stored)
    }

    fn put(&mut self, delta: &Zone) -> Result<(), SpoolError> {
        let upload = Upload {
            schema: UPLOAD_SCHEMA.to_owned(),
            epoch: self.spool.epoch().to_owned(),
            sequence: self.spool.next_sequence(),
            zone: self.zone.clone(),
            delta: delta.clone(),
            health: self.status.health(self.table.refused()),
        };
        let body = upload.encode().map_err(|error| SpoolError::Io { path: "zstd".into(), error })?;
        self.spool.put(&body)
    }
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
    use super::super::spool::Reader;
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
        let (reader, mut zone, mut sequences) = (Reader::new(dir), Zone::default(), Vec::new());
        while let Some(item) = reader.oldest().unwrap() {
            let upload = Upload::decode(&reader.read(&item).unwrap()).unwrap();
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
            Collector::open(table.clone(), Arc::default(), dir.path(), 1 << 20, "default").unwrap();
        fill(&table, 0, 10);
        assert_eq!(collector.collect().unwrap(), 1);
        assert_eq!(collector.collect().unwrap(), 0);
        assert_eq!(read_all(dir.path()), (table.snapshot(), vec![1]));
    }

    #[test]
    fn what_a_full_spool_refuses_is_counted_and_comes_later() {
        let dir = tempfile::tempdir().unwrap();
        let (table, status) = (Arc::new(Table::new(1_000)), Arc::new(Status::default()));
        let mut collector = Collector::open(table.clone(), status.clone(), dir.path(), 1, "default").unwrap();
        fill(&table, 0, 10);
        assert!(matches!(collector.collect(), Err(SpoolError::Full { .. })));
        assert_eq!(status.spool_refused.load(Ordering::Relaxed), 1);
        fill(&table, 10, 20);
        collector.set_max_bytes(1 << 20);
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
}
