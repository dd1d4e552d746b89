//! The checkpoint: the table on disk, so that the inventory survives a restart.
//!
//! One file beside the spool, replaced whole every some minutes and at the end. With what the spool took since, it is
//! the table as it was; and as it says of every row whether a delta has taken it, a row that was seen and written down
//! is delivered even if the spool never had it.
//!
//! It is JSON, a line a part, compressed with zstd and its checksum. The first line says what it is, the last that it
//! is whole. A file that is damaged or cut short is found before a line of it is used, and set aside: the sensor then
//! starts with what the spool holds, and the plan service has the rest.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::census::Zone;

const SCHEMA: &str = "netcensus.checkpoint/1";
/// Couplings or stations of one line.
const ROWS: usize = 1_000;
/// The longest line: [`ROWS`] rows with all their evidence take less.
const LINE_BYTES: u64 = 64 << 20;
const LEVEL: i32 = 3;

/// Why there is no checkpoint to use.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system refuses.
    #[error("{}: {error}; give the sensor a writable state_directory with room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is damaged, or of another version.
    #[error(
        "{}: the inventory of the last run cannot be read ({reason}); the sensor starts without it, and the plan service keeps what it has",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What a checkpoint belongs to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Head {
    schema: String,
    /// The zone of its facts.
    pub zone: String,
    /// The spool's life: in another one nobody knows what was sent.
    pub epoch: String,
    /// The number of the newest upload whose facts it holds.
    pub sequence: u64,
    /// The number of the newest upload of which it does not hold all facts, as they found no room; else 0.
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

impl Head {
    /// The head of a checkpoint.
    pub fn new(zone: &str, epoch: &str, sequence: u64, uncovered: u64) -> Self {
        let (zone, epoch) = (zone.to_owned(), epoch.to_owned());
        Self { schema: SCHEMA.to_owned(), zone, epoch, sequence, uncovered }
    }
}

/// Writes the table in place of the checkpoint at `path`, whole or not at all.
///
/// # Errors
/// Where the file system refuses; the old checkpoint stays then.
pub fn store(path: &Path, head: &Head, table: &Table) -> Result<(), CheckpointError> {
    write(path, head, table).map_err(|error| CheckpointError::Io { path: path.to_owned(), error })
}

fn write(path: &Path, head: &Head, table: &Table) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(directory)?;
    // A temporary file has mode 0600 from the start, and is removed where writing fails.
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

/// What the last line begins with.
const END: &[u8] = b"{\"parts\":";

/// What a temporary file begins with.
const PREFIX: &str = ".inventory-";

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Joins the checkpoint at `path` with the table, where there is one of `zone`; returns its head, and whether every
/// fact found room. Facts are part of the next delta where they were not taken before, or `epoch` is another life.
///
/// # Errors
/// [`CheckpointError::Damaged`], before anything was joined; the file is set aside then.
pub fn load(
    path: &Path,
    zone: &str,
    epoch: &str,
    table: &Table,
) -> Result<Option<(Head, bool)>, CheckpointError> {
    let io_error = |error| CheckpointError::Io { path: path.to_owned(), error };
    for left in path.parent().into_iter().filter_map(|d| fs::read_dir(d).ok()).flatten().flatten() {
        // What a sensor that was killed was writing.
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
        // The disk, not the file.
        Err(e) if e.raw_os_error().is_some() => Err(io_error(e)),
        Err(e) => {
            // One is kept for a person to look at.
            fs::rename(path, path.with_extension("bad")).map_err(io_error)?;
            Err(damaged(path, &e))
        }
    }
}

fn damaged(path: &Path, error: &io::Error) -> CheckpointError {
    CheckpointError::Damaged { path: path.to_owned(), reason: error.to_string() }
}

/// Reads a checkpoint without using it, so that a damaged one is found first.
///
/// # Errors
/// Where it is damaged, cut short or of another version.
pub fn check(input: impl Read) -> io::Result<Head> {
    let mut parts = 0_u64;
    let (head, end) = read_lines(input, &mut |_| {
        parts += 1;
        Ok(())
    })?;
    if end.parts == parts { Ok(head) } else { Err(bad("parts are missing")) }
}

/// Joins what a checkpoint holds with the table; returns whether every fact found room. All is part of the next delta
/// where it shall `repeat`.
///
/// # Errors
/// Where it is damaged: what stood before that is in the table then, so [`check`] it first.
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

/// Reads to the end, which verifies the checksum; `each` gets the lines between the first and the last.
#[expect(clippy::disallowed_methods, reason = "no line may be longer than its bound, and only one is held")]
fn read_lines(input: impl Read, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<(Head, End)> {
    let mut input = BufReader::new(zstd::stream::read::Decoder::new(input)?);
    let (mut line, mut head, mut end) = (Vec::new(), None, None);
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if end.is_some() || line.last() != Some(&b'\n') {
            return Err(bad("a line is too long, or follows the last"));
        }
        match &head {
            None => {
                let first: Head = serde_json::from_slice(&line)?;
                if first.schema != SCHEMA {
                    return Err(bad("it is of another version"));
                }
                head = Some(first);
            }
            Some(_) if line.starts_with(END) => end = Some(serde_json::from_slice::<End>(&line)?),
            Some(_) => each(&line)?,
        }
    }
    head.zip(end).ok_or_else(|| bad("it is cut short"))
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

    fn head() -> Head {
        Head::new("z", "e", 7, 0)
    }

    #[test]
    fn a_table_comes_back_as_it_was_and_knows_what_was_sent() {
        let dir = tempfile::tempdir().unwrap();
        let (path, table) = (dir.path().join("inventory"), table(2_500));
        table.take_some(1_700);
        store(&path, &head(), &table).unwrap();
        let restored = Table::new(10_000);
        assert_eq!(load(&path, "z", "e", &restored).unwrap(), Some((head(), true)));
        assert_eq!(restored.snapshot(), table.snapshot());
        let pending = table.take_delta();
        assert!(!pending.is_empty());
        assert_eq!(restored.take_delta(), pending);
        // In another life of the spool nobody knows what was sent.
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
                    // A bit of the frame's head that changes nothing of what comes out.
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
