//! The changes that people make to devices: edits, deletions, merges, splits, and undoing each.

use netcensus::census::Field;
use netcensus::plan::permission::Role;
use netcensus::plan::store::engine::sql;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answers::masked;
use crate::support::databases::Backend::Postgres;
use crate::support::databases::on_each_database;
use crate::support::{Answer, Plan, Seen, TestSensor, assert_has, send};

on_each_database! {
    an_edit_overrides_the_classifier_and_moves_the_count,
    a_dry_run_of_an_edit_tells_the_count_and_leaves_nothing,
    a_device_is_edited_only_by_its_current_tag,
    an_edit_that_alters_nothing_makes_no_change,
    a_device_tells_who_decided_what,
    an_edit_is_undone_exactly_once_and_its_undoing_can_be_undone,
    each_refusal_to_edit_a_device_is_its_own_problem,
    each_refusal_to_edit_many_devices_is_its_own_problem_and_changes_none,
    many_devices_are_edited_as_one_change,
    changes_are_listed_by_pages_the_newest_first,
    a_change_is_undone_only_after_the_later_ones_of_its_devices,
    a_merge_makes_one_device_and_its_undo_two_again,
    each_refusal_to_merge_devices_is_its_own_problem,
    a_split_parts_cards_that_identifiers_tie_and_lasts_when_they_tie_them_again,
    each_refusal_to_split_a_device_is_its_own_problem,
    a_reader_changes_nothing_and_is_told_who_may,
    the_audit_trail_has_who_changed_the_inventory_why_and_by_how_much,
    the_database_keeps_change_sets_as_they_were_made,
    the_database_takes_one_undoing_of_a_change,
    decisions_survive_a_restart,
}

pub(crate) const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";
const C: &str = "00:40:8c:00:00:0c";

/// Three devices in the zone hq: 10.0.0.1 is IoT, 10.0.0.2 of the network, 10.0.0.3 unclassified. One in the zone
/// branch: 10.0.0.9 is IoT.
pub(crate) async fn with_devices(plan: &Plan) {
    let sensor = plan.ready().await;
    let seen =
        Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "network-b").arp(C, "10.0.0.3", "x");
    seen.send(plan, &sensor, 1, "hq").await;
    Seen::default().arp(A, "10.0.0.9", "iot-far").send(plan, &sensor, 2, "branch").await;
}

/// The id of the only device that has this address.
pub(crate) async fn id(plan: &Plan, ip: &str) -> String {
    let found = plan.get(&format!("/devices?q={ip}")).await;
    assert_eq!(found["total"], 1, "{found}");
    found["devices"][0]["id"].as_str().unwrap().to_owned()
}

async fn device(plan: &Plan, id: &str) -> Value {
    plan.get(&format!("/devices/{id}")).await
}

/// Sends a change of a device, with `If-Match` if there is a tag.
async fn change(plan: &Plan, method: Method, path: &str, tag: Option<&str>, body: Value) -> Answer {
    let request = plan.request(method, path).json(&body);
    send(tag.into_iter().fold(request, |request, tag| request.header("if-match", tag))).await
}

async fn patch(plan: &Plan, path: &str, tag: Option<&str>, body: Value) -> Answer {
    change(plan, Method::PATCH, path, tag, body).await
}

pub(crate) async fn undo(plan: &Plan, number: u64) -> Answer {
    plan.post(&format!("/changes/{number}/undo"), json!({})).await
}

pub(crate) async fn billable(plan: &Plan) -> Value {
    plan.get("/census").await["billable"].clone()
}

/// The inventory without the counters of uploads.
async fn inventory(plan: &Plan) -> Value {
    let mut document = plan.get("/inventory").await;
    document.as_object_mut().unwrap().remove("capture");
    document
}

/// An edit of every property but the category.
fn lobby_camera() -> Value {
    json!({"type": "camera", "name": "Lobby", "location": "hall", "tags": ["b", "a"], "importance": "high"})
}

async fn an_edit_overrides_the_classifier_and_moves_the_count(plan: Plan) {
    with_devices(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    let done = patch(&plan, &path, Some("*"), lobby_camera()).await.succeeds(200);
    assert_has(&done, json!({"change": {"number": 1, "by": "owner"}}));
    assert_eq!(done["altered"].as_array().unwrap().len(), 5);
    assert_eq!(done["devices"][0]["verdict"], "C-IOT");
    insta::assert_json_snapshot!("edited_device", masked(plan.get(&path).await, &["id"]));
    assert_eq!(billable(&plan).await, 4);
}

async fn a_dry_run_of_an_edit_tells_the_count_and_leaves_nothing(plan: Plan) {
    with_devices(&plan).await;
    let before = inventory(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    let tag = plan.tag(&path).await;
    let dry_run = format!("{path}?dry_run=true");
    let tried = patch(&plan, &dry_run, Some(&tag), lobby_camera()).await.succeeds(200);
    assert_eq!(tried["count"], json!({"before": 3, "after": 4, "delta": 1}));
    assert_eq!(inventory(&plan).await, before);
}

async fn a_device_is_edited_only_by_its_current_tag(plan: Plan) {
    with_devices(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    patch(&plan, &path, None, lobby_camera()).await.fails(428, "precondition-required");
    patch(&plan, &path, Some("\"old\""), lobby_camera()).await.fails(412, "precondition-failed");
    let seen = plan.tag(&path).await;
    let request = plan.request(Method::PATCH, &path).header("if-match", &seen);
    let answer = request.json(&lobby_camera()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let given = answer.headers()["etag"].to_str().unwrap();
    assert_eq!(plan.tag(&path).await, given, "the tag for the next change");
    patch(&plan, &path, Some(&seen), lobby_camera()).await.fails(412, "precondition-failed");
}

async fn an_edit_that_alters_nothing_makes_no_change(plan: Plan) {
    with_devices(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    patch(&plan, &path, Some("*"), lobby_camera()).await.succeeds(200);
    let again = patch(&plan, &path, Some("*"), lobby_camera()).await.body;
    assert_has(&again, json!({"change": null, "altered_total": 0}));
}

async fn a_device_tells_who_decided_what(plan: Plan) {
    with_devices(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    patch(&plan, &path, Some("*"), lobby_camera()).await.succeeds(200);
    let why = plan.get(&format!("{path}/why")).await;
    assert_eq!(why["decisions"][4], "type set by owner at 2026-11-22T09:00:00Z (change 1)");
    assert!(
        why["changes"].to_string().contains("a person resets the category, or sets another one"),
        "{why}"
    );
}

async fn an_edit_is_undone_exactly_once_and_its_undoing_can_be_undone(plan: Plan) {
    with_devices(&plan).await;
    let before = inventory(&plan).await;
    let id = id(&plan, "10.0.0.3").await;
    patch(&plan, &format!("/devices/{id}"), Some("*"), lobby_camera()).await.succeeds(200);
    let back = undo(&plan, 1).await.succeeds(200);
    assert_eq!(back["count"]["delta"], -1);
    assert_eq!(inventory(&plan).await, before);
    undo(&plan, 1).await.fails(409, "change-undone");
    undo(&plan, 2).await.succeeds(200);
    assert_eq!(device(&plan, &id).await["name"], "Lobby");
}

async fn each_refusal_to_edit_a_device_is_its_own_problem(plan: Plan) {
    with_devices(&plan).await;
    let path = format!("/devices/{}", id(&plan, "10.0.0.3").await);
    for (body, slug) in [
        (json!({"type": "toaster9"}), "unknown-type"),
        (json!({"name": " "}), "invalid-property"),
        (json!({"tags": ["x".repeat(41)]}), "invalid-property"),
        (json!({"colour": "red"}), "invalid-request"),
    ] {
        let answer = patch(&plan, &path, Some("*"), body.clone()).await;
        assert!([(422, slug), (400, slug)].contains(&answer.problem()), "{body}: {answer:?}");
    }
    let unknown = "/devices/0123456789abcdef";
    patch(&plan, unknown, Some("*"), json!({})).await.fails(404, "not-found");
    change(&plan, Method::DELETE, unknown, Some("*"), Value::Null).await.fails(404, "not-found");
    assert_eq!(plan.get("/changes").await["changes"], json!([]));
}

async fn each_refusal_to_edit_many_devices_is_its_own_problem_and_changes_none(plan: Plan) {
    with_devices(&plan).await;
    let id = id(&plan, "10.0.0.3").await;
    let unknown = "0123456789abcdef".to_owned();
    let edit = async |ids: &[String]| {
        plan.post("/devices/edit", json!({"ids": ids, "set": {"name": "other"}})).await
    };
    edit(&[]).await.fails(422, "too-few-devices");
    edit(&vec![id.clone(); 1_001]).await.fails(422, "too-many-devices");
    let refused = edit(&[id.clone(), unknown.clone()]).await.fails(422, "unknown-device");
    assert_eq!(refused["device"], unknown);
    assert_eq!(device(&plan, &id).await["name"], "x", "the name that the device gives itself");
    assert_eq!(plan.get("/changes").await["changes"], json!([]));
}

/// Sets the category of devices; gives the answer.
async fn set_category(plan: &Plan, ids: &[&String], category: &str) -> Value {
    let body = json!({"ids": ids, "set": {"category": category}});
    plan.post("/devices/edit", body).await.succeeds(200)
}

async fn many_devices_are_edited_as_one_change(plan: Plan) {
    with_devices(&plan).await;
    let (one, two) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await);
    let done = set_category(&plan, &[&one, &two], "computer_mobile").await;
    assert_eq!(done["count"], json!({"before": 3, "after": 1, "delta": -2}));
    let detail = plan.get("/changes/1?limit=1").await;
    assert_has(&detail, json!({"objects": 2, "next": 1}));
    assert_has(
        &detail["altered"][0],
        json!({
            "object": {"property": "category"}, "before": null,
            "after": {"value": "computer_mobile", "by": "owner"},
        }),
    );
    let detail = plan.get("/changes/1?after=1").await;
    assert_eq!(detail["altered"].as_array().unwrap().len(), 1);
    assert_eq!(detail["next"], Value::Null);
}

async fn changes_are_listed_by_pages_the_newest_first(plan: Plan) {
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    set_category(&plan, &[&one], "computer_mobile").await;
    set_category(&plan, &[&one], "iot").await;
    let page = plan.get("/changes?limit=1").await;
    assert_eq!(page["changes"][0]["number"], 2);
    assert_eq!(page["next"], 2);
    let page = plan.get("/changes?before=2").await;
    assert_eq!(page["changes"][0]["action"], "edit");
    assert_eq!(page["next"], Value::Null);
}

async fn a_change_is_undone_only_after_the_later_ones_of_its_devices(plan: Plan) {
    with_devices(&plan).await;
    let (one, two) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await);
    set_category(&plan, &[&one, &two], "computer_mobile").await;
    assert_eq!(set_category(&plan, &[&one], "iot").await["change"]["number"], 2);
    let refused = undo(&plan, 1).await.fails(409, "change-touched");
    assert_eq!(refused["later"], 2);
    undo(&plan, 2).await.succeeds(200);
    undo(&plan, 1).await.succeeds(200);
    assert_eq!(plan.get("/changes/1").await["undone_by"], 4);
    assert_eq!(billable(&plan).await, 3);
    undo(&plan, 9).await.fails(404, "not-found");
}

async fn merge(plan: &Plan, ids: &[&String]) -> Answer {
    plan.post("/devices/merge", json!({"ids": ids})).await
}

async fn a_merge_makes_one_device_and_its_undo_two_again(plan: Plan) {
    with_devices(&plan).await;
    let before = inventory(&plan).await;
    let (one, two) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await);
    let done = merge(&plan, &[&two, &one]).await.succeeds(200);
    assert_eq!(done["count"]["delta"], -1);
    let merged = &done["devices"][0];
    assert_eq!(merged["couplings"].as_array().unwrap().len(), 2);
    let why = plan.get(&format!("/devices/{}/why", merged["id"].as_str().unwrap())).await;
    assert_has(&why["joins"][0], json!({"reason": "person", "decided": {"by": "owner"}}));
    let altered = &plan.get("/changes/1").await["altered"][0];
    assert_eq!(altered["object"]["with"], format!("{B} 10.0.0.2"));
    undo(&plan, 1).await.succeeds(200);
    assert_eq!(inventory(&plan).await, before);
}

async fn each_refusal_to_merge_devices_is_its_own_problem(plan: Plan) {
    with_devices(&plan).await;
    let (one, two) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await);
    let far = id(&plan, "10.0.0.9").await;
    merge(&plan, &[&one, &far]).await.fails(422, "merge-cross-zone");
    merge(&plan, &[&one]).await.fails(422, "too-few-devices");
    let path = format!("/devices/{two}");
    change(&plan, Method::DELETE, &path, Some("*"), Value::Null).await.succeeds(200);
    merge(&plan, &[&one, &two]).await.fails(409, "device-deleted");
}

/// A device of two cards, which LLDP ties. The first card has a second address.
async fn with_a_tied_device(plan: &Plan) -> (TestSensor, String) {
    let sensor = plan.ready().await;
    let seen = Seen::default().arp(A, "10.0.0.1", "network-a").arp(A, "fe80::a", "");
    let seen = seen.arp(B, "10.0.0.2", "network-b");
    let seen = seen.station(A, Field::LldpChassisId, "7:78").station(B, Field::LldpChassisId, "7:78");
    seen.send(plan, &sensor, 1, "hq").await;
    let id = id(plan, "10.0.0.1").await;
    (sensor, id)
}

async fn split(plan: &Plan, id: &str, couplings: Value) -> Answer {
    plan.post(&format!("/devices/{id}/split"), json!({"couplings": couplings})).await
}

async fn a_split_parts_cards_that_identifiers_tie_and_lasts_when_they_tie_them_again(plan: Plan) {
    let (sensor, id) = with_a_tied_device(&plan).await;
    let done = split(&plan, &id, json!([{"mac": B, "ip": "10.0.0.2"}])).await.succeeds(200);
    assert_eq!(done["count"]["delta"], 1);
    assert_eq!(billable(&plan).await, 2);
    let again = Seen::default().station(B, Field::LldpChassisId, "7:78").arp(B, "fe80::b", "");
    again.send(&plan, &sensor, 2, "hq").await;
    assert_eq!(billable(&plan).await, 2);
    assert_eq!(undo(&plan, 1).await.body["count"]["delta"], -1);
}

async fn each_refusal_to_split_a_device_is_its_own_problem(plan: Plan) {
    let (_, id) = with_a_tied_device(&plan).await;
    let refused = split(&plan, &id, json!([{"mac": A, "ip": "fe80::a"}])).await.fails(409, "split-refused");
    assert!(refused["detail"].as_str().unwrap().contains("(I8a)"), "{refused}");
    split(&plan, &id, json!([])).await.fails(422, "invalid-split");
    split(&plan, &id, json!([{"mac": C, "ip": "10.0.0.3"}])).await.fails(422, "invalid-split");
}

async fn a_reader_changes_nothing_and_is_told_who_may(plan: Plan) {
    with_devices(&plan).await;
    let reader = plan.person("reader", Role::Reader).await;
    let one = id(&plan, "10.0.0.1").await;
    let writes = [
        (Method::PATCH, format!("/devices/{one}"), json!({"name": "x"})),
        (Method::DELETE, format!("/devices/{one}"), Value::Null),
        (Method::POST, "/devices/edit".into(), json!({"ids": [one], "set": {"name": "y"}})),
        (Method::POST, "/devices/merge".into(), json!({"ids": [one, one]})),
        (Method::POST, format!("/devices/{one}/split"), json!({"couplings": []})),
        (Method::POST, "/changes/1/undo".into(), Value::Null),
        (Method::POST, "/managed/import".into(), json!({"source": "s", "entries": []})),
        (Method::POST, "/managed/import/file?source=s".into(), Value::Null),
        (Method::DELETE, "/managed/s".into(), Value::Null),
    ];
    for (method, path, body) in writes {
        let request = plan.request_as(&reader, method.clone(), &path).json(&body);
        let answer = send(request.header("if-match", "*")).await;
        assert_eq!(answer.problem(), (403, "not-permitted"), "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["roles"], json!(["SA", "C", "O"]));
    }
    for path in ["/changes", "/managed", "/zones", "/findings", "/devices.csv", "/devices.ndjson"] {
        let answer = plan.request_as(&reader, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}

async fn the_audit_trail_has_who_changed_the_inventory_why_and_by_how_much(plan: Plan) {
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    let request = plan.request(Method::POST, "/devices/edit").header("x-reason", "moved");
    let body = json!({"ids": [one], "set": {"category": "unclassified"}});
    send(request.json(&body)).await.succeeds(200);
    let newest = plan.trail().await.remove(0);
    assert_eq!((newest.action.as_str(), newest.object.as_str()), ("devices.edit", "change/1"));
    assert_eq!((newest.actor.as_str(), newest.reason.as_deref()), ("person:owner", Some("moved")));
    assert_eq!(newest.count_delta, Some(-1));
    assert_eq!(plan.get("/changes/1").await["reason"], "moved");
}

async fn the_database_keeps_change_sets_as_they_were_made(plan: Plan) {
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    plan.post("/devices/edit", json!({"ids": [one], "set": {"name": "x"}})).await.succeeds(200);
    plan.assert_database_refuses(&[
        "UPDATE change_set SET made_by = 'nobody'",
        "DELETE FROM alteration",
        "UPDATE alteration SET before = NULL",
        "DELETE FROM change_set",
    ])
    .await;
}

async fn the_database_takes_one_undoing_of_a_change(plan: Plan) {
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    plan.post("/devices/edit", json!({"ids": [one], "set": {"name": "x"}})).await.succeeds(200);
    let undoing =
        "INSERT INTO change_set (subscription, number, action, summary, made_by, made_at, undoes, objects,
                                           count_before, count_after)
                   VALUES ($1, $2, 'undo', '', '', 0, 1, 1, 0, 0)";
    assert!(plan.execute(sql(undoing).bind(&plan.sid).bind(2_i64)).await);
    assert!(!plan.execute(sql(undoing).bind(&plan.sid).bind(3_i64)).await);
}

async fn decisions_survive_a_restart(mut plan: Plan) {
    with_devices(&plan).await;
    let (one, two) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await);
    let set = json!({"name": "x", "tags": ["t"], "type": "camera"});
    plan.post("/devices/edit", json!({"ids": [one, two], "set": set})).await.succeeds(200);
    merge(&plan, &[&one, &two]).await.succeeds(200);
    let list = json!({"source": "s", "entries": [{"ip": "10.0.0.3"}]});
    plan.post("/managed/import", list).await.succeeds(200);
    let before = inventory(&plan).await;
    plan.restart().await;
    assert_eq!(inventory(&plan).await, before);
}

/// Sends an edit of a device to a service, by its URL.
fn edit_at(plan: &Plan, url: &str, id: &str, set: &Value) -> reqwest::RequestBuilder {
    let url = format!("{url}/api/v1/subscriptions/{}/devices/edit", plan.sid);
    plan.client.post(url).bearer_auth(&plan.token).json(&json!({"ids": [id], "set": set}))
}

#[tokio::test]
async fn two_services_see_each_others_decisions_at_once() {
    let plan = Plan::start_on(Postgres).await;
    let second = plan.second().await;
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    for n in 0..6_u64 {
        let (here, there) = if n % 2 == 0 { (&plan.url, &second) } else { (&second, &plan.url) };
        let name = json!({"name": format!("name {n}")});
        let done = send(edit_at(&plan, here, &one, &name)).await.succeeds(200);
        assert_eq!(done["change"]["number"], n + 1);
        let url = format!("{there}/api/v1/subscriptions/{}/devices/{one}", plan.sid);
        let seen = send(plan.client.get(url).bearer_auth(&plan.token)).await.body;
        assert_has(&seen, name);
    }
}

#[tokio::test]
async fn two_services_that_change_a_device_at_once_number_the_changes_without_a_gap() {
    let plan = Plan::start_on(Postgres).await;
    let urls = [plan.url.clone(), plan.second().await];
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    let edits = (0..8_usize).map(|n| {
        let place = json!({"location": format!("place {n}")});
        tokio::spawn(send(edit_at(&plan, &urls[n % 2], &one, &place)))
    });
    let mut done = 0;
    for edit in edits.collect::<Vec<_>>() {
        let answer = edit.await.unwrap();
        assert!(answer.status == 200 || answer.problem() == (409, "change-busy"), "{answer:?}");
        done += u64::from(answer.status == 200);
    }
    let changes = plan.get("/changes").await;
    assert_eq!(changes["changes"][0]["number"], done);
    assert_eq!(changes["changes"].as_array().unwrap().len() as u64, done);
}
