//! Why a file is refused.

use super::limits::{COLUMNS, FILE_BYTES, FILES, ROWS};

/// Why a file is refused as a whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FileError {
    /// The file is too large.
    #[error("{name} has more than {} MiB; split it", FILE_BYTES >> 20)]
    TooLarge { name: String },
    #[error("with {name} the estimate has more than {ROWS} rows; split it, for example by site")]
    TooManyRows { name: String },
    #[error("{name} has more than {COLUMNS} columns; export only those that identify the device")]
    TooManyColumns { name: String },
    #[error("an estimate takes at most {FILES} files; join some of them")]
    TooManyFiles,
    /// Neither UTF-8 nor UTF-16.
    #[error("{name} is not a text file; save it as CSV or JSON in UTF-8")]
    NotText { name: String },
    /// The file is empty.
    #[error("{name} is empty; export it again")]
    Empty { name: String },
    /// No header with a MAC or an address.
    #[error(
        "no column of {name} is known to hold MAC or IP addresses; name one, such as mac=COLUMN; its columns are: {columns}"
    )]
    NoColumns {
        name: String,
        /// The header as it was read.
        columns: String,
    },
    /// A named column is missing.
    #[error("{name} has no column '{wanted}'; its columns are: {columns}")]
    NoSuchColumn {
        name: String,
        /// The header that was named.
        wanted: String,
        /// The header as it was read.
        columns: String,
    },
    /// JSON without a record.
    #[error("{name} does not contain records of devices: {why}; or save the answer of the API unchanged")]
    NoRecords {
        name: String,
        /// The reason, with line and column if known.
        why: String,
    },
    /// A quotation swallows rows.
    #[error(
        "line {line} of {name} opens a quotation that never closes, so that the rows after it cannot be told apart; write \"\" for an inch mark within quotation marks, or export the list again"
    )]
    OpenQuotation {
        name: String,
        /// The line on which it opens, from 1.
        line: u64,
    },
    /// An assignment that cannot be read.
    #[error(
        "invalid mapping '{0}'; write FIELD=COLUMN, where FIELD is one of mac, ip, name, type, os, vendor, model, status, last_seen, managed, id, serial, site, lease_end"
    )]
    BadMapping(String),
}
