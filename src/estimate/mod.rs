//! How many devices to commit to: from lists that a customer already has, before any sensor exists, and from the
//! inventory afterwards.
//!
//! ```text
//! file ─► text ─► cmdb | json ─► meraki | defender ─► ListedDevice ─┐
//!                                                            ├─► overlap ─► verdict ─► Estimate
//! inventory (devices of a view) ─────────────────────────────┘
//! ```
//!
//! Pure: bytes and an instant in, a report out. Rows that stand for one device are found by MAC, else by address where
//! no MAC contradicts (`overlap`); what a device is, is told by what the lists say of it ([`Sorter`]); whether it
//! counts is decided by [`crate::census::verdict`], as everywhere. Every row ends as exactly one of taken, merged,
//! excluded or unreadable, so that the ledger closes ([`Estimate::closes`]). Neither the order of the files nor that of
//! their rows changes a number.
//!
//! # What is read
//!
//! | kind | form | members or columns |
//! |---|---|---|
//! | `cmdb` | CSV with `,` `;` tab or `\|`, a header within the first ten lines | those of [`FileColumn`], guessed from the header or named with `mac=COLUMN` |
//! | `meraki` | JSON of `GET /networks/{id}/clients` | `id`, `mac`, `ip`, `ip6`, `description`, `os`, `manufacturer`, `deviceTypePrediction`, `lastSeen` |
//! | `meraki` | JSON of `GET /networks/{id}/devices` or `/organizations/{id}/devices` | `mac`, `lanIp`, `name`, `model`, `productType`, `serial` |
//! | `defender` | JSON of `GET /api/machines` | `id`, `computerDnsName`, `osPlatform`, `lastIpAddress`, `ipAddresses` (`ipAddress`, `macAddress`, `operationalStatus`, `type`), `onboardingStatus`, `mergedIntoMachineId`, `isExcluded`, `deviceCategory`, `deviceType`, `lastSeen` |
//!
//! JSON comes as one array, as an answer's `value` (also `items`, `data`, `results`, `pages` and the like), as pages
//! one after another, or as one record a line. Text is UTF-8 with or without a byte order mark, or UTF-16 with one.

mod cmdb;
mod columns;
mod defender;
mod error;
mod json;
mod listed;
mod meraki;
mod overlap;
mod report;
mod sorter;
mod text;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use columns::{Columns, FileColumn, Mapping};
pub use error::FileError;
pub use listed::{FileRow, ListedDevice, Reading};
pub use overlap::{ADDRESS_LIFE, Exclusion};
pub use report::{Estimate, FileReport, InventoryReport, Ledger, Managing, RowOutcome, RowReport, SCHEMA};
pub use sorter::{Basis, Sorted, Sorter};

use serde::{Deserialize, Serialize};

/// The largest file, and the most bytes of all files of one estimate.
pub const FILE_BYTES: usize = 16 << 20;
/// The most files of one estimate.
pub const FILES: usize = 16;
/// The most rows of one estimate, over all files.
pub const ROWS: usize = 200_000;
/// The most columns of a table.
pub const COLUMNS: usize = 512;
/// The most MACs, and the most addresses, that are read of one row; further ones are left out.
pub const ADDRESSES: usize = 32;

/// What a file is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A table from a configuration management database, or any other.
    Cmdb,
    /// Clients or devices of the Meraki dashboard.
    Meraki,
    /// Machines of Defender for Endpoint.
    Defender,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Cmdb, Self::Meraki, Self::Defender];

    /// The word in the API and on the command line.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Cmdb => "cmdb",
            Self::Meraki => "meraki",
            Self::Defender => "defender",
        }
    }

    /// The kind of that word.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.key() == key)
    }
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

/// How a file is to be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReadOptions {
    /// Its kind; told by its content where none is given.
    pub kind: Option<FileKind>,
    /// Columns that a person named, over the guessed ones. For tables only.
    pub mapping: Mapping,
}

/// Reads a file.
///
/// # Errors
///
/// Where nothing of it can be read at all; what is wrong with a single row stands in that row.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Reading, FileError> {
    let name = listed::file_name(name);
    if bytes.len() > FILE_BYTES {
        return Err(FileError::TooLarge { name });
    }
    let text = text::decode(bytes).ok_or_else(|| FileError::NotText { name: name.clone() })?;
    if text.text.trim().is_empty() {
        return Err(FileError::Empty { name });
    }
    let mut reading = match options.kind.unwrap_or_else(|| guess(&text.text)) {
        FileKind::Cmdb => cmdb::read(name, &text.text, &options.mapping)?,
        kind => json::read(name, &text.text, kind, options.kind.is_some())?,
    };
    reading.notes.extend(text.note);
    Ok(reading)
}

/// The signature of a table's header, under which its columns are remembered; `None` for what is no table.
pub fn signature(bytes: &[u8]) -> Option<String> {
    let text = text::decode(bytes.get(..FILE_BYTES).unwrap_or(bytes))?;
    (guess(&text.text) == FileKind::Cmdb).then(|| cmdb::signature(&text.text)).flatten()
}

/// Tells JSON from a table by the first character; whose JSON it is, is told by its members.
fn guess(text: &str) -> FileKind {
    match text.trim_start().chars().next() {
        Some('{' | '[') => FileKind::Defender,
        _ => FileKind::Cmdb,
    }
}
