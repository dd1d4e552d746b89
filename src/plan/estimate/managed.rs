//! Machines that are managed elsewhere, as a list for the census (X-MANAGED).

use std::net::IpAddr;

use super::{ADDRESS_LIFE, Reading};
use crate::census::{MacAddr, Timestamp};

/// One MAC, or one address, of a machine that a list calls managed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Managed {
    /// The row that says so.
    pub row: u64,
    /// The list's own id of the machine.
    pub external_id: Option<String>,
    /// The machine's name.
    pub name: Option<String>,
    /// Its MAC.
    pub mac: Option<MacAddr>,
    /// Its address: only of a machine whose MAC the list does not tell.
    pub ip: Option<IpAddr>,
    /// From when the list says so.
    pub from: Timestamp,
    /// Until when, half-open; `None` for as long as the list stands. An address is valid for [`ADDRESS_LIFE`] after the
    /// machine was last seen, or after `from` where the list does not tell when that was.
    pub to: Option<Timestamp>,
}

/// The managed machines of a file, with the validity of the file: an entry for each MAC, or for each address where there
/// is no MAC, in the order of rows.
///
/// Machines without either are left out, as nothing in an inventory can be one of them, and so are those whose address
/// is valid no longer. So are rows that cannot be read; an [`Estimate`](super::Estimate) of the file names both.
pub fn managed_entries(reading: &Reading, from: Timestamp, to: Option<Timestamp>) -> Vec<Managed> {
    let rows = reading.rows.iter().filter_map(|row| Some((row.number, row.entry.as_ref().ok()?)));
    let mut out = Vec::new();
    for (row, entry) in rows.filter(|(_, e)| e.managed) {
        let one = |mac, ip, to| Managed {
            row,
            external_id: entry.id.clone(),
            name: entry.name.clone(),
            mac,
            ip,
            from,
            to,
        };
        out.extend(entry.macs.iter().map(|mac| one(Some(*mac), None, to)));
        let until = entry.last_seen.unwrap_or(from).plus(ADDRESS_LIFE);
        let until = to.map_or(until, |to| to.min(until));
        if entry.macs.is_empty() && until > from {
            out.extend(entry.ips.iter().map(|ip| one(None, Some(*ip), Some(until))));
        }
    }
    out
}
