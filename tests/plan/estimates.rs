//! Estimates from lists of devices, over the API, the command line and the console.

use netcensus::census::Sign;
use netcensus::plan::permission::Role;
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};

use crate::support::answers::masked;
use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;
use crate::support::program::{assert_failure, document, failure, make_database, printed, run};
use crate::support::{Answer, Plan, Seen, assert_has, send};

on_each_database! {
    without_lists_the_estimate_is_the_census_beside_the_committed_number,
    an_inventory_and_lists_make_one_number,
    lists_are_estimated_without_the_inventory_on_request,
    our_own_exports_are_read_back_to_the_same_count,
    the_columns_of_a_list_are_remembered_by_those_who_may_and_used_for_everybody,
    a_mapping_is_replaced_and_forgotten_only_by_its_current_tag,
    each_refusal_of_a_mapping_is_its_own_problem,
    the_vectors_1679_to_1700_and_1179_to_1200_hold_for_lists,
}

const LISTS: [(&str, &[u8]); 5] = [
    ("servicenow.csv", include_bytes!("estimate/servicenow.csv")),
    ("lansweeper.csv", include_bytes!("estimate/lansweeper.csv")),
    ("meraki-clients.json", include_bytes!("estimate/meraki-clients.json")),
    ("meraki-devices.json", include_bytes!("estimate/meraki-devices.json")),
    ("defender-machines.json", include_bytes!("estimate/defender-machines.json")),
];
pub(crate) const TYPE: &str = "multipart/form-data; boundary=sep";

/// A form as browsers send it. Parts with a file name are lists.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, file, bytes) in parts {
        let file = file.map_or_else(String::new, |f| format!("; filename=\"{f}\""));
        out.extend(format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        out.extend(*bytes);
        out.extend(b"\r\n");
    }
    out.extend(b"--sep--\r\n");
    out
}

pub(crate) fn lists<'a>(files: &[(&'a str, &'a [u8])]) -> Vec<u8> {
    form(&files.iter().map(|(name, bytes)| ("file", Some(*name), *bytes)).collect::<Vec<_>>())
}

async fn estimate_as(plan: &Plan, token: &str, query: &str, body: Vec<u8>) -> Answer {
    let request = plan.request_as(token, Method::POST, &format!("/estimate{query}"));
    send(request.header(header::CONTENT_TYPE, TYPE).body(body)).await
}

async fn estimate(plan: &Plan, query: &str, body: Vec<u8>) -> Value {
    estimate_as(plan, &plan.token, query, body).await.succeeds(200)
}

/// A plan for 100 devices, and 110 devices of which 105 are billable: 40 of the network, 65 of IoT, 5 unclassified.
pub(crate) async fn with_an_inventory(plan: &Plan) {
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    let device = |seen: Seen, n: u32| {
        let name = match n {
            0..40 => "network-x",
            40..105 => "iot-x",
            _ => "what",
        };
        let (mac, ip) = (format!("00:40:8c:00:00:{n:02x}"), format!("10.9.0.{}", n + 1));
        seen.sign(&mac, &ip, name, Sign::ArpAsked, "2026-11-22T08:00:00Z")
    };
    (0..110).fold(Seen::default(), device).send(plan, &sensor, 1, "default").await;
}

async fn without_lists_the_estimate_is_the_census_beside_the_committed_number(plan: Plan) {
    with_an_inventory(&plan).await;
    let alone = plan.get("/estimate").await;
    assert_eq!(alone["arithmetic"], "40 network + 65 IoT = 105 → 200");
    assert_has(&alone, json!({"committed": 100, "over": 5}));
    assert_eq!(alone["billable"], plan.get("/census").await["billable"]);
}

/// Two managed devices that sensors know; a camera that they could not classify, a new phone, a known switch.
fn two_lists() -> Vec<u8> {
    let machines = br#"{"value":[
        {"id":"m1","onboardingStatus":"Onboarded","ipAddresses":[{"macAddress":"00408C000000"}]},
        {"id":"m2","onboardingStatus":"Onboarded","lastIpAddress":"10.9.0.2","lastSeen":"2026-11-22T07:00:00Z","ipAddresses":[]}
    ]}"#;
    let cmdb = b"name,mac,ip,type\n\
        a,00:40:8c:00:00:69,,Camera\nb,00:04:13:00:00:07,10.9.1.1,IP phone\nc,,10.9.0.3,Switch\n";
    lists(&[("machines.json", machines), ("cmdb.csv", cmdb)])
}

async fn an_inventory_and_lists_make_one_number(plan: Plan) {
    with_an_inventory(&plan).await;
    let both = estimate(&plan, "", two_lists()).await;
    insta::assert_json_snapshot!("estimate_of_an_inventory_and_lists", masked(both, &["signature"]));
    assert_eq!(plan.get("/census").await["billable"], 105, "an estimate changes nothing");
}

async fn lists_are_estimated_without_the_inventory_on_request(plan: Plan) {
    with_an_inventory(&plan).await;
    let files_only = estimate(&plan, "?inventory=false", two_lists()).await;
    assert_eq!(files_only["inventory"], Value::Null);
    assert_eq!(files_only["arithmetic"], "1 network + 2 IoT = 3 → 100");
}

async fn our_own_exports_are_read_back_to_the_same_count(plan: Plan) {
    with_an_inventory(&plan).await;
    let inventory = plan.get("/inventory").await.to_string();
    let exports = [
        ("devices.csv", plan.text("/devices.csv").await),
        ("devices.ndjson", plan.text("/devices.ndjson").await),
        ("inventory.json", inventory),
    ];
    for (name, text) in exports {
        let found = estimate(&plan, "?inventory=false", lists(&[(name, text.as_bytes())])).await;
        assert_eq!(found["arithmetic"], "40 network + 65 IoT = 105 → 200", "{name}: {found}");
        assert_eq!(found["files"][0]["product"], "netcensus");
    }
}

/// A table whose columns have unknown names, and whose cells could be numbers as well as MACs.
const TABLE: (&str, &[u8]) = ("a.csv", b"Kennung,Was\n004084000001,Camera\n");

/// The mapping of the columns of [`TABLE`], and the path at which it is remembered. A reader teaches it.
async fn mapping(plan: &Plan, reader: &str) -> (String, Value) {
    let mapped = form(&[("file", Some(TABLE.0), TABLE.1), ("map", None, b"mac=Kennung\ntype=Was")]);
    let found = estimate_as(plan, reader, "", mapped).await.succeeds(200);
    assert_eq!(found["iot"], 1);
    let signature = found["files"][0]["signature"].as_str().unwrap();
    (format!("/estimate/mappings/{signature}"), json!({"columns": found["files"][0]["columns"]}))
}

async fn the_columns_of_a_list_are_remembered_by_those_who_may_and_used_for_everybody(plan: Plan) {
    let reader = plan.person("ruth", Role::Reader).await;
    let refused = estimate_as(&plan, &reader, "", lists(&[TABLE])).await.fails(422, "list-unreadable");
    assert!(refused["detail"].as_str().unwrap().contains("mac=COLUMN"), "{refused}");
    let (path, columns) = mapping(&plan, &reader).await;
    let put =
        async |token: &str, path: &str| send(plan.request_as(token, Method::PUT, path).json(&columns)).await;
    let denied = put(&reader, &path).await.fails(403, "not-permitted");
    assert_eq!(denied["roles"], json!(["SA", "C", "O"]));
    put(&plan.token, &format!("{path}?dry_run=true")).await.succeeds(200);
    assert_eq!(plan.get("/estimate/mappings").await, json!({"mappings": []}));
    put(&plan.token, &path).await.succeeds(200);
    let known = estimate_as(&plan, &reader, "", lists(&[TABLE])).await.succeeds(200);
    assert_eq!(known["iot"], 1);
    assert_eq!(known["files"][0]["notes"], json!(["its columns were remembered"]));
}

async fn a_mapping_is_replaced_and_forgotten_only_by_its_current_tag(plan: Plan) {
    let (path, columns) = mapping(&plan, &plan.token).await;
    let put = || plan.request(Method::PUT, &path).json(&columns);
    send(put()).await.succeeds(200);
    send(put()).await.fails(428, "precondition-required");
    send(put().header(header::IF_MATCH, "\"x\"")).await.fails(412, "precondition-failed");
    let tag = plan.tag(&path).await;
    let forget: RequestBuilder = plan.request(Method::DELETE, &path).header(header::IF_MATCH, tag);
    send(forget).await.succeeds(204);
    assert_eq!(plan.try_get(&path).await.status, 404);
    let trail = plan.trail().await;
    let actions = trail.iter().map(|entry| entry.action.as_str()).filter(|a| a.starts_with("estimate."));
    assert_eq!(actions.collect::<Vec<_>>(), ["estimate.forget", "estimate.remember"]);
}

async fn each_refusal_of_a_mapping_is_its_own_problem(plan: Plan) {
    let put = async |signature: &str, columns: Value| {
        let request = plan.request(Method::PUT, &format!("/estimate/mappings/{signature}"));
        send(request.json(&json!({"columns": columns}))).await
    };
    let of = |n: usize| format!("{n:064x}");
    let good = json!({"mac": ["Kennung"]});
    put("abc", good.clone()).await.fails(422, "invalid-mapping");
    for columns in [json!({}), json!({"mac": ["\u{1b}[31m"]}), json!({"mac": ["x".repeat(300)]})] {
        put(&of(1), columns).await.fails(422, "invalid-mapping");
    }
    put(&of(1), json!({"colour": ["x"]})).await.fails(400, "invalid-request");
    for n in 0..256 {
        put(&of(n), good.clone()).await.succeeds(200);
    }
    put(&of(256), good).await.fails(409, "too-many-mappings");
}

async fn the_vectors_1679_to_1700_and_1179_to_1200_hold_for_lists(plan: Plan) {
    let mac = |i: usize| format!("00:40:8c:01:{:02x}:{:02x}", i / 256, i % 256);
    let mut list = String::from("Name,Class,MAC\n");
    for i in 0..2_000 {
        let class = match i {
            0..473 => "cmdb_ci_ip_switch",
            473..1_679 => "IoT",
            _ => "cmdb_ci_computer",
        };
        list.push_str(&format!("d{i},{class},{}\n", mac(i)));
    }
    let machine = |i: usize| {
        let addresses = json!([{"macAddress": mac(3 * i)}]);
        json!({"id": format!("m{i}"), "onboardingStatus": "Onboarded", "ipAddresses": addresses})
    };
    let machines = json!({"value": (0..500).map(machine).collect::<Vec<_>>()}).to_string();
    let plain = estimate(&plan, "", lists(&[("cmdb.csv", list.as_bytes())])).await;
    assert_eq!(plain["arithmetic"], "473 network + 1206 IoT = 1679 → 1700");
    assert_has(&plain, json!({"billable": 1_679, "commitment": 1_700}));
    let files = [("cmdb.csv", list.as_bytes()), ("machines.json", machines.as_bytes())];
    let both = estimate(&plan, "", lists(&files)).await;
    assert_has(&both, json!({"billable": 1_179, "commitment": 1_200}));
    assert_eq!(both["excluded"], json!({"X-CM": 321, "X-MANAGED": 500}));
}

#[tokio::test]
async fn each_refusal_of_a_list_is_its_own_problem_and_says_what_is_wrong() {
    let plan = Plan::start().await;
    let too_long = vec![b'a'; 18 << 20];
    let cases = [
        (form(&[]), 400, "invalid-request", "named 'file'"),
        (form(&[("what", None, b"x")]), 400, "invalid-request", "file, kind and map"),
        (form(&[("kind", None, b"excel")]), 400, "invalid-request", "cmdb, meraki or defender"),
        (form(&[("map", None, b"colour=x")]), 422, "invalid-mapping", "colour"),
        (lists(&[("a.xlsx", b"PK\0\0")]), 422, "list-unreadable", "a.xlsx"),
        (lists(&[("a.json", b"{}")]), 422, "list-unreadable", "a.json"),
        (lists(&[("a.csv", b"mac\n".as_slice()); 17]), 413, "list-too-large", "16 files"),
        (lists(&[("a.csv", &too_long)]), 413, "list-too-large", "16 MiB"),
    ];
    for (body, status, slug, word) in cases {
        let refused = estimate_as(&plan, &plan.token, "", body).await.fails(status, slug);
        assert!(refused["detail"].as_str().unwrap().contains(word), "{refused}");
    }
    plan.post("/estimate", json!({})).await.fails(400, "invalid-request");
    let stranger = send(plan.client.post(plan.of("/estimate")).header(header::CONTENT_TYPE, TYPE)).await;
    stranger.fails(401, "unauthenticated");
}

#[tokio::test]
async fn an_estimate_counts_all_rows_and_shows_the_first_1000_unless_all_are_asked_for() {
    let plan = Plan::start().await;
    let row = |i: usize| format!("00:40:8c:00:{:02x}:{:02x},Camera\n", i / 256, i % 256);
    let table = format!("mac,type\n{}", (0..1_500).map(row).collect::<String>());
    let files = [("a.csv", table.as_bytes())];
    let some = estimate(&plan, "", lists(&files)).await;
    assert_eq!(some["rows"].as_array().unwrap().len(), 1_000);
    assert_eq!(some["rows_left_out"], 500);
    let all = estimate(&plan, "?all_rows=true", lists(&files)).await;
    assert_eq!(all["rows"].as_array().unwrap().len(), 1_500);
    assert_has(&all, json!({"rows_left_out": 0, "iot": 1_500, "commitment": 1_500}));
}

/// Writes the lists to a folder; gives the arguments that estimate from them.
fn with_lists(dir: &std::path::Path) -> Vec<&'static str> {
    let names = LISTS.map(|(name, bytes)| {
        std::fs::write(dir.join(name), bytes).unwrap();
        name
    });
    ["estimate"].into_iter().chain(names).chain(["--as-of", "2026-11-22T09:00:00Z"]).collect()
}

#[test]
fn the_command_estimates_from_lists_alone_without_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let arguments = with_lists(dir);
    insta::assert_snapshot!("estimate_of_lists", printed(dir, &arguments));
    let found = document(dir, &[arguments.as_slice(), &["--json"]].concat());
    assert_eq!(found["arithmetic"], "5 network + 8 IoT = 13 − 1 managed = 12 → 100");
    assert_eq!(found["inventory"], Value::Null);
    assert_eq!(found["rows"].as_array().unwrap().len(), 35);
    assert!(!dir.join("plan.sqlite").exists());
}

#[test]
fn the_command_reports_each_row_on_request_and_says_what_is_wrong_with_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    with_lists(dir);
    let report = run(dir, &["estimate", "servicenow.csv", "--report"]);
    assert!(String::from_utf8(report.stdout).unwrap().contains("servicenow.csv:3"));
    assert_failure(dir, &["estimate", "missing.csv"], 1, "missing.csv");
    assert_failure(dir, &["estimate", "servicenow.csv", "--map", "mac"], 2, "FIELD=COLUMN");
    let nowhere = ["estimate", "servicenow.csv", "--map", "mac=Nowhere"];
    assert_failure(dir, &nowhere, 1, "has no column 'Nowhere'");
    assert_eq!(failure(dir, &["estimate"]).0, 69, "without lists it needs a database");
}

#[test]
fn the_command_estimates_beside_the_inventory_and_remembers_columns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make_database(dir);
    printed(dir, &["subscription", "create", "Contoso"]);
    std::fs::write(dir.join(TABLE.0), TABLE.1).unwrap();
    let teach = ["estimate", "a.csv", "--map", "mac=Kennung", "--map", "type=was", "--remember", "--json"];
    assert_has(&document(dir, &teach), json!({"iot": 1, "inventory": {"devices": 0}}));
    let known = document(dir, &["estimate", "a.csv", "--json"]);
    assert_eq!(known["iot"], 1);
    assert_eq!(known["files"][0]["notes"], json!(["its columns were remembered"]));
    assert!(failure(dir, &["estimate", "a.csv", "--files-only"]).1.contains("mac=COLUMN"));
    assert_eq!(document(dir, &["estimate", "--json"])["arithmetic"], "0 network + 0 IoT = 0");
}

/// Sends lists by the form of the console.
async fn send_form(plan: &Plan, browser: &Browser<'_>, origin: &str, body: Vec<u8>) -> Page {
    let request = plan.client.post(browser.page("/estimate")).header(header::COOKIE, &browser.cookie);
    let request = request.header(header::ORIGIN, origin).header(header::CONTENT_TYPE, TYPE);
    Page::read(request.body(body)).await
}

#[tokio::test]
async fn the_page_shows_the_estimate_of_the_inventory() {
    let plan = Plan::start().await;
    with_an_inventory(&plan).await;
    let page = Browser::sign_in(&plan).await.show("/estimate").await;
    page.assert(200, "40 network + 65 IoT = 105 → 200");
    page.assert(200, "5 more than the 100 committed");
}

#[tokio::test]
async fn the_page_takes_lists_without_a_script_and_escapes_what_is_in_them() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    let hostile = b"name,mac,type\n<img src=x onerror=alert(1)>,00:40:8c:00:01:01,Laptop\nx,broken,Camera\n";
    let page = send_form(&plan, &browser, &plan.url, lists(&[("<b>.csv", hostile)])).await;
    page.assert(200, "&#60;img src=x");
    let text = page.html.replace("&#39;", "'");
    assert!(text.contains("'broken' is no MAC address"), "{text}"); // english: ok, as reports show it
    assert!(!page.html.contains("<img src=x") && !page.html.contains("<b>"), "{}", page.html);
    let empty = form(&[("file", Some(""), b""), ("map", None, b"")]);
    send_form(&plan, &browser, &plan.url, empty).await.assert(400, "there is no list in it");
    let elsewhere =
        send_form(&plan, &browser, "http://elsewhere.example", lists(&[("a.csv", hostile)])).await;
    assert_eq!(elsewhere.status, 403);
}
