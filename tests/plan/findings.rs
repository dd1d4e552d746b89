//! Findings: the same in the inventory document, the list of the API and the console.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::seen::upload_of;
use crate::support::{Plan, Seen, assert_has};

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";

/// In the zone `hq` two cards use one address, and the sensor is full.
async fn with_findings() -> Plan {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.1", "iot-b");
    let mut upload = upload_of(1, "hq", seen.0);
    upload.health.refused = 340;
    assert_eq!(plan.upload(&sensor, &upload).await.status, 201);
    plan
}

fn kinds(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_and_the_inventory_have_the_same_findings() {
    let plan = with_findings().await;
    let list = plan.get("/findings").await;
    assert_has(&list, json!({"schema": "netcensus.findings/1", "as_of": plan.get("/census").await["as_of"]}));
    assert_eq!(list["findings"], plan.get("/inventory").await["findings"]);
    assert_eq!(kinds(&list), ["address_conflict", "lower_bound"]);
    let conflict =
        json!({"zone": "hq", "rule": "I1", "ip": "10.0.0.1", "macs": [A, B], "subjects": 3, "count": 2});
    assert_has(&list["findings"][0], conflict);
    assert_has(&list["findings"][1], json!({"zone": "hq", "rule": "Ledger"}));
}

#[tokio::test]
async fn the_list_holds_the_kind_and_the_zone_that_were_asked_for() {
    let plan = with_findings().await;
    assert_eq!(kinds(&plan.get("/findings?kind=lower_bound").await), ["lower_bound"]);
    assert!(kinds(&plan.get("/findings?zone=branch").await).is_empty());
    assert_eq!(plan.try_get("/findings?kind=anything").await.status, 400);
}

#[tokio::test]
async fn the_console_shows_sentence_advice_rule_and_devices() {
    let plan = with_findings().await;
    let findings = plan.get("/findings").await;
    let browser = Browser::sign_in(&plan).await;
    let (overview, page) = (browser.show("").await, browser.show("/findings").await);
    for finding in findings["findings"].as_array().unwrap() {
        let sentence = finding["sentence"].as_str().unwrap().trim_end_matches(" (I1)");
        overview.assert(200, sentence);
        page.assert(200, sentence);
        page.assert(200, finding["advice"].as_str().unwrap());
        page.assert(200, &format!("<a href=\"/rules/{}\"", finding["rule"].as_str().unwrap()));
    }
    let device = format!("<a href=\"/subscriptions/{}/explain?subject=10.0.0.1\">10.0.0.1</a>", plan.sid);
    overview.assert(200, &device);
    page.assert(200, &device);
}
