//! A file that was read: its kind, its rows, and what a person should know about the reading.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::listed::ListedDevice;

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

/// One row of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRow {
    /// Where it stands: the line of a table (the header's is usually 1), the number of a record in JSON, from 1.
    pub number: u64,
    /// What it says, or why it cannot be read.
    pub listed: Result<ListedDevice, String>,
}

/// A file that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Its name, cleaned.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Its rows in order.
    pub rows: Vec<FileRow>,
    /// Which columns were taken for what; `None` for JSON.
    pub columns: Option<Columns>,
    /// What a person should know about the reading.
    pub notes: Vec<String>,
}
