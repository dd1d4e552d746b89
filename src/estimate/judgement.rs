//! From readings and an inventory to an estimate: groups the rows, judges each group once, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::error::FileError;
use super::exclusion::Exclusion;
use super::fate::{Fate, Place};
use super::limits::{FILES, ROWS};
use super::listed::ListedDevice;
use super::overlap::{self, Entry, Group};
use super::reading::Reading;
use super::report::{Estimate, InventoryReport, Ledger, Managing, RowOutcome, SCHEMA};
use super::sorter::{Basis, Sorted, Sorter};
use crate::census::{Category, Classification, MacAddr, Policy, Standing, Timestamp, Verdict, verdict};
use crate::wire::DeviceRow;

impl Estimate {
    /// The estimate of files and, if given, of an inventory's devices. A pure function of its arguments.
    ///
    /// # Errors
    ///
    /// If there are too many files or rows.
    pub fn new(
        files: &[Reading],
        inventory: Option<&[&DeviceRow]>,
        sorter: &Sorter<'_>,
        policy: &Policy,
        as_of: Timestamp,
    ) -> Result<Self, FileError> {
        if files.len() > FILES {
            return Err(FileError::TooManyFiles);
        }
        let mut places = Vec::new();
        for (list, file) in files.iter().enumerate() {
            if places.len() + file.rows.len() > ROWS {
                return Err(FileError::TooManyRows { name: file.name.clone() });
            }
            places.extend(file.rows.iter().map(|row| Place {
                file,
                list,
                number: row.number,
                listed: row.listed.as_ref().map_err(String::as_str),
                sorted: row.listed.as_ref().ok().map(|e| sorter.sort(e)),
            }));
        }
        let mut work = Work {
            estimate: Self::empty(policy, as_of),
            fates: places.iter().map(|_| None).collect(),
            places: &places,
            devices: inventory.unwrap_or_default(),
            policy,
        };
        work.run();
        let Work { mut estimate, fates, .. } = work;
        estimate.inventory = inventory.map(|_| estimate.inventory.unwrap_or_default());
        estimate.write(files, &places, fates);
        Ok(estimate)
    }

    fn empty(policy: &Policy, as_of: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            policy: policy.name.clone(),
            as_of,
            network: 0,
            iot: 0,
            billable: 0,
            commitment: None,
            at_least: false,
            because: Vec::new(),
            arithmetic: String::new(),
            managed: Managing::default(),
            committed: None,
            over: 0,
            excluded: BTreeMap::new(),
            ties: Vec::new(),
            untied: Vec::new(),
            inventory: None,
            ledger: Ledger::default(),
            files: Vec::new(),
            rows: Vec::new(),
            rows_left_out: 0,
        }
    }
}

/// An estimate in the making.
struct Work<'a> {
    estimate: Estimate,
    fates: Vec<Option<Fate>>,
    places: &'a [Place<'a>],
    devices: &'a [&'a DeviceRow],
    policy: &'a Policy,
}

impl Work<'_> {
    fn run(&mut self) {
        let mut rows = Vec::new();
        let mut entries = Vec::new();
        for (row, place) in self.places.iter().enumerate() {
            match place.listed {
                Err(why) => self.set(row, Fate::unreadable(why)),
                Ok(listed) => {
                    if let Some(exclusion) = listed.excluded {
                        self.set(row, Fate::excluded(exclusion, listed.because.as_deref()));
                    }
                    rows.push(row);
                    let is_distinct = place.file.is_distinct;
                    let told =
                        place.sorted.as_ref().filter(|s| matches!(s.basis, Basis::Type | Basis::System));
                    // A kiosk may run Windows; a router does not.
                    let is_computer = told.and_then(|s| match s.category {
                        Category::ComputerMobile => Some(true),
                        Category::Network => Some(false),
                        _ => None,
                    });
                    entries.push(Entry { listed, list: place.list, is_distinct, is_computer });
                }
            }
        }
        let (mut groups, untied) = overlap::groups(&entries, self.devices, self.estimate.as_of);
        self.estimate.untied = untied;
        for group in &mut groups {
            for row in &mut group.rows {
                *row = rows.get(*row).copied().unwrap_or(usize::MAX);
            }
        }
        let mut of_device: BTreeMap<usize, Vec<&Group>> = BTreeMap::new();
        for group in &groups {
            if group.devices.is_empty() {
                self.judge(group);
            } else {
                self.find(group);
                for device in &group.devices {
                    of_device.entry(*device).or_default().push(group);
                }
            }
        }
        self.count_inventory(&of_device);
    }

    fn set(&mut self, row: usize, fate: Fate) {
        if let Some(slot) = self.fates.get_mut(row) {
            *slot = Some(fate);
        }
    }

    fn entries<'b>(&'b self, group: &'b Group) -> impl Iterator<Item = (usize, &'b ListedDevice)> {
        group.rows.iter().filter_map(|row| Some((*row, self.places.get(*row)?.listed.ok()?)))
    }

    /// The classification by all rows of a group: the most certain basis decides. If rows of that basis disagree on whether
    /// the device counts at all, it stays unclassified.
    fn sorted(&self, groups: &[&Group]) -> Sorted {
        let rows = groups.iter().flat_map(|g| &g.rows);
        let told: BTreeSet<&Sorted> = rows
            .filter_map(|row| self.places.get(*row)?.sorted.as_ref())
            .filter(|s| s.basis != Basis::None)
            .collect();
        let unknown = |because: String| Sorted {
            basis: Basis::None,
            category: Category::Unclassified,
            kind: Classification::UNKNOWN_KIND.to_owned(),
            because,
        };
        let Some(first) = told.first() else { return unknown("no list tells what it is".to_owned()) };
        let equals = || told.iter().filter(|s| s.basis == first.basis);
        let other = equals().find(|s| s.category == Category::ComputerMobile);
        match other {
            Some(other) if first.category != Category::ComputerMobile => {
                unknown(format!("lists disagree: {} and {}", first.because, other.because))
            }
            _ => (*first).clone(),
        }
    }

    fn managing(&self, groups: &[&Group]) -> Option<String> {
        let rows = groups.iter().flat_map(|g| &g.rows).filter_map(|row| self.places.get(*row));
        // A list that calls a switch managed means that it can be configured.
        let is_gear = |p: &&Place<'_>| {
            p.sorted.as_ref().is_some_and(|s| s.category == Category::Network && s.basis == Basis::Type)
        };
        rows.filter(|p| p.listed.is_ok_and(|e| e.managed) && (!is_gear(p) || p.file.is_distinct))
            .map(Place::named)
            .next()
    }

    fn last_seen(&self, groups: &[&Group]) -> Option<Timestamp> {
        groups.iter().flat_map(|g| self.entries(g)).filter_map(|(_, e)| e.last_seen).max()
    }

    /// Judges and counts a device.
    fn count(&mut self, standing: &Standing) -> Verdict {
        let found = verdict(standing, self.policy, self.estimate.as_of);
        self.tally(found, standing)
    }

    /// Counts a device with that verdict.
    fn tally(&mut self, found: Verdict, standing: &Standing) -> Verdict {
        let otherwise = verdict(&Standing { managed: false, ..*standing }, self.policy, self.estimate.as_of);
        match (found, otherwise) {
            (Verdict::CountedNetwork, _) => self.estimate.network += 1,
            (Verdict::CountedIot, _) => self.estimate.iot += 1,
            (Verdict::Managed, Verdict::CountedNetwork) => self.estimate.managed.network += 1,
            (Verdict::Managed, Verdict::CountedIot) => self.estimate.managed.iot += 1,
            _ => {}
        }
        found
    }

    /// Judges a group that is not in the inventory: its first row gets the verdict, the others are duplicates.
    fn judge(&mut self, group: &Group) {
        let groups = [group];
        let sorted = self.sorted(&groups);
        let managing = self.managing(&groups);
        let (mut macs, mut ips) = (BTreeSet::new(), BTreeSet::new());
        for (_, listed) in self.entries(group) {
            macs.extend(listed.macs.iter().copied());
            ips.extend(listed.ips.iter().copied());
        }
        let has_address = !macs.is_empty() || !ips.is_empty();
        let is_computer = sorted.category == Category::ComputerMobile;
        let fate = if group.is_ambiguous {
            Fate::excluded(Exclusion::Ambiguous, None)
        } else if overlap::is_public_only(macs.iter(), &ips) {
            Fate::excluded(Exclusion::Verdict(Verdict::Public), None)
        } else if !has_address && managing.is_none() && !is_computer {
            let lacks: Vec<(usize, String)> = self
                .entries(group)
                .map(|(row, listed)| {
                    let lacks = listed.lacks.as_deref().unwrap_or("it has no MAC and no IP address");
                    (row, format!("{lacks}: nothing tells it from other rows"))
                })
                .collect();
            for (row, why) in lacks {
                self.set(row, Fate::unreadable(&why));
            }
            return;
        } else {
            let standing = Standing {
                category: sorted.category,
                last_seen: self.last_seen(&groups).unwrap_or(self.estimate.as_of),
                tentative: false,
                managed: managing.is_some(),
                deleted_at: None,
            };
            match self.count(&standing) {
                found if found.is_counted() => Fate {
                    outcome: RowOutcome::Taken,
                    rule: Some(found.id()),
                    same_as: None,
                    why: format!("{}, by {}: {}", found.title(), sorted.basis.title(), sorted.because),
                },
                Verdict::Managed => Fate::excluded(
                    Exclusion::Verdict(Verdict::Managed),
                    managing.map(|row| format!("{row} says so")).as_deref(),
                ),
                found @ Verdict::Idle => {
                    let seen = format!("its list saw it last on {}", day(standing.last_seen));
                    Fate::excluded(Exclusion::Verdict(found), Some(&seen))
                }
                found => Fate::excluded(Exclusion::Verdict(found), Some(&sorted.because)),
            }
        };
        let mut rows = group.rows.iter();
        let Some(first) = rows.next() else { return };
        self.set(*first, fate);
        for row in rows {
            let fate = self.same_as_row(*row, *first);
            self.set(*row, fate);
        }
    }

    fn same_as_row(&self, row: usize, first: usize) -> Fate {
        let (Some(here), Some(there)) = (self.places.get(row), self.places.get(first)) else {
            return Fate::unreadable("internal error: the row was lost; please report this");
        };
        let tie = match (here.listed, there.listed) {
            (Ok(a), Ok(b))
                if a.serial.is_some()
                    && a.serial == b.serial
                    && !a.macs.iter().any(|m| b.macs.contains(m)) =>
            {
                "serial number"
            }
            (Ok(a), Ok(b)) => tie(a, &b.macs, &b.ips, &b.ids),
            _ => "other rows",
        };
        Fate::same(there.named(), format!("the same device as {}, by {tie}", there.named()))
    }

    /// Marks every row of a group as a duplicate of a device of the inventory.
    fn find(&mut self, group: &Group) {
        let fates: Vec<(usize, Fate)> = self
            .entries(group)
            .filter_map(|(row, listed)| {
                let devices = || group.devices.iter().filter_map(|d| self.devices.get(*d));
                let has_ip = |d: &&&DeviceRow| d.couplings.iter().any(|c| listed.ips.contains(&c.key.ip));
                let has_mac = |d: &&&DeviceRow| d.couplings.iter().any(|c| listed.macs.contains(&c.key.mac));
                let device = devices()
                    .find(|d| has_mac(d) && has_ip(d))
                    .or_else(|| devices().find(has_mac))
                    .or_else(|| devices().find(has_ip))
                    .or_else(|| devices().next())?;
                let macs: Vec<MacAddr> = device.couplings.iter().map(|c| c.key.mac).collect();
                let ips: Vec<IpAddr> = device.couplings.iter().map(|c| c.key.ip).collect();
                let why = format!(
                    "the device {} of the inventory, by {}: {}",
                    device.ip,
                    tie(listed, &macs, &ips, &[]),
                    device.verdict.title()
                );
                Some((row, Fate::same(format!("device {}", device.id), why)))
            })
            .collect();
        for (row, fate) in fates {
            self.set(row, fate);
        }
    }

    /// Judges again the inventory's devices for which there are rows; the others keep their verdicts.
    fn count_inventory(&mut self, of_device: &BTreeMap<usize, Vec<&Group>>) {
        let mut report = InventoryReport::default();
        for (place, device) in self.devices.iter().enumerate() {
            report.devices += 1;
            report.billable += u64::from(device.verdict.is_counted());
            let groups = of_device.get(&place).map_or(&[][..], Vec::as_slice);
            report.matched += u64::from(!groups.is_empty());
            let category = match device.what.category {
                Category::Unclassified => self.sorted(groups).category,
                known => known,
            };
            let last_seen = device.last_seen.max(self.last_seen(groups).unwrap_or(device.last_seen));
            let standing = Standing {
                category,
                last_seen,
                // A device in a list is not an invented newcomer.
                tentative: device.verdict == Verdict::Tentative && groups.is_empty(),
                managed: device.verdict == Verdict::Managed || self.managing(groups).is_some(),
                deleted_at: (device.verdict == Verdict::Deleted).then_some(last_seen),
            };
            let found =
                if groups.is_empty() { self.tally(device.verdict, &standing) } else { self.count(&standing) };
            match (device.verdict.is_counted(), found.is_counted()) {
                (true, false) => report.no_longer += 1,
                (false, true) => report.besides += 1,
                _ => {}
            }
            if !found.is_counted() {
                *self.estimate.excluded.entry(found.id()).or_default() += 1;
            }
        }
        self.estimate.inventory = Some(report);
    }
}

/// The day of an instant, UTC.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// What makes two rows the same device.
fn tie(listed: &ListedDevice, macs: &[MacAddr], ips: &[IpAddr], ids: &[String]) -> &'static str {
    if listed.macs.iter().any(|m| macs.contains(m)) {
        "MAC"
    } else if listed.ids.iter().any(|i| ids.contains(i)) {
        "id"
    } else if listed.ips.iter().any(|i| ips.contains(i)) {
        "address"
    } else {
        "other rows"
    }
}
