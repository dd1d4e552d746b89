//! What people change of an inventory: edits, deletions, merges, splits, the managed list, and undoing each.

use netcensus::census::Field;
use netcensus::plan::permission::Role;
use netcensus::plan::store::Scope;
use netcensus::plan::store::engine::sql;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::database::{Backend, on_both_stores};
use crate::harness::{Plan, problem, send};
use crate::vectors::{Seen, ready};

const A: &str = "00:40:8c:00:00:0a";
const B: &str = "00:40:8c:00:00:0b";
const C: &str = "00:40:8c:00:00:0c";

/// Three devices in the zone hq: IoT, network, not known; and one elsewhere.
async fn with_devices(plan: &Plan) {
    let sensor = ready(plan).await;
    let seen =
        Seen::default().arp(A, "10.0.0.1", "iot-a").arp(B, "10.0.0.2", "network-b").arp(C, "10.0.0.3", "x");
    seen.send(plan, &sensor, 1, "hq").await;
    Seen::default().arp(A, "10.0.0.9", "iot-far").send(plan, &sensor, 2, "branch").await;
}

async fn id(plan: &Plan, ip: &str) -> String {
    let found = plan.get(&format!("/devices?q={ip}")).await;
    assert_eq!(found["total"], 1, "{found}");
    found["devices"][0]["id"].as_str().unwrap().to_owned()
}

async fn device(plan: &Plan, id: &str) -> Value {
    plan.get(&format!("/devices/{id}")).await
}

/// A request with `If-Match`, or none where it is empty.
async fn with_tag(plan: &Plan, method: Method, path: &str, tag: &str, body: Value) -> (StatusCode, Value) {
    let mut request = plan.client.request(method, plan.of(path)).bearer_auth(&plan.token).json(&body);
    if !tag.is_empty() {
        request = request.header("if-match", tag);
    }
    send(request).await
}

async fn tag(plan: &Plan, id: &str) -> String {
    let request = plan.client.get(plan.of(&format!("/devices/{id}"))).bearer_auth(&plan.token);
    request.send().await.unwrap().headers()["etag"].to_str().unwrap().to_owned()
}

async fn undo(plan: &Plan, change: u64) -> (StatusCode, Value) {
    plan.post(&format!("/changes/{change}/undo"), json!({})).await
}

/// The inventory without what counts the uploads.
async fn inventory(plan: &Plan) -> Value {
    let mut document = plan.get("/inventory").await;
    document.as_object_mut().unwrap().remove("capture");
    document
}

on_both_stores! {
    async fn an_edit_overrides_the_classifier_moves_the_count_and_is_undone_exactly(plan: Plan) {
        with_devices(&plan).await;
        let before = inventory(&plan).await;
        let id = id(&plan, "10.0.0.3").await;
        let path = format!("/devices/{id}");
        let patch = json!({"type": "camera", "name": "Lobby", "location": "hall", "tags": ["b", "a"], "importance": "high"});
        assert_eq!(problem(&with_tag(&plan, Method::PATCH, &path, "", patch.clone()).await), (428, "precondition-required"));
        assert_eq!(problem(&with_tag(&plan, Method::PATCH, &path, "\"old\"", patch.clone()).await), (412, "precondition-failed"));
        let seen = tag(&plan, &id).await;
        let tried = with_tag(&plan, Method::PATCH, &format!("{path}?dry_run=true"), &seen, patch.clone()).await;
        assert_eq!((tried.0.as_u16(), &tried.1["count"]), (200, &json!({"before": 3, "after": 4, "delta": 1})));
        assert_eq!(inventory(&plan).await, before, "a dry run leaves nothing");
        let request = plan.client.patch(plan.of(&path)).bearer_auth(&plan.token).header("if-match", &seen);
        let answer = request.json(&patch).send().await.unwrap();
        let given = answer.headers()["etag"].to_str().unwrap().to_owned();
        let done = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(done.0, 200, "{}", done.1);
        assert_eq!(tag(&plan, &id).await, given, "the tag for the next change");
        assert_eq!((&done.1["change"]["number"], &done.1["change"]["by"]), (&json!(1), &json!("owner")));
        assert_eq!(done.1["altered"].as_array().unwrap().len(), 5);
        assert_eq!(done.1["devices"][0]["verdict"], "C-IOT");
        let d = device(&plan, &id).await;
        assert_eq!((&d["type"], &d["category"], &d["name"]), (&json!("camera"), &json!("iot"), &json!("Lobby")));
        assert_eq!((&d["tags"], &d["location"], &d["importance"]), (&json!(["a", "b"]), &json!("hall"), &json!("high")));
        assert_eq!((&d["confidence"], &d["evidence"][1]["says"]), (&json!(1.0), &json!("type=camera")));
        assert_eq!((&d["evidence"][1]["value"], &d["evidence"][1]["rule"]), (&json!("owner"), &json!("set-by-a-person")));
        assert_eq!(plan.get("/census").await["billable"], 4);

        // Whoever saw the device before the edit overwrites nothing; what stands already changes nothing.
        assert_eq!(problem(&with_tag(&plan, Method::PATCH, &path, &seen, patch.clone()).await), (412, "precondition-failed"));
        let again = with_tag(&plan, Method::PATCH, &path, "*", patch).await;
        assert_eq!((&again.1["change"], &again.1["altered_total"]), (&Value::Null, &json!(0)));
        let why = plan.get(&format!("{path}/why")).await;
        assert_eq!(why["decisions"][4], "type set by owner at 2026-11-22T09:00:00Z (change 1)");
        assert!(why["changes"].to_string().contains("the category that a person set is taken back"), "{why}");

        let (status, back) = undo(&plan, 1).await;
        assert_eq!((status.as_u16(), &back["count"]["delta"]), (200, &json!(-1)), "{back}");
        assert_eq!(inventory(&plan).await, before, "nothing of it is left");
        assert_eq!(problem(&undo(&plan, 1).await), (409, "change-undone"));
        assert_eq!(undo(&plan, 2).await.0, 200, "an undo is a change like others");
        assert_eq!(device(&plan, &id).await["name"], "Lobby");
    }

    async fn what_cannot_be_set_is_refused_with_its_own_problem(plan: Plan) {
        with_devices(&plan).await;
        let id = id(&plan, "10.0.0.3").await;
        let path = format!("/devices/{id}");
        for (patch, expected) in [
            (json!({"type": "toaster9"}), (422, "unknown-type")),
            (json!({"name": " "}), (422, "invalid-property")),
            (json!({"tags": ["x".repeat(41)]}), (422, "invalid-property")),
            (json!({"colour": "red"}), (422, "invalid-request")),
        ] {
            let answer = with_tag(&plan, Method::PATCH, &path, "*", patch.clone()).await;
            assert!(problem(&answer) == expected || problem(&answer) == (400, expected.1), "{patch}: {}", answer.1);
        }
        let nobody = "/devices/0123456789abcdef";
        assert_eq!(problem(&with_tag(&plan, Method::PATCH, nobody, "*", json!({})).await), (404, "not-found"));
        assert_eq!(problem(&with_tag(&plan, Method::DELETE, nobody, "*", Value::Null).await), (404, "not-found"));
        let bulk = |ids: Vec<String>| json!({"ids": ids, "set": {"name": "x"}});
        assert_eq!(problem(&plan.post("/devices/edit", bulk(vec![])).await), (422, "too-few-devices"));
        assert_eq!(problem(&plan.post("/devices/edit", bulk(vec![id.clone(); 1_001])).await), (422, "too-many-devices"));
        let unknown = plan.post("/devices/edit", bulk(vec![id.clone(), "0123456789abcdef".into()])).await;
        assert_eq!((problem(&unknown), &unknown.1["device"]), ((422, "unknown-device"), &json!("0123456789abcdef")));
        assert_eq!(device(&plan, &id).await["name"], "x", "as it calls itself: where one is refused, none is changed");
        assert_eq!(plan.get("/changes").await["changes"], json!([]));
    }

    async fn many_devices_are_edited_as_one_change_and_a_later_one_stands_in_the_way_of_undoing_it(plan: Plan) {
        with_devices(&plan).await;
        let ids = [id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await];
        let (status, body) = plan.post("/devices/edit", json!({"ids": ids, "set": {"category": "computer_mobile"}})).await;
        assert_eq!((status.as_u16(), &body["count"]), (200, &json!({"before": 3, "after": 1, "delta": -2})), "{body}");
        let (_, body) = plan.post("/devices/edit", json!({"ids": [ids[0]], "set": {"category": "iot"}})).await;
        assert_eq!(body["change"]["number"], 2);
        let refused = undo(&plan, 1).await;
        assert_eq!((problem(&refused), &refused.1["later"]), ((409, "change-touched"), &json!(2)));
        let changes = plan.get("/changes?limit=1").await;
        assert_eq!((&changes["changes"][0]["number"], &changes["next"]), (&json!(2), &json!(2)));
        let changes = plan.get("/changes?before=2").await;
        assert_eq!((&changes["changes"][0]["action"], &changes["next"]), (&json!("edit"), &Value::Null));
        let detail = plan.get("/changes/1?limit=1").await;
        assert_eq!((&detail["objects"], &detail["next"]), (&json!(2), &json!(1)));
        let first = &detail["altered"][0];
        assert_eq!((&first["object"]["property"], &first["before"]), (&json!("category"), &Value::Null));
        assert_eq!((&first["after"]["value"], &first["after"]["by"]), (&json!("computer_mobile"), &json!("owner")));
        let detail = plan.get("/changes/1?after=1").await;
        assert_eq!((detail["altered"].as_array().unwrap().len(), &detail["next"]), (1, &Value::Null));
        assert_eq!(undo(&plan, 2).await.0, 200);
        assert_eq!(undo(&plan, 1).await.0, 200);
        assert_eq!(plan.get("/changes/1").await["undone_by"], 4);
        assert_eq!(plan.get("/census").await["billable"], 3);
        assert_eq!(problem(&undo(&plan, 9).await), (404, "not-found"));
    }

    async fn a_merge_makes_one_device_within_a_zone_and_its_undo_two_again(plan: Plan) {
        with_devices(&plan).await;
        let before = inventory(&plan).await;
        let (one, two, far) = (id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await, id(&plan, "10.0.0.9").await);
        let merge = async |ids: &[&String]| plan.post("/devices/merge", json!({"ids": ids})).await;
        assert_eq!(problem(&merge(&[&one, &far]).await), (422, "merge-cross-zone"));
        assert_eq!(problem(&merge(&[&one]).await), (422, "too-few-devices"));
        let (status, body) = merge(&[&two, &one]).await;
        assert_eq!((status.as_u16(), &body["count"]["delta"]), (200, &json!(-1)), "{body}");
        let merged = &body["devices"][0];
        assert_eq!(merged["couplings"].as_array().unwrap().len(), 2);
        let why = plan.get(&format!("/devices/{}/why", merged["id"].as_str().unwrap())).await;
        assert_eq!((&why["joins"][0]["reason"], &why["joins"][0]["decided"]["by"]), (&json!("person"), &json!("owner")));
        assert_eq!(plan.get("/changes/1").await["altered"][0]["object"]["with"], format!("{B} 10.0.0.2"));
        assert_eq!(undo(&plan, 1).await.0, 200);
        assert_eq!(inventory(&plan).await, before);
        let deleted = with_tag(&plan, Method::DELETE, &format!("/devices/{two}"), "*", Value::Null).await;
        assert_eq!(deleted.0, 200, "{}", deleted.1);
        assert_eq!(problem(&merge(&[&one, &two]).await), (409, "device-deleted"));
    }

    async fn a_split_parts_what_identifiers_tie_and_not_one_cards_own_addresses(plan: Plan) {
        let sensor = ready(&plan).await;
        let seen = Seen::default().arp(A, "10.0.0.1", "network-a").arp(A, "fe80::a", "").arp(B, "10.0.0.2", "network-b");
        let seen = seen.station(A, Field::LldpChassisId, "x").station(B, Field::LldpChassisId, "x");
        seen.send(&plan, &sensor, 1, "hq").await;
        let id = id(&plan, "10.0.0.1").await;
        let split = async |couplings: Value| plan.post(&format!("/devices/{id}/split"), json!({"couplings": couplings})).await;
        let own = |ip: &str| json!({"mac": A, "ip": ip});
        let refused = split(json!([own("fe80::a")])).await;
        assert_eq!(problem(&refused), (409, "split-refused"));
        assert!(refused.1["detail"].as_str().unwrap().contains("(I8a)"), "{}", refused.1);
        assert_eq!(problem(&split(json!([])).await), (422, "invalid-split"));
        assert_eq!(problem(&split(json!([{"mac": C, "ip": "10.0.0.3"}])).await), (422, "invalid-split"));
        let (status, body) = split(json!([{"mac": B, "ip": "10.0.0.2"}])).await;
        assert_eq!((status.as_u16(), &body["count"]["delta"]), (200, &json!(1)), "{body}");
        assert_eq!(plan.get("/census").await["billable"], 2);
        // It holds when the cards say the same again.
        let again = Seen::default().station(B, Field::LldpChassisId, "x").arp(B, "fe80::b", "");
        again.send(&plan, &sensor, 2, "hq").await;
        assert_eq!(plan.get("/census").await["billable"], 2);
        assert_eq!(undo(&plan, 1).await.1["count"]["delta"], -1);
    }

    async fn a_managed_list_is_replaced_forgotten_and_given_back(plan: Plan) {
        with_devices(&plan).await;
        let list = |entries: Value| json!({"source": "mde", "from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "entries": entries});
        let (status, body) = plan.post("/managed/import", list(json!([{"mac": "00-40-8C-00-00-0A"}, {"ip": "10.0.0.2"}]))).await;
        assert_eq!((status.as_u16(), &body["count"]["delta"]), (200, &json!(-3)), "in both zones: {body}");
        let page = plan.get("/managed?limit=1").await;
        assert_eq!(page["sources"], json!([{"source": "mde", "entries": 2, "in_force": 2}]));
        assert_eq!((&page["total"], &page["entries"][0]["mac"]), (&json!(2), &json!(A)));
        let next = plan.get(&format!("/managed?after={}", page["next"].as_str().unwrap())).await;
        assert_eq!((&next["entries"][0]["ip"], &next["next"]), (&json!("10.0.0.2"), &Value::Null));
        let one = id(&plan, "10.0.0.1").await;
        let why = plan.get(&format!("/devices/{one}/why")).await;
        let said = why["decisions"][0].as_str().unwrap();
        assert!(said.starts_with("managed by mde as '00:40:8c:00:00:0a' until 2026-11-23T00:00:00Z, matched by its MAC"), "{said}");
        plan.set_time("2026-11-23T00:00:00Z");
        assert_eq!(plan.get("/census").await["billable"], 3, "the list is over");
        plan.set_time("2026-11-22T10:00:00Z");
        let mut of_zone = list(json!([{"mac": A}]));
        of_zone["zone"] = json!("branch");
        let (_, body) = plan.post("/managed/import", of_zone).await;
        assert_eq!(body["count"], json!({"before": 0, "after": 2, "delta": 2}), "{body}");
        let request = plan.client.delete(plan.of("/managed/mde")).bearer_auth(&plan.token);
        assert_eq!(send(request.try_clone().unwrap()).await.1["count"]["after"], 3);
        assert_eq!(problem(&send(request).await), (404, "not-found"));
        assert_eq!(undo(&plan, 3).await.1["count"]["after"], 2);
        let bad = plan.post("/managed/import", list(json!([{"mac": A}, {"external_id": "x"}]))).await;
        assert_eq!((problem(&bad), &bad.1["row"]), ((422, "invalid-entry"), &json!(2)));
    }

    async fn a_list_as_another_system_exports_it_is_imported_and_every_row_is_told_of(plan: Plan) {
        with_devices(&plan).await;
        let machines = json!({"value": [
            {"id": "m1", "computerDnsName": "pc1", "onboardingStatus": "Onboarded",
             "ipAddresses": [{"ipAddress": "10.0.0.77", "macAddress": "00408C00000A", "operationalStatus": "Up"}]},
            {"id": "m2", "computerDnsName": "pc2", "onboardingStatus": "Onboarded", "lastIpAddress": "10.0.0.2"},
            {"id": "m3", "computerDnsName": "cam", "onboardingStatus": "CanBeOnboarded", "lastIpAddress": "10.0.0.3"},
        ]});
        let send_file = async |query: &str, body: String| {
            let url = plan.of(&format!("/managed/import/file?{query}"));
            send(plan.client.post(url).bearer_auth(&plan.token).body(body)).await
        };
        let (status, tried) = send_file("source=mde&zone=hq&dry_run=true", machines.to_string()).await;
        assert_eq!((status.as_u16(), &tried["count"]["delta"]), (200, &json!(-2)), "{tried}");
        assert_eq!(plan.get("/managed").await["total"], 0);
        let (_, done) = send_file("source=mde&zone=hq", machines.to_string()).await;
        assert_eq!((&done["list"]["rows"], &done["list"]["taken"], &done["list"]["not_managed"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!(plan.get("/census").await["excluded"]["X-MANAGED"], 2);
        assert_eq!(plan.get("/devices?managed=true").await["total"], 2);
        let table = "name;ip\nx;10.0.0.3\n".to_owned();
        let (_, body) = send_file("source=cmdb&all=true", table.clone()).await;
        assert_eq!(body["list"]["taken"], 1, "{body}");
        for (query, body, expected) in [("source=mde", "nothing of use".to_owned(), (422, "unreadable-list")),
            ("source=mde&kind=toys", table.clone(), (400, "invalid-request")), ("source=", table, (422, "invalid-entry"))] {
            let answer = send_file(query, body).await;
            assert_eq!(problem(&answer), expected, "{}", answer.1);
        }
    }

    async fn a_reader_looks_and_changes_nothing_and_every_write_is_in_the_audit_trail(plan: Plan) {
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
            let request = plan.client.request(method.clone(), plan.of(&path)).bearer_auth(&reader).json(&body);
            let answer = send(request.header("if-match", "*")).await;
            assert_eq!(problem(&answer), (403, "not-permitted"), "{method} {path}: {}", answer.1);
            assert_eq!(answer.1["roles"], json!(["SA", "C", "O"]));
        }
        for path in ["/changes", "/managed", "/zones", "/devices.csv", "/devices.ndjson"] {
            let answer = plan.client.get(plan.of(path)).bearer_auth(&reader).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
        let request = plan.client.post(plan.of("/devices/edit")).bearer_auth(&plan.token);
        let request = request.header("x-reason", "moved").json(&json!({"ids": [one], "set": {"category": "unclassified"}}));
        assert_eq!(send(request).await.0, 200);
        let newest = plan.store.trail(Some(&plan.sid), &netcensus::plan::store::trail::TrailFilter::default(), 1).await.unwrap().remove(0);
        assert_eq!((newest.action.as_str(), newest.object.as_str()), ("devices.edit", "change/1"));
        assert_eq!((newest.actor.as_str(), newest.reason.as_deref()), ("person:owner", Some("moved")));
        assert_eq!(newest.count_delta, Some(-1));
        assert_eq!(plan.get("/changes/1").await["reason"], "moved");
    }

    async fn the_database_keeps_change_sets_as_they_are(plan: Plan) {
        with_devices(&plan).await;
        let one = id(&plan, "10.0.0.1").await;
        assert_eq!(plan.post("/devices/edit", json!({"ids": [one], "set": {"name": "x"}})).await.0, 200);
        for statement in [
            "UPDATE change_set SET made_by = 'nobody'",
            "DELETE FROM alteration",
            "UPDATE alteration SET before = NULL",
            "DELETE FROM change_set",
        ] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(sql(statement)).await.is_err(), "{statement}");
        }
        let twice = "INSERT INTO change_set (subscription, number, action, summary, made_by, made_at, undoes, objects,
                                             count_before, count_after)
                     VALUES ($1, $2, 'undo', '', '', 0, 1, 1, 0, 0)";
        let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
        work.execute(sql(twice).bind(&plan.sid).bind(2_i64)).await.unwrap();
        assert!(work.execute(sql(twice).bind(&plan.sid).bind(3_i64)).await.is_err(), "undone twice");
    }

    async fn decisions_survive_a_restart(plan: Plan) {
        let mut plan = plan;
        with_devices(&plan).await;
        let ids = [id(&plan, "10.0.0.1").await, id(&plan, "10.0.0.2").await];
        assert_eq!(plan.post("/devices/edit", json!({"ids": ids, "set": {"name": "x", "tags": ["t"], "type": "camera"}})).await.0, 200);
        assert_eq!(plan.post("/devices/merge", json!({"ids": ids})).await.0, 200);
        assert_eq!(plan.post("/managed/import", json!({"source": "s", "entries": [{"ip": "10.0.0.3"}]})).await.0, 200);
        let before = inventory(&plan).await;
        plan.restart().await;
        assert_eq!(inventory(&plan).await, before);
    }
}

#[tokio::test]
async fn two_services_see_decisions_at_once_and_number_changes_as_one() {
    let plan = Plan::start_on(Backend::Postgres).await;
    let second = plan.second().await;
    with_devices(&plan).await;
    let one = id(&plan, "10.0.0.1").await;
    let base = format!("/api/v1/subscriptions/{}", plan.sid);
    let urls = [plan.url.clone(), second];
    for n in 0..6_u64 {
        let (here, there) = (&urls[(n % 2) as usize], &urls[((n + 1) % 2) as usize]);
        let body = json!({"ids": [one], "set": {"name": format!("name {n}")}});
        let request = plan.client.post(format!("{here}{base}/devices/edit")).bearer_auth(&plan.token);
        let (status, body) = send(request.json(&body)).await;
        assert_eq!((status.as_u16(), &body["change"]["number"]), (200, &json!(n + 1)), "{body}");
        let request = plan.client.get(format!("{there}{base}/devices/{one}")).bearer_auth(&plan.token);
        assert_eq!(send(request).await.1["name"], format!("name {n}"));
    }
    // At once from both: each gets its number, none is lost.
    let edits = (0..8_usize).map(|n| {
        let body = json!({"ids": [one], "set": {"location": format!("place {n}")}});
        let url = format!("{}{base}/devices/edit", urls[n % 2]);
        tokio::spawn(send(plan.client.post(url).bearer_auth(&plan.token).json(&body)))
    });
    let mut done = 0;
    for edit in edits.collect::<Vec<_>>() {
        let (status, body) = edit.await.unwrap();
        assert!(status == 200 || problem(&(status, body)) == (409, "change-busy"));
        done += u64::from(status == 200);
    }
    let changes = plan.get("/changes").await;
    assert_eq!(changes["changes"][0]["number"], 6 + done);
    assert_eq!(changes["changes"].as_array().unwrap().len() as u64, 6 + done);
}
