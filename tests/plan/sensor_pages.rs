//! The console's page of sensors: how each does, adding one with its progress, renaming and revoking.

use netcensus::census::Zone;
use netcensus::wire::{Health, Upload};
use reqwest::header;
use serde_json::json;

use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;
use crate::support::seen::upload_of;
use crate::support::{Plan, Seen, TestSensor, upload};

/// The value of a field of a form on a page.
fn field(page: &Page, name: &str) -> String {
    let (_, rest) = page.html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().replace("&#34;", "%22").replace("&quot;", "%22")
}

#[tokio::test]
async fn an_enrolment_ticks_from_the_token_to_the_first_device() {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let browser = Browser::sign_in(&plan).await;
    let done = |page: &Page| page.html.matches("<li class=\"done\">").count();
    let made = browser.post("/sensors", "").await;
    made.assert(200, "data-copy>sudo netcensus-sensor enrol nce");
    made.assert(200, "a token that waits");
    assert_eq!(done(&made), 0);
    let (_, rest) = made.html.split_once("netcensus-sensor enrol ").unwrap();
    let token = rest.split_whitespace().next().unwrap().split('<').next().unwrap();
    let token: netcensus::wire::EnrolmentToken = token.parse().unwrap();
    let sensor = plan.enrol_by(&token.secret).await;
    assert_eq!(done(&browser.show("/sensors").await), 1);
    let empty = upload_of(1, "hq", Zone::default());
    let empty = Upload { health: Health::default(), ..empty };
    plan.upload(&sensor, &empty).await.succeeds(201);
    assert_eq!(done(&browser.show("/sensors").await), 2);
    let seen = Seen::default().arp("00:40:8c:00:00:01", "10.0.0.1", "iot-a");
    seen.send(&plan, &sensor, 2, "hq").await;
    assert_eq!(done(&browser.show("/sensors").await), 4);
}

#[tokio::test]
async fn a_token_that_expired_says_so() {
    let plan = Plan::start().await;
    let browser = Browser::sign_in(&plan).await;
    browser.post("/sensors", "").await.assert(200, "a token that waits");
    plan.set_time("2026-11-22T10:00:00Z");
    browser.show("/sensors").await.assert(200, "a token that expired unused");
}

#[tokio::test]
async fn a_sensor_is_renamed_and_revoked_in_place() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("/sensors").await;
    page.assert(200, "no upload yet");
    let tag = field(&page, "tag");
    let rename = format!("/sensors/{}/rename", sensor.id);
    let done = browser.post(&rename, &format!("tag={tag}&name=Roof+%3Cb%3E")).await;
    assert_eq!(done.status, 303, "{}", done.html);
    assert_eq!(plan.get("/sensors").await["sensors"][0]["name"], "Roof <b>");
    browser.post(&rename, &format!("tag={tag}&name=Cellar")).await.assert(412, "role=\"alert\"");
    browser.show("/sensors").await.assert(200, "Roof &#60;b&#62;");
    let done = browser.post(&format!("/sensors/{}/revoke", sensor.id), "").await;
    assert!(done.header(header::LOCATION).ends_with("/sensors"));
    browser.show("/sensors").await.assert(200, "<span class=\"badge other\">revoked</span>");
}

#[tokio::test]
async fn what_is_wrong_with_a_sensor_is_told_with_the_next_step() {
    let plan = Plan::start().await;
    let sensor = plan.ready().await;
    let seen = upload(1, "hq", &[("00:40:8c:00:00:01", "10.0.0.1", "iot-a", "2026-11-22T08:59:00Z")]);
    let health = Health { frames: 75, dropped: 25, version: "9.8.7".into(), ..Health::default() };
    plan.upload(&sensor, &Upload { health, ..seen }).await.succeeds(201);
    let page = Browser::sign_in(&plan).await.show("/sensors").await;
    page.assert(200, "25 frames dropped (25.00 %)");
    page.assert(200, "names the cause");
    page.assert(200, "9.8.7");
    assert_eq!(json!(page.html.contains("1 live")), json!(true));
}

/// Uploads what a sensor counted since its start.
async fn counted(plan: &Plan, sensor: &TestSensor, sequence: u64, frames: u64, dropped: u64) {
    let health = Health { frames, bytes: frames * 80, dropped, ..Health::default() };
    let empty = upload_of(sequence, "hq", Zone::default());
    plan.upload(sensor, &Upload { health, ..empty }).await.succeeds(201);
}

on_each_database! { what_a_sensor_told_is_kept_by_hour_for_eight_days }

async fn what_a_sensor_told_is_kept_by_hour_for_eight_days(plan: Plan) {
    plan.set_time("2026-11-22T09:01:00Z");
    let sensor = plan.ready().await;
    counted(&plan, &sensor, 1, 1_000, 0).await;
    plan.set_time("2026-11-22T09:07:00Z");
    counted(&plan, &sensor, 2, 1_500, 3).await;
    plan.set_time("2026-11-22T11:00:00Z");
    // Its totals fell: it started again.
    counted(&plan, &sensor, 3, 20, 0).await;
    let path = format!("/sensors/{}/history", sensor.id);
    let expected = json!({"hours": [
        {"from": "2026-11-22T09:00:00Z", "frames": 1_500, "dropped": 3, "starts": 1, "heard": 2},
        {"from": "2026-11-22T11:00:00Z", "frames": 20, "dropped": 0, "starts": 1, "heard": 1},
    ]});
    assert_eq!(plan.get(&path).await, expected);
    let page = Browser::sign_in(&plan).await.show(&format!("/sensors/{}", sensor.id)).await;
    page.assert(200, "Dropped frames an hour in the last eight days: at most 3, 0 in the newest hour");
    page.assert(200, "no upload");
    plan.set_time("2026-11-30T10:00:00Z");
    counted(&plan, &sensor, 4, 50, 0).await;
    let kept = plan.get(&path).await;
    let hours = kept["hours"].as_array().unwrap().iter().map(|hour| hour["from"].as_str().unwrap());
    assert_eq!(hours.collect::<Vec<_>>(), ["2026-11-22T11:00:00Z", "2026-11-30T10:00:00Z"]);
    plan.try_get("/sensors/0123456789abcdef/history").await.fails(404, "not-found");
}
