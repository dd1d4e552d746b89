//! The count and the list of devices as the API shows them.

use netcensus::plan::app::inventory::CountAt;
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::databases::Backend::Sqlite;
use crate::support::databases::on_each_database;
use crate::support::{Plan, START, Seen, assert_has, send, upload};

on_each_database! {
    a_commitment_is_the_billable_number_rounded_up_and_the_excess_is_shown,
    the_inventory_has_the_numbers_of_the_census,
    a_sensor_that_fell_silent_does_not_keep_its_devices_counted,
    a_census_can_be_asked_as_of_an_earlier_time,
    devices_are_listed_by_category_verdict_and_search,
    the_pages_of_a_list_are_the_whole_list_in_its_order,
    a_device_tells_which_rule_decided_its_verdict_and_what_proves_its_address,
    an_address_is_explained_by_the_devices_that_have_it,
    metrics_count_uploads_and_devices_and_name_no_addresses,
    monitoring_and_generators_find_health_readiness_and_the_description_of_the_api,
}

const MAC: &str = "00:40:8c:00:00:01";

async fn a_commitment_is_the_billable_number_rounded_up_and_the_excess_is_shown(plan: Plan) {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    let seen = Seen::default().many("network", 0, 50).many("iot", 50, 51);
    let seen = seen.many("computer_mobile", 101, 30).many("what", 131, 20);
    seen.send(&plan, &sensor, 1, "default").await;
    let census = plan.get("/census").await;
    insta::assert_json_snapshot!("census_over_the_commitment", census);
}

async fn the_inventory_has_the_numbers_of_the_census(plan: Plan) {
    let sensor = plan.ready().await;
    let seen = Seen::default().many("network", 0, 2).many("iot", 2, 3).many("computer_mobile", 5, 1);
    seen.send(&plan, &sensor, 1, "default").await;
    let (census, inventory) = (plan.get("/census").await, plan.get("/inventory").await);
    assert_eq!(inventory["schema"], "netcensus.inventory/1");
    for key in ["network", "iot", "billable", "commitment", "strict_couplings", "excluded"] {
        assert_eq!(inventory["census"][key], census[key], "{key}");
    }
    assert_eq!(inventory["capture"]["frames"], 10);
}

async fn a_sensor_that_fell_silent_does_not_keep_its_devices_counted(plan: Plan) {
    let sensor = plan.ready().await;
    Seen::default().arp(MAC, "10.0.0.1", "iot-x").send(&plan, &sensor, 1, "default").await;
    plan.set_time("2026-12-22T09:00:00Z");
    assert_eq!(plan.get("/census").await["iot"], 1);
    plan.set_time("2026-12-22T09:01:00Z");
    assert_eq!(plan.get("/census").await["excluded"], json!({"X-IDLE": 1}));
}

async fn a_census_can_be_asked_as_of_an_earlier_time(plan: Plan) {
    let sensor = plan.ready().await;
    Seen::default().arp(MAC, "10.0.0.1", "iot-x").send(&plan, &sensor, 1, "default").await;
    plan.set_time("2026-12-22T09:01:00Z");
    let on_time = plan.get("/census?as_of=2026-12-22T09:00:00Z").await;
    assert_has(&on_time, json!({"iot": 1, "as_of": "2026-12-22T09:00:00Z"}));
    assert_eq!(plan.get("/census?as_of=2026-12-22T09:00:00.001Z").await["iot"], 0);
    plan.try_get("/census?as_of=noon").await.fails(400, "invalid-request");
}

#[tokio::test]
async fn a_replayed_capture_is_counted_at_its_newest_frame_but_never_in_the_future() {
    let plan = Plan::start_counting(Sqlite, CountAt::NewestFrame).await;
    let sensor = plan.ready().await;
    let old = [(MAC, "10.0.0.1", "iot-x", "2020-01-01T00:00:00Z")];
    plan.upload(&sensor, &upload(1, "default", &old)).await.succeeds(201);
    assert_has(&plan.get("/census").await, json!({"iot": 1, "as_of": "2020-01-01T00:00:00Z"}));
    let ahead = [("00:40:8c:00:00:02", "10.0.0.2", "iot-y", "2031-01-01T00:00:00Z")];
    plan.upload(&sensor, &upload(2, "default", &ahead)).await.succeeds(201);
    assert_eq!(plan.get("/census").await["as_of"], START);
}

/// 25 devices: the first 7 are of the network, the others cameras.
async fn with_devices(plan: &Plan) {
    let sensor = plan.ready().await;
    let device = |seen: Seen, n: u32| {
        let name = if n < 7 { "network-core" } else { "iot-camera" };
        seen.arp(&format!("00:40:8c:00:00:{n:02x}"), &format!("10.0.0.{}", n + 1), name)
    };
    (0..25).fold(Seen::default(), device).send(plan, &sensor, 1, "default").await;
}

async fn devices_are_listed_by_category_verdict_and_search(plan: Plan) {
    with_devices(&plan).await;
    assert_eq!(plan.get("/devices?category=network").await["total"], 7);
    assert_eq!(plan.get("/devices?verdict=C-IOT").await["total"], 18);
    assert_eq!(plan.get("/devices?q=CAMERA%2010.0.0.25").await["total"], 1);
    plan.try_get("/devices?category=toaster").await.fails(400, "invalid-request");
}

async fn the_pages_of_a_list_are_the_whole_list_in_its_order(plan: Plan) {
    with_devices(&plan).await;
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let page = plan.get(&format!("/devices?limit=10{after}")).await;
        ids.extend(each(&page["devices"], "id"));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(ids, each(&plan.get("/devices?limit=1000").await["devices"], "id"));
    assert_eq!(ids.len(), 25);
}

async fn first_device(plan: &Plan) -> String {
    plan.get("/devices?limit=1").await["devices"][0]["id"].as_str().unwrap().to_owned()
}

async fn a_device_tells_which_rule_decided_its_verdict_and_what_proves_its_address(plan: Plan) {
    with_devices(&plan).await;
    let id = first_device(&plan).await;
    assert_eq!(plan.get(&format!("/devices/{id}")).await["ip"], "10.0.0.1");
    let why = plan.get(&format!("/devices/{id}/why")).await;
    let ladder = why["ladder"].as_array().unwrap();
    let decided: Vec<&Value> = ladder.iter().filter(|rung| rung["outcome"] == "decided").collect();
    assert_eq!(decided.len(), 1);
    assert_eq!(decided[0]["rule"], "C-NET");
    let sign = "asked for others by ARP";
    assert_has(&why["couplings"][0], json!({"signs": [sign], "proof": {"by": sign}}));
    plan.try_get("/devices/nope/why").await.fails(404, "not-found");
}

async fn an_address_is_explained_by_the_devices_that_have_it(plan: Plan) {
    with_devices(&plan).await;
    let why = plan.get(&format!("/devices/{}/why", first_device(&plan).await)).await;
    let mac = why["device"]["mac"].as_str().unwrap();
    let explained = plan.get(&format!("/explain?subject={mac}")).await;
    assert_eq!(explained["schema"], "netcensus.explanation/1");
    assert_eq!(explained["devices"][0], why);
    for (subject, status) in [("192.0.2.99", 404), ("nonsense", 400)] {
        let answer = plan.try_get(&format!("/explain?subject={subject}")).await;
        assert_eq!(answer.status, status, "{subject}");
    }
}

async fn text(plan: &Plan, path: &str) -> String {
    plan.client.get(format!("{}{path}", plan.url)).send().await.unwrap().text().await.unwrap()
}

async fn metrics_count_uploads_and_devices_and_name_no_addresses(plan: Plan) {
    let sensor = plan.ready().await;
    Seen::default().arp(MAC, "10.0.0.1", "iot-x").send(&plan, &sensor, 1, "default").await;
    plan.get("/census").await;
    let metrics = text(&plan, "/metrics").await;
    assert!(metrics.contains("netcensus_plan_uploads_total{result=\"stored\"} 1"), "{metrics}");
    assert!(metrics.contains("verdict=\"C-IOT\"} 1"), "{metrics}");
    assert!(!metrics.contains("10.0.0.1") && !metrics.contains("00:40:8c"), "{metrics}");
}

async fn monitoring_and_generators_find_health_readiness_and_the_description_of_the_api(plan: Plan) {
    assert_eq!(text(&plan, "/healthz").await, "ok\n");
    assert_eq!(text(&plan, "/readyz").await, "ok\n");
    let openapi: Value = serde_json::from_str(&text(&plan, "/openapi.json").await).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(openapi["paths"]["/api/v1/subscriptions/{sid}/devices/{id}/why"]["get"].is_object());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let plan = Plan::start().await;
    send(plan.client.get(format!("{}/api/v1/nothing", plan.url))).await.fails(404, "not-found");
    let answer = send(plan.client.delete(plan.of("/plan")).bearer_auth(&plan.token)).await;
    answer.fails(405, "method-not-allowed");
}
