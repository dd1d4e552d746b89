//! Makes entries of the managed list from lists of other systems, which [`crate::estimate`] reads.

use serde::Serialize;
use utoipa::ToSchema;

use super::limits::ENTRIES;
use super::request::ManagedEndpoint;
use crate::estimate::{ListedDevice, Reading};

/// Systems that list only devices which they manage.
const MANAGES_ALL: [&str; 2] = ["Microsoft Intune", "Microsoft Configuration Manager"];

/// Unreadable rows that a report names.
const NAMED: usize = 100;

/// What became of the rows of a list. `rows` is the sum of the other numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct ListReport {
    /// Rows of the file.
    pub rows: u64,
    /// Rows that became entries.
    pub taken: u64,
    /// Rows of endpoints that are not managed.
    pub not_managed: u64,
    /// Rows of managed endpoints without a MAC and without an IP address.
    pub without_address: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// Why rows may be missing or misread, one sentence each: the file breaks off, or its table is damaged.
    pub doubts: Vec<String>,
    /// The product whose export it is, if its columns tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<&'static str>,
    /// The first 100 unreadable rows.
    pub unreadable_rows: Vec<UnreadableRow>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct UnreadableRow {
    /// Its line, or the number of the record in JSON.
    pub row: u64,
    /// Why.
    pub why: String,
}

impl ManagedEndpoint {
    /// The managed machines of a file, or `all` machines, also if it is the export of a system that manages all of its
    /// devices: one entry for each MAC, or for each address if there is no MAC.
    pub fn of_list(reading: &Reading, all: bool) -> (Vec<Self>, ListReport) {
        let all = all || reading.product.is_some_and(|product| MANAGES_ALL.contains(&product));
        let mut report =
            ListReport { doubts: reading.doubts.clone(), product: reading.product, ..ListReport::default() };
        let mut entries = Vec::new();
        for row in &reading.rows {
            report.rows += 1;
            match &row.listed {
                Err(why) => {
                    report.unreadable += 1;
                    if report.unreadable_rows.len() < NAMED {
                        report.unreadable_rows.push(UnreadableRow { row: row.number, why: why.clone() });
                    }
                }
                Ok(listed) if !all && !listed.managed => report.not_managed += 1,
                Ok(listed) if listed.macs.is_empty() && listed.ips.is_empty() => report.without_address += 1,
                Ok(listed) => {
                    report.taken += 1;
                    // One entry over the limit is enough to refuse the list.
                    let room = (ENTRIES + 1).saturating_sub(entries.len());
                    entries.extend(Self::of_device(listed).take(room));
                }
            }
        }
        (entries, report)
    }

    fn of_device(listed: &ListedDevice) -> impl Iterator<Item = Self> {
        let named = listed.id.clone().or_else(|| listed.name.clone());
        let ips = if listed.macs.is_empty() { listed.ips.as_slice() } else { &[] };
        let macs = listed.macs.iter().map(|mac| (Some(*mac), None));
        macs.chain(ips.iter().map(|ip| (None, Some(*ip)))).map(move |(mac, ip)| {
            let own = || mac.map(|m| m.to_string()).or_else(|| ip.map(|i| i.to_string())).unwrap_or_default();
            let external_id: String = named.clone().unwrap_or_else(own).chars().take(200).collect();
            Self { external_id, mac, ip, from: None, to: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{ReadOptions, read};

    #[test]
    fn every_row_of_a_device_management_system_is_managed() {
        let csv = "Device ID,Device name,Managed by,OS,Wi-Fi MAC,EthernetMAC,Compliance\n\
                   a1,nb-1,Intune,Windows,3c:52:82:c1:00:01,3c:52:82:c2:00:01,Compliant\n\
                   a2,nb-2,Intune,Windows,3c:52:82:c1:00:02,,Noncompliant\n";
        let reading = read("intune.csv", csv.as_bytes(), &ReadOptions::default()).unwrap();
        let (entries, report) = ManagedEndpoint::of_list(&reading, false);
        assert_eq!((report.rows, report.taken, report.product), (2, 2, Some("Microsoft Intune")));
        assert_eq!(entries.len(), 3, "an entry for each card");
    }

    #[test]
    fn every_row_is_taken_or_told_why_not() {
        let csv = "Device Name,Onboarding status,MAC address,IP\n\
                   pc,Onboarded,00:21:cc:00:00:11,10.0.0.1\n\
                   cam,Unsupported,00:40:8c:00:00:01,\n\
                   far,Onboarded,,10.0.0.7\n\
                   ghost,Onboarded,,\n";
        let reading = read("m.csv", csv.as_bytes(), &ReadOptions::default()).unwrap();
        let (entries, report) = ManagedEndpoint::of_list(&reading, false);
        let sum = report.taken + report.not_managed + report.without_address + report.unreadable;
        assert_eq!((report.rows, sum, report.taken, report.not_managed), (4, 4, 2, 1));
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].mac.is_some(), entries[0].ip), (true, None), "the MAC tells it");
        assert_eq!((entries[1].mac, entries[1].external_id.as_str()), (None, "far"));
        assert_eq!(ManagedEndpoint::of_list(&reading, true).1.taken, 3);
    }
}
