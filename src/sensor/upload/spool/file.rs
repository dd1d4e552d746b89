//! The files of the spool: names, atomic and durable changes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::{QueuedUpload, SpoolError, at};

pub(super) const STATE: &str = "state.json";
const SUFFIX: &str = ".upload";

pub(super) fn file_name(sequence: u64, lived: u64) -> String {
    format!("{sequence:020}-{lived:010}{SUFFIX}")
}

/// The sequence number and the age in the name of an upload's file. Older versions wrote no age.
fn parse_name(name: &str) -> Option<(u64, u64)> {
    let name = name.strip_suffix(SUFFIX)?;
    let (sequence, lived) = name.split_once('-').unwrap_or((name, "0"));
    Some((sequence.parse().ok()?, lived.parse().ok()?))
}

/// The uploads in a directory, oldest first. A missing directory is empty.
pub(super) fn list(directory: &Path) -> Result<Vec<QueuedUpload>, SpoolError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(at(directory)(e)),
    };
    let mut uploads: Vec<QueuedUpload> = entries
        .flatten()
        .filter_map(|entry| {
            let (sequence, lived) = parse_name(entry.file_name().to_str()?)?;
            Some(QueuedUpload { sequence, lived, path: entry.path() })
        })
        .collect();
    uploads.sort_unstable();
    Ok(uploads)
}

/// The bytes of all uploads in a directory, including those in `bad/`.
pub(super) fn bytes(directory: &Path) -> Result<u64, SpoolError> {
    let mut uploads = list(directory)?;
    uploads.extend(list(&directory.join("bad"))?);
    // The reader may have removed a file since it was listed.
    Ok(uploads.iter().filter_map(|u| fs::metadata(&u.path).ok()).map(|m| m.len()).sum())
}

/// Writes `directory/name`, whole or not at all.
pub(super) fn replace(directory: &Path, name: &str, content: &[u8]) -> Result<(), SpoolError> {
    let tmp = directory.join("tmp").join(name);
    let path = directory.join(name);
    let mut file = File::create(&tmp).map_err(at(&tmp))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(&tmp))?;
    fs::rename(&tmp, &path).map_err(at(&path))?;
    sync(directory)
}

/// Makes renames and removals in a directory durable.
pub(in crate::sensor::upload) fn sync(directory: &Path) -> Result<(), SpoolError> {
    File::open(directory).and_then(|d| d.sync_all()).map_err(at(directory))
}

/// Removes a file, which the other half may have removed already.
pub(super) fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

/// Creates a directory, and missing parents, that only its owner may read.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new epoch: 64 random bits in hex.
pub(in crate::sensor::upload) fn random_epoch() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}
