//! The service is killed at the worst moments, and loses nothing that it acknowledged.

use std::os::unix::process::ExitStatusExt as _;

use netcensus::census::Inventory;
use netcensus::plan::store::{By, CredentialKind, Location, Store};
use netcensus::proof::{Day, Digest};
use netcensus::wire::SubscriptionId;
use netcensus::wire::Upload;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::support::databases::Backend::{self, Sqlite};
use crate::support::databases::on_each_database;
use crate::support::program::{Process, program_at};
use crate::support::store::{Stored, monthly};
use crate::support::{Answer, START, TestSensor, assert_has, at, databases, upload};

on_each_database! {
    bare
    an_upload_is_lost_whole_by_a_kill_before_its_commit_and_sent_again,
    an_upload_is_kept_whole_by_a_kill_after_its_commit,
    of_uploads_that_are_stored_together_none_is_lost_by_a_kill_before_the_commit,
    of_uploads_that_are_stored_together_none_is_lost_by_a_kill_after_the_commit,
    a_statement_whose_closing_is_killed_before_the_commit_is_closed_once,
    a_statement_whose_closing_is_killed_after_the_commit_is_closed_once,
    a_day_whose_sealing_is_killed_before_the_commit_gets_the_undisturbed_root,
    a_day_whose_sealing_is_killed_after_the_commit_keeps_the_undisturbed_root,
}

/// Starts the service. It aborts when it comes to the crash point of this name.
fn start(database: &Location, crash: Option<&str>) -> Process {
    let mut command = program_at(database, START, &["serve", "--listen", "127.0.0.1:0"]);
    command.envs(crash.map(|name| ("FAILPOINTS", format!("{name}=return"))));
    Process::start(command)
}

/// Waits until a crash ends the service.
fn crashed(process: Process) {
    assert!(process.ended().signal().is_some(), "it ended by a signal");
}

fn client() -> Client {
    netcensus::tls::client().no_proxy().build().unwrap()
}

/// The answer to an upload, unless the connection breaks.
async fn send(url: &str, stored: &Stored, upload: &Upload) -> Option<Answer> {
    send_as(&stored.sensor, url, &stored.sid, upload).await
}

async fn send_as(sensor: &TestSensor, url: &str, sid: &SubscriptionId, upload: &Upload) -> Option<Answer> {
    let url = format!("{url}/api/v1/subscriptions/{sid}/sensors/{}/uploads", sensor.id);
    let request = sensor.upload(client().post(url), upload.encode().unwrap());
    let answer = request.send().await.ok()?;
    Some(Answer { status: answer.status(), body: answer.json().await.ok()? })
}

async fn an_upload_is_lost_whole_by_a_kill_before_its_commit_and_sent_again(backend: Backend) {
    kill_an_upload(backend, "ingest-before-commit").await;
}

async fn an_upload_is_kept_whole_by_a_kill_after_its_commit(backend: Backend) {
    kill_an_upload(backend, "ingest-after-commit").await;
}

async fn kill_an_upload(backend: Backend, point: &str) {
    let dir = tempfile::tempdir().unwrap();
    let stored = Stored::with_trial(backend, dir.path(), at(START)).await;
    let uploads: Vec<Upload> = (1..=3_u64)
        .map(|n| {
            let (mac, ip) = (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"));
            upload(n, "hq", &[(&mac, &ip, "iot-1", "2026-11-22T08:00:00Z")])
        })
        .collect();
    let calm = start(&stored.database, None);
    send(&calm.url, &stored, &uploads[0]).await.unwrap().succeeds(201);
    calm.kill();
    let doomed = start(&stored.database, Some(point));
    assert!(send(&doomed.url, &stored, &uploads[1]).await.is_none(), "no answer comes");
    crashed(doomed);
    // The sensor sends the upload again, as it was not acknowledged, and goes on.
    let calm = start(&stored.database, None);
    let again = send(&calm.url, &stored, &uploads[1]).await.unwrap();
    let was_stored = point == "ingest-after-commit";
    assert_eq!(again.status == StatusCode::OK, was_stored);
    assert_eq!(again.body["duplicate"], was_stored);
    send(&calm.url, &stored, &uploads[2]).await.unwrap().succeeds(201);
    calm.kill();
    let mut expected = Inventory::default();
    for upload in &uploads {
        expected.merge_zone(&upload.zone, &upload.delta);
    }
    assert_eq!(stored.store.inventory(&stored.sid).await.unwrap(), expected);
}

async fn of_uploads_that_are_stored_together_none_is_lost_by_a_kill_before_the_commit(backend: Backend) {
    kill_uploads_together(backend, "ingest-before-commit").await;
}

async fn of_uploads_that_are_stored_together_none_is_lost_by_a_kill_after_the_commit(backend: Backend) {
    kill_uploads_together(backend, "ingest-after-commit").await;
}

/// Kills the service at its second transaction, while several sensors send at once.
async fn kill_uploads_together(backend: Backend, point: &str) {
    let dir = tempfile::tempdir().unwrap();
    let stored = Stored::with_trial(backend, dir.path(), at(START)).await;
    let mut sensors = vec![stored.sensor.clone()];
    for _ in 1..8 {
        let (secret, _) =
            stored.store.create_enrolment(&stored.sid, &By::operator(), at(START)).await.unwrap();
        sensors.push(TestSensor::enrol_in(&stored.store, &secret, at(START)).await);
    }
    let uploads: Vec<Upload> = (1..=8_u64)
        .map(|n| {
            let (mac, ip) = (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"));
            upload(n, ["hq", "branch"][usize::from(n > 4)], &[(&mac, &ip, "iot-1", "2026-11-22T08:00:00Z")])
        })
        .collect();
    let mut command = program_at(&stored.database, START, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("FAILPOINTS", format!("{point}=1*off->return"));
    let doomed = Process::start(command);
    let all = |url: String| {
        let pairs = sensors.clone().into_iter().zip(uploads.clone());
        let sent = pairs.map(|(sensor, upload)| {
            let (url, sid) = (url.clone(), stored.sid.clone());
            tokio::spawn(async move { send_as(&sensor, &url, &sid, &upload).await })
        });
        sent.collect::<Vec<_>>()
    };
    let mut acknowledged = Vec::new();
    for sent in all(doomed.url.clone()) {
        acknowledged.push(sent.await.unwrap().is_some_and(|answer| answer.status == StatusCode::CREATED));
    }
    if acknowledged.contains(&false) {
        crashed(doomed);
    } else {
        // All came in one transaction.
        doomed.kill();
    }
    let calm = start(&stored.database, None);
    for (sent, known) in all(calm.url.clone()).into_iter().zip(acknowledged) {
        let answer = sent.await.unwrap().unwrap();
        assert!(answer.status.is_success());
        assert!(answer.body["duplicate"] == true || !known, "what was acknowledged is there");
    }
    calm.kill();
    let mut expected = Inventory::default();
    for upload in &uploads {
        expected.merge_zone(&upload.zone, &upload.delta);
    }
    assert_eq!(stored.store.inventory(&stored.sid).await.unwrap(), expected);
}

/// The statement of September, which the service closes when it is first asked for; none if the connection breaks.
async fn september(url: &str, sid: &SubscriptionId, token: &str) -> Option<Value> {
    let url = format!("{url}/api/v1/subscriptions/{sid}/statements/2026-09");
    client().get(url).bearer_auth(token).send().await.ok()?.json().await.ok()
}

async fn a_statement_whose_closing_is_killed_before_the_commit_is_closed_once(backend: Backend) {
    kill_a_closing(backend, "statement-close-before-commit").await;
}

async fn a_statement_whose_closing_is_killed_after_the_commit_is_closed_once(backend: Backend) {
    kill_a_closing(backend, "statement-close-after-commit").await;
}

async fn kill_a_closing(backend: Backend, point: &str) {
    let dir = tempfile::tempdir().unwrap();
    let database = databases::fresh(backend, dir.path());
    let store = Store::open(&database).await.unwrap();
    // A plan of one hour in a month that ended long ago.
    let (then, now, by) = (at("2026-09-10T08:00:00Z"), at(START), By::operator());
    store.create_person("owner", "a long enough password", false, &by, now).await.unwrap();
    let sid = store.create_subscription("Contoso", Some("owner"), &by, then).await.unwrap().id;
    let token = store.issue(CredentialKind::Token, Some("owner"), now).await.unwrap().secret;
    store.onboard(&sid, &monthly(1700), None, &by, then).await.unwrap();
    store.cancel_plan(&sid, &by, then).await.unwrap();
    let closings = async || {
        let trail = store.audit_trail(Some(&sid), None, 1_000).await.unwrap();
        trail.into_iter().filter(|e| e.object == "statement/2026-09" && e.action == "statement.close").count()
    };

    let doomed = start(&database, Some(point));
    assert!(september(&doomed.url, &sid, &token).await.is_none(), "no answer comes");
    crashed(doomed);
    assert_eq!(closings().await, usize::from(point == "statement-close-after-commit"));
    let calm = start(&database, None);
    let first = september(&calm.url, &sid, &token).await.unwrap();
    let second = september(&calm.url, &sid, &token).await.unwrap();
    calm.kill();
    assert_has(&first, serde_json::json!({"state": "closed", "statement": {"device_months": "2.361111"}}));
    assert_eq!(first, second);
    assert_eq!(closings().await, 1);
}

/// Seals a day by the command line; says whether that succeeded.
fn seal(database: &Location, day: Day, crash: Option<&str>) -> bool {
    let mut command = program_at(database, START, &["snapshot", "seal", &day.to_string()]);
    command.envs(crash.map(|name| ("FAILPOINTS", format!("{name}=return"))));
    command.output().unwrap().status.success()
}

/// Seals a day after a crash at this point, if any; gives the snapshot's root.
async fn seal_after_a_crash(backend: Backend, crash: Option<&str>) -> Digest {
    let dir = tempfile::tempdir().unwrap();
    let (stored, day) = Stored::with_a_day_due(backend, dir.path()).await;
    let snapshots = async || stored.store.snapshots(&stored.sid, None, 10).await.unwrap();
    if let Some(crash) = crash {
        assert!(!seal(&stored.database, day, Some(crash)));
        let left = usize::from(crash == "snapshot-seal-after-commit");
        assert_eq!(snapshots().await.len(), left, "all of it or nothing");
    }
    assert!(seal(&stored.database, day, None));
    let sealed = snapshots().await;
    assert_eq!(sealed.len(), 1);
    sealed[0].header.root
}

async fn a_day_whose_sealing_is_killed_before_the_commit_gets_the_undisturbed_root(backend: Backend) {
    let killed = seal_after_a_crash(backend, Some("snapshot-seal-before-commit")).await;
    assert_eq!(killed, seal_after_a_crash(backend, None).await);
}

async fn a_day_whose_sealing_is_killed_after_the_commit_keeps_the_undisturbed_root(backend: Backend) {
    let killed = seal_after_a_crash(backend, Some("snapshot-seal-after-commit")).await;
    assert_eq!(killed, seal_after_a_crash(backend, None).await);
}

#[tokio::test]
async fn a_service_that_is_killed_while_it_seals_seals_when_it_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let (stored, day) = Stored::with_a_day_due(Sqlite, dir.path()).await;
    crashed(start(&stored.database, Some("snapshot-seal-before-commit")));
    assert!(stored.store.snapshots(&stored.sid, None, 10).await.unwrap().is_empty());
    crashed(start(&stored.database, Some("snapshot-seal-after-commit")));
    let sealed = stored.store.snapshots(&stored.sid, None, 10).await.unwrap();
    assert_eq!((sealed.len(), sealed[0].header.day, sealed[0].header.size), (1, day, 1));
}
