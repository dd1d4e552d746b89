//! The spool: uploads on disk between the half that captures and the half that sends.
//!
//! A directory with one compressed upload a file, named by its sequence number, so that names sort by age:
//!
//! ```text
//! spool/
//!   00000000000000000042-0000086400.upload   a body, ready to be sent; deleted once it is acknowledged
//!   state.json    the epoch, the highest sequence number that was ever given out, the seconds that were lived
//!   told.json     what the sending half tells the capturing half, see `told`
//!   tmp/          what is being written
//!   bad/          what was damaged or refused, for a person to look at; the newest 32
//! ```
//!
//! A file appears whole or not at all: it is written in `tmp/`, synced, renamed, and the directory is synced. The
//! number is recorded before the file appears, so that no number is ever used twice, whatever is deleted or crashes;
//! a crash in between leaves a gap, which means nothing. One process writes ([`Writer`]) and one reads ([`Reader`]);
//! they share nothing but the directory. A file's content is what crosses the network, and ends with a checksum; what
//! is damaged or cut short is set aside.
//!
//! # Bounds
//!
//! It is bounded by bytes, files and age. Where a bound comes near, the collector puts the whole table in, which is the
//! join of all uploads of its zone, and [`Writer::replace`] removes those that it makes needless: nothing is lost.
//! Where that does not make room, [`Writer::put`] refuses, and the change stays in the table, and in its checkpoint.
//! Dropped is only what no table holds: uploads of a zone that this sensor no longer watches, once they are older than
//! the bound of age; that is counted and shown. Age is time in which the sensor ran, so that a clock that jumps drops
//! nothing.
//!
//! # Why no embedded store
//!
//! Such a store (redb, fjall, SQLite) would hold one body under one number, written once, read once, deleted: the file
//! system does that with `rename` and `fsync` alone. There is no format of ours: the name is a number, the content the
//! wire's. Two processes of different users share the directory without a lock, a damaged file costs itself and not
//! its neighbours, a full disk refuses one file, and a person sees what waits with `ls`. A store in one file gives up
//! each of these.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sensor::upload::feedback::{self, Told};

/// Files that are kept in `bad/`.
const BAD_FILES: usize = 32;
/// Uploads that wait before the spool is compacted for their number: more than a day of them.
const FILES: usize = 4_096;
const SUFFIX: &str = ".upload";
const STATE: &str = "state.json";

/// How much may wait, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Bytes of all uploads, those set aside included.
    pub bytes: u64,
    /// Age of an upload.
    pub age: Duration,
}

impl Bounds {
    /// At most `bytes`, of any age.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, age: Duration::MAX }
    }
}

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

/// What outlives a restart. Fields that an older version did not write are empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Life {
    epoch: String,
    sequence: u64,
    /// Seconds in which a writer ran.
    lived: u64,
    /// The zone, and the number of its first upload since it is watched.
    zone: String,
    zone_since: u64,
    /// What was told when everything was said last.
    recipient: String,
    lost: u64,
}

/// The side that puts uploads in.
#[derive(Debug)]
pub struct Writer {
    directory: PathBuf,
    bounds: Bounds,
    life: Life,
    /// What was lived beyond whole seconds.
    rest: Duration,
    /// Whether this life began now, so that nobody knows what was sent before.
    new: bool,
    /// Used above that, compacting may help; grows where it did not.
    compact_above: (u64, usize),
    /// The room that compacting did not find enough.
    too_little: u64,
}

impl Writer {
    /// Opens the spool for a zone's uploads, making it where it is missing. What an earlier writer left half-written
    /// is removed.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn open(directory: &Path, bounds: Bounds, zone: &str) -> Result<Self, SpoolError> {
        for path in [directory.to_owned(), directory.join("tmp"), directory.join("bad")] {
            make_private(&path).map_err(at(&path))?;
        }
        let tmp = directory.join("tmp");
        for entry in fs::read_dir(&tmp).map_err(at(&tmp))?.flatten() {
            // The sending half may be writing this one.
            if entry.file_name() != feedback::FILE {
                fs::remove_file(entry.path()).map_err(at(&entry.path()))?;
            }
        }
        let waiting = list(directory)?;
        let newest = waiting.last().map_or(0, |i| i.sequence);
        let lived = waiting.iter().map(|i| i.lived).max().unwrap_or_default();
        let known =
            fs::read(directory.join(STATE)).ok().and_then(|b| serde_json::from_slice::<Life>(&b).ok());
        let known = known.filter(|life| !life.epoch.is_empty());
        let new = known.is_none();
        let mut life = match known {
            Some(life) => Life { sequence: life.sequence.max(newest), lived: life.lived.max(lived), ..life },
            // Without a record numbers may have been used that nobody remembers: begin a new life.
            None => {
                let epoch = random_hex().map_err(at(directory))?;
                let lost = Told::load(directory).lost;
                Life { epoch, sequence: newest, lived, lost, ..Life::default() }
            }
        };
        if life.zone != zone {
            life.zone = zone.to_owned();
            life.zone_since = life.sequence + 1;
        }
        let writer = Self {
            directory: directory.to_owned(),
            bounds,
            life,
            rest: Duration::ZERO,
            new,
            compact_above: (0, FILES),
            too_little: 0,
        };
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

    /// The spool's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lets time pass: uploads become older.
    pub fn pass(&mut self, time: Duration) {
        self.rest = self.rest.saturating_add(time);
        self.life.lived = self.life.lived.saturating_add(self.rest.as_secs());
        self.rest = Duration::from_nanos(self.rest.subsec_nanos().into());
    }

    /// Puts an upload in, durably; `body` must bear [`Self::next_sequence`].
    ///
    /// # Errors
    /// [`SpoolError::Full`] where there is no room; nothing is dropped to make some.
    pub fn put(&mut self, body: &[u8]) -> Result<(), SpoolError> {
        if bytes(&self.directory)? + body.len() as u64 > self.bounds.bytes {
            return Err(SpoolError::Full { max: self.bounds.bytes });
        }
        let sequence = self.next_sequence();
        self.life.sequence = sequence;
        self.record()?;
        replace(&self.directory, &file_name(sequence, self.life.lived), body)
    }

    /// Changes the bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// The waiting uploads of the zone from the number `since` on, oldest first.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn own_since(&self, since: u64) -> Result<Vec<Item>, SpoolError> {
        let mut items = list(&self.directory)?;
        items.retain(|i| i.sequence >= self.life.zone_since.max(since));
        Ok(items)
    }

    /// Whether everything has to be said again: nobody knows what was sent before, somebody else takes the uploads, or
    /// one of them was lost. [`Self::said`] ends it.
    pub fn must_repeat(&self, told: &Told) -> bool {
        let others = !self.life.recipient.is_empty() && self.life.recipient != told.recipient;
        self.new || others && !told.recipient.is_empty() || self.life.lost < told.lost
    }

    /// Records that everything was put in since `told` was told.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn said(&mut self, told: &Told) -> Result<(), SpoolError> {
        if !told.recipient.is_empty() {
            self.life.recipient.clone_from(&told.recipient);
        }
        self.life.lost = self.life.lost.max(told.lost);
        self.record()?;
        self.new = false;
        Ok(())
    }

    /// Records who takes the uploads, where that was not known yet.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn learn_recipient(&mut self, told: &Told) -> Result<(), SpoolError> {
        if !self.life.recipient.is_empty() || told.recipient.is_empty() {
            return Ok(());
        }
        self.life.recipient.clone_from(&told.recipient);
        self.record()
    }

    /// Whether a bound is near, so that the zone's uploads should be replaced by one copy of what they say.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn should_compact(&mut self) -> Result<bool, SpoolError> {
        let items = list(&self.directory)?;
        let own: Vec<&Item> = items.iter().skip(1).filter(|i| i.sequence >= self.life.zone_since).collect();
        if own.iter().any(|i| self.age(i) > self.bounds.age) {
            return Ok(true);
        }
        let used = bytes(&self.directory)?;
        if used < self.bounds.bytes / 4 && own.len() < FILES / 4 {
            // It has drained: what was known of compacting is of another time.
            (self.compact_above, self.too_little) = ((0, FILES), 0);
        }
        let (above, files) = self.compact_above;
        let near = used > above.max(self.bounds.bytes / 4 * 3) || own.len() > files;
        Ok(own.len() > 1 && near && self.bounds.bytes.saturating_sub(used) > self.too_little)
    }

    /// Removes the zone's uploads up to the number `until`, as everything they say was put in anew since. The oldest of
    /// all stays: the sending half may be at it, and learns by it what the service has. A crash at any point leaves
    /// some of both, which is the same facts twice.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn replace(&mut self, until: u64) -> Result<usize, SpoolError> {
        let mut removed = 0;
        for item in list(&self.directory)?.iter().skip(1) {
            if (self.life.zone_since..=until).contains(&item.sequence) {
                remove(&item.path)?;
                removed += 1;
            }
        }
        sync(&self.directory)?;
        self.compact_above = (2 * bytes(&self.directory)?, FILES.max(2 * list(&self.directory)?.len()));
        self.too_little = 0;
        Ok(removed)
    }

    /// Records that compacting found no room: it is tried again where there is more.
    pub fn could_not_compact(&mut self, room: u64) {
        self.too_little = self.too_little.max(room);
    }

    /// Bytes that may still be put in.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn room(&self) -> Result<u64, SpoolError> {
        Ok(self.bounds.bytes.saturating_sub(bytes(&self.directory)?))
    }

    /// Drops what is too old and of a zone that is no longer watched; returns how many uploads that were.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn expire(&mut self) -> Result<u64, SpoolError> {
        let mut dropped = 0;
        for item in list(&self.directory)? {
            if item.sequence < self.life.zone_since && self.age(&item) > self.bounds.age {
                remove(&item.path)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    fn age(&self, item: &Item) -> Duration {
        Duration::from_secs(self.life.lived.saturating_sub(item.lived))
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
    /// What the spool had lived when it was put in, in seconds.
    pub lived: u64,
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

    /// The body of an upload; none where the writer has replaced it meanwhile.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        match fs::read(&item.path) {
            Ok(body) => Ok(Some(body)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&item.path)(e)),
        }
    }

    /// Removes an upload that was acknowledged, durably: it must not come back after what followed it.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn done(&self, item: &Item) -> Result<(), SpoolError> {
        remove(&item.path)?;
        sync(&self.directory)
    }

    /// What was told last.
    pub fn told(&self) -> Told {
        Told::load(&self.directory)
    }

    /// Tells the capturing half, durably.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn tell(&self, told: &Told) -> Result<(), SpoolError> {
        let json = serde_json::to_vec(told).map_err(|e| at(&self.directory)(e.into()))?;
        replace(&self.directory, feedback::FILE, &json)
    }

    /// Puts an upload aside that is damaged or was refused for good, and removes the oldest ones put aside beyond 32.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn put_aside(&self, item: &Item) -> Result<(), SpoolError> {
        let bad = self.directory.join("bad");
        make_private(&bad).map_err(at(&bad))?;
        let aside = bad.join(file_name(item.sequence, item.lived));
        match fs::rename(&item.path, aside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(&item.path)(e)),
            _ => {}
        }
        let aside = list(&bad)?;
        for old in aside.iter().rev().skip(BAD_FILES) {
            fs::remove_file(&old.path).map_err(at(&old.path))?;
        }
        Ok(())
    }
}

fn file_name(sequence: u64, lived: u64) -> String {
    format!("{sequence:020}-{lived:010}{SUFFIX}")
}

/// The number and the age of a file of that name. Older versions wrote no age.
fn of_name(name: &str) -> Option<(u64, u64)> {
    let name = name.strip_suffix(SUFFIX)?;
    let (sequence, lived) = name.split_once('-').unwrap_or((name, "0"));
    Some((sequence.parse().ok()?, lived.parse().ok()?))
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
            let (sequence, lived) = of_name(entry.file_name().to_str()?)?;
            Some(Item { sequence, lived, path: entry.path() })
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
    sync(directory)
}

/// Makes what was renamed or removed in a directory durable.
fn sync(directory: &Path) -> Result<(), SpoolError> {
    File::open(directory).and_then(|d| d.sync_all()).map_err(at(directory))
}

/// Removes a file that the other side may have removed.
fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

/// Makes a directory, and its parents, that only its owner may read.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
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
            Writer::open(self.dir.path(), Bounds::of(1_000), "z").unwrap()
        }

        fn reader(&self) -> Reader {
            Reader::new(self.dir.path())
        }

        fn drain(&self) -> Vec<(u64, Vec<u8>)> {
            let reader = self.reader();
            std::iter::from_fn(|| {
                let item = reader.oldest().unwrap()?;
                let body = reader.read(&item).unwrap().unwrap();
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
        fs::write(f.dir.path().join("tmp").join(file_name(2, 0)), b"hal").unwrap();
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
        let error = Writer::open(Path::new("/proc/nowhere"), Bounds::of(1), "z").unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere") && error.contains("spool.directory"), "{error}");
    }
    #[test]
    fn what_an_older_version_left_is_read() {
        let f = Fixture::new();
        fs::write(f.dir.path().join("00000000000000000007.upload"), b"a").unwrap();
        fs::write(f.dir.path().join(STATE), "{\"epoch\":\"e\",\"sequence\":9}").unwrap();
        let mut writer = f.writer();
        assert_eq!((writer.epoch(), writer.next_sequence()), ("e", 10));
        writer.put(b"b").unwrap();
        assert_eq!(f.drain(), [(7, b"a".to_vec()), (10, b"b".to_vec())]);
    }

    #[test]
    fn what_replaces_uploads_leaves_the_oldest_and_what_came_later() {
        let f = Fixture::new();
        let mut writer = f.writer();
        for n in 1..=5u8 {
            writer.put(&[n]).unwrap();
        }
        assert_eq!(writer.replace(3).unwrap(), 2);
        let left: Vec<u64> = f.drain().into_iter().map(|(n, _)| n).collect();
        assert_eq!(left, [1, 4, 5]);
    }

    #[test]
    fn uploads_of_another_zone_are_never_replaced_and_dropped_only_by_age() {
        let f = Fixture::new();
        let bounds = Bounds { bytes: 1_000, age: Duration::from_secs(100) };
        let mut old = Writer::open(f.dir.path(), bounds, "old").unwrap();
        old.put(b"1").unwrap();
        old.put(b"2").unwrap();
        let mut writer = Writer::open(f.dir.path(), bounds, "new").unwrap();
        writer.put(b"3").unwrap();
        assert_eq!(writer.replace(9).unwrap(), 1);
        writer.pass(Duration::from_millis(99_500));
        writer.pass(Duration::from_millis(500));
        assert_eq!((writer.expire().unwrap(), f.drain().len()), (0, 2));
        writer.put(b"4").unwrap();
        let mut newest = Writer::open(f.dir.path(), bounds, "newest").unwrap();
        newest.pass(Duration::from_secs(100));
        assert_eq!(newest.expire().unwrap(), 0);
        newest.pass(Duration::from_secs(1));
        assert_eq!((newest.expire().unwrap(), newest.expire().unwrap()), (1, 0));
    }

    #[test]
    fn a_spool_is_compacted_near_its_bounds_and_not_over_and_over_where_that_does_not_help() {
        let f = Fixture::new();
        let mut writer = f.writer();
        for _ in 0..7 {
            writer.put(&[0; 100]).unwrap();
        }
        assert!(!writer.should_compact().unwrap());
        writer.put(&[0; 100]).unwrap();
        assert!(writer.should_compact().unwrap());
        // No room for a copy: not again until there is more.
        writer.could_not_compact(writer.room().unwrap());
        assert!(!writer.should_compact().unwrap());
        f.reader().done(&f.reader().oldest().unwrap().unwrap()).unwrap();
        writer.put(&[0; 90]).unwrap();
        assert!(writer.should_compact().unwrap());
        // A copy that takes as much as what it replaced.
        writer.replace(0).unwrap();
        assert!(!writer.should_compact().unwrap());
        // Old uploads are rewritten whatever room they take; the oldest of all may be in flight.
        writer.set_bounds(Bounds { bytes: 1_000, age: Duration::from_secs(9) });
        writer.pass(Duration::from_secs(10));
        assert!(writer.should_compact().unwrap());
    }

    #[test]
    fn everything_is_said_again_to_somebody_else_and_after_damage_and_once() {
        let f = Fixture::new();
        let told = |recipient: &str, lost| Told { recipient: recipient.into(), lost, ..Told::default() };
        let mut writer = f.writer();
        assert!(writer.must_repeat(&Told::default()), "a new life knows nothing");
        writer.said(&Told::default()).unwrap();
        for (now, expected) in
            [(told("", 0), false), (told("a", 0), false), (told("b", 0), true), (told("b", 1), true)]
        {
            assert_eq!(writer.must_repeat(&now), expected, "{now:?}");
            let done = if expected { writer.said(&now) } else { writer.learn_recipient(&now) };
            done.unwrap();
            assert!(!writer.must_repeat(&now) && !f.writer().must_repeat(&now), "{now:?}");
        }
    }

    #[test]
    fn what_is_told_is_read_and_damage_tells_nothing() {
        let f = Fixture::new();
        f.writer();
        let told = Told { recipient: "r".into(), receipt: Some(7), ..Told::default() };
        f.reader().tell(&told).unwrap();
        assert_eq!(f.reader().told(), told);
        f.writer();
        assert_eq!(f.reader().told(), told);
        fs::write(f.dir.path().join(feedback::FILE), "{").unwrap();
        assert_eq!(f.reader().told(), Told::default());
    }
}
