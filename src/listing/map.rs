//! The network as frames show it: in each zone the networks, by VLAN and prefix, with the devices in them and the routers
//! that have an address there. **Pure.**
//!
//! Mirrored frames do not tell on which port of which switch a device hangs. Therefore switches and access points are listed
//! in the network in which they have their address, and nothing is drawn behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::census::{Category, Prefix};
use crate::wire::DeviceRow;

/// The most routers of a zone in the map.
pub(crate) const ROUTERS: usize = 12;
/// The most switches and access points that a network names.
const GEAR: usize = 4;

/// How the prefix of a network is known.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrefixSource {
    /// A DHCP server or a router announced it.
    Sent,
    /// Hosts found each other by ARP, so the prefix is at least so wide.
    Exchanged,
}

/// A zone in the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct MapZone {
    pub name: String,
    pub devices: u64,
    /// Devices that forward, those with addresses in most networks first; at most 12.
    pub routers: Vec<MapRouter>,
    /// Further routers.
    pub more_routers: u64,
    /// Those with most devices first.
    pub networks: Vec<MapNetwork>,
    /// Further networks, and the devices in them.
    pub more_networks: u64,
    pub more_devices: u64,
}

/// A device that forwards.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MapRouter {
    /// The id of the device.
    pub id: String,
    /// Its name, or its address.
    pub title: String,
    /// Its type.
    pub kind: String,
    /// The places of the networks of the list in which it has an address, from 0.
    pub networks: Vec<usize>,
}

/// The devices of a zone that frames show in the same VLANs and in the same prefix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct MapNetwork {
    /// The VLAN ids of the frames; empty if they had none.
    pub vlans: Vec<u16>,
    /// The prefix; null if no frame told one.
    #[schema(value_type = Option<String>)]
    pub prefix: Option<Prefix>,
    /// How the prefix is known; null without one.
    pub known: Option<PrefixSource>,
    pub devices: u64,
    pub network: u64,
    pub iot: u64,
    pub computer_mobile: u64,
    pub unclassified: u64,
    /// Devices that count.
    pub counted: u64,
    /// Switches, access points and other network devices that do not forward; at most 4.
    pub gear: Vec<MapGear>,
    /// Further ones.
    pub more_gear: u64,
}

/// A network device in a network.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MapGear {
    /// The id of the device.
    pub id: String,
    /// Its name, or its address.
    pub title: String,
    /// Its type.
    pub kind: String,
}

/// Prefixes of a zone, by which addresses are grouped.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    known: HashMap<Prefix, PrefixSource>,
    /// Lengths that occur, the longest first.
    lengths: BTreeSet<std::cmp::Reverse<(bool, u8)>>,
}

impl Prefixes {
    pub(crate) fn new(all: &[(Prefix, PrefixSource)]) -> Self {
        let mut prefixes = Self::default();
        for (prefix, source) in all {
            let known = prefixes.known.entry(*prefix).or_insert(*source);
            *known = (*known).min(*source);
            prefixes.lengths.insert(std::cmp::Reverse((prefix.address().is_ipv4(), prefix.length())));
        }
        prefixes
    }

    /// The longest prefix of that source that contains an address; announced ones come before exchanged ones.
    fn of(&self, ip: IpAddr) -> Option<(Prefix, PrefixSource)> {
        let find = |source| {
            let lengths = self.lengths.iter().map(|length| length.0).filter(|(v4, _)| *v4 == ip.is_ipv4());
            let mut prefixes = lengths.filter_map(|(_, length)| Prefix::of(ip, length));
            prefixes.find(|prefix| self.known.get(prefix) == Some(&source)).map(|prefix| (prefix, source))
        };
        find(PrefixSource::Sent).or_else(|| find(PrefixSource::Exchanged))
    }
}

/// What tells networks apart.
type Key = (Vec<u16>, Option<(Prefix, PrefixSource)>);

impl MapZone {
    /// The map of a zone, with at most so many networks.
    pub(crate) fn new<'r>(
        name: &str,
        rows: impl Iterator<Item = &'r DeviceRow>,
        prefixes: &Prefixes,
        most: usize,
    ) -> Self {
        let mut networks: BTreeMap<Key, MapNetwork> = BTreeMap::new();
        let mut routers: Vec<(&DeviceRow, BTreeSet<Key>)> = Vec::new();
        let mut devices = 0;
        for row in rows {
            devices += 1;
            let key = |c: &crate::wire::CouplingRow| -> Key { (c.vlans.to_vec(), prefixes.of(c.key.ip)) };
            let listed = row.couplings.iter().find(|c| c.key.ip == row.ip && c.key.mac == row.mac);
            let of_row = listed.map_or_else(|| (Vec::new(), prefixes.of(row.ip)), key);
            if row.forwards.is_some() {
                routers.push((row, row.couplings.iter().map(key).collect()));
            }
            networks.entry(of_row).or_default().add(row);
        }
        let mut sorted: Vec<(Key, MapNetwork)> = networks.into_iter().collect();
        // A stable order: the sort keeps that of the keys for networks of one size.
        sorted.sort_by_key(|(_, network)| std::cmp::Reverse(network.devices));
        let rest = sorted.split_off(most.min(sorted.len()));
        let place: HashMap<Key, usize> = sorted.iter().map(|(key, _)| key.clone()).zip(0..).collect();
        let mut shown: Vec<MapRouter> = routers
            .iter()
            .map(|(row, keys)| MapRouter {
                id: row.id.to_string(),
                title: title(row),
                kind: row.what.kind.to_string(),
                networks: keys
                    .iter()
                    .filter_map(|key| place.get(key).copied())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
            })
            .collect();
        shown.sort_by(|a, b| (b.networks.len(), &a.title, &a.id).cmp(&(a.networks.len(), &b.title, &b.id)));
        let more_routers = shown.split_off(ROUTERS.min(shown.len())).len() as u64;
        let networks = sorted.into_iter().map(|((vlans, prefix), network)| MapNetwork {
            vlans,
            prefix: prefix.map(|(prefix, _)| prefix),
            known: prefix.map(|(_, known)| known),
            ..network
        });
        Self {
            name: name.to_owned(),
            devices,
            routers: shown,
            more_routers,
            networks: networks.collect(),
            more_networks: rest.len() as u64,
            more_devices: rest.iter().map(|(_, network)| network.devices).sum(),
        }
    }
}

impl MapNetwork {
    fn add(&mut self, row: &DeviceRow) {
        self.devices += 1;
        let number = match row.what.category {
            Category::Network => &mut self.network,
            Category::Iot => &mut self.iot,
            Category::ComputerMobile => &mut self.computer_mobile,
            Category::Unclassified => &mut self.unclassified,
        };
        *number += 1;
        self.counted += u64::from(row.verdict.is_counted());
        if row.what.category != Category::Network || row.forwards.is_some() {
            return;
        }
        if self.gear.len() < GEAR {
            let (id, kind) = (row.id.to_string(), row.what.kind.to_string());
            self.gear.push(MapGear { id, title: title(row), kind });
        } else {
            self.more_gear += 1;
        }
    }
}

fn title(row: &DeviceRow) -> String {
    row.what.name.as_ref().map_or_else(|| row.ip.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::census::{
        Binding, Classification, CouplingKey, CouplingState, DeviceId, Forwards, Timestamp, Verdict,
    };
    use crate::wire::{CouplingRow, Shown};

    fn row(number: u8, couplings: &[(&str, &[u16])], category: Category, forwards: bool) -> DeviceRow {
        let mac = format!("00:40:8c:00:00:{number:02x}").parse().unwrap();
        let coupling = |(ip, vlans): &(&str, &[u16])| CouplingRow {
            key: CouplingKey { mac, ip: ip.parse().unwrap() },
            binding: Binding::Proven,
            state: CouplingState::Active,
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            shown: Shown::default(),
            vlans: vlans.iter().copied().collect(),
        };
        DeviceRow {
            id: format!("{number:016x}").parse::<DeviceId>().unwrap(),
            zone: "hq".into(),
            ip: couplings[0].0.parse().unwrap(),
            mac,
            couplings: couplings.iter().map(coupling).collect(),
            joins: thin_vec::ThinVec::new(),
            forwards: forwards.then_some(Forwards::Protocol),
            what: Arc::new(Classification { category, ..Classification::default() }),
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            verdict: if category == Category::Iot { Verdict::CountedIot } else { Verdict::Unclassified },
            decided: None,
        }
    }

    fn prefix(text: &str) -> Prefix {
        let (ip, length) = text.split_once('/').unwrap();
        Prefix::of(ip.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    #[test]
    fn devices_are_grouped_by_vlan_and_prefix_and_routers_lead_to_the_networks_of_their_addresses() {
        let prefixes = Prefixes::new(&[
            (prefix("10.1.0.0/24"), PrefixSource::Sent),
            (prefix("10.2.0.0/28"), PrefixSource::Exchanged),
        ]);
        let rows = [
            row(1, &[("10.1.0.1", &[10]), ("10.2.0.1", &[20])], Category::Network, true),
            row(2, &[("10.1.0.2", &[10])], Category::Iot, false),
            row(3, &[("10.1.0.3", &[10])], Category::Network, false),
            row(4, &[("10.2.0.4", &[20])], Category::Iot, false),
            row(5, &[("192.168.9.5", &[])], Category::Unclassified, false),
        ];
        let map = MapZone::new("hq", rows.iter(), &prefixes, 10);
        let networks: Vec<_> =
            map.networks.iter().map(|n| (n.vlans.clone(), n.prefix, n.known, n.devices)).collect();
        assert_eq!(
            networks,
            [
                (vec![10], Some(prefix("10.1.0.0/24")), Some(PrefixSource::Sent), 3),
                (vec![], None, None, 1),
                (vec![20], Some(prefix("10.2.0.0/28")), Some(PrefixSource::Exchanged), 1),
            ]
        );
        assert_eq!((map.routers.len(), &map.routers[0].networks), (1, &vec![0, 2]));
        let first = &map.networks[0];
        assert_eq!((first.network, first.iot, first.counted, first.gear.len()), (2, 1, 1, 1));
        assert_eq!(first.gear[0].title, "10.1.0.3");
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let rows: Vec<DeviceRow> =
            (1..=20).map(|n| row(n, &[("10.0.0.1", &[u16::from(n)])], Category::Network, true)).collect();
        let map = MapZone::new("hq", rows.iter(), &Prefixes::default(), 5);
        assert_eq!((map.networks.len(), map.more_networks, map.more_devices), (5, 15, 15));
        assert_eq!((map.routers.len(), map.more_routers), (ROUTERS, 8));
    }

    #[test]
    fn of_two_announced_prefixes_the_longer_one_has_the_address() {
        let prefixes = Prefixes::new(&[
            (prefix("10.0.0.0/8"), PrefixSource::Sent),
            (prefix("10.1.0.0/16"), PrefixSource::Sent),
            (prefix("10.1.1.0/24"), PrefixSource::Exchanged),
        ]);
        assert_eq!(
            prefixes.of("10.1.1.1".parse().unwrap()),
            Some((prefix("10.1.0.0/16"), PrefixSource::Sent))
        );
        assert_eq!(prefixes.of("2001:db8::1".parse().unwrap()), None);
    }
}
