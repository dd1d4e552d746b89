//! Vulnerabilities: what the service says of devices by the advisories that the operator imported, and to whom.

use std::path::PathBuf;

use netcensus::census::{Field, Timestamp};
use netcensus::plan::advisories;
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::Browser;
use crate::support::{Plan, Seen, assert_has};

/// An advisory about the camera that calls itself `iot-axis` (see the tests' classifier), in the documented form.
pub(crate) const FEED: &str = r#"{"format":"NVD_CVE","vulnerabilities":[
  {"cve":{"id":"CVE-1999-9001","published":"2026-01-01T00:00:00","lastModified":"2026-02-01T00:00:00","vulnStatus":"Analyzed",
    "descriptions":[{"lang":"en","value":"A <script>flaw</script> in a camera."}],
    "metrics":{"cvssMetricV31":[{"type":"Primary","source":"s","cvssData":{"version":"3.1","baseScore":9.8,"vectorString":"v"}}]},
    "configurations":[{"operator":"AND","nodes":[
      {"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:axis:p3245-lv_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"10.12.91"}]},
      {"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":false,"criteria":"cpe:2.3:h:axis:p3245-lv:-:*:*:*:*:*:*:*"}]}]}]}},
  {"cve":{"id":"CVE-1999-9002","vulnStatus":"Analyzed","descriptions":[{"lang":"en","value":"Another flaw."}],
    "configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:axis:p3245-lv_firmware:-:*:*:*:*:*:*:*"}]}]}]}},
  {"cve":{"id":"CVE-1999-9003","vulnStatus":"Analyzed","descriptions":[],
    "configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:o:axis:p3245-lv_firmware:*:*:*:*:*:*:*:*","versionEndExcluding":"9.0"}]}]}]}}]}"#;
const KEV: &str = r#"{"catalogVersion":"1","dateReleased":"2026-11-20T00:00:00Z","vulnerabilities":[
  {"cveID":"CVE-1999-9001","vulnerabilityName":"Camera flaw","dateAdded":"2026-01-02","requiredAction":"Update.","dueDate":"2026-01-23"}]}"#;

/// Imports these texts as files.
pub(crate) async fn imported(plan: &Plan, texts: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let file = |(n, text): (usize, &&str)| {
        let path = dir.path().join(format!("{n}.json"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let files: Vec<PathBuf> = texts.iter().enumerate().map(file).collect();
    advisories::import(&plan.advisories(), &files, false, Timestamp(plan.now().0)).await.unwrap();
}

/// A camera whose firmware is affected, one that only has the category, and a computer.
async fn with_cameras() -> (Plan, String) {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let seen = Seen::default()
        .arp("00:40:8c:00:00:01", "10.0.0.1", "iot-axis")
        .arp("00:40:8c:00:00:02", "10.0.0.2", "iot-other")
        .arp("00:40:8c:00:00:03", "10.0.0.3", "computer_mobile-axis");
    seen.send(&plan, &sensor, 1, "hq").await;
    let devices = plan.get("/devices?q=10.0.0.1").await;
    let id = each(&devices["devices"], "id")[0].clone();
    (plan, id)
}

fn cves(list: &Value) -> Vec<&str> {
    list["vulnerabilities"].as_array().unwrap().iter().map(|v| v["cve"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn before_an_import_the_lists_are_empty_and_say_so() {
    let (plan, id) = with_cameras().await;
    let list = plan.get("/vulnerabilities").await;
    assert_has(&list, json!({"schema": "netcensus.vulnerabilities/1", "set": null, "vulnerabilities": []}));
    assert_eq!(plan.get("/vulnerabilities/coverage").await["set"], Value::Null);
    assert_eq!(plan.get(&format!("/devices/{id}/vulnerabilities")).await["vulnerabilities"], json!([]));
    assert_eq!(plan.try_get("/vulnerabilities/CVE-1999-9001").await.status, 404);
}

#[tokio::test]
async fn a_device_has_what_names_its_firmware_and_possibly_what_names_its_model() {
    let (plan, id) = with_cameras().await;
    imported(&plan, &[FEED, KEV]).await;
    let list = plan.get("/vulnerabilities").await;
    assert_eq!(cves(&list), ["CVE-1999-9001"]);
    assert_has(
        &list["vulnerabilities"][0],
        json!({"devices": 1, "severity": "critical", "score": "9.8", "confidence": "confirmed"}),
    );
    assert_eq!(list["vulnerabilities"][0]["kev"]["due"], "2026-01-23");
    // What is only possible is in no total.
    let totals = json!({"cves": 1, "devices": 1, "exploited_cves": 1, "exploited_devices": 1});
    assert_eq!(list["totals"], totals);
    let possible = plan.get("/vulnerabilities?confidence=possible").await;
    assert_eq!((cves(&possible), &possible["totals"]), (vec!["CVE-1999-9002"], &totals));

    let found = plan.get(&format!("/devices/{id}/vulnerabilities")).await;
    assert_eq!(cves(&found), ["CVE-1999-9001", "CVE-1999-9002"]);
    let expected = json!({"verdict": "exact-affected", "source": "nvd", "criterion": "axis/p3245-lv < 10.12.91",
        "compared": "10.12.65 fits < 10.12.91 (numbers between dots)", "product_row": "axis", "fixed_in": "10.12.91",
        "rules": ["test.axis"], "first_detected": "2026-11-22"});
    assert_has(&found["vulnerabilities"][0], expected);
    assert_has(&found["vulnerabilities"][1], json!({"verdict": "model-only", "confidence": "possible"}));
    assert_has(&found, json!({"fixed": 1, "undecided": 0}));
    assert_has(
        &found["product"],
        json!({"vendor": "Axis", "firmware": "10.12.65", "proved": true, "mapping": "mapped"}),
    );

    let cve = plan.get("/vulnerabilities/CVE-1999-9001").await;
    assert_has(&cve, json!({"confirmed": 1, "rejected": false}));
    assert_eq!(cve["devices"][0]["id"], id.as_str());
    let coverage = plan.get("/vulnerabilities/coverage").await;
    // The computer is not covered by a plan.
    assert_has(&coverage, json!({"mapped": 1, "unidentified": 1, "not_mapped": 0}));
    assert_eq!(coverage["set"]["cves"], 3);
}

#[tokio::test]
async fn devices_with_severe_flaws_are_to_be_secured_and_those_that_may_have_an_exploited_one_checked() {
    let (plan, id) = with_cameras().await;
    let recommended = async |rule: &str| {
        let list = plan.get("/recommendations").await;
        list["recommendations"].as_array().unwrap().iter().find(|r| r["rule"] == rule).cloned()
    };
    assert_eq!(recommended("R-VULN").await, None, "nothing was imported");
    // Severe by its score alone, then known to be exploited, then neither.
    imported(&plan, &[FEED]).await;
    let scored = recommended("R-VULN").await.unwrap();
    assert_eq!(scored["unhealthy"][0]["device"]["id"], id.as_str());
    assert_has(
        &scored,
        json!({"name": "Secure your vulnerable devices", "severity": "high", "healthy": [], "not_assessed": 1}),
    );
    assert_eq!(scored["unhealthy"][0]["proof"]["sentence"], "its firmware has CVE-1999-9001 (CVSS 9.8)");
    imported(&plan, &[&FEED.replace("9.8", "5.0"), KEV]).await;
    let exploited = recommended("R-VULN").await.unwrap();
    assert_eq!(exploited["unhealthy"][0]["proof"]["sentence"], "its firmware has CVE-1999-9001 (exploited)");
    imported(&plan, &[&FEED.replace("10.12.91", "10.12.60"), KEV]).await;
    let fixed = recommended("R-VULN").await.unwrap();
    assert_eq!((&fixed["unhealthy"], each(&fixed["healthy"], "id")), (&json!([]), vec![id.clone()]));
    // The record names the model alone: it is told as something to check, and the device is not healthy.
    let of_model = KEV.replace("9001", "9002");
    imported(&plan, &[&FEED.replace("10.12.91", "10.12.60"), &of_model]).await;
    let check = recommended("R-CHECK").await.unwrap();
    let sentence = "its model may have CVE-1999-9002 (exploited); its firmware does not tell";
    assert_eq!(check["unhealthy"][0]["proof"]["sentence"], sentence);
    assert_eq!(recommended("R-VULN").await, None);
}

#[tokio::test]
async fn a_new_import_takes_effect_at_once() {
    let (plan, _) = with_cameras().await;
    imported(&plan, &[FEED]).await;
    assert_eq!(cves(&plan.get("/vulnerabilities").await), ["CVE-1999-9001"]);
    imported(&plan, &[&FEED.replace("10.12.91", "10.12.60")]).await;
    assert_eq!(cves(&plan.get("/vulnerabilities").await), [""; 0]);
    imported(&plan, &[&FEED.replace("Analyzed", "Rejected")]).await;
    assert_eq!(cves(&plan.get("/vulnerabilities?confidence=possible").await), [""; 0]);
    assert_has(&plan.get("/vulnerabilities/CVE-1999-9001").await, json!({"rejected": true, "devices": []}));
}

/// A flaw of a web server, in the documented form.
const COMPONENT: &str = r#"{"format":"NVD_CVE","vulnerabilities":[
  {"cve":{"id":"CVE-1999-9005","published":"2026-01-01T00:00:00","vulnStatus":"Analyzed",
    "descriptions":[{"lang":"en","value":"A flaw of a web server."}],
    "metrics":{"cvssMetricV31":[{"type":"Primary","source":"s","cvssData":{"version":"3.1","baseScore":9.9,"vectorString":"v"}}]},
    "configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:a:f5:nginx:*:*:*:*:*:*:*:*","versionEndExcluding":"1.20.1"}]}]}]}},
  {"cve":{"id":"CVE-1999-9006","vulnStatus":"Analyzed","descriptions":[],
    "configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:a:f5:nginx:-:*:*:*:*:*:*:*"}]}]}]}}]}"#;

#[tokio::test]
async fn components_of_banners_are_listed_apart_if_the_operator_asks_and_count_nowhere() {
    let mut plan = Plan::start().await;
    let sensor = plan.ready().await;
    let says = |seen: Seen, n: u8, value: &str| {
        seen.says(&format!("00:40:8c:00:00:0{n}"), &format!("10.0.0.{n}"), Field::HttpServer, value)
    };
    let seen = Seen::default()
        .arp("00:40:8c:00:00:01", "10.0.0.1", "iot-axis")
        .arp("00:40:8c:00:00:02", "10.0.0.2", "iot-other")
        .arp("00:40:8c:00:00:03", "10.0.0.3", "computer_mobile-axis");
    let seen = says(says(says(seen, 1, "nginx/1.18.0 (Ubuntu)"), 2, "nginx/1.20.1"), 3, "nginx/1.18.0");
    seen.send(&plan, &sensor, 1, "hq").await;
    let kev = KEV.replace("9001", "9005");
    imported(&plan, &[FEED, COMPONENT, &kev]).await;
    let list = "/vulnerabilities?confidence=component";
    let off = plan.get(list).await;
    assert_eq!((cves(&off), &off["components"]), (vec![], &json!(false)));
    let (totals, recommended) =
        (off["totals"].clone(), plan.get("/recommendations").await["recommendations"].clone());
    let id = each(&plan.get("/devices?q=10.0.0.1").await["devices"], "id")[0].clone();
    let of_device = format!("/devices/{id}/vulnerabilities");
    assert_eq!(cves(&plan.get(&of_device).await), ["CVE-1999-9001", "CVE-1999-9002"]);
    let browser = Browser::sign_in(&plan).await;
    assert!(!browser.show("/vulnerabilities").await.html.contains("Components"));
    browser.show(list).await.assert(200, "Components are not looked for");

    plan.components = true;
    plan.restart().await;
    let on = plan.get(list).await;
    // A record without a version says nothing about a component; nor is the computer's covered by a plan.
    assert_eq!((cves(&on), &on["components"]), (vec!["CVE-1999-9005"], &json!(true)));
    assert_has(&on["vulnerabilities"][0], json!({"devices": 1, "confidence": "component"}));
    assert_eq!(on["totals"], totals, "a total is of what is confirmed");
    assert_eq!(cves(&plan.get("/vulnerabilities").await), ["CVE-1999-9001"]);
    assert_eq!(cves(&plan.get("/vulnerabilities?confidence=possible").await), ["CVE-1999-9002"]);
    assert_eq!(
        plan.get("/recommendations").await["recommendations"],
        recommended,
        "and nothing is recommended for it"
    );
    let found = plan.get(&of_device).await;
    assert_eq!(cves(&found), ["CVE-1999-9001", "CVE-1999-9002", "CVE-1999-9005"], "it comes last");
    let expected = json!({"verdict": "component", "confidence": "component", "component": "http.server: nginx/1.18.0 (Ubuntu)",
        "compared": "1.18.0 fits < 1.20.1 (dotted numbers)", "product_row": "nginx", "fixed_in": "1.20.1"});
    assert_has(&found["vulnerabilities"][2], expected);
    let cve = plan.get("/vulnerabilities/CVE-1999-9005").await;
    assert_has(&cve, json!({"confirmed": 0}));
    assert_eq!(each(&cve["devices"], "id"), [id.as_str()]);
    assert!(
        plan.text("/vulnerabilities.csv?confidence=component")
            .await
            .contains("CVE-1999-9005,component,1,critical")
    );
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show(list).await;
    page.assert(200, "Distributions mend old versions without a new number");
    assert!(page.html.contains("CVE-1999-9005") && page.html.contains("<span>Components</span>"));
    browser.show(&format!("/devices/{id}")).await.assert(200, "http.server: nginx/1.18.0 (Ubuntu)");
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    plan.set_time("2026-11-22T11:00:00Z");
    assert_eq!(plan.try_get(list).await.status, 403, "without a plan it is withheld as the rest");
}

/// What shows vulnerabilities, below the subscription in the API; and the pages.
const WAYS: [&str; 9] = [
    "/vulnerabilities",
    "/vulnerabilities?confidence=possible",
    "/vulnerabilities?confidence=component",
    "/vulnerabilities.csv",
    "/vulnerabilities.ndjson",
    "/vulnerabilities/coverage",
    "/vulnerabilities/coverage.csv",
    "/vulnerabilities/coverage.ndjson",
    "/vulnerabilities/CVE-1999-9001",
];
const PAGES: [&str; 3] = ["/vulnerabilities", "/vulnerabilities/coverage", "/vulnerabilities/CVE-1999-9001"];

#[tokio::test]
async fn every_route_and_page_is_withheld_without_a_plan_and_shown_with_one() {
    let (plan, id) = with_cameras().await;
    imported(&plan, &[FEED, KEV]).await;
    let browser = Browser::sign_in(&plan).await;
    let of_device = format!("/devices/{id}/vulnerabilities");
    let ways: Vec<&str> = WAYS.into_iter().chain([of_device.as_str()]).collect();
    let shown = async |is_shown: bool, since: Value| {
        for way in &ways {
            let answer = plan.try_get(way).await;
            let expected = if is_shown { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{way}: {}", answer.body);
            if !is_shown {
                assert_has(&answer.body, json!({"type": "/problems/findings-withheld", "since": since}));
                assert!(!answer.body.to_string().contains("CVE"), "{}", answer.body);
            }
        }
        for page in PAGES {
            let page = browser.show(page).await;
            assert_eq!(page.status, if is_shown { 200 } else { 403 }, "{}", page.html);
            assert_eq!(
                page.html.contains("CVE-1999-9001"),
                is_shown && !page.html.contains("What was imported")
            );
        }
        // The device and the count are shown in any case.
        let device = browser.show(&format!("/devices/{id}")).await;
        assert_eq!((device.status.as_u16(), device.html.contains("CVE-1999-9001")), (200, is_shown));
        assert_eq!(plan.try_get("/census").await.status, 200);
    };
    // A trial is in effect; then it is cancelled, and ends an hour later.
    shown(true, Value::Null).await;
    plan.post("/plan/cancel", json!({})).await.succeeds(200);
    shown(true, Value::Null).await;
    plan.set_time("2026-11-22T11:00:00Z");
    shown(false, json!("2026-11-22T10:00:00Z")).await;
    plan.onboard_monthly(100).await;
    shown(true, Value::Null).await;
}

#[tokio::test]
async fn without_any_plan_nothing_is_shown_and_no_since_is_said() {
    let plan = Plan::start().await;
    imported(&plan, &[FEED]).await;
    for way in WAYS {
        let answer = plan.try_get(way).await;
        assert_eq!(answer.status, 403, "{way}");
        assert_has(&answer.body, json!({"type": "/problems/findings-withheld"}));
        assert_eq!(answer.body.get("since"), None);
    }
}

#[tokio::test]
async fn the_files_have_every_row_and_the_pages_escape_what_records_say() {
    let (plan, _) = with_cameras().await;
    imported(&plan, &[&FEED.replace("A <script>", "=1+1 <script>"), KEV]).await;
    let csv = plan.text("/vulnerabilities.csv").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("cve,confidence,devices,severity") && lines.len() == 2, "{csv}");
    assert!(
        lines[1].starts_with("CVE-1999-9001,confirmed,1,critical,9.8,true,2026-01-02,2026-01-23,"),
        "{csv}"
    );
    assert!(csv.contains("'=1+1"), "{csv}");
    let ndjson = plan.text("/vulnerabilities.ndjson?confidence=possible").await;
    let line: Value = serde_json::from_str(ndjson.trim()).unwrap();
    assert_has(&line, json!({"cve": "CVE-1999-9002", "confidence": "possible"}));
    let coverage = plan.text("/vulnerabilities/coverage.csv").await;
    assert!(coverage.contains("Axis,P3245-LV,mapped,1,1,0,"), "{coverage}");
    assert_eq!(plan.try_get("/vulnerabilities?confidence=certain").await.status, 400);
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/vulnerabilities").await;
    page.assert(200, "known exploited");
    assert!(!page.html.contains("<script>flaw"), "{}", page.html);
}
