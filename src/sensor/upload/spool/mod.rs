//! The spool: uploads on disk between the capture half and the upload half.
//!
//! A directory with one compressed upload a file, named by its sequence number, so that names sort by age:
//!
//! ```text
//! spool/
//!   00000000000000000042-0000086400.upload   a body, ready to be sent; deleted once it is acknowledged
//!   state.json    the epoch, the highest sequence number ever given out, the seconds a writer ran
//!   told.json     what the upload half reports to the capture half, see `feedback`
//!   indicators.set   the plan service's set of indicators, see `crate::sensor::indicator_set`
//!   tmp/          files that are being written
//!   bad/          damaged or refused uploads, for a person to look at; the newest 32
//! ```
//!
//! A file appears whole or not at all: it is written in `tmp/`, synced, renamed, and the directory is synced. The
//! number is recorded before the file appears, so no number is used twice, whatever is deleted or crashes; a crash
//! between the two leaves a gap in the numbers, which is harmless. One process writes ([`SpoolWriter`]), one reads
//! ([`SpoolReader`]); they share only the directory. A file holds the body as it is sent, which ends with a checksum;
//! the reader moves damaged or truncated files to `bad/`.
//!
//! # Limits
//!
//! While no upload is delivered, the collector merges those that wait: it takes their facts from the table again, puts
//! them in as one change, and removes the uploads that this replaces. It does so when their number has doubled, so a day
//! of outage leaves a handful of uploads, and all merges together write about as much as the changes themselves.
//!
//! The spool is limited by bytes, number of files and age. Near a limit, the collector puts the whole table in, which
//! is the join of all uploads of its zone, and `SpoolWriter::replace` removes these: no fact is lost. If that does
//! not make room, [`SpoolWriter::put`] refuses, and the change stays in the table and in its checkpoint. The spool drops
//! only uploads whose facts no table holds: those of a zone that this sensor no longer watches, when they exceed the
//! maximum age. Dropped uploads are counted and shown. Age is the time in which the sensor ran, so a clock that jumps
//! drops nothing.
//!
//! # Why no embedded store
//!
//! Such a store (redb, fjall, SQLite) would hold one body under one number, written once, read once, deleted. The file
//! system does that with `rename` and `fsync`, without a format of ours: the name is a number, the content is what
//! crosses the network. Two processes of different users share the directory without a lock, a damaged file costs one
//! upload, a full disk refuses one file, and `ls` shows what waits. A store in one file offers none of these.

mod file;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::file::make_private;
pub(super) use self::file::{random_epoch, sync};
pub use self::reader::SpoolReader;
pub use self::writer::SpoolWriter;

/// How much may wait, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpoolBounds {
    /// Bytes of all uploads, including those in `bad/`.
    pub bytes: u64,
    /// Age of an upload.
    pub age: Duration,
}

impl SpoolBounds {
    /// At most `bytes`, of any age.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, age: Duration::MAX }
    }
}

/// One waiting upload.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct QueuedUpload {
    pub sequence: u64,
    /// How many seconds a writer of this spool had run when the upload was put in.
    pub lived: u64,
    pub path: PathBuf,
}

/// Why the spool refused an operation.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error(
        "the spool is full at {max} bytes, so changes stay in memory until uploads make room; let the sensor upload, or raise spool.max_mib"
    )]
    Full {
        /// In bytes.
        max: u64,
    },
    #[error("{}: {error}; give the sensor a writable spool.directory with free space", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn at(path: &Path) -> impl Fn(io::Error) -> SpoolError + '_ {
    move |error| SpoolError::Io { path: path.to_owned(), error }
}
