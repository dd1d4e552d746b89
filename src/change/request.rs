//! What a person wants changed.

use std::net::IpAddr;

use super::patch::Patch;
use crate::census::{CouplingKey, MacAddr, Timestamp};

/// What a person wants changed.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeRequest {
    /// Set properties on devices.
    Edit { ids: Vec<String>, patch: Patch },
    /// Delete devices.
    Delete { ids: Vec<String> },
    /// Take the deletion of devices back.
    Restore { ids: Vec<String> },
    /// Add the MACs of devices to the managed list of a source.
    Manage { ids: Vec<String>, source: String },
    /// Merge devices into one.
    Merge { ids: Vec<String> },
    /// Split couplings off a device.
    Split { id: String, couplings: Vec<CouplingKey> },
    /// Replace the list of endpoints that a source manages.
    Import {
        source: String,
        /// The only zone to which its entries apply; all zones if it is missing.
        zone: Option<String>,
        entries: Vec<ManagedEndpoint>,
    },
    /// Remove the list of a source.
    Forget { source: String },
    /// Undo a change.
    Undo { change: u64 },
    /// Let a zone count under another name.
    Zone(ZoneRequest),
}

/// What a person wants a zone to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ZoneRequest {
    /// Give a zone a name that no other zone has.
    Rename { zone: String, name: String },
    /// Make a zone part of another one.
    Merge { zone: String, into: String },
}

impl ZoneRequest {
    /// The zone, and the name that it gets.
    pub fn names(&self) -> (&str, &str) {
        match self {
            Self::Rename { zone, name } | Self::Merge { zone, into: name } => (zone, name),
        }
    }
}

/// An endpoint that another system manages, as an import brings it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManagedEndpoint {
    /// Its id in that system.
    pub external_id: String,
    pub mac: Option<MacAddr>,
    /// Its IP address, used only if there is no MAC.
    pub ip: Option<IpAddr>,
    /// The first instant at which it applies. If it is missing: as before for a known entry, else the instant of the
    /// count.
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer applies. If it is missing, an entry with a MAC applies until it is imported
    /// again or removed, and one without a MAC for 30 days.
    pub to: Option<Timestamp>,
}
