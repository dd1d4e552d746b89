//! A change: what it alters, as it is drafted and as it was made.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::{Decision, Decisions, Object, Timestamp, time::rfc3339};

/// The kinds of change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Action)]
pub enum ChangeKind {
    /// Set or took back properties of devices, or took their deletion back.
    Edit,
    /// Deleted devices.
    Delete,
    /// Merged devices.
    Merge,
    /// Split couplings off a device.
    Split,
    /// Imported a list of endpoints that another system manages, or added devices to one.
    Import,
    /// Removed the list of a source.
    Forget,
    /// Undid another change.
    Undo,
    /// Renamed a zone, or merged it into another one.
    Zone,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Edit,
        Self::Delete,
        Self::Merge,
        Self::Split,
        Self::Import,
        Self::Forget,
        Self::Undo,
        Self::Zone,
    ];

    /// The word in the API and the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Import => "import",
            Self::Forget => "forget",
            Self::Undo => "undo",
            Self::Zone => "zone",
        }
    }

    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.key() == key)
    }
}

/// One object of a change, with the decision on it before and after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alteration {
    pub object: Object,
    pub before: Option<Decision>,
    pub after: Option<Decision>,
}

/// A change that is not made yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    pub action: ChangeKind,
    /// What it does, in a few words.
    pub summary: String,
    /// The change that it undoes.
    pub undoes: Option<u64>,
    /// What it alters, each object once; empty if nothing needs to change.
    pub alterations: Vec<Alteration>,
}

impl Draft {
    /// Applies the change to `decisions`.
    pub fn apply(&self, decisions: &mut Decisions) {
        for a in &self.alterations {
            decisions.set(&a.object, a.after.clone());
        }
    }
}

/// The billable devices before and after a change, at the instant at which it was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct CountDelta {
    /// Billable devices before.
    pub before: u64,
    /// Billable devices after.
    pub after: u64,
    /// `after - before`.
    pub delta: i64,
}

impl CountDelta {
    pub fn new(before: u64, after: u64) -> Self {
        Self { before, after, delta: after.cast_signed().wrapping_sub(before.cast_signed()) }
    }
}

/// A change that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct ChangeSet {
    /// Counts from 1 within the subscription.
    pub number: u64,
    /// Its kind.
    pub action: ChangeKind,
    /// What it did, in a few words.
    pub summary: String,
    /// Who made it.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The reason that the person gave.
    pub reason: Option<String>,
    /// The change that it undid.
    pub undoes: Option<u64>,
    /// The change that undid it.
    pub undone_by: Option<u64>,
    /// Objects that it altered.
    pub objects: u64,
    /// The billable devices before and after.
    pub count: CountDelta,
}
