//! The spool: uploads on disk between the half that captures and the half that sends.
//!
//! A directory with one compressed upload a file, named by its sequence number, so that names sort by age:
//!
//! ```text
//! spool/
//!   00000000000000000042.upload   a body, ready to be sent; deleted once it is acknowledged
//!   state.json                    the epoch, and the highest sequence number that was ever given out
//!   tmp/                          what is being written
//!   bad/                          what was damaged or refused, for a person to look at; the newest 32
//! ```
//!
//! A file appears whole or not at all: it is written in `tmp/`, synced, renamed, and the directory is synced. The
//! number is recorded before the file appears, so that no number is ever used twice, whatever is deleted or crashes;
//! a crash in between leaves a gap, which means nothing. One process writes ([`Writer`]) and one reads ([`Reader`]);
//! they share nothing but the directory. It is bounded: a full spool refuses, and the writer keeps the change.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Files that are kept in `bad/`.
const BAD_FILES: usize = 32;
const SUFFIX: &str = ".upload";
const STATE: &str = "state.json";

/// Why the spool did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It holds as much as it may.
    #[error(
        "the spool is full at {max} bytes; changes are kept in memory until uploads make room, or raise spool.max_mib"
    )]
    Full {
        /// Its bound in bytes.
        max: u64,
    },
    /// The file system refuses.
    #[error("{}: {error}; give the sensor a writable spool.directory with room", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn at(path: &Path) -> impl Fn(io::Error) -> SpoolError + '_ {
    move |error| SpoolError::Io { path: path.to_owned(), error }
}

#[derive(Debug, Deserialize, Serialize)]
struct Life {
    epoch: String,
    sequence: u64,
}

/// The side that puts uploads in.
#[derive(Debug)]
pub struct Writer {
    directory: PathBuf,
    max_bytes: u64,
    life: Life,
}

impl Writer {
    /// Opens the spool, making it where it is missing. What an earlier writer left half-written is removed.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn open(directory: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        for path in [directory.to_owned(), directory.join("tmp"), directory.join("bad")] {
            make_private(&path).map_err(at(&path))?;
        }
        let tmp = directory.join("tmp");
        for entry in fs::read_dir(&tmp).map_err(at(&tmp))?.flatten() {
            fs::remove_file(entry.path()).map_err(at(&entry.path()))?;
        }
        let newest = list(directory)?.last().map_or(0, |i| i.sequence);
        let known =
            fs::read(directory.join(STATE)).ok().and_then(|b| serde_json::from_slice::<Life>(&b).ok());
        let life = match known {
            Some(life) => Life { sequence: life.sequence.max(newest), ..life },
            // Without a record numbers may have been used that nobody remembers: begin a new life.
            None => Life { epoch: random_hex().map_err(at(directory))?, sequence: newest },
        };
        let writer = Self { directory: directory.to_owned(), max_bytes, life };
        writer.record()?;
        Ok(writer)
    }

    /// The life of this spool: a random number in hex.
    pub fn epoch(&self) -> &str {
        &self.life.epoch
    }

    /// The number that the next upload will have.
    pub fn next_sequence(&self) -> u64 {
        self.life.sequence + 1
    }

    /// Puts an upload in, durably; `body` must bear [`Self::next_sequence`].
    ///
    /// # Errors
    /// [`SpoolError::Full`] where there is no room; nothing is dropped to make some.
    pub fn put(&mut self, body: &[u8]) -> Result<(), SpoolError> {
        if bytes(&self.directory)? + body.len() as u64 > self.max_bytes {
            return Err(SpoolError::Full { max: self.max_bytes });
        }
        let sequence = self.next_sequence();
        self.life.sequence = sequence;
        self.record()?;
        replace(&self.directory, &file_name(sequence), body)
    }

    /// Changes the bound.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    fn record(&self) -> Result<(), SpoolError> {
        let json = serde_json::to_vec(&self.life).map_err(|e| at(&self.directory)(e.into()))?;
        replace(&self.directory, STATE, &json)
    }
}

/// One waiting upload.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Item {
    /// Its number.
    pub sequence: u64,
    /// Its file.
    pub path: PathBuf,
}

/// The side that takes uploads out.
#[derive(Clone, Debug)]
pub struct Reader {
    directory: PathBuf,
}

impl Reader {
    /// A reader of the spool in `directory`, which need not exist yet.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The oldest upload that waits.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn oldest(&self) -> Result<Option<Item>, SpoolError> {
        Ok(list(&self.directory)?.into_iter().next())
    }

    /// How many uploads wait, and their bytes.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn backlog(&self) -> Result<(u64, u64), SpoolError> {
        Ok((list(&self.directory)?.len() as u64, bytes(&self.directory)?))
    }

    /// The body of an upload.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self, item: &Item) -> Result<Vec<u8>, SpoolError> {
        fs::read(&item.path).map_err(at(&item.path))
    }

    /// Removes an upload that was acknowledged.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn done(&self, item: &Item) -> Result<(), SpoolError> {
        fs::remove_file(&item.path).map_err(at(&item.path))
    }

    /// Puts an upload aside that is damaged or was refused for good, and removes the oldest ones put aside beyond 32.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn put_aside(&self, item: &Item) -> Result<(), SpoolError> {
        let bad = self.directory.join("bad");
        make_private(&bad).map_err(at(&bad))?;
        fs::rename(&item.path, bad.join(file_name(item.sequence))).map_err(at(&item.path))?;
        let aside = list(&bad)?;
        for old in aside.iter().rev().skip(BAD_FILES) {
            fs::remove_file(&old.path).map_err(at(&old.path))?;
        }
        Ok(())
    }
}

fn file_name(sequence: u64) -> String {
    format!("{sequence:020}{SUFFIX}")
}

/// The uploads in a directory, oldest first. A directory that is missing holds none.
fn list(directory: &Path) -> Result<Vec<Item>, SpoolError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(at(directory)(e)),
    };
    let mut items: Vec<Item> = entries
        .flatten()
        .filter_map(|entry| {
            let sequence = entry.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
            Some(Item { sequence, path: entry.path() })
        })
        .collect();
    items.sort_unstable();
    Ok(items)
}

/// The bytes of all uploads in a directory, those put aside included.
fn bytes(directory: &Path) -> Result<u64, SpoolError> {
    let mut items = list(directory)?;
    items.extend(list(&directory.join("bad"))?);
    // A file that was acknowledged in between takes no room.
    Ok(items.iter().filter_map(|i| fs::metadata(&i.path).ok()).map(|m| m.len()).sum())
}

/// Makes `directory/name` hold `content`, whole or not at all.
fn replace(directory: &Path, name: &str, content: &[u8]) -> Result<(), SpoolError> {
    let tmp = directory.join("tmp").join(name);
    let path = directory.join(name);
    let mut file = File::create(&tmp).map_err(at(&tmp))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(&tmp))?;
    fs::rename(&tmp, &path).map_err(at(&path))?;
    File::open(directory).and_then(|d| d.sync_all()).map_err(at(directory))
}

/// Makes a directory, and its parents, that only its owner may read.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// 64 random bits in hex.
pub(super) fn random_hex() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn writer(&self) -> Writer {
            Writer::open(self.dir.path(), 1_000).unwrap()
        }

        fn reader(&self) -> Reader {
            Reader::new(self.dir.path())
        }

        fn drain(&self) -> Vec<(u64, Vec<u8>)> {
            let reader = self.reader();
            std::iter::from_fn(|| {
                let item = reader.oldest().unwrap()?;
                let body = reader.read(&item).unwrap();
                reader.done(&item).unwrap();
                Some((item.sequence, body))
            })
            .collect()
        }
    }

    #[test]
    fn uploads_come_out_in_the_order_they_went_in() {
        let f = Fixture::new();
        let mut writer = f.writer();
        for n in 1..=12u8 {
            assert_eq!(writer.next_sequence(), u64::from(n));
            writer.put(&[n]).unwrap();
        }
        let expected: Vec<(u64, Vec<u8>)> = (1..=12u8).map(|n| (n.into(), vec![n])).collect();
        assert_eq!(f.drain(), expected);
    }

    #[test]
    fn a_number_is_never_used_again_after_a_restart_even_when_all_was_sent() {
        let f = Fixture::new();
        let mut writer = f.writer();
        let epoch = writer.epoch().to_owned();
        writer.put(b"a").unwrap();
        writer.put(b"b").unwrap();
        assert_eq!(f.drain().len(), 2);
        drop(writer);
        let writer = f.writer();
        assert_eq!((writer.epoch(), writer.next_sequence()), (epoch.as_str(), 3));
    }

    #[test]
    fn without_its_record_the_spool_begins_a_new_life_and_keeps_what_waits() {
        let f = Fixture::new();
        let mut writer = f.writer();
        writer.put(b"a").unwrap();
        let epoch = writer.epoch().to_owned();
        for damage in ["", "{\"epoch\":"] {
            fs::write(f.dir.path().join(STATE), damage).unwrap();
            let writer = f.writer();
            assert_ne!(writer.epoch(), epoch);
            assert_eq!(writer.next_sequence(), 2);
        }
        assert_eq!(f.drain(), [(1, b"a".to_vec())]);
    }

    #[test]
    fn a_crash_before_the_rename_leaves_nothing_behind() {
        let f = Fixture::new();
        let mut writer = f.writer();
        writer.put(b"a").unwrap();
        fs::write(f.dir.path().join("tmp").join(file_name(2)), b"hal").unwrap();
        assert_eq!(f.reader().backlog().unwrap(), (1, 1));
        f.writer().put(b"b").unwrap();
        assert_eq!(f.drain(), [(1, b"a".to_vec()), (2, b"b".to_vec())]);
        assert_eq!(fs::read_dir(f.dir.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_full_spool_refuses_and_keeps_what_it_has() {
        let f = Fixture::new();
        let mut writer = f.writer();
        writer.put(&[1; 600]).unwrap();
        assert!(matches!(writer.put(&[2; 600]), Err(SpoolError::Full { max: 1_000 })));
        assert_eq!(writer.next_sequence(), 2);
        let reader = f.reader();
        reader.done(&reader.oldest().unwrap().unwrap()).unwrap();
        writer.put(&[3; 600]).unwrap();
        assert_eq!(f.drain(), [(2, vec![3; 600])]);
    }

    #[test]
    fn what_is_put_aside_no_longer_blocks_and_stays_bounded() {
        let f = Fixture::new();
        let mut writer = f.writer();
        let reader = f.reader();
        for _ in 0..BAD_FILES + 3 {
            writer.put(b"x").unwrap();
            reader.put_aside(&reader.oldest().unwrap().unwrap()).unwrap();
        }
        assert_eq!(reader.oldest().unwrap(), None);
        let aside = list(&f.dir.path().join("bad")).unwrap();
        assert_eq!((aside.len(), aside[0].sequence), (BAD_FILES, 4));
    }

    #[test]
    fn a_spool_that_does_not_exist_yet_is_empty_to_its_reader() {
        let reader = Reader::new(Path::new("/nowhere/spool"));
        assert_eq!((reader.oldest().unwrap(), reader.backlog().unwrap()), (None, (0, 0)));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let error = Writer::open(Path::new("/proc/nowhere"), 1).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere") && error.contains("spool.directory"), "{error}");
    }
}
