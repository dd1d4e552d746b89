//! Why the set of advisories cannot be read or made.

use std::io;
use std::path::PathBuf;

use crate::advisory::{ProductsError, ReadError};
use crate::lock::LockError;

/// Why the set of advisories cannot be read or made. In each case the old set stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the set of advisories: {0}")]
    Database(#[from] sqlx::Error),
    #[error("{}: {error}; the advisories in use stay", path.display())]
    Refused { path: PathBuf, error: ReadError },
    #[error("{} is not a set of advisories of this version; delete it, and import the files again", .0.display())]
    OtherVersion(PathBuf),
    #[error("the set of advisories is damaged: {0}; delete it, and import the files again")]
    Damaged(String),
    #[error("the set would hold {0}, more than the limit; the advisories in use stay")]
    Full(String),
    #[error("{} holds no file that ends in .json, .csv, .gz or .zst", .0.display())]
    Empty(PathBuf),
    #[error("another import is running: {0}")]
    Locked(#[from] LockError),
    #[error(
        "the configuration names no file for advisories; set vulnerabilities.file (it lies beside a SQLite database by itself)"
    )]
    NoPlace,
    #[error(transparent)]
    Products(#[from] ProductsError),
    #[error("a part of the import failed: {0}")]
    Defect(String),
}
