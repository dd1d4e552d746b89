//! Machines of Defender for Endpoint (`GET /api/machines`).
//!
//! An onboarded machine is managed, so it does not count. A machine that was merged into another is the same device.

use super::exclusion::Exclusion;
use super::listed::{Addresses, ListedDevice};
use super::record::Record;
use super::spelling;

/// Interfaces that are not network cards: their addresses do not identify the machine.
const NO_CARDS: [&str; 4] = ["softwareloopback", "loopback", "tunnel", "ppp"];

pub(super) fn read(record: &Record) -> Result<ListedDevice, String> {
    let mut addresses = Addresses::default();
    let is = |text: &Option<String>, words: &[&str]| {
        text.as_deref().is_some_and(|t| words.contains(&t.to_lowercase().as_str()))
    };
    for card in record.cards.iter().filter(|c| !is(&c.kind, &NO_CARDS)) {
        if let Some(mac) = card.mac.as_deref().filter(|m| spelling::macs(m).next().is_some()) {
            addresses.add_macs(mac);
        }
        // The address of a card that is down may belong to another machine by now; its MAC does not.
        let is_up = card.status.is_none() || is(&card.status, &["up", "unknown"]);
        if let Some(ip) = card.ip.as_deref().filter(|_| is_up) {
            addresses.add_ips(ip);
        }
    }
    if let Some(ip) = record.get("lastIpAddress") {
        addresses.add_ips(ip);
    }
    let mut listed = ListedDevice {
        name: record.text("computerDnsName").or_else(|| record.text("name")),
        kinds: ["deviceType", "deviceCategory"].iter().filter_map(|m| record.text(m)).collect(),
        os: record.text("osPlatform").or_else(|| record.text("os")),
        vendor: record.text("deviceManufacturer").or_else(|| record.text("manufacturer")),
        model: record.text("deviceModel").or_else(|| record.text("model")),
        managed: record.get("onboardingStatus").is_some_and(|s| s.trim().eq_ignore_ascii_case("onboarded")),
        id: record.text("id"),
        ids: ["id", "mergedIntoMachineId"]
            .iter()
            .filter_map(|m| record.text(m))
            .map(|i| i.to_lowercase())
            .collect(),
        ..ListedDevice::default()
    };
    let is_excluded = record.get("isExcluded").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if is_excluded && !listed.managed {
        listed.excluded = Some(Exclusion::OutOfScope);
    }
    addresses.into_device(listed)
}
