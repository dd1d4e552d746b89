//! The estimate: what each row came to, the ledger, and the number to commit to with its arithmetic.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use super::listed::{ListedDevice, Reading, shown};
use super::overlap::{self, Exclusion, Group};
use super::sorter::{Basis, Sorted, Sorter};
use super::{FILES, FileColumn, FileError, FileKind, ROWS};
use crate::census::{
    Category, Classification, MacAddr, Policy, Standing, Timestamp, Verdict, commitment, time::rfc3339,
    verdict,
};
use crate::wire::DeviceEntry;

/// The document's schema.
pub const SCHEMA: &str = "netcensus.estimate/1";

/// What a row came to. Exactly one of these for every row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Outcome)]
pub enum RowOutcome {
    /// It stands for a device that counts.
    Taken,
    /// It is the same device as another row, or as one of the inventory.
    Merged,
    /// It stands for a device that does not count, or for none.
    Excluded,
    /// It cannot be read.
    Unreadable,
}

/// The numbers of rows. They close: the four outcomes sum to the rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Ledger {
    /// All rows.
    pub rows: u64,
    /// Rows that stand for a counted device.
    pub taken: u64,
    /// Rows that are the same device as another.
    pub merged: u64,
    /// Rows that stand for a device that does not count, or for none.
    pub excluded: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
}

impl Ledger {
    fn add(&mut self, outcome: RowOutcome) {
        self.rows += 1;
        match outcome {
            RowOutcome::Taken => self.taken += 1,
            RowOutcome::Merged => self.merged += 1,
            RowOutcome::Excluded => self.excluded += 1,
            RowOutcome::Unreadable => self.unreadable += 1,
        }
    }

    /// Whether the outcomes sum to the rows.
    pub fn closes(&self) -> bool {
        self.taken + self.merged + self.excluded + self.unreadable == self.rows
    }
}

/// What one file came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: FileKind,
    /// Its rows.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// Which columns were taken for what; null for JSON.
    #[schema(value_type = Option<Object>)]
    pub columns: Option<BTreeMap<FileColumn, Vec<String>>>,
    /// The signature of the header, under which columns are remembered; null for JSON.
    pub signature: Option<String>,
    /// What a person should know about the reading.
    pub notes: Vec<String>,
}

/// What one row came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct RowReport {
    /// The file.
    pub file: String,
    /// The line of a table, or the number of a record.
    pub row: u64,
    /// What it came to.
    pub outcome: RowOutcome,
    /// The rule of an exclusion; null else.
    pub rule: Option<&'static str>,
    /// The row or device that it is the same as; null else.
    pub same_as: Option<String>,
    /// Why, in words.
    pub why: String,
    /// What it is taken for.
    #[schema(value_type = String)]
    pub category: Category,
    /// The type, a key of the taxonomy.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its first MAC.
    #[schema(value_type = Option<String>)]
    pub mac: Option<MacAddr>,
    /// Its first address.
    #[schema(value_type = Option<String>)]
    pub ip: Option<IpAddr>,
    /// Its name.
    pub name: Option<String>,
}

/// What the inventory brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct InventoryReport {
    /// Its devices.
    pub devices: u64,
    /// Those that count by the inventory alone: the census.
    pub billable: u64,
    /// Those that a row stands for too.
    pub matched: u64,
    /// Those that count by the inventory alone, but not with the lists: managed elsewhere.
    pub no_longer: u64,
    /// Those that count with the lists only: the lists tell what they are, or that they are still there.
    pub besides: u64,
}

/// Devices that would count if they were not managed elsewhere.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Managing {
    /// Network devices.
    pub network: u64,
    /// IoT devices.
    pub iot: u64,
}

/// How many devices to commit to, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Estimate {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The policy's name.
    pub policy: String,
    /// The instant of the verdicts.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Network devices that count.
    pub network: u64,
    /// IoT devices that count.
    pub iot: u64,
    /// `network + iot`.
    pub billable: u64,
    /// The proposed number: `billable` rounded up to a multiple of 100.
    pub commitment: u64,
    /// How the number comes about: `473 network + 1206 IoT = 1679 → 1700`.
    pub arithmetic: String,
    /// Left out because they are managed elsewhere.
    pub managed: Managing,
    /// The number committed to by the plan in effect; null without one, and without a service.
    pub committed: Option<u64>,
    /// Billable devices beyond the committed number: a warning, it blocks nothing (P3).
    pub over: u64,
    /// What does not count, by rule: devices, and rows that stand for none. No zeros.
    pub excluded: BTreeMap<&'static str, u64>,
    /// The inventory; null where none was asked.
    pub inventory: Option<InventoryReport>,
    /// All rows of all files.
    pub ledger: Ledger,
    /// Each file.
    pub files: Vec<FileReport>,
    /// Each row, in the order of files and rows.
    pub rows: Vec<RowReport>,
    /// Rows that are left out of `rows`; ask for all of them to see these too.
    pub rows_left_out: u64,
}

/// One row, and where it stands.
struct Place<'a> {
    file: &'a Reading,
    number: u64,
    entry: Result<&'a ListedDevice, &'a str>,
    sorted: Option<Sorted>,
}

impl Place<'_> {
    fn named(&self) -> String {
        format!("{}:{}", self.file.name, self.number)
    }
}

/// What a row came to, before it is written down.
struct Fate {
    outcome: RowOutcome,
    rule: Option<&'static str>,
    same_as: Option<String>,
    why: String,
}

impl Fate {
    fn excluded(exclusion: Exclusion, because: Option<&str>) -> Self {
        let title = exclusion.title();
        let why = because.map_or_else(|| title.to_owned(), |b| format!("{title}: {b}"));
        Self { outcome: RowOutcome::Excluded, rule: Some(exclusion.id()), same_as: None, why }
    }

    fn unreadable(why: &str) -> Self {
        Self { outcome: RowOutcome::Unreadable, rule: None, same_as: None, why: why.to_owned() }
    }

    fn same(as_what: String, why: String) -> Self {
        Self { outcome: RowOutcome::Merged, rule: None, same_as: Some(as_what), why }
    }
}

impl Estimate {
    /// The estimate of files and, where it is given, of an inventory's devices. A pure function of its arguments.
    ///
    /// # Errors
    ///
    /// Where there are more files or rows than may be.
    pub fn new(
        files: &[Reading],
        inventory: Option<&[DeviceEntry]>,
        sorter: &Sorter<'_>,
        policy: &Policy,
        as_of: Timestamp,
    ) -> Result<Self, FileError> {
        if files.len() > FILES {
            return Err(FileError::TooManyFiles);
        }
        let mut places = Vec::new();
        for file in files {
            if places.len() + file.rows.len() > ROWS {
                return Err(FileError::TooManyRows { name: file.name.clone() });
            }
            places.extend(file.rows.iter().map(|row| Place {
                file,
                number: row.number,
                entry: row.entry.as_ref().map_err(String::as_str),
                sorted: row.entry.as_ref().ok().map(|e| sorter.sort(e)),
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
            commitment: 0,
            arithmetic: String::new(),
            managed: Managing::default(),
            committed: None,
            over: 0,
            excluded: BTreeMap::new(),
            inventory: None,
            ledger: Ledger::default(),
            files: Vec::new(),
            rows: Vec::new(),
            rows_left_out: 0,
        }
    }

    /// Writes rows and sums down.
    fn write(&mut self, files: &[Reading], places: &[Place<'_>], fates: Vec<Option<Fate>>) {
        let mut ledgers: Vec<Ledger> = files.iter().map(|_| Ledger::default()).collect();
        for (place, fate) in places.iter().zip(fates) {
            let fate = fate.unwrap_or_else(|| Fate::unreadable("it was lost on the way; please report this"));
            self.ledger.add(fate.outcome);
            let of_file = files.iter().position(|f| std::ptr::eq(f, place.file));
            if let Some(ledger) = of_file.and_then(|i| ledgers.get_mut(i)) {
                ledger.add(fate.outcome);
            }
            if let (Some(rule), RowOutcome::Excluded) = (fate.rule, fate.outcome) {
                *self.excluded.entry(rule).or_default() += 1;
            }
            let (mac, ip) = place.entry.map_or((None, None), shown);
            let sorted = place.sorted.as_ref();
            self.rows.push(RowReport {
                file: place.file.name.clone(),
                row: place.number,
                outcome: fate.outcome,
                rule: fate.rule,
                same_as: fate.same_as,
                why: fate.why,
                category: sorted.map_or(Category::Unclassified, |s| s.category),
                kind: sorted.map_or_else(|| Classification::UNKNOWN_KIND.to_owned(), |s| s.kind.clone()),
                mac,
                ip,
                name: place.entry.ok().and_then(|e| e.name.clone()),
            });
        }
        self.files = files
            .iter()
            .zip(ledgers)
            .map(|(file, ledger)| FileReport {
                name: file.name.clone(),
                kind: file.kind,
                ledger,
                columns: file.columns.as_ref().map(|c| c.mapping().0),
                signature: file.columns.as_ref().map(super::Columns::signature),
                notes: file.notes.clone(),
            })
            .collect();
        self.billable = self.network + self.iot;
        self.commitment = commitment(self.billable);
        self.arithmetic = self.sum();
    }

    fn sum(&self) -> String {
        let Managing { network, iot } = self.managed;
        let all = (self.network + network, self.iot + iot);
        let head = format!("{} network + {} IoT = {}", all.0, all.1, all.0 + all.1);
        match network + iot {
            0 => format!("{head} → {}", self.commitment),
            managed => format!("{head} − {managed} managed = {} → {}", self.billable, self.commitment),
        }
    }

    /// Sets the number beside what the plan in effect commits to.
    #[must_use]
    pub fn beside(mut self, committed: Option<u64>) -> Self {
        self.committed = committed;
        self.over = committed.map_or(0, |n| self.billable.saturating_sub(n));
        self
    }

    /// Keeps the first `limit` rows; says how many it left out.
    #[must_use]
    pub fn with_rows(mut self, limit: usize) -> Self {
        self.rows_left_out += self.rows.len().saturating_sub(limit) as u64;
        self.rows.truncate(limit);
        self
    }

    /// Whether the ledger closes: every row has one outcome, in each file and over all, and every counted device is
    /// either a taken row or the inventory's.
    pub fn closes(&self) -> bool {
        let sum = |of: fn(&Ledger) -> u64| self.files.iter().map(|f| of(&f.ledger)).sum::<u64>();
        let files = self.files.iter().all(|f| f.ledger.closes());
        let whole = self.ledger.closes() && sum(|l| l.rows) == self.ledger.rows;
        let parts = sum(|l| l.taken) == self.ledger.taken && sum(|l| l.unreadable) == self.ledger.unreadable;
        let inventory = self.inventory.map_or(0, |i| i.billable - i.no_longer + i.besides);
        files && whole && parts && self.billable == self.ledger.taken + inventory
    }
}

/// An estimate in the making.
struct Work<'a> {
    estimate: Estimate,
    fates: Vec<Option<Fate>>,
    places: &'a [Place<'a>],
    devices: &'a [DeviceEntry],
    policy: &'a Policy,
}

impl Work<'_> {
    fn run(&mut self) {
        let mut rows = Vec::new();
        let mut entries = Vec::new();
        for (row, place) in self.places.iter().enumerate() {
            match place.entry {
                Err(why) => self.set(row, Fate::unreadable(why)),
                Ok(entry) => {
                    if let Some(exclusion) = entry.excluded {
                        self.set(row, Fate::excluded(exclusion, entry.because.as_deref()));
                    }
                    rows.push(row);
                    entries.push(entry);
                }
            }
        }
        let mut groups = overlap::groups(&entries, self.devices, self.estimate.as_of);
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
        group.rows.iter().filter_map(|row| Some((*row, self.places.get(*row)?.entry.ok()?)))
    }

    /// What the rows of a group say together of what it is: the surest basis decides. Where rows of that basis disagree
    /// on whether it counts at all, nothing is told.
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
        rows.filter(|p| p.entry.is_ok_and(|e| e.managed)).map(Place::named).next()
    }

    fn last_seen(&self, groups: &[&Group]) -> Option<Timestamp> {
        groups.iter().flat_map(|g| self.entries(g)).filter_map(|(_, e)| e.last_seen).max()
    }

    /// The verdict on a device, counted.
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

    /// Judges a group that is none of the inventory's devices: its first row bears the verdict, the others are the same.
    fn judge(&mut self, group: &Group) {
        let groups = [group];
        let sorted = self.sorted(&groups);
        let managing = self.managing(&groups);
        let (mut macs, mut ips) = (BTreeSet::new(), BTreeSet::new());
        for (_, entry) in self.entries(group) {
            macs.extend(entry.macs.iter().copied());
            ips.extend(entry.ips.iter().copied());
        }
        let has_address = !macs.is_empty() || !ips.is_empty();
        let is_computer = sorted.category == Category::ComputerMobile;
        let fate = if group.is_ambiguous {
            Fate::excluded(Exclusion::Ambiguous, None)
        } else if overlap::is_public_only(macs.iter(), &ips) {
            Fate::excluded(Exclusion::Verdict(Verdict::Public), None)
        } else if !has_address && managing.is_none() && !is_computer {
            for row in &group.rows {
                self.set(
                    *row,
                    Fate::unreadable("it has no MAC and no IP address: nothing tells it from other rows"),
                );
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
                found @ Verdict::Idle => Fate::excluded(Exclusion::Verdict(found), None),
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
            return Fate::unreadable("it was lost on the way; please report this");
        };
        let tie = match (here.entry, there.entry) {
            (Ok(a), Ok(b)) => tie(a, &b.macs, &b.ips, &b.ids),
            _ => "other rows",
        };
        Fate::same(there.named(), format!("the same device as {}, by {tie}", there.named()))
    }

    /// Tells every row of a group which device of the inventory it is.
    fn find(&mut self, group: &Group) {
        let fates: Vec<(usize, Fate)> = self
            .entries(group)
            .filter_map(|(row, entry)| {
                let devices = || group.devices.iter().filter_map(|d| self.devices.get(*d));
                let has_ip = |d: &&DeviceEntry| d.couplings.iter().any(|c| entry.ips.contains(&c.ip));
                let has_mac = |d: &&DeviceEntry| d.couplings.iter().any(|c| entry.macs.contains(&c.mac));
                let device = devices()
                    .find(|d| has_mac(d) && has_ip(d))
                    .or_else(|| devices().find(has_mac))
                    .or_else(|| devices().find(has_ip))
                    .or_else(|| devices().next())?;
                let macs: Vec<MacAddr> = device.couplings.iter().map(|c| c.mac).collect();
                let ips: Vec<IpAddr> = device.couplings.iter().map(|c| c.ip).collect();
                let why = format!(
                    "the device {} of the inventory, by {}: {}",
                    device.ip,
                    tie(entry, &macs, &ips, &[]),
                    device.verdict.title()
                );
                Some((row, Fate::same(format!("device {}", device.id), why)))
            })
            .collect();
        for (row, fate) in fates {
            self.set(row, fate);
        }
    }

    /// Judges the inventory's devices anew where rows stand for them; the others keep their verdicts.
    fn count_inventory(&mut self, of_device: &BTreeMap<usize, Vec<&Group>>) {
        let mut report = InventoryReport::default();
        for (place, device) in self.devices.iter().enumerate() {
            report.devices += 1;
            report.billable += u64::from(device.verdict.is_counted());
            let groups = of_device.get(&place).map_or(&[][..], Vec::as_slice);
            report.matched += u64::from(!groups.is_empty());
            let category = match device.category {
                Category::Unclassified => self.sorted(groups).category,
                known => known,
            };
            let last_seen = device.last_seen.max(self.last_seen(groups).unwrap_or(device.last_seen));
            let standing = Standing {
                category,
                last_seen,
                // Whom a list knows is no made-up newcomer.
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

/// By what two are the same.
fn tie(entry: &ListedDevice, macs: &[MacAddr], ips: &[IpAddr], ids: &[String]) -> &'static str {
    if entry.macs.iter().any(|m| macs.contains(m)) {
        "MAC"
    } else if entry.ids.iter().any(|i| ids.contains(i)) {
        "id"
    } else if entry.ips.iter().any(|i| ips.contains(i)) {
        "address"
    } else {
        "other rows"
    }
}
