//! The upload half's side of the spool.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{bytes, file_name, list, make_private, remove, replace, sync};
use super::{QueuedUpload, SpoolError, at};
use crate::sensor::upload::feedback::{self, Feedback};

/// Maximum number of files in `bad/`.
pub(super) const BAD_FILES: usize = 32;

/// Takes uploads out of the spool.
#[derive(Clone, Debug)]
pub struct SpoolReader {
    directory: PathBuf,
}

impl SpoolReader {
    /// A reader of the spool in `directory`, which need not exist yet.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The oldest waiting upload.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn oldest(&self) -> Result<Option<QueuedUpload>, SpoolError> {
        Ok(list(&self.directory)?.into_iter().next())
    }

    /// The number of waiting uploads and the bytes of the spool.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn backlog(&self) -> Result<(u64, u64), SpoolError> {
        Ok((list(&self.directory)?.len() as u64, bytes(&self.directory)?))
    }

    /// The body of an upload; `None` if the writer has replaced the upload meanwhile.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(&self, upload: &QueuedUpload) -> Result<Option<Vec<u8>>, SpoolError> {
        match fs::read(&upload.path) {
            Ok(body) => Ok(Some(body)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&upload.path)(e)),
        }
    }

    /// Removes an acknowledged upload durably: it must not come back after those that followed it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn done(&self, upload: &QueuedUpload) -> Result<(), SpoolError> {
        remove(&upload.path)?;
        sync(&self.directory)
    }

    /// The spool's directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest feedback.
    pub fn feedback(&self) -> Feedback {
        Feedback::load(&self.directory)
    }

    /// Leaves feedback for the capture half, durably.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn write_feedback(&self, feedback: &Feedback) -> Result<(), SpoolError> {
        let json = serde_json::to_vec(feedback).map_err(|e| at(&self.directory)(e.into()))?;
        replace(&self.directory, feedback::FILE, &json)
    }

    /// Moves a damaged or finally refused upload to `bad/`, and removes the oldest files there beyond 32.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn put_aside(&self, upload: &QueuedUpload) -> Result<(), SpoolError> {
        let bad = self.directory.join("bad");
        make_private(&bad).map_err(at(&bad))?;
        let aside = bad.join(file_name(upload.sequence, upload.lived));
        match fs::rename(&upload.path, aside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(&upload.path)(e)),
            _ => {}
        }
        let aside = list(&bad)?;
        for old in aside.iter().rev().skip(BAD_FILES) {
            fs::remove_file(&old.path).map_err(at(&old.path))?;
        }
        Ok(())
    }
}
