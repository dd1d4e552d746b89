//! Which devices hold the couplings that did something, at the instant of a survey. It tells why an alert is not derived any
//! more, and on how many days a device was there without doing it again.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::census::{Category, CouplingKey, Inventory, MacAddr, Survey, ZoneNames};

/// A device that holds a coupling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Its id.
    pub device: String,
    pub category: Category,
    /// On how many of the last 30 UTC days it was seen.
    pub present: u32,
}

/// The devices with deeds, by their couplings.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    by_zone: HashMap<String, HashMap<CouplingKey, Arc<Holder>>>,
    present: HashMap<String, u32>,
    names: ZoneNames,
}

impl Holders {
    /// Those of a survey whose zones have their names under `names`.
    pub(super) fn of(survey: &Survey<'_>, inventory: &Inventory, names: &ZoneNames) -> Self {
        let mut holders = Self { names: names.clone(), ..Self::default() };
        for (name, zone) in inventory.zones.iter().filter(|(_, zone)| !zone.conduct.is_empty()) {
            let doers: HashSet<CouplingKey> = zone.conduct.0.keys().map(|key| key.doer).collect();
            let in_zone = holders.by_zone.entry(name.clone()).or_default();
            for device in survey.devices.iter().filter(|device| device.zone == name.as_str()) {
                if !device.couplings.iter().any(|member| doers.contains(&member.key)) {
                    continue;
                }
                let days = device.couplings.iter().fold(0, |days, m| days | m.facts.days_until(survey.as_of));
                let present = days.count_ones();
                let (device_id, category) = (device.id.to_string(), device.category);
                holders.present.insert(device_id.clone(), present);
                let holder = Arc::new(Holder { device: device_id, category, present });
                let listed = CouplingKey { mac: device.mac, ip: device.ip };
                let keys = device.couplings.iter().map(|member| member.key);
                for key in keys.filter(|key| doers.contains(key)).chain([listed]) {
                    in_zone.insert(key, Arc::clone(&holder));
                }
            }
        }
        holders
    }

    /// The device with a coupling, if it did something. Its zone may have another name meanwhile.
    pub fn device(&self, zone: &str, mac: MacAddr, ip: IpAddr) -> Option<&Holder> {
        self.by_zone.get(self.names.name(zone))?.get(&CouplingKey { mac, ip }).map(|holder| &**holder)
    }

    /// On how many of the last 30 days a device was seen; 0 if it did nothing.
    pub fn present(&self, device: &str) -> u32 {
        self.present.get(device).copied().unwrap_or_default()
    }
}
