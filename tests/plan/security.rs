//! Alerts and recommendations: what an upload's deeds lead to, what people decide, and when all of it is withheld (P7).

use netcensus::census::conduct::DeedKind;
use netcensus::plan::permission::Role;
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::{Plan, Seen};

const PLC: &str = "00:40:8c:05:00:01";
const STATION: &str = "00:40:8c:05:00:02";

on_each_database! {
    a_deed_becomes_an_alert_and_a_person_decides_about_it,
    what_a_plan_buys_is_withheld_before_and_after_it,
    a_deed_that_is_uploaded_twice_is_one_alert,
}

/// A station that stopped a PLC, and whose telnet is open.
fn seen() -> Seen {
    let seen = Seen::default().arp(PLC, "10.5.0.1", "iot-plc").arp(STATION, "10.5.0.2", "iot-hmi");
    let seen = seen.did(STATION, "10.5.0.2", DeedKind::Commands, Some("10.5.0.1"), "s7_stop");
    seen.did(PLC, "10.5.0.1", DeedKind::Shows, None, "telnet")
}

async fn with_alert(plan: &Plan) {
    let monthly = json!({"kind": "monthly", "devices": 100, "accept_terms": true});
    plan.post("/plan", monthly).await.succeeds(201);
    let sensor = plan.enrol().await;
    seen().send(plan, &sensor, 1, "hq").await;
}

async fn a_deed_becomes_an_alert_and_a_person_decides_about_it(plan: Plan) {
    with_alert(&plan).await;
    let list = plan.get("/alerts").await;
    assert_eq!(list["total"], 1);
    let alert = &list["alerts"][0];
    assert_eq!(
        (&alert["rule"], &alert["severity"], &alert["state"]),
        (&json!("A-S7-STOP"), &json!("high"), &json!("new"))
    );
    assert_eq!(alert["device"]["ip"], "10.5.0.2");
    assert_eq!(alert["object"], "s7 stop to 10.5.0.1");
    let id = alert["id"].as_str().unwrap();
    let decide = |state: &str| json!({"state": state, "note": "commissioning"});
    let path = format!("/alerts/{id}/state");
    let decided = plan.post(&path, decide("closed")).await.succeeds(200);
    assert_eq!(
        (&decided["state"], &decided["decision"]["note"]),
        (&json!("closed"), &json!("commissioning"))
    );
    assert_eq!(plan.get("/alerts").await["total"], 0);
    assert_eq!(plan.get("/alerts?state=closed").await["total"], 1);
    assert_eq!(plan.get(&format!("/alerts/{id}")).await["state"], "closed");
    // Seen again, it is new again; accepted, it is not.
    plan.advance();
    let sensor = plan.enrol().await;
    let again = |when| {
        Seen::default().did_at(STATION, "10.5.0.2", DeedKind::Commands, Some("10.5.0.1"), "s7_stop", when)
    };
    again("2026-11-22T09:00:30Z").send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    assert_eq!(plan.get("/alerts").await["alerts"][0]["state"], "new");
    plan.post(&path, decide("accepted")).await.succeeds(200);
    again("2026-11-22T09:03:00Z").send(&plan, &sensor, 2, "hq").await;
    plan.set_time("2026-11-22T09:05:00Z");
    assert_eq!(plan.get("/alerts").await["total"], 0);
    plan.post("/alerts/0/state", decide("closed")).await.fails(404, "not-found");
    plan.try_get("/alerts?state=x").await.fails(400, "invalid-request");
    let reader = plan.person("rita", Role::Reader).await;
    plan.post_as(&reader, &path, decide("new")).await.fails(403, "not-permitted");
    let recommended = plan.get("/recommendations").await;
    let telnet = &recommended["recommendations"][0];
    assert_eq!(
        (&telnet["rule"], &telnet["unhealthy"][0]["device"]["ip"]),
        (&json!("R-TELNET"), &json!("10.5.0.1"))
    );
    let lines = plan.text("/alerts.ndjson?state=all").await;
    assert_eq!(lines.lines().count(), 1);
    let events = plan.text("/alerts.ocsf.ndjson?state=all").await;
    let classes: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["class_uid"].clone())
        .collect();
    assert_eq!(classes, [json!(2004), json!(2003)]);
}

/// Every operation, export and page of what a plan buys.
const GATED: [&str; 6] = [
    "/alerts",
    "/alerts.ndjson",
    "/alerts.ocsf.ndjson",
    "/alerts/00000000000000000000000000000000",
    "/recommendations",
    "/alerts?state=all",
];

async fn what_a_plan_buys_is_withheld_before_and_after_it(plan: Plan) {
    plan.try_get("/alerts").await.fails(403, "findings-withheld");
    with_alert(&plan).await;
    assert_eq!(plan.get("/alerts").await["total"], 1);
    let browser = Browser::sign_in(&plan).await;
    browser.show("/alerts").await.assert(200, "PLC stop or start");
    browser.show("/recommendations").await.assert(200, "Telnet");
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    assert_eq!(plan.get("/alerts").await["total"], 1, "a cancelled plan is in effect for an hour");
    plan.set_time("2026-11-22T11:30:00Z");
    for path in GATED {
        let withheld = plan.try_get(path).await.fails(403, "findings-withheld");
        assert!(withheld["since"].is_string(), "{path}: {withheld}");
        assert!(!withheld.to_string().contains("10.5.0.1"));
    }
    let path = "/alerts/00000000000000000000000000000000/state";
    plan.post(path, json!({"state": "closed"})).await.fails(403, "findings-withheld");
    for page in ["/alerts", "/recommendations"] {
        browser.show(page).await.assert(403, "withheld");
    }
    // Onboarded again, all that was collected is there.
    let trial = json!({"kind": "trial", "accept_terms": true});
    plan.post("/plan", trial).await.succeeds(201);
    assert_eq!(plan.get("/alerts").await["total"], 1);
}

async fn a_deed_that_is_uploaded_twice_is_one_alert(plan: Plan) {
    with_alert(&plan).await;
    let before = plan.get("/alerts").await["alerts"].clone();
    let sensor = plan.enrol().await;
    seen().send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    assert_eq!(plan.get("/alerts").await["alerts"], before);
}
