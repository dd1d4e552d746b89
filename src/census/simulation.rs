//! Simulation: the result of other ways to count, and the devices on which they differ.
//!
//! A simulation counts the devices and coupling lines of the same survey in another way. So each difference names a
//! device, or a MAC and the number of addresses behind it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use super::coupling::CouplingKey;
use super::device::{Device, DeviceId};
use super::mac::MacAddr;
use super::survey::Survey;
use super::verdict::{Verdict, commitment};

/// Another way to count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Each coupling that passes I1 to I3.
    StrictCouplings,
    /// Each coupling of a counted device: "devices are listed based on a unique IP and MAC address coupling", taken
    /// literally.
    CouplingsOfDevices,
    /// Each MAC of a counted device, once even if several devices share it.
    PerMac,
    /// IoT devices only.
    IotOnly,
}

impl Counting {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::StrictCouplings, Self::CouplingsOfDevices, Self::PerMac, Self::IotOnly];

    /// The name in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Self::StrictCouplings => "strict-couplings",
            Self::CouplingsOfDevices => "couplings-of-devices",
            Self::PerMac => "per-mac",
            Self::IotOnly => "iot-only",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::StrictCouplings => "every MAC and IP pair that was seen, including routed and public ones",
            Self::CouplingsOfDevices => "every MAC and IP pair of a counted device",
            Self::PerMac => "every MAC of a counted device",
            Self::IotOnly => "IoT devices only",
        }
    }
}

/// The result of one way to count.
#[derive(Clone, Debug, Serialize)]
pub struct Simulated {
    pub counting: Counting,
    pub billable: u64,
    /// `billable` rounded up to a multiple of 100.
    pub commitment: u64,
    /// The devices and groups of addresses that count differently than in the survey, in its order.
    pub differs: Vec<Difference>,
}

/// A device, or a group of addresses behind one MAC, that counts differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// `None` for a group of addresses.
    pub device: Option<DeviceId>,
    /// The device's MAC, or the one behind which the addresses were seen.
    pub mac: MacAddr,
    /// `None` for a group of several addresses.
    pub ip: Option<std::net::IpAddr>,
    /// The verdict in the survey.
    pub verdict: Verdict,
    /// The number that it adds to the survey.
    pub counted: u64,
    /// The number that it adds to the simulation.
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

/// The MACs of a device, each once. Its couplings are sorted by MAC.
fn macs(device: &Device<'_>) -> impl Iterator<Item = MacAddr> {
    device.couplings.chunk_by(|a, b| a.key.mac == b.key.mac).filter_map(|card| Some(card.first()?.key.mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{
        Category, Classification, Classifier, ClassifierInput, Coupling, Decisions, Field, Inventory, Policy,
        Sign, Station, Timestamp, Zone,
    };

    /// Classifies bridges as network devices and everything else as IoT.
    struct Simple;

    impl Classifier for Simple {
        fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
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
    fn each_way_to_count_names_what_it_counts_differently() {
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
