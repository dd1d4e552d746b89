//! Finds rows that stand for the same device, and rows that stand for a device of the inventory.
//!
//! 1. Rows that share a MAC or an id, directly or through other rows, are one device.
//! 2. A row without a MAC is the device that has its address: a device of the inventory with a current coupling, or a row
//!    with a MAC. If several devices have the address, the row is ambiguous and does not count. If none has it, rows
//!    without a MAC that share an address are one device.
//! 3. Devices of the inventory never change: rows are matched to them, and never merge two of them.
//!
//! The address of a managed machine identifies it only for [`ADDRESS_LIFE`] after the machine was last seen, because another
//! device may have leased the address since.
//!
//! Every step looks at all rows, so the order of rows and files does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::listed::ListedDevice;
use crate::census::address::is_public;
use crate::census::time::DAY;
use crate::census::{CouplingState, MacAddr, Timestamp};
use crate::wire::DeviceEntry;

/// How long an address identifies a managed machine: 7 days, in nanoseconds.
pub(crate) const ADDRESS_LIFE: i64 = 7 * DAY;

/// Rows that stand for one device, by their index in the list of all rows, sorted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Group {
    pub(super) rows: Vec<usize>,
    /// The matching devices of the inventory, by index, sorted; usually one.
    pub(super) devices: Vec<usize>,
    /// Whether several devices have its address.
    pub(super) is_ambiguous: bool,
}

/// Groups the rows, and finds each group in the inventory. Rows that exclude themselves are left out.
pub(super) fn groups(entries: &[&ListedDevice], inventory: &[DeviceEntry], as_of: Timestamp) -> Vec<Group> {
    let mut ties = Ties::new(entries.len());
    let mut by_mac: HashMap<MacAddr, usize> = HashMap::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    let taking_part = || entries.iter().enumerate().filter(|(_, e)| e.excluded.is_none());
    for (row, listed) in taking_part() {
        for mac in &listed.macs {
            let first = *by_mac.entry(*mac).or_insert(row);
            ties.join(row, first);
        }
        for id in &listed.ids {
            let first = *by_id.entry(id.as_str()).or_insert(row);
            ties.join(row, first);
        }
    }
    let known = Known::new(inventory);
    // What each root knows after the first step; the later steps look only at this.
    let mut roots: BTreeMap<usize, Root> = BTreeMap::new();
    for (row, listed) in taking_part() {
        let root = roots.entry(ties.root(row)).or_default();
        root.macs.extend(&listed.macs);
        root.ips.extend(&listed.ips);
        let lives = !listed.managed || listed.last_seen.is_none_or(|at| as_of.since(at) <= ADDRESS_LIFE);
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

/// The joint knowledge of rows that are tied.
#[derive(Debug, Default)]
struct Root {
    macs: BTreeSet<MacAddr>,
    ips: BTreeSet<IpAddr>,
    /// Whether its addresses may identify it.
    is_findable: bool,
    devices: Vec<usize>,
}

/// The device to which rows without a MAC belong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Home {
    /// The rows with that root.
    Row(usize),
    /// That device of the inventory.
    Device(usize),
    /// One of several devices.
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
        // Rows that already belong to one of these devices are not further candidates.
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
            // Rows that share an address stay together: the first one carries the device or the ambiguity.
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

/// The inventory by MAC, and by current address.
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
                if coupling.state != CouplingState::Superseded {
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

/// A union-find whose roots are the lowest indexes.
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

/// Whether a device has only public addresses.
pub(super) fn is_public_only<'a>(
    mut macs: impl Iterator<Item = &'a MacAddr>,
    ips: &BTreeSet<IpAddr>,
) -> bool {
    macs.next().is_none() && !ips.is_empty() && ips.iter().all(|ip| is_public(*ip))
}
