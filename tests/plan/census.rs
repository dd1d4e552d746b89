//! The numbers as the API shows them.

use netcensus::plan::app::inventory::CountAt;
use serde_json::json;

use crate::database::{Backend, on_both_stores};
use crate::harness::{Plan, problem, send, upload};

on_both_stores! {
    async fn a_commitment_is_the_billable_number_rounded_up_and_more_than_committed_is_a_warning(plan: Plan) {
        plan.post("/plan", json!({"kind": "monthly", "devices": 100, "accept_terms": true})).await;
        let sensor = plan.enrol().await;
        let macs: Vec<String> = (0..151).map(|i| format!("00:40:8c:00:00:{i:02x}")).collect();
        let ips: Vec<String> = (0..151).map(|i| format!("10.0.0.{}", i + 1)).collect();
        let name = |i: usize| match i {
            0..50 => "network-x",
            50..101 => "iot-x",
            101..131 => "computer_mobile-x",
            _ => "what",
        };
        let seen: Vec<_> =
            (0..151).map(|i| (macs[i].as_str(), ips[i].as_str(), name(i), "2026-11-22T08:00:00Z")).collect();
        assert_eq!(plan.upload(&sensor, &upload(1, "default", &seen)).await.0, 201);
        let census = plan.get("/census").await;
        assert_eq!((&census["network"], &census["iot"]), (&json!(50), &json!(51)));
        assert_eq!((&census["billable"], &census["commitment"]), (&json!(101), &json!(200)));
        assert_eq!(census["excluded"], json!({"X-CM": 30, "X-UNCL": 20}));
        assert_eq!((&census["committed"], &census["over"]), (&json!(100), &json!(1)));
        let inventory = plan.get("/inventory").await;
        assert_eq!(inventory["schema"], "netcensus.inventory/1");
        for key in ["network", "iot", "billable", "commitment", "strict_couplings", "excluded"] {
            assert_eq!(inventory["census"][key], census[key]);
        }
        assert_eq!(inventory["capture"]["frames"], 10);
    }
}

on_both_stores! {
    async fn a_sensor_that_fell_silent_does_not_keep_its_devices_counted(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let seen = [("00:40:8c:00:00:01", "10.0.0.1", "iot-x", "2026-11-22T09:00:00Z")];
        plan.upload(&sensor, &upload(1, "default", &seen)).await;
        plan.set_time("2026-12-22T09:00:00Z");
        assert_eq!(plan.get("/census").await["iot"], 1);
        plan.set_time("2026-12-22T09:01:00Z");
        assert_eq!(plan.get("/census").await["excluded"], json!({"X-IDLE": 1}));
        let on_time = plan.get("/census?as_of=2026-12-22T09:00:00Z").await;
        assert_eq!((&on_time["iot"], &on_time["as_of"]), (&json!(1), &json!("2026-12-22T09:00:00Z")));
        let late = plan.get("/census?as_of=2026-12-22T09:00:00.001Z").await;
        assert_eq!(late["iot"], 0);
        let answer = send(plan.client.get(plan.of("/census?as_of=noon")).bearer_auth(&plan.token)).await;
        assert_eq!(problem(&answer), (400, "invalid-request"));
    }
}

#[tokio::test]
async fn a_replayed_capture_is_counted_at_its_newest_frame_but_never_in_the_future() {
    let plan = Plan::start_counting(Backend::Sqlite, CountAt::NewestFrame).await;
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    let old = [("00:40:8c:00:00:01", "10.0.0.1", "iot-x", "2020-01-01T00:00:00Z")];
    plan.upload(&sensor, &upload(1, "default", &old)).await;
    let census = plan.get("/census").await;
    assert_eq!((&census["iot"], &census["as_of"]), (&json!(1), &json!("2020-01-01T00:00:00Z")));
    let ahead = [("00:40:8c:00:00:02", "10.0.0.2", "iot-y", "2031-01-01T00:00:00Z")];
    plan.upload(&sensor, &upload(2, "default", &ahead)).await;
    assert_eq!(plan.get("/census").await["as_of"], crate::harness::START);
}

on_both_stores! {
    async fn devices_are_listed_by_tab_and_search_and_page_by_page(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let macs: Vec<String> = (0..25).map(|i| format!("00:40:8c:00:00:{i:02x}")).collect();
        let ips: Vec<String> = (0..25).map(|i| format!("10.0.0.{}", i + 1)).collect();
        let name = |i: usize| if i < 7 { "network-core" } else { "iot-camera" };
        let seen: Vec<_> =
            (0..25).map(|i| (macs[i].as_str(), ips[i].as_str(), name(i), "2026-11-22T08:00:00Z")).collect();
        plan.upload(&sensor, &upload(1, "default", &seen)).await;

        assert_eq!(plan.get("/devices?category=network").await["total"], 7);
        assert_eq!(plan.get("/devices?verdict=C-IOT").await["total"], 18);
        assert_eq!(plan.get("/devices?q=CAMERA%2010.0.0.25").await["total"], 1);
        let answer = send(plan.client.get(plan.of("/devices?category=toaster")).bearer_auth(&plan.token)).await;
        assert_eq!(problem(&answer), (400, "invalid-request"));

        let (mut after, mut ids) = (String::new(), Vec::new());
        loop {
            let page = plan.get(&format!("/devices?limit=10{after}")).await;
            ids.extend(page["devices"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let all = plan.get("/devices?limit=1000").await;
        let whole: Vec<&str> =
            all["devices"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap()).collect();
        assert_eq!(ids, whole);
        assert_eq!(ids.len(), 25);

        let why = plan.get(&format!("/devices/{}/why", ids[0])).await;
        let decided: Vec<&str> = why["ladder"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["outcome"] == "decided")
            .map(|r| r["rule"].as_str().unwrap())
            .collect();
        assert_eq!(decided, ["C-NET"]);
        assert_eq!(why["couplings"][0]["signs"], json!(["asked or announced itself by ARP"]));
        assert_eq!(plan.get(&format!("/devices/{}", ids[0])).await["ip"], "10.0.0.1");
        assert_eq!(why["couplings"][0]["proof"]["by"], "asked or announced itself by ARP");
        let mac = why["device"]["mac"].as_str().unwrap();
        let explained = plan.get(&format!("/explain?subject={mac}")).await;
        assert_eq!(explained["schema"], "netcensus.explanation/1");
        assert_eq!(explained["devices"][0], why);
        for (subject, status) in [("192.0.2.99", 404), ("nonsense", 400)] {
            let asked = plan.client.get(plan.of(&format!("/explain?subject={subject}"))).bearer_auth(&plan.token);
            assert_eq!(send(asked).await.0.as_u16(), status);
        }

        let answer = send(plan.client.get(plan.of("/devices/nope/why")).bearer_auth(&plan.token)).await;
        assert_eq!(problem(&answer), (404, "not-found"));
    }
}

on_both_stores! {
    async fn operators_tools_find_what_they_look_for_and_no_address_in_it(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let seen = [("00:40:8c:00:00:01", "10.0.0.1", "iot-x", "2026-11-22T09:00:00Z")];
        plan.upload(&sensor, &upload(1, "default", &seen)).await;
        plan.get("/census").await;
        let text = |path: &str| {
            let request = plan.client.get(format!("{}{path}", plan.url));
            async move { request.send().await.unwrap().text().await.unwrap() }
        };
        assert_eq!((text("/healthz").await, text("/readyz").await), ("ok\n".into(), "ok\n".into()));
        let metrics = text("/metrics").await;
        assert!(metrics.contains("netcensus_plan_uploads_total{result=\"stored\"} 1"), "{metrics}");
        assert!(metrics.contains("verdict=\"C-IOT\"} 1"), "{metrics}");
        assert!(!metrics.contains("10.0.0.1") && !metrics.contains("00:40:8c"), "{metrics}");
        let openapi: serde_json::Value = serde_json::from_str(&text("/openapi.json").await).unwrap();
        assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(openapi["paths"]["/api/v1/subscriptions/{sid}/devices/{id}/why"]["get"].is_object());
        let answer = send(plan.client.get(format!("{}/api/v1/nothing", plan.url))).await;
        assert_eq!(problem(&answer), (404, "not-found"));
        let answer = send(plan.client.delete(plan.of("/plan")).bearer_auth(&plan.token)).await;
        assert_eq!(problem(&answer), (405, "method-not-allowed"));
    }
}
