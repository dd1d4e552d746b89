//! The service is killed at the worst moments, and nothing that it acknowledged is lost.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use netcensus::billing::timeline::{Onboarding, PlanKind};
use netcensus::plan::store::{By, CredentialKind, Location, Store};
use netcensus::proof::{Day, Digest};
use netcensus::wire::Upload;
use reqwest::StatusCode;
use serde_json::Value;

use crate::database::{self, Backend};
use crate::harness::{START, TestSensor, upload};
use crate::snapshots::with_a_day_due;

/// A service in a process of its own.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    /// Starts it; it aborts where it comes by the crash point of that name.
    pub(crate) fn start(database: &Location, crash: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("NETCENSUS_PLAN_DATABASE", database::place(database));
        command.env("NETCENSUS_NOW", START).env_remove("NETCENSUS_PLAN_CONFIG").env("NO_COLOR", "1");
        if let Some(name) = crash {
            command.env("FAILPOINTS", format!("{name}=return"));
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = log.find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        let url = url.expect("the service tells where it listens");
        std::thread::spawn(move || log.for_each(drop));
        Self { child, url }
    }

    /// Waits for its end by a crash.
    pub(crate) fn crashed(mut self) {
        use std::os::unix::process::ExitStatusExt as _;
        assert!(self.child.wait().unwrap().signal().is_some(), "it ended by a signal");
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn send(url: &str, sid: &str, sensor: &TestSensor, upload: &Upload) -> Option<(StatusCode, Value)> {
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    let url = format!("{url}/api/v1/subscriptions/{sid}/sensors/{}/uploads", sensor.id);
    let answer = sensor.upload(client.post(url), upload.encode().unwrap()).send().await.ok()?;
    Some((answer.status(), answer.json().await.ok()?))
}

async fn kill_at(backend: Backend, point: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    let database = database::fresh(backend, dir.path());
    let store = Store::open(&database).await.unwrap();
    let now = START.parse().unwrap();
    let sid = store.create_subscription("Contoso", None, &By::operator(), now).await.unwrap().id;
    let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
    store.onboard(&sid, &trial, &By::operator(), now).await.unwrap();
    let (secret, _) = store.create_enrolment(&sid, &By::operator(), now).await.unwrap();
    let sensor = TestSensor::enrol_in(&store, &secret, now).await;
    let uploads: Vec<Upload> = (1..=3_u64)
        .map(|n| {
            let (mac, ip) = (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"));
            upload(n, "hq", &[(&mac, &ip, "iot-1", "2026-11-22T08:00:00Z")])
        })
        .collect();
    let calm = Process::start(&database, None);
    assert_eq!(send(&calm.url, &sid, &sensor, &uploads[0]).await.unwrap().0, StatusCode::CREATED);
    calm.kill();
    let doomed = Process::start(&database, Some(point));
    assert!(send(&doomed.url, &sid, &sensor, &uploads[1]).await.is_none(), "no answer comes");
    doomed.crashed();
    // The sensor sends what was not acknowledged again, and goes on.
    let calm = Process::start(&database, None);
    let (status, receipt) = send(&calm.url, &sid, &sensor, &uploads[1]).await.unwrap();
    let stored = point == "ingest-after-commit";
    assert_eq!((status == StatusCode::OK, &receipt["duplicate"]), (stored, &Value::Bool(stored)));
    assert_eq!(send(&calm.url, &sid, &sensor, &uploads[2]).await.unwrap().0, StatusCode::CREATED);
    calm.kill();
    let mut expected = netcensus::census::Inventory::default();
    for upload in &uploads {
        expected.merge_zone(&upload.zone, &upload.delta);
    }
    assert_eq!(store.inventory(&sid).await.unwrap(), expected);
}

#[tokio::test]
async fn a_kill_before_the_commit_of_an_upload_leaves_nothing_of_it_and_after_it_everything() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for point in ["ingest-before-commit", "ingest-after-commit"] {
            kill_at(backend, point).await;
        }
    }
}

/// A plan of one hour in a month that is long over; the service closes its statement when it is first asked for.
async fn kill_while_closing(backend: Backend, point: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    let database = database::fresh(backend, dir.path());
    let store = Store::open(&database).await.unwrap();
    let (then, by) = ("2026-09-10T08:00:00Z".parse().unwrap(), By::operator());
    let now = START.parse().unwrap();
    store.create_person("owner", "a long enough password", false, &By::operator(), now).await.unwrap();
    let sid = store.create_subscription("Contoso", Some("owner"), &By::operator(), then).await.unwrap().id;
    let token = store.issue(CredentialKind::Token, Some("owner"), now).await.unwrap().secret;
    let monthly = Onboarding { kind: PlanKind::Monthly, devices: Some(1700), accept_terms: true };
    store.onboard(&sid, &monthly, &by, then).await.unwrap();
    store.cancel_plan(&sid, &by, then).await.unwrap();
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    let ask = async |url: &str| -> Option<Value> {
        let url = format!("{url}/api/v1/subscriptions/{sid}/statements/2026-09");
        client.get(url).bearer_auth(&token).send().await.ok()?.json().await.ok()
    };
    let doomed = Process::start(&database, Some(point));
    assert!(ask(&doomed.url).await.is_none(), "no answer comes");
    doomed.crashed();
    let closings = async || {
        let trail = store.audit_trail(Some(&sid), None, 1_000).await.unwrap();
        trail.into_iter().filter(|e| e.object == "statement/2026-09" && e.action == "statement.close").count()
    };
    assert_eq!(closings().await, usize::from(point == "statement-close-after-commit"));
    let calm = Process::start(&database, None);
    let (first, second) = (ask(&calm.url).await.unwrap(), ask(&calm.url).await.unwrap());
    calm.kill();
    assert_eq!(
        (&first["state"], &first["statement"]["device_months"]),
        (&"closed".into(), &"2.361111".into())
    );
    assert_eq!(first, second);
    assert_eq!(closings().await, 1, "it is closed once");
}

/// Before and after the commit.
async fn a_killed_closing_is_done_once(backend: Backend) {
    for point in ["statement-close-before-commit", "statement-close-after-commit"] {
        kill_while_closing(backend, point).await;
    }
}

#[tokio::test]
async fn a_statement_whose_closing_is_killed_is_closed_once_on_sqlite() {
    a_killed_closing_is_done_once(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_statement_whose_closing_is_killed_is_closed_once_on_postgresql() {
    a_killed_closing_is_done_once(Backend::Postgres).await;
}

/// What `netcensus-plan snapshot seal` ends with.
fn seal(database: &Location, day: Day, crash: Option<&str>) -> std::process::ExitStatus {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command
        .args(["snapshot", "seal", &day.to_string()])
        .env("NETCENSUS_PLAN_DATABASE", database::place(database));
    command
        .env("NETCENSUS_NOW", START)
        .env_remove("NETCENSUS_PLAN_CONFIG")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(name) = crash {
        command.env("FAILPOINTS", format!("{name}=return"));
    }
    command.status().unwrap()
}

/// The root and the number of snapshots after a kill at `crash`, if any, and another attempt.
async fn seal_through(backend: Backend, crash: Option<&str>) -> (Digest, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (database, store, sid, day) = with_a_day_due(backend, dir.path()).await;
    if let Some(crash) = crash {
        assert!(!seal(&database, day, Some(crash)).success());
        let left = store.snapshots(&sid, None, 10).await.unwrap();
        assert_eq!(left.len(), usize::from(crash == "snapshot-seal-after-commit"), "all of it or nothing");
    }
    assert!(seal(&database, day, None).success());
    let sealed = store.snapshots(&sid, None, 10).await.unwrap();
    (sealed[0].header.root, sealed.len())
}

#[tokio::test]
async fn a_kill_while_a_day_is_sealed_leaves_one_snapshot_with_the_undisturbed_root() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let undisturbed = seal_through(backend, None).await;
        assert_eq!(undisturbed.1, 1);
        for point in ["snapshot-seal-before-commit", "snapshot-seal-after-commit"] {
            assert_eq!(seal_through(backend, Some(point)).await, undisturbed, "{point}");
        }
    }
}

#[tokio::test]
async fn a_service_that_is_killed_while_it_seals_seals_when_it_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let (database, store, sid, day) = with_a_day_due(Backend::Sqlite, dir.path()).await;
    Process::start(&database, Some("snapshot-seal-before-commit")).crashed();
    assert!(store.snapshots(&sid, None, 10).await.unwrap().is_empty());
    Process::start(&database, Some("snapshot-seal-after-commit")).crashed();
    let sealed = store.snapshots(&sid, None, 10).await.unwrap();
    assert_eq!((sealed.len(), sealed[0].header.day, sealed[0].header.size), (1, day, 1));
}
