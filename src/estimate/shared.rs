//! Values that look like identity and stand for several devices of one list: they tie nothing.
//!
//! One list knows its devices. If rows that bear a MAC, an id or a serial number are different devices by everything else
//! that the list says, the value is a driver's, a dock's, a default, or no identity at all.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::overlap::{Entry, Ties};
use super::report::Untied;
use crate::census::MacAddr;

/// Rows of one value that are compared; further rows are not needed to see that they are several devices.
const COMPARED: usize = 16;
/// So many different devices make a value shared if their list gives no ids.
const SEVERAL: usize = 3;

/// The values that tie nothing.
#[derive(Debug, Default)]
pub(super) struct Shared<'a> {
    macs: BTreeMap<MacAddr, u64>,
    ids: BTreeMap<&'a str, u64>,
    own_ids: HashSet<(usize, &'a str)>,
    serials: BTreeMap<&'a str, u64>,
}

impl<'a> Shared<'a> {
    pub(super) fn of(entries: &[Entry<'a>]) -> Self {
        let mut by_mac: BTreeMap<(MacAddr, usize), Vec<&'a super::ListedDevice>> = BTreeMap::new();
        let mut by_id: BTreeMap<(&'a str, usize), Vec<&'a super::ListedDevice>> = BTreeMap::new();
        let mut by_serial: BTreeMap<(&'a str, usize), Vec<&'a super::ListedDevice>> = BTreeMap::new();
        for Entry { listed, list, .. } in entries.iter().filter(|e| e.listed.excluded.is_none()) {
            for mac in &listed.macs {
                by_mac.entry((*mac, *list)).or_default().push(listed);
            }
            for id in &listed.ids {
                by_id.entry((id, *list)).or_default().push(listed);
            }
            if let Some(serial) = &listed.serial {
                by_serial.entry((serial, *list)).or_default().push(listed);
            }
        }
        let mut shared = Self::default();
        for ((mac, _), rows) in by_mac.iter().filter(|(_, rows)| rows.len() > 1) {
            let is_shared = has_serials(rows) || are_several(rows, |other| *other != *mac);
            if is_shared {
                *shared.macs.entry(*mac).or_default() += rows.len() as u64;
            }
        }
        for ((id, list), rows) in by_id.iter().filter(|(_, rows)| rows.len() > 1) {
            if count(&named(rows), |_| true, |_| None) >= SEVERAL {
                *shared.ids.entry(id).or_default() += rows.len() as u64;
                shared.own_ids.extend(rows.iter().filter_map(|r| Some((*list, r.id.as_deref()?))));
            }
        }
        for ((serial, _), rows) in by_serial.iter().filter(|(_, rows)| rows.len() > 1) {
            if count(&named(rows), |_| true, |_| None) >= SEVERAL {
                *shared.serials.entry(serial).or_default() += rows.len() as u64;
            }
        }
        shared
    }

    pub(super) fn has_mac(&self, mac: MacAddr) -> bool {
        self.macs.contains_key(&mac)
    }

    pub(super) fn has_id(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// As [`Self::has_id`], of an id as its list writes it.
    pub(super) fn has_own_id(&self, list: usize, id: &str) -> bool {
        self.own_ids.contains(&(list, id))
    }

    pub(super) fn has_serial(&self, serial: &str) -> bool {
        self.serials.contains_key(serial)
    }

    /// For the report.
    pub(super) fn into_untied(self) -> Vec<Untied> {
        let why = "rows of one list that bear it are different devices by all else that the list says";
        let untied = |value: String, rows: u64| Untied { value, rows, why: why.to_owned() };
        let macs = self.macs.into_iter().map(|(mac, rows)| untied(mac.to_string(), rows));
        let ids = self.ids.into_iter().map(|(id, rows)| untied(id.to_owned(), rows));
        let serials = self.serials.into_iter().map(|(serial, rows)| untied(serial.to_owned(), rows));
        macs.chain(ids).chain(serials).collect()
    }
}

/// Whether the rows have different serial numbers.
fn has_serials(rows: &[&super::ListedDevice]) -> bool {
    rows.iter().filter_map(|r| r.serial.as_deref()).collect::<BTreeSet<_>>().len() > 1
}

/// Whether the rows are several devices by their other MACs: two if the list gives each its own id, else three.
fn are_several(rows: &[&super::ListedDevice], is_other: impl Fn(&MacAddr) -> bool) -> bool {
    let has_ids = rows.iter().all(|r| r.id.is_some());
    let several = if has_ids { 2 } else { SEVERAL };
    count(rows, is_other, |r| r.id.as_deref()) >= several
}

/// The rows with a name: without names, rows of one id are its interfaces.
fn named<'a>(rows: &[&'a super::ListedDevice]) -> Vec<&'a super::ListedDevice> {
    rows.iter().filter(|r| r.name.is_some()).copied().collect()
}

/// How many devices the rows are by the MACs that `is_other` accepts, by their names and by `id`: rows that share one of
/// these are one. Rows without such a MAC are not counted.
fn count<'a>(
    rows: &[&'a super::ListedDevice],
    is_other: impl Fn(&MacAddr) -> bool,
    id: impl Fn(&'a super::ListedDevice) -> Option<&'a str>,
) -> usize {
    let rows: Vec<&super::ListedDevice> =
        rows.iter().filter(|r| r.macs.iter().any(&is_other)).take(COMPARED).copied().collect();
    let mut ties = Ties::new(rows.len());
    for (place, row) in rows.iter().enumerate() {
        for (other, before) in rows.iter().enumerate().take(place) {
            let same_mac = row.macs.iter().any(|mac| is_other(mac) && before.macs.binary_search(mac).is_ok());
            let same_name = row.name.is_some() && row.name == before.name;
            let same_id = id(row).is_some() && id(row) == id(before);
            if same_mac || same_name || same_id {
                ties.join(place, other);
            }
        }
    }
    (0..rows.len()).map(|place| ties.root(place)).collect::<BTreeSet<_>>().len()
}
