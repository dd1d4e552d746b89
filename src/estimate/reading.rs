//! A file that was read.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::dates::DateReport;
use super::listed::ListedDevice;
use super::states::StateReport;
use super::unread::Unread;

/// The kinds of file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A table from a configuration management database or any other product, or that product's JSON.
    Cmdb,
    /// Clients or devices of the Meraki dashboard, as JSON.
    Meraki,
    /// Machines of Defender for Endpoint, as JSON.
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

/// How the cells of a file were understood.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// Each column of dates.
    pub dates: Vec<DateReport>,
    /// Each word of the status columns.
    pub states: Vec<StateReport>,
    /// What was not understood, and its effect.
    pub unread: Vec<Unread>,
}

/// A file that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The file's name, cleaned.
    pub name: String,
    pub kind: FileKind,
    pub rows: Vec<FileRow>,
    /// The product whose export it is, if its columns or members tell.
    pub product: Option<&'static str>,
    /// Whether every row is a device of its own, as in our own exports.
    pub is_distinct: bool,
    /// The meaning of the columns, or of the members of JSON; `None` for JSON of Meraki and Defender.
    pub columns: Option<Columns>,
    /// How dates, states and other cells were understood.
    pub told: Told,
    /// Why rows may be missing or misread, for people: the number is a lower bound.
    pub doubts: Vec<String>,
    /// Remarks for people, for example on the encoding.
    pub notes: Vec<String>,
}
