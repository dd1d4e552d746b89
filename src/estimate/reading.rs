//! A file that was read.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::listed::ListedDevice;

/// The kinds of file.
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
    pub const ALL: [Self; 3] = [Self::Cmdb, Self::Meraki, Self::Defender];

    /// The word in the API and on the command line.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Cmdb => "cmdb",
            Self::Meraki => "meraki",
            Self::Defender => "defender",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.key() == key)
    }
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

/// One row of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRow {
    /// The line in a table (the header is usually line 1), or the number of the record in JSON, from 1.
    pub number: u64,
    /// The device that it describes, or why it cannot be read.
    pub listed: Result<ListedDevice, String>,
}

/// A file that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The file's name, cleaned.
    pub name: String,
    pub kind: FileKind,
    pub rows: Vec<FileRow>,
    /// The meaning of the columns; `None` for JSON.
    pub columns: Option<Columns>,
    /// Remarks for people, for example on the encoding.
    pub notes: Vec<String>,
}
