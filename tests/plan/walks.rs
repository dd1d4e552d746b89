//! Walks through several pages of the console that a person takes for one purpose.

use reqwest::header;

use crate::device_table::{form, link, value};
use crate::support::browser::Browser;
use crate::support::{Plan, Seen};

#[tokio::test]
async fn five_hundred_devices_are_changed_after_a_preview_and_changed_back() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    Seen::default().many("iot", 0, 500).send(&plan, &sensor, 1, "hq").await;
    let browser = Browser::sign_in(&plan).await;
    let chosen = form(&[("scope", "all"), ("list", "category=iot"), ("action", "edit")]);
    let ids = value(&browser.post("/devices/bulk", &chosen).await, "id");
    assert_eq!(ids.split(' ').count(), 500);
    let fields = [("id", &*ids), ("list", "category=iot"), ("category", "computer_mobile")];
    let preview = browser.post("/devices/bulk", &form(&fields)).await;
    preview.assert(200, "500 → 0 billable, commitment 500 → 0");
    assert!(preview.html.len() <= 150 << 10, "{}", preview.html.len());
    let seen = value(&preview, "seen");
    let confirmed: Vec<(&str, &str)> =
        fields.into_iter().chain([("seen", &*seen), ("step", "confirm")]).collect();
    assert_eq!(browser.post("/devices/bulk", &form(&confirmed)).await.status, 303);
    assert_eq!(plan.get("/census").await["billable"], 0);
    let undone = browser.post("/devices/undo", &form(&[("change", "1"), ("list", "")])).await;
    assert_eq!(undone.status, 303, "{}", undone.html);
    assert_eq!(plan.get("/census").await["billable"], 500);
}

#[tokio::test]
async fn a_statement_leads_to_the_devices_of_one_of_its_days_and_to_the_why_of_one() {
    let plan = Plan::start().await;
    plan.onboard_monthly(100).await;
    let sensor = plan.enrol().await;
    let seen = Seen::default().arp("00:40:8c:00:00:0a", "10.0.0.1", "iot-a");
    seen.arp("00:40:8c:00:00:0b", "10.0.0.2", "computer_mobile-b").send(&plan, &sensor, 1, "hq").await;
    plan.set_time("2026-12-04T00:30:00Z");
    plan.run_jobs().await;
    let browser = Browser::sign_in(&plan).await;
    let follow = async |href: String| browser.get(&format!("{}{href}", plan.url)).await;
    let statement = browser.show("/statements/2026-11").await;
    let day = follow(link(&statement, ">2026-11-22</a>")).await;
    day.assert(200, "10.0.0.1");
    assert!(!day.html.contains("10.0.0.2"), "only what counted");
    day.assert(200, "This is the past");
    let device = link(&day, ">iot-a</a>");
    assert!(device.contains("as_of=2026-11-23"), "{device}");
    let why = follow(device).await;
    why.assert(200, "This is the past");
    why.assert(200, "C-IOT");
    assert!(why.header(header::CONTENT_TYPE).starts_with("text/html"));
}

#[tokio::test]
async fn a_trial_is_taken_with_the_number_that_the_page_proposes() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("/plan").await.assert(200, "name=\"devices\"");
    let form = "kind=trial&devices=100&accept_terms=yes&terms=";
    assert_eq!(browser.post("/plan", form).await.status, 303);
    assert_eq!(plan.get("/plan").await["history"][0]["kind"], "trial");
}
