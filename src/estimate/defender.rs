//! Machines of Defender for Endpoint (`GET /api/machines`).
//!
//! An onboarded machine is managed, so it is no part of the plan. A machine that was merged into another is that one.

use super::json::Record;
use super::listed::{self, Addresses, ListedDevice};
use super::overlap::Exclusion;

/// Kinds of interface that are no card: their addresses are the machine's own business.
const NO_CARDS: [&str; 4] = ["softwareloopback", "loopback", "tunnel", "ppp"];

/// One machine.
pub(super) fn entry(record: &Record) -> Result<ListedDevice, String> {
    let mut addresses = Addresses::default();
    let is = |text: &Option<String>, words: &[&str]| {
        text.as_deref().is_some_and(|t| words.contains(&t.to_lowercase().as_str()))
    };
    for card in record.cards.iter().filter(|c| !is(&c.kind, &NO_CARDS)) {
        if let Some(mac) = card.mac.as_deref().filter(|m| m.parse::<crate::census::MacAddr>().is_ok()) {
            addresses.add_macs(mac);
        }
        // The address of a card that is down may be another machine's by now; its MAC stays its own.
        let is_up = card.status.is_none() || is(&card.status, &["up", "unknown"]);
        if let Some(ip) = card.ip.as_deref().filter(|_| is_up) {
            addresses.add_ips(ip);
        }
    }
    if let Some(ip) = record.get("lastIpAddress") {
        addresses.add_ips(ip);
    }
    let mut entry = ListedDevice {
        name: record.text("computerDnsName").or_else(|| record.text("name")),
        kinds: ["deviceType", "deviceCategory"].iter().filter_map(|m| record.text(m)).collect(),
        os: record.text("osPlatform").or_else(|| record.text("os")),
        vendor: record.text("deviceManufacturer").or_else(|| record.text("manufacturer")),
        model: record.text("deviceModel").or_else(|| record.text("model")),
        last_seen: record.get("lastSeen").and_then(listed::instant),
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
    if is_excluded && !entry.managed {
        entry.excluded = Some(Exclusion::OutOfScope);
    }
    addresses.into_entry(entry)
}
