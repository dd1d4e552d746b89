//! Finds rows that stand for the same device, and rows that stand for a device of the inventory.
//!
//! 1. Rows that share a MAC, an id or a serial number, directly or through other rows, are one device. A value that stands
//!    for several devices of one list ties nothing (`shared`).
//! 2. A row without a MAC is the device that has its address (`seekers`): a device of the inventory with a current
//!    coupling, or a row with a MAC. If several devices have the address, the row is ambiguous and does not count. If none
//!    has it, rows without a MAC that share an address are one device, unless their list tells them apart.
//! 3. Devices of the inventory never change: rows are matched to them, and never merge two of them.
//!
//! The address of a managed machine identifies it only for [`ADDRESS_LIFE`] after the machine was last seen, because another
//! device may have leased the address since.
//!
//! Every step looks at all rows, so the order of rows and files does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::listed::ListedDevice;
use super::report::Untied;
use super::seekers::{self, Home, Root, Seekers};
use super::shared::Shared;
use crate::census::address::is_public;
use crate::census::time::DAY;
use crate::census::{CouplingState, MacAddr, Timestamp};
use crate::wire::DeviceRow;

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
pub(super) fn groups(
    entries: &[Entry<'_>],
    inventory: &[&DeviceRow],
    as_of: Timestamp,
) -> (Vec<Group>, Vec<Untied>) {
    if entries.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let shared = Shared::of(entries);
    let mut ties = Ties::new(entries.len());
    let taking_part = || entries.iter().enumerate().filter(|(_, e)| e.listed.excluded.is_none());
    let (mut by_mac, mut by_id, mut by_serial) = (Bearers::default(), Bearers::default(), Bearers::default());
    let mut alike = HashMap::new();
    for (row, entry) in taking_part() {
        // Rows that say the same are one device, even if no value of theirs ties others.
        let ListedDevice { macs, ips, name, ids, serial, site, .. } = entry.listed;
        if !macs.is_empty() || !ips.is_empty() {
            let first = *alike.entry((macs, ips, name, ids, serial, site)).or_insert(row);
            ties.join(row, first);
        }
        for mac in entry.listed.macs.iter().filter(|mac| !shared.has_mac(**mac)) {
            by_mac.join(*mac, row, entry, entries, &mut ties);
        }
        for id in entry.listed.ids.iter().filter(|id| !shared.has_id(id)) {
            by_id.join(id.as_str(), row, entry, entries, &mut ties);
        }
        if let Some(serial) = entry.listed.serial.as_ref().filter(|serial| !shared.has_serial(serial)) {
            by_serial.join(serial.as_str(), row, entry, entries, &mut ties);
        }
    }
    let known = Known::new(inventory);
    // What each root knows after the first step; the later steps look only at this.
    let mut roots = roots(entries, &mut ties, &shared, as_of);
    if tie_within_sites(&roots, &mut ties) {
        roots = self::roots(entries, &mut ties, &shared, as_of);
    }
    let mut bearers: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    for (place, root) in &mut roots {
        root.devices = known.of_macs(&root.macs);
        if !root.macs.is_empty() {
            root.ips.iter().for_each(|ip| bearers.entry(*ip).or_default().push(*place));
        }
    }
    let (homes, contested) = Seekers { roots: &roots, bearers: &bearers, known: &known }.homes();
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
    let mut untied = shared.into_untied();
    untied.extend(contested);
    (out, untied)
}

fn roots<'a>(
    entries: &[Entry<'a>],
    ties: &mut Ties,
    shared: &Shared<'_>,
    as_of: Timestamp,
) -> BTreeMap<usize, Root<'a>> {
    let mut roots: BTreeMap<usize, Root<'a>> = BTreeMap::new();
    let mut vocabularies = vocabularies(entries);
    for (row, entry) in entries.iter().enumerate() {
        let Entry { list, listed, .. } = entry;
        if listed.excluded.is_some() {
            continue;
        }
        let root = roots.entry(ties.root(row)).or_default();
        root.macs.extend(listed.macs.iter().filter(|mac| !shared.has_mac(**mac)));
        root.ips.extend(&listed.ips);
        root.ids.extend(listed.id.as_deref().filter(|id| !shared.has_own_id(*list, id)).map(|_| *list));
        root.serials.extend(listed.serial.as_deref().filter(|serial| !shared.has_serial(serial)));
        root.sites.extend(listed.site.as_deref().map(|site| (vocabularies.root(*list), site)));
        root.names.extend(listed.name.as_deref().map(|name| (*list, name)));
        root.is_computer.extend(entry.is_computer);
        let lives = !listed.managed || listed.last_seen.is_none_or(|at| as_of.since(at) <= ADDRESS_LIFE);
        root.is_findable |= lives;
    }
    roots
}

/// Lists that name a site alike use the same names for sites; of others nothing is known.
fn vocabularies(entries: &[Entry<'_>]) -> Ties {
    let lists = entries.iter().map(|e| e.list + 1).max().unwrap_or(0);
    let mut alike = Ties::new(lists);
    let mut first: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        if let Some(site) = entry.listed.site.as_deref() {
            alike.join(*first.entry(site).or_insert(entry.list), entry.list);
        }
    }
    alike
}

/// Ties rows without a MAC that have one address at one site, unless their list tells them apart. Whether it tied any.
fn tie_within_sites(roots: &BTreeMap<usize, Root<'_>>, ties: &mut Ties) -> bool {
    let mut at: BTreeMap<(IpAddr, (usize, &str)), Vec<usize>> = BTreeMap::new();
    for (place, root) in roots.iter().filter(|(_, r)| r.macs.is_empty() && r.is_findable) {
        for (ip, site) in root.ips.iter().flat_map(|ip| root.sites.iter().map(move |site| (*ip, *site))) {
            at.entry((ip, site)).or_default().push(*place);
        }
    }
    let mut has_tied = false;
    for places in at.values().filter(|p| p.len() > 1 && !seekers::is_contested(roots, p)) {
        if let Some(first) = places.first() {
            places.iter().for_each(|place| ties.join(*place, *first));
            has_tied = true;
        }
    }
    has_tied
}

/// One row on its way to its group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) listed: &'a ListedDevice,
    /// Its list, by index.
    pub(super) list: usize,
    /// Whether every row of its list is a device of its own, as in our own exports.
    pub(super) is_distinct: bool,
    /// Whether its type or system says that it is a computer, or network gear; `None` if it may be either.
    pub(super) is_computer: Option<bool>,
}

/// The first row of each value.
struct Bearers<K>(HashMap<K, Vec<usize>>);

impl<K> Default for Bearers<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Bearers<K> {
    /// Ties a row to the first one with the value, unless both are in a list whose rows are devices of their own.
    fn join(&mut self, key: K, row: usize, entry: &Entry<'_>, entries: &[Entry<'_>], ties: &mut Ties) {
        let known = self.0.entry(key).or_default();
        let may_be =
            |other: &&usize| !entry.is_distinct || entries.get(**other).is_none_or(|e| e.list != entry.list);
        match known.iter().find(may_be) {
            Some(first) => ties.join(row, *first),
            None => known.push(row),
        }
    }
}

/// The inventory by MAC, and by current address.
pub(super) struct Known {
    by_mac: HashMap<MacAddr, Vec<usize>>,
    by_ip: HashMap<IpAddr, Vec<usize>>,
}

impl Known {
    fn new(inventory: &[&DeviceRow]) -> Self {
        let mut known = Self { by_mac: HashMap::new(), by_ip: HashMap::new() };
        let add = |list: &mut Vec<usize>, place: usize| {
            if list.last() != Some(&place) {
                list.push(place);
            }
        };
        for (place, device) in inventory.iter().enumerate() {
            for coupling in &device.couplings {
                add(known.by_mac.entry(coupling.key.mac).or_default(), place);
                if coupling.state != CouplingState::Superseded {
                    add(known.by_ip.entry(coupling.key.ip).or_default(), place);
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

    pub(super) fn of_ip(&self, ip: IpAddr) -> &[usize] {
        self.by_ip.get(&ip).map_or(&[], Vec::as_slice)
    }
}

/// A union-find whose roots are the lowest indexes.
pub(super) struct Ties(Vec<usize>);

impl Ties {
    pub(super) fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    pub(super) fn root(&mut self, mut place: usize) -> usize {
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

    pub(super) fn join(&mut self, a: usize, b: usize) {
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
