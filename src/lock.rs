//! A lock that a process holds on what only one may use, with its id and a note for others.
//!
//! The system takes the lock away when the process ends, however it ends. The file stays: to delete it could mean to delete
//! the one that another process has just locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest note in bytes.
const NOTE: u64 = 4_096;
/// Whoever reads a note holds the lock for an instant: so often, and so long after, the lock is tried again.
const READERS: usize = 3;
const READING: Duration = Duration::from_millis(20);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is locked by the process {}", path.display(), pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()))]
    Held {
        /// The file.
        path: PathBuf,
        /// Its id, if it has written it.
        pid: Option<u32>,
    },
    /// The file cannot be opened or locked.
    #[error("cannot lock {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A lock, until it is dropped.
#[derive(Debug)]
pub struct ProcessLock {
    /// Holds the lock while it is open.
    _file: File,
    path: PathBuf,
}

impl ProcessLock {
    /// Takes the lock, or says who has it. Everybody may read the file.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |error| LockError::Io { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        let made = options.write(true).create(true).truncate(false).mode(0o644).open(path);
        // A file that is open for writing would keep a disk from becoming read-only.
        let file = File::open(path).or_else(|error| made.and(Err(error))).map_err(failed)?;
        let mut outcome = file.try_lock();
        for _ in 0..READERS {
            if matches!(outcome, Err(TryLockError::WouldBlock)) {
                std::thread::sleep(READING);
                outcome = file.try_lock();
            }
        }
        match outcome {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read(&file).ok().and_then(|text| pid(&text));
                return Err(LockError::Held { path: path.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut lock = Self { _file: file, path: path.to_owned() };
        // Without room on the disk the lock holds all the same.
        lock.note("").ok();
        Ok(lock)
    }

    /// Writes a note behind the process id.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note(&mut self, note: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).truncate(true).open(&self.path)?;
        file.write_all(format!("{}\n{note}\n", std::process::id()).as_bytes())
    }
}

/// The note of the process that holds the lock; `None` if none does.
pub fn note(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let text = read(&file).ok()?;
            Some(text.split_once('\n')?.1.trim_end().to_owned())
        }
        _ => None,
    }
}

fn read(file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.take(NOTE).read_to_string(&mut text)?;
    Ok(text)
}

fn pid(text: &str) -> Option<u32> {
    text.lines().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_id_of_the_first_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(note(&path), None);
        let mut first = ProcessLock::take(&path).unwrap();
        first.note("here").unwrap();
        let second = ProcessLock::take(&path).unwrap_err();
        assert!(
            matches!(second, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()),
            "{second}"
        );
        assert_eq!(note(&path).as_deref(), Some("here"));
        drop(first);
        assert_eq!(note(&path), None, "a note of a process that ended says nothing");
        drop(ProcessLock::take(&path).unwrap());
        assert!(matches!(ProcessLock::take(&dir.path().join("no/lock")), Err(LockError::Io { .. })));
    }
}
