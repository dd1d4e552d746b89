//! Why a change is refused.

use std::fmt;

use super::limits::{ALTERATIONS, DECISIONS, DEVICES, ENTRIES, ZONE};
use crate::census::{CouplingKey, JoinReason};

/// Why a change is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The survey does not have the device.
    #[error(
        "device {0} does not exist; its couplings may now belong to another device: list the devices again"
    )]
    UnknownDevice(String),
    /// No device is named.
    #[error("name at least one device: send 1 to {DEVICES} ids")]
    NoDevices,
    /// More devices than one change may name.
    #[error("one change may name at most {DEVICES} devices, not {0}; send fewer at a time")]
    TooManyDevices(usize),
    /// More than one change may alter.
    #[error("the change alters {0} decisions; the limit is {ALTERATIONS}: send fewer devices at a time")]
    TooManyAlterations(usize),
    /// A type that the taxonomy does not have.
    #[error("unknown type '{0}'; use a type of the taxonomy, such as camera or switch")]
    UnknownType(String),
    /// The value of a property is invalid.
    #[error("invalid {property}: {why}")]
    BadValue {
        property: &'static str,
        /// What is wrong, and what it may be.
        why: String,
    },
    /// The devices are in different zones.
    #[error("the devices are in the zones '{0}' and '{1}'; only devices of one zone can be merged (I9)")]
    CrossZone(String, String),
    /// Fewer than two devices.
    #[error("a merge needs at least two different devices")]
    OneDevice,
    /// The device is deleted.
    #[error("device {0} is deleted; undo the deletion, or wait until it is seen again, before you merge it")]
    Deleted(String),
    /// The device does not have the coupling.
    #[error("the device does not have the coupling {}; its page lists its couplings", pair(.0))]
    NotOfDevice(CouplingKey),
    /// No coupling or all of them are named.
    #[error("name at least one of the device's couplings, but not all: the rest must be a device too")]
    NotASplit,
    /// People cannot undo the join between two couplings.
    #[error("{} and {} cannot be separated: {}; name both or neither", pair(.coupling), pair(.with), .reason.title())]
    Indivisible {
        /// A coupling that was named.
        coupling: CouplingKey,
        /// One that was not.
        with: CouplingKey,
        reason: JoinReason,
    },
    /// An entry of a managed list is invalid.
    #[error("{}: {why}", if *row == 0 { "the list".to_owned() } else { format!("entry {row} of the list") })]
    BadEntry {
        /// Its place, from 1; 0 for the list as a whole.
        row: usize,
        /// What is wrong with it.
        why: String,
    },
    /// More entries than a list may have.
    #[error("the list has {0} entries; the limit for one source is {ENTRIES}")]
    TooManyEntries(usize),
    /// The managed list has no entries from that source.
    #[error("unknown source '{0}'; see the sources in the managed list")]
    UnknownSource(String),
    /// More decisions than a subscription may hold.
    #[error(
        "the subscription would have {0} decisions; the limit is {DECISIONS}: forget a managed list, or undo changes"
    )]
    Full(usize),
    /// A later change touched the same objects.
    #[error(
        "change {change} cannot be undone because change {later} altered the same objects later; undo change {later} first"
    )]
    Touched {
        /// The change to undo.
        change: u64,
        /// The newest change that altered the same objects.
        later: u64,
    },
    /// The change was undone and brought back.
    #[error("change {change} was undone and brought back by change {by}; undo change {by} instead")]
    BroughtBack {
        /// The change to undo.
        change: u64,
        /// What brought it back.
        by: u64,
    },
    /// No sensor uploads to a zone of that name.
    #[error("there is no zone '{0}'; the list of zones names all")]
    UnknownZone(String),
    /// Another zone has the name.
    #[error("there is a zone '{0}' already; to make both one zone, merge them")]
    ZoneExists(String),
    /// The name is a label of another zone.
    #[error("'{label}' is a label whose facts count in the zone '{zone}'; choose another name")]
    ZoneLabel { label: String, zone: String },
    /// A zone would be merged into itself.
    #[error("a zone cannot be merged into itself: name two zones")]
    SameZone,
    /// The name of a zone is invalid.
    #[error("invalid name of a zone: write 1 to {ZONE} bytes without control characters")]
    BadZone,
    /// A later change gave the label, whose name the undo would change, to another zone.
    #[error(
        "change {0} cannot be undone because a zone got that label as its name since; rename that zone first"
    )]
    ZoneChain(u64),
    /// Others changed the inventory during every attempt.
    #[error("others changed the inventory at the same time; send the request again")]
    Busy,
    /// The change is undone already.
    #[error("change {change} is already undone by change {by}; undo change {by} to restore it")]
    Undone {
        /// The change to undo.
        change: u64,
        by: u64,
    },
}

/// A coupling as messages write it.
fn pair(key: &CouplingKey) -> impl fmt::Display {
    format!("{} {}", key.mac, key.ip)
}
