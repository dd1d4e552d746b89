//! Lists of devices: filters, orders, pages, and the same as files.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send};
use crate::vectors::{Seen, ready};

const HOSTILE: &str = "iot-,\"=HYPERLINK(\"http://x\")";

/// 23 devices in two zones, some with the same name, one that calls itself a formula.
async fn with_devices(plan: &Plan) {
    let sensor = ready(plan).await;
    let mut seen = Seen::default();
    for n in 1..=20 {
        let name = match n % 4 {
            0 => "network-core",
            1 => "iot-camera",
            2 => "computer_mobile-pc",
            _ => "",
        };
        seen = seen.arp(&format!("00:40:8c:00:00:{n:02x}"), &format!("10.0.0.{n}"), name);
    }
    seen.arp("00:40:8c:00:00:ff", "10.0.0.200", HOSTILE).send(plan, &sensor, 1, "hq").await;
    let far = Seen::default().arp("00:40:8c:00:00:01", "10.0.0.1", "iot-x").arp(
        "00:40:8c:00:00:02",
        "10.0.0.2",
        "iot-y",
    );
    far.send(plan, &sensor, 2, "branch").await;
}

fn ids(page: &Value) -> Vec<String> {
    page["devices"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap().to_owned()).collect()
}

async fn file(plan: &Plan, path: &str) -> (String, String) {
    let answer = plan.client.get(plan.of(path)).bearer_auth(&plan.token).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, answer.text().await.unwrap())
}

async fn refusal(plan: &Plan, path: &str) -> (u16, String) {
    let answer = send(plan.client.get(plan.of(path)).bearer_auth(&plan.token)).await;
    let (status, kind) = problem(&answer);
    (status, kind.to_owned())
}

on_both_stores! {
    async fn every_order_gives_every_device_once_page_by_page_and_forth_is_back_reversed(plan: Plan) {
        with_devices(&plan).await;
        let named = plan.get("/devices?q=10.0.0.7").await["devices"][0]["id"].clone();
        assert_eq!(plan.post("/devices/edit", json!({"ids": [named], "set": {"importance": "low", "location": "roof"}})).await.0, 200);
        let columns = ["ip", "mac", "zone", "name", "category", "type", "vendor", "model", "os", "location",
            "importance", "couplings", "first_seen", "last_seen", "verdict"];
        for column in columns {
            let mut both = Vec::new();
            for sort in [column.to_owned(), format!("-{column}")] {
                let whole = plan.get(&format!("/devices?sort={sort}&limit=1000")).await;
                let whole = ids(&whole);
                assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 23, "{sort}");
                let (mut after, mut paged) = (String::new(), Vec::new());
                loop {
                    let page = plan.get(&format!("/devices?sort={sort}&limit=5{after}")).await;
                    assert_eq!(page["total"], 23);
                    paged.extend(ids(&page));
                    match page["next"].as_str() {
                        Some(next) => after = format!("&after={next}"),
                        None => break,
                    }
                }
                assert_eq!(paged, whole, "{sort}");
                both.push(whole);
            }
            both[1].reverse();
            assert_eq!(both[0], both[1], "{column}");
        }
        assert_eq!(ids(&plan.get("/devices?limit=1000").await), ids(&plan.get("/devices?limit=1000&sort=ip").await));
        assert_eq!(plan.get("/devices?sort=importance&limit=1").await["devices"][0]["ip"], "10.0.0.7");
    }

    async fn a_page_goes_on_at_the_instant_and_of_the_list_that_it_is_of(plan: Plan) {
        with_devices(&plan).await;
        let first = plan.get("/devices?category=iot&limit=2").await;
        let next = first["next"].as_str().unwrap();
        plan.set_time("2026-11-22T10:00:00Z");
        let second = plan.get(&format!("/devices?category=iot&limit=3&after={next}")).await;
        assert_eq!(second["as_of"], first["as_of"], "the instant of the first page");
        for other in [format!("/devices?category=network&after={next}"), format!("/devices?category=iot&sort=name&after={next}"),
            format!("/devices?category=iot&as_of=2026-11-22T10:00:00Z&after={next}")] {
            assert_eq!(refusal(&plan, &other).await, (400, "cursor-mismatch".to_owned()), "{other}");
        }
        assert_eq!(refusal(&plan, "/devices?after=x").await, (400, "invalid-request".to_owned()));
        // A device that goes meanwhile neither hides nor repeats another.
        let last = ids(&first).pop().unwrap();
        assert_eq!(plan.post("/devices/edit", json!({"ids": [last], "set": {"category": "network"}})).await.0, 200);
        let again = plan.get(&format!("/devices?category=iot&limit=3&after={next}")).await;
        assert_eq!(ids(&again), ids(&second));
    }

    async fn filters_tell_devices_apart_and_tabs_add_up_to_all(plan: Plan) {
        with_devices(&plan).await;
        let tagged = plan.get("/devices?q=10.0.0.7").await["devices"][0]["id"].clone();
        assert_eq!(plan.post("/devices/edit", json!({"ids": [tagged], "set": {"tags": ["Floor 3"], "type": "printer"}})).await.0, 200);
        for (filter, total) in [("category=network", 5), ("category=iot", 9), ("verdict=X-CM", 5), ("zone=branch", 2),
            ("type=printer", 1), ("tag=floor%203", 1), ("importance=normal", 23), ("importance=high", 0), ("managed=false", 23), ("managed=true", 0),
            ("vendor=nobody", 0), ("q=camera%20hq", 5), ("q=floor", 1), ("category=&q=", 23)] {
            let page = plan.get(&format!("/devices?{filter}")).await;
            assert_eq!(page["total"], total, "{filter}");
            let tabs = &page["tabs"];
            let sum: u64 = ["computer_mobile", "network", "iot", "unclassified"].iter().map(|t| tabs[*t].as_u64().unwrap()).sum();
            assert_eq!((sum, tabs["all"].as_u64().unwrap()), (23, 23), "{filter}");
        }
        assert_eq!(plan.get("/census").await["tabs"], plan.get("/devices").await["tabs"]);
        for wrong in ["verdict=X-PUB", "verdict=X-Y", "managed=yes", "importance=huge", "sort=colour", "sort=-evidence", "colour=red", "limit=-1", "as_of=noon"] {
            assert_eq!(refusal(&plan, &format!("/devices?{wrong}")).await, (400, "invalid-request".to_owned()), "{wrong}");
        }
    }

    async fn a_file_has_every_device_of_the_list_and_nothing_that_a_spreadsheet_runs(plan: Plan) {
        with_devices(&plan).await;
        let named = plan.get("/devices?q=10.0.0.3").await["devices"].as_array().unwrap().iter()
            .find(|d| d["ip"] == "10.0.0.3").unwrap()["id"].clone();
        let formula = json!({"ids": [named], "set": {"name": "=cmd|' /C calc'!A0", "location": "@SUM(A1)"}});
        assert_eq!(plan.post("/devices/edit", formula).await.0, 200);
        let (kind, text) = file(&plan, "/devices.csv").await;
        assert!(kind.starts_with("text/csv; charset=utf-8"), "{kind}");
        let mut reader = csv_rows(&text);
        let header = reader.remove(0);
        assert_eq!((header[0].as_str(), header[header.len() - 1].as_str()), ("id", "policy"));
        assert_eq!(reader.len(), 23);
        assert!(reader.iter().all(|row| row.len() == header.len()));
        let column = |name: &str| header.iter().position(|h| h == name).unwrap();
        let list = plan.get("/devices?limit=1000").await;
        assert_eq!(reader.iter().map(|r| r[0].clone()).collect::<Vec<_>>(), ids(&list));
        assert!(reader.iter().all(|r| r[column("policy")] == "count-v1" && r[column("as_of")] == "2026-11-22T09:00:00Z"));
        let counted = reader.iter().filter(|r| r[column("counted")] == "true").count();
        assert_eq!(json!(counted), plan.get("/census").await["billable"]);
        let named = reader.iter().find(|r| r[column("ip")] == "10.0.0.3").unwrap();
        assert_eq!((named[column("name")].as_str(), named[column("location")].as_str()), ("'=cmd|' /C calc'!A0", "'@SUM(A1)"));
        let hostile = reader.iter().find(|r| r[column("ip")] == "10.0.0.200").unwrap();
        assert_eq!(hostile[column("name")], HOSTILE);
        for row in &reader {
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
        }
        assert!(text.ends_with("\r\n") && !text.starts_with('\u{feff}'));

        let (_, some) = file(&plan, "/devices.csv?category=network&sort=-ip&columns=ip,name").await;
        let rows: Vec<&str> = some.split("\r\n").collect();
        assert_eq!((rows[0], rows[1], rows.len()), ("ip,name", "10.0.0.20,network-core", 7));
        assert_eq!(refusal(&plan, "/devices.csv?columns=ip,colour").await, (400, "invalid-request".to_owned()));

        let (kind, text) = file(&plan, "/devices.ndjson?category=iot").await;
        assert_eq!(kind, "application/x-ndjson");
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let list = plan.get("/devices?category=iot&limit=1000").await;
        assert_eq!(lines.len(), list["devices"].as_array().unwrap().len());
        for (line, device) in lines.iter().zip(list["devices"].as_array().unwrap()) {
            assert_eq!((&line["id"], &line["couplings"], &line["policy"]), (&device["id"], &device["couplings"], &json!("count-v1")));
        }
    }
}

#[tokio::test]
async fn a_file_has_no_cap() {
    let plan = Plan::start().await;
    let sensor = ready(&plan).await;
    let mut seen = Seen::default();
    for n in 0..3_000_u32 {
        let [_, _, c, d] = n.to_be_bytes();
        seen = seen.arp(&format!("00:40:8c:00:{c:02x}:{d:02x}"), &format!("10.3.{c}.{d}"), "iot-x");
    }
    seen.send(&plan, &sensor, 1, "hq").await;
    assert_eq!(csv_rows(&file(&plan, "/devices.csv?columns=id,ip").await.1).len(), 3_001);
    assert_eq!(file(&plan, "/devices.ndjson?columns=id").await.1.lines().count(), 3_000);
}

/// A small reader of CSV, other than the writer's own: quotes, doubled quotes, line ends within quotes.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) if chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted);
    rows
}
