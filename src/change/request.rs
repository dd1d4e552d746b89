//! What a person wants changed.

use std::net::IpAddr;

use super::patch::Patch;
use crate::census::{CouplingKey, MacAddr, Timestamp};

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

/// An endpoint that another system manages, as an import brings it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManagedEndpoint {
    /// Its name in that system.
    pub external_id: String,
    /// Its MAC.
    pub mac: Option<MacAddr>,
    /// Its address: looked at where there is no MAC.
    pub ip: Option<IpAddr>,
    /// The first instant at which it holds; the instant of the count where it is missing, or as before where the entry
    /// is known.
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds; where it is missing, an entry with a MAC holds until it is
    /// imported anew or forgotten, and one without for 30 days.
    pub to: Option<Timestamp>,
}
