//! Zones that people rename and merge: what counts then, what the past says, what decisions do, and undoing it.

use netcensus::census::conduct::DeedKind;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::decisions::{billable, id, undo};
use crate::device_table::{form, value};
use crate::support::browser::Browser;
use crate::support::databases::on_each_database;
use crate::support::{Answer, Plan, Seen, TestSensor, assert_has, send, upload};

on_each_database! {
    a_merge_makes_one_device_of_a_coupling_in_both_zones_and_its_undo_two_again,
    a_dry_run_tells_the_count_and_the_devices_and_changes_nothing,
    a_renamed_zone_takes_what_its_sensor_uploads_and_its_devices_keep_their_ids,
    uploads_under_both_labels_count_in_the_merged_zone,
    an_instant_before_a_merge_shows_two_zones_and_a_sealed_day_stays_as_it_was,
    what_people_decided_under_both_labels_holds_in_the_merged_zone_and_after_its_undo,
    each_refusal_of_a_change_of_zones_is_its_own_problem,
    zones_are_changed_only_as_the_caller_has_seen_them,
    alerts_and_what_was_decided_about_them_move_with_the_zone,
    a_managed_list_of_a_label_holds_in_the_zone_that_has_it,
    the_audit_trail_has_who_changed_zones,
    decisions_about_zones_survive_a_restart,
}

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";
const C: &str = "00:40:8c:00:00:0c";

/// The zone hq with A and B, and the zone HQ with A and C: the same network, under two labels.
async fn with_two_labels(plan: &Plan) -> (TestSensor, TestSensor) {
    let (first, second) = (plan.ready().await, plan.enrol().await);
    let seen = Seen::default().arp(A, "10.0.0.1", "iot-a");
    seen.clone().arp(B, "10.0.0.2", "iot-b").send(plan, &first, 1, "hq").await;
    seen.arp(C, "10.0.0.3", "network-c").send(plan, &second, 1, "HQ").await;
    (first, second)
}

async fn merge(plan: &Plan, zone: &str, into: &str) -> Answer {
    plan.post("/zones/merge", json!({"zone": zone, "into": into})).await
}

async fn rename(plan: &Plan, zone: &str, name: &str) -> Answer {
    plan.post("/zones/rename", json!({"zone": zone, "name": name})).await
}

/// The zones, each with its labels and its devices.
async fn zones(plan: &Plan) -> Value {
    let zones = plan.get("/zones").await;
    let zones = zones["zones"].as_array().unwrap().iter().map(|zone| {
        let labels = zone["labels"].as_array().unwrap().iter().map(|label| label["label"].clone());
        json!([zone["name"], labels.collect::<Vec<_>>(), zone["devices"]])
    });
    zones.collect()
}

/// Every device with its zone, its address and its id.
async fn devices(plan: &Plan) -> Vec<[String; 3]> {
    let list = plan.get("/devices").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let devices = list["devices"].as_array().unwrap().iter();
    devices.map(|device| [text(&device["zone"]), text(&device["ip"]), text(&device["id"])]).collect()
}

/// The inventory without the counters of uploads.
async fn inventory(plan: &Plan) -> Value {
    let mut document = plan.get("/inventory").await;
    document.as_object_mut().unwrap().remove("capture");
    document
}

async fn a_merge_makes_one_device_of_a_coupling_in_both_zones_and_its_undo_two_again(plan: Plan) {
    with_two_labels(&plan).await;
    let before = inventory(&plan).await;
    assert_eq!(
        (billable(&plan).await, zones(&plan).await),
        (json!(4), json!([["HQ", ["HQ"], 2], ["hq", ["hq"], 2]]))
    );
    let done = merge(&plan, "HQ", "hq").await.succeeds(200);
    assert_eq!(done["count"], json!({"before": 4, "after": 3, "delta": -1}));
    assert_has(
        &done["change"],
        json!({"action": "zone", "summary": "merged the zone HQ into hq", "objects": 1}),
    );
    assert_has(
        &done["altered"][0],
        json!({"object": {"kind": "zone", "zone": "HQ"}, "after": {"value": "hq"}}),
    );
    assert_eq!((billable(&plan).await, zones(&plan).await), (json!(3), json!([["hq", ["hq", "HQ"], 3]])));
    let found = plan.get("/explain?subject=10.0.0.1").await;
    assert_eq!(found["devices"].as_array().unwrap().len(), 1);
    for label in ["hq", "HQ"] {
        assert_eq!(plan.get(&format!("/devices?zone={label}")).await["total"], 3, "a label names its zone");
        assert_eq!(plan.get(&format!("/map?zone={label}")).await["zones"][0]["name"], "hq");
    }
    let undone = undo(&plan, 1).await.succeeds(200);
    assert_eq!(undone["count"], json!({"before": 3, "after": 4, "delta": 1}));
    assert_eq!(inventory(&plan).await, before);
    // The undo can be undone, too.
    undo(&plan, 2).await.succeeds(200);
    assert_eq!(billable(&plan).await, 3);
}

async fn a_dry_run_tells_the_count_and_the_devices_and_changes_nothing(plan: Plan) {
    with_two_labels(&plan).await;
    let (before, known) = (inventory(&plan).await, devices(&plan).await);
    let tried =
        plan.post("/zones/merge?dry_run=true", json!({"zone": "HQ", "into": "hq"})).await.succeeds(200);
    assert_has(&tried, json!({"dry_run": true, "count": {"before": 4, "after": 3, "delta": -1}}));
    let gone = tried["before"].as_array().unwrap();
    assert_eq!((gone.len(), &gone[0]["zone"], &gone[0]["ip"]), (1, &json!("HQ"), &json!("10.0.0.1")));
    assert_eq!(tried["devices"], json!([]), "the device of hq has no other coupling than before");
    assert_eq!((inventory(&plan).await, devices(&plan).await), (before, known));
    assert_eq!(plan.get("/changes").await["changes"], json!([]));
    let renamed =
        plan.post("/zones/rename?dry_run=true", json!({"zone": "HQ", "name": "Zug"})).await.succeeds(200);
    assert_has(&renamed, json!({"count": {"delta": 0}, "devices": [], "before": []}));
}

async fn a_renamed_zone_takes_what_its_sensor_uploads_and_its_devices_keep_their_ids(plan: Plan) {
    let (first, _) = with_two_labels(&plan).await;
    let before = devices(&plan).await;
    let done = rename(&plan, "hq", " Zürich ").await.succeeds(200);
    assert_has(&done["change"], json!({"summary": "renamed the zone hq to Zürich", "count": {"delta": 0}}));
    Seen::default().arp(C, "10.0.0.9", "iot-c").send(&plan, &first, 2, "hq").await;
    assert_eq!(zones(&plan).await, json!([["HQ", ["HQ"], 2], ["Zürich", ["hq"], 3]]));
    let ids =
        |devices: &[[String; 3]]| -> Vec<String> { devices.iter().map(|[_, _, id]| id.clone()).collect() };
    let now = ids(&devices(&plan).await);
    assert!(ids(&before).iter().all(|id| now.contains(id)), "{before:?} {now:?}");
    let label = plan.get("/zones").await["zones"][1]["labels"][0].clone();
    assert_has(&label, json!({"label": "hq", "named": {"by": "owner", "change": 1}}));
    // Its own label is a name like others.
    rename(&plan, "Zürich", "hq").await.succeeds(200);
    assert_eq!(zones(&plan).await, json!([["HQ", ["HQ"], 2], ["hq", ["hq"], 3]]));
    assert_eq!(rename(&plan, "hq", "hq").await.succeeds(200)["change"], Value::Null);
}

async fn uploads_under_both_labels_count_in_the_merged_zone(plan: Plan) {
    let (first, second) = with_two_labels(&plan).await;
    // An upload and the merge come at the same time.
    let sent = async || Seen::default().arp(B, "10.0.0.2", "iot-b").send(&plan, &second, 2, "HQ").await;
    let (merged, ()) = tokio::join!(merge(&plan, "HQ", "hq"), sent());
    merged.succeeds(200);
    assert_eq!(billable(&plan).await, 3, "B is one device, too");
    Seen::default().arp(C, "10.0.0.3", "network-c").send(&plan, &first, 2, "hq").await;
    assert_eq!(billable(&plan).await, 3);
    Seen::default().arp(C, "10.0.0.4", "network-d").send(&plan, &second, 3, "HQ").await;
    assert_eq!((billable(&plan).await, zones(&plan).await), (json!(4), json!([["hq", ["hq", "HQ"], 4]])));
    undo(&plan, 1).await.succeeds(200);
    assert_eq!(zones(&plan).await, json!([["HQ", ["HQ"], 4], ["hq", ["hq"], 3]]));
}

async fn an_instant_before_a_merge_shows_two_zones_and_a_sealed_day_stays_as_it_was(mut plan: Plan) {
    plan.onboard_monthly(100).await;
    let (first, second) = (plan.enrol().await, plan.enrol().await);
    let see = async |plan: &Plan, sensor: &TestSensor, n, zone: &str, when: &str| {
        let seen = [(A, "10.0.0.1", "iot-a", when)];
        plan.upload(sensor, &upload(n, zone, &seen)).await.succeeds(201);
    };
    plan.set_time("2026-11-22T10:00:00Z");
    see(&plan, &first, 1, "hq", "2026-11-22T09:30:00Z").await;
    see(&plan, &second, 1, "HQ", "2026-11-22T09:30:00Z").await;
    plan.set_time("2026-11-23T00:30:00Z");
    plan.run_jobs().await;
    let issued = async |plan: &mut Plan, time: &str| {
        plan.set_time(time);
        plan.renew_token().await;
    };
    issued(&mut plan, "2026-11-23T12:00:00Z").await;
    merge(&plan, "HQ", "hq").await.succeeds(200);
    issued(&mut plan, "2026-11-23T13:00:00Z").await;
    let at = async |plan: &Plan, instant: &str| {
        let list = plan.get(&format!("/zones?as_of={instant}")).await;
        let zones = list["zones"].as_array().unwrap().len();
        (zones, plan.get(&format!("/census?as_of={instant}")).await["billable"].clone())
    };
    assert_eq!(at(&plan, "2026-11-23T00:00:00Z").await, (2, json!(2)), "sealed");
    assert_eq!(at(&plan, "2026-11-23T11:00:00Z").await, (2, json!(2)));
    assert_eq!(at(&plan, "2026-11-23T12:30:00Z").await, (1, json!(1)));
    assert_eq!(billable(&plan).await, 1);
    let differences = Browser::sign_in(&plan).await.show("/differences?kind=merged&since=2026-11-22").await;
    differences.assert(200, "1 device, −1 for the count");
    undo(&plan, 1).await.succeeds(200);
    issued(&mut plan, "2026-11-23T14:00:00Z").await;
    assert_eq!(billable(&plan).await, 2);
    assert_eq!(at(&plan, "2026-11-23T12:30:00Z").await, (1, json!(1)), "the undo does not change the past");
}

async fn named(plan: &Plan, id: &str, name: &str) {
    let request = plan.request(Method::PATCH, &format!("/devices/{id}")).header("if-match", "*");
    send(request.json(&json!({"name": name}))).await.succeeds(200);
}

async fn what_people_decided_under_both_labels_holds_in_the_merged_zone_and_after_its_undo(plan: Plan) {
    with_two_labels(&plan).await;
    let of = |devices: &[[String; 3]], zone: &str, ip: &str| -> String {
        devices.iter().find(|[z, i, _]| z == zone && i == ip).unwrap()[2].clone()
    };
    let known = devices(&plan).await;
    let (a, also_a) = (of(&known, "hq", "10.0.0.1"), of(&known, "HQ", "10.0.0.1"));
    named(&plan, &a, "older").await;
    named(&plan, &also_a, "newer").await;
    named(&plan, &of(&known, "HQ", "10.0.0.3"), "core").await;
    merge(&plan, "HQ", "hq").await.succeeds(200);
    let name = async |plan: &Plan, id: &str| plan.get(&format!("/devices/{id}")).await["name"].clone();
    assert_eq!(name(&plan, &a).await, "newer", "the newest decision holds");
    assert_eq!(name(&plan, &id(&plan, "10.0.0.3").await).await, "core");
    assert_eq!(id(&plan, "10.0.0.3").await, of(&known, "HQ", "10.0.0.3"), "with its id");
    // A decision about the merged device stays with both of its couplings, one about another device with its label.
    named(&plan, &a, "door").await;
    let deleted = json!({"ids": [id(&plan, "10.0.0.3").await], "delete": true});
    plan.post("/devices/edit", deleted).await.succeeds(200);
    let both = json!({"ids": [&a, id(&plan, "10.0.0.2").await]});
    plan.post("/devices/merge", both).await.succeeds(200);
    assert_eq!(billable(&plan).await, 1);
    undo(&plan, 4).await.succeeds(200);
    assert_eq!((name(&plan, &a).await, name(&plan, &also_a).await), (json!("door"), json!("door")));
    let left = devices(&plan).await;
    assert_eq!(left.iter().map(|[zone, ..]| &**zone).collect::<Vec<_>>(), ["HQ", "HQ", "hq"], "{left:?}");
    assert_eq!(billable(&plan).await, 2, "A in both zones; the network device stays deleted");
    // Each change can still be undone, the newest first.
    for change in [7, 6, 5] {
        undo(&plan, change).await.succeeds(200);
    }
    assert_eq!((name(&plan, &a).await, name(&plan, &also_a).await), (json!("older"), json!("newer")));
    let changes = plan.get(&format!("/devices/{a}/why")).await;
    assert!(changes.to_string().contains("older"), "{changes}");
}

async fn each_refusal_of_a_change_of_zones_is_its_own_problem(plan: Plan) {
    let (first, _) = with_two_labels(&plan).await;
    Seen::default().arp(A, "10.0.0.1", "iot-a").send(&plan, &first, 2, "branch").await;
    merge(&plan, "nowhere", "hq").await.fails(404, "not-found");
    merge(&plan, "hq", "nowhere").await.fails(404, "not-found");
    merge(&plan, "hq", "hq").await.fails(422, "invalid-name");
    rename(&plan, "hq", "HQ").await.fails(409, "zone-name-taken");
    for name in ["", "  ", "a\u{7}b", "HQ\u{200b}", &"x".repeat(65)] {
        rename(&plan, "hq", name).await.fails(422, "invalid-name");
    }
    merge(&plan, "HQ", "hq").await.succeeds(200);
    // HQ is a label now, not a zone: nothing can become a part of it, so there are no chains.
    merge(&plan, "branch", "HQ").await.fails(404, "not-found");
    rename(&plan, "branch", "HQ").await.fails(409, "zone-name-taken");
    merge(&plan, "HQ", "branch").await.fails(404, "not-found");
    // The zone moves as a whole.
    merge(&plan, "hq", "branch").await.succeeds(200);
    assert_eq!(zones(&plan).await, json!([["branch", ["branch", "HQ", "hq"], 3]]));
    undo(&plan, 1).await.fails(409, "change-touched");
    undo(&plan, 2).await.succeeds(200);
    undo(&plan, 1).await.succeeds(200);
    // An undo cannot make a chain either: hq became the name of another zone since.
    rename(&plan, "hq", "Zug").await.succeeds(200);
    rename(&plan, "Zug", "hq").await.succeeds(200);
    merge(&plan, "HQ", "hq").await.succeeds(200);
    undo(&plan, 6).await.fails(409, "change-touched");
    assert_eq!(billable(&plan).await, 4);
    // A label that ends with a space is another one than that without.
    Seen::default().arp(A, "10.0.0.77", "iot-z").send(&plan, &first, 3, "hq ").await;
    merge(&plan, "hq ", "hq ").await.fails(422, "invalid-name");
    merge(&plan, "hq ", "branch").await.succeeds(200);
    assert_eq!(zones(&plan).await[0], json!(["branch", ["branch", "hq "], 2]));
}

async fn zones_are_changed_only_as_the_caller_has_seen_them(plan: Plan) {
    with_two_labels(&plan).await;
    let seen = plan.tag("/zones").await;
    let merge = async |tag: &str, zone: &str, into: &str| {
        let request = plan.request(Method::POST, "/zones/merge").header(header::IF_MATCH, tag);
        send(request.json(&json!({"zone": zone, "into": into}))).await
    };
    merge("\"old\"", "HQ", "hq").await.fails(412, "precondition-failed");
    merge(&seen, "HQ", "hq").await.succeeds(200);
    merge(&seen, "HQ", "hq").await.fails(412, "precondition-failed");
    assert_ne!(plan.tag("/zones").await, seen);
}

async fn alerts_and_what_was_decided_about_them_move_with_the_zone(plan: Plan) {
    let (first, second) = with_two_labels(&plan).await;
    let mines = |mac, ip| Seen::default().did(mac, ip, DeedKind::Mines, None, "stratum");
    mines(A, "10.0.0.1").send(&plan, &first, 2, "hq").await;
    mines(A, "10.0.0.1").send(&plan, &second, 2, "HQ").await;
    mines(C, "10.0.0.3").send(&plan, &second, 3, "HQ").await;
    let list = async || plan.get("/alerts?state=all").await["alerts"].as_array().unwrap().clone();
    let alerts = list().await;
    assert_eq!(alerts.len(), 3);
    let of_c = alerts.iter().find(|alert| alert["device"]["ip"] == "10.0.0.3").unwrap()["id"].clone();
    let hidden =
        alerts.iter().find(|a| a["device"]["ip"] == "10.0.0.1" && a["device"]["zone"] == "HQ").unwrap();
    let state = json!({"state": "closed", "reason": "expected_activity"});
    for id in [&of_c, &hidden["id"]] {
        plan.post(&format!("/alerts/{}/state", id.as_str().unwrap()), state.clone()).await.succeeds(200);
    }
    let rule = json!({"filter": {"zone": "HQ"}, "reason": "x", "until": "2027-01-01T00:00:00Z"});
    plan.post("/mutes", rule).await.succeeds(201);
    rename(&plan, "HQ", "Zug").await.succeeds(200);
    let named = list().await;
    let of = |alerts: &[Value], id: &Value| alerts.iter().find(|a| a["id"] == *id).unwrap().clone();
    assert_has(&of(&named, &of_c), json!({"state": "closed", "device": {"zone": "Zug"}}));
    merge(&plan, "hq", "Zug").await.succeeds(200);
    let merged = list().await;
    assert_eq!(merged.len(), 2, "one device did it");
    assert!(merged.iter().all(|alert| alert["state"] == "closed"), "{merged:?}");
    let mutes = plan.get("/mutes").await;
    assert_eq!(mutes["mutes"][0]["effect"]["of_30_days"], 2, "{mutes}");
    undo(&plan, 2).await.succeeds(200);
    undo(&plan, 1).await.succeeds(200);
    let back = list().await;
    assert_eq!(back.len(), 3);
    assert_eq!(of(&back, &of_c)["state"], "closed");
}

async fn a_managed_list_of_a_label_holds_in_the_zone_that_has_it(plan: Plan) {
    with_two_labels(&plan).await;
    let import = async |zone: &str| {
        let list = json!({"source": "mdm", "zone": zone, "entries": [{"external_id": "c", "mac": C}]});
        plan.post("/managed/import", list).await.succeeds(200)
    };
    import("HQ").await;
    assert_eq!(billable(&plan).await, 3);
    rename(&plan, "HQ", "Zug").await.succeeds(200);
    assert_eq!(billable(&plan).await, 3);
    assert_eq!(plan.get("/managed").await["entries"][0]["zone"], "Zug");
    assert_eq!(import("Zug").await["change"], Value::Null, "the same list");
    merge(&plan, "Zug", "hq").await.succeeds(200);
    assert_eq!(billable(&plan).await, 2);
}

async fn the_audit_trail_has_who_changed_zones(plan: Plan) {
    with_two_labels(&plan).await;
    let request = plan.request(Method::POST, "/zones/merge").header("x-reason", "one network");
    send(request.json(&json!({"zone": "HQ", "into": "hq"}))).await.succeeds(200);
    let entry = plan.get("/audit").await["entries"][0].clone();
    assert_has(
        &entry,
        json!({"action": "zones.name", "object": "change/1", "reason": "one network", "count_delta": -1}),
    );
}

async fn decisions_about_zones_survive_a_restart(mut plan: Plan) {
    with_two_labels(&plan).await;
    merge(&plan, "HQ", "hq").await.succeeds(200);
    plan.restart().await;
    assert_eq!(zones(&plan).await, json!([["hq", ["hq", "HQ"], 3]]));
    undo(&plan, 1).await.succeeds(200);
    assert_eq!(billable(&plan).await, 4);
}

#[tokio::test]
async fn a_person_previews_a_merge_on_the_page_makes_it_and_undoes_it_there() {
    let plan = Plan::start().await;
    with_two_labels(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("/zones").await.assert(200, "<h2 id=\"merge\">Merge two zones</h2>");
    let fields = [("action", "merge"), ("zone", "HQ"), ("into", "hq")];
    let preview = browser.post("/zones", &form(&fields)).await;
    preview.assert(200, "4 → 3 billable, commitment 100 stays");
    preview.assert(200, "10.0.0.1");
    assert_eq!(billable(&plan).await, 4);
    let seen = value(&preview, "seen");
    let confirmed: Vec<(&str, &str)> = fields
        .into_iter()
        .chain([("seen", &*seen), ("reason", "one network"), ("step", "confirm")])
        .collect();
    let made = browser.post("/zones", &form(&confirmed)).await;
    assert_eq!(made.status, 303, "{}", made.html);
    assert_eq!(billable(&plan).await, 3);
    let told = browser.show("/zones?changed=1").await;
    told.assert(200, "merged the zone HQ into hq");
    told.assert(200, "change 1</a>");
    // What the preview showed is not there any more.
    browser.post("/zones", &form(&confirmed)).await.assert(412, "role=\"alert\"");
    assert_eq!(browser.post("/zones/undo", "change=1").await.status, 303);
    assert_eq!(billable(&plan).await, 4);
    browser.show("/changes/1").await.assert(200, "the zone of the label HQ");
    let taken = form(&[("action", "rename"), ("zone", "HQ"), ("name", "hq")]);
    browser.post("/zones", &taken).await.assert(409, "merge them");
}

#[tokio::test]
async fn two_services_see_each_others_zones_at_once() {
    let plan = Plan::start_on(crate::support::Backend::Postgres).await;
    with_two_labels(&plan).await;
    let second = plan.second().await;
    merge(&plan, "HQ", "hq").await.succeeds(200);
    let url = format!("{second}/api/v1/subscriptions/{}/census", plan.sid);
    let census = send(plan.client.get(url).bearer_auth(&plan.token)).await.succeeds(200);
    assert_eq!(census["billable"], 3);
}
