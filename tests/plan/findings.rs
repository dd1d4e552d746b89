//! Findings: what surveys show, and the ledger in which they stay until a person closes them.

use std::net::IpAddr;

use netcensus::census::{Finding, MacAddr, Sign, Timestamp};
use netcensus::plan::finding_ledger::{Conclusions, FindingDecision, FindingState};
use netcensus::plan::permission::Role;
use netcensus::plan::store::{By, Surveyed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::program::program_at;
use crate::support::seen::upload_of;
use crate::support::{Answer, Plan, START, Seen, TestSensor, assert_has, at, send};

on_each_database! {
    a_finding_stays_open_after_the_facts_changed,
    a_closed_finding_opens_again_by_newer_frames_only,
    a_finding_about_the_present_closes_by_itself,
    a_dry_run_of_closing_leaves_nothing,
    the_audit_trail_has_who_closed_what_and_how_it_was,
    a_survey_that_shows_the_same_writes_no_finding,
    closing_a_finding_takes_nothing_from_a_newer_survey,
    a_ledger_is_bounded_and_says_what_it_left_out,
}

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";

/// In the zone `hq` two cards use one address, and the sensor is full.
async fn report(plan: &Plan) -> TestSensor {
    let sensor = plan.ready().await;
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.1", "iot-b");
    let mut upload = upload_of(1, "hq", seen.0);
    upload.health.refused = 340;
    assert_eq!(plan.upload(&sensor, &upload).await.status, 201);
    sensor
}

async fn with_findings() -> Plan {
    let plan = Plan::start().await;
    report(&plan).await;
    plan
}

/// The cards use the address again.
async fn seen_again(plan: &Plan, sensor: &TestSensor, sequence: u64, when: &str) {
    let seen = Seen::default().sign(A, "10.0.0.1", "iot-a", Sign::ArpAsked, when);
    let seen = seen.sign(B, "10.0.0.1", "iot-b", Sign::ArpAsked, when);
    seen.send(plan, sensor, sequence, "hq").await;
}

fn kinds(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect()
}

/// The finding about the address, whatever its state.
async fn conflict(plan: &Plan) -> Value {
    let mut all = plan.get("/findings?kind=address_conflict&state=all").await;
    assert_eq!(all["findings"].as_array().unwrap().len(), 1, "{all}");
    all["findings"][0].take()
}

async fn decide(plan: &Plan, finding: &Value, what: &str, note: &str) -> Answer {
    let id = finding["id"].as_str().unwrap();
    plan.post(&format!("/findings/{id}/{what}"), json!({"note": note})).await
}

/// Makes one device of the two cards, so that they no longer contradict each other.
async fn merge(plan: &Plan) {
    let devices = plan.get("/devices?q=10.0.0.1").await;
    let ids = each(&devices["devices"], "id");
    plan.post("/devices/merge", json!({"ids": ids})).await.succeeds(200);
}

#[tokio::test]
async fn the_list_has_the_findings_of_the_inventory() {
    let plan = with_findings().await;
    let list = plan.get("/findings").await;
    assert_has(&list, json!({"schema": "netcensus.findings/1", "as_of": plan.get("/census").await["as_of"]}));
    assert_eq!(kinds(&list), ["address_conflict", "lower_bound"]);
    let inventory = plan.get("/inventory").await;
    assert_eq!(kinds(&inventory), kinds(&list));
    for (place, finding) in inventory["findings"].as_array().unwrap().iter().enumerate() {
        assert_has(&list["findings"][place], finding.clone());
    }
    let conflict =
        json!({"zone": "hq", "rule": "I1", "ip": "10.0.0.1", "macs": [A, B], "subjects": 3, "count": 2});
    assert_has(&list["findings"][0], conflict);
    assert_has(&list["findings"][0], json!({"state": "open", "opened_at": START, "gone_since": null}));
    assert_has(&list["findings"][1], json!({"zone": "hq", "rule": "Ledger"}));
}

#[tokio::test]
async fn the_list_holds_the_kind_the_zone_and_the_state_that_were_asked_for() {
    let plan = with_findings().await;
    assert_eq!(kinds(&plan.get("/findings?kind=lower_bound").await), ["lower_bound"]);
    assert!(kinds(&plan.get("/findings?zone=branch").await).is_empty());
    assert!(kinds(&plan.get("/findings?state=closed").await).is_empty());
    assert_eq!(kinds(&plan.get("/findings?state=all").await).len(), 2);
    assert_eq!(plan.try_get("/findings?kind=anything").await.status, 400);
    assert_eq!(plan.try_get("/findings?state=anything").await.status, 400);
}

async fn a_finding_stays_open_after_the_facts_changed(mut plan: Plan) {
    report(&plan).await;
    plan.run_jobs().await;
    plan.set_time("2026-11-22T09:05:00Z");
    merge(&plan).await;
    assert_eq!(kinds(&plan.get("/inventory").await), ["lower_bound"]);
    let gone = json!({"state": "open", "opened_at": START, "gone_since": "2026-11-22T09:05:00Z"});
    assert_has(&conflict(&plan).await, gone.clone());
    plan.run_jobs().await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.restart().await;
    assert_has(&conflict(&plan).await, gone);
    // At an earlier instant nobody had reported anything yet.
    let before = plan.get("/findings?state=all&as_of=2026-11-22T09:00:00Z").await;
    assert_eq!(kinds(&before), ["lower_bound"], "an instant's list has what its survey shows");
}

async fn a_closed_finding_opens_again_by_newer_frames_only(plan: Plan) {
    let sensor = report(&plan).await;
    let closed = decide(&plan, &conflict(&plan).await, "close", " two spare cards ").await.succeeds(200);
    let closing = json!({"state": "closed", "closed_at": START, "closed_by": "person:owner"});
    assert_has(&closed, closing);
    assert_has(&closed, json!({"note": "two spare cards", "reopened_at": null}));
    assert_eq!(kinds(&plan.get("/findings").await), ["lower_bound"]);
    assert_eq!(kinds(&plan.get("/findings?state=closed").await), ["address_conflict"]);
    // The same frames again, as another sensor may report them.
    seen_again(&plan, &sensor, 2, START).await;
    plan.run_jobs().await;
    assert_eq!(conflict(&plan).await, closed);
    let later = "2026-11-22T09:10:00Z";
    plan.set_time(later);
    seen_again(&plan, &sensor, 3, later).await;
    for _ in 0..2 {
        let again = conflict(&plan).await;
        assert_has(&again, json!({"state": "open", "last": later, "reopened_at": later, "closed_at": START}));
        assert_has(&again, json!({"reopened_by": "service", "note": "two spare cards"}));
        plan.run_jobs().await;
    }
}

async fn a_finding_about_the_present_closes_by_itself(plan: Plan) {
    let sensor = report(&plan).await;
    plan.run_jobs().await;
    plan.set_time("2026-11-22T09:10:00Z");
    Seen::default().arp(A, "10.0.0.1", "iot-a").send(&plan, &sensor, 2, "hq").await;
    plan.run_jobs().await;
    assert_eq!(kinds(&plan.get("/findings").await), ["address_conflict"]);
    let closed = plan.get("/findings?state=closed").await;
    let by_itself =
        json!({"kind": "lower_bound", "closed_by": "service", "closed_at": "2026-11-22T09:10:00Z"});
    assert_has(&closed["findings"][0], by_itself);
}

async fn a_dry_run_of_closing_leaves_nothing(plan: Plan) {
    report(&plan).await;
    let before = conflict(&plan).await;
    let path = format!("/findings/{}/close?dry_run=true", before["id"].as_str().unwrap());
    let tried = plan.post(&path, json!({})).await.succeeds(200);
    assert_eq!(tried["state"], "closed");
    assert_eq!(conflict(&plan).await, before);
    assert!(plan.store.finding_ledger(&plan.sid).await.unwrap().records.is_empty());
}

async fn the_audit_trail_has_who_closed_what_and_how_it_was(plan: Plan) {
    report(&plan).await;
    let finding = conflict(&plan).await;
    decide(&plan, &finding, "close", "ours").await.succeeds(200);
    let rows = plan.audit_rows().await;
    decide(&plan, &finding, "close", "again").await.succeeds(200);
    assert_eq!(plan.audit_rows().await, rows, "it was closed already");
    decide(&plan, &finding, "reopen", "").await.succeeds(200);
    let object = format!("finding/{}", finding["id"].as_str().unwrap());
    for (action, before, after, note) in [
        ("finding.close", "open", "closed", json!("ours")),
        ("finding.reopen", "closed", "open", Value::Null),
    ] {
        let trail = plan.trail_of(action).await;
        assert_eq!(trail.len(), 1);
        assert_eq!((trail[0].actor.as_str(), &trail[0].object), ("person:owner", &object));
        assert_has(trail[0].before.as_ref().unwrap(), json!({"state": before}));
        let after =
            json!({"state": after, "kind": "address_conflict", "zone": "hq", "last": START, "note": note});
        assert_eq!(trail[0].after, Some(after));
    }
}

async fn a_survey_that_shows_the_same_writes_no_finding(plan: Plan) {
    report(&plan).await;
    let (shown, now) = (of(3), plan.now());
    let record = async |at: Timestamp| {
        let surveyed = Surveyed { facts: 1, decisions: 0, at };
        plan.store.record_findings(&plan.sid, &shown, surveyed, at).await.unwrap()
    };
    assert_eq!(record(now).await, 3);
    assert_eq!(record(now.plus(60_000_000_000)).await, 0);
    plan.run_jobs().await;
    plan.advance();
    plan.run_jobs().await;
    assert!(plan.store.unsurveyed().await.unwrap().is_empty(), "nothing came since");
}

async fn closing_a_finding_takes_nothing_from_a_newer_survey(plan: Plan) {
    let (shown, by, now) = (of(2), By::person("owner"), plan.now());
    let surveyed = Surveyed { facts: 1, decisions: 0, at: now };
    plan.store.record_findings(&plan.sid, &shown, surveyed, now).await.unwrap();
    let decision = FindingDecision { state: FindingState::Closed, note: None };
    let (older, id) = (of(1), shown.findings[0].id);
    let decided = plan.store.decide_finding(&plan.sid, id, &decision, &older, &by, now).await.unwrap();
    assert!(!decided.is_open());
    let other = &plan.store.finding_ledger(&plan.sid).await.unwrap().records[&shown.findings[1].id];
    assert_eq!((other.is_open(), other.gone_since), (true, None));
}

/// What a survey shows if two cards use each of so many addresses.
fn of(addresses: u16) -> Conclusions {
    let now = at(START);
    let cards = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
    let finding = |n: u16| {
        let [c, d] = n.to_be_bytes();
        Finding::address_conflict("hq", IpAddr::from([10, 1, c, d]), cards, now, now)
    };
    let mut findings: Vec<Finding> = (0..addresses).map(finding).collect();
    Finding::sort(&mut findings);
    Conclusions { findings, unlisted: Vec::new() }
}

async fn a_ledger_is_bounded_and_says_what_it_left_out(plan: Plan) {
    report(&plan).await;
    let surveyed = Surveyed { facts: 1, decisions: 0, at: plan.now() };
    let recorded = plan.store.record_findings(&plan.sid, &of(1_200), surveyed, plan.now()).await.unwrap();
    assert_eq!(recorded, 1_000);
    let list = plan.get("/findings?kind=address_conflict").await;
    assert_eq!(list["findings"].as_array().unwrap().len(), 1_000);
    let left_out = json!([{"kind": "address_conflict", "zone": "hq", "count": 200}]);
    assert_eq!(list["unlisted_findings"], left_out, "it stays although the present survey shows one");
    let page = Browser::sign_in(&plan).await;
    let page = page.show("/findings").await;
    page.assert(200, "1,201 open findings");
    page.assert(200, "200 more of address conflict in hq are not listed");
}

#[tokio::test]
async fn a_finding_is_closed_by_those_who_may_update_findings() {
    let plan = with_findings().await;
    let finding = conflict(&plan).await;
    let path = format!("/findings/{}/close?dry_run=true", finding["id"].as_str().unwrap());
    for role in Role::ALL {
        let token = plan.person(role.key(), role).await;
        let answer = plan.post_as(&token, &path, json!({})).await;
        if [Role::Reader, Role::GlobalAdmin].contains(&role) {
            answer.fails(403, "not-permitted");
        } else {
            answer.succeeds(200);
        }
    }
}

#[tokio::test]
async fn an_unknown_finding_and_a_bad_note_are_refused() {
    let plan = with_findings().await;
    for id in ["0123456789abcdef", "x"] {
        plan.post(&format!("/findings/{id}/close"), json!({})).await.fails(404, "not-found");
    }
    let finding = conflict(&plan).await;
    for note in ["x".repeat(501), "a\u{1b}[31m".to_owned()] {
        decide(&plan, &finding, "close", &note).await.fails(400, "invalid-request");
    }
    let path = format!("/findings/{}/close", finding["id"].as_str().unwrap());
    let closed = send(plan.request(Method::POST, &path)).await.succeeds(200);
    assert_eq!(closed["note"], Value::Null, "the body may be left out");
    plan.post(&path, Value::Null).await.succeeds(200);
    plan.post(&path, json!({"notes": "x"})).await.fails(400, "invalid-request");
}

#[tokio::test]
async fn after_the_plans_end_findings_are_read_and_closed() {
    let plan = with_findings().await;
    plan.run_jobs().await;
    plan.post("/plan/cancel", Value::Null).await.succeeds(200);
    plan.set_time("2026-11-22T12:00:00Z");
    let finding = conflict(&plan).await;
    assert_has(&finding, json!({"state": "open", "gone_since": null}));
    decide(&plan, &finding, "close", "").await.succeeds(200);
    assert_eq!(conflict(&plan).await["state"], "closed");
}

#[tokio::test]
async fn the_console_shows_sentence_advice_rule_and_devices() {
    let plan = with_findings().await;
    let findings = plan.get("/findings").await;
    let browser = Browser::sign_in(&plan).await;
    let (overview, page) = (browser.show("").await, browser.show("/findings").await);
    overview.assert(200, "All 2 open findings");
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

#[tokio::test]
async fn the_console_closes_and_reopens_a_finding() {
    let plan = with_findings().await;
    plan.run_jobs().await;
    let browser = Browser::sign_in(&plan).await;
    let id = conflict(&plan).await["id"].as_str().unwrap().to_owned();
    let (close, reopen) = (format!("/findings/{id}/close"), format!("/findings/{id}/reopen"));
    browser.show("/findings").await.assert(200, &format!("action=\"/subscriptions/{}{close}\"", plan.sid));
    let sent = browser.post(&close, "note=%3Cb%3Eours%3C%2Fb%3E&state=open").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.html);
    browser.show("").await.assert(200, "1 open finding:");
    browser.show("/findings").await.assert(200, "1 open finding<");
    let closed = browser.show("/findings?state=closed").await;
    closed.assert(200, "closed by owner at 2026-11-22 09:00:00 UTC");
    assert!(!closed.html.contains("<b>ours"), "a note is text");
    closed.assert(200, &format!("action=\"/subscriptions/{}{reopen}\"", plan.sid));
    browser.post(&reopen, "note=&state=closed").await;
    browser.show("/findings").await.assert(200, "reopened by owner at 2026-11-22 09:00:00 UTC");
    merge(&plan).await;
    browser.show("/findings").await.assert(200, "no longer seen since 2026-11-22 09:00:00 UTC");
    browser.post("/findings/0123456789abcdef/close", "note=").await.assert(404, "there is no finding");
}

#[tokio::test]
async fn the_command_line_lists_closes_and_reopens_findings() {
    let plan = with_findings().await;
    let run = |arguments: &[&str]| {
        let output = program_at(&plan.database, START, arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let id = conflict(&plan).await["id"].as_str().unwrap().to_owned();
    let (code, listed) = run(&["findings", "list"]);
    assert!(code == 0 && listed.contains(&id) && listed.contains("10.0.0.1 is used by 2 cards"), "{listed}");
    let close = ["findings", "close", &id, "--note", "ours", "--reason", "checked"];
    let (code, tried) = run(&[&close[..], &["--dry-run"]].concat());
    assert!(code == 0 && tried.starts_with("would be: closed: 10.0.0.1"), "{tried}");
    assert_eq!(conflict(&plan).await["state"], "open");
    assert_eq!(run(&close).0, 0);
    assert_has(&conflict(&plan).await, json!({"state": "closed", "closed_by": "operator", "note": "ours"}));
    assert_eq!(plan.trail_of("finding.close").await[0].reason.as_deref(), Some("checked"));
    let of_kind = ["findings", "list", "--state", "closed", "--kind", "address_conflict", "--json"];
    let document: Value = serde_json::from_str(&run(&of_kind).1).unwrap();
    assert_has(&document["findings"][0], json!({"id": id, "state": "closed"}));
    assert_eq!(run(&["findings", "reopen", &id, "--json"]).0, 0);
    assert_eq!(conflict(&plan).await["state"], "open");
    assert_eq!(run(&["findings", "close", "0123456789abcdef"]).0, 1);
    assert_eq!(run(&["findings", "list", "--kind", "anything"]).0, 2);
}
