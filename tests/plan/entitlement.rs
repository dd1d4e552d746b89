//! The gate (P7): every operation of the API that is about security, every page and every command, in every state of a plan.

use std::collections::BTreeSet;

use netcensus::plan::http::api;
use netcensus::plan::store::Location;
use reqwest::Method;
use serde_json::{Value, json};

use crate::security::{PAGES, with_two};
use crate::support::browser::Browser;
use crate::support::program::{assert_failure, make_database, printed, program_at};
use crate::support::{Plan, send};

/// An operation of the API below the subscription, with its parameters filled in.
struct Operation {
    method: Method,
    path: String,
}

/// All operations with the tag `security` or `vulnerabilities`.
fn operations() -> Vec<Operation> {
    let description = serde_json::to_value(api::description()).unwrap();
    let mut out = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1/subscriptions/{sid}") else { continue };
        for (method, operation) in methods.as_object().unwrap() {
            let tags = operation["tags"].as_array().cloned().unwrap_or_default();
            if !tags.iter().any(|tag| tag == "security" || tag == "vulnerabilities") {
                continue;
            }
            let filled = path.replace("{cve}", "CVE-1999-9001").replace("{number}", "77");
            let filled =
                filled.replace("{name}", "drop").replace("/indicators", "/indicators?value=203.0.113.7");
            let path = filled.replace("{id}", &"0".repeat(32));
            out.push(Operation { method: method.to_uppercase().parse().unwrap(), path });
        }
    }
    out
}

/// A body that the operation can read.
fn body(operation: &Operation) -> Value {
    match operation.path.as_str() {
        "/alerts/change" => json!({"alerts": ["0".repeat(32)], "decide": {"state": "closed"}}),
        "/mutes" => json!({"filter": {"zone": "nowhere"}, "reason": "x", "until": "2026-12-01T00:00:00Z"}),
        "/feeds/drop" => {
            let pattern = "[ipv4-addr:value = '203.0.113.7']";
            json!({"type": "bundle", "objects": [{"type": "indicator", "pattern": pattern}]})
        }
        _ => json!({"state": "closed"}),
    }
}

/// The operations that answer that everything is withheld.
async fn withheld(plan: &Plan) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for operation in operations() {
        let request = plan.request(operation.method.clone(), &operation.path);
        let request = match operation.method {
            Method::GET | Method::DELETE => request,
            _ => request.json(&body(&operation)),
        };
        let answer = send(request).await;
        let name = format!("{} {}", operation.method, operation.path);
        assert_ne!(answer.status, 400, "{name}: {}", answer.body);
        assert_ne!(answer.status, 422, "{name}: {}", answer.body);
        if answer.status == 403 {
            assert_eq!(answer.body["type"], "/problems/findings-withheld", "{name}: {}", answer.body);
            assert!(!answer.body.to_string().contains("10.5.0."), "{name}: {}", answer.body);
            found.insert(name);
        }
    }
    found
}

/// Whether every operation and every page is withheld, or none is.
async fn is_withheld(plan: &Plan, browser: &Browser<'_>) -> bool {
    let withheld = withheld(plan).await;
    let all: BTreeSet<String> = operations().iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    assert!(all.len() > 15, "{all:?}");
    let is_withheld = !withheld.is_empty();
    if is_withheld {
        assert_eq!(withheld, all);
    }
    for page in PAGES {
        let page = browser.show(page).await;
        assert_eq!(page.status == 403, is_withheld, "{}", page.html);
        assert!(!(is_withheld && page.html.contains("10.5.0.")), "{}", page.html);
    }
    is_withheld
}

#[tokio::test]
async fn every_operation_and_page_is_withheld_or_shown_as_the_plan_says() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    assert!(is_withheld(&plan, &browser).await, "before the first plan");
    with_two(&plan).await;
    assert!(!is_withheld(&plan, &browser).await, "a monthly plan");
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    assert!(!is_withheld(&plan, &browser).await, "a plan that is cancelled and still in effect");
    plan.set_time("2026-11-22T11:30:00Z");
    assert!(is_withheld(&plan, &browser).await, "after the end");
    plan.post("/plan", json!({"kind": "trial", "accept_terms": true})).await.succeeds(201);
    assert!(!is_withheld(&plan, &browser).await, "a trial");
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    plan.set_time("2026-11-22T13:30:00Z");
    assert!(is_withheld(&plan, &browser).await, "after the end of the trial");
    let annual = json!({"kind": "annual", "devices": 100, "accept_terms": true});
    plan.post("/plan", annual).await.succeeds(201);
    assert!(!is_withheld(&plan, &browser).await, "an annual plan");
}

/// Every command of what a plan buys.
const COMMANDS: [&[&str]; 15] = [
    &["alerts", "list"],
    &["alerts", "export"],
    &["alerts", "show", "00000000000000000000000000000000"],
    &["alerts", "history", "00000000000000000000000000000000"],
    &["alerts", "close", "00000000000000000000000000000000"],
    &["alerts", "changes"],
    &["alerts", "undo", "1"],
    &["alerts", "withdrawn"],
    &["mutes", "list"],
    &["mutes", "end", "1"],
    &["recommendations"],
    &["feeds", "list"],
    &["feeds", "import", "drop", "/dev/null"],
    &["feeds", "delete", "drop"],
    &["feeds", "test", "203.0.113.7"],
];

#[test]
fn every_command_is_withheld_without_a_plan_and_answers_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make_database(dir);
    printed(dir, &["subscription", "create", "Contoso"]);
    for command in COMMANDS {
        assert_failure(dir, command, 1, "are withheld");
    }
    printed(dir, &["plan", "onboard", "--kind", "monthly", "--devices", "100", "--accept-terms"]);
    let database = Location::File(dir.join("plan.sqlite"));
    for command in COMMANDS {
        let output = program_at(&database, "2026-11-22T09:00:01Z", command).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!message.contains("withheld"), "{command:?}: {message}");
    }
}
