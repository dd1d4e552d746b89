//! Rows without a MAC look for the device that has their address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::overlap::{Known, Ties};
use super::report::Untied;
use crate::census::MacAddr;

/// Rows at one address that are compared with each other.
const COMPARED: usize = 64;

/// The joint knowledge of rows that are tied.
#[derive(Debug, Default)]
pub(super) struct Root<'a> {
    pub(super) macs: BTreeSet<MacAddr>,
    pub(super) ips: BTreeSet<IpAddr>,
    /// The lists that give it an id: another id of the same list is another device.
    pub(super) ids: BTreeSet<usize>,
    pub(super) serials: BTreeSet<&'a str>,
    /// Each with the vocabulary of its list: `Berlin` of one list may be `BER-HQ` of another.
    pub(super) sites: BTreeSet<(usize, &'a str)>,
    /// Each with its list: rows of one list with different names are different devices.
    pub(super) names: BTreeSet<(usize, &'a str)>,
    /// Whether its type or system says that it is a computer, or network gear.
    pub(super) is_computer: BTreeSet<bool>,
    /// Whether its addresses may identify it.
    pub(super) is_findable: bool,
    /// The devices of the inventory that have its MACs.
    pub(super) devices: Vec<usize>,
}

impl Root<'_> {
    /// Whether a list says that the two are different devices. Tied rows have one root, so that two roots with an id of the
    /// same list have different ones.
    fn is_not(&self, other: &Self) -> bool {
        let differ =
            |a: &BTreeSet<&str>, b: &BTreeSet<&str>| !a.is_empty() && !b.is_empty() && a.is_disjoint(b);
        !self.ids.is_disjoint(&other.ids)
            || differ(&self.serials, &other.serials)
            || differ_within(&self.sites, &other.sites)
            || differ_within(&self.names, &other.names)
            || (self.is_computer.len() == 1
                && other.is_computer.len() == 1
                && self.is_computer != other.is_computer)
    }
}

/// Whether two sets have different values of one list or vocabulary, and no common one.
fn differ_within(a: &BTreeSet<(usize, &str)>, b: &BTreeSet<(usize, &str)>) -> bool {
    a.is_disjoint(b) && a.iter().any(|(list, _)| b.iter().any(|(other, _)| other == list))
}

/// The device to which rows without a MAC belong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Home {
    /// The rows with that root.
    Row(usize),
    /// That device of the inventory.
    Device(usize),
    /// One of several devices.
    Ambiguous,
}

/// All rows, those with a MAC by address, and the inventory.
pub(super) struct Seekers<'a> {
    pub(super) roots: &'a BTreeMap<usize, Root<'a>>,
    pub(super) bearers: &'a HashMap<IpAddr, Vec<usize>>,
    pub(super) known: &'a Known,
}

impl Seekers<'_> {
    fn all(&self) -> impl Iterator<Item = (usize, &Root<'_>)> {
        let seeks = |(_, root): &(usize, &Root<'_>)| root.macs.is_empty() && root.is_findable;
        self.roots.iter().map(|(place, root)| (*place, root)).filter(seeks)
    }

    /// The home of every root without a MAC, and the addresses that tie nothing because a list tells their rows apart.
    pub(super) fn homes(&self) -> (HashMap<usize, Home>, Vec<Untied>) {
        let mut by_ip: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for (place, root) in self.all() {
            root.ips.iter().for_each(|ip| by_ip.entry(*ip).or_default().push(place));
        }
        let (contested, common): (BTreeMap<_, _>, BTreeMap<_, _>) =
            by_ip.into_iter().partition(|(_, places)| is_contested(self.roots, places));
        let mut homes = HashMap::new();
        self.share(&common, &mut homes);
        self.part(&contested, &mut homes);
        // A row that went to another goes along to where that one went.
        let moved: Vec<(usize, Home)> = homes
            .iter()
            .filter_map(|(place, home)| match home {
                Home::Row(other) if other != place => match homes.get(other) {
                    Some(Home::Row(further)) if further != other => Some((*place, Home::Row(*further))),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        homes.extend(moved);
        let untied = contested.into_iter().map(|(ip, places)| Untied {
            value: ip.to_string(),
            rows: places.len() as u64,
            why: "lists give it to several devices: their ids, serial numbers, names, sites or types differ"
                .to_owned(),
        });
        (homes, untied.collect())
    }

    /// Rows that share an address nobody contests go together, to the one device that has it.
    fn share(&self, common: &BTreeMap<IpAddr, Vec<usize>>, homes: &mut HashMap<usize, Home>) {
        let size = self.roots.keys().next_back().map_or(0, |last| last + 1);
        let mut ties = Ties::new(size);
        for places in common.values() {
            if let Some(first) = places.first() {
                places.iter().for_each(|place| ties.join(*place, *first));
            }
        }
        let mut sets: BTreeMap<usize, (BTreeSet<IpAddr>, BTreeSet<usize>)> = BTreeMap::new();
        for (ip, places) in common {
            for place in places {
                let set = sets.entry(ties.root(*place)).or_default();
                set.0.insert(*ip);
                set.1.insert(*place);
            }
        }
        for (first, (ips, members)) in &sets {
            let devices: BTreeSet<usize> = ips.iter().flat_map(|ip| self.known.of_ip(*ip)).copied().collect();
            // Nobody contests the members, so that what is not one of them is not their sum either.
            let mut whole = Root::default();
            for member in members.iter().filter_map(|m| self.roots.get(m)) {
                whole.ids.extend(&member.ids);
                whole.serials.extend(&member.serials);
                whole.sites.extend(&member.sites);
                whole.names.extend(&member.names);
                whole.is_computer.extend(&member.is_computer);
            }
            // Rows that already belong to one of these devices are not further candidates.
            let may_be = |row: &&usize| {
                self.roots.get(row).is_some_and(|bearer| {
                    !bearer.devices.iter().any(|d| devices.contains(d)) && !whole.is_not(bearer)
                })
            };
            let rows: BTreeSet<usize> =
                ips.iter().filter_map(|ip| self.bearers.get(ip)).flatten().filter(may_be).copied().collect();
            let home = match (devices.len() + rows.len(), devices.first(), rows.first()) {
                (0, ..) => Home::Row(*first),
                (1, Some(device), _) => Home::Device(*device),
                (1, None, Some(row)) => Home::Row(*row),
                _ => Home::Ambiguous,
            };
            for member in members {
                match home {
                    // Rows that share an address stay together: the first one carries the device or the ambiguity.
                    Home::Row(target) => homes.insert(*member, Home::Row(target)),
                    other if member == first => homes.insert(*member, other),
                    _ => homes.insert(*member, Home::Row(*first)),
                };
            }
        }
    }

    /// At a contested address a row is a device of its own if its list tells it from another. It goes to another list's row
    /// only if each of the two can be nobody but the other.
    fn part(&self, contested: &BTreeMap<IpAddr, Vec<usize>>, homes: &mut HashMap<usize, Home>) {
        let mut at: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut near_device: BTreeSet<usize> = BTreeSet::new();
        for (ip, places) in contested {
            let bearers = self.bearers.get(ip).map_or(&[][..], Vec::as_slice);
            for place in places.iter().filter(|p| !homes.contains_key(p)) {
                let others = places.iter().chain(bearers).filter(|other| *other != place).take(COMPARED);
                at.entry(*place).or_default().extend(others);
                if !self.known.of_ip(*ip).is_empty() {
                    near_device.insert(*place);
                }
            }
        }
        let is_not = |a: usize, b: usize| match (self.roots.get(&a), self.roots.get(&b)) {
            (Some(a), Some(b)) => a.is_not(b),
            _ => true,
        };
        let possible = |place: usize| -> BTreeSet<usize> {
            let others = at.get(&place).into_iter().flatten();
            others.filter(|other| !is_not(place, **other)).copied().collect()
        };
        // Who could be a row with a MAC, seen from the rows without one.
        let mut of_bearer: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for place in at.keys() {
            for other in possible(*place) {
                of_bearer.entry(other).or_default().insert(*place);
            }
        }
        for place in at.keys() {
            let others = possible(*place);
            let is_told_apart = at
                .get(place)
                .into_iter()
                .flatten()
                .any(|other| at.contains_key(other) && is_not(*place, *other));
            let only = others.first().filter(|_| others.len() == 1 && !near_device.contains(place));
            let is_mutual = only.is_some_and(|other| {
                // A row without a MAC sees its own others, and may be a device of the inventory; a row with one is seen by
                // those that look for it.
                let seen = if at.contains_key(other) {
                    Some(possible(*other)).filter(|_| !near_device.contains(other))
                } else {
                    of_bearer.get(other).cloned()
                };
                seen.is_some_and(|who| who.len() == 1 && who.contains(place))
            });
            let home = match only {
                Some(other) if is_mutual && !at.contains_key(other) => Home::Row(*other),
                Some(other) if is_mutual => Home::Row((*place).min(*other)),
                _ if is_told_apart => Home::Row(*place),
                None if others.is_empty() && !near_device.contains(place) => Home::Row(*place),
                _ => Home::Ambiguous,
            };
            homes.insert(*place, home);
        }
    }
}

/// Whether a list tells rows at one address apart.
pub(super) fn is_contested(roots: &BTreeMap<usize, Root<'_>>, places: &[usize]) -> bool {
    let (mut lists, mut serials, mut computers) = (BTreeSet::new(), 0, BTreeSet::<bool>::new());
    let (mut sites, mut names) = (BTreeMap::new(), BTreeMap::new());
    for root in places.iter().filter_map(|p| roots.get(p)) {
        if root.ids.iter().any(|list| !lists.insert(*list)) {
            return true;
        }
        serials += usize::from(!root.serials.is_empty());
        computers.extend(&root.is_computer);
        for (list, site) in &root.sites {
            if *sites.entry(*list).or_insert(*site) != *site {
                return true;
            }
        }
        for (list, name) in &root.names {
            if *names.entry(*list).or_insert(*name) != *name {
                return true;
            }
        }
    }
    // Rows with one serial number are tied already.
    serials > 1 || computers.len() > 1
}
