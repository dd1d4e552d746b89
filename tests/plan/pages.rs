//! Pages of the console for what the API does: the day picker, snapshots, the audit trail, changes and zones.

use netcensus::plan::permission::Role;
use netcensus::plan::store::engine::sql;
use reqwest::header;
use serde_json::json;

use crate::decisions::{id, with_devices};
use crate::support::Plan;
use crate::support::browser::{Browser, Page};

/// Devices since the morning of 2026-11-22, and two sealed days.
async fn with_sealed_days() -> Plan {
    let plan = Plan::start().await;
    with_devices(&plan).await;
    plan.begin_day("2026-11-23").await;
    let one = id(&plan, "10.0.0.1").await;
    let edit = plan.request(reqwest::Method::PATCH, &format!("/devices/{one}")).header("if-match", "*");
    edit.json(&json!({"category": "computer_mobile"})).send().await.unwrap();
    plan.begin_day("2026-11-24").await;
    plan
}

/// The link of a page with this text.
fn link(page: &Page, text: &str) -> String {
    let (before, _) = page.html.split_once(text).unwrap_or_else(|| panic!("{text}: {}", page.html));
    let (_, href) = before.rsplit_once("href=\"").unwrap();
    href.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

#[tokio::test]
async fn the_day_picker_leads_to_sealed_days_and_keeps_the_list() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let follow = async |href: String| browser.get(&format!("{}{href}", plan.url)).await;
    for path in ["", "/devices?category=iot", "/findings", "/zones"] {
        let page = browser.show(path).await;
        page.assert(200, "← 2026-11-23</a>");
        let day = follow(link(&page, "← 2026-11-23</a>")).await;
        day.assert(200, "as sealed in the snapshot of 2026-11-23");
        day.assert(200, "value=\"2026-11-23\"");
        let before = follow(link(&day, "← 2026-11-22</a>")).await;
        before.assert(200, "as sealed in the snapshot of 2026-11-22");
        let after = link(&before, "2026-11-23 →</a>");
        assert!(after.ends_with("as_of=2026-11-24T00%3A00%3A00Z"), "{after}");
        let present = follow(link(&before, "Present</a>")).await;
        assert!(!present.html.contains("This is the past"), "{path}");
        if path.contains("category") {
            present.assert(200, "name=\"category\" value=\"iot\"");
        }
    }
}

#[tokio::test]
async fn a_day_that_the_picker_sends_is_its_end_on_every_page() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    // Two devices were IoT and one of the network at the end of that day; one became a computer on the next.
    browser.show("?as_of=2026-11-22").await.assert(200, "C-NET&as_of=2026-11-23T00:00:00Z\"><b>1</b>");
    browser.show("?as_of=2026-11-22").await.assert(200, "<b>3</b><span>billable</span>");
    browser.show("?as_of=2026-11-23").await.assert(200, "<b>2</b><span>billable</span>");
    let list = browser.show("/devices?as_of=2026-11-22&q=counts%3Ayes").await;
    list.assert(200, "3 devices matching");
    let href = link(&list, ">iot-a</a>");
    let device = browser.get(&format!("{}{href}", plan.url)).await;
    device.assert(200, "as sealed in the snapshot of 2026-11-22");
    device.assert(200, "counted");
    browser.show("?as_of=2026-13-01").await.assert(400, "2026-13-01");
}

#[tokio::test]
async fn navigation_keeps_the_day() {
    let plan = with_sealed_days().await;
    let page = Browser::sign_in(&plan).await.show("/devices?as_of=2026-11-22").await;
    for path in ["", "/devices", "/findings", "/zones"] {
        page.assert(200, &format!("href=\"/subscriptions/{}{path}?as_of=2026-11-23T00:00:00Z\"", plan.sid));
    }
}

#[tokio::test]
async fn a_snapshot_is_shown_checked_in_place_and_downloaded() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let list = browser.show("/snapshots").await;
    list.assert(200, "bundle?month=2026-11");
    let page = browser.get(&format!("{}{}", plan.url, link(&list, ">2026-11-22</a>"))).await;
    page.assert(200, "<b>3</b><span>billable of 4 devices</span>");
    browser.post("/snapshots/2026-11-22/verify", "").await.assert(200, "The snapshot holds.");
    for text in ["devices, a line each</a>", "bundle of 2026-11</a>", ">header</a>"] {
        let file = browser.get(&format!("{}{}", plan.url, link(&page, text))).await;
        assert_eq!(file.status, 200, "{text}");
    }
    assert_eq!(browser.show("/snapshots/2026-11-30").await.status, 404);
}

#[tokio::test]
async fn a_snapshot_whose_signature_was_changed_does_not_hold() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    assert!(plan.execute(sql("DROP TRIGGER snapshot_is_not_changed")).await);
    assert!(plan.execute(sql("UPDATE snapshot SET signature = zeroblob(64)")).await);
    browser.post("/snapshots/2026-11-22/verify", "").await.assert(200, "The snapshot does not hold:");
}

#[tokio::test]
async fn a_day_is_sealed_again_from_its_page() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let done = browser.post("/snapshots/2026-11-23/seal", "").await;
    assert_eq!(done.status, 303);
    let page = browser.get(&format!("{}{}", plan.url, done.header(header::LOCATION))).await;
    page.assert(200, "Nothing to seal.");
    let refused = browser.post("/snapshots/2026-11-24/seal", "").await;
    assert_eq!(refused.status, 404, "the day has no page yet");
}

#[tokio::test]
async fn the_audit_trail_is_shown_filtered_and_verified_in_place() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/audit").await;
    page.assert(200, "<code>snapshot.seal</code>");
    page.assert(200, "<code>devices.edit</code>");
    let narrow = browser.show("/audit?action=snapshot.seal").await;
    narrow.assert(200, "<code>snapshot.seal</code>");
    assert!(!narrow.html.contains("<code>devices.edit</code>"));
    let export = browser.get(&format!("{}{}", plan.url, link(&narrow, ">NDJSON</a>"))).await;
    assert_eq!((export.status.as_u16(), export.html.lines().count()), (200, 2));
    let verified = browser.post("/audit/verify", "").await;
    verified.assert(200, "The chain is intact:");
    let (_, rest) = verified.html.split_once("Write down <code class=\"wrap\">").unwrap();
    let head = rest.split('<').next().unwrap();
    browser.post("/audit/verify", &format!("seen={head}")).await.assert(200, "The chain is intact:");
    let other = format!("seen=1:{}", "0".repeat(64));
    browser.post("/audit/verify", &other).await.assert(200, "The chain is broken:");
    browser.post("/audit/verify", "seen=x").await.assert(400, "as an earlier verification showed them");
    let reader = plan.person("reader", Role::Reader).await;
    let request = plan.client.get(browser.page("/audit")).bearer_auth(reader);
    assert_eq!(Page::read(request).await.status, 403);
}

#[tokio::test]
async fn a_change_is_undone_from_its_page_and_from_the_banner() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let list = browser.show("/changes").await;
    list.assert(200, "3 → 2");
    let page = browser.get(&format!("{}{}", plan.url, link(&list, "</a></th>"))).await;
    page.assert(200, "computer_mobile");
    let one = id(&plan, "10.0.0.1").await;
    let banner = browser.show(&format!("/devices/{one}?changed=1")).await;
    banner.assert(200, "<b>Change 1:</b>");
    banner.assert(200, "/devices/undo");
    let done = browser.post("/changes/1/undo", "reason=a+mistake").await;
    assert_eq!(done.status, 303);
    let undone = browser.get(&format!("{}{}", plan.url, done.header(header::LOCATION))).await;
    undone.assert(200, "2 → 3");
    undone.assert(200, "a mistake");
    assert_eq!(plan.get("/census").await["billable"], 3);
    browser.show("/changes").await.assert(200, "undone by");
    browser.post("/changes/1/undo", "").await.assert(409, "role=\"alert\"");
}

#[tokio::test]
async fn zones_show_their_devices_and_sensors() {
    let plan = with_sealed_days().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/zones").await;
    page.assert(200, "<th scope=\"row\">hq</th>");
    let list = browser.get(&format!("{}{}", plan.url, link(&page, ">3</a>"))).await;
    list.assert(200, "3 devices");
    page.assert(200, "edge-1");
}
