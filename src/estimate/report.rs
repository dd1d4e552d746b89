//! The estimate as a document: the outcome of each row, the ledger, and the number to commit with its arithmetic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::column::FileColumn;
use super::dates::DateReport;
use super::reading::FileKind;
use super::states::{InUse, StateReport};
use super::unread::Unread;
use crate::census::{Category, MacAddr, Timestamp, time::rfc3339};

/// The document's schema.
pub(crate) const SCHEMA: &str = "netcensus.estimate/1";

/// The outcome of a row. Every row has exactly one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Outcome)]
pub enum RowOutcome {
    /// It stands for a device that counts.
    Taken,
    /// It is the same device as another row, or as a device of the inventory.
    Merged,
    /// It stands for a device that does not count, or not for a device.
    Excluded,
    /// It cannot be read.
    Unreadable,
}

/// Numbers of rows. The four outcomes add up to `rows`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Ledger {
    /// All rows.
    pub rows: u64,
    /// Rows that stand for a counted device.
    pub taken: u64,
    /// Rows that are the same device as another.
    pub merged: u64,
    /// Rows that stand for a device that does not count, or not for a device.
    pub excluded: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
}

impl Ledger {
    pub(super) fn add(&mut self, outcome: RowOutcome) {
        self.rows += 1;
        match outcome {
            RowOutcome::Taken => self.taken += 1,
            RowOutcome::Merged => self.merged += 1,
            RowOutcome::Excluded => self.excluded += 1,
            RowOutcome::Unreadable => self.unreadable += 1,
        }
    }

    /// Whether the outcomes add up to the rows.
    pub fn closes(&self) -> bool {
        self.taken + self.merged + self.excluded + self.unreadable == self.rows
    }
}

/// The outcome of one file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// `cmdb`, `meraki` or `defender`.
    #[schema(value_type = String)]
    pub kind: FileKind,
    /// The file's rows.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// The headers, or members of JSON, that were taken for each column; null for JSON of Meraki and Defender.
    #[schema(value_type = Option<Object>)]
    pub columns: Option<BTreeMap<FileColumn, Vec<String>>>,
    /// The signature of the header, under which its columns are remembered; null for JSON.
    pub signature: Option<String>,
    /// The product whose export it is, if its columns or members tell; null otherwise.
    pub product: Option<&'static str>,
    /// How each column of dates was read.
    pub dates: Vec<DateReport>,
    /// The words of the status columns, and how each was taken.
    pub states: Vec<StateReport>,
    /// Texts that were not understood, and what their devices count as.
    pub not_understood: Vec<Unread>,
    /// Why rows may be missing or misread: the number is a lower bound.
    pub doubts: Vec<String>,
    /// Remarks for people, for example on the encoding.
    pub notes: Vec<String>,
}

impl FileReport {
    /// How its cells were read, as labels and texts for people.
    pub fn read_as(&self) -> Vec<(&'static str, String)> {
        let mut out = Vec::new();
        if let Some(columns) = &self.columns {
            let taken: Vec<String> = columns
                .iter()
                .filter(|(_, headers)| !headers.is_empty())
                .map(|(column, headers)| format!("{column}={}", headers.join(", ")))
                .collect();
            out.push(("columns", taken.join("; ")));
        }
        out.extend(self.dates.iter().map(|dates| ("dates", dates.sentence())));
        for (label, taken_for) in
            [("in use", InUse::Yes), ("not in use", InUse::No), ("unknown, so in use", InUse::Unknown)]
        {
            let words = self.states.iter().filter(|s| s.taken_for == taken_for);
            let words: Vec<String> = words.take(30).map(|s| format!("{} ({})", s.word, s.rows)).collect();
            if !words.is_empty() {
                out.push((label, words.join(", ")));
            }
        }
        out
    }
}

/// Rows that were taken for the same device, by what ties them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct TieReport {
    /// `MAC`, `id`, `serial number`, `address` or `other rows`.
    pub by: &'static str,
    /// Rows that are the same device as another row, or as a device of the inventory.
    pub rows: u64,
    /// The first of them, each with what it is the same as.
    pub examples: Vec<String>,
}

/// A value that looks like identity and ties nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Untied {
    /// The MAC, id, serial number or address.
    pub value: String,
    /// Rows that have it.
    pub rows: u64,
    /// Why it ties nothing.
    pub why: String,
}

/// The outcome of one row.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct RowReport {
    /// The file.
    pub file: String,
    /// The line of a table, or the number of a record.
    pub row: u64,
    /// The outcome.
    pub outcome: RowOutcome,
    /// The rule of an excluded row; null for others.
    pub rule: Option<&'static str>,
    /// The row or device of which this row is a duplicate; null for others.
    pub same_as: Option<String>,
    /// The reason, for people.
    pub why: String,
    /// The category.
    #[schema(value_type = String)]
    pub category: Category,
    /// The type, a key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its first MAC.
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// Its first address.
    #[schema(value_type = Option<String>)]
    pub ip: Option<IpAddr>,
    /// Its name.
    pub name: Option<String>,
}

/// The inventory's part of the estimate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct InventoryReport {
    /// Devices of the inventory.
    pub devices: u64,
    /// Devices that count by the inventory alone: the census.
    pub billable: u64,
    /// Devices for which there is also a row.
    pub matched: u64,
    /// Devices that count by the inventory alone, but not with the lists: another system manages them.
    pub no_longer: u64,
    /// Devices that count only with the lists, which classify them or have seen them more recently.
    pub besides: u64,
}

/// Devices that would count if no other system managed them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Managing {
    /// Network devices.
    pub network: u64,
    /// IoT devices.
    pub iot: u64,
}

/// How many devices to commit, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Estimate {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Network devices that count.
    pub network: u64,
    /// IoT devices that count.
    pub iot: u64,
    /// `network + iot`.
    pub billable: u64,
    /// The proposed commitment: `billable` rounded up to a multiple of 100; null if nothing counts, because a plan commits
    /// to at least 100 (P2).
    pub commitment: Option<u64>,
    /// Whether `billable` is only a lower bound.
    pub at_least: bool,
    /// Why it is only a lower bound, for people.
    pub because: Vec<String>,
    /// The arithmetic, such as `473 network + 1206 IoT = 1679 → 1700`.
    pub arithmetic: String,
    /// Devices that do not count because another system manages them.
    pub managed: Managing,
    /// The committed number of the plan in effect; null without a plan, and without a service.
    pub committed: Option<u64>,
    /// Billable devices above the committed number: a warning that blocks nothing (P3).
    pub over: u64,
    /// Devices that do not count, and rows that do not stand for a device, by rule. Zeros are omitted.
    pub excluded: BTreeMap<&'static str, u64>,
    /// Rows that were taken for the same device, by what ties them.
    pub ties: Vec<TieReport>,
    /// Values that look like identity and tie nothing; the first 100.
    pub untied: Vec<Untied>,
    /// The inventory's part; null if the inventory was not included.
    pub inventory: Option<InventoryReport>,
    /// All rows of all files.
    pub ledger: Ledger,
    /// Each file.
    pub files: Vec<FileReport>,
    /// Each row, in the order of files and rows.
    pub rows: Vec<RowReport>,
    /// How many rows `rows` omits; ask for all rows to see them.
    pub rows_left_out: u64,
}

impl Estimate {
    /// The arithmetic of the finished numbers.
    pub(super) fn sum(&self) -> String {
        let Managing { network, iot } = self.managed;
        let all = (self.network + network, self.iot + iot);
        let head = format!("{} network + {} IoT = {}", all.0, all.1, all.0 + all.1);
        let rest = match network + iot {
            0 => String::new(),
            managed => format!(" − {managed} managed = {}", self.billable),
        };
        // Nothing is never a commitment (P2).
        let commitment = self.commitment.map(|number| format!(" → {number}")).unwrap_or_default();
        format!("{head}{rest}{commitment}")
    }

    /// The sentence that says what to commit to.
    pub fn advice(&self) -> String {
        match (self.commitment, self.at_least) {
            (Some(number), false) => format!("Commit {number} devices."),
            (Some(number), true) => format!("Commit at least {number} devices: the number is a lower bound."),
            (None, false) => "No device counts, so there is nothing to commit to.".to_owned(),
            (None, true) => {
                "No device that could be read counts. The number is a lower bound: look at what could not be read."
                    .to_owned()
            }
        }
    }

    /// Compares the estimate with the committed number of the plan in effect.
    #[must_use]
    pub fn beside(mut self, committed: Option<u64>) -> Self {
        self.committed = committed;
        self.over = committed.map_or(0, |n| self.billable.saturating_sub(n));
        self
    }

    /// Keeps the first `limit` rows and counts the others in `rows_left_out`.
    #[must_use]
    pub fn with_rows(mut self, limit: usize) -> Self {
        self.rows_left_out += self.rows.len().saturating_sub(limit) as u64;
        self.rows.truncate(limit);
        self
    }

    /// Whether the ledger closes: every row has one outcome, in each file and in total, and every counted device is either
    /// a taken row or in the inventory.
    pub fn closes(&self) -> bool {
        let sum = |of: fn(&Ledger) -> u64| self.files.iter().map(|f| of(&f.ledger)).sum::<u64>();
        let files = self.files.iter().all(|f| f.ledger.closes());
        let whole = self.ledger.closes() && sum(|l| l.rows) == self.ledger.rows;
        let parts = sum(|l| l.taken) == self.ledger.taken && sum(|l| l.unreadable) == self.ledger.unreadable;
        let inventory = self.inventory.map_or(0, |i| i.billable - i.no_longer + i.besides);
        files && whole && parts && self.billable == self.ledger.taken + inventory
    }
}
