//! The capture half's side of the spool.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file::{STATE, bytes, file_name, list, make_private, random_epoch, remove, replace, sync};
use super::{QueuedUpload, SpoolBounds, SpoolError, at};
use crate::sensor::indicator_set;
use crate::sensor::upload::feedback::{self, Feedback};

/// Number of waiting uploads above which the spool is compacted: more than a day of them.
const FILES: usize = 4_096;
/// Number of waiting uploads above which they are merged while none is delivered.
const WAITING: usize = 8;

/// `state.json`. Fields that an older version did not write are empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Record {
    epoch: String,
    sequence: u64,
    /// Seconds in which a writer ran.
    lived: u64,
    /// The zone, and the number of its first upload since the sensor watches it.
    zone: String,
    zone_since: u64,
    /// The feedback when everything was last put in: see [`SpoolWriter::must_repeat`].
    recipient: String,
    lost: u64,
}

/// Puts uploads into the spool.
#[derive(Debug)]
pub struct SpoolWriter {
    directory: PathBuf,
    bounds: SpoolBounds,
    record: Record,
    /// Time that passed, less the whole seconds in the record.
    rest: Duration,
    /// Whether the epoch began now, so that nothing is known about what was sent before.
    new: bool,
    /// Compact above these numbers of bytes and files; they grow if compacting did not help.
    compact_above: (u64, usize),
    /// Bytes of room that were not enough to compact.
    too_little: u64,
    /// Merge above this number of waiting uploads: twice as many as the last merge left, so that the work of all merges
    /// grows with the uploads that were put in.
    merge_above: usize,
    /// The oldest upload when the writer looked last.
    oldest: Option<u64>,
}

impl SpoolWriter {
    /// Opens the spool for a zone's uploads and creates it if it is missing. Removes files that an earlier writer left
    /// half-written.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn open(directory: &Path, bounds: SpoolBounds, zone: &str) -> Result<Self, SpoolError> {
        for path in [directory.to_owned(), directory.join("tmp"), directory.join("bad")] {
            make_private(&path).map_err(at(&path))?;
        }
        let tmp = directory.join("tmp");
        for entry in fs::read_dir(&tmp).map_err(at(&tmp))?.flatten() {
            // The upload half may be writing its feedback, or a set of indicators.
            if entry.file_name() != feedback::FILE && entry.file_name() != indicator_set::FILE {
                fs::remove_file(entry.path()).map_err(at(&entry.path()))?;
            }
        }
        let waiting = list(directory)?;
        let newest = waiting.last().map_or(0, |u| u.sequence);
        let lived = waiting.iter().map(|u| u.lived).max().unwrap_or_default();
        let known =
            fs::read(directory.join(STATE)).ok().and_then(|b| serde_json::from_slice::<Record>(&b).ok());
        let known = known.filter(|record| !record.epoch.is_empty());
        let new = known.is_none();
        let mut record = match known {
            Some(record) => {
                Record { sequence: record.sequence.max(newest), lived: record.lived.max(lived), ..record }
            }
            // Without a record, any number may have been used: begin a new epoch.
            None => {
                let epoch = random_epoch().map_err(at(directory))?;
                let lost = Feedback::load(directory).lost;
                Record { epoch, sequence: newest, lived, lost, ..Record::default() }
            }
        };
        if record.zone != zone {
            record.zone = zone.to_owned();
            record.zone_since = record.sequence + 1;
        }
        let writer = Self {
            directory: directory.to_owned(),
            bounds,
            record,
            rest: Duration::ZERO,
            new,
            compact_above: (0, FILES),
            too_little: 0,
            merge_above: WAITING,
            oldest: None,
        };
        writer.save()?;
        Ok(writer)
    }

    /// The epoch of the sequence numbers: a random number in hex.
    pub fn epoch(&self) -> &str {
        &self.record.epoch
    }

    /// The number of the next upload.
    pub fn next_sequence(&self) -> u64 {
        self.record.sequence + 1
    }

    /// The spool's directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds to the age of all uploads.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.rest = self.rest.saturating_add(time);
        self.record.lived = self.record.lived.saturating_add(self.rest.as_secs());
        self.rest = Duration::from_nanos(self.rest.subsec_nanos().into());
    }

    /// Puts an upload in, durably. `body` must bear [`Self::next_sequence`].
    ///
    /// # Errors
    /// [`SpoolError::Full`] if there is not enough room; nothing is dropped to make room.
    pub fn put(&mut self, body: &[u8]) -> Result<(), SpoolError> {
        if bytes(&self.directory)? + body.len() as u64 > self.bounds.bytes {
            return Err(SpoolError::Full { max: self.bounds.bytes });
        }
        let sequence = self.next_sequence();
        self.record.sequence = sequence;
        self.save()?;
        replace(&self.directory, &file_name(sequence, self.record.lived), body)
    }

    /// Changes the limits.
    pub(crate) fn set_bounds(&mut self, bounds: SpoolBounds) {
        self.bounds = bounds;
    }

    /// The zone's waiting uploads from number `since` on, oldest first.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) fn own_since(&self, since: u64) -> Result<Vec<QueuedUpload>, SpoolError> {
        let mut uploads = list(&self.directory)?;
        uploads.retain(|u| u.sequence >= self.record.zone_since.max(since));
        Ok(uploads)
    }

    /// Whether the whole table must be put in again: the epoch is new, another service receives the uploads, or an
    /// upload was lost. Holds until [`Self::repeated`].
    pub(crate) fn must_repeat(&self, feedback: &Feedback) -> bool {
        let others = !self.record.recipient.is_empty() && self.record.recipient != feedback.recipient;
        self.new || others && !feedback.recipient.is_empty() || self.record.lost < feedback.lost
    }

    /// Records that the whole table was put in after `feedback`.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn repeated(&mut self, feedback: &Feedback) -> Result<(), SpoolError> {
        if !feedback.recipient.is_empty() {
            self.record.recipient.clone_from(&feedback.recipient);
        }
        self.record.lost = self.record.lost.max(feedback.lost);
        self.save()?;
        self.new = false;
        Ok(())
    }

    /// Records who receives the uploads, unless a recipient is recorded already.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn learn_recipient(&mut self, feedback: &Feedback) -> Result<(), SpoolError> {
        if !self.record.recipient.is_empty() || feedback.recipient.is_empty() {
            return Ok(());
        }
        self.record.recipient.clone_from(&feedback.recipient);
        self.save()
    }

    /// Whether a limit is near, so that the zone's uploads should be replaced by one copy of the table.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) fn should_compact(&mut self) -> Result<bool, SpoolError> {
        let uploads = list(&self.directory)?;
        let own: Vec<&QueuedUpload> =
            uploads.iter().skip(1).filter(|u| u.sequence >= self.record.zone_since).collect();
        if own.iter().any(|u| self.age(u) > self.bounds.age) {
            return Ok(true);
        }
        let used = bytes(&self.directory)?;
        if used < self.bounds.bytes / 4 && own.len() < FILES / 4 {
            // The spool has drained: forget the failed attempts.
            (self.compact_above, self.too_little) = ((0, FILES), 0);
        }
        let (above, files) = self.compact_above;
        let near = used > above.max(self.bounds.bytes / 4 * 3) || own.len() > files;
        Ok(own.len() > 1 && near && self.bounds.bytes.saturating_sub(used) > self.too_little)
    }

    /// The zone's waiting uploads that should become one change, oldest first; empty if there are few, if an upload was
    /// delivered since the last call, or if there is no room for twice as many bytes. The oldest upload is not among them, as
    /// for [`Self::replace`].
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) fn mergeable(&mut self) -> Result<Vec<QueuedUpload>, SpoolError> {
        let uploads = list(&self.directory)?;
        let oldest = uploads.first().map(|u| u.sequence);
        let stuck = oldest.is_some() && std::mem::replace(&mut self.oldest, oldest) == oldest;
        let mut own: Vec<QueuedUpload> =
            uploads.into_iter().skip(1).filter(|u| u.sequence >= self.record.zone_since).collect();
        self.merge_above = self.merge_above.min(WAITING.max(2 * own.len()));
        if !stuck || own.len() <= self.merge_above {
            return Ok(Vec::new());
        }
        let size: u64 = own.iter().filter_map(|u| fs::metadata(&u.path).ok()).map(|m| m.len()).sum();
        if self.room()? < size.saturating_mul(2) {
            own.clear();
        }
        Ok(own)
    }

    /// Records that as many waiting uploads cannot be merged into fewer: they were put in at once, or a merge failed.
    pub(crate) fn cannot_merge(&mut self, uploads: usize) {
        self.merge_above = self.merge_above.max(uploads.saturating_mul(2));
    }

    /// Removes the zone's uploads up to number `until`, after all their facts were put in again. Keeps the oldest
    /// upload: the upload half may be sending it, and learns from its receipt what the service has. After a crash at
    /// any point some facts are in twice.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn replace(&mut self, until: u64) -> Result<usize, SpoolError> {
        let removed = self.replace_merged(until)?;
        self.compact_above = (2 * bytes(&self.directory)?, FILES.max(2 * list(&self.directory)?.len()));
        self.too_little = 0;
        Ok(removed)
    }

    /// As [`Self::replace`], after the uploads were merged. A merge changes no limit of compacting.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn replace_merged(&mut self, until: u64) -> Result<usize, SpoolError> {
        let mut removed = 0;
        for upload in list(&self.directory)?.iter().skip(1) {
            if (self.record.zone_since..=until).contains(&upload.sequence) {
                remove(&upload.path)?;
                removed += 1;
            }
        }
        sync(&self.directory)?;
        self.merge_above = WAITING.max(2 * list(&self.directory)?.len());
        Ok(removed)
    }

    /// Records that `room` bytes were not enough to compact. It is tried again when there is more.
    pub(crate) fn could_not_compact(&mut self, room: u64) {
        self.too_little = self.too_little.max(room);
    }

    /// How many bytes may still be put in.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) fn room(&self) -> Result<u64, SpoolError> {
        Ok(self.bounds.bytes.saturating_sub(bytes(&self.directory)?))
    }

    /// Drops uploads that are too old and belong to a zone that the sensor no longer watches; returns how many.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn expire(&self) -> Result<u64, SpoolError> {
        let mut dropped = 0;
        for upload in list(&self.directory)? {
            if upload.sequence < self.record.zone_since && self.age(&upload) > self.bounds.age {
                remove(&upload.path)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    fn age(&self, upload: &QueuedUpload) -> Duration {
        Duration::from_secs(self.record.lived.saturating_sub(upload.lived))
    }

    fn save(&self) -> Result<(), SpoolError> {
        let json = serde_json::to_vec(&self.record).map_err(|e| at(&self.directory)(e.into()))?;
        replace(&self.directory, STATE, &json)
    }
}
