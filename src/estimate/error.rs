//! Why nothing of a file can be read.

use super::limits::{COLUMNS, FILE_BYTES, FILES, ROWS};

/// Why a file is refused whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FileError {
    /// More bytes than may be.
    #[error("{name} has more than {} MiB; split it", FILE_BYTES >> 20)]
    TooLarge {
        /// The file.
        name: String,
    },
    /// More rows than may be.
    #[error("{name} brings more than {ROWS} rows; split the estimate, by site for example")]
    TooManyRows {
        /// The file.
        name: String,
    },
    /// More columns than may be.
    #[error("{name} has more than {COLUMNS} columns; export only those that name the device")]
    TooManyColumns {
        /// The file.
        name: String,
    },
    /// More files than may be.
    #[error("an estimate takes {FILES} files at most; join some of them")]
    TooManyFiles,
    /// Neither UTF-8 nor UTF-16.
    #[error("{name} is no text; save it as CSV or JSON in UTF-8")]
    NotText {
        /// The file.
        name: String,
    },
    /// Nothing in it.
    #[error("{name} is empty; export it again")]
    Empty {
        /// The file.
        name: String,
    },
    /// No header with a MAC or an address.
    #[error(
        "{name} has no column that is known to hold a MAC or an IP address; name it, such as mac=COLUMN; it has: {columns}"
    )]
    NoColumns {
        /// The file.
        name: String,
        /// The header as it was read.
        columns: String,
    },
    /// A named column is missing.
    #[error("{name} has no column '{wanted}'; it has: {columns}")]
    NoSuchColumn {
        /// The file.
        name: String,
        /// What was named.
        wanted: String,
        /// The header as it was read.
        columns: String,
    },
    /// JSON without a record.
    #[error("{name} holds no record of Meraki or Defender: {why}; save the answer of the API as it is")]
    NoRecords {
        /// The file.
        name: String,
        /// What is wrong, with line and column where they are known.
        why: String,
    },
    /// JSON whose members are nobody's.
    #[error(
        "{name} holds records of a kind that is not known; say which with the kind 'meraki' or 'defender'"
    )]
    UnknownRecords {
        /// The file.
        name: String,
    },
    /// A word that names no column of ours.
    #[error(
        "'{0}' is no mapping; write FIELD=COLUMN, where FIELD is one of mac, ip, name, type, os, vendor, model, status, last_seen, managed, id"
    )]
    BadMapping(String),
}
