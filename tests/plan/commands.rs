//! The command line as an operator uses it: the built binary, its output and its exit codes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn plan(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command.args(arguments).current_dir(dir).env("NETCENSUS_PLAN_DATABASE", dir.join("plan.sqlite"));
    command.env_remove("NETCENSUS_PLAN_CONFIG").stdin(Stdio::null());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    plan(dir, arguments).output().unwrap()
}

fn document(dir: &Path, arguments: &[&str]) -> Value {
    let output = run(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(dir: &Path, arguments: &[&str]) -> (i32, String) {
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

    let token = document(dir, &["sensor", "token", "--json"])["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("nce1_"));
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
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(link.trim().starts_with(&url));
    let page = client.get(link.trim()).send().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().contains("first administrator"));
    assert!(run(dir, &["subscription", "create", "Contoso"]).status.success(), "beside the running service");
    service.kill().unwrap();
    service.wait().unwrap();

    let (mut service, url) = start();
    assert_eq!(client.get(format!("{url}/readyz")).send().await.unwrap().status(), 200);
    assert_eq!(document(dir, &["subscription", "list", "--json"])["subscriptions"][0]["name"], "Contoso");
    let stop = Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert!(stop.success());
    assert_eq!(service.wait().unwrap().code(), Some(0), "a stop by SIGTERM is no failure");
}
