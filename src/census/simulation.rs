//! Simulation: what other ways to count would say of the same inventory, and on which devices they differ.
//!
//! The survey is the one of the policy in force; a simulation only counts its devices and lines in another way, so that
//! every difference names a device or the MAC behind which addresses were counted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use super::coupling::CouplingKey;
use super::mac::MacAddr;
use super::survey::{Device, DeviceId, Survey};
use super::verdict::{Verdict, commitment};

/// Another way to count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Every pair of MAC and IP address that passes I1 to I3, whatever it is and whoever it belongs to.
    StrictCouplings,
    /// "Devices are listed based on a unique IP and MAC address coupling", taken literally: each coupling of a counted
    /// device counts.
    CouplingsOfDevices,
    /// Each MAC of a counted device counts once, however many devices share it.
    PerMac,
    /// IoT devices alone.
    IotOnly,
}

impl Counting {
    /// Every way, in the order of the table.
    pub const ALL: [Self; 4] = [Self::StrictCouplings, Self::CouplingsOfDevices, Self::PerMac, Self::IotOnly];

    /// The word in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Self::StrictCouplings => "strict-couplings",
            Self::CouplingsOfDevices => "couplings-of-devices",
            Self::PerMac => "per-mac",
            Self::IotOnly => "iot-only",
        }
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::StrictCouplings => "every MAC and IP pair that was seen, routed and public ones included",
            Self::CouplingsOfDevices => "every MAC and IP pair of a counted device",
            Self::PerMac => "every MAC of a counted device",
            Self::IotOnly => "IoT devices alone",
        }
    }
}

/// What one way to count says.
#[derive(Clone, Debug, Serialize)]
pub struct Simulated {
    /// Which way.
    pub counting: Counting,
    /// The number.
    pub billable: u64,
    /// That rounded up to a multiple of 100.
    pub commitment: u64,
    /// The devices, and groups of addresses, that count otherwise than in the survey; in the survey's order.
    pub differs: Vec<Difference>,
}

/// What counts otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// The device's id; null for addresses that are no device's.
    pub device: Option<DeviceId>,
    /// Its MAC, or the one that the addresses were seen with.
    pub mac: MacAddr,
    /// Its address; null for a group of addresses.
    pub ip: Option<std::net::IpAddr>,
    /// The verdict in the survey.
    pub verdict: Verdict,
    /// How many it counts as in the survey.
    pub counted: u64,
    /// How many it would count as.
    pub simulated: u64,
}

/// Counts a survey in another way.
pub fn simulate(survey: &Survey<'_>, counting: Counting) -> Simulated {
    let mut seen: BTreeMap<(&str, MacAddr), ()> = BTreeMap::new();
    let mut differs = Vec::new();
    let mut billable = 0;
    for device in &survey.devices {
        let counted = u64::from(device.verdict.is_counted());
        let simulated = match counting {
            Counting::StrictCouplings => device.couplings.len() as u64,
            Counting::CouplingsOfDevices => counted * device.couplings.len() as u64,
            Counting::PerMac if counted > 0 => {
                let new = |mac| match seen.entry((device.zone, mac)) {
                    Entry::Vacant(place) => {
                        place.insert(());
                        1
                    }
                    Entry::Occupied(_) => 0,
                };
                macs(device).map(new).sum()
            }
            Counting::PerMac => 0,
            Counting::IotOnly => u64::from(device.verdict == Verdict::CountedIot),
        };
        billable += simulated;
        if simulated != counted {
            let (device, mac, ip, verdict) = (Some(device.id), device.mac, Some(device.ip), device.verdict);
            differs.push(Difference { device, mac, ip, verdict, counted, simulated });
        }
    }
    if counting == Counting::StrictCouplings {
        let mut groups: BTreeMap<(MacAddr, Verdict), (CouplingKey, u64)> = BTreeMap::new();
        for line in &survey.lines {
            groups.entry((line.key.mac, line.verdict)).or_insert((line.key, 0)).1 += 1;
        }
        for ((mac, verdict), (first, simulated)) in groups {
            billable += simulated;
            let ip = (simulated == 1).then_some(first.ip);
            differs.push(Difference { device: None, mac, ip, verdict, counted: 0, simulated });
        }
    }
    Simulated { counting, billable, commitment: commitment(billable), differs }
}

/// The MACs of a device, each once; its couplings are sorted by MAC.
fn macs(device: &Device<'_>) -> impl Iterator<Item = MacAddr> {
    device.couplings.chunk_by(|a, b| a.key.mac == b.key.mac).filter_map(|card| Some(card.first()?.key.mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{
        Category, Classification, Classifier, Coupling, Decisions, Field, Inventory, Policy, Sign, Station,
        Subject, Timestamp, Zone,
    };

    /// IoT, but for what names itself a switch.
    struct Simple;

    impl Classifier for Simple {
        fn classify(&self, subject: &Subject<'_>) -> Classification {
            let network = subject.evidence.iter().any(|e| e.field == Field::StpBridge);
            let category = if network { Category::Network } else { Category::Iot };
            Classification { category, ..Classification::default() }
        }
    }

    fn arp(zone: &mut Zone, mac: u8, ip: &str) {
        let key = CouplingKey { mac: MacAddr([0, 0x40, 0x8c, 0, 0, mac]), ip: ip.parse().unwrap() };
        zone.merge_coupling(key, &Coupling::new(Timestamp(0), Sign::ArpAsked.into()));
    }

    #[test]
    fn each_way_to_count_names_what_it_counts_otherwise() {
        let mut zone = Zone::default();
        arp(&mut zone, 1, "10.0.0.1"); // a card with two addresses: two devices
        arp(&mut zone, 1, "10.0.0.2");
        arp(&mut zone, 2, "10.0.0.3"); // a device with an IPv6 address
        arp(&mut zone, 2, "fe80::3");
        arp(&mut zone, 3, "10.0.0.4"); // a switch
        let mut bridge = Station::new(Timestamp(0));
        bridge.evidence.add(Field::StpBridge, "sender", Timestamp(0));
        zone.merge_station(MacAddr([0, 0x40, 0x8c, 0, 0, 3]), &bridge);
        for n in 1..4 {
            // the Internet behind a router
            let key = CouplingKey { mac: MacAddr([0, 0x40, 0x8c, 0, 0, 9]), ip: [8, 8, 8, n].into() };
            zone.merge_coupling(key, &Coupling::new(Timestamp(0), Sign::Sourced.into()));
        }
        let inventory = Inventory::of("default", zone);
        let (policy, decisions) = (Policy::default(), Decisions::default());
        let survey = Survey::new(&inventory, &policy, &decisions, &Simple, Timestamp(0));
        assert_eq!(survey.census.billable, 4);
        let billable = Counting::ALL.map(|c| simulate(&survey, c).billable);
        assert_eq!(billable, [8, 5, 3, 3]);
        let strict = simulate(&survey, Counting::StrictCouplings);
        assert_eq!(strict.billable, survey.census.strict_couplings);
        let behind = strict.differs.last().unwrap();
        assert_eq!((behind.device, behind.simulated, behind.verdict), (None, 3, Verdict::Public));
        let shared = simulate(&survey, Counting::PerMac).differs;
        assert_eq!(shared.iter().map(|d| (d.counted, d.simulated)).collect::<Vec<_>>(), [(1, 0)]);
        assert_eq!(simulate(&survey, Counting::IotOnly).differs.len(), 1);
        assert_eq!(simulate(&survey, Counting::CouplingsOfDevices).differs.len(), 1);
    }
}
