//! What a header says: `cmdb_ci.mac_address`, `Networking - MAC address`, `MAC Address (Wired)`, `primary_ip4.address`.

use super::cell::squash;
use super::column::FileColumn;

/// Last parts of a path that only repeat what the part before says: `status.value`, `role.name`.
const HOLDERS: [&str; 12] = [
    "value",
    "label",
    "name",
    "display",
    "displayvalue",
    "displayname",
    "slug",
    "address",
    "title",
    "text",
    "date",
    "addr",
];
/// Words before or behind a MAC or an address that do not change whose it is.
const BESIDE: [&str; 54] = [
    "primary",
    "secondary",
    "device",
    "client",
    "asset",
    "computer",
    "machine",
    "endpoint",
    "end",
    "point",
    "node",
    "nic",
    "network",
    "networking",
    "adapter",
    "card",
    "interface",
    "ethernet",
    "wired",
    "wireless",
    "wi",
    "fi",
    "wifi",
    "wlan",
    "lan",
    "hw",
    "hardware",
    "base",
    "bridge",
    "chassis",
    "station",
    "last",
    "known",
    "local",
    "current",
    "assigned",
    "reserved",
    "system",
    "host",
    "ci",
    "hostname",
    "int",
    "port",
    "list",
    "main",
    "management",
    "mgmt",
    "private",
    "internal",
    "used",
    "all",
    "eth",
    "en",
    "active",
];
/// Words by which a header names another device's MAC or address: the access point's, the switch's.
const ANOTHERS: [&str; 39] = [
    "ap",
    "accesspoint",
    "access",
    "switch",
    "sw",
    "uplink",
    "recent",
    "gateway",
    "gw",
    "router",
    "controller",
    "neighbor",
    "neighbour",
    "neighbors",
    "parent",
    "upstream",
    "connected",
    "server",
    "nas",
    "relay",
    "bssid",
    "root",
    "peer",
    "remote",
    "dns",
    "probe",
    "sensor",
    "bmc",
    "ilo",
    "nat",
    "partner",
    "recorder",
    "nvr",
    "downlink",
    "lldp",
    "cdp",
    "connection",
    "arp",
    "fdb",
];
/// Members whose values are tables of other devices.
const TABLES: [&str; 4] = ["mactable", "arptable", "forwardingtable", "clienttable"];
/// Parts of a path that hold a record, so that `fields.id` is its id, and `platform.id` is not.
const RECORDS: [&str; 8] = ["fields", "jsonbody", "body", "attributes", "node", "device", "host", "asset"];
/// Words by which a header names what is not a device's address at all.
const NONE: [&str; 15] = [
    "mask",
    "netmask",
    "subnet",
    "scope",
    "scopeid",
    "public",
    "external",
    "wan",
    "vendor",
    "oui",
    "manufacturer",
    "range",
    "dns",
    "gateway",
    "count",
];

/// How certainly a header means a column, from 0; and whether it names another device's.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Rank {
    /// Whether the MAC or address may be that of a device to which this one is connected.
    pub(super) is_anothers: bool,
    /// Whether words had to be left out to understand it.
    pub(super) is_loose: bool,
    /// The place among the headers of the column.
    pub(super) place: usize,
}

/// How certainly `header` means `column`; `None` if it does not.
pub(super) fn rank(column: FileColumn, header: &str) -> Option<Rank> {
    let named = named(header);
    let place = |word: &str| column.place_of(word);
    let is_address = matches!(column, FileColumn::Mac | FileColumn::Ip);
    let words = words(&named);
    let is_none = is_address && words.iter().any(|w| NONE.contains(&w.as_str()));
    let is_anothers = is_address && is_of_another(header);
    let whole = squash(&named);
    if column == FileColumn::Id && whole == "id" && !is_of_record(header) {
        return None;
    }
    let whole = match column {
        FileColumn::Mac | FileColumn::Ip if !matches!(whole.as_str(), "ipv4" | "ipv6" | "ip4" | "ip6") => {
            whole.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
        }
        _ => whole,
    };
    if let Some(place) = place(&whole).filter(|_| !is_none) {
        return Some(Rank { is_anothers, is_loose: false, place });
    }
    if is_none {
        return None;
    }
    // A client's identifier is its MAC in most DHCP servers.
    if column == FileColumn::Mac && matches!(whole.as_str(), "clientid" | "clientidentifier" | "uniqueid") {
        return Some(Rank { is_anothers, is_loose: true, place: usize::MAX });
    }
    if !is_address {
        return loose(column, &words).then_some(Rank { is_anothers, is_loose: true, place: usize::MAX });
    }
    let is_beside = |w: &String| {
        let word = w.as_str();
        BESIDE.contains(&word) || ANOTHERS.contains(&word) || word.bytes().all(|b| b.is_ascii_digit())
    };
    let rest: String = words.iter().filter(|w| !is_beside(w)).map(String::as_str).collect();
    let rest = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = match rest {
        "ipv" => "ip",
        other => other,
    };
    Some(Rank { is_anothers, is_loose: true, place: place(rest)? })
}

/// Whether words may name a column of dates or states that is in no list of headers. Its cells decide.
fn loose(column: FileColumn, words: &[String]) -> bool {
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|stem| w.starts_with(stem)));
    match column {
        FileColumn::LastSeen => {
            let is_last = has(&[
                "last",
                "letzt",
                "zuletzt",
                "derni",
                "ultim",
                "laatst",
                "recent",
                "heartbeat",
                "inactive",
                "offline",
                "seen",
                "approximate",
            ]);
            let is_not = has(&[
                "modif", "updat", "chang", "boot", "restart", "creat", "first", "erst", "premi", "prim",
                "user", "password", "name", "logon", "purchase", "warrant", "audit", "checkout", "edit",
                "reset", "install", "patch", "backup", "mainten", "status", "state", "error", "by", "ip",
                "mac",
            ]);
            is_last && !is_not
        }
        FileColumn::Status => {
            let is_state = has(&[
                "status",
                "state",
                "zustand",
                "statut",
                "estado",
                "stato",
                "etat",
                "lifecycle",
                "lebenszyklus",
                "disposition",
            ]) || words.iter().any(|w| w.ends_with("status") || w.ends_with("zustand"));
            let is_not = has(&[
                "health",
                "compli",
                "connect",
                "power",
                "onboard",
                "sync",
                "link",
                "agent",
                "enrol",
                "exposure",
                "risk",
                "warrant",
                "battery",
                "license",
                "update",
                "patch",
                "av",
                "antivirus",
                "encrypt",
                "firewall",
                "defender",
                "jail",
                "online",
                "country",
                "province",
                "operstatus",
                "port",
            ]);
            is_state && !is_not
        }
        _ => false,
    }
}

/// Whether a header names the MAC of an interface, of which a device has several.
pub(super) fn is_interface(header: &str) -> bool {
    words(header).iter().any(|w| matches!(w.as_str(), "interface" | "interfaces" | "nic" | "adapter" | "if"))
}

/// Whether an `id` stands at the top of a record.
fn is_of_record(header: &str) -> bool {
    let mut parts = header.rsplit('.').skip(1);
    parts.next().is_none_or(|part| RECORDS.contains(&squash(part).as_str()))
}

/// Whether a header names another device's MAC or address, by itself or by the members around it.
fn is_of_another(header: &str) -> bool {
    let bare = header.split(['(', '[', '{']).next().unwrap_or(header);
    let bare = bare.rsplit(" - ").next().unwrap_or(bare);
    bare.split('.').any(|part| {
        TABLES.contains(&squash(part).as_str()) || words(part).iter().any(|w| ANOTHERS.contains(&w.as_str()))
    })
}

/// Whether a header names another device's MAC or address, or none, whatever its column holds.
pub(super) fn is_anothers(header: &str) -> bool {
    is_of_another(header) || words(&named(header)).iter().any(|w| NONE.contains(&w.as_str()))
}

/// The part of a header that names the column: without the path before it and the remark in brackets behind it.
fn named(header: &str) -> String {
    let header = header.trim();
    // `Networking - MAC address`, as GLPI writes.
    let header = header.rsplit(" - ").next().unwrap_or(header);
    // `Network type->Name`, as iTop writes, and `MAC Address:String(64)`, as templates of Cisco ISE do.
    let header = header.replace("->", ".");
    let header = header.split(':').next().unwrap_or(&header);
    let bare = header.split(['(', '[', '{']).next().unwrap_or(header).trim();
    let bare = if bare.is_empty() { header } else { bare };
    let mut parts = bare.rsplit(['.', '/']).filter(|p| !p.is_empty());
    let last = parts.next().unwrap_or(bare);
    let named = match parts.next() {
        Some(before) if HOLDERS.contains(&squash(last).as_str()) => before,
        _ => last,
    };
    named.strip_prefix("u_").unwrap_or(named).to_owned()
}

/// The words of a header in lower case: `EndPointMACAddress` has four.
fn words(text: &str) -> Vec<String> {
    let signs: Vec<char> = text.chars().collect();
    let mut spaced = String::with_capacity(text.len() + 8);
    for (place, c) in signs.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|p| signs.get(p));
        let after = signs.get(place + 1);
        let starts = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase())
                || (before.is_some_and(|b| b.is_uppercase())
                    && after.is_some_and(|a| a.is_lowercase() && *a != 's')));
        if starts {
            spaced.push(' ');
        }
        spaced.push(*c);
    }
    let words = spaced.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(squash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_macs_and_addresses_are_known_in_every_usual_form() {
        for header in [
            "MAC Address (Wired)",
            "Primary MAC Address",
            "WLAN MAC Address",
            "Adapter MAC",
            "Device MACs",
            "Hardware Ethernet",
            "MAC Address(es)",
            "primary_mac_address",
            "Network - MAC",
            "Networking - MAC address",
            "MAC-Adresse (LAN)",
            "MACAddress",
            "Station MAC",
            "Base MAC",
            "chassis_mac",
            "Endpoint MAC",
            "Calling Station ID",
            "MAC Adress",
            "Ethernet Address",
            "NIC MAC Address",
            "Network Adapter MAC Address",
            "HW MAC",
            "phys_address",
            "macs[0]",
            "EndPointMACAddress",
            "Node MAC",
            "cmdb_ci.mac_address",
            "MAC 2",
            "wiFiMacAddress",
            "hw-address",
            "json_body.ipAddresses.macAddress",
        ] {
            let found = rank(FileColumn::Mac, header);
            assert!(found.is_some_and(|r| !r.is_anothers), "{header}: {found:?}");
            assert_eq!(rank(FileColumn::Ip, header), None, "{header}");
        }
        for header in [
            "IP Address(es)",
            "IPv4 Address",
            "Primary IPv4",
            "primary_ip4",
            "primary_ip4.address",
            "Device IPs",
            "Last known IP",
            "Management IP",
            "Local IP",
            "Networking - IP",
            "IP-Adresse",
            "LAN IP 1",
            "lanIp",
            "ip_address",
            "Reserved IP",
            "ip-address",
        ] {
            let found = rank(FileColumn::Ip, header);
            assert!(found.is_some_and(|r| !r.is_anothers), "{header}: {found:?}");
            assert_eq!(rank(FileColumn::Mac, header), None, "{header}");
        }
    }

    #[test]
    fn what_belongs_to_another_device_or_to_none_is_told_apart() {
        for header in
            ["AP MAC", "Switch MAC", "uplink_mac", "recentDeviceMac", "BSSID", "Access Point MAC Address"]
        {
            assert!(rank(FileColumn::Mac, header).is_some_and(|r| r.is_anothers), "{header}");
        }
        for header in [
            "Subnet Mask",
            "Default Gateway IP",
            "ScopeId",
            "External IP",
            "lastExternalIpAddress",
            "DNS IP",
            "Mac Vendor",
        ] {
            assert_eq!(rank(FileColumn::Ip, header), None, "{header}");
            assert_eq!(rank(FileColumn::Mac, header), None, "{header}");
        }
    }

    #[test]
    fn a_path_is_named_by_the_part_that_says_something() {
        assert!(rank(FileColumn::Status, "status.value").is_some());
        assert!(rank(FileColumn::Type, "role.name").is_some());
        assert!(rank(FileColumn::Model, "device_type.model").is_some());
        assert_eq!(rank(FileColumn::Name, "role.name"), None);
        assert_eq!(rank(FileColumn::Id, "manufacturer.id"), None);
    }
}
