//! The test vectors about counts (docs/rules.md): facts go in as a sensor uploads them, numbers come out of the API.

use netcensus::census::{Field, Sign};
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::databases::on_each_database;
use crate::support::seen::{ip_of, mac_of};
use crate::support::{Plan, START, Seen, TestSensor, assert_has};

on_each_database! {
    for_1679_billable_devices_1700_are_committed,
    for_1679_devices_of_which_500_are_managed_1200_are_committed,
    an_entry_that_names_only_an_ip_address_holds_for_30_days,
    the_same_coupling_from_two_sensors_of_one_zone_is_one_device_and_of_two_zones_two,
    a_card_with_two_addresses_at_once_is_two_devices,
    a_card_whose_lease_moved_is_one,
    a_router_with_eight_addresses_is_one_device,
    what_answers_arp_for_others_is_one_device,
    a_public_address_that_is_proven_on_the_link_is_a_device_like_others,
    one_address_on_two_cards_is_two_couplings_and_a_finding,
    a_card_with_one_ipv4_and_four_ipv6_addresses_is_one_device,
    twenty_three_thousand_addresses_behind_a_router_are_the_router_alone,
    groups_broadcasts_and_strangers_are_no_devices,
    two_routers_with_one_virtual_address_are_two_devices,
    thirty_days_of_silence_count_and_a_second_more_does_not,
    a_switch_that_speaks_lldp_alone_is_one_network_device,
    a_deleted_device_is_not_counted_and_says_when_it_returns,
    a_deleted_device_returns_with_a_frame_newer_than_its_deletion_and_no_older_one,
    uploads_twice_swapped_and_late_give_the_same_inventory_whatever_people_decided,
}

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";
const C: &str = "00:40:8c:00:00:0c";
const ROUTER: &str = "00:1b:d4:00:00:01";

/// Uploads what a new sensor saw; gives the number of devices and of billable ones.
async fn counted(plan: &Plan, seen: Seen) -> (u64, u64) {
    let sensor = plan.ready().await;
    seen.send(plan, &sensor, 1, "default").await;
    let census = plan.get("/census").await;
    (census["devices"].as_u64().unwrap(), census["billable"].as_u64().unwrap())
}

/// 473 devices of the network, 1206 of IoT, 321 computers.
async fn with_1679_billable_devices(plan: &Plan) {
    let sensor = plan.ready().await;
    let seen = Seen::default().many("network", 0, 473).many("iot", 473, 1_206);
    seen.many("computer_mobile", 1_679, 321).send(plan, &sensor, 1, "default").await;
}

/// A managed list of 500 billable devices and 50 computers, half by MAC address and half by IP address.
fn managed_list() -> Value {
    let entry = |host: u32| match host % 2 {
        0 => json!({"external_id": format!("m{host}"), "mac": mac_of(host)}),
        _ => json!({"external_id": format!("m{host}"), "ip": ip_of(host)}),
    };
    let entries: Vec<Value> = (400..900).chain(1_700..1_750).map(entry).collect();
    json!({"source": "defender", "entries": entries})
}

async fn for_1679_billable_devices_1700_are_committed(plan: Plan) {
    with_1679_billable_devices(&plan).await;
    let census = plan.get("/census").await;
    assert_has(&census, json!({"network": 473, "iot": 1_206, "billable": 1_679, "commitment": 1_700}));
    assert_eq!(census["excluded"], json!({"X-CM": 321}));
}

async fn for_1679_devices_of_which_500_are_managed_1200_are_committed(plan: Plan) {
    with_1679_billable_devices(&plan).await;
    let tried = plan.post("/managed/import?dry_run=true", managed_list()).await.succeeds(200);
    assert_eq!(tried["dry_run"], true);
    assert_eq!(tried["count"], json!({"before": 1_679, "after": 1_179, "delta": -500}));
    assert_eq!(plan.get("/census").await["billable"], 1_679, "a dry run stores nothing");
    let done = plan.post("/managed/import", managed_list()).await.succeeds(200);
    assert_has(&done, json!({"count": {"delta": -500}, "altered_total": 550}));
    let census = plan.get("/census").await;
    assert_has(&census, json!({"billable": 1_179, "commitment": 1_200}));
    // Computers on the list stay X-CM: that rule comes first.
    assert_eq!(census["excluded"], json!({"X-CM": 321, "X-MANAGED": 500}));
    assert_eq!(plan.get("/devices?managed=true&limit=1").await["total"], 550);
}

async fn an_entry_that_names_only_an_ip_address_holds_for_30_days(plan: Plan) {
    with_1679_billable_devices(&plan).await;
    plan.post("/managed/import", managed_list()).await.succeeds(200);
    plan.set_time("2026-12-22T08:59:59Z");
    for (as_of, managed) in [("2026-12-22T08:59:59Z", 500), ("2026-12-22T09:00:00Z", 250)] {
        let census = plan.get(&format!("/census?as_of={as_of}")).await;
        assert_eq!(census["excluded"]["X-MANAGED"], managed, "{as_of}");
    }
}

async fn the_same_coupling_from_two_sensors_of_one_zone_is_one_device_and_of_two_zones_two(plan: Plan) {
    let first = plan.ready().await;
    let second = plan.enrol().await;
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a");
    seen.clone().send(&plan, &first, 1, "hq").await;
    seen.clone().send(&plan, &second, 1, "hq").await;
    assert_eq!(plan.get("/census").await["billable"], 1);
    seen.send(&plan, &second, 2, "branch").await;
    assert_eq!(plan.get("/census").await["billable"], 2);
    let zones = plan.get("/zones").await;
    let of = |i: usize, member: &str| zones["zones"][i][member].clone();
    assert_eq!(
        [of(0, "name"), of(0, "billable"), of(1, "name"), of(1, "devices")],
        [json!("branch"), json!(1), json!("hq"), json!(1)]
    );
}

async fn a_card_with_two_addresses_at_once_is_two_devices(plan: Plan) {
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(A, "10.0.0.2", "iot-b");
    assert_eq!(counted(&plan, seen).await, (2, 2));
}

async fn a_card_whose_lease_moved_is_one(plan: Plan) {
    let seen = Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::DhcpAck, "2026-11-22T08:00:00Z").sign(
        A,
        "10.0.0.2",
        "iot-a",
        Sign::DhcpAck,
        "2026-11-22T08:30:00Z",
    );
    assert_eq!(counted(&plan, seen).await, (1, 1));
}

async fn a_router_with_eight_addresses_is_one_device(plan: Plan) {
    let seen = (1..=8).fold(Seen::default(), |seen, n| seen.arp(ROUTER, &format!("10.0.{n}.1"), "network-r"));
    assert_eq!(counted(&plan, seen.station(ROUTER, Field::RouterProtocol, "ospf")).await, (1, 1));
}

async fn what_answers_arp_for_others_is_one_device(plan: Plan) {
    let seen = (2..9).fold(Seen::default().arp(A, "10.0.0.1", "network-a"), |seen, n| {
        seen.sign(A, &format!("10.0.0.{n}"), "", Sign::ArpAnswered, START)
    });
    assert_eq!(counted(&plan, seen).await, (1, 1));
}

async fn a_public_address_that_is_proven_on_the_link_is_a_device_like_others(plan: Plan) {
    assert_eq!(counted(&plan, Seen::default().arp(A, "8.8.8.8", "iot-a")).await, (1, 1));
}

async fn one_address_on_two_cards_is_two_couplings_and_a_finding(plan: Plan) {
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.1", "iot-b");
    assert_eq!(counted(&plan, seen).await, (2, 2));
    let inventory = plan.get("/inventory").await;
    assert_eq!(inventory["findings"][0]["kind"], "address_conflict");
    assert_eq!(inventory["findings"][0]["macs"], json!([A, B]));
}

async fn a_card_with_one_ipv4_and_four_ipv6_addresses_is_one_device(plan: Plan) {
    let addresses = ["10.0.0.1", "fe80::1", "2001:db8::a", "2001:db8::b", "2001:db8::c"];
    let seen = addresses.iter().fold(Seen::default(), |seen, ip| seen.arp(A, ip, "iot-a"));
    assert_eq!(counted(&plan, seen).await, (1, 1));
}

async fn twenty_three_thousand_addresses_behind_a_router_are_the_router_alone(plan: Plan) {
    let mut seen = Seen::default().arp(ROUTER, "10.0.0.1", "network-r").mask("10.0.0.0", 24);
    for n in 0..20_000_u32 {
        let [_, _, c, d] = n.to_be_bytes();
        seen = seen.sign(ROUTER, &format!("9.9.{c}.{d}"), "", Sign::Sourced, START);
    }
    for n in 0..3_000_u32 {
        let [_, _, c, d] = n.to_be_bytes();
        seen = seen.sign(ROUTER, &format!("172.20.{c}.{d}"), "", Sign::Far, START);
    }
    assert_eq!(counted(&plan, seen).await, (1, 1));
    let census = plan.get("/census").await;
    assert_eq!(census["excluded"], json!({"X-PUB": 20_000, "X-ROUTED": 3_000}));
    assert_eq!(census["strict_couplings"], 23_001);
}

async fn groups_broadcasts_and_strangers_are_no_devices(plan: Plan) {
    let seen = Seen::default()
        .sign(A, "224.0.0.251", "", Sign::Sourced, START)
        .sign(A, "239.255.255.250", "", Sign::Sourced, START)
        .sign(A, "ff02::fb", "", Sign::Sourced, START)
        .sign(A, "255.255.255.255", "", Sign::Sourced, START)
        .sign(A, "10.0.0.255", "", Sign::Sourced, START)
        .sign(A, "8.8.8.8", "", Sign::Sourced, START)
        .mask("10.0.0.0", 24);
    assert_eq!(counted(&plan, seen).await, (0, 0));
}

async fn two_routers_with_one_virtual_address_are_two_devices(plan: Plan) {
    let seen = Seen::default()
        .arp(A, "10.0.0.2", "network-a")
        .arp(B, "10.0.0.3", "network-b")
        .arp("00:00:5e:00:01:07", "10.0.0.1", "")
        .station(A, Field::RouterProtocol, "vrrp")
        .station(B, Field::RouterProtocol, "vrrp");
    assert_eq!(counted(&plan, seen).await, (2, 2));
    assert_eq!(plan.get("/census").await["excluded"], json!({"X-VIRT": 1}));
}

async fn thirty_days_of_silence_count_and_a_second_more_does_not(plan: Plan) {
    assert_eq!(counted(&plan, Seen::default().arp(A, "10.0.0.1", "iot-a")).await, (1, 1));
    assert_eq!(plan.get("/census?as_of=2026-12-22T09:00:00Z").await["billable"], 1);
    let late = plan.get("/census?as_of=2026-12-22T09:00:01Z").await;
    assert_eq!(late["excluded"], json!({"X-IDLE": 1}));
}

async fn a_switch_that_speaks_lldp_alone_is_one_network_device(plan: Plan) {
    let seen = Seen::default().sign(A, "10.0.0.1", "network-s", Sign::LldpManagement, START);
    assert_eq!(counted(&plan, seen.station(A, Field::LldpSysName, "s")).await, (1, 1));
    assert_eq!(plan.get("/census").await["network"], 1);
}

/// Two IoT devices, of which the first is deleted a day later; gives its id.
async fn with_a_deleted_device(plan: &Plan, sensor: &TestSensor) -> String {
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "iot-b");
    seen.send(plan, sensor, 1, "hq").await;
    plan.set_time("2026-11-23T09:00:00Z");
    let id = plan.get("/devices?q=10.0.0.1").await["devices"][0]["id"].as_str().unwrap().to_owned();
    let gone = plan.post("/devices/edit", json!({"ids": [id], "delete": true})).await.succeeds(200);
    assert_eq!(gone["count"]["delta"], -1);
    id
}

async fn verdict(plan: &Plan, id: &str) -> Value {
    plan.get(&format!("/devices/{id}")).await["verdict"].clone()
}

async fn decision(plan: &Plan, id: &str) -> String {
    plan.get(&format!("/devices/{id}/why")).await["decisions"][0].as_str().unwrap().to_owned()
}

async fn a_deleted_device_is_not_counted_and_says_when_it_returns(plan: Plan) {
    let sensor = plan.ready().await;
    let id = with_a_deleted_device(&plan, &sensor).await;
    assert_eq!(verdict(&plan, &id).await, "X-DEL");
    let said = decision(&plan, &id).await;
    let expected = "deleted by owner at 2026-11-23T09:00:00Z (change 1); it returns with traffic newer";
    assert!(said.starts_with(expected), "{said}");
}

async fn a_deleted_device_returns_with_a_frame_newer_than_its_deletion_and_no_older_one(plan: Plan) {
    let sensor = plan.ready().await;
    let id = with_a_deleted_device(&plan, &sensor).await;
    for (sequence, seen, expected) in [
        (2, "2026-11-03T09:00:00Z", "X-DEL"),
        (3, "2026-11-23T09:00:00Z", "X-DEL"),
        (4, "2026-11-23T09:00:00.000000001Z", "C-IOT"),
    ] {
        let frame = Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::ArpAsked, seen);
        frame.send(&plan, &sensor, sequence, "hq").await;
        assert_eq!(verdict(&plan, &id).await, expected, "{seen}");
    }
    let said = decision(&plan, &id).await;
    assert!(said.ends_with("it returned with traffic since"), "{said}");
    assert_eq!(plan.get("/census").await["billable"], 2);
}

async fn uploads_twice_swapped_and_late_give_the_same_inventory_whatever_people_decided(plan: Plan) {
    let sensor = plan.ready().await;
    let early = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "network-b");
    early.clone().send(&plan, &sensor, 1, "hq").await;
    let devices = plan.get("/devices").await;
    let ids = each(&devices["devices"], "id");
    let merged = plan.post("/devices/merge", json!({"ids": ids})).await.succeeds(200);
    assert_eq!(merged["count"]["delta"], -1);
    let third = Seen::default().sign(C, "10.0.0.3", "iot-c", Sign::ArpAsked, "2026-11-02T09:00:00Z");
    third.clone().send(&plan, &sensor, 3, "hq").await;
    early.clone().send(&plan, &sensor, 2, "hq").await;
    let before = plan.get("/inventory").await;
    assert_eq!(before["devices"].as_array().unwrap().len(), 2);
    third.send(&plan, &sensor, 3, "hq").await;
    early.send(&plan, &sensor, 1, "hq").await;
    let mut after = plan.get("/inventory").await;
    after["capture"] = before["capture"].clone();
    assert_eq!(after, before);
}
