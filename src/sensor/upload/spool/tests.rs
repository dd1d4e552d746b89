use std::fs;
use std::path::Path;
use std::time::Duration;

use super::file::{STATE, file_name, list};
use super::reader::BAD_FILES;
use super::*;
use crate::sensor::upload::feedback::{self, Feedback};

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn writer(&self) -> SpoolWriter {
        SpoolWriter::open(self.dir.path(), SpoolBounds::of(1_000), "z").unwrap()
    }

    fn reader(&self) -> SpoolReader {
        SpoolReader::new(self.dir.path())
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
    let reader = SpoolReader::new(Path::new("/nowhere/spool"));
    assert_eq!((reader.oldest().unwrap(), reader.backlog().unwrap()), (None, (0, 0)));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let error =
        SpoolWriter::open(Path::new("/proc/nowhere"), SpoolBounds::of(1), "z").unwrap_err().to_string();
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
    let bounds = SpoolBounds { bytes: 1_000, age: Duration::from_secs(100) };
    let mut old = SpoolWriter::open(f.dir.path(), bounds, "old").unwrap();
    old.put(b"1").unwrap();
    old.put(b"2").unwrap();
    let mut writer = SpoolWriter::open(f.dir.path(), bounds, "new").unwrap();
    writer.put(b"3").unwrap();
    assert_eq!(writer.replace(9).unwrap(), 1);
    writer.pass(Duration::from_millis(99_500));
    writer.pass(Duration::from_millis(500));
    assert_eq!((writer.expire().unwrap(), f.drain().len()), (0, 2));
    writer.put(b"4").unwrap();
    let mut newest = SpoolWriter::open(f.dir.path(), bounds, "newest").unwrap();
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
    // Old uploads are rewritten at any size, except the oldest, which may be in flight.
    writer.set_bounds(SpoolBounds { bytes: 1_000, age: Duration::from_secs(9) });
    writer.pass(Duration::from_secs(10));
    assert!(writer.should_compact().unwrap());
}

#[test]
fn everything_is_said_again_to_somebody_else_and_after_damage_and_once() {
    let f = Fixture::new();
    let told = |recipient: &str, lost| Feedback { recipient: recipient.into(), lost, ..Feedback::default() };
    let mut writer = f.writer();
    assert!(writer.must_repeat(&Feedback::default()), "a new life knows nothing");
    writer.repeated(&Feedback::default()).unwrap();
    for (now, expected) in
        [(told("", 0), false), (told("a", 0), false), (told("b", 0), true), (told("b", 1), true)]
    {
        assert_eq!(writer.must_repeat(&now), expected, "{now:?}");
        let done = if expected { writer.repeated(&now) } else { writer.learn_recipient(&now) };
        done.unwrap();
        assert!(!writer.must_repeat(&now) && !f.writer().must_repeat(&now), "{now:?}");
    }
}

#[test]
fn what_is_told_is_read_and_damage_tells_nothing() {
    let f = Fixture::new();
    f.writer();
    let told = Feedback { recipient: "r".into(), receipt: Some(7), ..Feedback::default() };
    f.reader().write_feedback(&told).unwrap();
    assert_eq!(f.reader().feedback(), told);
    f.writer();
    assert_eq!(f.reader().feedback(), told);
    fs::write(f.dir.path().join(feedback::FILE), "{").unwrap();
    assert_eq!(f.reader().feedback(), Feedback::default());
}
