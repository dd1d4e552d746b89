//! Why a change is refused.

use std::fmt;

use super::limits::{ALTERATIONS, DECISIONS, DEVICES, ENTRIES};
use crate::census::{CouplingKey, JoinReason};

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

/// A coupling as messages write it.
fn pair(key: &CouplingKey) -> impl fmt::Display {
    format!("{} {}", key.mac, key.ip)
}
