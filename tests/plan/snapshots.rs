//! Snapshots through the API, on both stores: sealing, revisions, proofs, bundles.

use std::io::{BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use netcensus::billing::timeline::{Kind, Onboarding};
use netcensus::census::Policy;
use netcensus::plan::app::jobs;
use netcensus::plan::app::{App, Settings};
use netcensus::plan::permission::Role;
use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, Location, Replica, Scope, Store};
use netcensus::proof::verify::{Report, Trust, Verified, verify};
use netcensus::proof::{Day, Leaf};
use netcensus::wire::Upload;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::database::{self, Backend, on_both_stores};
use crate::harness::{ByName, Plan, START, TestClock, problem, send, upload};

/// The service's own jobs, as another service on the same database runs them.
pub(crate) async fn tick_once(plan: &Plan) {
    assert_eq!(jobs::once(&service(plan)).await, 0);
}

fn service(plan: &Plan) -> App {
    service_on(plan, plan.store.clone())
}

fn service_on(plan: &Plan, store: Store) -> App {
    let clock = Arc::<TestClock>::clone(&plan.clock);
    App::new(store, clock, Arc::new(ByName), Settings::default())
}

async fn text(plan: &Plan, path: &str) -> String {
    let response = plan.client.get(plan.of(path)).bearer_auth(&plan.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.unwrap()
}

fn holds(bundle: &str) -> Report {
    match verify(BufReader::new(bundle.as_bytes()), &Trust::default()) {
        Ok(Verified::Bundle(report)) => report,
        other => unreachable!("{other:?}"),
    }
}

/// Three devices seen in the morning: one of the network, one of IoT, a computer.
fn morning(sequence: u64) -> Upload {
    let at = "2026-11-22T09:30:00Z";
    upload(
        sequence,
        "hq",
        &[
            ("00:1b:d4:00:00:01", "10.0.0.1", "network-1", at),
            ("00:1b:d4:00:00:02", "10.0.0.2", "iot-1", at),
            ("00:1b:d4:00:00:03", "10.0.0.3", "computer_mobile-1", at),
        ],
    )
}

on_both_stores! {
    async fn the_bundle_of_a_closed_month_holds_its_statement_which_knows_what_its_days_counted(plan: Plan) {
        let asked = json!({"kind": "monthly", "devices": 100, "accept_terms": true});
        assert_eq!(plan.post("/plan", asked).await.0, StatusCode::CREATED);
        let sensor = plan.enrol().await;
        assert_eq!(plan.upload(&sensor, &morning(1)).await.0, StatusCode::CREATED);
        let open = plan.get("/statements/2026-11").await;
        assert_eq!(open["statement"]["peak_billable"], Value::Null, "no day is sealed yet");
        plan.set_time("2026-12-04T00:30:00Z");
        tick_once(&plan).await;
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 1_000).await.unwrap();
        let closings = || trail.iter().filter(|e| e.action == "statement.close").count();
        assert_eq!(closings(), 1, "the service closes what nobody asks for");
        let closed = plan.get("/statements/2026-11").await;
        let counted = &closed["statement"];
        assert_eq!((&counted["peak_billable"], &counted["last_billable"]), (&json!(2), &json!(2)));
        let report = holds(&text(&plan, "/bundle?month=2026-11").await);
        let months: Vec<String> = report.statements.iter().map(|s| s.month.to_string()).collect();
        assert_eq!(months, ["2026-11"]);
    }
}

on_both_stores! {
    async fn a_day_is_sealed_ten_minutes_after_its_end_and_once(plan: Plan) {
        assert_eq!(plan.post("/plan", json!({"kind": "monthly", "devices": 100, "accept_terms": true})).await.0, 201);
        let sensor = plan.enrol().await;
        plan.set_time("2026-11-22T10:00:00Z");
        assert_eq!(plan.upload(&sensor, &morning(1)).await.0, 201);
        plan.set_time("2026-11-23T00:09:59Z");
        tick_once(&plan).await;
        assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]));
        // A device that speaks after midnight is no part of the day.
        let late = upload(2, "hq", &[("00:1b:d4:00:00:04", "10.0.0.4", "iot-2", "2026-11-23T00:05:00Z")]);
        assert_eq!(plan.upload(&sensor, &late).await.0, 201);
        plan.set_time("2026-11-23T00:10:00Z");
        let other = Store::open(&plan.database).await.unwrap();
        let (one, other) = (service(&plan), service_on(&plan, other));
        let (a, b) = tokio::join!(jobs::once(&one), jobs::once(&other));
        assert_eq!((a, b), (0, 0));
        tick_once(&plan).await;
        let list = plan.get("/snapshots").await;
        let snapshots = list["snapshots"].as_array().unwrap();
        assert_eq!((snapshots.len(), &list["next"]), (1, &Value::Null));
        let header = &snapshots[0]["header"];
        assert_eq!(header["day"], "2026-11-22");
        assert_eq!((&header["number"], &header["revision"], &header["reason"]), (&json!(1), &json!(0), &Value::Null));
        assert_eq!(header["as_of"], "2026-11-23T00:00:00Z");
        assert_eq!(header["plan"], json!({"number": 1, "kind": "monthly", "committed": 100}));
        let census = json!({"network": 1, "iot": 1, "billable": 2, "commitment": 100, "strict_couplings": 3,
            "excluded": {"X-CM": 1}});
        assert_eq!(header["census"], census);
        // The same numbers as the census of that instant gives, and as the leaves do.
        let leaves = text(&plan, "/snapshots/2026-11-22/leaves").await;
        let leaves: Vec<Leaf> = leaves.lines().map(|l| Leaf::read(l).unwrap()).collect();
        assert_eq!(leaves.iter().filter(|l| l.verdict.is_counted()).count(), 2);
        assert_eq!(leaves.len(), 3);
        let show = plan.get("/snapshots/2026-11-22").await;
        assert_eq!(show, snapshots[0]);
        let day = text(&plan, "/bundle?month=2026-11").await;
        assert_eq!(holds(&day).snapshots.len(), 1);
    }

    async fn a_late_upload_makes_a_new_revision_and_the_old_one_stays(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        plan.set_time("2026-11-22T10:00:00Z");
        plan.upload(&sensor, &morning(1)).await;
        for day in ["23", "24", "25"] {
            plan.set_time(&format!("2026-11-{day}T00:10:00Z"));
            tick_once(&plan).await;
        }
        let first = plan.get("/snapshots/2026-11-23").await;
        // From a sensor that could not deliver: a device that was seen on the 23rd.
        plan.set_time("2026-11-25T08:00:00Z");
        let late = upload(7, "hq", &[("00:1b:d4:00:00:09", "10.0.0.9", "iot-9", "2026-11-23T12:00:00Z")]);
        assert_eq!(plan.upload(&sensor, &late).await.0, 201);
        tick_once(&plan).await;
        tick_once(&plan).await;
        let now = plan.get("/snapshots/2026-11-23").await;
        assert_eq!((&now["header"]["revision"], &now["header"]["census"]["billable"]), (&json!(1), &json!(3)));
        let reason = now["header"]["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("{} e1/7", sensor.id)), "{reason}");
        assert_eq!(plan.get("/snapshots/2026-11-23?revision=0").await, first);
        assert_eq!(plan.get("/snapshots/2026-11-22").await["header"]["revision"], 0, "it tells nothing of that day");
        // The day that was sealed today waits for tomorrow, so that no sensor makes a revision a minute.
        assert_eq!(plan.get("/snapshots/2026-11-24").await["header"]["revision"], 0);
        plan.set_time("2026-11-26T00:10:00Z");
        tick_once(&plan).await;
        assert_eq!(plan.get("/snapshots/2026-11-24").await["header"]["revision"], 1);
        let numbers: Vec<_> = plan.get("/snapshots").await["snapshots"].as_array().unwrap().iter().map(|s| {
            format!("{} {} {}", s["header"]["number"], s["header"]["day"].as_str().unwrap(), s["header"]["revision"])
        }).collect();
        assert_eq!(numbers, ["6 2026-11-25 0", "5 2026-11-24 1", "4 2026-11-23 1", "3 2026-11-24 0", "2 2026-11-23 0", "1 2026-11-22 0"]);
        let report = holds(&text(&plan, "/bundle?month=2026-11").await);
        let counts: Vec<u64> = report.snapshots.iter().map(|h| h.census.billable).collect();
        assert_eq!((counts, report.headers), (vec![2, 3, 3, 3], 6));
        let found = plan.store.daily_counts(&plan.sid, "2026-11".parse::<netcensus::billing::statement::Month>().unwrap().into()).await;
        assert_eq!(found.unwrap().into_iter().map(|(_, n)| n).collect::<Vec<_>>(), [2, 3, 3, 3]);
        let pages = [plan.get("/snapshots?limit=4").await, plan.get("/snapshots?limit=4&before=3").await];
        assert_eq!((&pages[0]["next"], &pages[1]["next"]), (&json!(3), &Value::Null));
        assert_eq!(pages[1]["snapshots"].as_array().unwrap().len(), 2);
    }

    async fn what_came_back_later_was_idle_on_the_day_that_is_counted_late(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        let seen = |at: &str, n| upload(n, "hq", &[("00:1b:d4:00:00:01", "10.0.0.1", "iot-1", at)]);
        plan.upload(&sensor, &seen("2026-10-20T08:00:00Z", 1)).await;
        plan.set_time("2026-11-23T00:10:00Z");
        tick_once(&plan).await;
        let idle = json!({"X-IDLE": 1});
        assert_eq!(plan.get("/snapshots/2026-11-22").await["header"]["census"]["excluded"], idle);
        // Nobody seals the 23rd, and then the device comes back.
        plan.set_time("2026-11-25T09:00:00Z");
        plan.upload(&sensor, &seen("2026-11-25T08:00:00Z", 2)).await;
        tick_once(&plan).await;
        assert_eq!(plan.get("/snapshots/2026-11-23").await["header"]["census"]["excluded"], idle);
        assert_eq!(plan.get("/snapshots/2026-11-24").await["header"]["census"]["excluded"], idle);
        plan.set_time("2026-11-26T00:10:00Z");
        tick_once(&plan).await;
        assert_eq!(plan.get("/snapshots/2026-11-25").await["header"]["census"]["billable"], 1);
    }

    async fn a_day_is_counted_by_the_decisions_that_stood_at_its_end(plan: Plan) {
        plan.onboard_trial().await;
        let sensor = plan.enrol().await;
        plan.set_time("2026-11-22T10:00:00Z");
        plan.upload(&sensor, &morning(1)).await;
        let edit = async |ip: &str, set: Value| {
            let id = plan.get(&format!("/devices?q={ip}")).await["devices"][0]["id"].clone();
            let answer = plan.post("/devices/edit", json!({"ids": [id], "set": set})).await;
            assert_eq!(answer.0, 200, "{}", answer.1);
        };
        edit("10.0.0.3", json!({"category": "network"})).await;
        plan.set_time("2026-11-23T00:05:00Z");
        edit("10.0.0.3", json!({"category": "iot"})).await;
        edit("10.0.0.1", json!({"category": "computer_mobile"})).await;
        plan.set_time("2026-11-23T00:10:00Z");
        tick_once(&plan).await;
        let sealed = async |day: &str| {
            let census = &plan.get(&format!("/snapshots/{day}")).await["header"]["census"];
            (census["network"].clone(), census["iot"].clone())
        };
        assert_eq!(sealed("2026-11-22").await, (json!(2), json!(1)));
        plan.set_time("2026-11-24T00:10:00Z");
        tick_once(&plan).await;
        assert_eq!(sealed("2026-11-23").await, (json!(0), json!(2)));
        let again = plan.post("/snapshots/2026-11-22", json!({})).await;
        assert_eq!(again.0, 200, "what was decided later changes no earlier day");
        holds(&text(&plan, "/bundle?month=2026-11").await);
    }

    async fn a_day_without_a_plan_is_sealed_on_request_alone(plan: Plan) {
        plan.set_time("2026-11-25T09:00:00Z");
        tick_once(&plan).await;
        assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]));
        let seal = async |day: &str, query: &str| plan.post(&format!("/snapshots/{day}{query}"), json!({})).await;
        let tried = seal("2026-11-23", "?dry_run=true").await;
        assert_eq!((tried.0.as_u16(), &tried.1["header"]["number"]), (201, &json!(1)));
        assert_eq!(plan.get("/snapshots").await["snapshots"], json!([]), "a dry run stores nothing");
        let sealed = seal("2026-11-23", "").await;
        assert_eq!((sealed.0.as_u16(), &sealed.1["header"]["plan"], &sealed.1["header"]["size"]), (201, &Value::Null, &json!(0)));
        let again = seal("2026-11-23", "").await;
        assert_eq!((again.0.as_u16(), again.1), (200, sealed.1), "it holds");
        assert_eq!(problem(&seal("2026-11-25", "").await), (409, "day-not-over"));
        assert_eq!(problem(&seal("2026-11-21", "").await), (422, "day-too-early"));
        assert_eq!(problem(&seal("yesterday", "").await), (400, "invalid-request"));
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 10).await.unwrap();
        let seals: Vec<_> = trail.iter().filter(|e| e.action == "snapshot.seal").collect();
        assert_eq!((seals.len(), seals[0].actor.as_str()), (1, "person:owner"));
        for (path, slug) in [
            ("/snapshots/2026-11-24", (404, "no-snapshot")),
            ("/snapshots/2026-11-23?revision=4", (404, "no-snapshot")),
            ("/snapshots/2026-11-23/proof?device=0123456789abcdef", (404, "not-found")),
            ("/bundle?month=2026-10", (404, "no-snapshot")),
            ("/bundle?month=november", (400, "invalid-request")),
            ("/snapshots?limit=x", (400, "invalid-request")),
        ] {
            let answer = send(plan.client.get(plan.of(path)).bearer_auth(&plan.token)).await;
            assert_eq!(problem(&answer), slug, "{path}");
        }
    }

    async fn who_may_edit_devices_may_seal_and_who_may_view_may_prove(plan: Plan) {
        plan.set_time("2026-11-25T09:00:00Z");
        for role in Role::ALL {
            let token = plan.person(role.key(), role).await;
            let url = plan.of("/snapshots/2026-11-23");
            let status = send(plan.client.post(&url).bearer_auth(&token)).await.0;
            let may = netcensus::plan::permission::Action::EditDevices.allowed(&[role]);
            assert_eq!(status != StatusCode::FORBIDDEN, may, "{role}");
            for path in ["/snapshots", "/snapshots/2026-11-23", "/snapshots/2026-11-23/leaves", "/bundle?month=2026-11"] {
                let status = send(plan.client.get(plan.of(path)).bearer_auth(&token)).await.0;
                assert!(status == 200 || status == 404, "{role} {path} {status}");
                assert_eq!(send(plan.client.get(plan.of(path))).await.0, 401);
            }
        }
    }

    async fn a_device_is_proven_and_an_independent_verifier_agrees(plan: Plan) {
        assert_eq!(plan.post("/plan", json!({"kind": "monthly", "devices": 1700, "accept_terms": true})).await.0, 201);
        let sensor = plan.enrol().await;
        plan.set_time("2026-11-22T10:00:00Z");
        plan.upload(&sensor, &morning(1)).await;
        plan.set_time("2026-11-24T00:10:00Z");
        tick_once(&plan).await;
        let device = plan.get("/devices?category=iot").await["devices"][0]["id"].as_str().unwrap().to_owned();
        let proof = text(&plan, &format!("/snapshots/2026-11-22/proof?device={device}")).await;
        let Ok(Verified::Device(report)) = verify(BufReader::new(proof.as_bytes()), &Trust::default()) else {
            unreachable!("{proof}");
        };
        assert_eq!((report.device.id.as_str(), report.device.verdict.id()), (device.as_str(), "C-IOT"));
        plan.set_time("2026-12-04T00:00:00Z");
        let bundle = text(&plan, "/bundle?month=2026-11").await;
        let statement = holds(&bundle).statements.remove(0);
        assert_eq!((statement.lines[0].committed, statement.peak_billable, statement.last_billable), (Some(1700), Some(2), Some(2)));
        assert_eq!(plan.get("/statements/2026-11").await["statement"]["peak_billable"], 2);
        for whole in [&bundle, &proof] {
            // With changes of a sample of bytes; the verifier in Rust is tried with all of them.
            assert_eq!(python(whole), Ok(()));
            assert!(python(whole.trim_end()).is_err());
        }
        let key = plan.get("/snapshots").await["snapshots"][0]["key"].as_str().unwrap().to_owned();
        assert!(bundle.starts_with(&format!(
            r#"{{"schema":"netcensus.bundle/1","subscription":"{}","days":{{"from":"2026-11-01","to":"2026-12-01"}},"key":"{key}"}}"#,
            plan.sid
        )));
    }

    async fn the_database_itself_keeps_what_is_sealed(plan: Plan) {
        plan.set_time("2026-11-25T09:00:00Z");
        assert_eq!(plan.post("/snapshots/2026-11-23", json!({})).await.0, 201);
        let insert = "INSERT INTO snapshot (subscription, number, day, revision, sealed_at, facts_revision, as_of,
            known_until, network, iot, billable, devices, committed, header, hash, signature)
            SELECT subscription, number + $1, day, revision + $2, sealed_at, facts_revision, as_of, known_until,
            network, iot, billable, devices, committed, header, hash, signature FROM snapshot";
        for (what, query) in [
            ("a gap in the chain", sql(insert).bind(2_i64).bind(1_i64)),
            ("a gap in the revisions", sql(insert).bind(1_i64).bind(2_i64)),
            ("the same twice", sql(insert).bind(0_i64).bind(0_i64)),
            ("a change", sql("UPDATE snapshot SET billable = 0, network = 0, iot = 0")),
            ("an end", sql("DELETE FROM snapshot")),
            ("another key", sql("UPDATE signing_key SET created_at = 0")),
            ("no key", sql("DELETE FROM signing_key")),
        ] {
            let mut work = plan.store.write(Scope::Subscription(&plan.sid)).await.unwrap();
            assert!(work.execute(query).await.is_err(), "{what}");
        }
    }
}

/// A database with a day that is due at [`START`]: the one before, of which one device is known.
pub(crate) async fn with_a_day_due(
    backend: Backend,
    directory: &std::path::Path,
) -> (Location, Store, String, Day) {
    let database = database::fresh(backend, directory);
    let store = Store::open(&database).await.unwrap();
    let day = Day::of(START.parse().unwrap()).plus(-1);
    let (begin, noon) = (day.start(), day.start().plus(43_200_000_000_000));
    let sid = store.create_subscription("Contoso", None, &By::operator(), begin).await.unwrap().id;
    let trial = Onboarding { kind: Kind::Trial, devices: None, accept_terms: true };
    store.onboard(&sid, &trial, &By::operator(), begin).await.unwrap();
    let (secret, _) = store.create_enrolment(&sid, &By::operator(), begin).await.unwrap();
    let sensor = crate::harness::TestSensor::enrol_in(&store, &secret, begin).await.id;
    let seen = upload(1, "hq", &[("02:00:00:00:00:01", "10.0.0.1", "iot-1", &noon.to_string())]);
    store.ingest(&sid, &sensor, &seen, [0; 32], &Replica::default(), noon).await.unwrap();
    (database, store, sid, day)
}

#[tokio::test]
async fn a_day_is_sealed_shown_exported_and_verified_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let (database, store, sid, day) = with_a_day_due(Backend::Sqlite, dir.path()).await;
    let day = day.to_string();
    let month = day.rsplit_once('-').unwrap().0;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
        command
            .args(arguments)
            .current_dir(dir.path())
            .env("NETCENSUS_NOW", START)
            .env_remove("NETCENSUS_PLAN_CONFIG")
            .stdin(Stdio::null());
        let offline = arguments.first() == Some(&"verify");
        let place = if offline { "/nowhere".to_owned() } else { database::place(&database) };
        let out = command.env("NETCENSUS_PLAN_DATABASE", place).output().unwrap();
        (
            out.status.code().unwrap(),
            String::from_utf8(out.stdout).unwrap(),
            String::from_utf8(out.stderr).unwrap(),
        )
    };
    let (code, tried, _) = run(&["snapshot", "seal", &day, "--dry-run"]);
    assert!(code == 0 && tried.contains("would be sealed"), "{tried}");
    let (code, _, why) = run(&["snapshot", "show", &day]);
    assert!(code == 1 && why.contains("there is no snapshot"), "{why}");
    let (code, sealed, _) = run(&["snapshot", "seal", &day, "--reason", "month end"]);
    assert!(
        code == 0 && sealed.contains("0 network + 0 IoT = 0 billable, rounded up to 0; 1 devices in all"),
        "{sealed}"
    );
    assert!(run(&["snapshot", "seal", &day]).1.contains("nothing was sealed"));
    assert!(run(&["snapshot", "show", &day]).1.contains("because: month end"));
    let (_, list, _) = run(&["snapshot", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 1);
    let (_, table, _) = run(&["snapshot", "list"]);
    assert!(table.starts_with("DAY") && table.contains(&day), "{table}");
    let (_, key, _) = run(&["snapshot", "key"]);
    let fingerprint = key.lines().nth(1).unwrap();
    assert_eq!(key.lines().next().unwrap(), list["snapshots"][0]["key"]);

    assert_eq!(run(&["snapshot", "export", month, "--output", "bundle.ndjson"]).0, 0);
    let (code, _, why) = run(&["snapshot", "export", month, "--output", "bundle.ndjson"]);
    assert!(code == 1 && why.contains("cannot make bundle.ndjson"), "nothing is overwritten: {why}");
    let (code, report, _) = run(&["verify", "bundle.ndjson"]);
    assert!(
        code == 0 && report.contains("1 days of subscription") && report.contains(fingerprint),
        "{report}"
    );
    assert_eq!(run(&["verify", "bundle.ndjson", "--key", fingerprint, "--json"]).0, 0);
    let (code, _, why) = run(&["verify", "bundle.ndjson", "--key", "SHA256:other"]);
    assert!(code == 1 && why.contains("bundle.ndjson: line 1: it was signed by the key SHA256:"), "{why}");
    let path = dir.path().join("bundle.ndjson");
    let changed = std::fs::read_to_string(&path).unwrap().replace("\"X-UNCL\",\"first", "\"C-NET\",\"first");
    std::fs::write(&path, changed).unwrap();
    let (code, _, why) = run(&["verify", "bundle.ndjson"]);
    assert!(code == 1 && why.contains("bundle.ndjson: line 3: the verdict C-NET on the device"), "{why}");

    let device = store.inventory(&sid).await.unwrap();
    let policy = Policy::default();
    let decisions = netcensus::census::Decisions::default();
    let survey = netcensus::census::Survey::new(
        &device,
        &policy,
        &decisions,
        &ByName,
        store.snapshots(&sid, None, 1).await.unwrap()[0].header.as_of,
    );
    let (code, proof, _) = run(&["snapshot", "proof", &day, &survey.devices[0].id.to_string()]);
    assert_eq!(code, 0);
    std::fs::write(dir.path().join("proof.json"), proof).unwrap();
    let (code, report, _) = run(&["verify", "proof.json"]);
    assert!(code == 0 && report.contains("is in the snapshot of"), "{report}");
}

/// What the independent verifier says of a file, and of the same with a bit changed in some of its bytes.
fn python(file: &str) -> Result<(), String> {
    let mut child = Command::new("python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/verify.py"), "25"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("'.ci/need unit' installs python3");
    // It may have seen enough before all is written.
    child.stdin.take().unwrap().write_all(file.as_bytes()).ok();
    let out = child.wait_with_output().unwrap();
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
}
