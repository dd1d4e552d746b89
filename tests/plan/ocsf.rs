//! Events for other systems (OCSF): those of a golden file, which the published schema of OCSF 1.8.0 takes.
//!
//! After a change, write the file anew (`UPDATE_GOLDEN=1`) and let `tests/plan/ocsf.py` judge it by the schema.

use netcensus::census::conduct::DeedKind;
use serde_json::{Value, json};

use crate::support::{Plan, Seen};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/golden/alerts.ocsf.ndjson");
const PLC: &str = "00:40:8c:05:00:01";
const STATION: &str = "00:40:8c:05:00:02";
const SWITCH: &str = "00:40:8c:05:00:03";

#[tokio::test]
async fn alerts_and_recommendations_become_the_events_of_the_golden_file() {
    let plan = Plan::start().await;
    let monthly = json!({"kind": "monthly", "devices": 100, "accept_terms": true});
    plan.post("/plan", monthly).await.succeeds(201);
    let sensor = plan.enrol().await;
    let seen = Seen::default().arp(PLC, "10.5.0.1", "iot-plc").arp(STATION, "10.5.0.2", "iot-hmi");
    let seen = seen.arp(SWITCH, "10.5.0.3", "network-switch");
    let seen = seen.did(STATION, "10.5.0.2", DeedKind::Commands, Some("10.5.0.1"), "s7_stop");
    let seen = seen.did(STATION, "10.5.0.2", DeedKind::Mines, Some("203.0.113.9"), "");
    let seen = seen.did(PLC, "10.5.0.1", DeedKind::Shows, None, "telnet");
    let seen = seen.did(SWITCH, "10.5.0.3", DeedKind::Shows, None, "ssh_2");
    seen.send(&plan, &sensor, 1, "hq").await;
    let events = plan.text("/alerts.ocsf.ndjson").await;
    let lines: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |class: u64| lines.iter().filter(|event| event["class_uid"] == class).count();
    assert!(of(2004) == 2 && of(2003) >= 2, "{events}");
    // A release changes its own version only.
    let events = events.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &events).unwrap();
    }
    assert_eq!(events, std::fs::read_to_string(GOLDEN).unwrap());
}
