//! Situations that people report of their lists: what a list says, and what it must come to.

use super::tests::rules;
use super::*;
use crate::census::{Policy, Timestamp};

fn now() -> Timestamp {
    "2026-11-29T00:00:00Z".parse().unwrap()
}

fn try_all(files: &[(&str, &str)]) -> Result<Estimate, FileError> {
    let options = ReadOptions { as_of: Some(now()), ..ReadOptions::default() };
    let readings = files
        .iter()
        .map(|(name, text)| read(name, text.as_bytes(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    let sorter = Sorter::new(rules()).unwrap();
    let found = Estimate::new(&readings, None, &sorter, &Policy::default(), now())?;
    assert!(found.closes());
    Ok(found)
}

fn all(files: &[(&str, &str)]) -> Estimate {
    try_all(files).unwrap()
}

/// Network and IoT devices that count.
fn count(text: &str) -> (u64, u64) {
    let found = all(&[("list", text)]);
    (found.network, found.iot)
}

/// A list of cameras with one cell each in a column of that name.
fn cameras(column: &str, cells: &[&str]) -> String {
    let row =
        |(n, cell): (usize, &&str)| format!("c{n},00:40:8c:20:00:{n:02x},10.8.0.{n},Camera,\"{cell}\"\n");
    let rows: String = cells.iter().enumerate().map(row).collect();
    format!("Name,MAC Address,IP Address,Type,{column}\n{rows}")
}

#[test]
fn day_numbers_of_spreadsheets_are_dates_and_small_numbers_are_none() {
    assert_eq!(count(&cameras("Last Seen", &["46350", "46353.25", "2026-11-27", "45000"])), (0, 3));
    let found = all(&[("list", &cameras("Last Seen", &["0", "1", "3", "12"]))]);
    assert_eq!((found.iot, found.files[0].not_understood.len()), (4, 4));
    assert_eq!(count(&cameras("Days since last seen", &["0", "12", "45"])), (0, 2));
}

#[test]
fn a_column_decides_the_order_of_its_dates() {
    let us = ["11/25/2026", "11/27/2026", "02/03/2024", "05/06/2023", "01/12/2022"];
    let uk = ["25/11/2026 08:00", "27/11/2026 09:00", "03/02/2024 10:00", "06/05/2023 10:00"];
    assert_eq!(count(&cameras("Last seen", &us)), (0, 2));
    assert_eq!(count(&cameras("Last seen", &uk)), (0, 2));
    let words = ["Nov 27, 2026 9:15 AM", "Mar 3, 2023 9:15 AM", "2023/03/03 09:15", "3 Mar 2023"];
    let found = all(&[("list", &cameras("Last seen", &words))]);
    assert_eq!(found.iot, 1);
    assert!(
        found.rows[1].why.ends_with("2023-03-03"),
        "an idle device shows the date: {}",
        found.rows[1].why
    );
}

#[test]
fn a_quotation_that_never_closes_loses_no_row() {
    let inch = "Note,Name,MAC Address,IP Address,Type\nok,tv-1,00:1d:25:30:00:01,10.7.1.1,Smart TV\n\"24 inch,tv-2,00:1d:25:30:00:02,10.7.1.2,Smart TV\nok,tv-3,00:1d:25:30:00:03,10.7.1.3,Smart TV\n";
    let found = all(&[("list", inch)]);
    assert_eq!((found.iot, found.ledger.rows), (3, 3));
    assert!(found.files[0].notes.iter().any(|n| n.contains("line 3")), "{:?}", found.files[0].notes);
    let two = inch.replace("ok,tv-3", "\"27 inch,tv-3");
    assert_eq!(count(&two), (0, 3));
    // A comma within the mark leaves no way to tell the cells apart.
    let refused =
        try_all(&[("list.csv", &inch.replace("24 inch", "24 inch, black"))]).unwrap_err().to_string();
    assert!(refused.contains("line 3 of list.csv"), "{refused}");
}

#[test]
fn values_that_many_machines_have_tie_nothing() {
    let tills = "Device name,Wi-Fi MAC,IP Address,Device type,OS,Serial\ntill-1,02:00:00:00:00:00,10.6.0.11,POS terminal,Android 11,SN1\ntill-2,02:00:00:00:00:00,10.6.0.12,POS terminal,Android 11,SN2\n";
    assert_eq!(count(tills), (0, 2));
    let ids = "Device ID,Name,IP Address,Type\n0,cam-1,10.0.0.1,Camera\n0,cam-2,10.0.0.2,Camera\nTBD,cam-3,10.0.0.3,Camera\nTBD,cam-4,10.0.0.4,Camera\n00000000-0000-0000-0000-000000000000,cam-5,10.0.0.5,Camera\n00000000-0000-0000-0000-000000000000,cam-6,10.0.0.6,Camera\n";
    assert_eq!(count(ids), (0, 6));
    // The MAC of a dock is in no list of placeholders; the machines that share it tell.
    let machine = |n: u8| {
        format!(
            r#"{{"id":"m{n}","computerDnsName":"nb-{n}","onboardingStatus":"Onboarded","lastIpAddress":"10.6.1.{n}","lastSeen":"2026-11-28T10:00:00Z","ipAddresses":[{{"ipAddress":"10.6.1.{n}","macAddress":"3C528240000{n}"}},{{"ipAddress":null,"macAddress":"00E04C680123"}}]}}"#
        )
    };
    let machines = format!("[{},{},{}]", machine(1), machine(2), machine(3));
    let kiosks = "Name,MAC 1,MAC 2,IP Address,Type\nkiosk-1,00:1d:25:60:00:01,00:e0:4c:68:01:23,10.6.2.1,Kiosk\nkiosk-2,00:1d:25:60:00:02,00:e0:4c:68:01:23,10.6.2.2,Kiosk\n";
    let found = all(&[("machines.json", &machines), ("kiosks.csv", kiosks)]);
    assert_eq!((found.iot, found.ledger.merged), (2, 0), "{:?}", found.rows);
    assert_eq!(found.untied[0].value, "00:e0:4c:68:01:23");
}

#[test]
fn states_of_every_product_are_weighed_and_unknown_ones_told() {
    let raw = |installed: &[&str], operational: &[&str]| {
        let row = |(n, (i, o)): (usize, (&&str, &&str))| {
            format!("s{n},cmdb_ci_ip_switch,00:1c:0e:40:00:{n:02x},10.5.0.{n},{i},{o}\n")
        };
        let rows: String = installed.iter().zip(operational).enumerate().map(row).collect();
        format!("name,sys_class_name,mac_address,ip_address,install_status,operational_status\n{rows}")
    };
    assert_eq!(
        count(&raw(&["1", "7", "6", "8", "100", "3", "1"], &["1", "6", "2", "6", "6", "1", "6"])),
        (2, 0)
    );
    let labels = raw(
        &["Installed", "Retired", "In Stock", "On Order", "Pending Install", "Installed", "Installed"],
        &["Operational", "Retired", "Ready", "Ready", "Ready", "Retired", "Being Decommissioned"],
    );
    assert_eq!(count(&labels), (2, 0));
    let found = all(&[("list", &cameras("Status", &["Active", "Planned", "Verliehen", "Non-active"]))]);
    assert_eq!(found.iot, 2);
    assert_eq!(found.files[0].not_understood[0].text, "Verliehen");
    assert_eq!(found.files[0].states.len(), 4);
}

#[test]
fn several_columns_of_macs_belong_to_one_device_but_not_those_of_others() {
    let wired = "Asset Tag,Name,MAC Address (Wired),MAC Address (Wireless),IP Address,Category\nA1,tv-1,00:1d:25:50:00:01,00:1d:25:50:01:01,10.4.0.11,Smart TV\n";
    let client = r#"[{"id":"k1","mac":"00:1d:25:50:01:01","ip":"10.4.9.41","description":"tv-1","deviceTypePrediction":"Smart TV","lastSeen":"2026-11-28T08:00:00Z"}]"#;
    assert_eq!(all(&[("a.csv", wired), ("b.json", client)]).iot, 1);
    let clients = "Client,MAC Address,AP MAC,Type\nc1,00:40:8c:00:00:01,00:1c:0e:00:00:09,Camera\nc2,00:40:8c:00:00:02,00:1c:0e:00:00:09,Camera\n";
    assert_eq!(count(clients), (0, 2));
    let unnamed = clients.replace("AP MAC", "Seen at");
    let found = all(&[("list", &unnamed)]);
    assert_eq!(found.iot, 2);
    assert!(found.files[0].notes[0].contains("'Seen at'"), "{:?}", found.files[0].notes);
}

#[test]
fn rows_of_one_list_with_one_private_address_are_as_many_devices_as_it_says() {
    let branches = "name,sys_class_name,ip_address,serial_number,location\nrtr-bern,cmdb_ci_ip_router,192.168.1.1,FTX00A,Bern\nrtr-graz,cmdb_ci_ip_router,192.168.1.1,FTX10A,Graz\nrtr-lyon,cmdb_ci_ip_router,192.168.1.1,FTX20A,Lyon\n";
    assert_eq!(count(branches), (3, 0));
    // A list without serial numbers may mean any of them.
    let other = "name,type,ip\nrouter,Router,192.168.1.1\n";
    let found = all(&[("a.csv", branches), ("b.csv", other)]);
    assert_eq!((found.network, found.at_least), (3, true));
    // Rows of one site that nothing tells apart are one device.
    let plain = "type,ip,site\nRouter,192.168.1.1,Bern\nRouter,192.168.1.1,Bern\nGateway,192.168.1.1,Bern\nRouter,192.168.1.1,Graz\n";
    assert_eq!(count(plain), (2, 0));
    // One that names the site means that one.
    let at_site = "name,type,ip,site\nrouter,Router,192.168.1.1,Graz\n";
    let found = all(&[("a.csv", branches), ("b.csv", at_site)]);
    assert_eq!((found.network, found.ledger.merged, found.at_least), (3, 1, false));
}

#[test]
fn the_exports_of_products_are_read_as_they_come() {
    let portal = "Device ID,Device Name,Device Category,Device Type,Device Subtype,Last device update,OS Platform,Device IPs,Device MACs,Exposure Level,Health Status,Onboarding Status,Managed By,Vendor,Model\na1,nb-7,ComputersAndMobile,Workstation,,2026-11-28T07:00:00.000Z,Windows11,10.3.0.7,3C-52-82-60-00-07,,Active,Onboarded,,,\nb1,core-sw,NetworkDevice,Switch,,2026-11-28T07:00:00.000Z,IOS XE,10.3.0.2,00-1C-0E-60-00-02,,,Unsupported,,Cisco,C9300\nc1,cam-1,IoT,Camera,,2026-11-28T07:00:00.000Z,,10.3.0.31,00-40-8C-60-00-01,,,Unsupported,,Axis,\nd1,cam-2,IoT,Camera,,2026-08-01T07:00:00.000Z,,10.3.0.32,00-40-8C-60-00-02,,,Unsupported,,Axis,\n";
    let found = all(&[("devices.csv", portal)]);
    assert_eq!((found.network, found.iot), (1, 1));
    assert_eq!(found.files[0].product, Some("Microsoft Defender portal"));
    let glpi = "\"Name\";\"Entity\";\"Status\";\"Type\";\"Networking - MAC address\";\"Networking - IP\";\"Last inventory date\"\n\"sw-1\";\"Root > Siège\";\"En service\";\"Switch\";\"00:1c:0e:90:00:01\n00:1c:0e:90:00:02\";\"10.2.0.2\nfe80::1\";\"2026-11-28 04:00\"\n\"cam\";\"Root\";\"En stock\";\"Caméra\";\"00408C900002\";\"10.2.0.42\";\"2026-11-28 04:00\"\n";
    assert_eq!(count(glpi), (1, 0));
    let unifi = r#"{"meta":{"rc":"ok"},"data":[{"_id":"1","mac":"00:1d:25:b1:00:01","hostname":"axis-01","oui":"Axis","ip":"10.21.0.11","is_wired":false,"last_seen":1795848000,"dev_cat_name":"Camera","type":"Camera"},{"_id":"2","mac":"00:40:8c:b1:00:02","hostname":"axis-02","ip":"10.21.0.12","is_wired":true,"last_seen":1700000000,"type":"Camera"}]}"#;
    let found = all(&[("sta.json", unifi)]);
    assert_eq!((found.iot, found.excluded["X-IDLE"], found.files[0].kind), (1, 1, FileKind::Cmdb));
    let netbox = r#"{"count":2,"results":[{"id":1,"name":"sw-1","role":{"name":"Access Switch"},"device_type":{"model":"C9300"},"status":{"value":"active"},"primary_ip4":{"address":"10.23.0.1/24"}},{"id":2,"name":"sw-2","role":{"name":"Access Switch"},"status":{"value":"decommissioning"},"primary_ip4":{"address":"10.23.0.2/24"}}]}"#;
    assert_eq!(count(netbox), (1, 0));
    let kea = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n10.0.0.5,00:40:8c:00:00:01,,3600,1795910400,1,0,0,axis-1,0\n10.0.0.6,00:40:8c:00:00:02,,3600,1700000000,1,0,0,axis-2,2\n";
    let found = all(&[("kea.csv", kea)]);
    assert_eq!((found.iot, found.excluded["X-IDLE"]), (1, 1), "{:?}", found.rows);
    let windows = "IPAddress,ScopeId,ClientId,HostName,AddressState,LeaseExpiryTime\n10.0.0.5,10.0.0.0,00-40-8c-00-00-01,axis-1,Active,12/6/2026 9:00:00 AM\n";
    assert_eq!(count(windows), (0, 1));
    let ise = r#"{"SearchResult":{"total":1,"resources":[{"id":"x","name":"00:40:8C:00:00:01","description":"cam"}]}}"#;
    assert_eq!(count(ise), (0, 1));
}

#[test]
fn our_own_exports_come_to_the_same_count() {
    let own = r#"{"id":"aa01","zone":"demo","mac":"58:ac:78:00:00:01","ip":"10.20.0.2","couplings":[{"mac":"58:ac:78:00:00:01","ip":"10.20.0.2"}],"category":"network","type":"switch","vendor":"Cisco","name":"core","last_seen":"2026-11-28T00:00:00Z","verdict":"C-NET"}
{"id":"aa02","zone":"demo","mac":"3c:52:82:00:00:02","ip":"10.20.0.3","category":"iot","type":"badge_reader","name":"door","last_seen":"2026-11-28T00:00:00Z","verdict":"C-IOT"}
{"id":"aa03","zone":"lab","mac":"3c:52:82:00:00:02","ip":"10.20.0.3","category":"iot","type":"badge_reader","name":"door","last_seen":"2026-11-28T00:00:00Z","verdict":"C-IOT"}
{"id":"aa04","zone":"demo","mac":"00:40:8c:00:00:03","ip":"10.20.0.4","category":"iot","type":"camera","name":"old","last_seen":"2026-01-01T00:00:00Z","verdict":"X-IDLE"}
{"id":"aa05","zone":"demo","mac":"00:40:8c:00:00:05","ip":"10.20.0.5","category":"iot","type":"camera","name":"gone","last_seen":"2026-11-28T00:00:00Z","verdict":"X-DEL"}
{"id":"aa06","zone":"demo","mac":"00:40:8c:00:00:06","ip":"10.20.0.6","category":"iot","type":"camera","name":"kept","last_seen":"2026-11-28T00:00:00Z","verdict":"X-MANAGED"}
"#;
    let found = all(&[("devices.ndjson", own)]);
    assert_eq!((found.network, found.iot, found.managed.iot), (1, 2, 1));
    assert_eq!(found.files[0].product, Some("netcensus"));
}

#[test]
fn a_table_that_is_put_together_or_shifted_says_so() {
    let list = "Name,MAC,Type\na,00:40:8c:00:00:01,Camera\nName,MAC,Type\nb,00:40:8c:00:00:02,Camera\nType,IP Address,MAC,Name\nCamera,10.0.0.3,00:40:8c:00:00:03,c\n";
    let found = all(&[("list", list)]);
    assert_eq!((found.iot, found.ledger.rows), (3, 3));
    assert_eq!(found.files[0].notes.len(), 2);
    let shifted = "Name,MAC,Type,Note\ncam, hall,00:40:8c:00:00:01,Camera,x\nb,00:40:8c:00:00:02,Camera,x\n";
    let found = all(&[("list", shifted)]);
    assert_eq!((found.iot, found.ledger.unreadable, found.at_least), (1, 1, true));
    let twice = "Name,MAC,Type,Vendor,Vendor\na,00:40:8c:00:00:01,Camera,Axis,Bosch\n";
    assert!(all(&[("list", twice)]).files[0].notes[0].contains("several columns are called 'Vendor'"));
}

#[test]
fn members_of_other_devices_and_unknown_wrappings_lead_nowhere() {
    let device = |n: u8| {
        format!(
            r#"{{"mac":"00:1c:0e:00:00:0{n}","name":"sw-{n}","type":"usw","ip":"10.0.0.{n}","downlink_table":[{{"mac":"00:1c:0e:00:00:01"}}],"port_table":[{{"last_connection":{{"mac":"00:1c:0e:00:00:01"}},"mac_table":[{{"mac":"00:1c:0e:00:00:02"}}]}}]}}"#
        )
    };
    let list = format!("[{},{},{}]", device(1), device(2), device(3));
    assert_eq!(count(&list), (3, 0));
    assert_eq!(count(&format!(r#"{{"networkDevices":{list}}}"#)), (3, 0));
    let clients = r#"{"clients":[{"macaddr":"3c:52:82:00:00:01","ip_address":"10.0.0.1","client_type":"WIRELESS","os_type":"Win 10","name":"nb"},{"macaddr":"00:40:8c:00:00:02","ip_address":"10.0.0.2","client_type":"WIRELESS","device_type":"Camera"}]}"#;
    assert_eq!(count(clients), (0, 1));
    let aps = r#"{"aps":[{"macaddr":"00:1c:0e:00:00:01","ip_address":"10.0.0.1","model":"515","status":"Up","name":"ap-1"}]}"#;
    assert_eq!(count(aps), (1, 0));
    let assets = r#"[{"name":"ap","serial":"Q2HP-ABCD-EFGH","mac":"00:1c:0e:00:00:01","category":"Access point"},{"name":"nb","mac":"00:1c:0e:00:00:02","category":"Laptop"},{"name":"cam","mac":"00:40:8c:00:00:03","category":"Camera","status":"Retired"}]"#;
    assert_eq!(count(assets), (1, 0));
    let objects = r#"{"results":[{"id":7,"name":"fw","platform":{"id":1,"name":"Cisco IOS-XE"},"primary_ip4":{"id":9,"address":"10.0.0.1/24"}},{"id":8,"name":"sw","platform":{"id":1,"name":"Cisco IOS-XE"},"primary_ip4":{"id":10,"address":"10.0.0.2/24"}}]}"#;
    assert_eq!(count(objects), (2, 0));
}

#[test]
fn dates_and_states_under_names_that_no_list_has_are_known_by_their_cells() {
    for column in ["Last heard", "Last Polled", "Letzter Scan", "lastSeenTimestamp", "Dernier contact"] {
        assert_eq!(
            count(&cameras(column, &["2026-11-28T10:00:00", "2025-01-05T09:30:00"])),
            (0, 1),
            "{column}"
        );
    }
    assert_eq!(count(&cameras("InactiveDays", &["3", "200"])), (0, 1));
    for column in ["Last modified", "First seen", "Last boot", "Purchase date", "Age"] {
        assert_eq!(count(&cameras(column, &["2026-11-28", "2025-01-05"])), (0, 2), "{column}");
    }
    for column in ["CI Status", "Life Cycle Stage Status", "Gerätestatus", "Device State"] {
        assert_eq!(count(&cameras(column, &["Active", "Retired"])), (0, 1), "{column}");
    }
    assert_eq!(count(&cameras("Is Active", &["Yes", "No"])), (0, 1));
    assert_eq!(count(&cameras("Disposal Date", &["", "2025-03-01"])), (0, 1));
    assert_eq!(
        count(&cameras("Status", &["Ready to Deploy (deployed)", "Ready to Deploy (deployable)"])),
        (0, 1)
    );
}

#[test]
fn ids_hold_within_their_list_and_addresses_between_lists_only_without_contradiction() {
    let list = |site: u8| {
        format!("ID,Name,Type,MAC\n1,a,Camera,00:40:8c:00:0{site}:01\n2,b,Camera,00:40:8c:00:0{site}:02\n")
    };
    assert_eq!(all(&[("ber/devices.csv", &list(1)), ("muc/devices.csv", &list(2))]).iot, 4);
    let cmdb = "Name,Type,IP,Location\ncam,Camera,10.0.0.5,Berlin\n";
    let controller = "Name,Type,IP,MAC,Site\ncam,Camera,10.0.0.5,00:40:8c:00:00:05,BER-HQ\n";
    assert_eq!(all(&[("a.csv", cmdb), ("b.csv", controller)]).iot, 1, "two names of one site");
    let routers = "Name,Type,IP\nbranch1,Router,192.168.1.1\nbranch2,Router,192.168.1.1\n";
    assert_eq!(count(routers), (2, 0));
    let home = r#"[{"id":"m1","computerDnsName":"nb","osPlatform":"Windows11","onboardingStatus":"Onboarded","lastIpAddress":"192.168.1.1","lastSeen":"2026-11-28T10:00:00Z"}]"#;
    let found = all(&[("a.csv", "Name,Type,IP\nbranch,Router,192.168.1.1\n"), ("m.json", home)]);
    assert_eq!(found.network, 1, "a notebook at home is not the router of a branch: {:?}", found.rows);
}

#[test]
fn nothing_is_never_a_commitment() {
    let found = all(&[("list", "Name,MAC,Type\npc,00:40:8c:00:00:01,Laptop\n")]);
    assert_eq!((found.billable, found.commitment), (0, None));
    assert!(found.advice().starts_with("No device counts"));
}
