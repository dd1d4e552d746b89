//! The Meraki dashboard: clients of a network (`GET /networks/{id}/clients`), and the network's own devices
//! (`GET /networks/{id}/devices`, `GET /organizations/{id}/devices`).

use super::exclusion::Exclusion;
use super::listed::{Addresses, ListedDevice};
use super::record::Record;

/// The taxonomy's key of a product line of the dashboard.
fn product(line: &str) -> Option<&'static str> {
    Some(match line.to_lowercase().as_str() {
        "appliance" => "firewall",
        "switch" => "switch",
        "wireless" => "access_point",
        "wirelesscontroller" | "campusgateway" => "wireless_controller",
        "cellulargateway" => "modem",
        "camera" => "camera",
        "sensor" => "sensor",
        _ => return None,
    })
}

/// One record: a device if it has a product line, serial number or LAN address, else a client.
pub(super) fn read(record: &Record) -> Result<ListedDevice, String> {
    let mut addresses = Addresses::default();
    if let Some(mac) = record.get("mac") {
        addresses.add_macs(mac);
    }
    for ip in ["ip", "ip6", "lanIp"].iter().filter_map(|member| record.get(member)) {
        addresses.add_ips(ip);
    }
    let is_device = ["productType", "serial", "lanIp"].iter().any(|m| record.get(m).is_some());
    let listed = if is_device { device(record) } else { client(record) };
    addresses.into_device(listed)
}

fn client(record: &Record) -> ListedDevice {
    ListedDevice {
        name: record.text("description").or_else(|| record.text("name")),
        kinds: record.text("deviceTypePrediction").into_iter().collect(),
        os: record.text("os"),
        vendor: record.text("manufacturer"),
        id: record.text("id"),
        ids: record.text("id").map(|id| format!("meraki#{id}")).into_iter().collect(),
        ..ListedDevice::default()
    }
}

fn device(record: &Record) -> ListedDevice {
    let line = record.text("productType");
    let kind = line.as_deref().map(|line| product(line).unwrap_or("network_other"));
    let mut listed = ListedDevice {
        name: record.text("name"),
        // Even if its product line is unknown, it is network equipment.
        kinds: vec![kind.unwrap_or("network_other").to_owned()],
        vendor: Some("Cisco Meraki".to_owned()),
        model: record.text("model"),
        id: record.text("serial"),
        ids: record.text("serial").map(|id| format!("meraki#{id}")).into_iter().collect(),
        ..ListedDevice::default()
    };
    if record.members.get("networkId").is_some_and(|network| network.trim().is_empty()) {
        listed.excluded = Some(Exclusion::Retired);
        listed.because = Some("it is in no network of the dashboard".to_owned());
    }
    if kind == Some("sensor") {
        // Meraki sensors use Bluetooth to an access point and never have an address.
        listed.excluded = Some(Exclusion::Unaddressed);
        listed.because = line;
    }
    listed
}
