//! The command line as an operator uses it: the built binary, its output and its exit codes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use netcensus::billing::timeline::{Onboarding, PlanKind};
use netcensus::census::Timestamp;
use netcensus::clock::{Clock as _, SystemClock};
use netcensus::plan::store::{By, Location, Store};
use serde_json::{Value, json};

use crate::harness::{Plan, upload};

fn plan(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command.args(arguments).current_dir(dir).env("NETCENSUS_PLAN_DATABASE", dir.join("plan.sqlite"));
    command.env_remove("NETCENSUS_PLAN_CONFIG").stdin(Stdio::null());
    command
}

pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    plan(dir, arguments).output().unwrap()
}

pub(crate) fn document(dir: &Path, arguments: &[&str]) -> Value {
    let output = run(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn failure(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(dir, arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_operator_sets_a_subscription_up_and_every_list_is_one_json_document() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let pending = document(dir, &["migrate", "--dry-run", "--json"]);
    assert_eq!((&pending["pending"][0], &pending["applied"]), (&json!("0001 spine"), &json!(false)));
    assert!(run(dir, &["migrate"]).status.success());
    assert_eq!(document(dir, &["migrate", "--json"])["pending"], json!([]));
    assert_eq!(document(dir, &["subscription", "create", "Contoso", "--json"])["name"], "Contoso");
    assert_eq!(document(dir, &["subscription", "list", "--json"])["subscriptions"][0]["name"], "Contoso");

    let onboard = ["plan", "onboard", "--kind", "monthly", "--devices", "1700", "--accept-terms", "--json"];
    assert_eq!(document(dir, &onboard)["status"], "active");
    assert_eq!(document(dir, &["plan", "cancel", "--json"])["status"], "cancelling");
    assert_eq!(document(dir, &["plan", "cancel", "--withdraw", "--json"])["status"], "active");
    assert_eq!(document(dir, &["plan", "show", "--json"])["plan"]["committed"], 1700);
    let replace = ["plan", "replace", "--kind", "annual", "--devices", "2100", "--accept-terms", "--json"];
    let tried = document(dir, &[&replace[..], &["--dry-run"]].concat());
    assert_eq!(document(dir, &["plan", "show", "--json"])["booked"], Value::Null);
    assert_eq!(
        (&tried["ending"]["number"], &document(dir, &replace)["booked"]["committed"]),
        (&json!(1), &json!(2100))
    );
    assert_eq!(document(dir, &["plan", "show", "--json"])["booked"]["kind"], "annual");

    let token = document(dir, &["sensor", "token", "--json"])["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("nce2_"));
    assert_eq!(document(dir, &["sensor", "list", "--json"]), json!({"sensors": []}));
    let census = document(dir, &["census", "--subscription", "Contoso", "--json"]);
    assert_eq!((&census["billable"], &census["committed"]), (&json!(0), &json!(1700)));
    assert_eq!(document(dir, &["census", "--inventory"])["schema"], "netcensus.inventory/1");
    assert_eq!(document(dir, &["devices", "--json"])["devices"], json!([]));

    let mut user = plan(dir, &["user", "create", "alice", "--role", "O", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    user.stdin.take().unwrap().write_all(b"a long enough password\n").unwrap();
    assert!(user.wait_with_output().unwrap().status.success());
    assert!(
        document(dir, &["token", "create", "alice", "--json"])["token"].as_str().unwrap().starts_with("nct_")
    );
    assert_eq!(document(dir, &["user", "list", "--json"])["people"][0]["name"], "alice");
}

#[tokio::test]
async fn a_statement_is_shown_with_the_arithmetic_of_each_line_and_corrected_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let store = Store::open(&Location::File(dir.join("plan.sqlite"))).await.unwrap();
    let sid = store
        .create_subscription("Contoso", None, &By::operator(), at("2025-11-01T00:00:00Z"))
        .await
        .unwrap()
        .id;
    let asked = |devices| Onboarding { kind: PlanKind::Monthly, devices: Some(devices), accept_terms: true };
    let by = By::operator();
    store.onboard(&sid, &asked(1700), &by, at("2025-11-01T00:00:00Z")).await.unwrap();
    store.replace_plan(&sid, &asked(2100), &by, at("2025-11-22T10:00:00Z")).await.unwrap();
    store.cancel_plan(&sid, &by, at("2025-11-30T23:00:00Z")).await.unwrap();
    store.close().await;
    let set = ["price", "set", "EUR", "1.40", "--from", "2025-11-01T00:00:00Z", "--reason", "contract 7"];
    // Of the months that are over, none is closed before somebody asks: the command closes them first.
    let (code, message) = failure(dir, &set);
    assert!(code == 1 && message.contains("closed; set the price from"), "{message}");
    assert_eq!(document(dir, &["price", "set", "EUR", "1.40", "--json"])["micros"], 1_400_000);
    assert_eq!(document(dir, &["price", "list", "--json"])["price"]["currency"], "EUR");
    let shown = run(dir, &["statement", "show", "2025-11"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    let (body, closing) = text.rsplit_once("closed ").unwrap();
    assert!(closing.contains("sha256 "), "{text}");
    insta::assert_snapshot!(body, @"
    Contoso, 2025-11: closed
    2025-11-01T00:00:00Z to 2025-12-01T00:00:00Z: 30 days × 86400 s = 2592000 s

    1. plan 1, monthly, 1700 devices, 2025-11-01T00:00:00Z to 2025-11-22T11:00:00Z
       1700 × 1854000 s / 2592000 s = 1215.972222222222… device-months
       so far 1215.972222222222…, rounded 1215.972222; less 0.000000 before: 1215.972222

    2. plan 2, monthly, 2100 devices, 2025-11-22T11:00:00Z to 2025-12-01T00:00:00Z
       2100 × 738000 s / 2592000 s = 597.916666666666… device-months
       so far 1813.888888888888…, rounded 1813.888889; less 1215.972222 before: 597.916667

    total: 1813.888889 device-months
    ");
    let list = document(dir, &["statement", "list", "--before", "2025-12", "--json"]);
    assert_eq!(list["statements"][0]["device_months"], "1813.888889");
    let fix = ["statement", "correct", "2025-11", "--line", "1", "--committed", "1600"];
    let (code, message) = failure(dir, &fix);
    assert!(code == 1 && message.contains("needs a reason"), "{message}");
    let fix = [&fix[..], &["--reason", "1600 were ordered", "--json"]].concat();
    let made = document(dir, &fix);
    assert_eq!((&made["was"]["committed"], &made["by"]), (&json!(1700), &json!("operator")));
    let here = made["appears_in"].as_str().unwrap();
    let shown = String::from_utf8(run(dir, &["statement", "show", here]).stdout).unwrap();
    assert!(
        shown.contains(
            "1600 × 1854000 s / 2592000 s − 1700 × 1854000 s / 2592000 s = -71.527777777777… device-months"
        ),
        "{shown}"
    );
    assert_eq!(failure(dir, &["statement", "show", "2025-13"]).0, 2);
    let (code, message) = failure(dir, &["statement", "show", "2025-10"]);
    assert!(code == 1 && message.contains("no statement '2025-10'"), "{message}");
}

#[test]
fn a_failure_is_one_sentence_with_the_next_step_and_the_contracts_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (code, message) = failure(dir, &["census"]);
    assert!(code == 1 && message.contains("there is no database"), "{message}");
    assert_eq!(failure(dir, &["plan"]).0, 2);
    assert_eq!(failure(dir, &["plan", "onboard", "--kind", "weekly"]).0, 2);
    assert!(run(dir, &["migrate"]).status.success());
    let (code, message) = failure(dir, &["plan", "show"]);
    assert!(code == 1 && message.contains("subscription create"), "{message}");
    for name in ["a", "b"] {
        assert!(run(dir, &["subscription", "create", name]).status.success());
    }
    let (code, message) = failure(dir, &["plan", "show"]);
    assert!(code == 2 && message.contains("--subscription"), "{message}");
    let (code, message) = failure(
        dir,
        &["plan", "onboard", "-s", "a", "--kind", "annual", "--devices", "1650", "--accept-terms"],
    );
    assert!(code == 1 && message.contains("commit 1700"), "{message}");
    assert_eq!(message.lines().count(), 1);

    std::fs::write(dir.join("bad.toml"), "[census]\nas_off = \"now\"\n").unwrap();
    let (code, message) = failure(dir, &["serve", "--config", "bad.toml"]);
    assert!(
        code == 78 && message.contains("bad.toml:2:1: unknown key 'as_off'; did you mean 'as_of'?"),
        "{message}"
    );
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (code, message) = failure(dir, &["serve", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert!(code == 69 && message.contains("--listen"), "{message}");
}

#[tokio::test]
async fn the_first_start_prints_a_link_and_a_killed_service_starts_again_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let start = || {
        let mut service = plan(dir, &["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(service.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = log.into_iter().find(|l| l.contains("listening on")).unwrap();
        let url = line.split_whitespace().find(|w| w.starts_with("http://")).unwrap().to_owned();
        (service, url)
    };
    let (mut service, url) = start();
    let mut said = BufReader::new(service.stdout.take().unwrap()).lines().map_while(Result::ok);
    let link = said.find(|l| l.contains("/setup/")).unwrap();
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    assert!(link.trim().starts_with(&url));
    let page = client.get(link.trim()).send().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().contains("first administrator"));
    assert!(run(dir, &["subscription", "create", "Contoso"]).status.success(), "beside the running service");
    service.kill().unwrap();
    service.wait().unwrap();

    let (mut service, url) = start();
    assert_eq!(client.get(format!("{url}/readyz")).send().await.unwrap().status(), 200);
    assert_eq!(document(dir, &["subscription", "list", "--json"])["subscriptions"][0]["name"], "Contoso");
    // The doctor finds it, and what its one subscription lacks.
    let listen = url.trim_start_matches("http://");
    std::fs::write(dir.join("doctor.toml"), format!("listen = \"{listen}\"\n")).unwrap();
    let told = run(dir, &["doctor", "--json", "--config", "doctor.toml"]);
    assert_eq!(told.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&report["schema"], &report["healthy"]), (&json!("netcensus.doctor/1"), &json!(false)));
    let findings = report["findings"].as_array().unwrap();
    let of = |outcome: &str| -> Vec<&str> {
        let with = findings.iter().filter(|f| f["outcome"] == outcome);
        with.map(|f| f["check"].as_str().unwrap()).collect()
    };
    for check in ["rules", "service", "database", "permissions", "integrity", "clock", "snapshots", "trail"] {
        assert!(of("good").contains(&check), "{check}: {report}");
    }
    assert_eq!(of("problem"), ["plan"], "{report}");
    assert!(findings.iter().all(|f| f["outcome"] == "good" || f["remedy"].is_string()), "{report}");
    let stop = Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert!(stop.success());
    assert_eq!(service.wait().unwrap().code(), Some(0), "a stop by SIGTERM is no failure");
}

/// A running service with three devices that no rule knows, and the folder of its database.
async fn with_devices() -> (Plan, PathBuf) {
    let plan = Plan::start().await;
    let now = SystemClock.now().to_string();
    plan.set_time(&now);
    plan.onboard_trial().await;
    let sensor = plan.enrol().await;
    let seen: Vec<(String, String)> =
        (1..=3).map(|n| (format!("02:00:00:00:00:0{n}"), format!("10.0.0.{n}"))).collect();
    let seen: Vec<_> = seen.iter().map(|(mac, ip)| (&**mac, &**ip, "x", &*now)).collect();
    assert_eq!(plan.upload(&sensor, &upload(1, "hq", &seen)).await.0, 201);
    let Location::File(database) = &plan.database else { panic!("a file") };
    let dir = database.parent().unwrap().to_owned();
    (plan, dir)
}

#[tokio::test]
async fn an_operator_edits_merges_splits_and_undoes_beside_a_running_service_that_shows_it_at_once() {
    let (plan, dir) = with_devices().await;
    let dir = dir.as_path();
    let tried = document(dir, &["devices", "edit", "10.0.0.1", "--type", "camera", "--dry-run", "--json"]);
    assert_eq!((&tried["dry_run"], &tried["count"]["delta"]), (&json!(true), &json!(1)));
    let edit = [
        "devices", "edit", "10.0.0.1", "10.0.0.2", "--type", "camera", "--tag", "a", "--reason", "seen",
        "--json",
    ];
    let done = document(dir, &edit);
    assert_eq!((&done["change"]["number"], &done["change"]["by"]), (&json!(1), &json!("operator")));
    assert_eq!(plan.get("/census").await["billable"], 2);
    let merged = document(dir, &["devices", "merge", "10.0.0.1", "10.0.0.2", "--json"]);
    assert_eq!(merged["count"]["delta"], -1);
    let id = merged["devices"][0]["id"].as_str().unwrap();
    let text = String::from_utf8(run(dir, &["devices", "why", "10.0.0.2"]).stdout).unwrap();
    assert!(text.contains("merged by operator at") && text.contains("type set by operator"), "{text}");
    let split = ["devices", "split", id, "--coupling", "02:00:00:00:00:02 10.0.0.2", "--json"];
    assert_eq!(document(dir, &split)["count"]["delta"], 1);
    let (code, message) = failure(dir, &["changes", "undo", "2"]);
    assert!(code == 1 && message.contains("undo change 3 first"), "{message}");
    assert!(run(dir, &["changes", "undo", "3"]).status.success());
    let shown = document(dir, &["changes", "show", "1", "--json"]);
    assert_eq!((shown["altered"].as_array().unwrap().len(), &shown["reason"]), (4, &json!("seen")));
    assert_eq!(plan.get("/changes").await["changes"][1]["undone_by"], 4);
}

#[tokio::test]
async fn an_operator_deletes_imports_lists_and_exports() {
    let (plan, dir) = with_devices().await;
    let dir = dir.as_path();
    assert_eq!(document(dir, &["devices", "delete", "10.0.0.3", "--json"])["change"]["number"], 1);
    let deleted = document(dir, &["devices", "list", "--verdict", "X-DEL", "--json"]);
    assert_eq!(deleted["devices"].as_array().unwrap().len(), 1);
    std::fs::write(dir.join("list.json"), r#"[{"mac": "02:00:00:00:00:01"}, {"ip": "10.0.0.2"}]"#).unwrap();
    assert!(
        run(dir, &["managed", "import", "list.json", "--source", "mde", "--from", "2020-01-01T00:00:00Z"])
            .status
            .success()
    );
    assert_eq!(plan.get("/census").await["excluded"], json!({"X-DEL": 1, "X-MANAGED": 2}));
    let csv =
        "Name,Onboarding status,MAC\npc,Onboarded,02-00-00-00-00-02\ncam,Unsupported,02-00-00-00-00-01\n";
    std::fs::write(dir.join("list.csv"), csv).unwrap();
    let out = run(dir, &["managed", "import", "list.csv", "--source", "mde", "--json"]);
    assert!(String::from_utf8(out.stderr).unwrap().starts_with("2 rows: 1 taken, 1 not managed"));
    assert_eq!(document(dir, &["managed", "list", "--json"])["total"], 1);
    assert_eq!(document(dir, &["managed", "forget", "mde", "--json"])["altered_total"], 1);
    assert!(run(dir, &["devices", "export", "--columns", "ip,type", "--output", "out.csv"]).status.success());
    let csv = std::fs::read_to_string(dir.join("out.csv")).unwrap();
    assert_eq!(csv, "ip,type\r\n10.0.0.1,unclassified\r\n10.0.0.2,unclassified\r\n10.0.0.3,unclassified\r\n");
    assert_eq!(failure(dir, &["devices", "edit", "10.0.0.1"]).0, 2);
    assert_eq!(failure(dir, &["devices", "edit", "10.0.0.1", "--clear", "colour"]).0, 2);
    let (code, message) = failure(dir, &["devices", "show", "10.0.0.77"]);
    assert!(code == 1 && message.contains("devices why"), "{message}");
}
