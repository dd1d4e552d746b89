//! Change sets: every change that people make to an inventory, as one thing with before and after that can be undone.
//!
//! Pure. [`Draft`]s are made from a survey and the decisions that stand ([`ChangeDrafter`]); the store keeps them as they are, so
//! that undoing one sets back exactly what stood before.

mod document;
mod drafter;
mod list;
mod patch;

#[cfg(test)]
mod laws;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use document::{AlterationEntry, DecisionEntry, ObjectEntry};
pub use drafter::{ChangeDrafter, ManagedEndpoint};
pub use list::{ListReport, UnreadableRow};
pub use patch::{Patch, TAG, TAGS, TEXT};

use crate::census::{CouplingKey, Decision, Decisions, JoinReason, Object, Timestamp, time::rfc3339};

/// Devices that one change may name.
pub const DEVICES: usize = 1_000;
/// Decisions that one change may alter, but for imports.
pub const ALTERATIONS: usize = 20_000;
/// Entries of one managed list.
pub const ENTRIES: usize = 200_000;
/// Decisions that may stand in one subscription.
pub const DECISIONS: usize = 1_000_000;

/// The kinds of change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Properties of devices were set or taken back.
    Edit,
    /// Devices were deleted.
    Delete,
    /// Devices were merged.
    Merge,
    /// Couplings were taken out of a device.
    Split,
    /// A list of what is managed elsewhere was imported.
    Import,
    /// The list of a source was forgotten.
    Forget,
    /// Another change was undone.
    Undo,
}

impl Action {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Edit, Self::Delete, Self::Merge, Self::Split, Self::Import, Self::Forget, Self::Undo];

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
        }
    }

    /// The kind of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.key() == key)
    }
}

/// One object of a change: what stood on it before, and what stands on it after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alteration {
    /// What it is about.
    pub object: Object,
    /// What stood before.
    pub before: Option<Decision>,
    /// What stands after.
    pub after: Option<Decision>,
}

/// A change that is not made yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// Its kind.
    pub action: Action,
    /// What it does, in a few words.
    pub summary: String,
    /// The change that it undoes.
    pub undoes: Option<u64>,
    /// What it alters, each object once; empty where everything stands already as it should.
    pub alterations: Vec<Alteration>,
}

impl Draft {
    /// Lets the decisions stand as the change wants them.
    pub fn apply(&self, decisions: &mut Decisions) {
        for a in &self.alterations {
            decisions.set(&a.object, a.after.clone());
        }
    }
}

/// What a change did to the number of billable devices, at the instant and of the facts at which it was made.
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
    /// From one number to another.
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
    pub action: Action,
    /// What it did, in a few words.
    pub summary: String,
    /// Who made it.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why, as its maker wrote.
    pub reason: Option<String>,
    /// The change that it undid.
    pub undoes: Option<u64>,
    /// The change that undid it.
    pub undone_by: Option<u64>,
    /// Objects that it altered.
    pub objects: u64,
    /// What it did to the count.
    pub count: CountDelta,
}

/// Why a change is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChangeRefusal {
    /// Devices that the survey does not have.
    #[error("there is no device {0}; its couplings may lie in another device since: list the devices again")]
    UnknownDevice(String),
    /// No device is named.
    #[error("no device is named; give 1 to {DEVICES} ids")]
    NoDevices,
    /// More devices than one change may name.
    #[error("{0} devices are more than one change may name; send at most {DEVICES} at a time")]
    TooManyDevices(usize),
    /// More than one change may alter.
    #[error(
        "the change alters {0} decisions on couplings; one change may alter {ALTERATIONS}: send fewer devices at a time"
    )]
    TooManyAlterations(usize),
    /// A type that the taxonomy does not have.
    #[error("'{0}' is no type of the taxonomy; see 'type' in the list of devices, such as camera or switch")]
    UnknownType(String),
    /// A value that cannot be set.
    #[error("{property} cannot be set so: {why}")]
    BadValue {
        /// Which property.
        property: &'static str,
        /// What is wrong, and what it may be.
        why: String,
    },
    /// The devices lie in different zones.
    #[error(
        "the devices lie in the zones '{0}' and '{1}'; devices of different zones are different devices (I9): merge within one zone"
    )]
    CrossZone(String, String),
    /// Fewer than two devices.
    #[error("a merge takes two devices or more, each named once")]
    OneDevice,
    /// The device is deleted.
    #[error("device {0} is deleted; undo its deletion, or wait for its traffic, before it is merged")]
    Deleted(String),
    /// No coupling of the device.
    #[error("the device has no coupling {}; its page lists them", pair(.0))]
    NotOfDevice(CouplingKey),
    /// Nothing or everything is taken out.
    #[error("name some of the device's couplings, and not all of them: what is left must be a device too")]
    NotASplit,
    /// A join that people cannot undo.
    #[error("{} and {} cannot be split: {}; name both or neither", pair(.coupling), pair(.with), .reason.title())]
    Indivisible {
        /// A coupling that was named.
        coupling: CouplingKey,
        /// One that was not.
        with: CouplingKey,
        /// What joins them.
        reason: JoinReason,
    },
    /// An entry of a managed list is no good.
    #[error("{}: {why}", if *row == 0 { "the list".to_owned() } else { format!("entry {row} of the list") })]
    BadEntry {
        /// Its place, from 1; 0 for the list as a whole.
        row: usize,
        /// What is wrong with it.
        why: String,
    },
    /// More entries than a list may have.
    #[error("the list has {0} entries; a source may have {ENTRIES}")]
    TooManyEntries(usize),
    /// No entries of that source.
    #[error("nothing is managed by '{0}'; see the sources in the managed list")]
    UnknownSource(String),
    /// More decisions than a subscription may hold.
    #[error(
        "{0} decisions would stand; a subscription may have {DECISIONS}: forget a managed list, or undo changes"
    )]
    Full(usize),
    /// A later change touched the same objects.
    #[error(
        "change {change} cannot be undone, as change {later} altered the same objects since; undo that one first"
    )]
    Touched {
        /// The change to undo.
        change: u64,
        /// The newest that stands in the way.
        later: u64,
    },
    /// It was undone, and that undone.
    #[error("change {change} was undone and brought back by change {by}; undo change {by} instead")]
    BroughtBack {
        /// The change to undo.
        change: u64,
        /// What brought it back.
        by: u64,
    },
    /// Others change the inventory all the time.
    #[error("others changed the inventory at the same time; send it again")]
    Busy,
    /// It is undone already.
    #[error("change {change} was undone by change {by} already; undo that one to have it back")]
    Undone {
        /// The change to undo.
        change: u64,
        /// What undid it.
        by: u64,
    },
}

/// Looks whether a change can be undone. `later` are the changes after it that altered an object of it, in order, each
/// with what it undid: a change and what undid it count for nothing.
///
/// # Errors
/// [`ChangeRefusal::Touched`], [`ChangeRefusal::Undone`] or [`ChangeRefusal::BroughtBack`].
pub fn ensure_undoable(change: u64, later: &[(u64, Option<u64>)]) -> Result<(), ChangeRefusal> {
    // What undid the change, what undid that, and so on.
    let chain: Vec<u64> = std::iter::successors(Some(change), |head| {
        later.iter().find(|(_, undoes)| *undoes == Some(*head)).map(|(number, _)| *number)
    })
    .collect();
    let mut undone: Vec<u64> = Vec::new();
    for (number, undoes) in later.iter().rev().filter(|(number, _)| !chain.contains(number)) {
        match undoes {
            _ if undone.contains(number) => {}
            Some(known) if *known > change => undone.push(*known),
            _ => return Err(ChangeRefusal::Touched { change, later: *number }),
        }
    }
    match chain.as_slice() {
        [_, .., by] if chain.len().is_multiple_of(2) => Err(ChangeRefusal::Undone { change, by: *by }),
        [_, .., by] => Err(ChangeRefusal::BroughtBack { change, by: *by }),
        _ => Ok(()),
    }
}

/// What a person wants changed.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeRequest {
    /// Set properties on devices.
    Edit {
        /// Their ids.
        ids: Vec<String>,
        /// What to set.
        patch: Patch,
    },
    /// Delete devices.
    Delete {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Make devices one.
    Merge {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Take couplings out of a device.
    Split {
        /// Its id.
        id: String,
        /// Which.
        couplings: Vec<CouplingKey>,
    },
    /// Replace the list of what a source manages.
    Import {
        /// The source.
        source: String,
        /// The only zone in which its entries are looked for.
        zone: Option<String>,
        /// The list.
        entries: Vec<ManagedEndpoint>,
    },
    /// Forget the list of a source.
    Forget {
        /// The source.
        source: String,
    },
    /// Undo a change.
    Undo {
        /// Its number.
        change: u64,
    },
}

/// A coupling as messages write it.
fn pair(key: &CouplingKey) -> impl fmt::Display {
    format!("{} {}", key.mac, key.ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_and_what_undid_it_are_not_in_the_way() {
        assert_eq!(ensure_undoable(5, &[]), Ok(()));
        assert_eq!(ensure_undoable(5, &[(6, None)]), Err(ChangeRefusal::Touched { change: 5, later: 6 }));
        assert_eq!(ensure_undoable(5, &[(6, None), (7, Some(6))]), Ok(()));
        assert_eq!(ensure_undoable(5, &[(6, Some(5))]), Err(ChangeRefusal::Undone { change: 5, by: 6 }));
        let back = [(6, Some(5)), (7, Some(6))];
        assert_eq!(ensure_undoable(5, &back), Err(ChangeRefusal::BroughtBack { change: 5, by: 7 }));
        let gone = [(6, Some(5)), (7, Some(6)), (8, Some(7))];
        assert_eq!(ensure_undoable(5, &gone), Err(ChangeRefusal::Undone { change: 5, by: 8 }));
        let again = [(6, None), (7, Some(6)), (8, Some(7))];
        assert_eq!(ensure_undoable(5, &again), Err(ChangeRefusal::Touched { change: 5, later: 6 }));
        assert_eq!(
            ensure_undoable(5, &[(6, None), (7, Some(6)), (9, None)]),
            Err(ChangeRefusal::Touched { change: 5, later: 9 })
        );
    }
}
