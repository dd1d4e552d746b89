//! The managed list: importing it, replacing it, forgetting it, and undoing each.

use reqwest::Method;
use serde_json::{Value, json};

use crate::decisions::{A, billable, id, undo, with_devices};
use crate::support::databases::on_each_database;
use crate::support::{Answer, Plan, assert_has, send};

on_each_database! {
    devices_on_a_managed_list_are_not_counted_while_it_is_in_force,
    the_managed_list_is_read_by_pages,
    a_managed_list_is_replaced_forgotten_and_given_back,
    a_refused_managed_list_names_the_row_that_is_wrong,
    a_list_is_imported_as_another_system_exports_it_and_every_row_is_accounted_for,
    a_table_of_which_all_rows_are_managed_is_imported_too,
}

/// A managed list for a day.
fn list(entries: Value) -> Value {
    json!({"source": "mde", "from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z", "entries": entries})
}

fn two_entries() -> Value {
    list(json!([{"mac": "00-40-8C-00-00-0A"}, {"ip": "10.0.0.2"}]))
}

async fn import(plan: &Plan, list: Value) -> Answer {
    plan.post("/managed/import", list).await
}

async fn devices_on_a_managed_list_are_not_counted_while_it_is_in_force(plan: Plan) {
    with_devices(&plan).await;
    let done = import(&plan, two_entries()).await.succeeds(200);
    assert_eq!(done["count"]["delta"], -3, "in both zones");
    let why = plan.get(&format!("/devices/{}/why", id(&plan, "10.0.0.1").await)).await;
    let said = why["decisions"][0].as_str().unwrap();
    let expected = "managed by mde as '00:40:8c:00:00:0a' until 2026-11-23T00:00:00Z, matched by its MAC";
    assert!(said.starts_with(expected), "{said}");
    plan.set_time("2026-11-23T00:00:00Z");
    assert_eq!(billable(&plan).await, 3);
}

async fn the_managed_list_is_read_by_pages(plan: Plan) {
    with_devices(&plan).await;
    import(&plan, two_entries()).await.succeeds(200);
    let page = plan.get("/managed?limit=1").await;
    assert_eq!(page["sources"], json!([{"source": "mde", "entries": 2, "in_force": 2}]));
    assert_eq!(page["total"], 2);
    assert_eq!(page["entries"][0]["mac"], A);
    let next = plan.get(&format!("/managed?after={}", page["next"].as_str().unwrap())).await;
    assert_eq!(next["entries"][0]["ip"], "10.0.0.2");
    assert_eq!(next["next"], Value::Null);
}

async fn a_managed_list_is_replaced_forgotten_and_given_back(plan: Plan) {
    with_devices(&plan).await;
    import(&plan, two_entries()).await.succeeds(200);
    let mut of_zone = list(json!([{"mac": A}]));
    of_zone["zone"] = json!("branch");
    let replaced = import(&plan, of_zone).await.body;
    assert_eq!(replaced["count"], json!({"before": 0, "after": 2, "delta": 2}));
    let forget = async || send(plan.request(Method::DELETE, "/managed/mde")).await;
    assert_eq!(forget().await.body["count"]["after"], 3);
    forget().await.fails(404, "not-found");
    assert_eq!(undo(&plan, 3).await.body["count"]["after"], 2);
}

async fn a_refused_managed_list_names_the_row_that_is_wrong(plan: Plan) {
    with_devices(&plan).await;
    let refused = import(&plan, list(json!([{"mac": A}, {"external_id": "x"}]))).await;
    assert_eq!(refused.fails(422, "invalid-entry")["row"], 2);
}

async fn import_file(plan: &Plan, query: &str, file: &str) -> Answer {
    let request = plan.request(Method::POST, &format!("/managed/import/file?{query}"));
    send(request.body(file.to_owned())).await
}

async fn a_list_is_imported_as_another_system_exports_it_and_every_row_is_accounted_for(plan: Plan) {
    with_devices(&plan).await;
    let machines = json!({"value": [
        {"id": "m1", "computerDnsName": "pc1", "onboardingStatus": "Onboarded",
         "ipAddresses": [{"ipAddress": "10.0.0.77", "macAddress": "00408C00000A", "operationalStatus": "Up"}]},
        {"id": "m2", "computerDnsName": "pc2", "onboardingStatus": "Onboarded", "lastIpAddress": "10.0.0.2"},
        {"id": "m3", "computerDnsName": "cam", "onboardingStatus": "CanBeOnboarded", "lastIpAddress": "10.0.0.3"},
    ]});
    let machines = machines.to_string();
    let tried = import_file(&plan, "source=mde&zone=hq&dry_run=true", &machines).await.succeeds(200);
    assert_eq!(tried["count"]["delta"], -2);
    assert_eq!(plan.get("/managed").await["total"], 0);
    let done = import_file(&plan, "source=mde&zone=hq", &machines).await.body;
    assert_has(&done["list"], json!({"rows": 3, "taken": 2, "not_managed": 1}));
    assert_eq!(plan.get("/census").await["excluded"]["X-MANAGED"], 2);
    assert_eq!(plan.get("/devices?managed=true").await["total"], 2);
}

async fn a_table_of_which_all_rows_are_managed_is_imported_too(plan: Plan) {
    with_devices(&plan).await;
    let table = "name;ip\nx;10.0.0.3\n";
    let done = import_file(&plan, "source=cmdb&all=true", table).await.body;
    assert_eq!(done["list"]["taken"], 1, "{done}");
    import_file(&plan, "source=mde", "not a list").await.fails(422, "unreadable-list");
    import_file(&plan, "source=mde&kind=toys", table).await.fails(400, "invalid-request");
    import_file(&plan, "source=", table).await.fails(422, "invalid-entry");
}
