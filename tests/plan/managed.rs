//! The managed list: importing it, replacing it, forgetting it, and undoing each.

use std::sync::Arc;
use std::time::Duration;

use netcensus::plan::app::change_jobs::{self, JobState, WAIT, Waited};
use netcensus::plan::app::{May, Refusal};
use netcensus::plan::permission::EditDevices;
use netcensus::plan::store::By;
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::decisions::{A, billable, id, undo, with_devices};
use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;
use crate::support::{Answer, Plan, assert_has, send};

on_each_database! {
    devices_on_a_managed_list_are_not_counted_while_it_is_in_force,
    the_managed_list_is_read_by_pages,
    a_managed_list_is_replaced_forgotten_and_given_back,
    a_refused_managed_list_names_the_row_that_is_wrong,
    a_list_is_imported_as_another_system_exports_it_and_every_row_is_accounted_for,
    a_table_of_which_all_rows_are_managed_is_imported_too,
    a_list_that_loses_more_than_a_fifth_replaces_nothing_without_force,
    a_list_that_breaks_off_or_is_of_another_kind_replaces_nothing_without_force,
    every_device_of_an_intune_export_is_managed,
    the_console_previews_a_list_and_asks_for_a_confirmation,
    who_does_not_wait_for_a_long_change_is_told_its_outcome_by_a_job,
}

/// Waits until a job has ended.
async fn ended(plan: &Plan, place: &str) -> Value {
    loop {
        let job = plan.get(place).await;
        if job["state"] != "running" {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

async fn who_does_not_wait_for_a_long_change_is_told_its_outcome_by_a_job(plan: Plan) {
    with_devices(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    let ask = async |list: Value| {
        let request = plan.request(Method::POST, "/managed/import").header("prefer", "respond-async");
        let job = send(request.json(&list)).await.succeeds(202);
        assert_eq!((&job["what"], &job["state"]), (&json!("managed_import"), &json!("running")));
        format!("/jobs/{}", job["id"].as_str().unwrap())
    };
    let place = ask(two_entries()).await;
    let job = ended(&plan, &place).await;
    assert_eq!((&job["state"], &job["stage"]), (&json!("done"), &json!("writing")));
    assert_eq!(job["answer"]["count"], json!({"before": 3, "after": 0, "delta": -3}));
    assert_eq!(billable(&plan).await, 0, "the change is made");
    browser.show(&place).await.assert(200, "3 → 0");

    let place = ask(list(json!([{"external_id": "x"}]))).await;
    let job = ended(&plan, &place).await;
    assert_eq!((&job["state"], &job["problem"]["status"]), (&json!("failed"), &json!(422)));
    assert_eq!(job["problem"]["type"], "/problems/invalid-entry");
    browser.show(&place).await.assert(200, "Nothing was changed");

    let undo = plan.request(Method::POST, "/changes/1/undo").header("prefer", "respond-async");
    let place = format!("/jobs/{}", send(undo).await.succeeds(202)["id"].as_str().unwrap());
    assert_eq!(ended(&plan, &place).await["answer"]["count"]["after"], 3);
    assert_eq!(plan.get("/jobs").await["jobs"].as_array().unwrap().len(), 3);
    let other = plan.subscription("other", None).await;
    let elsewhere = format!("{}/api/v1/subscriptions/{other}{place}", plan.url);
    send(plan.client.get(elsewhere).bearer_auth(&plan.token)).await.fails(404, "not-found");
}

#[tokio::test]
async fn callers_who_go_away_while_a_change_goes_on_hold_no_place_for_ever() {
    let plan = Plan::start().await;
    let app = plan.another().await;
    let may = May::<EditDevices>::operator(app.store.subscription(&plan.sid).await.unwrap(), By::operator());
    let gate = Arc::new(Semaphore::new(0));
    let change = || {
        let gate = Arc::clone(&gate);
        async move {
            drop(gate.acquire().await);
            Ok(7)
        }
    };
    let run = || change_jobs::run(&app, &may, "test", WAIT, |refusal| refusal.to_string().into(), change());
    for _ in 0..16 {
        tokio::time::timeout(Duration::from_millis(1), run()).await.unwrap_err();
    }
    assert!(matches!(run().await, Err(Refusal::Busy { .. })), "they go on");
    gate.close();
    let view = may.view();
    while change_jobs::list(&app, &view).jobs.iter().any(|job| job.state == JobState::Running) {
        tokio::task::yield_now().await;
    }
    let jobs = change_jobs::list(&app, &view).jobs;
    assert_eq!((jobs.len(), jobs[0].answer.clone()), (16, Some(json!(7))));
    assert!(matches!(run().await, Ok(Waited::Done(7))));
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
    of_zone["force"] = json!(true);
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

/// Ten machines as Defender gives them; of the first there is a device in the zone `hq`.
fn machines() -> String {
    let machine = |n: u8| {
        json!({"id": format!("m{n}"), "computerDnsName": format!("pc{n}"), "onboardingStatus": "Onboarded",
               "ipAddresses": [{"ipAddress": "10.0.0.77", "macAddress": format!("00408C0000{:02X}", n + 9), "operationalStatus": "Up"}]})
    };
    json!({"value": (1..=10).map(machine).collect::<Vec<_>>()}).to_string()
}

/// The managed list of `mde` with the ten machines.
async fn with_machines(plan: &Plan) {
    with_devices(plan).await;
    let done = import_file(plan, "source=mde", &machines()).await.succeeds(200);
    assert_has(&done, json!({"entries": {"before": 0, "after": 10, "lost": 0}, "doubts": []}));
    assert_eq!(plan.get("/managed").await["total"], 10);
}

/// The source still has its ten entries, and nothing was recorded.
async fn nothing_was_replaced(plan: &Plan) {
    assert_eq!(plan.get("/managed").await["total"], 10);
    assert_eq!(plan.get("/changes").await["changes"].as_array().unwrap().len(), 1);
}

async fn a_list_that_loses_more_than_a_fifth_replaces_nothing_without_force(plan: Plan) {
    with_machines(&plan).await;
    let before = billable(&plan).await;
    let macs =
        |from: u8| (from..=19).map(|n| json!({"mac": format!("00:40:8c:00:00:{n:02x}")})).collect::<Vec<_>>();
    let list = |from| json!({"source": "mde", "entries": macs(from)});
    let refused = import(&plan, list(13)).await.fails(409, "doubtful-list");
    assert_eq!(refused["entries"], json!({"before": 10, "after": 7, "lost": 3}));
    assert_eq!(refused["doubts"], json!(["3 of the 10 entries of its source are not in it"]));
    assert_eq!(refused["count"]["before"], before);
    assert!(refused["count"]["after"].as_u64() > refused["count"]["before"].as_u64(), "{refused}");
    nothing_was_replaced(&plan).await;
    // A dry run is the preview, and tells the same.
    let tried = plan.post("/managed/import?dry_run=true", list(13)).await.succeeds(200);
    assert_eq!((&tried["count"], &tried["doubts"]), (&refused["count"], &refused["doubts"]));
    nothing_was_replaced(&plan).await;
    let mut forced = list(13);
    forced["force"] = json!(true);
    import(&plan, forced).await.succeeds(200);
    assert_eq!(plan.get("/managed").await["total"], 7);
    import(&plan, list(14)).await.succeeds(200);
    import(&plan, json!({"source": "mde", "entries": []})).await.fails(409, "doubtful-list");
}

async fn a_list_that_breaks_off_or_is_of_another_kind_replaces_nothing_without_force(plan: Plan) {
    with_machines(&plan).await;
    let whole = machines();
    let (cut_off, _) = whole.split_at(whole.len() - 40);
    let refused = import_file(&plan, "source=mde", cut_off).await.fails(409, "doubtful-list");
    assert!(refused["doubts"][0].as_str().unwrap().contains("breaks off"), "{refused}");
    // A list of a source that has none yet is not taken either.
    import_file(&plan, "source=new", cut_off).await.fails(409, "doubtful-list");
    for (list, problem) in [
        ("", (422, "unreadable-list")),
        (r#"{"value": []}"#, (422, "unreadable-list")),
        (r#"{"error": {"code": "Unauthorized", "message": "expired"}}"#, (422, "unreadable-list")),
        ("name,mac\nx,00:40:8c:00:00:0a\n", (409, "doubtful-list")),
    ] {
        let refused = import_file(&plan, "source=mde", list).await;
        assert_eq!(refused.problem(), problem, "{list}: {}", refused.body);
    }
    nothing_was_replaced(&plan).await;
    let forced = import_file(&plan, "source=mde&force=true", cut_off).await.succeeds(200);
    assert!(forced["doubts"][0].as_str().unwrap().contains("breaks off"), "{forced}");
}

async fn every_device_of_an_intune_export_is_managed(plan: Plan) {
    with_devices(&plan).await;
    let table = "Device ID,Device name,Managed by,OS,Wi-Fi MAC,EthernetMAC,Compliance\n\
                 a1,nb-1,Intune,Windows,00:40:8c:00:00:0a,,Compliant\n\
                 a2,nb-2,Intune,Windows,3c:52:82:c1:00:02,3c:52:82:c2:00:02,Noncompliant\n";
    let done = import_file(&plan, "source=intune", table).await.succeeds(200);
    assert_has(&done["list"], json!({"rows": 2, "taken": 2, "product": "Microsoft Intune"}));
    assert_eq!(done["entries"]["after"], 3, "an entry for each card");
    assert!(done["count"]["delta"].as_i64() < Some(0), "{done}");
}

async fn the_console_previews_a_list_and_asks_for_a_confirmation(plan: Plan) {
    with_machines(&plan).await;
    let browser = Browser::sign_in(&plan).await;
    let few: Value = serde_json::from_str(&machines()).unwrap();
    let few = json!({"value": few["value"].as_array().unwrap()[..7]}).to_string();
    let post = async |boxes: &[&str]| {
        let mut form = format!(
            "--sep\r\nContent-Disposition: form-data; name=\"file\"; filename=\"machines.json\"\r\n\r\n{few}\r\n--sep\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nmde\r\n"
        );
        for name in boxes {
            form.push_str(&format!(
                "--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nyes\r\n"
            ));
        }
        form.push_str("--sep--\r\n");
        let request = plan.client.post(browser.page("/managed")).header(header::COOKIE, &browser.cookie);
        let request = request.header(header::ORIGIN, &plan.url).body(form);
        Page::read(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=sep")).await
    };
    let preview = post(&["preview"]).await;
    for said in ["Preview: nothing was stored", "10 → 7", "3 of the 10 entries of its source are not in it"]
    {
        preview.assert(200, said);
    }
    post(&["import"]).await.assert(409, "tick “Replace even so”");
    nothing_was_replaced(&plan).await;
    post(&["import", "force"]).await.assert(200, "Imported");
    assert_eq!(plan.get("/managed").await["total"], 7);
    browser.show("/managed").await.assert(200, "<td>mde</td>");
}
