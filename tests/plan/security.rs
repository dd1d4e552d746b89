//! Alerts and recommendations: what an upload's deeds lead to, what people decide, and when all of it is withheld (P7).

use netcensus::census::conduct::DeedKind;
use netcensus::plan::permission::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::{Plan, Seen, send};

const PLC: &str = "00:40:8c:05:00:01";
const STATION: &str = "00:40:8c:05:00:02";

on_each_database! {
    a_deed_becomes_an_alert_and_a_person_decides_about_it,
    what_a_plan_buys_is_withheld_before_and_after_it,
    a_deed_that_is_uploaded_twice_is_one_alert,
    many_alerts_are_changed_as_previewed_and_the_change_is_undone,
    a_change_is_refused_if_somebody_decided_since_it_was_previewed,
    an_alert_that_vanishes_is_withdrawn_with_its_reason,
    a_mute_rule_holds_alerts_until_it_ends_and_a_preview_says_how_many,
    people_are_told_once_of_an_alert_and_never_of_a_muted_one,
    an_alert_says_who_works_on_it,
    an_object_is_accepted_of_whatever_device_of_its_zone,
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
    assert_eq!(plan.get("/alerts").await["alerts"][0]["state"], "reopened");
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

/// Every operation and export of what a plan buys.
const GATED: [&str; 14] = [
    "/alerts",
    "/alerts.csv",
    "/alerts/ledger",
    "/alerts/withdrawn",
    "/alerts/changes",
    "/alerts/00000000000000000000000000000000/history",
    "/mutes",
    "/feeds",
    "/indicators?value=203.0.113.7",
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
    let many = json!({"alerts": ["0"], "decide": {"state": "closed"}});
    let mute = json!({"filter": {"zone": "hq"}, "reason": "x", "until": "2027-01-01T00:00:00Z"});
    for (path, body) in [("/alerts/change", many), ("/alerts/changes/1/undo", json!({})), ("/mutes", mute)] {
        plan.post(path, body).await.fails(403, "findings-withheld");
    }
    send(plan.request(Method::DELETE, "/mutes/1")).await.fails(403, "findings-withheld");
    let notices = plan.get("/notices").await;
    assert!(!notices.to_string().contains("alert_open"), "{notices}");
    assert_eq!(notices["unread"], 0);
    assert!(!browser.show("/notices").await.html.contains("PLC stop"));
    for page in PAGES {
        browser.show(page).await.assert(403, "withheld");
    }
    // Onboarded again, all that was collected is there.
    let trial = json!({"kind": "trial", "accept_terms": true});
    plan.post("/plan", trial).await.succeeds(201);
    assert_eq!(plan.get("/alerts").await["total"], 1);
}

/// Every page of what a plan buys.
pub(crate) const PAGES: [&str; 7] = [
    "/alerts",
    "/alerts/00000000000000000000000000000000/history",
    "/alerts/changes",
    "/alerts/ledger",
    "/mutes",
    "/feeds",
    "/recommendations",
];

/// A station that did two things, so that there are two alerts.
pub(crate) async fn with_two(plan: &Plan) -> Vec<String> {
    with_alert(plan).await;
    let sensor = plan.enrol().await;
    let mines = Seen::default().did(PLC, "10.5.0.1", DeedKind::Mines, None, "stratum");
    mines.send(plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    let list = plan.get("/alerts").await;
    assert_eq!(list["total"], 2, "{list}");
    let alerts = list["alerts"].as_array().unwrap().iter();
    alerts.map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

async fn many_alerts_are_changed_as_previewed_and_the_change_is_undone(plan: Plan) {
    let ids = with_two(&plan).await;
    let close =
        json!({"alerts": ids, "decide": {"state": "closed", "reason": "false_positive", "note": "a test"}});
    let tried = plan.post("/alerts/change?dry_run=true", close.clone()).await.succeeds(200);
    assert_eq!((&tried["dry_run"], tried["altered"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(plan.get("/alerts").await["total"], 2, "nothing is stored");
    let done = plan.post("/alerts/change", close.clone()).await.succeeds(200);
    assert_eq!((&done["change"]["number"], &done["change"]["alerts"]), (&json!(1), &json!(2)));
    assert_eq!(done["altered"][0]["before"], "new");
    assert_eq!(done["altered"][0]["alert"]["state"], "closed");
    assert_eq!(plan.get("/alerts?state=closed").await["alerts"][0]["decision"]["reason"], "false_positive");
    let again = plan.post("/alerts/change", close).await.succeeds(200);
    assert_eq!((&again["change"], &again["unchanged"]), (&json!(null), &json!(2)));
    plan.advance();
    let undone = plan.post("/alerts/changes/1/undo", json!({})).await.succeeds(200);
    assert_eq!(undone["change"]["undoes"], 1);
    let list = plan.get("/alerts").await;
    assert_eq!((&list["total"], &list["alerts"][0]["state"]), (&json!(2), &json!("new")));
    assert!(list["alerts"][0]["decision"].is_null());
    plan.post("/alerts/changes/1/undo", json!({})).await.fails(409, "alert-change-stands");
    // An undo can be undone, too.
    plan.post("/alerts/changes/2/undo", json!({})).await.succeeds(200);
    assert_eq!(plan.get("/alerts").await["total"], 0);
    let changes = plan.get("/alerts/changes").await;
    assert_eq!(changes["changes"][2]["undone_by"], 2);
    let history = plan.get(&format!("/alerts/{}/history", ids[0])).await;
    let sentences: Vec<&str> = history["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["sentence"].as_str().unwrap())
        .collect();
    assert!(sentences[0].starts_with("shown for the first time"), "{sentences:?}");
    assert!(sentences.contains(&"closed: false positive"), "{sentences:?}");
    assert!(sentences.contains(&"change 1 was undone"), "{sentences:?}");
    let csv = plan.text("/alerts.csv?state=closed").await;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.starts_with("id,severity,state,"), "{csv}");
    let reader = plan.person("rita", Role::Reader).await;
    plan.post_as(&reader, "/alerts/changes/3/undo", json!({})).await.fails(403, "not-permitted");
    let faults = [
        json!({"state": "muted"}),
        json!({"state": "active", "reason": "false_positive"}),
        json!({"state": "closed", "until": "2027-01-01T00:00:00Z"}),
        json!({"state": "accepted", "until": "2020-01-01T00:00:00Z"}),
    ];
    for fault in faults {
        plan.post(&format!("/alerts/{}/state", ids[0]), fault).await.fails(400, "invalid-request");
    }
}

async fn a_change_is_refused_if_somebody_decided_since_it_was_previewed(plan: Plan) {
    let ids = with_two(&plan).await;
    let body = json!({"alerts": ids, "decide": {"state": "closed"}});
    let change = |dry_run: bool| {
        let path = format!("/alerts/change?dry_run={dry_run}");
        plan.request(Method::POST, &path).json(&body)
    };
    let tried = change(true).send().await.unwrap();
    let seen = tried.headers()["etag"].to_str().unwrap().to_owned();
    plan.post(&format!("/alerts/{}/state", ids[1]), json!({"state": "active"})).await.succeeds(200);
    send(change(false).header("if-match", &seen)).await.fails(412, "precondition-failed");
    assert_eq!(plan.get("/alerts").await["total"], 2);
    // The tag of one alert covers what people decided about it.
    let one = plan.request(Method::GET, &format!("/alerts/{}", ids[0])).send().await.unwrap();
    let tag = one.headers()["etag"].to_str().unwrap().to_owned();
    let close =
        || plan.request(Method::POST, &format!("/alerts/{}/state", ids[0])).json(&json!({"state": "closed"}));
    send(close().header("if-match", &tag)).await.succeeds(200);
    send(close().header("if-match", &tag)).await.fails(412, "precondition-failed");
    // What somebody decided since cannot be undone over their head.
    plan.advance();
    plan.post(&format!("/alerts/{}/state", ids[0]), json!({"state": "accepted"})).await.succeeds(200);
    plan.post("/alerts/changes/2/undo", json!({})).await.fails(409, "alert-change-stands");
}

async fn an_alert_that_vanishes_is_withdrawn_with_its_reason(plan: Plan) {
    with_alert(&plan).await;
    let sensor = plan.enrol().await;
    let maps = Seen::default().did(PLC, "10.5.0.1", DeedKind::Maps, Some("10.5.0.254"), "upnp");
    maps.send(&plan, &sensor, 1, "hq").await;
    plan.run_jobs().await;
    plan.set_time("2026-11-22T09:02:00Z");
    let list = plan.get("/alerts?rule=A-MAP").await;
    let alert = &list["alerts"][0];
    assert_eq!(plan.get("/alerts/withdrawn").await["total"], 0);
    // The rule is about network and IoT devices alone.
    let device = alert["device"]["id"].as_str().unwrap();
    let edit = plan.request(Method::PATCH, &format!("/devices/{device}")).header("if-match", "*");
    send(edit.json(&json!({"category": "computer_mobile"}))).await.succeeds(200);
    plan.set_time("2026-11-22T09:05:00Z");
    assert_eq!(plan.get("/alerts?rule=A-MAP").await["total"], 0);
    let gone = plan.get("/alerts/withdrawn").await;
    assert_eq!((&gone["total"], &gone["alerts"][0]["id"]), (&json!(1), &alert["id"]), "{gone}");
    assert_eq!(gone["alerts"][0]["withdrawn"]["why"], "class");
    let history = plan.get(&format!("/alerts/{}/history", alert["id"].as_str().unwrap())).await;
    assert!(history["state"].is_null());
    let last = history["events"].as_array().unwrap().last().unwrap()["sentence"].to_string();
    assert!(last.contains("withdrawn: its device has another category"), "{last}");
    let browser = Browser::sign_in(&plan).await;
    browser.show("/alerts/ledger").await.assert(200, "1 withdrawn");
    let ledger = plan.get("/alerts/ledger?limit=1").await;
    assert_eq!(ledger["lines"].as_array().unwrap().len(), 1);
    assert!(ledger["next"].is_u64(), "{ledger}");
    // As an IoT device again, its alert returns.
    let edit = plan.request(Method::PATCH, &format!("/devices/{device}")).header("if-match", "*");
    send(edit.json(&json!({"category": "iot"}))).await.succeeds(200);
    plan.set_time("2026-11-22T09:07:00Z");
    assert_eq!(plan.get("/alerts?rule=A-MAP").await["total"], 1);
    assert_eq!(plan.get("/alerts/withdrawn").await["total"], 0);
}

async fn a_mute_rule_holds_alerts_until_it_ends_and_a_preview_says_how_many(plan: Plan) {
    with_two(&plan).await;
    let rule = |filter: Value| json!({"filter": filter, "reason": "our engineering station", "until": "2026-11-23T00:00:00Z"});
    let stop = json!({"rule": "A-S7-STOP", "device": "10.5.0.2", "zone": "hq"});
    let tried = plan.post("/mutes?dry_run=true", rule(stop.clone())).await.succeeds(201);
    assert_eq!(
        (&tried["effect"]["of_30_days"], &tried["effect"]["alerts_of_30_days"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(plan.get("/mutes").await["mutes"], json!([]));
    let made = plan.post("/mutes", rule(stop)).await.succeeds(201);
    assert_eq!((&made["number"], &made["in_force"]), (&json!(1), &json!(true)));
    assert_eq!(plan.get("/alerts").await["total"], 1);
    let muted = plan.get("/alerts?state=muted").await;
    assert_eq!((&muted["total"], &muted["alerts"][0]["muted_by"]), (&json!(1), &json!(1)));
    let browser = Browser::sign_in(&plan).await;
    browser.show("/mutes").await.assert(200, "our engineering station");
    let form = "zone=hq&reason=tests&until=2026-12-24&step=preview";
    browser.post("/mutes", form).await.assert(200, "of the 2 alerts");
    send(plan.request(Method::DELETE, "/mutes/1")).await.succeeds(200);
    assert_eq!(plan.get("/alerts").await["total"], 2);
    send(plan.request(Method::DELETE, "/mutes/1")).await.fails(404, "not-found");
    plan.post("/mutes", rule(json!({"zone": "hq"}))).await.succeeds(201);
    assert_eq!(plan.get("/alerts").await["total"], 0);
    plan.set_time("2026-11-23T00:00:00Z");
    assert_eq!(plan.get("/alerts").await["total"], 2, "the rule has ended");
    plan.post("/mutes", rule(json!({}))).await.fails(400, "invalid-request");
    plan.post("/mutes", rule(json!({"zone": "hq"}))).await.fails(400, "invalid-request");
}

async fn people_are_told_once_of_an_alert_and_never_of_a_muted_one(plan: Plan) {
    let ids = with_two(&plan).await;
    let told = async || {
        plan.run_jobs().await;
        let notices = plan.get("/notices").await["notices"].as_array().unwrap().clone();
        notices.into_iter().filter(|notice| notice["kind"] == "alert_open").collect::<Vec<_>>()
    };
    let rule = json!({"filter": {"rule": "A-S7-STOP"}, "reason": "x", "until": "2026-11-23T00:00:00Z"});
    plan.post("/mutes", rule).await.succeeds(201);
    let first = told().await;
    assert!(first.iter().all(|notice| !notice["title"].to_string().contains("PLC stop")), "{first:?}");
    let close = json!({"alerts": ids, "decide": {"state": "closed"}});
    send(plan.request(Method::DELETE, "/mutes/1")).await.succeeds(200);
    plan.set_time("2026-11-22T09:05:00Z");
    let second = told().await;
    assert_eq!(second.len(), first.len() + 1, "what a rule held is told once it is not held: {second:?}");
    plan.set_time("2026-11-22T09:10:00Z");
    assert_eq!(told().await.len(), second.len(), "never twice");
    plan.post("/alerts/change", close).await.succeeds(200);
    plan.set_time("2026-11-22T09:15:00Z");
    assert!(told().await.iter().all(|notice| notice["over_at"].is_string()));
    let lines = plan.get("/alerts/ledger?limit=1000").await;
    let all = lines["lines"].as_array().unwrap();
    assert_eq!(all.iter().filter(|line| line["event"] == "told").count(), second.len(), "{lines}");
}

async fn a_deed_that_is_uploaded_twice_is_one_alert(plan: Plan) {
    with_alert(&plan).await;
    let before = plan.get("/alerts").await["alerts"].clone();
    let sensor = plan.enrol().await;
    seen().send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    assert_eq!(plan.get("/alerts").await["alerts"], before);
}

async fn an_alert_says_who_works_on_it(plan: Plan) {
    with_alert(&plan).await;
    let id = plan.get("/alerts").await["alerts"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/alerts/{id}/state");
    let decide = async |verdict: Value| plan.post(&path, verdict).await;
    let works = async || plan.get(&format!("/alerts/{id}")).await["decision"]["assignee"].clone();
    let assigned = decide(json!({"assignee": "owner"})).await.succeeds(200);
    assert_eq!((&assigned["state"], &assigned["decision"]["assignee"]), (&json!("new"), &json!("owner")));
    decide(json!({"state": "active", "note": "looking"})).await.succeeds(200);
    assert_eq!(works().await, "owner", "the name stays");
    for (query, total) in [("owner", 1), ("", 0), ("somebody", 0)] {
        assert_eq!(plan.get(&format!("/alerts?assignee={query}")).await["total"], total, "{query}");
    }
    for refused in [
        json!({"assignee": "nobody here"}),
        json!({"note": "neither state nor assignee"}),
        json!({"assignee": "owner", "reason": "false_positive"}),
    ] {
        decide(refused).await.fails(400, "invalid-request");
    }
    let many = json!({"alerts": [&id], "decide": {"assignee": ""}});
    let tried = plan.post("/alerts/change?dry_run=true", many.clone()).await.succeeds(200);
    assert_eq!((&tried["altered"][0]["before"], works().await), (&json!("active"), json!("owner")));
    let done = plan.post("/alerts/change", many.clone()).await.succeeds(200);
    assert_eq!(done["altered"][0]["alert"]["decision"]["note"], "looking", "what was said stays");
    assert_eq!(works().await, Value::Null);
    assert_eq!(plan.post("/alerts/change", many).await.succeeds(200)["unchanged"], 1);
    plan.post(&format!("/alerts/changes/{}/undo", done["change"]["number"]), json!({})).await.succeeds(200);
    assert_eq!(works().await, "owner");
    let history = plan.get(&format!("/alerts/{id}/history")).await;
    let said: Vec<&str> =
        history["events"].as_array().unwrap().iter().map(|e| e["sentence"].as_str().unwrap()).collect();
    assert!(said.contains(&"new, owner works on it"), "{said:?}");
    let browser = Browser::sign_in(&plan).await;
    browser.show("/alerts").await.assert(200, "owner works on it");
    let form = "state=closed&assignee=owner&shown=all";
    assert!(browser.post(&format!("/alerts/{id}/state"), form).await.status.is_redirection());
    assert_eq!(plan.get("/alerts?state=closed&assignee=owner").await["total"], 1);
}

async fn an_object_is_accepted_of_whatever_device_of_its_zone(plan: Plan) {
    with_alert(&plan).await;
    let sensor = plan.enrol().await;
    let stop = |n: u8, zone_plc: &str| {
        let (mac, ip) = (format!("00:40:8c:05:00:{n:02x}"), format!("10.5.0.{n}"));
        let seen = Seen::default().arp(&mac, &ip, "iot-hmi");
        seen.did(&mac, &ip, DeedKind::Commands, Some(zone_plc), "s7_stop")
    };
    stop(3, "10.5.0.1").send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-11-22T09:01:00Z");
    let list = plan.get("/alerts").await;
    assert_eq!(list["total"], 2);
    let id = list["alerts"][0]["id"].as_str().unwrap().to_owned();
    let accept = json!({"alerts": [&id], "decide": {"state": "accepted", "scope": "object"}});
    let request = |dry_run: bool| {
        let path = format!("/alerts/change?dry_run={dry_run}");
        plan.request(Method::POST, &path).json(&accept)
    };
    let tried = request(true).send().await.unwrap();
    let tag = tried.headers()["etag"].to_str().unwrap().to_owned();
    let tried: Value = tried.json().await.unwrap();
    assert_eq!(tried["altered"].as_array().unwrap().len(), 2, "the preview lists the other station, too");
    assert_eq!(plan.get("/alerts").await["total"], 2, "and stores nothing");
    let done = send(request(false).header("if-match", &tag)).await.succeeds(200);
    assert_eq!(plan.get("/alerts?state=accepted").await["total"], 2);
    send(request(false).header("if-match", &tag)).await.succeeds(200);
    // A station that comes later stops the same PLC, and one that stops another.
    stop(4, "10.5.0.1").send(&plan, &sensor, 2, "hq").await;
    stop(5, "10.5.0.9").send(&plan, &sensor, 3, "hq").await;
    plan.set_time("2026-11-22T09:02:00Z");
    assert_eq!(plan.get("/alerts?state=accepted").await["total"], 3);
    assert_eq!(plan.get("/alerts").await["alerts"][0]["device"]["ip"], "10.5.0.5");
    // What is decided about one alert later holds for it.
    let path = format!("/alerts/{id}/state");
    plan.set_time("2026-11-22T09:03:00Z");
    plan.post(&path, json!({"state": "active"})).await.succeeds(200);
    assert_eq!(plan.get("/alerts?state=accepted").await["total"], 2);
    let history = plan.get(&format!("/alerts/{id}/history")).await;
    let text = history["events"].to_string();
    assert!(text.contains("accepted, for its object in the zone"), "{text}");
    plan.post(&format!("/alerts/changes/{}/undo", done["change"]["number"]), json!({})).await.succeeds(200);
    assert_eq!(plan.get("/alerts?state=accepted").await["total"], 0);
    let only_accepted = json!({"state": "closed", "scope": "object"});
    plan.post(&path, only_accepted).await.fails(400, "invalid-request");
    let trail = plan.get("/audit").await.to_string();
    assert!(trail.contains("\"scope\":\"object\""), "{trail}");
}
