//! The map: the network as seen, in the API and on its page.

use netcensus::census::{Field, Sign};
use serde_json::json;

use crate::support::answers::each;
use crate::support::browser::Browser;
use crate::support::{Plan, START, Seen, assert_has, at};

const ROUTER: &str = "00:40:8c:00:00:01";

/// Two networks that DHCP announced, a router with an address in both, and a device of neither.
fn seen() -> Seen {
    let mut seen = Seen::default()
        .arp(ROUTER, "10.1.0.1", "network-core")
        .arp(ROUTER, "10.2.0.1", "network-core")
        .arp("00:40:8c:00:00:02", "10.1.0.2", "iot-<b>")
        .arp("00:40:8c:00:00:03", "10.1.0.3", "network-edge")
        .arp("00:40:8c:00:00:04", "10.2.0.4", "computer_mobile-pc")
        .arp("00:40:8c:00:00:05", "192.0.2.5", "")
        .station(ROUTER, Field::RouterProtocol, "ospf")
        .mask("10.1.0.0", 24)
        .mask("10.2.0.0", 24);
    for (ip, vlan) in [("10.1.0.2", 10), ("10.2.0.4", 20)] {
        let mac = format!("00:40:8c:00:00:0{}", ip.chars().last().unwrap());
        seen = seen.tagged(&mac, ip, vlan);
    }
    seen
}

async fn with_a_network() -> Plan {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    seen().send(&plan, &sensor, 1, "hq").await;
    plan
}

#[tokio::test]
async fn the_map_groups_devices_by_vlan_and_prefix_and_draws_what_frames_proved() {
    let plan = with_a_network().await;
    let map = plan.get("/map").await;
    let zone = &map["zones"][0];
    assert_eq!((&zone["name"], &zone["devices"]), (&json!("hq"), &json!(5)));
    let find = |vlans: serde_json::Value, prefix: serde_json::Value| {
        let networks = zone["networks"].as_array().unwrap();
        let place = networks.iter().position(|n| n["vlans"] == vlans && n["prefix"] == prefix);
        let place = place.unwrap_or_else(|| panic!("{vlans} {prefix}: {zone}"));
        (place, networks[place].clone())
    };
    let (tagged, network) = find(json!([10]), json!("10.1.0.0/24"));
    assert_has(&network, json!({"known": "sent", "devices": 1, "iot": 1, "counted": 1}));
    let (first, network) = find(json!([]), json!("10.1.0.0/24"));
    assert_has(&network, json!({"devices": 2, "network": 2}));
    assert_eq!(each(&network["gear"], "title"), ["network-edge"]);
    let (_, unknown) = find(json!([]), json!(null));
    assert_has(&unknown, json!({"known": null, "devices": 1, "unclassified": 1}));
    // The router has an address in both prefixes, untagged; nobody showed it in VLAN 10.
    let routers = zone["routers"].as_array().unwrap();
    assert_eq!(routers.len(), 1, "{zone}");
    let of = routers[0]["networks"].as_array().unwrap();
    assert!(of.contains(&json!(first)) && !of.contains(&json!(tagged)), "{zone}");
}

#[tokio::test]
async fn the_page_of_the_map_says_what_it_does_not_know_and_leads_to_the_devices() {
    let plan = with_a_network().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/map").await;
    for part in [
        "VLAN 10 · 10.1.0.0/24",
        "untagged · no prefix known",
        "no frame told a prefix of these addresses",
        "/devices?zone=hq&#38;q=vlan%3A10+ip%3A10.1.0.0%2F24",
        "class=\"line\"",
    ] {
        page.assert(200, part);
    }
    let found = plan.get("/devices?zone=hq&q=vlan%3A10+ip%3A10.1.0.0%2F24").await;
    assert_eq!(found["devices"].as_array().unwrap().len(), 1);
    browser.show("/map?zone=hq").await.assert(200, "All zones");
    browser.show("/map?zone=nowhere").await.assert(404, "nowhere");
    assert_eq!(plan.now(), at(START));
}

#[tokio::test]
async fn the_page_of_many_devices_and_networks_stays_small() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    for zone in 0..12_u32 {
        let seen = (0..420_u32).fold(Seen::default(), |seen, n| {
            let (mac, ip) = (
                format!("02:40:{zone:02x}:00:{:02x}:{:02x}", n / 256, n % 256),
                format!("10.{zone}.{}.{}", n / 20, 1 + n % 20),
            );
            let seen = seen.sign(&mac, &ip, "iot-a-camera-with-a-rather-long-name", Sign::ArpAsked, START);
            seen.tagged(&mac, &ip, u16::try_from(n / 20 + 1).unwrap())
                .mask(&format!("10.{zone}.{}.0", n / 20), 24)
        });
        // A sensor adds to eight zones at most.
        let sensor = if zone < 6 { sensor.clone() } else { plan.enrol().await };
        seen.send(&plan, &sensor, u64::from(zone) + 1, &format!("site {zone}")).await;
    }
    let browser = Browser::sign_in(&plan).await;
    for path in ["/map", "/map?zone=site+3"] {
        let page = browser.show(path).await;
        page.assert(200, "10.3.");
        assert!(page.html.len() <= 150 * 1024, "{path}: {}", page.html.len());
    }
    browser.show("/map").await.assert(200, "11 more networks");
}
