//! Why a file or a record cannot be read.

use std::io;

/// Why a file cannot be read. Nothing of such a file is used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system, or the decompressor.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("holds more than {0} bytes after decompression, the limit of one file")]
    TooLarge(u64),
    #[error(
        "is neither a KEV catalogue, a CSAF 2.0 document, a list of NVD 2.0 records, a CVE 5 record nor EPSS scores{0}"
    )]
    UnknownForm(&'static str),
    #[error("byte {at}: {why}")]
    Syntax { at: u64, why: &'static str },
    #[error("the header is not that of a {0} table")]
    Header(&'static str),
    #[error("holds a document of more than {0} bytes, the limit")]
    Document(usize),
    /// All its records are bad.
    #[error("none of its {count} records can be read; the first: {first}")]
    NoRecords { count: u64, first: String },
    /// Whoever takes the items gives up.
    #[error("{0}")]
    Refused(String),
}

/// A record that was skipped.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct BadRecord {
    /// The number of the record in its file, from 1.
    pub record: u64,
    /// The byte or line at which it begins, after decompression.
    pub place: u64,
    pub why: String,
}
