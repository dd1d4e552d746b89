//! The estimate: what each row came to, the ledger, and the number to commit to with its arithmetic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::column::FileColumn;
use super::reading::FileKind;
use crate::census::{Category, MacAddr, Timestamp, time::rfc3339};

/// The document's schema.
pub const SCHEMA: &str = "netcensus.estimate/1";

/// What a row came to. Exactly one of these for every row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Outcome)]
pub enum RowOutcome {
    /// It stands for a device that counts.
    Taken,
    /// It is the same device as another row, or as one of the inventory.
    Merged,
    /// It stands for a device that does not count, or for none.
    Excluded,
    /// It cannot be read.
    Unreadable,
}

/// The numbers of rows. They close: the four outcomes sum to the rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Ledger {
    /// All rows.
    pub rows: u64,
    /// Rows that stand for a counted device.
    pub taken: u64,
    /// Rows that are the same device as another.
    pub merged: u64,
    /// Rows that stand for a device that does not count, or for none.
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

    /// Whether the outcomes sum to the rows.
    pub fn closes(&self) -> bool {
        self.taken + self.merged + self.excluded + self.unreadable == self.rows
    }
}

/// What one file came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: FileKind,
    /// Its rows.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// Which columns were taken for what; null for JSON.
    #[schema(value_type = Option<Object>)]
    pub columns: Option<BTreeMap<FileColumn, Vec<String>>>,
    /// The signature of the header, under which columns are remembered; null for JSON.
    pub signature: Option<String>,
    /// What a person should know about the reading.
    pub notes: Vec<String>,
}

/// What one row came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct RowReport {
    /// The file.
    pub file: String,
    /// The line of a table, or the number of a record.
    pub row: u64,
    /// What it came to.
    pub outcome: RowOutcome,
    /// The rule of an exclusion; null else.
    pub rule: Option<&'static str>,
    /// The row or device that it is the same as; null else.
    pub same_as: Option<String>,
    /// Why, in words.
    pub why: String,
    /// What it is taken for.
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

/// What the inventory brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct InventoryReport {
    /// Its devices.
    pub devices: u64,
    /// Those that count by the inventory alone: the census.
    pub billable: u64,
    /// Those that a row stands for too.
    pub matched: u64,
    /// Those that count by the inventory alone, but not with the lists: managed elsewhere.
    pub no_longer: u64,
    /// Those that count with the lists only: the lists tell what they are, or that they are still there.
    pub besides: u64,
}

/// Devices that would count if they were not managed elsewhere.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Managing {
    /// Network devices.
    pub network: u64,
    /// IoT devices.
    pub iot: u64,
}

/// How many devices to commit to, and why.
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
    /// The proposed number: `billable` rounded up to a multiple of 100.
    pub commitment: u64,
    /// How the number comes about: `473 network + 1206 IoT = 1679 → 1700`.
    pub arithmetic: String,
    /// Left out because they are managed elsewhere.
    pub managed: Managing,
    /// The number committed to by the plan in effect; null without one, and without a service.
    pub committed: Option<u64>,
    /// Billable devices beyond the committed number: a warning, it blocks nothing (P3).
    pub over: u64,
    /// What does not count, by rule: devices, and rows that stand for none. No zeros.
    pub excluded: BTreeMap<&'static str, u64>,
    /// The inventory; null where none was asked.
    pub inventory: Option<InventoryReport>,
    /// All rows of all files.
    pub ledger: Ledger,
    /// Each file.
    pub files: Vec<FileReport>,
    /// Each row, in the order of files and rows.
    pub rows: Vec<RowReport>,
    /// Rows that are left out of `rows`; ask for all of them to see these too.
    pub rows_left_out: u64,
}

impl Estimate {
    /// The arithmetic of the finished numbers.
    pub(super) fn sum(&self) -> String {
        let Managing { network, iot } = self.managed;
        let all = (self.network + network, self.iot + iot);
        let head = format!("{} network + {} IoT = {}", all.0, all.1, all.0 + all.1);
        match network + iot {
            0 => format!("{head} → {}", self.commitment),
            managed => format!("{head} − {managed} managed = {} → {}", self.billable, self.commitment),
        }
    }

    /// Sets the number beside what the plan in effect commits to.
    #[must_use]
    pub fn beside(mut self, committed: Option<u64>) -> Self {
        self.committed = committed;
        self.over = committed.map_or(0, |n| self.billable.saturating_sub(n));
        self
    }

    /// Keeps the first `limit` rows; says how many it left out.
    #[must_use]
    pub fn with_rows(mut self, limit: usize) -> Self {
        self.rows_left_out += self.rows.len().saturating_sub(limit) as u64;
        self.rows.truncate(limit);
        self
    }

    /// Whether the ledger closes: every row has one outcome, in each file and over all, and every counted device is
    /// either a taken row or the inventory's.
    pub fn closes(&self) -> bool {
        let sum = |of: fn(&Ledger) -> u64| self.files.iter().map(|f| of(&f.ledger)).sum::<u64>();
        let files = self.files.iter().all(|f| f.ledger.closes());
        let whole = self.ledger.closes() && sum(|l| l.rows) == self.ledger.rows;
        let parts = sum(|l| l.taken) == self.ledger.taken && sum(|l| l.unreadable) == self.ledger.unreadable;
        let inventory = self.inventory.map_or(0, |i| i.billable - i.no_longer + i.besides);
        files && whole && parts && self.billable == self.ledger.taken + inventory
    }
}
