//! The command line as an operator uses it: its output and its exit codes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use netcensus::plan::store::engine::sql;
use netcensus::plan::store::{By, Location, Scope, Store};
use netcensus::wire::EnrolmentToken;
use serde_json::{Value, json};

use crate::support::program::{
    Process, assert_failure, document, failure, make_database, printed, program, run,
};
use crate::support::store::monthly;
use crate::support::{Plan, Seen, assert_has, at};

/// A folder with a database of one subscription, Contoso.
fn with_a_subscription() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    make_database(dir.path());
    printed(dir.path(), &["subscription", "create", "Contoso"]);
    dir
}

#[tokio::test]
async fn migrate_tells_what_a_database_lacks_and_brings_it_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_failure(dir, &["migrate"], 69, "there is no database at");
    let store = Store::open(&Location::File(dir.join("plan.sqlite"))).await.unwrap();
    assert_eq!(document(dir, &["migrate", "--json"])["pending"], json!([]));
    let mut work = store.write(Scope::Installation).await.unwrap();
    work.execute(sql("DELETE FROM _sqlx_migrations")).await.unwrap();
    work.commit().await.unwrap();
    let pending = document(dir, &["migrate", "--dry-run", "--json"]);
    assert_eq!(pending["pending"][0], "0001 schema");
    assert_eq!(pending["applied"], false);
}

/// The names of the files in a folder.
fn names(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn no_command_but_serve_and_restore_makes_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for command in [
        &["subscription", "create", "Contoso"][..],
        &["subscription", "list"],
        &["user", "create", "alice", "--global-admin"],
        &["plan", "show"],
        &["sensor", "token"],
        &["migrate"],
        &["backup", "copy"],
    ] {
        let place = format!("there is no database at {}", dir.join("plan.sqlite").display());
        assert_failure(dir, command, 69, &place);
    }
    assert_eq!(names(dir), Vec::<String>::new());
}

#[test]
fn serve_makes_the_folder_of_its_database_and_refuses_a_second_one_on_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("new/folder/plan.sqlite");
    let in_it = |arguments: &[&str]| {
        let mut command = program(dir.path(), arguments);
        command.env("NETCENSUS_PLAN_DATABASE", &database);
        command
    };
    let service = Process::start(in_it(&["serve", "--listen", "127.0.0.1:0"]));
    let second = in_it(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let message = String::from_utf8(second.stderr).unwrap();
    let first = format!("the process {} serves the database", service.id());
    assert!(second.status.code() == Some(69) && message.contains(&first), "{message}");
    // A token beside it has its address, and the doctor looks there.
    assert!(in_it(&["subscription", "create", "Contoso"]).status().unwrap().success());
    let token = in_it(&["sensor", "token"]).output().unwrap();
    let note = String::from_utf8(token.stderr).unwrap();
    let token: EnrolmentToken = String::from_utf8(token.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(token.url, service.url);
    assert!(note.contains("is reached on this machine only"), "{note}");
    let doctor = in_it(&["doctor", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == "service").unwrap();
    assert_has(found, json!({"outcome": "good", "subject": format!("{}/readyz", service.url)}));
    service.kill();
    let third = Process::start(in_it(&["serve", "--listen", "127.0.0.1:0"]));
    third.kill();
    let beside_none = in_it(&["sensor", "token", "--url", "https://plan.example"]).output().unwrap();
    let token: EnrolmentToken = String::from_utf8(beside_none.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(token.url, "https://plan.example");
}

#[test]
fn the_subscription_comes_from_the_argument_the_environment_or_what_the_user_chose() {
    let dir = with_a_subscription();
    let dir = dir.path();
    printed(dir, &["subscription", "create", "Fabrikam"]);
    assert_failure(dir, &["sensor", "list"], 2, "NETCENSUS_PLAN_SUBSCRIPTION");
    printed(dir, &["subscription", "use", "Fabrikam"]);
    let onboard = ["plan", "onboard", "--kind", "trial", "--accept-terms"];
    printed(dir, &onboard);
    let mut of_contoso = program(dir, &["plan", "show", "--json"]);
    of_contoso.env("NETCENSUS_PLAN_SUBSCRIPTION", "Contoso");
    let shown: Value = serde_json::from_slice(&of_contoso.output().unwrap().stdout).unwrap();
    assert_eq!(shown["plan"], Value::Null);
    assert_eq!(document(dir, &["plan", "show", "--json"])["plan"]["kind"], "trial");
    assert_eq!(document(dir, &["plan", "show", "-s", "Contoso", "--json"])["plan"], Value::Null);
    printed(dir, &["subscription", "use", "--none"]);
    assert_failure(dir, &["plan", "show"], 2, "subscription use");
}

#[test]
fn a_server_that_is_away_is_named_without_its_password_by_exit_code_69() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens on port 1.
    let url = "postgresql://netcensus:secret@127.0.0.1:1/netcensus";
    let (code, message) = failure(dir.path(), &["subscription", "list", "--database", url]);
    assert!(code == 69 && message.contains("127.0.0.1:1/netcensus is unavailable"), "{code} {message}");
    assert!(!message.contains("secret") && message.contains("check that PostgreSQL runs"), "{message}");
}

#[test]
fn an_operator_invites_a_person_and_binds_their_role_in_words() {
    let dir = with_a_subscription();
    let dir = dir.path();
    let invitation = document(dir, &["user", "invite", "maria", "--role", "reader", "--json"]);
    assert!(invitation["link"].as_str().unwrap().contains("/invitation/"), "{invitation}");
    assert_eq!(
        document(dir, &["role", "list", "--json"])["roles"],
        json!([{"person": "maria", "role": "R"}])
    );
    let again = printed(dir, &["user", "invite", "maria"]);
    assert!(again.contains("works once, until"), "{again}");
    assert_failure(dir, &["user", "invite", "maria", "--global-admin"], 1, "when they are created");
}

#[test]
fn an_unknown_person_a_role_in_words_and_terms_have_a_next_step() {
    let dir = with_a_subscription();
    let dir = dir.path();
    assert_failure(dir, &["role", "bind", "maria", "reader"], 1, "'netcensus-plan user list' shows");
    let (code, message) = failure(dir, &["role", "bind", "maria", "boss"]);
    assert!(code == 2 && message.contains("R (reader)"), "{message}");
    assert_failure(dir, &["plan", "onboard", "--kind", "trial"], 1, "--accept-terms");
}

#[test]
fn an_operator_onboards_cancels_keeps_and_replaces_a_plan() {
    let dir = with_a_subscription();
    let dir = dir.path();
    let onboard = ["plan", "onboard", "--kind", "monthly", "--devices", "1700", "--accept-terms", "--json"];
    assert_eq!(document(dir, &onboard)["status"], "active");
    assert_eq!(document(dir, &["plan", "cancel", "--json"])["status"], "cancelling");
    assert_eq!(document(dir, &["plan", "cancel", "--withdraw", "--json"])["status"], "active");
    assert_eq!(document(dir, &["plan", "show", "--json"])["plan"]["committed"], 1700);
    let replace = ["plan", "replace", "--kind", "annual", "--devices", "2100", "--accept-terms", "--json"];
    let tried = document(dir, &[&replace[..], &["--dry-run"]].concat());
    assert_eq!(tried["ending"]["number"], 1);
    assert_eq!(document(dir, &["plan", "show", "--json"])["booked"], Value::Null);
    assert_eq!(document(dir, &replace)["booked"]["committed"], 2100);
    assert_eq!(document(dir, &["plan", "show", "--json"])["booked"]["kind"], "annual");
}

#[test]
fn every_list_is_one_json_document() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make_database(dir);
    assert_eq!(document(dir, &["subscription", "create", "Contoso", "--json"])["name"], "Contoso");
    assert_eq!(document(dir, &["subscription", "list", "--json"])["subscriptions"][0]["name"], "Contoso");
    let token = document(dir, &["sensor", "token", "--json"]);
    assert!(token["token"].as_str().unwrap().starts_with("nce2_"));
    assert_eq!(document(dir, &["sensor", "list", "--json"]), json!({"sensors": []}));
    printed(dir, &["plan", "onboard", "--kind", "monthly", "--devices", "1700", "--accept-terms"]);
    let census = document(dir, &["census", "--subscription", "Contoso", "--json"]);
    assert_has(&census, json!({"billable": 0, "committed": 1700}));
    assert_eq!(document(dir, &["census", "--inventory"])["schema"], "netcensus.inventory/1");
    assert_eq!(document(dir, &["devices", "--json"])["devices"], json!([]));
}

#[test]
fn an_operator_creates_a_person_whose_password_comes_from_standard_input() {
    let dir = with_a_subscription();
    let dir = dir.path();
    let mut create = program(dir, &["user", "create", "alice", "--role", "O", "--json"]);
    let mut create = create.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    create.stdin.take().unwrap().write_all(b"a long enough password\n").unwrap();
    assert!(create.wait_with_output().unwrap().status.success());
    let token = document(dir, &["token", "create", "alice", "--json"]);
    assert!(token["token"].as_str().unwrap().starts_with("nct_"));
    assert_eq!(document(dir, &["user", "list", "--json"])["people"][0]["name"], "alice");
}

/// 1700 devices from November 2025 on, 2100 from 22 November 11:00 on, until the end of the month.
async fn with_statements() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(dir.path().join("plan.sqlite"))).await.unwrap();
    let (begin, by) = (at("2025-11-01T00:00:00Z"), By::operator());
    let sid = store.create_subscription("Contoso", None, &by, begin).await.unwrap().id;
    store.onboard(&sid, &monthly(1700), None, &by, begin).await.unwrap();
    store.replace_plan(&sid, &monthly(2100), None, &by, at("2025-11-22T10:00:00Z")).await.unwrap();
    store.cancel_plan(&sid, &by, at("2025-11-30T23:00:00Z")).await.unwrap();
    store.close().await;
    dir
}

#[tokio::test]
async fn a_price_for_a_month_that_is_over_is_refused_as_its_statement_closes_first() {
    let dir = with_statements().await;
    let dir = dir.path();
    let late = ["price", "set", "EUR", "1.40", "--from", "2025-11-01T00:00:00Z", "--reason", "contract 7"];
    assert_failure(dir, &late, 1, "closed; set the price from");
    assert_eq!(document(dir, &["price", "set", "EUR", "1.40", "--json"])["micros"], 1_400_000);
    assert_eq!(document(dir, &["price", "list", "--json"])["price"]["currency"], "EUR");
}

#[tokio::test]
async fn a_statement_is_shown_with_the_arithmetic_of_each_line() {
    let dir = with_statements().await;
    let dir = dir.path();
    let text = printed(dir, &["statement", "show", "2025-11"]);
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
       1813.888889 device-months without a price (lines 1, 2): no amount contains them; set a price, or correct the line
    ");
    let list = document(dir, &["statement", "list", "--before", "2025-12", "--json"]);
    assert_eq!(list["statements"][0]["device_months"], "1813.888889");
    assert_eq!(failure(dir, &["statement", "show", "2025-13"]).0, 2);
    assert_failure(dir, &["statement", "show", "2025-10"], 1, "no statement '2025-10'");
}

#[tokio::test]
async fn a_statement_is_corrected_by_a_line_of_the_next_one() {
    let dir = with_statements().await;
    let dir = dir.path();
    printed(dir, &["statement", "show", "2025-11"]);
    let correct = ["statement", "correct", "2025-11", "--line", "1", "--committed", "1600"];
    assert_failure(dir, &correct, 1, "needs a reason");
    let made = document(dir, &[&correct[..], &["--reason", "1600 were ordered", "--json"]].concat());
    assert_has(&made, json!({"was": {"committed": 1700}, "by": "operator"}));
    let shown = printed(dir, &["statement", "show", made["appears_in"].as_str().unwrap()]);
    let arithmetic =
        "1600 × 1854000 s / 2592000 s − 1700 × 1854000 s / 2592000 s = -71.527777777777… device-months";
    assert!(shown.contains(arithmetic), "{shown}");
}

#[test]
fn a_failure_names_the_next_step_and_its_kind_by_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_failure(dir, &["census"], 69, "there is no database at");
    assert_eq!(failure(dir, &["plan"]).0, 2);
    assert_eq!(failure(dir, &["plan", "onboard", "--kind", "weekly"]).0, 2);
    make_database(dir);
    assert_failure(dir, &["plan", "show"], 1, "subscription create");
    for name in ["a", "b"] {
        printed(dir, &["subscription", "create", name]);
    }
    assert_failure(dir, &["plan", "show"], 2, "--subscription");
    let onboard = ["plan", "onboard", "-s", "a", "--kind", "annual", "--devices", "1650", "--accept-terms"];
    let (code, message) = failure(dir, &onboard);
    assert!(code == 1 && message.contains("commit 1700"), "{message}");
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn a_service_that_cannot_start_says_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("bad.toml"), "[census]\nas_off = \"now\"\n").unwrap();
    let unknown_key = "bad.toml:2:1: unknown key 'as_off'; did you mean 'as_of'?";
    assert_failure(dir, &["serve", "--config", "bad.toml"], 78, unknown_key);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_failure(dir, &["serve", "--listen", &address], 69, "--listen");
}

fn serve(dir: &Path) -> Process {
    Process::start(program(dir, &["serve", "--listen", "127.0.0.1:0"]))
}

#[tokio::test]
async fn the_first_start_prints_a_link_for_the_first_administrator() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = serve(dir.path());
    let link = service.line_with("/setup/");
    assert!(link.trim().starts_with(&service.url), "{link}");
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    let page = client.get(link.trim()).send().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().contains("first administrator"));
    service.kill();
}

#[tokio::test]
async fn a_killed_service_starts_again_with_everything_and_stops_by_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let service = serve(dir);
    printed(dir, &["subscription", "create", "Contoso"]);
    service.kill();
    let service = serve(dir);
    let client = netcensus::tls::client().no_proxy().build().unwrap();
    assert_eq!(client.get(format!("{}/readyz", service.url)).send().await.unwrap().status(), 200);
    assert_eq!(document(dir, &["subscription", "list", "--json"])["subscriptions"][0]["name"], "Contoso");
    service.signal("-TERM");
    assert_eq!(service.ended().code(), Some(0));
}

#[test]
fn the_doctor_checks_a_running_service_and_names_what_its_subscription_lacks() {
    let dir = with_a_subscription();
    let dir = dir.path();
    let service = serve(dir);
    let doctor = run(dir, &["doctor", "--json"]);
    service.kill();
    assert_eq!(doctor.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_has(&report, json!({"schema": "netcensus.doctor/1", "healthy": false}));
    let findings = report["findings"].as_array().unwrap();
    let with = |outcome: &str| -> Vec<&str> {
        let with = findings.iter().filter(|finding| finding["outcome"] == outcome);
        with.map(|finding| finding["check"].as_str().unwrap()).collect()
    };
    for check in
        ["rules", "service", "database", "permissions", "integrity", "clock", "census", "snapshots", "trail"]
    {
        assert!(with("good").contains(&check), "{check}: {report}");
    }
    assert_eq!(with("problem"), ["plan"], "{report}");
    assert!(findings.iter().all(|f| f["outcome"] == "good" || f["remedy"].is_string()), "{report}");
}

/// A running service with three unclassified devices, and the folder of its database.
async fn with_devices() -> (Plan, PathBuf) {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let device = |seen: Seen, n: u8| seen.arp(&format!("02:00:00:00:00:0{n}"), &format!("10.0.0.{n}"), "x");
    (1..=3).fold(Seen::default(), device).send(&plan, &sensor, 1, "hq").await;
    let Location::File(database) = &plan.database else { panic!("a file") };
    let dir = database.parent().unwrap().to_owned();
    (plan, dir)
}

#[tokio::test]
async fn a_running_service_shows_at_once_what_an_operator_edits() {
    let (plan, dir) = with_devices().await;
    let dir = dir.as_path();
    let tried = document(dir, &["devices", "edit", "10.0.0.1", "--type", "camera", "--dry-run", "--json"]);
    assert_has(&tried, json!({"dry_run": true, "count": {"delta": 1}}));
    let edit = ["devices", "edit", "10.0.0.1", "10.0.0.2", "--type", "camera", "--tag", "a"];
    let done = document(dir, &[&edit[..], &["--reason", "seen", "--json"]].concat());
    assert_has(&done, json!({"change": {"number": 1, "by": "operator"}}));
    assert_eq!(plan.get("/census").await["billable"], 2);
    let shown = document(dir, &["changes", "show", "1", "--json"]);
    assert_eq!(shown["altered"].as_array().unwrap().len(), 4);
    assert_eq!(shown["reason"], "seen");
}

#[tokio::test]
async fn an_operator_merges_splits_and_undoes() {
    let (plan, dir) = with_devices().await;
    let dir = dir.as_path();
    printed(dir, &["devices", "edit", "10.0.0.1", "10.0.0.2", "--type", "camera"]);
    let merged = document(dir, &["devices", "merge", "10.0.0.1", "10.0.0.2", "--json"]);
    assert_eq!(merged["count"]["delta"], -1);
    let id = merged["devices"][0]["id"].as_str().unwrap();
    let text = printed(dir, &["devices", "why", "10.0.0.2"]);
    assert!(text.contains("merged by operator at") && text.contains("type set by operator"), "{text}");
    let split = ["devices", "split", id, "--coupling", "02:00:00:00:00:02 10.0.0.2", "--json"];
    assert_eq!(document(dir, &split)["count"]["delta"], 1);
    assert_failure(dir, &["changes", "undo", "2"], 1, "undo change 3 first");
    printed(dir, &["changes", "undo", "3"]);
    assert_eq!(plan.get("/changes").await["changes"][1]["undone_by"], 4);
}

#[tokio::test]
async fn an_operator_deletes_a_device_and_lists_what_is_deleted() {
    let (_plan, dir) = with_devices().await;
    let dir = dir.as_path();
    assert_eq!(document(dir, &["devices", "delete", "10.0.0.3", "--json"])["change"]["number"], 1);
    let deleted = document(dir, &["devices", "list", "--verdict", "X-DEL", "--json"]);
    assert_eq!(deleted["devices"].as_array().unwrap().len(), 1);
    let id = deleted["devices"][0]["id"].as_str().unwrap();
    assert_eq!(
        document(dir, &["devices", "restore", id, "--json"])["change"]["summary"],
        "restored 10.0.0.3 02:00:00:00:00:03"
    );
    let deleted = document(dir, &["devices", "list", "--verdict", "X-DEL", "--json"]);
    assert_eq!(deleted["devices"], json!([]));
}

#[tokio::test]
async fn an_operator_adds_and_takes_tags_and_marks_devices_as_managed() {
    let (_plan, dir) = with_devices().await;
    let dir = dir.as_path();
    printed(dir, &["devices", "edit", "10.0.0.1", "--tag", "lab", "--tag", "old"]);
    printed(dir, &["devices", "edit", "10.0.0.1", "10.0.0.2", "--add-tag", "roof", "--remove-tag", "OLD"]);
    let tags = document(dir, &["devices", "--sort", "ip", "--json"]);
    assert_eq!(
        (&tags["devices"][0]["tags"], &tags["devices"][1]["tags"]),
        (&json!(["lab", "roof"]), &json!(["roof"]))
    );
    let managed = document(dir, &["devices", "manage", "10.0.0.2", "--source", "mdm", "--json"]);
    assert_eq!(managed["change"]["summary"], "marked 10.0.0.2 02:00:00:00:00:02 as managed by mdm");
    assert_eq!(managed["devices"][0]["verdict"], "X-MANAGED");
}

#[tokio::test]
async fn an_operator_imports_replaces_and_forgets_a_managed_list() {
    let (plan, dir) = with_devices().await;
    let dir = dir.as_path();
    printed(dir, &["devices", "delete", "10.0.0.3"]);
    std::fs::write(dir.join("list.json"), r#"[{"mac": "02:00:00:00:00:01"}, {"ip": "10.0.0.2"}]"#).unwrap();
    let import = ["managed", "import", "list.json", "--source", "mde", "--from", "2020-01-01T00:00:00Z"];
    printed(dir, &import);
    assert_eq!(plan.get("/census").await["excluded"], json!({"X-DEL": 1, "X-MANAGED": 2}));
    let csv =
        "Name,Onboarding status,MAC\npc,Onboarded,02-00-00-00-00-02\ncam,Unsupported,02-00-00-00-00-01\n";
    std::fs::write(dir.join("list.csv"), csv).unwrap();
    let import = ["managed", "import", "list.csv", "--source", "mde", "--json"];
    assert_failure(dir, &import, 1, "2 of the 2 entries of its source are not in it");
    assert_eq!(document(dir, &["managed", "list", "--json"])["total"], 2);
    let tried = document(dir, &[&import[..], &["--dry-run"]].concat());
    assert_eq!(tried["entries"], json!({"before": 2, "after": 1, "lost": 2}));
    let out = run(dir, &[&import[..], &["--force"]].concat());
    let message = String::from_utf8(out.stderr).unwrap();
    assert!(message.starts_with("2 rows: 1 taken, 1 not managed"), "{message}");
    assert_eq!(document(dir, &["managed", "list", "--json"])["total"], 1);
    assert_eq!(document(dir, &["managed", "forget", "mde", "--json"])["altered_total"], 1);
}

#[tokio::test]
async fn an_operator_exports_devices_with_the_columns_that_are_asked_for() {
    let (_plan, dir) = with_devices().await;
    let dir = dir.as_path();
    printed(dir, &["devices", "export", "--columns", "ip,type", "--output", "out.csv"]);
    let csv = std::fs::read_to_string(dir.join("out.csv")).unwrap();
    assert_eq!(csv, "ip,type\r\n10.0.0.1,unclassified\r\n10.0.0.2,unclassified\r\n10.0.0.3,unclassified\r\n");
}

#[tokio::test]
async fn an_edit_without_a_change_and_an_unknown_device_are_refused() {
    let (_plan, dir) = with_devices().await;
    let dir = dir.as_path();
    assert_eq!(failure(dir, &["devices", "edit", "10.0.0.1"]).0, 2);
    assert_eq!(failure(dir, &["devices", "edit", "10.0.0.1", "--clear", "colour"]).0, 2);
    assert_failure(dir, &["devices", "show", "10.0.0.77"], 1, "devices why");
}

#[test]
fn views_are_saved_listed_used_and_deleted() {
    let dir = with_a_subscription();
    let dir = dir.path();
    printed(dir, &["views", "save", "silent cameras", "--query", "type:camera seen>7d", "--sort=-last_seen"]);
    let list = document(dir, &["views", "list", "--json"]);
    assert_has(&list["views"][0], json!({"name": "silent cameras", "shared": true, "devices": 0}));
    assert!(printed(dir, &["views", "list"]).contains("silent cameras"));
    assert_eq!(document(dir, &["devices", "--view", "silent cameras", "--json"])["devices"], json!([]));
    printed(dir, &["devices", "export", "--view", "silent cameras"]);
    assert_failure(dir, &["devices", "--view", "nothing"], 1, "there is no view 'nothing'");
    printed(dir, &["views", "delete", "silent cameras"]);
    assert_eq!(document(dir, &["views", "list", "--json"])["views"], json!([]));
}

#[test]
fn at_a_hangup_the_service_reads_the_rules_of_alerts_and_keeps_the_old_ones_if_a_file_is_bad() {
    let dir = with_a_subscription();
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(dir.path().join("plan.toml"), format!("[alerts]\nrules = {:?}\n", &rules)).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", "plan.toml"];
    let service = Process::start(program(dir.path(), &arguments));
    std::fs::write(rules.join("own.toml"), "[[alert]]\nid = 'A-NONE'\n").unwrap();
    service.signal("-HUP");
    let refused = service.log_with("keeping the old rules of alerts");
    assert!(refused.contains("own.toml:2:6: there is no alert 'A-NONE'"), "{refused}");
    std::fs::write(rules.join("own.toml"), "[[alert]]\nid = 'A-MAP'\nseverity = 'low'\n").unwrap();
    service.signal("-HUP");
    service.log_with("rules of alerts are in use");
    service.signal("-TERM");
    assert_eq!(service.ended().code(), Some(0));
}
