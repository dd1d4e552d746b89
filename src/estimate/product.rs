//! Whose export a list is, by the names of its columns or members. It is only a name in the report, but for our own.

use super::cell::squash;

/// A product whose exports are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Product {
    /// Our own export of devices: what it decided stays decided.
    Own,
    /// Another.
    Named(&'static str),
}

/// The columns that only that product writes together; parts of a path are joined.
const KNOWN: [(&str, &[&str]); 27] = [
    ("Microsoft Defender portal", &["devicename", "onboardingstatus", "exposurelevel"]),
    ("Microsoft Defender for Endpoint", &["computerdnsname", "onboardingstatus"]),
    ("Microsoft Defender advanced hunting", &["deviceid", "onboardingstatus", "osplatform"]),
    ("Microsoft Intune", &["devicename", "managedby", "compliance"]),
    ("Microsoft Intune", &["devicename", "compliancestate"]),
    ("Microsoft Configuration Manager", &["resourceid", "smsuniqueidentifier"]),
    ("PDQ Inventory", &["computername", "successfulscandate"]),
    ("ServiceNow", &["sysclassname"]),
    ("Lansweeper", &["assettypename"]),
    ("Lansweeper", &["assetname", "statename"]),
    ("Snipe-IT", &["assettag", "checkedoutto"]),
    ("Snipe-IT", &["assettag", "statuslabelstatusmeta"]),
    ("Snipe-IT", &["assettag", "category"]),
    ("NetBox", &["devicetypemodel"]),
    ("NetBox", &["rack", "role", "site"]),
    ("GLPI", &["entity", "lastinventorydate"]),
    ("GLPI", &["networkingmacaddress"]),
    ("iTop", &["finalclass"]),
    ("UniFi Network", &["mac", "iswired"]),
    ("UniFi Network", &["mac", "adopted"]),
    ("TP-Link Omada", &["mac", "connecttype"]),
    ("Aruba Central", &["macaddr", "ipaddress"]),
    ("Cisco ISE", &["endpointpolicy"]),
    ("Cisco ISE", &["matchedpolicy"]),
    ("Windows DHCP Server", &["scopeid", "clientid"]),
    ("Kea DHCP", &["hwaddr", "validlifetime"]),
    ("Kea DHCP", &["hwaddress", "validlft"]),
];

impl Product {
    /// The product whose columns these are.
    pub(super) fn of(header: &[String]) -> Option<Self> {
        let names: Vec<String> = header.iter().map(|h| squash(h)).collect();
        let lasts: Vec<String> = header.iter().map(|h| squash(h.rsplit('.').next().unwrap_or(h))).collect();
        let has = |name: &str| names.iter().chain(&lasts).any(|n| n == name);
        if ["zone", "mac", "verdict", "category"].into_iter().all(has) {
            return Some(Self::Own);
        }
        let known = KNOWN.iter().find(|(_, columns)| columns.iter().all(|column| has(column)));
        known.map(|(name, _)| Self::Named(name))
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Own => "netcensus",
            Self::Named(name) => name,
        }
    }
}
