//! Machines that are managed elsewhere, as a list for the census (X-MANAGED).

use std::net::IpAddr;

use super::Reading;
use crate::census::{MacAddr, Timestamp};

/// One machine that a list calls managed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Managed {
    /// The row that says so.
    pub row: u64,
    /// Its MACs, sorted; may be empty.
    pub macs: Vec<MacAddr>,
    /// Its addresses, sorted: they tell it only where it has no MAC, and only while the list is valid.
    pub ips: Vec<IpAddr>,
    /// The list's own id of it.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// From when the list says so.
    pub from: Timestamp,
    /// Until when, half-open; `None` for as long as the list stands.
    pub to: Option<Timestamp>,
}

/// The machines of a file that are managed, with the validity of the file.
///
/// Machines without a MAC and an address are left out: nothing in an inventory can be one of them. So are rows that
/// cannot be read; an [`Estimate`](super::Estimate) of the file names both.
pub fn managed_entries(reading: &Reading, from: Timestamp, to: Option<Timestamp>) -> Vec<Managed> {
    let rows = reading.rows.iter().filter_map(|row| Some((row.number, row.entry.as_ref().ok()?)));
    rows.filter(|(_, e)| e.managed && !(e.macs.is_empty() && e.ips.is_empty()))
        .map(|(row, e)| Managed {
            row,
            macs: e.macs.clone(),
            ips: e.ips.clone(),
            external_id: e.id.clone(),
            name: e.name.clone(),
            from,
            to,
        })
        .collect()
}
