//! Which rows stand for one device, and which for one of the inventory's.
//!
//! 1. Rows that share a MAC or an id are one device, and so on through all rows.
//! 2. A row without a MAC is the device that bears its address: of the inventory in a coupling that is in use, or of a
//!    row with a MAC. Where several bear it, no MAC can tell which: the row is set aside as ambiguous. Where none does,
//!    rows without a MAC that share an address are one device.
//! 3. Devices of the inventory stay as they are: rows are told to be one of them, never the other way round.
//!
//! An address alone tells a managed machine only for [`ADDRESS_LIFE`] after the machine was last seen, as another device
//! may have leased it since.
//!
//! Every step looks at the whole set of rows, so that neither their order nor that of the files matters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::ListedDevice;
use crate::census::address::is_public;
use crate::census::{MacAddr, State, Timestamp, Verdict};
use crate::wire::DeviceEntry;

/// How long an address tells a managed machine: 7 days, in nanoseconds.
pub const ADDRESS_LIFE: i64 = 7 * 24 * 3_600 * 1_000_000_000;

/// Why a row or a device does not count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Exclusion {
    /// As a device of the census would not.
    Verdict(Verdict),
    /// A broadcast or group address (I3).
    Group,
    /// It never has an address (I14).
    Unaddressed,
    /// Its address is borne by several devices with MACs.
    Ambiguous,
    /// Its list says that it is not in use.
    Retired,
    /// Its list says that it is out of scope.
    OutOfScope,
}

impl Exclusion {
    /// All that a list can lead to, in the order of the report.
    pub const ALL: [Self; 13] = [
        Self::Verdict(Verdict::ComputerMobile),
        Self::Verdict(Verdict::Deleted),
        Self::Verdict(Verdict::Idle),
        Self::Verdict(Verdict::Managed),
        Self::Verdict(Verdict::Public),
        Self::Verdict(Verdict::Tentative),
        Self::Verdict(Verdict::Unclassified),
        Self::Verdict(Verdict::Virtual),
        Self::Group,
        Self::Unaddressed,
        Self::Ambiguous,
        Self::Retired,
        Self::OutOfScope,
    ];

    /// The rule's id, or a word of the estimate's own.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.id(),
            Self::Group => "I3",
            Self::Unaddressed => "I14",
            Self::Ambiguous => "ambiguous",
            Self::Retired => "retired",
            Self::OutOfScope => "out-of-scope",
        }
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Verdict(Verdict::Public) => "no device: a public address without a MAC",
            Self::Verdict(verdict) => verdict.title(),
            Self::Group => "no device: a broadcast or group address",
            Self::Unaddressed => "not counted: it never has an address of its own",
            Self::Ambiguous => {
                "not counted: several devices with MACs bear its address, and it is one of them"
            }
            Self::Retired => "not counted: its list says that it is not in use",
            Self::OutOfScope => "not counted: its list says that it is out of scope",
        }
    }
}

/// Rows that stand for one device, by their place in the list of all rows, sorted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Group {
    pub(super) rows: Vec<usize>,
    /// Devices of the inventory that they are, by place, sorted; usually one.
    pub(super) devices: Vec<usize>,
    /// Whether its address is borne by several devices.
    pub(super) is_ambiguous: bool,
}

/// Groups the rows, and finds each group in the inventory. Rows that are excluded by themselves are left out.
pub(super) fn groups(entries: &[&ListedDevice], inventory: &[DeviceEntry], as_of: Timestamp) -> Vec<Group> {
    let mut ties = Ties::new(entries.len());
    let mut by_mac: HashMap<MacAddr, usize> = HashMap::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    let taking_part = || entries.iter().enumerate().filter(|(_, e)| e.excluded.is_none());
    for (row, entry) in taking_part() {
        for mac in &entry.macs {
            let first = *by_mac.entry(*mac).or_insert(row);
            ties.join(row, first);
        }
        for id in &entry.ids {
            let first = *by_id.entry(id.as_str()).or_insert(row);
            ties.join(row, first);
        }
    }
    let known = Known::new(inventory);
    // What each root knows after the first step; the later ones look at this alone.
    let mut roots: BTreeMap<usize, Root> = BTreeMap::new();
    for (row, entry) in taking_part() {
        let root = roots.entry(ties.root(row)).or_default();
        root.macs.extend(&entry.macs);
        root.ips.extend(&entry.ips);
        let lives = !entry.managed || entry.last_seen.is_none_or(|at| as_of.since(at) <= ADDRESS_LIFE);
        root.is_findable |= lives;
    }
    let mut bearers: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    for (place, root) in &mut roots {
        root.devices = known.of_macs(&root.macs);
        if !root.macs.is_empty() {
            root.ips.iter().for_each(|ip| bearers.entry(*ip).or_default().push(*place));
        }
    }
    let homes = homes(&roots, &bearers, &known);
    let mut found: BTreeMap<usize, Group> = BTreeMap::new();
    for (place, root) in &roots {
        let home = homes.get(place).copied();
        let target = match home {
            Some(Home::Row(other)) => other,
            _ => *place,
        };
        let group = found.entry(target).or_default();
        group.devices.extend(&root.devices);
        match home {
            Some(Home::Device(device)) => group.devices.push(device),
            Some(Home::Ambiguous) => group.is_ambiguous = true,
            _ => {}
        }
    }
    for (row, _) in taking_part() {
        let root = ties.root(row);
        let target = match homes.get(&root) {
            Some(Home::Row(other)) => *other,
            _ => root,
        };
        if let Some(group) = found.get_mut(&target) {
            group.rows.push(row);
        }
    }
    let mut out: Vec<Group> = found.into_values().filter(|g| !g.rows.is_empty()).collect();
    for group in &mut out {
        group.devices.sort_unstable();
        group.devices.dedup();
    }
    out.sort_by(|a, b| a.rows.cmp(&b.rows));
    out
}

/// What rows that are tied know together.
#[derive(Debug, Default)]
struct Root {
    macs: BTreeSet<MacAddr>,
    ips: BTreeSet<IpAddr>,
    /// Whether its addresses may tell what it is.
    is_findable: bool,
    devices: Vec<usize>,
}

/// Where rows without a MAC belong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Home {
    /// To the rows with that root.
    Row(usize),
    /// To that device of the inventory.
    Device(usize),
    /// To one of several.
    Ambiguous,
}

/// Finds the home of every root without a MAC. Those that share an address go together.
fn homes(
    roots: &BTreeMap<usize, Root>,
    bearers: &HashMap<IpAddr, Vec<usize>>,
    known: &Known,
) -> HashMap<usize, Home> {
    let size = roots.keys().next_back().map_or(0, |last| last + 1);
    let mut ties = Ties::new(size);
    let mut by_ip: HashMap<IpAddr, usize> = HashMap::new();
    let seekers = || roots.iter().filter(|(_, r)| r.macs.is_empty() && r.is_findable);
    for (place, root) in seekers() {
        for ip in &root.ips {
            let first = *by_ip.entry(*ip).or_insert(*place);
            ties.join(*place, first);
        }
    }
    let mut wanted: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
    for (place, root) in seekers() {
        wanted.entry(ties.root(*place)).or_default().extend(&root.ips);
    }
    let mut of_set: HashMap<usize, Home> = HashMap::new();
    for (set, ips) in &wanted {
        let devices: BTreeSet<usize> = ips.iter().flat_map(|ip| known.of_ip(*ip)).copied().collect();
        // Rows that are one of these devices already are no further candidate.
        let is_other =
            |row: &&usize| roots.get(row).is_some_and(|r| !r.devices.iter().any(|d| devices.contains(d)));
        let rows: BTreeSet<usize> =
            ips.iter().filter_map(|ip| bearers.get(ip)).flatten().filter(is_other).copied().collect();
        let home = match (devices.len() + rows.len(), devices.first(), rows.first()) {
            (0, ..) => Home::Row(*set),
            (1, Some(device), _) => Home::Device(*device),
            (1, None, Some(row)) => Home::Row(*row),
            _ => Home::Ambiguous,
        };
        of_set.insert(*set, home);
    }
    let mut out = HashMap::new();
    for (place, _) in seekers() {
        let set = ties.root(*place);
        match of_set.get(&set) {
            // Those that go together stay together: the device and the doubt are told by their first.
            Some(Home::Device(device)) => {
                out.insert(*place, if *place == set { Home::Device(*device) } else { Home::Row(set) });
            }
            Some(Home::Ambiguous) => {
                out.insert(*place, if *place == set { Home::Ambiguous } else { Home::Row(set) });
            }
            Some(Home::Row(row)) if row != place => {
                out.insert(*place, Home::Row(*row));
            }
            _ => {}
        }
    }
    out
}

/// The inventory by MAC, and by the addresses that are in use.
struct Known {
    by_mac: HashMap<MacAddr, Vec<usize>>,
    by_ip: HashMap<IpAddr, Vec<usize>>,
}

impl Known {
    fn new(inventory: &[DeviceEntry]) -> Self {
        let mut known = Self { by_mac: HashMap::new(), by_ip: HashMap::new() };
        let add = |list: &mut Vec<usize>, place: usize| {
            if list.last() != Some(&place) {
                list.push(place);
            }
        };
        for (place, device) in inventory.iter().enumerate() {
            for coupling in &device.couplings {
                add(known.by_mac.entry(coupling.mac).or_default(), place);
                if coupling.state != State::Superseded {
                    add(known.by_ip.entry(coupling.ip).or_default(), place);
                }
            }
        }
        known
    }

    fn of_macs(&self, macs: &BTreeSet<MacAddr>) -> Vec<usize> {
        let found: BTreeSet<usize> =
            macs.iter().filter_map(|mac| self.by_mac.get(mac)).flatten().copied().collect();
        found.into_iter().collect()
    }

    fn of_ip(&self, ip: IpAddr) -> &[usize] {
        self.by_ip.get(&ip).map_or(&[], Vec::as_slice)
    }
}

/// A union-find whose roots are the lowest places.
struct Ties(Vec<usize>);

impl Ties {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn root(&mut self, mut place: usize) -> usize {
        while let Some(parent) = self.0.get(place).copied() {
            if parent == place {
                break;
            }
            let above = self.0.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.0.get_mut(place) {
                *slot = above;
            }
            place = above;
        }
        place
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}

/// Whether a device is known by public addresses alone.
pub(super) fn is_public_only<'a>(
    mut macs: impl Iterator<Item = &'a MacAddr>,
    ips: &BTreeSet<IpAddr>,
) -> bool {
    macs.next().is_none() && !ips.is_empty() && ips.iter().all(|ip| is_public(*ip))
}
