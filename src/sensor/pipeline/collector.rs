//! The collector: moves what changed from the table into the spool, and writes the table's checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::checkpoint::{self, CheckpointError, CheckpointHead};
use super::freshness::Freshness;
use super::split::{halves, is_splittable, parts};
use super::table::Table;
use crate::census::Zone;
use crate::sensor::status::Status;
use crate::sensor::upload::feedback::Feedback;
use crate::sensor::upload::spool::{QueuedUpload, SpoolBounds, SpoolError, SpoolReader, SpoolWriter};
use crate::wire::{CHUNK_BYTES, UPLOAD_SCHEMA, Upload};

/// Estimated JSON of one upload: so much seldom compresses to more than a chunk.
const PART_BYTES: usize = 2 << 20;
/// A chunk, less the room for the receipt number that the upload half adds.
const BODY_BYTES: usize = CHUNK_BYTES - 256;
/// Maximum number of couplings and stations taken from the table at once.
const ROWS: usize = 20_000;
/// Without changes, the sensor sends an empty upload this often to show that it runs.
const HEARTBEAT: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub struct Collector {
    table: Arc<Table>,
    status: Arc<Status>,
    spool: SpoolWriter,
    zone: String,
    last_put: Option<Instant>,
    checkpoint: Option<PathBuf>,
    /// The number of the newest upload with facts that the table lacks, so that the table must not replace it; 0 if
    /// there is no such upload.
    uncovered: u64,
    /// Whether something changed since the last checkpoint.
    changed: bool,
    freshness: Freshness,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    uploads: usize,
    /// Whether everything that had changed at the start was put in.
    all: bool,
}

impl Collector {
    /// Opens the spool for the changes of `table`, which is empty.
    ///
    /// # Errors
    /// If the spool cannot be opened.
    pub fn open(
        table: Arc<Table>,
        status: Arc<Status>,
        spool: &Path,
        bounds: SpoolBounds,
        zone: &str,
    ) -> Result<Self, SpoolError> {
        let spool = SpoolWriter::open(spool, bounds, zone)?;
        let uncovered = spool.own_since(0)?.last().map_or(0, |i| i.sequence);
        let zone = zone.to_owned();
        let (last_put, checkpoint, changed, freshness) = (None, None, false, Freshness::default());
        Ok(Self { table, status, spool, zone, last_put, checkpoint, uncovered, changed, freshness })
    }

    /// Fills the table with its content of the last run: the checkpoint in the file `path`, and the uploads put into the
    /// spool since. From now on [`Self::save`] writes to `path`. Logs a checkpoint that cannot be read, and continues.
    ///
    /// # Errors
    /// If the spool cannot be read.
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
                    // The numbers of another epoch mean nothing here.
                    0
                }
            }
            Ok(None) => 0,
            Err(error) => {
                tracing::warn!("{error}");
                0
            }
        };
        let reader = SpoolReader::new(self.spool.directory());
        for item in self.spool.own_since(since)? {
            let Some(body) = reader.read(&item)? else { continue };
            match Upload::decode(&body) {
                Ok(upload) if upload.zone == self.zone => whole &= self.table.restore(upload.delta, false),
                Ok(_) => whole = false,
                // The upload half will move it to bad/ and report it; until then it must not be replaced.
                Err(_) => uncovered = item.sequence,
            }
        }
        self.uncovered = if whole { uncovered } else { self.spool.next_sequence() - 1 };
        if !self.table.is_empty() {
            tracing::info!("restored {} couplings of the last run", self.table.held());
        }
        Ok(())
    }

    /// Changes the spool's limits.
    pub fn set_bounds(&mut self, bounds: SpoolBounds) {
        self.spool.set_bounds(bounds);
    }

    /// Changes how long sightings wait; at first they do not.
    pub fn set_freshness(&mut self, freshness: Freshness) {
        self.freshness = freshness;
    }

    /// Adds to the age of the spool's uploads.
    pub fn pass(&mut self, time: Duration) {
        self.spool.pass(time);
    }

    /// As [`Self::collect`], for the last time: no sighting waits.
    ///
    /// # Errors
    /// Those of [`Self::collect`].
    pub fn collect_all(&mut self) -> Result<usize, SpoolError> {
        self.freshness = Freshness::default();
        self.collect()
    }

    /// Puts what changed since the last call into the spool, except for sightings that wait ([`Self::set_freshness`]). Merges
    /// waiting uploads, and compacts the spool near its limits. Returns the number of uploads.
    ///
    /// # Errors
    /// If the spool refuses a part. Refused changes stay in the table for the next call.
    pub fn collect(&mut self) -> Result<usize, SpoolError> {
        let feedback = SpoolReader::new(self.spool.directory()).feedback();
        self.status.set_feedback(&feedback);
        let dropped = self.spool.expire()?;
        if dropped > 0 {
            self.status.spool_dropped.fetch_add(dropped, Ordering::Relaxed);
            tracing::error!("dropped {dropped} uploads of another zone, which were older than spool.max_age");
        }
        if self.spool.must_repeat(&feedback) {
            return self.repeat(&feedback);
        }
        self.spool.learn_recipient(&feedback)?;
        let stored = self.put_changes(self.last_put.is_none_or(|t| t.elapsed() >= HEARTBEAT))?;
        self.spool.cannot_merge(stored.uploads);
        if !self.covers()? {
            return Ok(stored.uploads);
        }
        if self.spool.should_compact()? {
            self.compact(&feedback)?;
        } else {
            let waiting = self.spool.mergeable()?;
            if !waiting.is_empty() {
                self.merge(&waiting)?;
            }
        }
        Ok(stored.uploads)
    }

    /// Writes the checkpoint, if [`Self::restore`] named a file and something changed since the last one.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&mut self) -> Result<(), CheckpointError> {
        let Some(path) = self.checkpoint.as_ref().filter(|p| self.changed || !p.exists()) else {
            return Ok(());
        };
        let head = CheckpointHead::new(
            &self.zone,
            self.spool.epoch(),
            self.spool.next_sequence() - 1,
            self.uncovered,
        );
        checkpoint::store(path, &head, &self.table)?;
        self.changed = false;
        Ok(())
    }

    /// Whether the table holds all facts of the zone's uploads in the spool.
    fn covers(&self) -> Result<bool, SpoolError> {
        Ok(self.spool.own_since(0)?.first().is_none_or(|i| i.sequence > self.uncovered))
    }

    /// Puts the whole table in again: for a service that does not have the facts, or after an upload was lost.
    fn repeat(&mut self, feedback: &Feedback) -> Result<usize, SpoolError> {
        self.table.requeue_all();
        let stored = self.put_changes(true)?;
        if stored.all {
            self.spool.repeated(feedback)?;
        }
        Ok(stored.uploads)
    }

    /// Replaces the zone's uploads by one copy of the table.
    fn compact(&mut self, feedback: &Feedback) -> Result<(), SpoolError> {
        let (until, room) = (self.spool.next_sequence() - 1, self.spool.room()?);
        self.table.requeue_all();
        match self.put_changes(false) {
            Ok(Stored { uploads, all: true }) => {
                self.spool.repeated(feedback)?;
                let replaced = self.spool.replace(until)?;
                self.status.spool_compacted.fetch_add(1, Ordering::Relaxed);
                tracing::info!("merged {replaced} waiting uploads into {uploads}");
                Ok(())
            }
            // The table changes too fast to copy all of it: the next call continues.
            Ok(_) => Ok(()),
            Err(error) => {
                self.spool.could_not_compact(room);
                Err(error)
            }
        }
    }

    /// Replaces waiting uploads by one change with the facts of all of them, which the table has joined. Reads one of them at
    /// a time.
    fn merge(&mut self, waiting: &[QueuedUpload]) -> Result<(), SpoolError> {
        let until = self.spool.next_sequence() - 1;
        self.spool.cannot_merge(waiting.len());
        let reader = SpoolReader::new(self.spool.directory());
        for item in waiting {
            let Some(body) = reader.read(item)? else { continue };
            match Upload::decode(&body) {
                Ok(upload) if upload.zone == self.zone => self.table.requeue(&upload.delta),
                // The upload half will move it to bad/ and report it; until then it must not be replaced.
                _ => return Ok(()),
            }
        }
        let Stored { uploads, all } = self.put_changes(false)?;
        if all {
            let replaced = self.spool.replace_merged(until)?;
            self.status.spool_compacted.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("merged {replaced} waiting uploads into {uploads}");
        }
        Ok(())
    }

    /// Puts changes into the spool; if `alive`, at least one upload even without changes.
    fn put_changes(&mut self, alive: bool) -> Result<Stored, SpoolError> {
        let mut uploads = 0;
        // If no frame comes any more, no sighting waits for one.
        let due = if alive { None } else { self.table.due(self.freshness) };
        // Changes that come in meanwhile may wait for the next call.
        for _ in 0..=self.table.held() / ROWS * 3 + 1 {
            let delta = self.table.take_some(ROWS, due.as_ref());
            // A delta that is not full covers the whole table.
            let all = delta.rows() + delta.conduct.0.len() < ROWS;
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
                // A single row or segment cannot be split and may be larger.
                Ok(body) if body.len() > BODY_BYTES && is_splittable(&upload.delta) => {
                    parts.extend(halves(upload.delta));
                    continue;
                }
                Ok(body) => self.spool.put(&body),
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                self.status.spool_refused.fetch_add(1, Ordering::Relaxed);
                self.status.set_spool_problem(Some(error.to_string()));
                self.table.requeue(&upload.delta);
                parts.iter().for_each(|rest| self.table.requeue(rest));
                return Err(error);
            }
            stored += 1;
        }
        self.status.set_spool_problem(None);
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

#[cfg(test)]
mod tests;
