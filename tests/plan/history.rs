//! The overview's past, price and future: the count by day, the forecast, what changed since a sealed day, the month so far.

use netcensus::census::Sign;
use reqwest::Method;
use serde_json::{Value, json};

use crate::statements::{global_admin, one_euro};
use crate::support::answers::each;
use crate::support::browser::{Browser, Page};
use crate::support::{Plan, Seen, TestSensor, send};

impl Plan {
    /// Seals the days before `date`, and moves to its morning.
    pub(crate) async fn begin_day(&self, date: &str) {
        self.set_time(&format!("{date}T01:00:00Z"));
        self.run_jobs().await;
        self.set_time(&format!("{date}T09:00:00Z"));
    }
}

/// A camera that asked by ARP at an instant.
fn camera(seen: Seen, n: u32, when: &str) -> Seen {
    let mac = format!("00:40:8c:00:{:02x}:{:02x}", n / 256, n % 256);
    let ip = format!("10.0.{}.{}", n / 200, n % 200 + 1);
    seen.sign(&mac, &ip, "iot-camera", Sign::ArpAsked, when)
}

/// A plan for 300 devices, and ten days on each of which ten cameras more are seen: 100 on the first.
async fn with_growth() -> (Plan, TestSensor) {
    let plan = Plan::start().await;
    plan.onboard_monthly(300).await;
    let sensor = plan.enrol().await;
    for day in 0..10_u32 {
        let date = if day < 9 { format!("2026-11-{}", 22 + day) } else { "2026-12-01".to_owned() };
        plan.begin_day(&date).await;
        let now = format!("{date}T09:00:00Z");
        let seen = (0..100 + 10 * day).fold(Seen::default(), |seen, n| camera(seen, n, &now));
        seen.send(&plan, &sensor, u64::from(day) + 1, "default").await;
    }
    (plan, sensor)
}

/// The number that the page links to the differences of a kind, and the link.
fn difference(page: &Page, kind: &str) -> Option<(u64, String)> {
    let start = format!("/differences?kind={kind}&amp;");
    let (before, after) = page.html.split_once(&start)?;
    let base = before.rsplit_once("href=\"")?.1;
    let (rest, text) = after.split_once("\">")?;
    let number = text.split('<').next()?.replace(',', "").parse().ok()?;
    Some((number, format!("{base}/differences?kind={kind}&{}", rest.replace("&amp;", "&"))))
}

#[tokio::test]
async fn the_overview_has_every_sealed_day_the_commitment_and_the_forecast() {
    let (plan, _) = with_growth().await;
    let page = Browser::sign_in(&plan).await.show("").await;
    for (day, billable) in [("2026-11-22", 100), ("2026-11-26", 140), ("2026-11-30", 180)] {
        page.assert(200, &format!("{day}: 0 network + {billable} IoT = {billable} billable, 0 not counted"));
        page.assert(
            200,
            &format!(">{day}</a></td><td class=\"num\">0</td><td class=\"num\">{billable}</td>"),
        );
    }
    page.assert(200, "<strong>110 more devices</strong> fit into the committed number");
    page.assert(200, "grows by +10 per day and passes the committed number");
    page.assert(200, "class=\"c-band\"");
    page.assert(200, "class=\"c-committed\"");
    page.assert(200, "2026-11-22: monthly plan for 300 committed devices");
    assert!(page.html.len() < 150 * 1024, "{}", page.html.len());
    assert!(!page.html.contains("style="));
}

#[tokio::test]
async fn a_day_of_the_chart_leads_to_its_census() {
    let (plan, _) = with_growth().await;
    let browser = Browser::sign_in(&plan).await;
    let page = browser.show("").await;
    let (before, _) = page.html.split_once(">2026-11-25</a>").unwrap();
    let link = before.rsplit_once("href=\"").unwrap().1.trim_end_matches('"');
    let past = browser.get(&format!("{}{link}", plan.url)).await;
    past.assert(200, "as sealed in the snapshot of 2026-11-25");
    past.assert(200, "C-IOT&as_of=2026-11-26T00:00:00Z\"><b>130</b>");
    past.assert(200, "2026-11-25 <span class=\"dim\">this page</span>");
    // What is known then of the day before.
    past.assert(200, "since the end of 2026-11-24");
    let (new, _) = difference(&past, "new").unwrap();
    assert_eq!(new, 10);
}

#[tokio::test]
async fn what_changed_since_yesterday_leads_to_as_many_devices() {
    let (plan, _) = with_growth().await;
    let browser = Browser::sign_in(&plan).await;
    let ids: Vec<String> = each(&plan.get("/devices?limit=5").await["devices"], "id");
    plan.advance();
    // One is deleted, one becomes a computer, and three become one.
    let send = async |method, path: String, body| {
        let request = plan.request(method, &path).header("if-match", "*").json(&body);
        send(request).await.succeeds(200);
    };
    send(Method::DELETE, format!("/devices/{}", ids[0]), Value::Null).await;
    send(Method::PATCH, format!("/devices/{}", ids[1]), json!({"category": "computer_mobile"})).await;
    plan.post("/devices/merge", json!({"ids": &ids[2..]})).await.succeeds(200);
    let page = browser.show("").await;
    let mut sum = 180;
    for (kind, expected, effect) in [("new", 10, 10), ("gone", 1, -1), ("turned", 1, -1), ("merged", 2, -2)] {
        let (number, link) = difference(&page, kind).unwrap();
        assert_eq!(number, expected, "{kind}");
        let list = browser.get(&format!("{}{link}", plan.url)).await;
        list.assert(200, "<h1>");
        let rows = list.html.matches("<tr><th scope=\"row\">").count() as u64;
        assert_eq!(rows, number, "{kind}: {}", list.html);
        sum += effect;
    }
    let census = plan.get("/census").await;
    assert_eq!(census["billable"], sum);
    page.assert(200, &format!("180 → <b>{sum}</b> billable"));
}

#[tokio::test]
async fn the_overview_has_the_month_so_far_and_what_it_comes_to() {
    let (plan, _) = with_growth().await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("").await.assert(200, "device-months have no price");
    let admin = global_admin(&plan).await;
    plan.post_as(&admin, "/prices", one_euro()).await.succeeds(201);
    let page = browser.show("").await;
    page.assert(200, "EUR</b>");
    page.assert(200, "/statements/2026-12\">Statement 2026-12 with its arithmetic</a>");
}

#[tokio::test]
async fn without_days_and_plans_the_overview_says_so() {
    let plan = Plan::start().await;
    let page = Browser::sign_in(&plan).await.show("").await;
    page.assert(200, "No day is sealed yet");
    page.assert(200, "No plan has been in effect yet");
    page.assert(200, "no forecast yet: 1 of the last 42 days have a count");
    page.assert(200, "no sensor.");
    let page = Browser::sign_in(&plan).await.show("/differences").await;
    assert_eq!(page.status, 404);
}

#[tokio::test]
async fn a_sensor_that_is_silent_or_ill_is_told_in_words() {
    let (plan, _) = with_growth().await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("").await.assert(200, "<p id=\"sensor-health\">1 live.</p>");
    plan.set_time("2026-12-01T11:30:00Z");
    let page = browser.show("/sensors").await;
    page.assert(200, "<span class=\"badge bad\">silent since 2026-12-01 09:00</span>");
}
