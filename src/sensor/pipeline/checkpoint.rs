//! The checkpoint: the table on disk, so that the inventory survives a restart.
//!
//! One file beside the spool, replaced as a whole every few minutes and at the end. The checkpoint and the uploads put
//! into the spool since together give the table. The checkpoint also records which rows no delta has taken, so these
//! are delivered after a restart.
//!
//! The file is JSON, one line for each part, compressed by zstd with a checksum. The first line is the
//! [`CheckpointHead`], the last shows that the file is complete. The sensor checks the whole file before it uses any of
//! it. It moves a damaged or truncated file aside and starts with the content of the spool; the plan service has the
//! rest.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::census::Zone;

const SCHEMA: &str = "netcensus.checkpoint/1";
/// Maximum number of couplings or stations in a line.
const ROWS: usize = 1_000;
/// Maximum length of a line: [`ROWS`] rows with all their evidence take less.
const LINE_BYTES: u64 = 64 << 20;
const LEVEL: i32 = 3;

/// Why a checkpoint cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}: {error}; give the sensor a writable state_directory with free space", path.display())]
    Io { path: PathBuf, error: io::Error },
    /// The file is damaged, or has another version.
    #[error(
        "{}: cannot read the inventory of the last run ({reason}); the sensor starts without it, and the plan service keeps its facts",
        path.display()
    )]
    Damaged { path: PathBuf, reason: String },
}

/// The first line of a checkpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CheckpointHead {
    schema: String,
    /// The zone of its facts.
    pub zone: String,
    /// The spool's epoch: with another epoch, nothing is known about what was sent.
    pub epoch: String,
    /// The number of the newest upload whose facts it holds.
    pub sequence: u64,
    /// The number of the newest upload with facts that found no room in the table; otherwise 0.
    #[serde(default)]
    pub uncovered: u64,
}

#[derive(Debug, Deserialize, Serialize)]
struct Part {
    pending: bool,
    zone: Zone,
}

#[derive(Debug, Deserialize, Serialize)]
struct End {
    parts: u64,
}

impl CheckpointHead {
    pub(super) fn new(zone: &str, epoch: &str, sequence: u64, uncovered: u64) -> Self {
        let (zone, epoch) = (zone.to_owned(), epoch.to_owned());
        Self { schema: SCHEMA.to_owned(), zone, epoch, sequence, uncovered }
    }
}

/// Replaces the checkpoint at `path`, whole or not at all.
///
/// # Errors
/// If the file system refuses; the old checkpoint stays.
pub(crate) fn store(path: &Path, head: &CheckpointHead, table: &Table) -> Result<(), CheckpointError> {
    write(path, head, table).map_err(|error| CheckpointError::Io { path: path.to_owned(), error })
}

fn write(path: &Path, head: &CheckpointHead, table: &Table) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(directory)?;
    // `tempfile` creates it with mode 0600 and removes it if writing fails.
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory)?;
    let mut out = zstd::stream::write::Encoder::new(file.as_file_mut(), LEVEL)?;
    out.include_checksum(true)?;
    line(&mut out, head)?;
    let mut parts = 0;
    table.parts(ROWS, &mut |zone, pending| {
        if zone.is_empty() && !pending {
            return Ok(());
        }
        parts += 1;
        line(&mut out, &Part { pending, zone })
    })?;
    line(&mut out, &End { parts })?;
    out.finish()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(directory)?.sync_all()
}

/// Prefix of the last line.
const END: &[u8] = b"{\"parts\":";

/// Prefix of a temporary file's name.
const PREFIX: &str = ".inventory-";

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Joins the checkpoint at `path` with the table. Returns its head and whether every fact found room, or `None` without
/// a checkpoint of `zone`. Facts are part of the next delta if no delta took them, or if the epoch differs.
///
/// # Errors
/// [`CheckpointError::Damaged`] before anything was joined; the file is moved aside.
pub(crate) fn load(
    path: &Path,
    zone: &str,
    epoch: &str,
    table: &Table,
) -> Result<Option<(CheckpointHead, bool)>, CheckpointError> {
    let io_error = |error| CheckpointError::Io { path: path.to_owned(), error };
    for left in path.parent().into_iter().filter_map(|d| fs::read_dir(d).ok()).flatten().flatten() {
        // Left by a sensor that was killed while it wrote.
        if left.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_file(left.path()).map_err(io_error)?;
        }
    }
    if !path.try_exists().map_err(io_error)? {
        return Ok(None);
    }
    let file = || File::open(path).map_err(io_error);
    match check(file()?) {
        Ok(head) if head.zone != zone => Ok(None),
        Ok(head) => {
            let room = merge(file()?, head.epoch != epoch, table).map_err(|e| damaged(path, &e))?;
            Ok(Some((head, room)))
        }
        // The disk failed; the file may be good.
        Err(e) if e.raw_os_error().is_some() => Err(io_error(e)),
        Err(e) => {
            // Keep one damaged file for a person to look at.
            fs::rename(path, path.with_extension("bad")).map_err(io_error)?;
            Err(damaged(path, &e))
        }
    }
}

fn damaged(path: &Path, error: &io::Error) -> CheckpointError {
    CheckpointError::Damaged { path: path.to_owned(), reason: error.to_string() }
}

/// Reads a checkpoint to the end without using it.
///
/// # Errors
/// If it is damaged, truncated or of another version.
pub fn check(input: impl Read) -> io::Result<CheckpointHead> {
    let mut parts = 0_u64;
    let (head, end) = read_lines(input, &mut |_| {
        parts += 1;
        Ok(())
    })?;
    if end.parts == parts { Ok(head) } else { Err(bad("parts are missing")) }
}

/// Joins a checkpoint with the table; returns whether every fact found room. With `repeat`, all facts are part of the
/// next delta.
///
/// # Errors
/// If the checkpoint is damaged. The table then holds what came before the damage, so [`check`] first.
pub fn merge(input: impl Read, repeat: bool, table: &Table) -> io::Result<bool> {
    let mut room = true;
    read_lines(input, &mut |line| {
        let mut part: Part = serde_json::from_slice(line)?;
        part.zone.normalise();
        room &= table.restore(part.zone, part.pending || repeat);
        Ok(())
    })?;
    Ok(room)
}

/// Reads to the end, which verifies the checksum; `each` gets the lines between head and end.
#[expect(clippy::disallowed_methods, reason = "the length of a line is limited, and only one is held")]
fn read_lines(
    input: impl Read,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(CheckpointHead, End)> {
    let mut input = BufReader::new(zstd::stream::read::Decoder::new(input)?);
    let (mut line, mut head, mut end) = (Vec::new(), None, None);
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if end.is_some() || line.last() != Some(&b'\n') {
            return Err(bad("a line is too long, or follows the last line"));
        }
        match &head {
            None => {
                let first: CheckpointHead = serde_json::from_slice(&line)?;
                if first.schema != SCHEMA {
                    return Err(bad("it has another version"));
                }
                head = Some(first);
            }
            Some(_) if line.starts_with(END) => end = Some(serde_json::from_slice::<End>(&line)?),
            Some(_) => each(&line)?,
        }
    }
    head.zip(end).ok_or_else(|| bad("it is truncated"))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{CouplingKey, Field, MacAddr, Sign, Timestamp};
    use crate::dissect::Tags;

    fn table(couplings: u16) -> Table {
        let table = Table::new(10_000);
        for n in 0..couplings {
            let [a, b] = n.to_be_bytes();
            let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
            table.sight(key, Timestamp(5), Timestamp(6), Sign::ArpAsked.into(), Tags::default());
            table.coupling_said(key, Timestamp(5), Field::HttpServer, "s");
            table.station_said(key.mac, Timestamp(7), Field::StpBridge, "sender");
        }
        table.learn(|s| s.span(Timestamp(1), Timestamp(9)));
        table
    }

    fn head() -> CheckpointHead {
        CheckpointHead::new("z", "e", 7, 0)
    }

    #[test]
    fn a_table_comes_back_as_it_was_and_knows_what_was_sent() {
        let dir = tempfile::tempdir().unwrap();
        let (path, table) = (dir.path().join("inventory"), table(2_500));
        table.take_some(1_700, None);
        store(&path, &head(), &table).unwrap();
        let restored = Table::new(10_000);
        assert_eq!(load(&path, "z", "e", &restored).unwrap(), Some((head(), true)));
        assert_eq!(restored.snapshot(), table.snapshot());
        let pending = table.take_delta();
        assert!(!pending.is_empty());
        assert_eq!(restored.take_delta(), pending);
        // With another epoch, nothing is known about what was sent.
        let restored = Table::new(10_000);
        load(&path, "z", "e2", &restored).unwrap();
        assert_eq!(restored.take_delta(), table.snapshot());
        assert_eq!(load(&path, "other", "e", &restored).unwrap(), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_found_before_anything_is_used_and_the_file_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inventory");
        store(&path, &head(), &table(3)).unwrap();
        let good = fs::read(&path).unwrap();
        let whole = table(3).snapshot();
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            for bytes in [&damaged, &good[..at]] {
                fs::write(&path, bytes).unwrap();
                let restored = Table::new(10);
                match load(&path, "z", "e", &restored) {
                    // A bit of the zstd frame header that does not change the content.
                    Ok(_) => assert_eq!(restored.snapshot(), whole, "at {at}"),
                    Err(e) => {
                        assert!(e.to_string().contains("starts without it"), "{e}");
                        assert!(restored.is_empty() && !path.exists() && path.with_extension("bad").exists());
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_killed_sensor_left_is_removed_and_what_has_no_room_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inventory");
        fs::write(dir.path().join(".inventory-x"), b"half").unwrap();
        assert_eq!(load(&path, "z", "e", &Table::new(10)).unwrap(), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        store(&path, &head(), &table(20)).unwrap();
        assert_eq!(load(&path, "z", "e", &Table::new(10)).unwrap(), Some((head(), false)));
    }
}
