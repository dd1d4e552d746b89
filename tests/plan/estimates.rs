//! The estimate and the forecast over the API, the command line and the console.

use netcensus::plan::permission::Role;
use netcensus::plan::store::CredentialKind;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::commands::{document, failure, run};
use crate::database::on_both_stores;
use crate::harness::{Plan, problem, send, upload};
use crate::snapshots::tick_once;

const LISTS: [(&str, &[u8]); 5] = [
    ("servicenow.csv", include_bytes!("estimate/servicenow.csv")),
    ("lansweeper.csv", include_bytes!("estimate/lansweeper.csv")),
    ("meraki-clients.json", include_bytes!("estimate/meraki-clients.json")),
    ("meraki-devices.json", include_bytes!("estimate/meraki-devices.json")),
    ("defender-machines.json", include_bytes!("estimate/defender-machines.json")),
];
const TYPE: &str = "multipart/form-data; boundary=sep";

/// A form as browsers send it: parts with a file name are lists.
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

fn lists<'a>(files: &[(&'a str, &'a [u8])]) -> Vec<u8> {
    form(&files.iter().map(|(name, bytes)| ("file", Some(*name), *bytes)).collect::<Vec<_>>())
}

async fn estimate(plan: &Plan, token: &str, query: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let request = plan.client.post(plan.of(&format!("/estimate{query}"))).bearer_auth(token);
    send(request.header(header::CONTENT_TYPE, TYPE).body(body)).await
}

async fn with_an_inventory(plan: &Plan) {
    plan.post("/plan", json!({"kind": "monthly", "devices": 100, "accept_terms": true})).await;
    let sensor = plan.enrol().await;
    let macs: Vec<String> = (0..110).map(|i| format!("00:40:8c:00:00:{i:02x}")).collect();
    let ips: Vec<String> = (0..110).map(|i| format!("10.9.0.{}", i + 1)).collect();
    let name = |i: usize| match i {
        0..40 => "network-x",
        40..105 => "iot-x",
        _ => "what",
    };
    let seen: Vec<_> =
        (0..110).map(|i| (macs[i].as_str(), ips[i].as_str(), name(i), "2026-11-22T08:00:00Z")).collect();
    assert_eq!(plan.upload(&sensor, &upload(1, "default", &seen)).await.0, 201);
}

on_both_stores! {
    async fn an_inventory_and_lists_make_one_number_beside_the_committed_one(plan: Plan) {
        with_an_inventory(&plan).await;
        let alone = plan.get("/estimate").await;
        assert_eq!(alone["arithmetic"], "40 network + 65 IoT = 105 → 200");
        assert_eq!((&alone["committed"], &alone["over"]), (&json!(100), &json!(5)));
        assert_eq!(alone["billable"], plan.get("/census").await["billable"]);
        // One that sensors know is managed; one that they could not classify is a camera; one is new; one stands twice.
        let machines = br#"{"value":[
            {"id":"m1","onboardingStatus":"Onboarded","ipAddresses":[{"macAddress":"00408C000000"}]},
            {"id":"m2","onboardingStatus":"Onboarded","lastIpAddress":"10.9.0.2","lastSeen":"2026-11-22T07:00:00Z","ipAddresses":[]}
        ]}"#;
        let cmdb = b"name,mac,ip,type\na,00:40:8c:00:00:69,,Camera\nb,00:04:13:00:00:07,10.9.1.1,IP phone\nc,,10.9.0.3,Switch\n";
        let body = lists(&[("machines.json", machines), ("cmdb.csv", cmdb)]);
        let (status, both) = estimate(&plan, &plan.token, "", body.clone()).await;
        assert_eq!(status, 200, "{both}");
        assert_eq!(both["arithmetic"], "40 network + 67 IoT = 107 − 2 managed = 105 → 200");
        assert_eq!(
            both["inventory"],
            json!({"devices": 110, "billable": 105, "matched": 4, "no_longer": 2, "besides": 1})
        );
        assert_eq!(both["ledger"], json!({"rows": 5, "taken": 1, "merged": 4, "excluded": 0, "unreadable": 0}));
        assert_eq!(both["excluded"], json!({"X-MANAGED": 2, "X-UNCL": 4}));
        assert_eq!(plan.get("/census").await["billable"], 105, "an estimate changes nothing");
        let (_, files_only) = estimate(&plan, &plan.token, "?inventory=false", body).await;
        assert_eq!(files_only["inventory"], Value::Null);
        assert_eq!(files_only["arithmetic"], "1 network + 2 IoT = 3 → 100");
    }
}

on_both_stores! {
    async fn columns_are_remembered_by_those_who_may_and_used_for_everybody(plan: Plan) {
        let table = b"Kennung,Was\n00:40:8c:00:00:01,Camera\n";
        let body = lists(&[("a.csv", table)]);
        let reader = plan.person("ruth", Role::Reader).await;
        let refused = estimate(&plan, &reader, "", body.clone()).await;
        assert_eq!(problem(&refused), (422, "list-unreadable"));
        assert!(refused.1["detail"].as_str().unwrap().contains("mac=COLUMN"));
        let mapped = form(&[("file", Some("a.csv"), table), ("map", None, b"mac=Kennung\ntype=Was")]);
        let (_, found) = estimate(&plan, &reader, "", mapped).await;
        assert_eq!(found["iot"], 1);
        let signature = found["files"][0]["signature"].as_str().unwrap().to_owned();
        let columns = json!({"columns": found["files"][0]["columns"]});

        let path = format!("/estimate/mappings/{signature}");
        let put = |token: &str, query: &str| {
            plan.client.put(plan.of(&format!("{path}{query}"))).bearer_auth(token).json(&columns)
        };
        let denied = send(put(&reader, "")).await;
        assert_eq!(problem(&denied), (403, "not-permitted"));
        assert_eq!(denied.1["roles"], json!(["SA", "C", "O"]));
        assert_eq!(send(put(&plan.token, "?dry_run=true")).await.0, 200);
        assert_eq!(plan.get("/estimate/mappings").await, json!({"mappings": []}));
        assert_eq!(send(put(&plan.token, "")).await.0, 200);
        let (_, known) = estimate(&plan, &reader, "", body).await;
        assert_eq!(known["iot"], 1);
        assert_eq!(known["files"][0]["notes"], json!(["its columns were remembered"]));

        assert_eq!(problem(&send(put(&plan.token, "")).await), (428, "precondition-required"));
        let got = plan.client.get(plan.of(&path)).bearer_auth(&plan.token).send().await.unwrap();
        let tag = got.headers()[header::ETAG].to_str().unwrap().to_owned();
        let stale = put(&plan.token, "").header(header::IF_MATCH, "\"x\"");
        assert_eq!(problem(&send(stale).await), (412, "precondition-failed"));
        let delete = plan.client.delete(plan.of(&path)).bearer_auth(&plan.token).header(header::IF_MATCH, &tag);
        assert_eq!(send(delete).await.0, 204);
        assert_eq!(problem(&send(plan.client.get(plan.of(&path)).bearer_auth(&plan.token)).await).0, 404);
        let trail = plan.store.audit_trail(Some(&plan.sid), None, 10).await.unwrap();
        let actions = trail.iter().map(|row| row.action.as_str()).filter(|a| a.starts_with("estimate."));
        assert_eq!(actions.collect::<Vec<_>>(), ["estimate.forget", "estimate.remember"]);
    }
}

on_both_stores! {
    async fn mappings_have_bounds_and_each_refusal_is_its_own_problem(plan: Plan) {
        let put = async |signature: &str, columns: Value| {
            let url = plan.of(&format!("/estimate/mappings/{signature}"));
            let body = json!({"columns": columns});
            send(plan.client.put(url).bearer_auth(&plan.token).json(&body)).await
        };
        let good = json!({"mac": ["Kennung"]});
        assert_eq!(problem(&put("abc", good.clone()).await), (422, "invalid-mapping"));
        let of = |n: usize| format!("{n:064x}");
        for columns in [json!({}), json!({"mac": ["\u{1b}[31m"]}), json!({"mac": ["x".repeat(300)]})] {
            assert_eq!(problem(&put(&of(1), columns).await), (422, "invalid-mapping"));
        }
        assert_eq!(problem(&put(&of(1), json!({"colour": ["x"]})).await), (400, "invalid-request"));
        for n in 0..256 {
            assert_eq!(put(&of(n), good.clone()).await.0, 200);
        }
        assert_eq!(problem(&put(&of(256), good).await), (409, "too-many-mappings"));
    }
}

on_both_stores! {
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
        let machines: Vec<Value> = (0..500)
            .map(|i| json!({"id": format!("m{i}"), "onboardingStatus": "Onboarded", "ipAddresses": [{"macAddress": mac(3 * i)}]}))
            .collect();
        let machines = json!({"value": machines}).to_string();
        let (_, plain) = estimate(&plan, &plan.token, "", lists(&[("cmdb.csv", list.as_bytes())])).await;
        assert_eq!(plain["arithmetic"], "473 network + 1206 IoT = 1679 → 1700");
        assert_eq!((&plain["billable"], &plain["commitment"]), (&json!(1_679), &json!(1_700)));
        let files = [("cmdb.csv", list.as_bytes()), ("machines.json", machines.as_bytes())];
        let (_, both) = estimate(&plan, &plan.token, "", lists(&files)).await;
        assert_eq!((&both["billable"], &both["commitment"]), (&json!(1_179), &json!(1_200)));
        assert_eq!(both["excluded"], json!({"X-CM": 321, "X-MANAGED": 500}));
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_by_its_own_problem() {
    let plan = Plan::start().await;
    let refused = async |body: Vec<u8>| {
        let answer = estimate(&plan, &plan.token, "", body).await;
        let (status, slug) = problem(&answer);
        (status, slug.to_owned(), answer.1["detail"].as_str().unwrap_or_default().to_owned())
    };
    let is = |answer: (u16, String, String), status: u16, slug: &str, word: &str| {
        assert_eq!((answer.0, answer.1.as_str()), (status, slug), "{}", answer.2);
        assert!(answer.2.contains(word), "{}", answer.2);
    };
    is(refused(form(&[])).await, 400, "invalid-request", "named 'file'");
    is(refused(form(&[("what", None, b"x")])).await, 400, "invalid-request", "file, kind and map");
    is(refused(form(&[("kind", None, b"excel")])).await, 400, "invalid-request", "cmdb, meraki or defender");
    is(refused(form(&[("map", None, b"colour=x")])).await, 422, "invalid-mapping", "colour");
    is(refused(lists(&[("a.xlsx", b"PK\0\0")])).await, 422, "list-unreadable", "a.xlsx");
    is(refused(lists(&[("a.json", b"{}")])).await, 422, "list-unreadable", "a.json");
    is(refused(lists(&[("a.csv", b"mac\n".as_slice()); 17])).await, 413, "list-too-large", "16 files");
    is(refused(lists(&[("a.csv", &vec![b'a'; 18 << 20])])).await, 413, "list-too-large", "16 MiB");
    let request = plan.client.post(plan.of("/estimate")).bearer_auth(&plan.token).json(&json!({}));
    assert_eq!(problem(&send(request).await), (400, "invalid-request"));
    let stranger = send(plan.client.post(plan.of("/estimate")).header(header::CONTENT_TYPE, TYPE)).await;
    assert_eq!(problem(&stranger), (401, "unauthenticated"));
    let mut rows = b"mac,type\n".to_vec();
    rows.extend(
        (0..1_500).flat_map(|i| format!("00:40:8c:00:{:02x}:{:02x},Camera\n", i / 256, i % 256).into_bytes()),
    );
    let some = estimate(&plan, &plan.token, "", lists(&[("a.csv", &rows)])).await.1;
    assert_eq!((some["rows"].as_array().unwrap().len(), &some["rows_left_out"]), (1_000, &json!(500)));
    let all = estimate(&plan, &plan.token, "?all_rows=true", lists(&[("a.csv", &rows)])).await.1;
    assert_eq!((all["rows"].as_array().unwrap().len(), &all["rows_left_out"]), (1_500, &json!(0)));
    assert_eq!((&all["iot"], &all["commitment"]), (&json!(1_500), &json!(1_500)));
}

on_both_stores! {
    async fn a_forecast_follows_the_sealed_days_and_the_present_count(plan: Plan) {
        plan.post("/plan", json!({"kind": "monthly", "devices": 300, "accept_terms": true})).await;
        let sensor = plan.enrol().await;
        let mac = |i: usize| format!("00:40:8c:00:{:02x}:{:02x}", i / 256, i % 256);
        for day in 0..10 {
            let date = if day < 9 { format!("2026-11-{}", 22 + day) } else { "2026-12-01".to_owned() };
            // What was sealed is the day before.
            plan.set_time(&format!("{date}T01:00:00Z"));
            tick_once(&plan).await;
            let at = format!("{date}T09:00:00Z");
            plan.set_time(&at);
            let names: Vec<(String, String)> =
                (0..100 + 10 * day).map(|i| (mac(i), format!("10.0.{}.{}", i / 200, i % 200 + 1))).collect();
            let seen: Vec<_> =
                names.iter().map(|(mac, ip)| (mac.as_str(), ip.as_str(), "iot-x", at.as_str())).collect();
            let sent = plan.upload(&sensor, &upload(day as u64 + 1, "default", &seen)).await;
            assert_eq!(sent.0, 201, "{}", sent.1);
        }
        let forecast = plan.get("/forecast").await;
        assert_eq!((&forecast["days"], &forecast["billable"]), (&json!(10), &json!(190)), "{forecast}");
        assert_eq!((&forecast["per_day"], &forecast["outlook"]), (&json!(10.0), &json!("will_pass")));
        assert_eq!(forecast["expected"], "2026-12-13T00:00:00Z");
        assert_eq!((&forecast["warning"], &forecast["recommended"]), (&json!(true), &json!(500)));
    }
}

#[tokio::test]
async fn a_forecast_cannot_say_anything_before_there_are_days() {
    let plan = Plan::start().await;
    with_an_inventory(&plan).await;
    let forecast = plan.get("/forecast").await;
    assert_eq!(
        (&forecast["schema"], &forecast["outlook"]),
        (&json!("netcensus.forecast/1"), &json!("passed"))
    );
    assert_eq!((&forecast["committed"], &forecast["billable"]), (&json!(100), &json!(105)));
    assert_eq!((&forecast["per_day"], &forecast["warning"]), (&Value::Null, &json!(true)));
}

#[test]
fn the_command_estimates_from_lists_alone_without_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let names = LISTS.map(|(name, bytes)| {
        std::fs::write(dir.join(name), bytes).unwrap();
        name
    });
    let as_of = ["--as-of", "2026-11-22T09:00:00Z"];
    let arguments: Vec<&str> = ["estimate"].into_iter().chain(names).chain(as_of).collect();
    let output = run(dir, &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!("estimate_of_lists", text);
    let found = document(dir, &[arguments.as_slice(), &["--json"]].concat());
    assert_eq!(found["arithmetic"], "5 network + 8 IoT = 13 − 1 managed = 12 → 100");
    assert_eq!((&found["inventory"], found["rows"].as_array().unwrap().len()), (&Value::Null, 35));
    assert!(!dir.join("plan.sqlite").exists());

    let report = run(dir, &["estimate", "servicenow.csv", "--report"]);
    assert!(String::from_utf8(report.stdout).unwrap().contains("servicenow.csv:3"));
    let (code, message) = failure(dir, &["estimate", "missing.csv"]);
    assert!(code == 1 && message.contains("missing.csv"), "{message}");
    let (code, message) = failure(dir, &["estimate", "servicenow.csv", "--map", "mac"]);
    assert!(code == 2 && message.contains("FIELD=COLUMN"), "{message}");
    let (code, message) = failure(dir, &["estimate", "servicenow.csv", "--map", "mac=Nowhere"]);
    assert!(code == 1 && message.contains("has no column 'Nowhere'"), "{message}");
    assert_eq!(failure(dir, &["estimate"]).0, 1, "without lists it takes a database");
}

#[test]
fn the_command_estimates_beside_the_inventory_and_remembers_columns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(run(dir, &["subscription", "create", "Contoso"]).status.success());
    std::fs::write(dir.join("a.csv"), "Kennung,Was\n00:40:8c:00:00:01,Camera\n").unwrap();
    let taught = document(
        dir,
        &["estimate", "a.csv", "--map", "mac=Kennung", "--map", "type=was", "--remember", "--json"],
    );
    assert_eq!((&taught["iot"], &taught["inventory"]["devices"]), (&json!(1), &json!(0)));
    let known = document(dir, &["estimate", "a.csv", "--json"]);
    assert_eq!(
        (&known["iot"], &known["files"][0]["notes"]),
        (&json!(1), &json!(["its columns were remembered"]))
    );
    assert!(failure(dir, &["estimate", "a.csv", "--files-only"]).1.contains("mac=COLUMN"));
    assert_eq!(document(dir, &["estimate", "--json"])["arithmetic"], "0 network + 0 IoT = 0 → 0");
    assert_eq!(document(dir, &["forecast", "--json"])["outlook"], "too_few_days");
}

#[test]
fn the_command_forecasts_a_series_of_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut series = String::from("day,billable\n");
    for day in 1..=20 {
        series.push_str(&format!("2026-11-{day:02},{}\n", 1_600 + 4 * day));
    }
    std::fs::write(dir.join("counts.csv"), series).unwrap();
    let asked =
        ["forecast", "--series", "counts.csv", "--committed", "1700", "--as-of", "2026-11-20T12:00:00Z"];
    let output = run(dir, &asked);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "grows by +4 a day and passes the committed number between 2026-11-26 and 2026-11-26, most likely on 2026-11-26\n\
         Commit 1800 for it to hold for a month.\n"
    );
    std::fs::write(dir.join("bad.csv"), "2026-11-01,5\nyesterday,6\n").unwrap();
    let (code, message) = failure(dir, &["forecast", "--series", "bad.csv"]);
    assert!(code == 1 && message.contains("bad.csv: line 2"), "{message}");
}

#[tokio::test]
async fn the_page_takes_lists_without_a_script_and_escapes_what_they_say() {
    let plan = Plan::start().await;
    with_an_inventory(&plan).await;
    let link = plan.store.issue(CredentialKind::Login, Some("owner"), plan.clock_now()).await.unwrap();
    let answer = plan.client.get(format!("{}/login/{}", plan.url, link.secret)).send().await.unwrap();
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let url = format!("{}/subscriptions/{}/estimate", plan.url, plan.sid);
    let page =
        plan.client.get(&url).header(header::COOKIE, &cookie).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("40 network + 65 IoT = 105 → 200") && page.contains("5 more than the 100 committed")
    );
    let post = async |body: Vec<u8>, origin: &str| {
        let request = plan.client.post(&url).header(header::COOKIE, &cookie).header(header::ORIGIN, origin);
        let answer = request.header(header::CONTENT_TYPE, TYPE).body(body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let hostile = b"name,mac,type\n<img src=x onerror=alert(1)>,00:40:8c:00:01:01,Laptop\nx,broken,Camera\n";
    let (status, page) = post(lists(&[("<b>.csv", hostile)]), &plan.url).await;
    assert_eq!(status, 200);
    assert!(!page.contains("<img src=x") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&#60;img src=x") && page.contains("&#39;broken&#39; is no MAC address"), "{page}");
    let (status, page) = post(form(&[("file", Some(""), b""), ("map", None, b"")]), &plan.url).await;
    assert!(status == 400 && page.contains("there is no list in it"), "{page}");
    assert_eq!(post(lists(&[("a.csv", hostile)]), "http://elsewhere.example").await.0, 403);
}
