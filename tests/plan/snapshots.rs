//! Snapshots over the API: sealing, revisions, proofs, bundles.

use std::io::{BufReader, Write as _};
use std::process::{Command, Stdio};

use netcensus::billing::statement::Month;
use netcensus::plan::permission::{Action, Role};
use netcensus::plan::store::Store;
use netcensus::plan::store::engine::sql;
use netcensus::proof::Leaf;
use netcensus::proof::verify::{BundleReport, TrustedSigner, Verified, verify};
use netcensus::wire::Upload;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::answers::{each, masked};
use crate::support::databases::on_each_database;
use crate::support::{Answer, Plan, TestSensor, assert_has, send, upload};

on_each_database! {
    a_closed_statement_knows_what_its_days_counted,
    the_bundle_of_a_closed_month_holds_its_statement,
    a_day_is_sealed_ten_minutes_after_its_end_and_once_by_all_services,
    a_snapshot_has_the_numbers_of_the_end_of_its_day,
    a_late_upload_makes_a_new_revision_that_names_it_and_the_old_one_stays,
    a_day_that_was_sealed_today_gets_its_next_revision_tomorrow,
    all_revisions_are_listed_by_pages_and_the_newest_of_each_day_counts,
    a_device_that_came_back_later_was_idle_on_a_day_that_is_sealed_late,
    a_day_is_counted_by_the_decisions_that_stood_at_its_end,
    a_day_without_a_plan_is_sealed_on_request_alone_and_once,
    days_that_are_not_over_or_before_the_subscription_cannot_be_sealed,
    snapshots_proofs_and_bundles_that_do_not_exist_are_their_own_problems,
    who_may_edit_devices_may_seal_and_who_may_view_may_prove,
    a_device_is_proven_to_be_in_a_snapshot,
    a_bundle_names_its_key_and_has_the_statement_that_the_api_shows,
    an_independent_verifier_agrees_about_bundles_and_proofs,
    the_database_itself_keeps_what_is_sealed,
}

/// The report about a bundle that holds.
fn verified(bundle: &str) -> BundleReport {
    match verify(BufReader::new(bundle.as_bytes()), &TrustedSigner::default()) {
        Ok(Verified::Bundle(report)) => report,
        other => unreachable!("{other:?}"),
    }
}

/// Three devices seen in the morning: one of the network, one of IoT, a computer.
fn morning() -> Upload {
    let at = "2026-11-22T09:30:00Z";
    upload(
        1,
        "hq",
        &[
            ("00:1b:d4:00:00:01", "10.0.0.1", "network-1", at),
            ("00:1b:d4:00:00:02", "10.0.0.2", "iot-1", at),
            ("00:1b:d4:00:00:03", "10.0.0.3", "computer_mobile-1", at),
        ],
    )
}

impl Plan {
    /// Moves the clock, and runs the service's jobs once.
    async fn run_jobs_at(&self, time: &str) {
        self.set_time(time);
        self.run_jobs().await;
    }

    async fn snapshot(&self, path: &str) -> Value {
        self.get(&format!("/snapshots/{path}")).await["header"].clone()
    }

    async fn verified_bundle(&self, month: &str) -> BundleReport {
        verified(&self.text(&format!("/bundle?month={month}")).await)
    }
}

async fn a_closed_statement_knows_what_its_days_counted(plan: Plan) {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    plan.upload(&sensor, &morning()).await.succeeds(201);
    let open = plan.get("/statements/2026-11").await;
    assert_eq!(open["statement"]["peak_billable"], Value::Null, "no day is sealed yet");
    plan.run_jobs_at("2026-12-04T00:30:00Z").await;
    // The service closes statements that nobody asks for.
    assert_eq!(plan.trail_of("statement.close").await.len(), 1);
    let closed = plan.get("/statements/2026-11").await;
    assert_has(&closed["statement"], json!({"peak_billable": 2, "last_billable": 2}));
}

async fn the_bundle_of_a_closed_month_holds_its_statement(plan: Plan) {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    plan.upload(&sensor, &morning()).await.succeeds(201);
    plan.run_jobs_at("2026-12-04T00:30:00Z").await;
    let report = plan.verified_bundle("2026-11").await;
    let months: Vec<String> = report.statements.iter().map(|s| s.month.to_string()).collect();
    assert_eq!(months, ["2026-11"]);
}

/// A monthly plan, and the devices of [`morning`].
async fn with_a_morning(plan: &Plan) -> TestSensor {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.upload(&sensor, &morning()).await.succeeds(201);
    sensor
}

async fn a_day_is_sealed_ten_minutes_after_its_end_and_once_by_all_services(plan: Plan) {
    with_a_morning(&plan).await;
    plan.run_jobs_at("2026-11-23T00:09:59Z").await;
    assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]));
    plan.set_time("2026-11-23T00:10:00Z");
    let other = Store::open(&plan.database).await.unwrap();
    tokio::join!(plan.run_jobs(), plan.run_jobs_on(other));
    plan.run_jobs().await;
    let list = plan.get("/snapshots").await;
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(list["next"], Value::Null);
    assert_eq!(plan.get("/snapshots/2026-11-22").await, list["snapshots"][0]);
    assert_eq!(plan.verified_bundle("2026-11").await.snapshots.len(), 1);
}

async fn a_snapshot_has_the_numbers_of_the_end_of_its_day(plan: Plan) {
    let sensor = with_a_morning(&plan).await;
    // A device that is first seen after midnight is not part of the day.
    plan.set_time("2026-11-23T00:09:59Z");
    let late = upload(2, "hq", &[("00:1b:d4:00:00:04", "10.0.0.4", "iot-2", "2026-11-23T00:05:00Z")]);
    plan.upload(&sensor, &late).await.succeeds(201);
    plan.run_jobs_at("2026-11-23T00:10:00Z").await;
    let header = plan.snapshot("2026-11-22").await;
    let header = masked(header, &["subscription", "root", "previous", "rules", "trails"]);
    insta::assert_json_snapshot!("header_of_a_snapshot", header);
    let leaves = plan.text("/snapshots/2026-11-22/leaves").await;
    let leaves: Vec<Leaf> = leaves.lines().map(|line| Leaf::read(line).unwrap()).collect();
    assert_eq!(leaves.iter().filter(|leaf| leaf.verdict.is_counted()).count(), 2);
    assert_eq!(leaves.len(), 3);
}

/// Seals 22, 23 and 24 November. Then an upload comes late: it has a device of the 23rd.
async fn with_a_late_upload(plan: &Plan) -> String {
    let sensor = plan.ready().await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.upload(&sensor, &morning()).await.succeeds(201);
    for day in ["23", "24", "25"] {
        plan.run_jobs_at(&format!("2026-11-{day}T00:10:00Z")).await;
    }
    plan.set_time("2026-11-25T08:00:00Z");
    let late = upload(7, "hq", &[("00:1b:d4:00:00:09", "10.0.0.9", "iot-9", "2026-11-23T12:00:00Z")]);
    plan.upload(&sensor, &late).await.succeeds(201);
    sensor.id.to_string()
}

async fn a_late_upload_makes_a_new_revision_that_names_it_and_the_old_one_stays(plan: Plan) {
    let sensor = with_a_late_upload(&plan).await;
    let first = plan.get("/snapshots/2026-11-23").await;
    plan.run_jobs().await;
    plan.run_jobs().await;
    let header = plan.snapshot("2026-11-23").await;
    assert_has(&header, json!({"revision": 1, "census": {"billable": 3}}));
    let reason = header["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("{sensor} e1/7")), "{reason}");
    assert_eq!(plan.get("/snapshots/2026-11-23?revision=0").await, first);
    assert_eq!(plan.snapshot("2026-11-22").await["revision"], 0, "the upload has no facts about that day");
}

async fn a_day_that_was_sealed_today_gets_its_next_revision_tomorrow(plan: Plan) {
    with_a_late_upload(&plan).await;
    plan.run_jobs().await;
    assert_eq!(plan.snapshot("2026-11-24").await["revision"], 0);
    plan.run_jobs_at("2026-11-26T00:10:00Z").await;
    assert_eq!(plan.snapshot("2026-11-24").await["revision"], 1);
}

async fn all_revisions_are_listed_by_pages_and_the_newest_of_each_day_counts(plan: Plan) {
    with_a_late_upload(&plan).await;
    plan.run_jobs().await;
    plan.run_jobs_at("2026-11-26T00:10:00Z").await;
    let list = plan.get("/snapshots").await;
    let headers = list["snapshots"].as_array().unwrap().iter().map(|snapshot| &snapshot["header"]);
    let revisions: Vec<String> = headers
        .map(|header| {
            format!("{} {} {}", header["number"], header["day"].as_str().unwrap(), header["revision"])
        })
        .collect();
    assert_eq!(
        revisions,
        [
            "6 2026-11-25 0",
            "5 2026-11-24 1",
            "4 2026-11-23 1",
            "3 2026-11-24 0",
            "2 2026-11-23 0",
            "1 2026-11-22 0",
        ]
    );
    let report = plan.verified_bundle("2026-11").await;
    let counts: Vec<u64> = report.snapshots.iter().map(|header| header.census.billable).collect();
    assert_eq!((counts, report.headers), (vec![2, 3, 3, 3], 6));
    let november: Month = "2026-11".parse().unwrap();
    let found = plan.store.daily_counts(&plan.sid, november.into()).await.unwrap();
    assert_eq!(found.into_iter().map(|s| s.billable).collect::<Vec<_>>(), [2, 3, 3, 3]);
    assert_eq!(plan.get("/snapshots?limit=4").await["next"], 3);
    let last = plan.get("/snapshots?limit=4&before=3").await;
    assert_eq!(each(&last["snapshots"], "key").len(), 2);
    assert_eq!(last["next"], Value::Null);
}

async fn a_device_that_came_back_later_was_idle_on_a_day_that_is_sealed_late(plan: Plan) {
    let sensor = plan.ready().await;
    let seen = |at: &str, n| upload(n, "hq", &[("00:1b:d4:00:00:01", "10.0.0.1", "iot-1", at)]);
    plan.upload(&sensor, &seen("2026-10-20T08:00:00Z", 1)).await.succeeds(201);
    plan.run_jobs_at("2026-11-23T00:10:00Z").await;
    let idle = json!({"census": {"excluded": {"X-IDLE": 1}}});
    assert_has(&plan.snapshot("2026-11-22").await, idle.clone());
    // The device comes back before the 23rd is sealed.
    plan.set_time("2026-11-25T09:00:00Z");
    plan.upload(&sensor, &seen("2026-11-25T08:00:00Z", 2)).await.succeeds(201);
    plan.run_jobs().await;
    assert_has(&plan.snapshot("2026-11-23").await, idle.clone());
    assert_has(&plan.snapshot("2026-11-24").await, idle);
    plan.run_jobs_at("2026-11-26T00:10:00Z").await;
    assert_eq!(plan.snapshot("2026-11-25").await["census"]["billable"], 1);
}

async fn a_day_is_counted_by_the_decisions_that_stood_at_its_end(plan: Plan) {
    let sensor = plan.ready().await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.upload(&sensor, &morning()).await.succeeds(201);
    let set_category = async |ip: &str, category: &str| {
        let id = plan.get(&format!("/devices?q={ip}")).await["devices"][0]["id"].clone();
        let body = json!({"ids": [id], "set": {"category": category}});
        plan.post("/devices/edit", body).await.succeeds(200);
    };
    set_category("10.0.0.3", "network").await;
    plan.set_time("2026-11-23T00:05:00Z");
    set_category("10.0.0.3", "iot").await;
    set_category("10.0.0.1", "computer_mobile").await;
    plan.run_jobs_at("2026-11-23T00:10:00Z").await;
    assert_has(&plan.snapshot("2026-11-22").await["census"], json!({"network": 2, "iot": 1}));
    plan.run_jobs_at("2026-11-24T00:10:00Z").await;
    assert_has(&plan.snapshot("2026-11-23").await["census"], json!({"network": 0, "iot": 2}));
    // A later decision changes no earlier day: nothing new is sealed.
    plan.post("/snapshots/2026-11-22", json!({})).await.succeeds(200);
    plan.verified_bundle("2026-11").await;
}

async fn seal(plan: &Plan, day: &str) -> Answer {
    plan.post(&format!("/snapshots/{day}"), json!({})).await
}

async fn a_day_without_a_plan_is_sealed_on_request_alone_and_once(plan: Plan) {
    plan.run_jobs_at("2026-11-25T09:00:00Z").await;
    assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]));
    let tried = seal(&plan, "2026-11-23?dry_run=true").await.succeeds(201);
    assert_eq!(tried["header"]["number"], 1);
    assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]), "a dry run stores nothing");
    let sealed = seal(&plan, "2026-11-23").await.succeeds(201);
    assert_has(&sealed["header"], json!({"plan": null, "size": 0}));
    assert_eq!(seal(&plan, "2026-11-23").await.succeeds(200), sealed);
    let seals = plan.trail_of("snapshot.seal").await;
    assert_eq!((seals.len(), seals[0].actor.as_str()), (1, "person:owner"));
}

async fn days_that_are_not_over_or_before_the_subscription_cannot_be_sealed(plan: Plan) {
    plan.set_time("2026-11-25T09:00:00Z");
    seal(&plan, "2026-11-25").await.fails(409, "day-not-over");
    seal(&plan, "2026-11-21").await.fails(422, "day-too-early");
    seal(&plan, "yesterday").await.fails(400, "invalid-request");
}

async fn snapshots_proofs_and_bundles_that_do_not_exist_are_their_own_problems(plan: Plan) {
    plan.set_time("2026-11-25T09:00:00Z");
    seal(&plan, "2026-11-23").await.succeeds(201);
    for (path, problem) in [
        ("/snapshots/2026-11-24", (404, "no-snapshot")),
        ("/snapshots/2026-11-23?revision=4", (404, "no-snapshot")),
        ("/snapshots/2026-11-23/proof?device=0123456789abcdef", (404, "not-found")),
        ("/bundle?month=2026-10", (404, "no-snapshot")),
        ("/bundle?month=november", (400, "invalid-request")),
        ("/snapshots?limit=x", (400, "invalid-request")),
    ] {
        assert_eq!(plan.try_get(path).await.problem(), problem, "{path}");
    }
}

async fn who_may_edit_devices_may_seal_and_who_may_view_may_prove(plan: Plan) {
    plan.set_time("2026-11-25T09:00:00Z");
    for role in Role::ALL {
        let token = plan.person(role.key(), role).await;
        let sealed = send(plan.request_as(&token, Method::POST, "/snapshots/2026-11-23")).await;
        let may = Action::EditDevices.allowed(&[role]);
        assert_eq!(sealed.status != StatusCode::FORBIDDEN, may, "{role}");
        for path in
            ["/snapshots", "/snapshots/2026-11-23", "/snapshots/2026-11-23/leaves", "/bundle?month=2026-11"]
        {
            let status = send(plan.request_as(&token, Method::GET, path)).await.status;
            assert!(status == 200 || status == 404, "{role} {path} {status}");
            assert_eq!(send(plan.client.get(plan.of(path))).await.status, 401);
        }
    }
}

/// A plan for 1700 devices, and the 22nd and 23rd sealed.
async fn with_sealed_days(plan: &Plan) {
    plan.onboard_monthly(1700).await;
    let sensor = plan.enrol().await;
    plan.set_time("2026-11-22T10:00:00Z");
    plan.upload(&sensor, &morning()).await.succeeds(201);
    plan.run_jobs_at("2026-11-24T00:10:00Z").await;
}

/// The id of the IoT device, and the proof that it is in the snapshot of the 22nd.
async fn proof(plan: &Plan) -> (String, String) {
    let device = plan.get("/devices?category=iot").await["devices"][0]["id"].as_str().unwrap().to_owned();
    let proof = plan.text(&format!("/snapshots/2026-11-22/proof?device={device}")).await;
    (device, proof)
}

async fn a_device_is_proven_to_be_in_a_snapshot(plan: Plan) {
    with_sealed_days(&plan).await;
    let (device, proof) = proof(&plan).await;
    let Ok(Verified::Device(report)) = verify(BufReader::new(proof.as_bytes()), &TrustedSigner::default())
    else {
        unreachable!("{proof}");
    };
    assert_eq!((report.device.id.as_str(), report.device.verdict.id()), (device.as_str(), "C-IOT"));
}

async fn a_bundle_names_its_key_and_has_the_statement_that_the_api_shows(plan: Plan) {
    with_sealed_days(&plan).await;
    plan.set_time("2026-12-04T00:00:00Z");
    let bundle = plan.text("/bundle?month=2026-11").await;
    let statement = verified(&bundle).statements.remove(0);
    assert_eq!(statement.lines[0].committed, Some(1700));
    assert_eq!((statement.peak_billable, statement.last_billable), (Some(2), Some(2)));
    assert_eq!(plan.get("/statements/2026-11").await["statement"]["peak_billable"], 2);
    let key = plan.get("/snapshots").await["snapshots"][0]["key"].as_str().unwrap().to_owned();
    assert!(bundle.starts_with(&format!(
        r#"{{"schema":"netcensus.bundle/1","subscription":"{}","days":{{"from":"2026-11-01","to":"2026-12-01"}},"key":"{key}"}}"#,
        plan.sid
    )));
}

async fn an_independent_verifier_agrees_about_bundles_and_proofs(plan: Plan) {
    with_sealed_days(&plan).await;
    let (_, proof) = proof(&plan).await;
    plan.set_time("2026-12-04T00:00:00Z");
    let bundle = plan.text("/bundle?month=2026-11").await;
    for whole in [&bundle, &proof] {
        assert_eq!(python(whole), Ok(()));
        assert!(python(whole.trim_end()).is_err());
    }
}

/// What the independent verifier says of a file. It also changes a bit in a sample of the file's bytes, and must notice
/// each change. The tests of the verifier in Rust change every byte.
fn python(file: &str) -> Result<(), String> {
    let mut child = Command::new("python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/verify.py"), "25"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is missing: '.ci/need unit' installs it");
    // It may end before it reads all.
    child.stdin.take().unwrap().write_all(file.as_bytes()).ok();
    let out = child.wait_with_output().unwrap();
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
}

async fn the_database_itself_keeps_what_is_sealed(plan: Plan) {
    plan.set_time("2026-11-25T09:00:00Z");
    seal(&plan, "2026-11-23").await.succeeds(201);
    let insert =
        "INSERT INTO snapshot (subscription, number, day, revision, sealed_at, facts_revision, as_of,
        known_until, network, iot, billable, devices, committed, header, hash, signature)
        SELECT subscription, number + $1, day, revision + $2, sealed_at, facts_revision, as_of, known_until,
        network, iot, billable, devices, committed, header, hash, signature FROM snapshot";
    for (what, query) in [
        ("a gap in the chain", sql(insert).bind(2_i64).bind(1_i64)),
        ("a gap in the revisions", sql(insert).bind(1_i64).bind(2_i64)),
        ("the same twice", sql(insert).bind(0_i64).bind(0_i64)),
    ] {
        assert!(!plan.execute(query).await, "{what}");
    }
    plan.assert_database_refuses(&[
        "UPDATE snapshot SET billable = 0, network = 0, iot = 0",
        "DELETE FROM snapshot",
        "UPDATE signing_key SET created_at = 0",
        "DELETE FROM signing_key",
    ])
    .await;
}
